/* Kfrags: what is taken is taken whole, holds our U, and only the commitment that fits verifies.
 * Each input is tried as it is and with framing and U mended. */
#include "pkg/pre/hold.h"
#include "pkg/pre/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pre_context *context(void)
{
	static struct env env;
	static struct env_fake fake;
	static struct pre_context *ctx;

	env = base_env_fake(&fake);
	if (!ctx)
		base_assert(pre_context_new(&env, &ctx, NULL) == 0);
	return ctx;
}

static void check(struct pre_context *ctx, const uint8_t *p, size_t n)
{
	static const struct pre_public_key none;
	_cleanup_(pre_kfrag_wipe) struct pre_kfrag k = {0};

	if (pre_kfrag_parse(ctx, p, n, &k, NULL) < 0)
		return;
	base_assert(n == sizeof(k.b) && memcmp(k.b, p, n) == 0);
	base_assert(memcmp(k.b + PRE_KFRAG_U, pre_u_bytes, PRE_POINT_LEN) == 0);
	/* Nobody signs with a key that is none. */
	base_assert(pre_kfrag_verify(ctx, &k, &none, &none, &none, NULL) < 0);
	base_assert(pre_kfrag_verify_both(ctx, &k, &none, &none, &none, NULL) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pre_context *ctx = context();
	uint8_t b[PRE_KFRAG_LEN];

	check(ctx, data, size);
	if (size < sizeof(b))
		return 0;
	memcpy(b, data, sizeof(b));
	pre_frame_write(b, pre_kfrag_frames, ARRAY_LEN(pre_kfrag_frames));
	memcpy(b + PRE_KFRAG_U, pre_u_bytes, PRE_POINT_LEN);
	check(ctx, b, sizeof(b));
	return 0;
}
