#!/usr/bin/env python3
"""Seals standard input to a function, whose replicas open it: no agent, no secret key needed here.

usage: seal.py RECORDS.json [MEDIA-TYPE] <message >envelope
RECORDS.json is what one of these prints; docs/senders.md says what each is worth:
  kubectl get functionkeys -l functionkey.dev/function=F,functionkey.dev/role=leader -o json
  kubectl get functionkey REVISION -o json
  curl http://LEADER:9471/v1/key"""
import hashlib
import hmac
import json
import secrets
import sys
import time

import cbor2
from coincurve import PrivateKey, PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as xchacha20poly1305

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
WHOLE_MAX = 1 << 20  # longer messages are streams, which this example does not make


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def to_scalar(domain, data):
    digest = hashlib.sha256(len(domain).to_bytes(4, "big") + domain + data).digest()
    return (int.from_bytes(digest, "big") % (ORDER - 1) + 1).to_bytes(32, "big")


def wrap(public_key, secret):
    """Umbral's encryption of the content secret: its capsule, and nonce, ciphertext and tag."""
    r, u = PrivateKey(), PrivateKey()
    e, v = r.public_key.format(), u.public_key.format()
    s = r.multiply(to_scalar(b"CAPSULE_POINTS", e + v)).add(u.secret).secret
    shared = PublicKey(public_key).multiply(r.add(u.secret).secret).format()
    key, nonce = mac(mac(bytes(32), shared), b"\x01"), secrets.token_bytes(24)
    capsule = b"\x93\xc4\x21" + e + b"\xc4\x21" + v + b"\xc4\x20" + s
    return capsule, nonce + xchacha20poly1305(secret, e + v + s, nonce, key)


def keys_of(document):
    """(namespace/revision, epoch, public key) of each revision that can be sealed to."""
    for record in document.get("items", [document]):
        if "publicKey" in record:  # GET /v1/key
            yield f"{record['namespace']}/{record['revision']}", record["epoch"], record["publicKey"]
            return
        spec, status = record["spec"], record.get("status", {})
        of_this_key = status.get("observedEpoch", 1 << 31) >= status.get("activeEpoch", 0)
        lost = of_this_key and any(c["type"] == "NoHolder" and c["status"] == "True" for c in status.get("conditions", []))
        if spec["role"] == "Leader" and spec["scheme"] == "umbral-secp256k1" and not lost:
            name = f"{record['metadata']['namespace']}/{spec['revision']}"
            yield from ((name, k["epoch"], k["publicKey"]) for k in status.get("keys", []) if k["state"] == "Active")


def seal(document, message, media_type):
    k, iv, recipients = secrets.token_bytes(32), secrets.token_bytes(12), []
    for name, epoch, public_key in keys_of(document):
        point = bytes.fromhex(public_key)
        recipients.append([1, hashlib.sha256(point).digest()[:16], epoch, name, *wrap(point, k)])
    if not 1 <= len(recipients) <= 16 or len(message) > WHOLE_MAX:
        sys.exit(f"{len(recipients)} keys (1 to 16), {len(message)} bytes (at most {WHOLE_MAX})")
    recipients.sort(key=lambda entry: entry[1])
    header = {1: 1, 2: secrets.token_bytes(16), 3: recipients, 4: int(time.time()), 8: 0, 10: 0}
    protected = cbor2.dumps({1: 3, 2: [-70001], 3: media_type, 5: iv,
                             16: "application/vnd.functionkey.v1+cbor", -70001: header}, canonical=True)
    prk = mac(hashlib.sha256(protected).digest(), k)
    aad = cbor2.dumps(["Encrypt0", protected, b""], canonical=True)
    body = AESGCM(mac(prk, b"functionkey/v1/body\x01")).encrypt(iv, message, aad)
    commitment = {-70002: mac(prk, b"functionkey/v1/commit\x01")}
    return cbor2.dumps(cbor2.CBORTag(16, [protected, commitment, body]), canonical=True)


with open(sys.argv[1], encoding="utf-8") as file:
    sys.stdout.buffer.write(seal(json.load(file), sys.stdin.buffer.read(),
                                 (sys.argv[2:] or ["application/octet-stream"])[0]))
