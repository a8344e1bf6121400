"""The part of Umbral that an envelope needs, on plain integers: wrapping and opening a secret.

Written from the description of the scheme, not from anybody's code, and shares nothing with
pkg/pre. Not constant time: for making and checking test vectors only.
"""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def add(a, b):
    """Affine addition; None is the identity."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return (x, (slope * (a[0] - x) - a[1]) % P)


def mul(k, a):
    result = None
    for bit in bin(k % N)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, a)
    return result


def point(a):
    return bytes([2 + (a[1] & 1)]) + a[0].to_bytes(32, "big")


def unpoint(b):
    x = int.from_bytes(b[1:], "big")
    y = pow(x**3 + 7, (P + 1) // 4, P)
    return (x, y if y & 1 == b[0] & 1 else P - y)


def public(sk):
    return point(mul(sk, G))


def fingerprint(pk):
    return hashlib.sha256(pk).digest()[:16]


def to_scalar(domain, *parts):
    digest = hashlib.sha256(struct.pack(">I", len(domain)) + domain + b"".join(parts)).digest()
    return int.from_bytes(digest, "big") % (N - 1) + 1


def hchacha20(key, nonce16):
    """The 20 rounds of ChaCha, of which the first and last rows are the sub-key."""
    x = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce16))

    def quarter(a, b, c, d):
        for to, by, into, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[to] = (x[to] + x[by]) & 0xffffffff
            v = x[into] ^ x[to]
            x[into] = ((v << turn) | (v >> (32 - turn))) & 0xffffffff

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *(x[:4] + x[12:]))


def data_key(shared):
    prk = hmac.new(bytes(32), shared, hashlib.sha256).digest()
    return hmac.new(prk, b"\x01", hashlib.sha256).digest()


def xchacha(shared, nonce):
    return (ChaCha20Poly1305(hchacha20(data_key(shared), nonce[:16])), bytes(4) + nonce[16:])


def framed(e, v, s):
    """The MessagePack form of a capsule, 105 bytes."""
    return b"\x93\xc4\x21" + e + b"\xc4\x21" + v + b"\xc4\x20" + s


def wrap(pk, secret, r, u, nonce):
    """Umbral's encrypt with the given randomness: capsule (105 bytes), nonce ‖ body ‖ tag."""
    e, v = point(mul(r, G)), point(mul(u, G))
    s = ((u + r * to_scalar(b"CAPSULE_POINTS", e, v)) % N).to_bytes(32, "big")
    shared = point(mul(r + u, unpoint(pk)))
    cipher, iv = xchacha(shared, nonce)
    return framed(e, v, s), nonce + cipher.encrypt(iv, secret, e + v + s)


def unwrap(sk, capsule, wrapped):
    e, v, s = capsule[3:36], capsule[38:71], capsule[73:105]
    h = to_scalar(b"CAPSULE_POINTS", e, v)
    if mul(int.from_bytes(s, "big"), G) != add(unpoint(v), mul(h, unpoint(e))):
        raise ValueError("capsule")
    shared = point(mul(sk, add(unpoint(e), unpoint(v))))
    cipher, iv = xchacha(shared, wrapped[:24])
    return cipher.decrypt(iv, wrapped[24:], e + v + s)
