#!/usr/bin/env python3
"""Writes pkg/envelope/vectors/*.json: make_vectors.py DIRECTORY

Everything comes from the vector's name, so the files are the same on every run. A vector is a flat
object of strings; bytes are lower-case hex. Longer plaintexts are `plaintext_size` bytes of a
pattern (byte i = (31 i + 7 (i >> 8) + 1) mod 256) and their messages a SHA-256.
"""
import hashlib
import json
import os
import sys

import sender_py as sender
import small_umbral as umbral
from envelope_py import (A256GCM, COMMIT, FUNCTIONKEY, STREAM, TYP_STREAM, TYP_WHOLE, Map, Raw,
                         cbor, enc_structure, mac, message, schedule, seal_segments, seal_whole,
                         segment_nonce)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ATTRIBUTES = ("id", "time", "type", "source", "subject", "dataschema", "specversion",
              "datacontenttype")


class Random:
    """SHA-256(name ‖ counter), counter = 0, 1, …, as one stream of bytes."""

    def __init__(self, name):
        self.name, self.counter, self.rest = name.encode(), 0, b""

    def take(self, n):
        while len(self.rest) < n:
            self.rest += hashlib.sha256(self.name + self.counter.to_bytes(8, "big")).digest()
            self.counter += 1
        out, self.rest = self.rest[:n], self.rest[n:]
        return out

    def scalar(self):
        return int.from_bytes(self.take(32), "big") % (umbral.N - 1) + 1


def pattern(size):
    return bytes((31 * i + 7 * (i >> 8) + 1) & 0xff for i in range(size))


class Vector:
    """One message: named parts that a test can replace before they are put together."""

    def __init__(self, name, names=("shop/orders-6c9f7d5b8",), stream=False, plaintext=b"hello",
                 **fields):
        self.name, self.random, self.stream = name, Random(name), stream
        self.plaintext = plaintext
        self.k = self.random.take(32)
        self.recipients = sorted((self.recipient(n, 3 + i) for i, n in enumerate(names)),
                                 key=lambda r: r["fp"])
        self.id, self.iv = self.random.take(16), self.random.take(12)
        self.type = fields.get("type", "application/json")
        self.iat = fields.get("iat", 1795000000)
        self.exp = fields.get("exp")
        self.length = fields.get("length")
        self.kind, self.sender = fields.get("kind", 0), fields.get("sender", 0)
        self.parent, self.context = fields.get("parent"), fields.get("context")
        self.attributes = fields.get("attributes", {})

    def recipient(self, name, epoch):
        sk = self.random.scalar()
        pk = umbral.public(sk)
        r, u, nonce = self.random.scalar(), self.random.scalar(), self.random.take(24)
        capsule, wrapped = umbral.wrap(pk, self.k, r, u, nonce)
        assert umbral.unwrap(sk, capsule, wrapped) == self.k
        return {"sk": sk.to_bytes(32, "big"), "pk": pk, "fp": umbral.fingerprint(pk),
                "epoch": epoch, "name": name, "capsule": capsule, "wrapped": wrapped}

    def entries(self):
        return [[1, r["fp"], r["epoch"], r["name"], r["capsule"], r["wrapped"]]
                for r in self.recipients]

    def header(self):
        pairs = [(1, 1), (2, self.id), (3, self.entries()), (4, self.iat), (5, self.exp),
                 (6, Map((a, self.attributes[a]) for a in ATTRIBUTES if a in self.attributes)),
                 (7, self.length), (8, self.kind), (9, self.parent), (10, self.sender),
                 (11, self.context)]
        return Map((k, v) for k, v in pairs if v is not None and (k == 3 or v != []))

    def pairs(self):
        pairs = [(1, STREAM if self.stream else A256GCM), (2, [FUNCTIONKEY]), (3, self.type),
                 (5, None if self.stream else self.iv),
                 (16, TYP_STREAM if self.stream else TYP_WHOLE), (FUNCTIONKEY, self.header())]
        return Map((k, v) for k, v in pairs if v is not None)

    def protected(self):
        return cbor(self.pairs())

    def sealed(self, protected=None):
        protected = protected or self.protected()
        if self.stream:
            segments = seal_segments(protected, self.k, self.plaintext)
            return message(protected, self.k, None) + b"".join(segments)
        return message(protected, self.k, seal_whole(protected, self.k, self.iv, self.plaintext))

    def as_json(self):
        protected, sealed = self.protected(), self.sealed()
        cek, commit = schedule(protected, self.k)
        out = {"id": self.name, "mode": "stream" if self.stream else "whole",
               "kind": str(self.kind), "sender": str(self.sender), "type": self.type,
               "message_id": self.id.hex(), "iv": "" if self.stream else self.iv.hex(),
               "iat": str(self.iat), "k": self.k.hex()}
        for name in ("exp", "length"):
            if getattr(self, name) is not None:
                out[name] = str(getattr(self, name))
        for name in ("parent", "context"):
            if getattr(self, name) is not None:
                out[name] = getattr(self, name).hex()
        for name, value in self.attributes.items():
            out["ce_" + name] = value.encode().hex()
        for i, r in enumerate(self.recipients):
            for name in ("sk", "pk", "fp", "capsule", "wrapped"):
                out[f"recipient{i}_{name}"] = r[name].hex()
            out[f"recipient{i}_epoch"], out[f"recipient{i}_name"] = str(r["epoch"]), r["name"]
        out |= {"protected": protected.hex(), "cek": cek.hex(), "commit": commit.hex()}
        if len(self.plaintext) > 1024:
            assert self.plaintext == pattern(len(self.plaintext))
            out |= {"plaintext_size": str(len(self.plaintext)),
                    "message_sha256": hashlib.sha256(sealed).hexdigest()}
        else:
            out |= {"plaintext": self.plaintext.hex(), "message": sealed.hex()}
        return out


def whole():
    digest = hashlib.sha256(b"what the kfrag is bound to").digest()
    parent = hashlib.sha256(b"the request's protected bytes").digest()
    cloud = {"id": "A-1", "time": "2026-11-21T09:00:00Z", "type": "dev.functionkey.order",
             "source": "/shop", "subject": "Müller 订单", "dataschema": "https://example.com/s",
             "specversion": "1.0", "datacontenttype": "application/json"}
    yield Vector("whole-minimal")
    yield Vector("whole-empty", plaintext=b"", length=0)
    yield Vector("whole-one-byte", plaintext=b"\0", length=1)
    yield Vector("whole-length", length=5)
    yield Vector("whole-all-fields", exp=1795000060, length=5, parent=parent, attributes=cloud)
    yield Vector("whole-empty-attribute", attributes={"subject": "", "id": "x"})
    yield Vector("whole-two-recipients", names=("shop/orders-a", "shop/orders-b"))
    yield Vector("whole-sixteen-recipients", names=[f"shop/r{i}" for i in range(16)])
    yield Vector("whole-longest-names", names=("n" * 63 + "/" + "r" * 253, "a/b"))
    yield Vector("whole-longest-type", type="t" * 255)
    yield Vector("whole-large-numbers", iat=2**64 - 1, exp=2**32)
    yield Vector("whole-request", kind=1, type="message/bhttp")
    yield Vector("whole-response", kind=2, parent=parent)
    yield Vector("whole-kfrag", kind=3, context=digest, plaintext=pattern(310), length=310,
                 type="application/vnd.functionkey.kfrag")
    yield Vector("whole-share", kind=4, context=digest, plaintext=pattern(64))
    yield Vector("whole-64k", plaintext=pattern(65536), length=65536)
    yield Vector("whole-largest", plaintext=pattern(1 << 20), length=1 << 20)


def stream():
    for size in (0, 1, 65535, 65536, 65537, 131072):
        yield Vector(f"stream-{size}", stream=True, plaintext=pattern(size))
        yield Vector(f"stream-{size}-announced", stream=True, plaintext=pattern(size), length=size)
    yield Vector("stream-two-recipients", stream=True, plaintext=pattern(200000),
                 names=("shop/orders-a", "shop/orders-b"))


def answer(request, name, **fields):
    """A response without recipients, under a secret that only the ends of its request have."""
    protected = request.protected()
    parent = hashlib.sha256(protected).digest()
    v = Vector(name, names=(), kind=2, parent=parent, type="message/bhttp", **fields)
    v.k = mac(mac(parent, request.k), b"functionkey/v1/response" + v.id + b"\x01")
    return v.as_json() | {"request_protected": protected.hex(), "request_k": request.k.hex()}


def responses():
    request = Vector("response-request", kind=1, type="message/bhttp")
    yield answer(request, "response-whole", length=5)
    yield answer(request, "response-empty", plaintext=b"")
    yield answer(request, "response-stream", stream=True, plaintext=pattern(65537))
    yield answer(Vector("response-to-stream", kind=1, stream=True), "response-of-stream")


class Signed(Vector):
    """A message with a sender: `text` is what he says, `plaintext` what is encrypted."""

    FIELDS = {"cluster": "6f1c0f9e-6f44-4f5c-9a53-2d3b0b6a1a11", "namespace": "shop",
              "function": "orders", "revision": "orders-6c9f7d5b8",
              "pod": "orders-6c9f7d5b8-m4zqh", "epoch": 2, "term": 7, "nbf": 1794999400,
              "exp": 1795003600}

    def __init__(self, name, level, text=b"hello", fields=None, announced=True, **more):
        super().__init__(name, sender=level, **more)
        self.level, self.text = level, text
        self.leader, self.key = self.random.scalar(), self.random.scalar()
        self.nonces = [self.random.scalar() for _ in range(3)]
        fields = self.FIELDS | {"uid": self.random.take(16), "key": umbral.public(self.key)} | (
            fields or {})
        self.cert = sender.certificate(fields, self.leader, self.nonces[0])
        self.plaintext = sender.body(level, self.stream, self.cert, bytes(64), text, bytes(64))
        self.length = len(self.plaintext) if announced else None
        bound = sender.origin_bound(self.entries())
        self.origin_signed = sender.sig_structure(
            sender.ORIGIN, bound, self.cert, sender.origin_payload(bound, self.k))
        self.tail_signed = sender.sig_structure(
            sender.MESSAGE, sender.sha256(self.protected()), self.cert, sender.sha256(text))
        self.origin = sender.sign(self.key, self.origin_signed, self.nonces[1])
        self.tail = sender.sign(self.key, self.tail_signed, self.nonces[2])
        self.plaintext = sender.body(level, self.stream, self.cert, self.origin, text, self.tail)

    def as_json(self):
        body, self.plaintext = self.plaintext, b""
        out = super().as_json()
        self.plaintext = body
        sealed = self.sealed()
        out |= {"cert": self.cert.hex(), "key": umbral.public(self.key).hex(),
                "issuer": umbral.public(self.leader).hex()}
        if sender.has_origin(self.level, self.stream):
            out |= {"origin_signed": self.origin_signed.hex(), "origin": self.origin.hex()}
        if self.level == sender.MESSAGE:
            out |= {"tail_signed": self.tail_signed.hex(), "tail": self.tail.hex()}
        if len(self.text) > 1024:
            assert self.text == pattern(len(self.text))
            del out["plaintext"], out["message"]
            return out | {"plaintext_size": str(len(self.text)),
                          "message_sha256": hashlib.sha256(sealed).hexdigest()}
        return out | {"plaintext": self.text.hex(), "message": sealed.hex()}


def signed():
    for level, name in ((sender.ORIGIN, "origin"), (sender.MESSAGE, "message")):
        yield Signed(f"signed-{name}-whole", level)
        yield Signed(f"signed-{name}-whole-empty", level, text=b"")
        yield Signed(f"signed-{name}-whole-largest", level, text=pattern(1 << 20))
        yield Signed(f"signed-{name}-stream", level, stream=True, announced=False)
        yield Signed(f"signed-{name}-stream-announced", level, stream=True)
        yield Signed(f"signed-{name}-stream-empty", level, text=b"", stream=True)
        yield Signed(f"signed-{name}-stream-long", level, text=pattern(131072), stream=True)
        yield Signed(f"signed-{name}-two-recipients", level, names=("shop/a", "shop/b"))
        yield Signed(f"signed-{name}-largest-names", level, fields={
            "cluster": "c" * 63, "namespace": "n" * 63, "function": "F_" + "f" * 61,
            "revision": "r" * 52, "pod": "p" * 253, "epoch": 2**63 - 1, "term": 2**63 - 1,
            "nbf": 0, "exp": 2**63 - 1})
    yield Signed("signed-response", sender.MESSAGE, kind=2, parent=bytes(32))


def negative_signed(n):
    """By somebody who has k: whatever is outside of the body is right."""
    forms = [(level, stream) for level in (1, 2) for stream in (False, True)]
    for level, stream in forms:
        name = f"signed-{('', 'origin', 'message')[level]}-{'stream' if stream else 'whole'}-"
        has_origin, has_tail = sender.has_origin(level, stream), level == sender.MESSAGE

        def row(what, reason, change=None, **fields):
            v = Signed(name + what, level, stream=stream, announced=False, **fields)
            if change:
                change(v)
            v.plaintext = sender.body(level, stream, v.cert, v.origin, v.text, v.tail)
            n.row(v.name, reason, v.sealed(), v)

        def high_s(v):
            high = lambda s: s[:32] + (umbral.N - int.from_bytes(s[32:], "big")).to_bytes(32, "big")
            v.origin, v.tail = high(v.origin), high(v.tail)

        def forged(v):
            v.cert = v.cert[:-1] + bytes([v.cert[-1] ^ 1])

        def other_key(v):
            for attribute in ("origin", "tail"):
                setattr(v, attribute, sender.sign(v.leader, getattr(v, attribute + "_signed"), 7))

        def set_to(attribute, value):
            return lambda v: setattr(v, attribute, value)

        row("expired", "sender-certificate-expired", fields={"exp": 1795000000 - 61})
        row("not-yet", "sender-certificate-expired", fields={"nbf": 1795000000 + 61})
        row("backwards", "malformed-message", fields={"nbf": 2, "exp": 1})
        row("forged", "sender-certificate", forged)
        row("high-s", "sender-signature", high_s)
        row("other-key", "sender-signature", other_key)
        row("key-no-point", "sender-signature", fields={"key": b"\x02" + b"\xff" * 32})
        row("key-uncompressed", "malformed-message", fields={"key": b"\x04" + bytes(32)})
        row("upper-case-pod", "malformed-message", fields={"pod": "P"})
        row("no-namespace", "malformed-message", fields={"namespace": ""})
        if has_origin:
            row("origin-flipped", "sender-signature", lambda v: setattr(
                v, "origin", flip(v.origin, 40)))
            row("other-recipient", "sender-signature", lambda v: v.recipients[0].update(epoch=9))
        if has_tail:
            row("tail-flipped", "sender-signature", lambda v: setattr(v, "tail", flip(v.tail, 40)))
            row("other-text", "sender-signature", set_to("text", b"hellO"))
            row("other-id", "sender-signature", set_to("id", bytes(16)))
            row("shorter", "malformed-message", set_to("tail", bytes(63)))
    v = Signed("signed-empty-body", 1, stream=True)
    v.plaintext, v.length = b"", None
    n.row(v.name, "malformed-message", v.sealed(), v)


def flip(data, at, bit=0x01):
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1:]


class Negatives:
    """Each message breaks one rule; whatever else could be wrong with it is right."""

    def __init__(self):
        self.rows = []

    def row(self, name, reason, message, vector, kinds="1", key=0):
        r = vector.recipients[key]
        self.rows.append({"id": name, "reason": reason, "kinds": kinds, "sk": r["sk"].hex(),
                          "fp": r["fp"].hex(), "message": message.hex()})

    def item(self, name, reason, change):
        """change(protected, commit, body) gives the bytes of the whole message."""
        v = Vector(name)
        p = v.protected()
        body = seal_whole(p, v.k, v.iv, v.plaintext)
        self.row(name, reason, change(p, schedule(p, v.k)[1], body), v)

    def pairs(self, name, reason, change, **fields):
        """change(pairs) edits the protected map; the message is sealed under the result."""
        v = Vector(name, **fields)
        edited = change(v.pairs())
        self.row(name, reason, v.sealed(edited if isinstance(edited, bytes) else cbor(edited)), v)

    def header(self, name, reason, change, **fields):
        def edit(pairs):
            return Map((k, change(x) if k == FUNCTIONKEY else x) for k, x in pairs)
        self.pairs(name, reason, edit, **fields)

    def entry(self, name, reason, change, **fields):
        self.header(name, reason, lambda h: Map(
            (k, [change(e) for e in x] if k == 3 else x) for k, x in h), **fields)


def put(pairs, key, value):
    """Replaces, adds at the end, or (None) removes."""
    if key not in [k for k, _ in pairs]:
        return Map(list(pairs) + [(key, value)])
    return Map((k, value if k == key else v) for k, v in pairs if k != key or value is not None)


def put_sorted(pairs, key, value):
    return Map(sorted(put(pairs, key, value), key=lambda kv: cbor(kv[0])))


def negative_items(n):
    whole_item = lambda p, c, b: cbor([p, Map([(COMMIT, c)]), b])
    shape, bad, size = "malformed-message", "malformed-cbor", "too-large"
    rows = (
        ("no-tag", shape, lambda p, c, b: whole_item(p, c, b)),
        ("other-tag", shape, lambda p, c, b: b"\xd1" + whole_item(p, c, b)),
        ("long-tag", bad, lambda p, c, b: b"\xd8\x10" + whole_item(p, c, b)),
        ("two-tags", bad, lambda p, c, b: b"\xd0\xd0" + whole_item(p, c, b)),
        ("array-of-four", shape, lambda p, c, b: b"\xd0" + cbor([p, Map([(COMMIT, c)]), b, b""])),
        ("indefinite-array", bad, lambda p, c, b: b"\xd0\x9f" + whole_item(p, c, b)[1:] + b"\xff"),
        ("indefinite-protected", bad, lambda p, c, b: b"\xd0\x83\x5f" + cbor(p) + b"\xff" +
         cbor(Map([(COMMIT, c)])) + cbor(b)),
        ("long-length", bad, lambda p, c, b: b"\xd0\x83\x5a" + len(p).to_bytes(4, "big") + p +
         cbor(Map([(COMMIT, c)])) + cbor(b)),
        ("protected-as-map", shape, lambda p, c, b: b"\xd0\x83" + p + cbor(Map([(COMMIT, c)])) +
         cbor(b)),
        ("protected-over-8192", size, lambda p, c, b: b"\xd0" + whole_item(p + bytes(8192), c, b)),
        ("protected-claims-2-63", size, lambda p, c, b: b"\xd0\x83\x5b\x80" + bytes(7) + p),
        ("protected-trailing", "trailing-bytes", lambda p, c, b: b"\xd0" +
         whole_item(p + b"\0", c, b)),
        ("protected-truncated", bad, lambda p, c, b: b"\xd0" + whole_item(p[:-1], c, b)),
        ("protected-empty", bad, lambda p, c, b: b"\xd0" + whole_item(b"", c, b)),
        ("unprotected-empty", shape, lambda p, c, b: b"\xd0" + cbor([p, Map([]), b])),
        ("unprotected-two", shape, lambda p, c, b: b"\xd0" +
         cbor([p, Map([(4, b"kid"), (COMMIT, c)]), b])),
        ("unprotected-other", shape, lambda p, c, b: b"\xd0" + cbor([p, Map([(-70003, c)]), b])),
        ("commit-31", shape, lambda p, c, b: b"\xd0" + whole_item(p, c[:31], b)),
        ("commit-33", shape, lambda p, c, b: b"\xd0" + whole_item(p, c + b"\0", b)),
        ("commit-as-text", shape, lambda p, c, b: b"\xd0" +
         cbor([p, Map([(COMMIT, "c" * 32)]), b])),
        ("body-nil", shape, lambda p, c, b: b"\xd0" + whole_item(p, c, None)),
        ("body-undefined", bad, lambda p, c, b: b"\xd0" + whole_item(p, c, Raw(b"\xf7"))),
        ("body-text", shape, lambda p, c, b: b"\xd0" + whole_item(p, c, "b" * 21)),
        ("body-without-tag", shape, lambda p, c, b: b"\xd0" + whole_item(p, c, b[:15])),
        ("body-claims-2-63", size, lambda p, c, b: b"\xd0" +
         whole_item(p, c, Raw(b"\x5b\x80" + bytes(7)))),
        ("body-over-1-mib", size, lambda p, c, b: b"\xd0" +
         whole_item(p, c, Raw(b"\x5a\x00\x10\x00\x11"))),
        ("body-cut", "truncated", lambda p, c, b: b"\xd0" + whole_item(p, c, b)[:-1]),
        ("head-cut", "truncated", lambda p, c, b: b"\xd0" + whole_item(p, c, b)[:100]),
        ("empty", "truncated", lambda p, c, b: b""),
        ("trailing", "trailing-bytes", lambda p, c, b: b"\xd0" + whole_item(p, c, b) + b"\0"),
        ("commit-flipped", "commitment", lambda p, c, b: b"\xd0" + whole_item(p, flip(c, 0), b)),
        ("header-flipped", "commitment", lambda p, c, b: b"\xd0" +
         whole_item(p.replace(b"application/json", b"application/jsom"), c, b)),
        ("body-flipped", "body", lambda p, c, b: b"\xd0" + whole_item(p, c, flip(b, 0))),
        ("tag-flipped", "body", lambda p, c, b: b"\xd0" + whole_item(p, c, flip(b, len(b) - 1))),
    )
    for name, reason, change in rows:
        n.item(name, reason, change)


def negative_protected(n):
    shape, bad, version = "malformed-message", "malformed-cbor", "unsupported-version"
    rows = (
        ("keys-unordered", bad, lambda m: Map([m[1], m[0]] + m[2:])),
        ("key-twice", bad, lambda m: Map([m[0], m[1], m[2], m[2]] + m[4:])),
        ("key-long-form", bad, lambda m: Map([(Raw(b"\x18\x01"), m[0][1])] + m[1:])),
        ("key-text", shape, lambda m: Map([("alg", 3)] + m[1:])),
        ("key-unknown", shape, lambda m: put_sorted(put(m, 5, None), 6, bytes(12))),
        ("key-too-many", shape, lambda m: put_sorted(m, 4, b"kid")),
        ("indefinite-map", bad, lambda m: b"\xbf" + cbor(m)[1:] + b"\xff"),
        ("alg-unknown", version, lambda m: put(m, 1, 1)),
        ("alg-text", shape, lambda m: put(m, 1, "A256GCM")),
        ("alg-float", bad, lambda m: put(m, 1, Raw(b"\xf9\x42\x00"))),
        ("alg-missing", shape, lambda m: put(m, 1, None)),
        ("crit-missing", shape, lambda m: put(m, 2, None)),
        ("crit-other", version, lambda m: put(m, 2, [-70004])),
        ("crit-two", shape, lambda m: put(m, 2, [FUNCTIONKEY, -70004])),
        ("crit-empty", shape, lambda m: put(m, 2, [])),
        ("type-missing", shape, lambda m: put(m, 3, None)),
        ("type-empty", shape, lambda m: put(m, 3, "")),
        ("type-256", "too-large", lambda m: put(m, 3, "t" * 256)),
        ("type-number", shape, lambda m: put(m, 3, 50)),
        ("type-line-feed", bad, lambda m: put(m, 3, "text/plain\nX: y")),
        ("type-not-ascii", shape, lambda m: put(m, 3, "text/plän")),
        ("iv-missing", shape, lambda m: put(m, 5, None)),
        ("iv-11", shape, lambda m: put(m, 5, bytes(11))),
        ("typ-other", version, lambda m: put(m, 16, "application/vnd.functionkey.v2+cbor")),
        ("typ-of-stream", version, lambda m: put(m, 16, TYP_STREAM)),
        ("typ-missing", shape, lambda m: put(m, 16, None)),
        ("header-missing", shape, lambda m: put(m, FUNCTIONKEY, None)),
        ("header-as-bytes", shape, lambda m: put(m, FUNCTIONKEY, cbor(m[5][1]))),
        ("header-tagged", bad, lambda m: put(m, FUNCTIONKEY, Raw(b"\xd0" + cbor(m[5][1])))),
    )
    for name, reason, change in rows:
        n.pairs(name, reason, change)
    n.pairs("stream-with-iv", shape, lambda m: put_sorted(m, 5, bytes(12)), stream=True)
    n.pairs("stream-typ-of-whole", version, lambda m: put(m, 16, TYP_WHOLE), stream=True)


def negative_header(n):
    shape, bad, size = "malformed-message", "malformed-cbor", "too-large"
    sub = lambda key, value: lambda h: put(h, key, value)
    rows = (
        ("version-2", "unsupported-version", sub(1, 2)),
        ("version-missing", shape, sub(1, None)),
        ("version-true", bad, sub(1, Raw(b"\xf5"))),
        ("id-15", shape, sub(2, bytes(15))),
        ("id-17", shape, sub(2, bytes(17))),
        ("id-missing", shape, sub(2, None)),
        ("recipients-missing", shape, sub(3, None)),
        ("recipients-empty", shape, sub(3, [])),
        ("recipients-as-map", shape, sub(3, Map([]))),
        ("iat-missing", shape, sub(4, None)),
        ("iat-negative", shape, sub(4, -1)),
        ("iat-long-form", bad, sub(4, Raw(b"\x1b\x00\x00\x00\x00" + b"\x6a\x00\x00\x00"))),
        ("iat-float", bad, sub(4, Raw(b"\xfb" + bytes(8)))),
        ("iat-bignum", bad, sub(4, Raw(b"\xc2\x41\x01"))),
        ("length-wrong", "wrong-length", lambda h: put_sorted(h, 7, 6)),
        ("length-2-63", size, lambda h: put_sorted(h, 7, 1 << 63)),
        ("length-negative", shape, lambda h: put_sorted(h, 7, -1)),
        ("exp-text", shape, lambda h: put_sorted(h, 5, "soon")),
        ("exp-null", bad, lambda h: put_sorted(h, 5, Raw(b"\xf6"))),
        ("kind-missing", shape, sub(8, None)),
        ("kind-5", shape, sub(8, 5)),
        ("kfrag-without-context", shape, sub(8, 3)),
        ("share-without-context", shape, sub(8, 4)),
        ("response-without-parent", shape, sub(8, 2)),
        ("event-with-context", shape, lambda h: put_sorted(h, 11, bytes(32))),
        ("context-33", shape, lambda h: put_sorted(put(h, 8, 3), 11, bytes(33))),
        ("parent-31", shape, lambda h: put_sorted(h, 9, bytes(31))),
        ("sender-missing", shape, sub(10, None)),
        ("sender-3", shape, sub(10, 3)),
        ("sender-origin", "unsupported-sender-level", sub(10, 1)),
        ("sender-message", "unsupported-sender-level", sub(10, 2)),
        ("field-12", shape, lambda h: put_sorted(h, 12, 0)),
        ("field-0", shape, lambda h: put_sorted(h, 0, 0)),
    )
    for name, reason, change in rows:
        n.header(name, reason, change)
    attributes = (
        ("attributes-empty", shape, Map([])),
        ("attributes-array", shape, ["id", "x"]),
        ("attribute-unknown", shape, Map([("traceparent", "x")])),
        ("attribute-upper-case", shape, Map([("ID", "x")])),
        ("attribute-number", shape, Map([("id", 1)])),
        ("attribute-1025", size, Map([("id", "x" * 1025)])),
        ("attribute-name-21", size, Map([("x" * 21, "x")])),
        ("attributes-unordered", bad, Map([("type", "a"), ("time", "b")])),
        ("attributes-not-by-length", bad, Map([("source", "a"), ("id", "b")])),
        ("attribute-twice", bad, Map([("id", "a"), ("id", "b")])),
        ("attribute-overlong-utf-8", bad, Map([("id", Raw(b"\x62\xc0\xaf"))])),
        ("attribute-surrogate", bad, Map([("id", Raw(b"\x63\xed\xa0\x80"))])),
        ("attribute-cut-utf-8", bad, Map([("id", Raw(b"\x62\xe2\x82"))])),
        ("attribute-past-unicode", bad, Map([("id", Raw(b"\x64\xf4\x90\x80\x80"))])),
        ("attribute-nul", bad, Map([("id", "a\0b")])),
        ("attribute-c1", bad, Map([("id", "a\u0085b")])),
        ("attribute-indefinite-text", bad, Map([("id", Raw(b"\x7f\x61a\xff"))])),
    )
    for name, reason, value in attributes:
        n.header(name, reason, lambda h, value=value: put_sorted(h, 6, value))


def negative_recipients(n):
    shape, bad, size = "malformed-message", "malformed-cbor", "too-large"
    at = lambda i, value: lambda e: e[:i] + [value] + e[i + 1:]
    rows = (
        ("entry-five", shape, lambda e: e[:5]),
        ("entry-seven", shape, lambda e: e + [0]),
        ("entry-as-map", shape, lambda e: Map([(1, 1)])),
        ("entry-alg-negative", shape, at(0, -1)),
        ("entry-alg-unknown", "no-recipient", at(0, 2)),
        ("entry-alg-unknown-nested", bad, lambda e: [2, e[1], [1]]),
        ("entry-alg-unknown-float", bad, lambda e: [2, e[1], Raw(b"\xf9\0\0")]),
        ("entry-fp-15", shape, at(1, bytes(15))),
        ("entry-fp-text", shape, at(1, "f" * 16)),
        ("entry-epoch-negative", shape, at(2, -1)),
        ("entry-epoch-text", shape, at(2, "1")),
        ("entry-epoch-bignum", bad, at(2, Raw(b"\xc2\x49\x01" + bytes(8)))),
        ("entry-name-no-slash", shape, at(3, "shop")),
        ("entry-name-two-slashes", shape, at(3, "shop/a/b")),
        ("entry-name-no-revision", shape, at(3, "shop/")),
        ("entry-name-no-namespace", shape, at(3, "/orders")),
        ("entry-name-upper-case", shape, at(3, "shop/Orders")),
        ("entry-name-space", shape, at(3, "shop/or ders")),
        ("entry-namespace-64", shape, at(3, "n" * 64 + "/r")),
        ("entry-name-318", size, at(3, "n" * 64 + "/" + "r" * 253)),
        ("entry-capsule-104", shape, lambda e: e[:4] + [e[4][:104], e[5]]),
        ("entry-capsule-106", shape, lambda e: e[:4] + [e[4] + b"\0", e[5]]),
        ("entry-wrapped-71", shape, lambda e: e[:5] + [e[5][:71]]),
        ("entry-wrapped-73", shape, lambda e: e[:5] + [e[5] + b"\0"]),
        ("entry-capsule-flipped", "invalid-capsule", lambda e: e[:4] + [flip(e[4], 80), e[5]]),
        ("entry-capsule-frame", "invalid-capsule", lambda e: e[:4] + [flip(e[4], 0), e[5]]),
        ("entry-wrapped-flipped", "wrapped-secret", lambda e: e[:5] + [flip(e[5], 30)]),
    )
    for name, reason, change in rows:
        n.entry(name, reason, change)
    two = {"names": ("shop/a", "shop/b")}
    change = lambda f: lambda h: Map((k, f(x) if k == 3 else x) for k, x in h)
    n.header("recipients-unordered", shape, change(lambda e: e[::-1]), **two)
    n.header("recipients-equal-fp", shape, change(lambda e: [e[0], e[0]]), **two)
    n.header("recipients-17", size, change(lambda e: e), names=[f"shop/r{i}" for i in range(17)])
    n.header("recipients-too-long", size, change(lambda e: e),
             names=["n" * 63 + "/" + "r" * 250 + "%d" % i for i in range(100, 116)])


def negative_opening(n):
    v, other = Vector("opened-by-another"), Vector("another")
    n.row("opened-by-another", "no-recipient", v.sealed(), other)
    v.recipients[0]["sk"] = other.recipients[0]["sk"]
    n.row("opened-with-wrong-secret", "wrapped-secret", v.sealed(), v)
    digest = hashlib.sha256(b"context").digest()
    v = Vector("kfrag-as-event", kind=3, context=digest)
    n.row("kfrag-as-event", "unexpected-kind", v.sealed(), v)
    v = Vector("event-as-kfrag")
    n.row("event-as-kfrag", "unexpected-kind", v.sealed(), v, kinds="8")
    v = Vector("other-secret-wrapped")
    v.k = Random("other-k").take(32)
    n.row("other-secret-wrapped", "commitment", v.sealed(), v)


def negative_stream(n):
    """Short ones: body_test.c cuts, swaps and flips the segments of long streams itself."""
    def row(name, reason, change, size=150000, **fields):
        v = Vector(name, stream=True, plaintext=pattern(size), **fields)
        p = v.protected()
        segments = seal_segments(p, v.k, v.plaintext)
        n.row(name, reason, message(p, v.k, None) + b"".join(change(v, p, segments)), v)

    def again(v, p, parts):
        """Sealed as three parts with the right key, whatever the rule says about their sizes."""
        cek, _ = schedule(p, v.k)
        aad = hashlib.sha256(enc_structure(p)).digest()
        return [AESGCM(cek).encrypt(segment_nonce(i, i == len(parts) - 1), part, aad)
                for i, part in enumerate(parts)]

    row("stream-no-body", "truncated", lambda v, p, s: [], size=1)
    row("stream-cut-in-tag", "truncated", lambda v, p, s: [s[0][:15]], size=1)
    row("stream-trailing", "body", lambda v, p, s: s + [b"\0"], size=1)
    row("stream-trailing-segment", "body", lambda v, p, s: s + s, size=1)
    row("stream-empty-last", "truncated",
        lambda v, p, s: again(v, p, [v.plaintext, b""]), size=65536)
    row("stream-short-first", "body", lambda v, p, s: again(v, p, [b"x", b"y"]), size=2)
    row("stream-fewer-than-announced", "wrong-length", lambda v, p, s: s, size=5, length=6)
    row("stream-more-than-announced", "wrong-length", lambda v, p, s: s, size=5, length=4)
    row("stream-announces-too-much", "too-large", lambda v, p, s: s, size=5, length=(1 << 40) + 1)


def write(directory, name, vectors):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="ascii") as f:
        json.dump({"schema": "functionkey-envelope/1",
                   "generator": "e2e/interop/envelope/make_vectors.py", "vectors": vectors}, f,
                  indent=0)
        f.write("\n")
    print(f"{path}: {len(vectors)}")


def main():
    negatives = Negatives()
    for part in (negative_items, negative_protected, negative_header, negative_recipients,
                 negative_opening, negative_stream):
        part(negatives)
    write(sys.argv[1], "whole.json", [v.as_json() for v in whole()])
    write(sys.argv[1], "stream.json", [v.as_json() for v in stream()])
    write(sys.argv[1], "response.json", list(responses()))
    write(sys.argv[1], "negative.json", negatives.rows)
    of_senders = Negatives()
    negative_signed(of_senders)
    write(sys.argv[1], "signed.json", [v.as_json() for v in signed()])
    write(sys.argv[1], "signed-negative.json", of_senders.rows)


if __name__ == "__main__":
    main()
