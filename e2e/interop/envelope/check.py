#!/usr/bin/env python3
"""Our messages read by public packages, theirs read by us: check.py ENVELOPE_TOOL

Prints a line for each case and ends with `N passed, N failed`."""
import hashlib
import io
import os
import random
import subprocess
import sys
import tempfile

import cbor2
import umbral_pre
from pycose.headers import IV
from pycose.keys import SymmetricKey
from pycose.messages import CoseMessage

from cases import verdict
import envelope_py
import sender_py as sender
import small_umbral as umbral
from envelope_py import Map

HERE = os.path.dirname(os.path.abspath(__file__))
TOOL = sys.argv[1]
KFRAG, EVENT = 3, 0


def tool(*arguments, data=b"", ok=True):
    run = subprocess.run([TOOL, *arguments], input=data, capture_output=True, check=False)
    if (run.returncode == 0) != ok:
        raise AssertionError(f"{arguments}: {run.stderr.decode()}")
    return run.stdout if ok else run.stderr.decode()


class Key:
    """A key pair of the public package."""

    def __init__(self, name="shop/orders", epoch=1):
        self.secret = umbral_pre.SecretKey.random()
        self.public = self.secret.public_key()
        self.name, self.epoch = name, epoch
        self.fp = hashlib.sha256(self.public.to_compressed_bytes()).digest()[:16]

    def hex(self):
        return bytes(self.secret.to_be_bytes()).hex()

    def to(self):
        return f"{self.public.to_compressed_bytes().hex()}:{self.epoch}:{self.name}"

    def unwrap(self, header):
        capsule, wrapped = next(r[4:6] for r in header[-70001][3] if r[1] == self.fp)
        return umbral_pre.decrypt_original(
            self.secret, umbral_pre.Capsule.from_bytes(capsule), wrapped)


def made_by_stock(keys, plaintext, stream=False, kind=EVENT, context=None):
    """A message from umbral-pre, cbor2 and cryptography alone."""
    k = os.urandom(32)
    entries = []
    for key in keys:
        capsule, wrapped = umbral_pre.encrypt(key.public, k)
        entries.append([1, key.fp, key.epoch, key.name, bytes(capsule), bytes(wrapped)])
    header = {1: 1, 2: os.urandom(16), 3: sorted(entries, key=lambda e: e[1]), 4: 1795000000,
              8: kind, 10: 0}
    if context:
        header[11] = context
    iv = os.urandom(12)
    outer = {1: -70010 if stream else 3, 2: [-70001], 3: "text/plain",
             16: envelope_py.TYP_STREAM if stream else envelope_py.TYP_WHOLE, -70001: header}
    if not stream:
        outer[5] = iv
    protected = cbor2.dumps(outer, canonical=True)
    _, commit = envelope_py.schedule(protected, k)
    body = None if stream else envelope_py.seal_whole(protected, k, iv, plaintext)
    item = cbor2.dumps(cbor2.CBORTag(16, [protected, {-70002: commit}, body]), canonical=True)
    if stream:
        item += b"".join(envelope_py.seal_segments(protected, k, plaintext))
    return item


def cose_opens_ours():
    """A generic COSE parser decrypts the body once it has the content key."""
    for size in (0, 1, 1024, 1 << 20):
        keys, plaintext = [Key("shop/a", 1), Key("shop/b", 2)], os.urandom(size)
        sealed = tool("seal", "--to", keys[0].to(), "--to", keys[1].to(), "--type",
                      "application/json", data=plaintext)
        message = CoseMessage.decode(sealed)
        protected = cbor2.loads(sealed).value[0]
        header = cbor2.loads(protected)
        for key in keys:
            cek, commit = envelope_py.schedule(protected, key.unwrap(header))
            assert message.uhdr[-70002] == commit
            message.key = SymmetricKey(k=cek)
            assert message.phdr[IV] == header[5]
            assert message.decrypt() == plaintext


def cbor2_writes_the_same_header():
    for mode in ([], ["--stream"]):
        sealed = tool("seal", *mode, "--to", Key().to(), data=b"x")
        item = cbor2.CBORDecoder(io.BytesIO(sealed)).decode()
        protected = item.value[0]
        assert cbor2.dumps(cbor2.loads(protected), canonical=True) == protected
        assert sealed.startswith(cbor2.dumps(item, canonical=True))


def we_open_stock_messages():
    for size in (0, 1, 31, 1024, 1 << 20):
        keys, plaintext = [Key("shop/a", 1), Key("shop/b", 2)], os.urandom(size)
        sealed = made_by_stock(keys, plaintext)
        for key in keys:
            assert tool("open", "--secret", key.hex(), data=sealed) == plaintext
        assert "no-recipient" in tool("open", "--secret", Key().hex(), data=sealed, ok=False)


def we_open_stock_streams():
    for size in (0, 1, 65535, 65536, 65537, 131072, 3000000):
        key, plaintext = Key(), random.randbytes(size)
        sealed = made_by_stock([key], plaintext, stream=True)
        assert tool("open", "--secret", key.hex(), data=sealed) == plaintext
        assert "tampered" in tool("open", "--secret", key.hex(), data=sealed[:-1], ok=False)


def python_reads_our_streams():
    for size in (0, 1, 65535, 65536, 65537, 131072, 3000000):
        key, plaintext = Key(), random.randbytes(size)
        sealed = tool("seal", "--stream", "--to", key.to(), data=plaintext)
        run = subprocess.run([sys.executable, os.path.join(HERE, "read_stream.py"), key.hex()],
                             input=sealed, capture_output=True, check=True)
        assert run.stdout == plaintext


def sealed_kfrags():
    """A kfrag in an envelope to an inbox key, both ways, and never taken as an event."""
    key, context = Key("shop/orders", 1), hashlib.sha256(b"context").digest()
    delegator, signer = umbral_pre.SecretKey.random(), umbral_pre.Signer(
        umbral_pre.SecretKey.random())
    kfrag = bytes(umbral_pre.generate_kfrags(delegator, key.public, signer, 1, 1, True, True)[0])
    for sealed in (made_by_stock([key], kfrag, kind=KFRAG, context=context),
                   tool("seal", "--to", key.to(), "--kind", "3", "--context", context.hex(),
                        data=kfrag)):
        assert tool("open", "--secret", key.hex(), "--kinds", "8", data=sealed) == kfrag
        assert "unexpected-kind" in tool("open", "--secret", key.hex(), data=sealed, ok=False)
        protected, unprotected, body = cbor2.loads(sealed).value
        header = cbor2.loads(protected)
        assert header[-70001][11] == context
        k = key.unwrap(header)
        assert envelope_py.schedule(protected, k)[1] == unprotected[-70002]
        assert envelope_py.seal_whole(protected, k, header[5], kfrag) == body


def scalar():
    return int.from_bytes(os.urandom(32), "big") % umbral.N or 1


def forms():
    for level in (sender.ORIGIN, sender.MESSAGE):
        for stream in (False, True):
            for size in (0, 5, 70000):
                yield level, stream, size


def opened_by_python(sealed, key, stream):
    """What is encrypted, with the content key."""
    item = cbor2.CBORDecoder(io.BytesIO(sealed)).decode().value
    protected = item[0]
    k = key.unwrap(cbor2.loads(protected))
    cek, _ = envelope_py.schedule(protected, k)
    if not stream:
        message = CoseMessage.decode(sealed)
        message.key = SymmetricKey(k=cek)
        return protected, k, message.decrypt()
    run = subprocess.run([sys.executable, os.path.join(HERE, "read_stream.py"), key.hex()],
                         input=sealed, capture_output=True, check=True)
    return protected, k, run.stdout


def cose_verifies_our_senders():
    """The generic COSE package verifies what our sender signed, the sender is whom we named."""
    for level, stream, size in forms():
        key, text, own, leader = Key(), os.urandom(size), scalar(), scalar()
        sealed = tool("seal", *(["--stream"] if stream else []), "--to", key.to(), "--sender",
                      f"{level}:{own:064x}:{leader:064x}", data=text)
        protected, k, body = opened_by_python(sealed, key, stream)
        assert cbor2.loads(protected)[-70001][10] == level
        assert cbor2.loads(protected)[-70001][7] == len(body)
        fields, plaintext = sender.read(body, level, protected, k)
        assert plaintext == text
        assert fields["key"] == umbral.public(own) and fields["issuer"] == umbral.public(leader)
        assert fields["pod"] == "orders-1-a" and fields["pod"].encode() not in sealed
        # Nothing of it is good for another message.
        other = protected[:-1] + bytes([protected[-1] ^ 1])
        if level == sender.MESSAGE:
            bound, end = sender.sha256(other), body[-sender.TAIL:]
            cert = body[:sender.item_length(body)]
            cert = cert if not stream else cbor2.dumps(
                cbor2.loads(cert).value[1][sender.CERTIFICATE], canonical=True)
            assert not sender.cose_verifies(end, fields["key"], level, bound, cert,
                                            sender.sha256(text))


def made_with_sender(key, level, stream, text, spoil=lambda body: body):
    """As made_by_stock, with a sender's part that Python signed."""
    own, leader, k = scalar(), scalar(), os.urandom(32)
    capsule, wrapped = umbral_pre.encrypt(key.public, k)
    entries = [[1, key.fp, key.epoch, key.name, bytes(capsule), bytes(wrapped)]]
    cert = sender.certificate({
        "cluster": "c-1", "namespace": "shop", "function": "Orders_2", "revision": "r.1",
        "pod": "p-1", "uid": os.urandom(16), "key": umbral.public(own), "epoch": 1, "term": 2,
        "nbf": 1795000000, "exp": 1795000000}, leader, scalar())
    iv = os.urandom(12)
    header = {1: 1, 2: os.urandom(16), 3: entries, 4: 1795000000, 8: EVENT, 10: level}
    outer = {1: -70010 if stream else 3, 2: [-70001], 3: "text/plain",
             16: envelope_py.TYP_STREAM if stream else envelope_py.TYP_WHOLE, -70001: header}
    if not stream:
        outer[5] = iv
    protected = cbor2.dumps(outer, canonical=True)
    bound = sender.sha256(cbor2.dumps(entries, canonical=True))
    signatures = [sender.sign(own, sender.sig_structure(*what), scalar()) for what in (
        (sender.ORIGIN, bound, cert, sender.origin_payload(bound, k)),
        (sender.MESSAGE, sender.sha256(protected), cert, sender.sha256(text)))]
    body = spoil(sender.body(level, stream, cert, signatures[0], text, signatures[1]))
    if stream:
        return cert, envelope_py.message(protected, k, None) + b"".join(
            envelope_py.seal_segments(protected, k, body))
    return cert, envelope_py.message(
        protected, k, envelope_py.seal_whole(protected, k, iv, body))


def we_verify_senders_of_python():
    for level, stream, size in forms():
        key, text = Key(), os.urandom(size)
        cert, sealed = made_with_sender(key, level, stream, text)
        assert tool("open", "--secret", key.hex(), data=sealed) == text
        shown = tool("sender", "--secret", key.hex(), data=sealed).decode()
        assert shown == f"level {level}\ncertificate {cert.hex()}\n"
        flip = lambda body: body[:-1] + bytes([body[-1] ^ 1])
        _, sealed = made_with_sender(key, level, stream, text, flip)
        # The last byte is the message's signature; at level origin, any recipient's own text.
        if level == sender.MESSAGE or size == 0:
            assert "sender-signature" in tool("open", "--secret", key.hex(), data=sealed, ok=False)


ATTRIBUTES = {"id", "time", "type", "source", "subject", "dataschema", "specversion",
              "datacontenttype"}
NAME = set("abcdefghijklmnopqrstuvwxyz0123456789-.")


def text(value, low, high):
    return (isinstance(value, str) and low <= len(value.encode()) <= high and
            not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value))


def octets(value, n):
    return isinstance(value, bytes) and len(value) == n


def number(value, limit=1 << 64):
    return type(value) is int and 0 <= value < limit


def name(value):
    parts = value.split("/") if text(value, 3, 317) else []
    return (len(parts) == 2 and 0 < len(parts[0]) <= 63 and 0 < len(parts[1]) <= 253 and
            set(parts[0] + parts[1]) <= NAME)


def entry(e):
    if not isinstance(e, list) or not 2 <= len(e) <= 32 or not number(e[0]):
        return False
    if not octets(e[1], 16):
        return False
    if e[0] != 1:
        return all(type(x) is int or isinstance(x, bytes) or
                   (isinstance(x, str) and text(x, 0, 8192)) for x in e[2:])
    return (len(e) == 6 and number(e[2]) and name(e[3]) and octets(e[4], 105) and
            octets(e[5], 72))


def valid(protected):
    """The rules of envelope.cddl on what cbor2 decodes; an opinion of its own."""
    try:
        m = cbor2.loads(protected)
        if cbor2.dumps(m, canonical=True) != protected or not isinstance(m, dict):
            return False
    except Exception:  # the package raises many kinds
        return False
    stream = m.get(1) == -70010
    if set(m) != {1, 2, 3, 16, -70001} | (set() if stream else {5}):
        return False
    typ = envelope_py.TYP_STREAM if stream else envelope_py.TYP_WHOLE
    h = m[-70001]
    return ((stream or (type(m[1]) is int and m[1] == 3 and octets(m[5], 12))) and
            m[2] == [-70001] and m[16] == typ and text(m[3], 1, 255) and m[3].isascii() and
            isinstance(h, dict) and header_valid(h, stream))


def length_max(h, stream):
    return 1 << 40 if stream else (1 << 20) + (1024 if h[10] else 0)


def header_valid(h, stream):
    if not {1, 2, 3, 4, 8, 10} <= set(h) <= set(range(1, 12)):
        return False
    r, a = h[3], h.get(6, {"id": ""})
    if not isinstance(r, list) or not 1 <= len(r) <= 16 or not all(map(entry, r)):
        return False
    return (type(h[1]) is int and h[1] == 1 and octets(h[2], 16) and
            all(x[1] < y[1] for x, y in zip(r, r[1:])) and number(h[4]) and
            number(h.get(5, 0)) and number(h.get(7, 0), length_max(h, stream) + 1) and
            number(h[8], 5) and number(h[10], 3) and octets(h.get(9, bytes(32)), 32) and
            octets(h.get(11, bytes(32)), 32) and (11 in h) == (h[8] in (3, 4)) and
            (h[8] != 2 or 9 in h) and isinstance(a, dict) and len(a) > 0 and
            set(a) <= ATTRIBUTES and all(text(v, 0, 1024) for v in a.values()))


def mutated(rng, data):
    """A few edits of a header's bytes, mostly of the short ones at its structure."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(data))
        kind = rng.randrange(6)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.randrange(256)
        elif kind == 2:
            del data[at:at + rng.randrange(1, 4)]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 4))
        elif kind == 4 and data[at] < 24:
            data[at:at + 1] = bytes([24, data[at]])
        else:
            data[at] = (data[at] + rng.choice((1, -1))) % 256
        data = data or bytearray(b"\0")
    return bytes(data)


def both_decoders_agree():
    """Many changed headers: what one takes, the other takes."""
    rng = random.Random(20261121)
    samples = []
    for stream in (False, True):
        for extra in ([], [(5, 1795000060), (6, Map([("id", "A-1"), ("subject", "Ü")])), (7, 3),
                           (9, bytes(32))]):
            pairs = [(1, 1), (2, rng.randbytes(16)),
                     (3, [[1, bytes([i]) * 16, i, "shop/r", rng.randbytes(105),
                           rng.randbytes(72)] for i in (1, 2)]), (4, 1795000000), (8, 0), (10, 0)]
            header = Map(sorted(pairs + extra))
            outer = [(1, -70010 if stream else 3), (2, [-70001]), (3, "text/plain"),
                     (16, envelope_py.TYP_STREAM if stream else envelope_py.TYP_WHOLE)]
            outer += [] if stream else [(5, rng.randbytes(12))]
            samples.append(envelope_py.cbor(Map(sorted(outer) + [(-70001, header)])))
    cases = samples + [mutated(rng, rng.choice(samples)) for _ in range(20000)]
    answers = tool("headers", data="\n".join(c.hex() for c in cases).encode() + b"\n").split()
    assert len(answers) == len(cases)
    taken = 0
    for case, answer in zip(cases, answers):
        if (answer == b"ok") != valid(case):
            raise AssertionError(f"we say {answer.decode()}, cbor2 says {valid(case)}: "
                                 f"{case.hex()}")
        taken += answer == b"ok"
    assert all(a == b"ok" for a in answers[:len(samples)]) and 100 < taken < 15000
    print(f"       {len(cases)} headers, {taken} of them good")


def vectors_are_reproduced():
    """The generator makes the files that the C tests read."""
    stored = os.path.join(HERE, "..", "..", "..", "pkg", "envelope", "vectors")
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([sys.executable, os.path.join(HERE, "make_vectors.py"), made], check=True,
                       stdout=subprocess.DEVNULL)
        for file in ("whole.json", "stream.json", "negative.json", "response.json",
                     "signed.json", "signed-negative.json"):
            with open(os.path.join(made, file), "rb") as a, \
                    open(os.path.join(stored, file), "rb") as b:
                assert a.read() == b.read(), file


if __name__ == "__main__":
    sys.exit(verdict(vectors_are_reproduced, cose_opens_ours, cbor2_writes_the_same_header,
                     we_open_stock_messages, we_open_stock_streams, python_reads_our_streams,
                     sealed_kfrags, cose_verifies_our_senders, we_verify_senders_of_python,
                     both_decoders_agree))
