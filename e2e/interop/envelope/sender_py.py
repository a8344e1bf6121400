"""Sender certificates and the sender's part of a body, from envelope.cddl, independent of the C code:
makes them, takes bodies apart, and has a generic COSE package verify the signatures."""
import hashlib

import cbor2
import ecdsa
import pycose.algorithms as algorithms
from pycose.keys import EC2Key
from pycose.keys.curves import SECP256K1
from pycose.messages import CoseMessage

import small_umbral as umbral
from envelope_py import Map, Raw, cbor, mac

NONE, ORIGIN, MESSAGE = 0, 1, 2
CERTIFICATE = -70003
LABELS = {ORIGIN: "functionkey/v1/origin", MESSAGE: "functionkey/v1/sender"}
HEADERS = {ORIGIN: cbor(Map([(1, -47)])), MESSAGE: cbor(Map([(1, -47), (258, -16)]))}
TAIL = 79
NAMES = ("cluster", "namespace", "function", "revision", "pod")
NUMBERS = ("epoch", "term", "nbf", "exp")


@algorithms.CoseAlgorithm.register_attribute()
class Es256k(algorithms._Ecdsa):
    """RFC 8812, which the package does not have: only the curve and the hash are ours."""
    identifier = -47
    fullname = "ES256K"

    @classmethod
    def get_hash_func(cls):
        return hashlib.sha256

    @classmethod
    def get_curve(cls):
        return ecdsa.SECP256k1


def sha256(data):
    return hashlib.sha256(data).digest()


def sign(sk, data, nonce):
    """ECDSA over SHA-256 with low s: r, s."""
    r = umbral.mul(nonce, umbral.G)[0] % umbral.N
    s = (int.from_bytes(sha256(data), "big") + r * sk) * pow(nonce, -1, umbral.N) % umbral.N
    return r.to_bytes(32, "big") + min(s, umbral.N - s).to_bytes(32, "big")


def certificate_body(fields):
    return cbor([1] + [fields[n] for n in NAMES] + [fields["uid"], fields["key"]] +
                [fields[n] for n in NUMBERS])


def statement(body):
    """What the issuer signs."""
    return b" " * 64 + b"functionkey/v1/certificate\0" + body


def certificate(fields, issuer, nonce):
    body = certificate_body(fields)
    return cbor([body, umbral.public(issuer), sign(issuer, statement(body), nonce)])


def origin_bound(entries):
    return sha256(cbor(entries))


def origin_payload(bound, k):
    return mac(mac(bound, k), LABELS[ORIGIN].encode() + b"\x01")


def external_aad(level, bound, cert):
    return cbor([LABELS[level], bound, sha256(cert)])


def sig_structure(level, bound, cert, payload):
    return cbor(["Signature1", HEADERS[level], external_aad(level, bound, cert), payload])


def origin(cert, signature):
    return b"\xd2" + cbor([HEADERS[ORIGIN], Map([(CERTIFICATE, Raw(cert))]), None, signature])


def tail(signature):
    return b"\xd2" + cbor([HEADERS[MESSAGE], Map([]), None, signature])


def has_origin(level, stream):
    return level == ORIGIN or (level == MESSAGE and stream)


def body(level, stream, cert, origin_signature, text, tail_signature):
    head = origin(cert, origin_signature) if has_origin(level, stream) else cert
    return head + text + (tail(tail_signature) if level == MESSAGE else b"")


# -- taking apart, with cbor2 and pycose --


def item_length(data):
    """Of the CBOR item at the front."""
    import io
    source = io.BytesIO(data)
    cbor2.CBORDecoder(source).decode()
    return source.tell()


def ec2(key):
    vk = ecdsa.VerifyingKey.from_string(key, curve=ecdsa.SECP256k1)
    xy = vk.to_string("uncompressed")[1:]
    return EC2Key(crv=SECP256K1, x=xy[:32], y=xy[32:], optional_params={"ALG": Es256k})


def cose_verifies(item, key, level, bound, cert, payload):
    """A stock COSE_Sign1 with a detached payload."""
    message = CoseMessage.decode(item)
    message.key = ec2(key)
    message.external_aad = external_aad(level, bound, cert)
    s = int.from_bytes(message.signature[32:], "big")
    return message.verify_signature(detached_payload=payload) and s <= umbral.N // 2


def issuer_verifies(cert):
    signed, issuer, signature = cbor2.loads(cert)
    vk = ecdsa.VerifyingKey.from_string(issuer, curve=ecdsa.SECP256k1, hashfunc=hashlib.sha256)
    return vk.verify(signature, statement(signed))


def read(data, level, protected, k):
    """The sender's certificate as a dict, and the plaintext, after all signatures verified."""
    header = cbor2.loads(protected)
    stream, h = header[1] == -70010, header[-70001]
    n = item_length(data)
    head, rest = data[:n], data[n:]
    cert = head
    if has_origin(level, stream):
        cert = cbor2.dumps(cbor2.loads(head).value[1][CERTIFICATE], canonical=True)
        assert cert in head
    signed, issuer, _ = cbor2.loads(cert)
    fields = dict(zip(("version",) + NAMES + ("uid", "key") + NUMBERS, cbor2.loads(signed)))
    assert cbor2.dumps(cbor2.loads(cert), canonical=True) == cert and issuer_verifies(cert)
    if has_origin(level, stream):
        bound = sha256(cbor2.dumps(h[3], canonical=True))
        assert cose_verifies(head, fields["key"], ORIGIN, bound, cert, origin_payload(bound, k))
    if level == MESSAGE:
        rest, end = rest[:-TAIL], rest[-TAIL:]
        assert cose_verifies(end, fields["key"], MESSAGE, sha256(protected), cert, sha256(rest))
    return fields | {"issuer": issuer}, rest
