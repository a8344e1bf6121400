#!/usr/bin/env node
// Seals standard input to a function, whose replicas open it: no agent, no secret key needed here.
//
// usage: seal.js RECORDS.json [MEDIA-TYPE] <message >envelope
//
// RECORDS.json is what one of these prints; docs/senders.md says what each is worth:
//   kubectl get functionkeys -l functionkey.dev/function=F,functionkey.dev/role=leader -o json
//   kubectl get functionkey REVISION -o json
//   curl http://LEADER:9471/v1/key
import { createCipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { encode } from "cborg"; // sorts the keys of maps as the format wants them

const { Point, utils } = secp256k1;
const { Fn: Scalar } = Point; // numbers modulo the order of the curve
const WHOLE_MAX = 1 << 20; // longer messages are streams, which this example does not make

const join = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part)));
const sha256 = (data) => createHash("sha256").update(data).digest();
const mac = (key, message) => createHmac("sha256", key).update(message).digest();

function toScalar(domain, data) {
  const digest = sha256(join([0, 0, 0, domain.length], domain, data));
  return (BigInt(`0x${digest.toString("hex")}`) % (Scalar.ORDER - 1n)) + 1n;
}

// Umbral's encryption of the content secret: its capsule, and nonce, ciphertext and tag.
function wrap(publicKey, secret) {
  const [r, u] = [0, 1].map(() => Scalar.fromBytes(utils.randomSecretKey()));
  const [e, v] = [r, u].map((scalar) => Point.BASE.multiply(scalar).toBytes(true));
  const s = Scalar.toBytes(Scalar.add(u, Scalar.mul(r, toScalar("CAPSULE_POINTS", join(e, v)))));
  const shared = Point.fromBytes(publicKey).multiply(Scalar.add(r, u)).toBytes(true);
  const key = mac(mac(Buffer.alloc(32), shared), "\x01");
  const nonce = randomBytes(24);
  const sealed = xchacha20poly1305(key, nonce, join(e, v, s)).encrypt(secret);
  return [join([0x93, 0xc4, 0x21], e, [0xc4, 0x21], v, [0xc4, 0x20], s), join(nonce, sealed)];
}

// [namespace/revision, epoch, public key] of each revision that can be sealed to.
function keysOf(document) {
  return (document.items ?? [document]).flatMap((record) => {
    if (record.publicKey) return [[`${record.namespace}/${record.revision}`, record.epoch, record.publicKey]];
    const { metadata, spec, status = {} } = record;
    const told = !(status.observedEpoch < status.activeEpoch); // of this key, not of an earlier one
    const lost = told && status.conditions?.some((c) => c.type === "NoHolder" && c.status === "True");
    if (spec.role !== "Leader" || spec.scheme !== "umbral-secp256k1" || lost) return [];
    const active = (status.keys ?? []).filter((key) => key.state === "Active");
    return active.map((key) => [`${metadata.namespace}/${spec.revision}`, key.epoch, key.publicKey]);
  });
}

function seal(document, message, mediaType) {
  const [k, iv] = [randomBytes(32), randomBytes(12)];
  const recipients = keysOf(document).map(([name, epoch, publicKey]) => {
    const point = Buffer.from(publicKey, "hex");
    return [1, sha256(point).subarray(0, 16), epoch, name, ...wrap(point, k)];
  });
  if (recipients.length < 1 || recipients.length > 16 || message.length > WHOLE_MAX)
    throw new Error(`${recipients.length} keys (1 to 16), ${message.length} bytes (at most ${WHOLE_MAX})`);
  recipients.sort((a, b) => Buffer.compare(a[1], b[1]));
  const header = new Map([[1, 1], [2, randomBytes(16)], [3, recipients], [4, Math.floor(Date.now() / 1000)], [8, 0], [10, 0]]);
  const protectedBytes = encode(new Map([[1, 3], [2, [-70001]], [3, mediaType], [5, iv],
    [16, "application/vnd.functionkey.v1+cbor"], [-70001, header]]));
  const prk = mac(sha256(protectedBytes), k);
  const cipher = createCipheriv("aes-256-gcm", mac(prk, "functionkey/v1/body\x01"), iv);
  cipher.setAAD(encode(["Encrypt0", protectedBytes, Buffer.alloc(0)]));
  const body = join(cipher.update(message), cipher.final(), cipher.getAuthTag());
  const commitment = new Map([[-70002, mac(prk, "functionkey/v1/commit\x01")]]);
  return join([0xd0], encode([protectedBytes, commitment, body])); // 0xd0: tag 16, COSE_Encrypt0
}

const [file, mediaType = "application/octet-stream"] = process.argv.slice(2);
process.stdout.write(seal(JSON.parse(readFileSync(file, "utf8")), readFileSync(0), mediaType));
