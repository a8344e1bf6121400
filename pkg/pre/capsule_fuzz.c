/* Capsules: what is taken is taken whole, and both ways of checking the proof agree. Each input
 * is tried as it is and with its framing mended, so that mutations get past it. */
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

static void compare(struct pre_context *ctx, const uint8_t *b, bool taken)
{
	struct pre_capsule c = {0};
	struct pre_point v;
	bool possible = false;

	memcpy(c.b, b, sizeof(c.b));
	if (!pre_point_parse(ctx, b + PRE_CAPSULE_E, &c.e) ||
		pre_capsule_h(ctx, b + PRE_CAPSULE_E, b + PRE_CAPSULE_V, c.h, NULL) < 0)
		return;
	const bool plain = pre_capsule_proof_plain(ctx, &c, &v);
	const bool fast = pre_capsule_proof_fast(ctx, &c, &v, &possible);
	base_assert(!possible || fast == plain);
	base_assert(!taken || plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pre_context *ctx = context();
	struct pre_capsule c;
	uint8_t b[PRE_CAPSULE_LEN];

	const bool taken = pre_capsule_parse(ctx, data, size, &c, NULL) == 0;
	base_assert(!taken || (size == sizeof(b) && memcmp(c.b, data, size) == 0));
	if (size < sizeof(b))
		return 0;
	memcpy(b, data, sizeof(b));
	pre_frame_write(b, pre_capsule_frames, ARRAY_LEN(pre_capsule_frames));
	compare(ctx, b, pre_capsule_parse(ctx, b, sizeof(b), &c, NULL) == 0);
	return 0;
}
