#!/usr/bin/env python3
"""Reads one envelope stream from standard input: read_stream.py SECRET_HEX <message >plaintext

A reader in another language, from public packages only (cbor2, cryptography, umbral-pre), that
holds one segment at a time."""
import hashlib
import hmac
import io
import sys

import cbor2
import umbral_pre
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SEALED = 65536 + 16


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def main():
    source, out = io.BufferedReader(sys.stdin.buffer, SEALED), sys.stdout.buffer
    protected, unprotected, body = cbor2.load(source).value
    header = cbor2.loads(protected)
    if header[1] != -70010 or header[2] != [-70001] or body is not None:
        sys.exit("not a stream")
    key = umbral_pre.SecretKey.from_be_bytes(bytes.fromhex(sys.argv[1]))
    fp = hashlib.sha256(key.public_key().to_compressed_bytes()).digest()[:16]
    capsule, wrapped = next(r[4:6] for r in header[-70001][3] if r[1] == fp)
    k = umbral_pre.decrypt_original(key, umbral_pre.Capsule.from_bytes(capsule), wrapped)
    prk = mac(hashlib.sha256(protected).digest(), k)
    if not hmac.compare_digest(mac(prk, b"functionkey/v1/commit\x01"), unprotected[-70002]):
        sys.exit("commitment")
    cipher = AESGCM(mac(prk, b"functionkey/v1/body\x01"))
    aad = hashlib.sha256(cbor2.dumps(["Encrypt0", protected, b""])).digest()
    counter, segment = 0, source.read(SEALED)
    while True:
        following = source.read(SEALED)
        nonce = counter.to_bytes(11, "big") + (b"\0" if following else b"\1")
        out.write(cipher.decrypt(nonce, segment, aad))
        if not following:
            return
        counter, segment = counter + 1, following


if __name__ == "__main__":
    main()
