/* What the files of pkg/pre share. Layer: pre; for pkg/pre and its own tools and tests only. */
#ifndef PRE_INTERNAL_H
#define PRE_INTERNAL_H

#include "pkg/pre/pre.h"

#include <openssl/evp.h>
#include <secp256k1.h>

struct pre_context {
	const struct env *env;
	secp256k1_context *curve; /* in the same allocation, behind this struct */
	struct pre_point u;       /* Umbral's second generator */
	EVP_MD *sha256;
	EVP_MD_CTX *md; /* scratch */
	EVP_CIPHER *chacha;
	EVP_CIPHER_CTX *cipher; /* scratch */
};

extern const uint8_t pre_u_bytes[PRE_POINT_LEN];

/* reason.c: class, message and detail of a reason. */
int pre_fail_at(struct err *err, enum pre_reason reason, const char *file, unsigned line);
#define PRE_FAIL(err, reason) pre_fail_at((err), PRE_REASON_##reason, __FILE__, __LINE__)

/* declassify.c: says that a value which came out of secrets is public from here on: something
 * that goes onto the wire, or an outcome that the caller acts upon. Does nothing; the
 * constant-time run puts its own definition in its place and tells valgrind. */
void pre_declassify(void *p, size_t n);

/* The same for an outcome: of a comparison, or of a call that fails with chance 2^-128. */
static inline bool pre_outcome(int ok)
{
	pre_declassify(&ok, sizeof(ok));
	return ok != 0;
}

/* --- frame.c: fixed MessagePack framing ---------------------------------------------------- */

struct pre_frame {
	uint16_t at;
	uint8_t n;
	uint8_t bytes[4];
};

/* Puts the n constant parts of a wire form into b, or compares them: b has at least the form's
 * length. */
void pre_frame_write(uint8_t *b, const struct pre_frame *frames, size_t n);
bool pre_frame_matches(const uint8_t *b, const struct pre_frame *frames, size_t n);

enum pre_capsule_offset { PRE_CAPSULE_E = 3, PRE_CAPSULE_V = 38, PRE_CAPSULE_S = 73 };
extern const struct pre_frame pre_capsule_frames[3];

#define PRE_MSGPACK_TRUE  0xc3
#define PRE_MSGPACK_FALSE 0xc2

enum pre_kfrag_offset {
	PRE_KFRAG_U = 4,
	PRE_KFRAG_ID = 39,
	PRE_KFRAG_RK = 73,
	PRE_KFRAG_X = 107,
	PRE_KFRAG_C = 143,
	PRE_KFRAG_FOR_PROXY = 178,
	PRE_KFRAG_FOR_RECEIVER = 244,
	PRE_KFRAG_DELEGATING = 308, /* is signed for the proxy */
	PRE_KFRAG_RECEIVING = 309,
};
extern const struct pre_frame pre_kfrag_frames[7];

enum pre_cfrag_offset {
	PRE_CFRAG_E1 = 3,
	PRE_CFRAG_V1 = 38,
	PRE_CFRAG_ID = 73,
	PRE_CFRAG_X = 107,
	PRE_CFRAG_E2 = 143,
	PRE_CFRAG_V2 = 178,
	PRE_CFRAG_U1 = 213,
	PRE_CFRAG_U2 = 248,
	PRE_CFRAG_Z = 283,
	PRE_CFRAG_SIG = 317,
};
extern const struct pre_frame pre_cfrag_frames[10];

/* E ‖ V ‖ s. */
void pre_capsule_simple(
	const uint8_t capsule[static PRE_CAPSULE_LEN], uint8_t dst[static PRE_SIMPLE_LEN]);

/* --- hash.c --------------------------------------------------------------------------------- */

#define PRE_HASH_LEN    32
#define PRE_HASH_DOMAIN 80 /* longest domain string */

static inline struct str pre_part(const uint8_t *p, size_t n)
{
	return base_str_n(p, n);
}

/* SHA-256 of the parts one after the other. The scratch context forgets them at once. */
int pre_sha256(struct pre_context *ctx, const struct str *parts, size_t n,
	uint8_t ret[static PRE_HASH_LEN], struct err *err) must_check;

/* H(domain; parts): SHA-256(be32(len) ‖ domain ‖ parts) mapped to [1, n-1]. */
int pre_hash_to_scalar(struct pre_context *ctx, const char *domain, const struct str *parts,
	size_t n, uint8_t ret[static PRE_SCALAR_LEN], struct err *err) must_check;

/* (x mod (n-1)) + 1, constant time. */
void pre_digest_to_scalar(
	const uint8_t digest[static PRE_HASH_LEN], uint8_t ret[static PRE_SCALAR_LEN]);

/* HKDF-SHA256 without salt, up to 64 bytes. */
int pre_hkdf(struct pre_context *ctx, struct str ikm, struct str info, uint8_t *ret, size_t n,
	struct err *err) must_check;

/* --- point.c: public values ------------------------------------------------------------------ */

static inline secp256k1_pubkey *pre_pk(struct pre_point *p)
{
	return (secp256k1_pubkey *)(void *)p;
}

static inline const secp256k1_pubkey *pre_pk_const(const struct pre_point *p)
{
	return (const secp256k1_pubkey *)(const void *)p;
}

/* 33 bytes with tag 02 or 03, on the curve; else false. And back. */
bool pre_point_parse(const struct pre_context *ctx, const uint8_t b[static PRE_POINT_LEN],
	struct pre_point *ret);
void pre_point_bytes(const struct pre_context *ctx, const struct pre_point *p,
	uint8_t ret[static PRE_POINT_LEN]);

/* k·p for a public k; false for k = 0 or k >= n. */
bool pre_point_mul_public(const struct pre_context *ctx, const struct pre_point *p,
	const uint8_t k[static PRE_SCALAR_LEN], struct pre_point *ret);

/* False where the sum is the identity. */
bool pre_point_add(const struct pre_context *ctx, const struct pre_point *a,
	const struct pre_point *b, struct pre_point *ret);

/* Public points only: not constant time. */
bool pre_point_eq(
	const struct pre_context *ctx, const struct pre_point *a, const struct pre_point *b);

/* s < n, constant time. */
bool pre_scalar_in_range(const uint8_t s[static PRE_SCALAR_LEN]);

/* --- capsule.c, verify.c ---------------------------------------------------------------------- */

/* h of a capsule's proof, from the bytes of its points E and V. TERMINAL. */
int pre_capsule_h(struct pre_context *ctx, const uint8_t *e, const uint8_t *v,
	uint8_t ret[static PRE_SCALAR_LEN], struct err *err) must_check;

/* s·G == V + h·E, term by term. ret_v is V. Used where the faster way cannot be. */
bool pre_capsule_proof_plain(
	const struct pre_context *ctx, const struct pre_capsule *c, struct pre_point *ret_v);

/* The same by one public key recovery; *ret_possible is false where it says nothing. */
bool pre_capsule_proof_fast(const struct pre_context *ctx, const struct pre_capsule *c,
	struct pre_point *ret_v, bool *ret_possible);

/* Both halves in [1, n-1]. */
bool pre_signature_wellformed(const struct pre_context *ctx, const uint8_t b[static PRE_SIG_LEN]);

/* ECDSA over a digest; false for anything but a valid low-s signature. */
bool pre_verify_digest(const struct pre_context *ctx, const struct pre_public_key *key,
	const uint8_t digest[static PRE_HASH_LEN], const uint8_t sig[static PRE_SIG_LEN]);

/* The digest of a statement of ours (pre_verify of pre.h). */
int pre_statement(struct pre_context *ctx, const char *context, struct str message,
	uint8_t ret[static PRE_HASH_LEN], struct err *err) must_check;

/* The digest of a COSE Sig_structure (pre_verify_cose of pre.h). INVALID for other bytes. */
int pre_cose_digest(struct pre_context *ctx, struct str sig_structure,
	uint8_t ret[static PRE_HASH_LEN], struct err *err) must_check;

/* The digest of what the signer of a kfrag signs; a NULL key is one that is not signed. */
struct pre_kfrag_claim {
	const uint8_t *id, *commitment, *precursor;
	const struct pre_public_key *delegating, *receiving;
};
int pre_kfrag_digest(struct pre_context *ctx, const struct pre_kfrag_claim *claim,
	uint8_t ret[static PRE_HASH_LEN], struct err *err) must_check;

/* The challenge of a cfrag's proof. */
int pre_cfrag_h(struct pre_context *ctx, const struct pre_capsule *capsule,
	const uint8_t cfrag[static PRE_CFRAG_LEN], uint8_t ret[static PRE_SCALAR_LEN],
	struct err *err) must_check;

#endif
