#!/usr/bin/env python3
"""The senders of examples/senders, whose messages ours opens: check.py ENVELOPE_TOOL COMMAND...

COMMAND is a sender, which takes a file of records and a media type. Prints a line for each case and
ends with `N passed, N failed`."""
import json
import os
import subprocess
import sys
import tempfile

from cases import verdict

TOOL, SENDER = sys.argv[1], sys.argv[2:]


class Key:
    """A revision's key pair, from our own tool."""

    def __init__(self, revision, epoch):
        lines = subprocess.run([TOOL, "keygen"], capture_output=True, check=True).stdout
        fields = dict(line.split() for line in lines.decode().splitlines())
        self.secret, self.public, self.fingerprint = (
            fields["secret"], fields["public"], fields["fingerprint"])
        self.revision, self.epoch = revision, epoch

    def row(self, state="Active"):
        return {"epoch": self.epoch, "state": state, "publicKey": self.public,
                "fingerprint": self.fingerprint}

    def record(self, *older, **changes):
        record = {"metadata": {"namespace": "shop", "name": self.revision},
                  "spec": {"role": "Leader", "revision": self.revision, "function": "billing",
                           "scheme": "umbral-secp256k1"},
                  "status": {"keys": [k.row("Retired") for k in older] + [self.row()],
                             "conditions": [{"type": "NoHolder", "status": "False"}]}}
        for part, fields in changes.items():
            record[part].update(fields)
        return record

    def signed_key(self):
        return {"namespace": "shop", "function": "billing", "revision": self.revision,
                "scheme": "umbral-secp256k1", "epoch": self.epoch, "publicKey": self.public}


def sealed(document, message, *media_type, ok=True):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        run = subprocess.run([*SENDER, file.name, *media_type], input=message,
                             capture_output=True, check=False)
    if (run.returncode == 0) != ok:
        raise AssertionError(run.stderr.decode() or "taken")
    return run.stdout


def opened(key, envelope):
    return subprocess.run([TOOL, "open", "--secret", key.secret], input=envelope,
                          capture_output=True, check=True).stdout


def messages_of_every_size():
    key, older = Key("billing-1", 7), Key("billing-1", 6)
    for size in (0, 1, 1024, 1 << 20):
        message = os.urandom(size)
        assert opened(key, sealed(key.record(older), message)) == message
    sealed(key.record(), bytes((1 << 20) + 1), ok=False)


def every_revision_opens():
    keys = [Key(f"billing-{i}", i + 1) for i in range(16)]
    envelope = sealed({"kind": "List", "items": [k.record() for k in keys]}, b"once")
    for key in keys:
        assert opened(key, envelope) == b"once"
    many = {"items": [k.record() for k in keys + [Key("billing-16", 1)]]}
    sealed(many, b"once", ok=False)


def what_a_leader_serves():
    key = Key("billing-1", 3)
    envelope = sealed(key.signed_key(), b"{}", "application/json")
    assert opened(key, envelope) == b"{}"
    assert b"application/json" in envelope


def the_media_type_and_the_name_stand_in_the_header():
    key = Key("billing-1", 2)
    envelope = sealed(key.record(), b"x", "text/plain")
    assert b"text/plain" in envelope and b"shop/billing-1" in envelope
    assert b"application/octet-stream" in sealed(key.record(), b"x")


def records_that_nobody_may_seal_to():
    key = Key("billing-1", 1)
    for changes in ({"spec": {"role": "Member"}}, {"spec": {"scheme": "another"}}, {"status": {}},
                    {"status": {"keys": [key.row("Retired")]}},
                    {"status": {"keys": [key.row("Prepared")]}},
                    {"status": {"conditions": [{"type": "NoHolder", "status": "True"}]}},
                    {"status": {"keys": [dict(key.row(), publicKey="02" + "ff" * 32)]}}):
        if changes == {"status": {}}:
            document = key.record()
            del document["status"]
        else:
            document = key.record(**changes)
        sealed(document, b"x", ok=False)


def whoever_makes_the_next_key_holds_it():
    older, key = Key("billing-1", 1), Key("billing-1", 2)
    gone = {"conditions": [{"type": "NoHolder", "status": "True"}], "activeEpoch": 2}
    sealed(key.record(older, status=dict(gone, observedEpoch=2)), b"x", ok=False)
    assert opened(key, sealed(key.record(older, status=dict(gone, observedEpoch=1)), b"x")) == b"x"


def no_two_messages_are_alike():
    key = Key("billing-1", 1)
    assert sealed(key.record(), b"x") != sealed(key.record(), b"x")


if __name__ == "__main__":
    sys.exit(verdict(messages_of_every_size, every_revision_opens, what_a_leader_serves,
                     the_media_type_and_the_name_stand_in_the_header,
                     records_that_nobody_may_seal_to, whoever_makes_the_next_key_holds_it,
                     no_two_messages_are_alike))
