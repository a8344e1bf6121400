#include "pkg/pre/internal.h"

_Static_assert(sizeof(struct pre_point) == sizeof(secp256k1_pubkey), "one is a cast of the other");

bool pre_point_parse(
	const struct pre_context *ctx, const uint8_t b[static PRE_POINT_LEN], struct pre_point *ret)
{
	return secp256k1_ec_pubkey_parse(ctx->curve, pre_pk(ret), b, PRE_POINT_LEN) == 1;
}

void pre_point_bytes(
	const struct pre_context *ctx, const struct pre_point *p, uint8_t ret[static PRE_POINT_LEN])
{
	size_t n = PRE_POINT_LEN;

	/* Fails only for a struct that never held a point; all zeroes is then no point either. */
	if (secp256k1_ec_pubkey_serialize(
		    ctx->curve, ret, &n, pre_pk_const(p), SECP256K1_EC_COMPRESSED) != 1)
		memset(ret, 0, PRE_POINT_LEN);
}

bool pre_point_mul_public(const struct pre_context *ctx, const struct pre_point *p,
	const uint8_t k[static PRE_SCALAR_LEN], struct pre_point *ret)
{
	*ret = *p;
	return secp256k1_ec_pubkey_tweak_mul(ctx->curve, pre_pk(ret), k) == 1;
}

bool pre_point_add(const struct pre_context *ctx, const struct pre_point *a,
	const struct pre_point *b, struct pre_point *ret)
{
	const secp256k1_pubkey *const terms[] = {pre_pk_const(a), pre_pk_const(b)};
	struct pre_point sum;

	if (secp256k1_ec_pubkey_combine(ctx->curve, pre_pk(&sum), terms, ARRAY_LEN(terms)) != 1)
		return false;
	*ret = sum;
	return true;
}

bool pre_point_eq(
	const struct pre_context *ctx, const struct pre_point *a, const struct pre_point *b)
{
	return secp256k1_ec_pubkey_cmp(ctx->curve, pre_pk_const(a), pre_pk_const(b)) == 0;
}

int pre_public_key_parse(const struct pre_context *ctx, const uint8_t *p, size_t n,
	struct pre_public_key *ret, struct err *err)
{
	struct pre_point point;

	if (n != PRE_POINT_LEN || !pre_point_parse(ctx, p, &point))
		return PRE_FAIL(err, PARSE);
	memcpy(ret->b, p, PRE_POINT_LEN);
	return 0;
}

bool pre_public_key_eq(const struct pre_public_key *a, const struct pre_public_key *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}
