"""The stock Python package as a peer: `make FILE` writes cases, `check FILE` opens ours."""

import json
import os
import sys

import umbral_pre as umbral

GRID = [(1, 1, True, True), (1, 2, True, False), (2, 3, True, True), (3, 5, False, False)]
SIZES = [0, 1, 32, 1024, 65536]


def check(case):
    def raw(key):
        return bytes.fromhex(case[key])

    a, b, s = (umbral.SecretKey.from_be_bytes(raw(k)) for k in ("delegating_sk", "receiving_sk", "signing_sk"))
    delegating, receiving, verifying = (
        umbral.PublicKey.from_compressed_bytes(raw(k)) for k in ("delegating_pk", "receiving_pk", "verifying_pk")
    )
    assert (a.public_key(), b.public_key(), s.public_key()) == (delegating, receiving, verifying), "keys"
    capsule = umbral.Capsule.from_bytes(raw("capsule"))
    assert bytes(capsule) == raw("capsule"), "capsule bytes"
    plaintext, ciphertext, t = raw("plaintext"), raw("ciphertext"), case["threshold"]
    assert umbral.decrypt_original(a, capsule, ciphertext) == plaintext, "decrypt_original"
    kfrags = [umbral.KeyFrag.from_bytes(bytes.fromhex(k["kfrag"])) for k in case["kfrags"]]
    assert [bytes(k).hex() for k in kfrags] == [k["kfrag"] for k in case["kfrags"]], "kfrag bytes"
    kfrags = [k.verify(verifying, delegating, receiving) for k in kfrags]
    stored = [
        umbral.CapsuleFrag.from_bytes(bytes.fromhex(c["cfrag"])).verify(capsule, verifying, delegating, receiving)
        for c in case["cfrags"]
    ]
    assert [bytes(c).hex() for c in stored] == [c["cfrag"] for c in case["cfrags"]], "cfrag bytes"
    for cfrag, expected in zip(stored, case["cfrags"]):
        evidence = umbral.ReencryptionEvidence(capsule, cfrag, verifying, delegating, receiving)
        assert bytes(evidence).hex() == expected["evidence"], "evidence"
    fresh = [umbral.reencrypt(capsule, k) for k in kfrags]
    for cfrags in (stored[:t], stored[-t:], stored, fresh[:t], (fresh[:1] + stored[1:])[:t]):
        assert umbral.decrypt_reencrypted(b, delegating, capsule, cfrags, ciphertext) == plaintext, "decrypt"
    signature = umbral.Signature.from_be_bytes(bytes.fromhex(case["message_signature"]["be"]))
    assert signature.verify(verifying, plaintext), "signature"
    assert signature.to_der_bytes().hex() == case["message_signature"]["der"], "signature in DER"


def make(t, n, sign_delegating, sign_receiving, size):
    a, b, s = (umbral.SecretKey.random() for _ in range(3))
    signer = umbral.Signer(s)
    keys = (signer.verifying_key(), a.public_key(), b.public_key())
    plaintext = os.urandom(size)
    capsule, ciphertext = umbral.encrypt(a.public_key(), plaintext)
    kfrags = umbral.generate_kfrags(a, b.public_key(), signer, t, n, sign_delegating, sign_receiving)
    cfrags = [umbral.reencrypt(capsule, k) for k in kfrags]
    signature = signer.sign(plaintext)
    return {
        "id": f"python/{t}of{n}/{size}",
        "threshold": t,
        "shares": n,
        "sign_delegating_key": sign_delegating,
        "sign_receiving_key": sign_receiving,
        "delegating_sk": a.to_be_bytes().hex(),
        "delegating_pk": a.public_key().to_compressed_bytes().hex(),
        "receiving_sk": b.to_be_bytes().hex(),
        "receiving_pk": b.public_key().to_compressed_bytes().hex(),
        "signing_sk": s.to_be_bytes().hex(),
        "verifying_pk": signer.verifying_key().to_compressed_bytes().hex(),
        "plaintext_size": size,
        "plaintext": plaintext.hex(),
        "ciphertext": ciphertext.hex(),
        "capsule": bytes(capsule).hex(),
        "capsule_simple": capsule.to_bytes_simple().hex(),
        "kfrags": [{"kfrag": bytes(k).hex()} for k in kfrags],
        "cfrags": [
            {
                "cfrag": bytes(c).hex(),
                "cfrag_simple": c.to_bytes_simple().hex(),
                "evidence": bytes(umbral.ReencryptionEvidence(capsule, c, *keys)).hex(),
            }
            for c in cfrags
        ],
        "message_signature": {"be": signature.to_be_bytes().hex(), "der": signature.to_der_bytes().hex()},
    }


def main():
    command, path = sys.argv[1:]
    if command == "make":
        cases = [make(*row, size) for row in GRID for size in SIZES]
        with open(path, "w", encoding="ascii") as f:
            json.dump({"schema": "umbral-kat/1", "kind": "positive", "vectors": cases}, f)
        return 0
    with open(path, encoding="ascii") as f:
        cases = json.load(f)["vectors"]
    failed = 0
    for case in cases:
        try:
            check(case)
        # The package panics on some inputs, with an exception that is no Exception.
        except BaseException as e:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED {case['id']}: {e!r}")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
