#include "pkg/pre/secret.h"

#include <secp256k1_ecdh.h>

#define UNCOMPRESSED_LEN 65
#define DRAWS            64 /* each fails with chance 2^-128: more is a broken source */

void pre_secret_point_wipe(struct pre_secret_point *p)
{
	base_wipe(p->b, sizeof(p->b));
}

bool pre_scalar_valid(const struct pre_context *ctx, const struct secret *k)
{
	return pre_outcome(secp256k1_ec_seckey_verify(ctx->curve, k->b));
}

int pre_scalar_random(struct pre_context *ctx, struct secret *ret, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret k = {0};

	for (int i = 0; i < DRAWS; i++) {
		TRY(base_random(ctx->env, k.b, sizeof(k.b), err));
		if (pre_scalar_valid(ctx, &k)) {
			*ret = k;
			return 0;
		}
	}
	return FAIL(err, ERR_TERMINAL, "the source of randomness gives no scalar");
}

bool pre_scalar_add(
	const struct pre_context *ctx, struct secret *a, const uint8_t b[static PRE_SCALAR_LEN])
{
	_cleanup_(base_secret_wipe) struct secret term;

	memcpy(term.b, b, sizeof(term.b));
	return pre_outcome(secp256k1_ec_seckey_tweak_add(ctx->curve, a->b, term.b));
}

bool pre_scalar_mul(
	const struct pre_context *ctx, struct secret *a, const uint8_t b[static PRE_SCALAR_LEN])
{
	_cleanup_(base_secret_wipe) struct secret factor;

	memcpy(factor.b, b, sizeof(factor.b));
	return pre_outcome(secp256k1_ec_seckey_tweak_mul(ctx->curve, a->b, factor.b));
}

/* The curve library's ecdh is its one constant-time product with a point; what leaves it is up to
 * a callback. */
static int take_compressed(uint8_t *output, const uint8_t *x32, const uint8_t *y32, void *data)
{
	(void)data;
	output[0] = (uint8_t)(2 | (y32[31] & 1));
	memcpy(output + 1, x32, 32);
	return 1;
}

static int take_uncompressed(uint8_t *output, const uint8_t *x32, const uint8_t *y32, void *data)
{
	(void)data;
	output[0] = 4;
	memcpy(output + 1, x32, 32);
	memcpy(output + 33, y32, 32);
	return 1;
}

bool pre_mul_secret(const struct pre_context *ctx, const struct secret *k,
	const struct pre_point *p, struct pre_secret_point *ret)
{
	return pre_outcome(
		secp256k1_ecdh(ctx->curve, ret->b, pre_pk_const(p), k->b, take_compressed, NULL));
}

bool pre_mul_secret_point(const struct pre_context *ctx, const struct secret *k,
	const struct pre_point *p, struct pre_point *ret)
{
	uint8_t wire[UNCOMPRESSED_LEN];
	const bool ok =
		pre_outcome(secp256k1_ecdh(
			ctx->curve, wire, pre_pk_const(p), k->b, take_uncompressed, NULL)) &&
		pre_outcome(secp256k1_ec_pubkey_parse(ctx->curve, pre_pk(ret), wire, sizeof(wire)));

	base_wipe(wire, sizeof(wire));
	return ok;
}

bool pre_mul(const struct pre_context *ctx, const struct secret *k, const struct pre_point *p,
	struct pre_point *ret)
{
	uint8_t wire[UNCOMPRESSED_LEN];

	if (!pre_outcome(secp256k1_ecdh(
		    ctx->curve, wire, pre_pk_const(p), k->b, take_uncompressed, NULL)))
		return false;
	pre_declassify(wire, sizeof(wire));
	return secp256k1_ec_pubkey_parse(ctx->curve, pre_pk(ret), wire, sizeof(wire)) == 1;
}

bool pre_mul_base(const struct pre_context *ctx, const struct secret *k, struct pre_point *ret)
{
	const bool ok = pre_outcome(secp256k1_ec_pubkey_create(ctx->curve, pre_pk(ret), k->b));

	pre_declassify(ret, sizeof(*ret));
	return ok;
}
