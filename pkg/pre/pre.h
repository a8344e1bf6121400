/* Umbral proxy re-encryption on secp256k1: value types, and all that needs no secret.
 *
 * Layer: pre (base, libsecp256k1, libcrypto). Wire-compatible with umbral-pre 0.11 (Rust, Python)
 * and 0.10 (JavaScript), and stricter in what it takes: exact lengths and framing, compressed
 * points only, low-s signatures only, no identity points, no foreign generator U.
 *
 * This header is libpre_public: it parses and verifies. send.h makes ephemeral secrets, hold.h
 * works with long-lived ones; each is an archive of its own, so that a program links only what it
 * may hold.
 *
 * A parsed value (struct pre_capsule, pre_cfrag, pre_kfrag) exists only because its parser took
 * it: a capsule in hand has had its proof checked. Never fill one by hand; copying is fine.
 *
 * Failures are INVALID (wrong form), TAMPERED (a cryptographic check failed), NOMEM or TERMINAL
 * (no randomness); err->detail holds an enum pre_reason.
 */
#ifndef PRE_PRE_H
#define PRE_PRE_H

#include "pkg/base/buf.h"
#include "pkg/base/env.h"

#define PRE_POINT_LEN     33
#define PRE_SCALAR_LEN    32
#define PRE_SIG_LEN       64
#define PRE_CAPSULE_LEN   105 /* MessagePack form, the one that all packages read */
#define PRE_SIMPLE_LEN    98  /* E ‖ V ‖ s: the associated data of the ciphertext */
#define PRE_KFRAG_LEN     310
#define PRE_CFRAG_LEN     381
#define PRE_FP_LEN        16
#define PRE_WRAP_OVERHEAD 40 /* nonce 24, tag 16 */
#define PRE_WRAPPED_LEN   (SECRET_LEN + PRE_WRAP_OVERHEAD)
#define PRE_PLAINTEXT_MAX (1u << 30) /* of one stock ciphertext */

/* Why something was refused, in err->detail: name, class, the vector files' word, the message. */
#define PRE_REASONS(X)                                                                           \
	X(PARSE, INVALID, "parse", "wrong length, framing, point or scalar")                     \
	X(CAPSULE, TAMPERED, "parse", "the capsule's proof does not hold")                       \
	X(SIGNATURE, TAMPERED, "signature", "the signature does not verify")                     \
	X(COMMITMENT, TAMPERED, "commitment", "the kfrag does not fit its commitment")           \
	X(NO_DELEGATING, INVALID, "delegating key not provided", "the delegating key is needed") \
	X(NO_RECEIVING, INVALID, "receiving key not provided", "the receiving key is needed")    \
	X(KFRAG_SIGNATURE, TAMPERED, "kfrag signature", "the signer did not sign this cfrag")    \
	X(PROOF, TAMPERED, "reencryption proof", "the proof of re-encryption does not hold")     \
	X(NO_CFRAGS, INVALID, "no cfrags", "no cfrags, or too many")                             \
	X(MISMATCHED, INVALID, "mismatched cfrags", "the cfrags are of different delegations")   \
	X(REPEATING, INVALID, "repeating cfrags", "a cfrag stands there twice")                  \
	X(VALIDATION, TAMPERED, "validation failed", "capsule, cfrags and keys do not fit")      \
	X(SHORT, INVALID, "short ciphertext", "the ciphertext is shorter than a nonce")          \
	X(AUTHENTICATION, TAMPERED, "authentication failed", "not for this key, or changed")     \
	X(UNSIGNED_KEYS, INVALID, "unsigned keys", "the kfrag does not sign both keys")          \
	X(WRONG_KEY, TAMPERED, "wrong key", "the kfrag does not open the delegating key")        \
	X(SAME_KEY, INVALID, "same key", "signing and delegating key must differ")               \
	X(THRESHOLD, INVALID, "threshold", "threshold and number of shares do not fit")          \
	X(SCALAR, INVALID, "parse", "not a scalar in [1, n-1]")

enum pre_reason {
	PRE_REASON_NONE,
#define PRE_REASON_ENUM(name, class, word, text) PRE_REASON_##name,
	PRE_REASONS(PRE_REASON_ENUM)
#undef PRE_REASON_ENUM
		PRE_REASON_COUNT
};

/* The vector files' word; "other" for what is none. Never NULL. */
const char *pre_reason_name(int reason);

/* A point as the curve library keeps it; opaque. */
struct pre_point {
	uint8_t opaque[64];
};

/* Always a valid compressed point once parsed or made. */
struct pre_public_key {
	uint8_t b[PRE_POINT_LEN];
};

/* The first 16 bytes of SHA-256 of the 33: selects a key, proves nothing. */
struct pre_fingerprint {
	uint8_t b[PRE_FP_LEN];
};

/* r ‖ s, big-endian, low s. */
struct pre_signature {
	uint8_t b[PRE_SIG_LEN];
};

struct pre_capsule {
	uint8_t b[PRE_CAPSULE_LEN]; /* the wire form */
	uint8_t h[PRE_SCALAR_LEN];  /* H(CAPSULE_POINTS; E, V) */
	struct pre_point e, v;
	struct pre_point sum; /* E + V */
};

struct pre_cfrag {
	uint8_t b[PRE_CFRAG_LEN]; /* the wire form */
	struct pre_point e1, v1, x, e2, v2, u1, u2;
};

/* The curve library's context (blinded with randomness of env), the generator U, the fetched
 * digests and ciphers, and scratch for them. For one thread at a time. */
struct pre_context;

/* env is borrowed and must outlive the context. The caller owns *ret. NOMEM, TERMINAL. */
int pre_context_new(const struct env *env, struct pre_context **ret, struct err *err) must_check;

/* NULL is fine. Returns NULL. */
struct pre_context *pre_context_free(struct pre_context *ctx);
CLEANUP_FREE(struct pre_context, pre_context_free);

/* Exactly 33 bytes, tag 02 or 03, on the curve. INVALID. */
int pre_public_key_parse(const struct pre_context *ctx, const uint8_t *p, size_t n,
	struct pre_public_key *ret, struct err *err) must_check;

/* The first bytes of SHA-256 over the key's 33. */
struct pre_fingerprint pre_fingerprint(const struct pre_public_key *key);

/* Public keys only: not constant time. */
bool pre_public_key_eq(const struct pre_public_key *a, const struct pre_public_key *b);

/* Verifies a statement of ours: ECDSA over SHA-256(64 × 20 ‖ context ‖ 00 ‖ message). The prefix
 * keeps statements apart from what Umbral signs, whatever the key. `context` names the kind of
 * statement and is constant per caller ("functionkey/v1/record"). TAMPERED. */
int pre_verify(struct pre_context *ctx, const struct pre_public_key *key, const char *context,
	struct str message, const struct pre_signature *sig, struct err *err) must_check;

/* Verifies ECDSA over SHA-256 of a COSE Sig_structure (RFC 9052, 4.4): ES256K. INVALID where the
 * bytes do not begin as one, with 84 6a "Signature1": they cannot be a statement's, which begins
 * with 20, nor a kfrag's, whose byte 32 must not be 02 or 03. TAMPERED. */
int pre_verify_cose(struct pre_context *ctx, const struct pre_public_key *key,
	struct str sig_structure, const struct pre_signature *sig, struct err *err) must_check;

/* Strict framing, both points, E + V not the identity (INVALID), and the proof s·G == V + h·E
 * (TAMPERED). */
int pre_capsule_parse(struct pre_context *ctx, const uint8_t *p, size_t n, struct pre_capsule *ret,
	struct err *err) must_check;

/* Framing, points, scalars. INVALID. */
int pre_cfrag_parse(const struct pre_context *ctx, const uint8_t *p, size_t n,
	struct pre_cfrag *ret, struct err *err) must_check;

/* The signer's signature, and the proof that capsule and commitment were raised to one exponent. */
int pre_cfrag_verify(struct pre_context *ctx, const struct pre_cfrag *cfrag,
	const struct pre_capsule *capsule, const struct pre_public_key *verifying,
	const struct pre_public_key *delegating, const struct pre_public_key *receiving,
	struct err *err) must_check;

#endif
