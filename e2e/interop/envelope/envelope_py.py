"""The envelope format of pkg/envelope/envelope.cddl in Python, independent of the C code: a CBOR
encoder that also writes what is wrong on request, the key schedule, whole bodies and streams."""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TYP_WHOLE = "application/vnd.functionkey.v1+cbor"
TYP_STREAM = "application/vnd.functionkey.v1.stream"
FUNCTIONKEY, COMMIT, STREAM, A256GCM = -70001, -70002, -70010, 3
SEGMENT = 65536


class Raw(bytes):
    """Bytes that stand for themselves in the encoding."""


class Map(list):
    """Pairs, written in the order in which they are given."""


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for info, form, limit in ((24, ">B", 1 << 8), (25, ">H", 1 << 16), (26, ">I", 1 << 32)):
        if n < limit:
            return bytes([major << 5 | info]) + struct.pack(form, n)
    return bytes([major << 5 | 27]) + struct.pack(">Q", n)


def cbor(v):
    if isinstance(v, Raw):
        return bytes(v)
    if v is None:
        return b"\xf6"
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    if isinstance(v, Map):
        return head(5, len(v)) + b"".join(cbor(k) + cbor(x) for k, x in v)
    return head(4, len(v)) + b"".join(map(cbor, v))


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def schedule(protected, k):
    """CEK and commitment."""
    prk = mac(hashlib.sha256(protected).digest(), k)
    return mac(prk, b"functionkey/v1/body\x01"), mac(prk, b"functionkey/v1/commit\x01")


def enc_structure(protected):
    return cbor(["Encrypt0", protected, b""])


def seal_whole(protected, k, iv, plaintext):
    cek, _ = schedule(protected, k)
    return AESGCM(cek).encrypt(iv, plaintext, enc_structure(protected))


def segment_nonce(counter, last):
    return counter.to_bytes(11, "big") + bytes([last])


def seal_segments(protected, k, plaintext):
    """The sealed segments of a stream, as a list."""
    cek, _ = schedule(protected, k)
    aad = hashlib.sha256(enc_structure(protected)).digest()
    parts = [plaintext[i:i + SEGMENT] for i in range(0, len(plaintext), SEGMENT)] or [b""]
    return [AESGCM(cek).encrypt(segment_nonce(i, i == len(parts) - 1), part, aad)
            for i, part in enumerate(parts)]


def message(protected, k, body, commit=None):
    """The CBOR item; body is None for streams, whose segments follow it."""
    if commit is None:
        commit = schedule(protected, k)[1]
    return b"\xd0" + cbor([protected, Map([(COMMIT, commit)]), body])
