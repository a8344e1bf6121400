// The stock JavaScript package as a peer: `make FILE` writes cases, `check FILE` opens ours.
"use strict";
const assert = require("assert");
const crypto = require("crypto");
const fs = require("fs");
const umbral = require("@nucypher/umbral-pre");

const GRID = [
  [1, 1, true, true],
  [1, 2, true, false],
  [2, 3, true, true],
  [3, 5, false, false],
];
const SIZES = [0, 1, 32, 1024, 65536];

const raw = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (bytes) => Buffer.from(bytes).toString("hex");

function check(c) {
  const [a, b, s] = ["delegating_sk", "receiving_sk", "signing_sk"].map((k) => umbral.SecretKey.fromBEBytes(raw(c[k])));
  const [delegating, receiving, verifying] = ["delegating_pk", "receiving_pk", "verifying_pk"].map((k) =>
    umbral.PublicKey.fromCompressedBytes(raw(c[k])),
  );
  for (const [sk, pk] of [[a, delegating], [b, receiving], [s, verifying]]) {
    assert(sk.publicKey().equals(pk), "keys");
  }
  const capsule = umbral.Capsule.fromBytes(raw(c.capsule));
  assert.strictEqual(hex(capsule.toBytes()), c.capsule);
  const ciphertext = raw(c.ciphertext);
  const opens = (bytes) => assert.strictEqual(hex(bytes), c.plaintext);
  opens(umbral.decryptOriginal(a, capsule, ciphertext));
  const kfrags = c.kfrags.map((k) => {
    const kfrag = umbral.KeyFrag.fromBytes(raw(k.kfrag));
    assert.strictEqual(hex(kfrag.toBytes()), k.kfrag);
    return kfrag.verify(verifying, delegating, receiving);
  });
  const stored = () =>
    c.cfrags.map((f) => {
      const cfrag = umbral.CapsuleFrag.fromBytes(raw(f.cfrag));
      assert.strictEqual(hex(cfrag.toBytes()), f.cfrag);
      return cfrag.verify(capsule, verifying, delegating, receiving);
    });
  const fresh = () => kfrags.map((k) => umbral.reencrypt(capsule, k));
  const t = c.threshold;
  for (const cfrags of [stored().slice(0, t), stored().slice(-t), stored(), fresh().slice(-t)]) {
    opens(umbral.decryptReencrypted(b, delegating, capsule, cfrags, ciphertext));
  }
  const signature = umbral.Signature.fromBEBytes(raw(c.message_signature.be));
  assert(signature.verify(verifying, raw(c.plaintext)), "signature");
}

function make(t, n, signDelegating, signReceiving, size) {
  const [a, b, s] = [1, 2, 3].map(() => umbral.SecretKey.random());
  const signer = new umbral.Signer(s);
  const plaintext = Uint8Array.from(crypto.randomBytes(size));
  const [capsule, ciphertext] = umbral.encrypt(a.publicKey(), plaintext);
  const kfrags = umbral.generateKFrags(a, b.publicKey(), signer, t, n, signDelegating, signReceiving);
  const cfrags = kfrags.map((k) => umbral.reencrypt(capsule, k));
  const signature = signer.sign(plaintext);
  return {
    id: `node/${t}of${n}/${size}`,
    threshold: t,
    shares: n,
    sign_delegating_key: signDelegating,
    sign_receiving_key: signReceiving,
    delegating_sk: hex(a.toBEBytes()),
    delegating_pk: hex(a.publicKey().toCompressedBytes()),
    receiving_sk: hex(b.toBEBytes()),
    receiving_pk: hex(b.publicKey().toCompressedBytes()),
    signing_sk: hex(s.toBEBytes()),
    verifying_pk: hex(signer.verifyingKey().toCompressedBytes()),
    plaintext_size: size,
    plaintext: hex(plaintext),
    ciphertext: hex(ciphertext),
    capsule: hex(capsule.toBytes()),
    capsule_simple: hex(capsule.toBytesSimple()),
    kfrags: kfrags.map((k) => ({ kfrag: hex(k.toBytes()) })),
    cfrags: cfrags.map((f) => ({ cfrag: hex(f.toBytes()), cfrag_simple: hex(f.toBytesSimple()) })),
    message_signature: { be: hex(signature.toBEBytes()), der: hex(signature.toDerBytes()) },
  };
}

const [command, path] = process.argv.slice(2);
if (command === "make") {
  const vectors = GRID.flatMap((row) => SIZES.map((size) => make(...row, size)));
  fs.writeFileSync(path, JSON.stringify({ schema: "umbral-kat/1", kind: "positive", vectors }));
} else {
  const { vectors } = JSON.parse(fs.readFileSync(path, "ascii"));
  let failed = 0;
  for (const c of vectors) {
    try {
      check(c);
    } catch (e) {
      failed++;
      console.log(`FAILED ${c.id}: ${e}`);
    }
  }
  console.log(`${vectors.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}
