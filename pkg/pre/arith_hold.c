#include "pkg/pre/secret.h"

#define WINDOW 4 /* bits of the exponent that one multiplication takes in */

/* The exponent is public: n - 2. */
static const uint8_t order_minus_2[PRE_SCALAR_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
	0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x3f};

struct powers {
	struct secret of[1 << WINDOW]; /* of[i] is a to the i; of[0] is not used */
	struct secret result, copy;
};

static void powers_wipe(struct powers *p)
{
	base_wipe(p, sizeof(*p));
}
CLEANUP_DONE(struct powers, powers_wipe);

static int square(const struct pre_context *ctx, struct powers *p)
{
	p->copy = p->result;
	return secp256k1_ec_seckey_tweak_mul(ctx->curve, p->result.b, p->copy.b);
}

/* a^(n-2): the same row of calls for every a, since only the exponent steers it. Each call fails
 * for a = 0 and for no other scalar. */
bool pre_scalar_invert(const struct pre_context *ctx, struct secret *a)
{
	_cleanup_(powers_wipe) struct powers p = {.of = {[1] = *a}};
	int ok = 1;

	for (size_t i = 2; i < ARRAY_LEN(p.of); i++) {
		p.of[i] = p.of[i - 1];
		ok &= secp256k1_ec_seckey_tweak_mul(ctx->curve, p.of[i].b, a->b);
	}
	p.result = p.of[order_minus_2[0] >> WINDOW];
	for (size_t i = 1; i < 2 * sizeof(order_minus_2); i++) {
		const size_t digit = order_minus_2[i / 2] >> (i % 2 ? 0 : WINDOW) & 15;

		for (int j = 0; j < WINDOW; j++)
			ok &= square(ctx, &p);
		if (digit)
			ok &= secp256k1_ec_seckey_tweak_mul(ctx->curve, p.result.b, p.of[digit].b);
	}
	if (!pre_outcome(ok))
		return false;
	*a = p.result;
	return true;
}

bool pre_scalar_negate(const struct pre_context *ctx, struct secret *a)
{
	return pre_outcome(secp256k1_ec_seckey_negate(ctx->curve, a->b));
}
