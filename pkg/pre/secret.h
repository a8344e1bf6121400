/* Arithmetic with secrets, constant time, and the sealing of plaintexts. Layer: pre; these
 * functions are in libpre_send and libpre_hold, for pkg/pre and its own tools and tests only.
 *
 * A scalar is a struct secret in [1, n-1]. Functions that return bool say by false that a result
 * would be zero or the identity, or that an input is no scalar: chance 2^-128 unless a caller has
 * passed nonsense. That outcome is public.
 */
#ifndef PRE_SECRET_H
#define PRE_SECRET_H

#include "pkg/pre/internal.h"

/* An encoded point that is secret: D, K. */
struct pre_secret_point {
	uint8_t b[PRE_POINT_LEN];
};
void pre_secret_point_wipe(struct pre_secret_point *p);
CLEANUP_DONE(struct pre_secret_point, pre_secret_point_wipe);

/* --- libpre_send: arith_send.c --------------------------------------------------------------- */

/* 0 < k < n, constant time. */
bool pre_scalar_valid(const struct pre_context *ctx, const struct secret *k);

/* Uniform in [1, n-1]. TERMINAL. */
int pre_scalar_random(struct pre_context *ctx, struct secret *ret, struct err *err) must_check;

/* a := a + b, a · b; b may be a itself. */
bool pre_scalar_add(const struct pre_context *ctx, struct secret *a,
	const uint8_t b[static PRE_SCALAR_LEN]) must_check;
bool pre_scalar_mul(const struct pre_context *ctx, struct secret *a,
	const uint8_t b[static PRE_SCALAR_LEN]) must_check;

/* k·p, whose encoding stays secret. */
bool pre_mul_secret(const struct pre_context *ctx, const struct secret *k,
	const struct pre_point *p, struct pre_secret_point *ret) must_check;

/* k·p, kept as a point that is secret. Parsing it takes branches whose outcome is always the same
 * (it is on the curve): only for what must be added to another, see sum_hold.c. */
bool pre_mul_secret_point(const struct pre_context *ctx, const struct secret *k,
	const struct pre_point *p, struct pre_point *ret) must_check;

/* k·p and k·G where the product goes onto the wire: it is public from here on, k is not. */
bool pre_mul(const struct pre_context *ctx, const struct secret *k, const struct pre_point *p,
	struct pre_point *ret) must_check;
bool pre_mul_base(const struct pre_context *ctx, const struct secret *k, struct pre_point *ret)
	must_check;

/* --- libpre_send: dem_send.c ------------------------------------------------------------------ */

#define PRE_NONCE_LEN 24
#define PRE_TAG_LEN   16

/* XChaCha20-Poly1305: HKDF(seed) and the first 16 bytes of the nonce make the cipher's key, which
 * ctx->cipher is then set up with. */
int pre_dem_start(struct pre_context *ctx, const struct pre_secret_point *seed,
	const uint8_t nonce[static PRE_NONCE_LEN], bool seal, struct err *err) must_check;

/* RFC draft-irtf-cfrg-xchacha, section 2.2. */
void pre_hchacha20(const struct secret *key, const uint8_t nonce[static 16], struct secret *ret);

/* Writes nonce ‖ body ‖ tag, plaintext.n + PRE_WRAP_OVERHEAD bytes. */
int pre_dem_seal(struct pre_context *ctx, const struct pre_secret_point *seed,
	const uint8_t capsule[static PRE_CAPSULE_LEN], struct str plaintext, uint8_t *ret,
	struct err *err) must_check;

/* --- libpre_hold -------------------------------------------------------------------------------
 */

/* dem_hold.c: writes ciphertext.n - PRE_WRAP_OVERHEAD bytes; wiped if it fails. */
int pre_dem_open(struct pre_context *ctx, const struct pre_secret_point *seed,
	const uint8_t capsule[static PRE_CAPSULE_LEN], struct str ciphertext, uint8_t *ret,
	struct err *err) must_check;

/* As pre_dem_open, appended to a buffer. */
int pre_dem_open_add(struct pre_context *ctx, const struct pre_secret_point *seed,
	const uint8_t capsule[static PRE_CAPSULE_LEN], struct str ciphertext, struct buf *ret,
	struct err *err) must_check;

/* arith_hold.c: a := 1/a, by Fermat: a fixed row of multiplications. */
bool pre_scalar_invert(const struct pre_context *ctx, struct secret *a) must_check;
bool pre_scalar_negate(const struct pre_context *ctx, struct secret *a) must_check;

/* sum_hold.c: Σ k·p. */
struct pre_sum {
	struct pre_point total;
	bool any;
};
void pre_sum_wipe(struct pre_sum *s);
CLEANUP_DONE(struct pre_sum, pre_sum_wipe);
bool pre_sum_add(const struct pre_context *ctx, struct pre_sum *s, const struct secret *k,
	const struct pre_point *p) must_check;
bool pre_sum_take(const struct pre_context *ctx, const struct pre_sum *s,
	struct pre_secret_point *ret) must_check;

/* keys_hold.c: ECDSA over a digest, low s, RFC 6979 with extra as additional data. Not for
 * statements: pre_sign. */
int pre_sign_digest(const struct pre_context *ctx, const struct secret *sk,
	const uint8_t digest[static PRE_HASH_LEN], const uint8_t extra[static 32],
	uint8_t ret[static PRE_SIG_LEN], struct err *err) must_check;

/* delegation_hold.c: what both ends of a delegation compute. D is x·B or b·X. */
struct pre_delegation {
	const uint8_t *precursor;
	const struct pre_public_key *receiving;
	struct pre_secret_point dh;
};
void pre_delegation_wipe(struct pre_delegation *d);
CLEANUP_DONE(struct pre_delegation, pre_delegation_wipe);

/* d = H(SHARED_SECRET; X, B, D) */
int pre_delegation_secret(struct pre_context *ctx, const struct pre_delegation *d,
	struct secret *ret, struct err *err) must_check;

/* w = H(POLYNOMIAL_ARG; X, B, D, id) */
int pre_delegation_arg(struct pre_context *ctx, const struct pre_delegation *d, const uint8_t *id,
	struct secret *ret, struct err *err) must_check;

#endif
