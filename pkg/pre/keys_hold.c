#include "pkg/pre/secret.h"

#include "pkg/pre/hold.h"

int pre_public_of(struct pre_context *ctx, const struct secret *sk, struct pre_public_key *ret,
	struct err *err)
{
	struct pre_point point;

	if (!pre_mul_base(ctx, sk, &point))
		return PRE_FAIL(err, SCALAR);
	pre_point_bytes(ctx, &point, ret->b);
	return 0;
}

int pre_keygen(struct pre_context *ctx, struct secret *ret_sk, struct pre_public_key *ret_pk,
	struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret sk = {0};

	TRY(pre_scalar_random(ctx, &sk, err));
	TRY(pre_public_of(ctx, &sk, ret_pk, err));
	*ret_sk = sk;
	return 0;
}

int pre_sign_digest(const struct pre_context *ctx, const struct secret *sk,
	const uint8_t digest[static PRE_HASH_LEN], const uint8_t extra[static 32],
	uint8_t ret[static PRE_SIG_LEN], struct err *err)
{
	secp256k1_ecdsa_signature sig;

	if (!pre_outcome(secp256k1_ecdsa_sign(
		    ctx->curve, &sig, digest, sk->b, secp256k1_nonce_function_rfc6979, extra)))
		return PRE_FAIL(err, SCALAR);
	pre_declassify(&sig, sizeof(sig));
	(void)secp256k1_ecdsa_signature_serialize_compact(ctx->curve, ret, &sig);
	return 0;
}

static int sign_hedged(struct pre_context *ctx, const struct secret *sk,
	const uint8_t digest[static PRE_HASH_LEN], struct pre_signature *ret, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret extra = {0};

	TRY(base_random(ctx->env, extra.b, sizeof(extra.b), err));
	return pre_sign_digest(ctx, sk, digest, extra.b, ret->b, err);
}

int pre_sign(struct pre_context *ctx, const struct secret *sk, const char *context,
	struct str message, struct pre_signature *ret, struct err *err)
{
	uint8_t digest[PRE_HASH_LEN];

	TRY(pre_statement(ctx, context, message, digest, err));
	return sign_hedged(ctx, sk, digest, ret, err);
}

int pre_sign_cose(struct pre_context *ctx, const struct secret *sk, struct str sig_structure,
	struct pre_signature *ret, struct err *err)
{
	uint8_t digest[PRE_HASH_LEN];

	TRY(pre_cose_digest(ctx, sig_structure, digest, err));
	return sign_hedged(ctx, sk, digest, ret, err);
}

int pre_derive_key(struct pre_context *ctx, const struct secret *sk, const char *label,
	struct secret *ret_sk, struct pre_public_key *ret_pk, struct err *err)
{
	uint8_t okm[2 * PRE_HASH_LEN] = {0};
	_cleanup_(base_secret_wipe) struct secret derived = {0};
	const struct str part = pre_part(okm, sizeof(okm));

	if (!pre_scalar_valid(ctx, sk))
		return PRE_FAIL(err, SCALAR);
	/* 64 bytes, so that the scalar is uniform up to 2^-256, as the stock factory does it. */
	int r = pre_hkdf(
		ctx, base_str_n(sk->b, sizeof(sk->b)), base_str(label), okm, sizeof(okm), err);
	if (r == 0)
		r = pre_hash_to_scalar(ctx, "functionkey/v1/derived-key", &part, 1, derived.b, err);
	base_wipe(okm, sizeof(okm));
	if (r < 0)
		return r;
	TRY(pre_public_of(ctx, &derived, ret_pk, err));
	*ret_sk = derived;
	return 0;
}
