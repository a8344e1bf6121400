/* Cfrags: what is taken is taken whole, verifies under no key that is none, and opens nothing with
 * a capsule and keys that it does not belong to. Each input is tried as it is and with its framing
 * mended. */
#include "pkg/pre/hold.h"
#include "pkg/pre/internal.h"
#include "pkg/pre/send.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fixture {
	struct env env;
	struct env_fake fake;
	struct pre_context *ctx;
	struct secret a, b;
	struct pre_public_key delegating, receiving;
	struct pre_capsule capsule;
	uint8_t wrapped[PRE_WRAPPED_LEN];
};

static struct fixture *fixture(void)
{
	static struct fixture f;
	uint8_t wire[PRE_CAPSULE_LEN];
	const struct secret k = {0};

	if (f.ctx)
		return &f;
	f.env = base_env_fake(&f.fake);
	base_assert(pre_context_new(&f.env, &f.ctx, NULL) == 0);
	base_assert(pre_keygen(f.ctx, &f.a, &f.delegating, NULL) == 0);
	base_assert(pre_keygen(f.ctx, &f.b, &f.receiving, NULL) == 0);
	base_assert(pre_wrap(f.ctx, &f.delegating, &k, wire, f.wrapped, NULL) == 0);
	base_assert(pre_capsule_parse(f.ctx, wire, sizeof(wire), &f.capsule, NULL) == 0);
	return &f;
}

static void check(struct fixture *f, const uint8_t *p, size_t n)
{
	static const struct pre_public_key none;
	_cleanup_(base_buf_done) struct buf plain = base_buf(1000);
	struct pre_cfrag c;
	const struct pre_receiver receiver = {
		.sk = &f->b, .pk = &f->receiving, .delegating = &f->delegating};
	const struct pre_cfrags cfrags = {.v = &c, .n = 1};

	if (pre_cfrag_parse(f->ctx, p, n, &c, NULL) < 0)
		return;
	base_assert(n == sizeof(c.b) && memcmp(c.b, p, n) == 0);
	base_assert(pre_cfrag_verify(f->ctx, &c, &f->capsule, &none, &none, &none, NULL) < 0);
	base_assert(pre_decrypt_reencrypted(f->ctx, &receiver, &f->capsule, cfrags,
			    base_str_n(f->wrapped, sizeof(f->wrapped)), &plain, NULL) < 0);
	base_assert(plain.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fixture *f = fixture();
	uint8_t b[PRE_CFRAG_LEN];

	check(f, data, size);
	if (size < sizeof(b))
		return 0;
	memcpy(b, data, sizeof(b));
	pre_frame_write(b, pre_cfrag_frames, ARRAY_LEN(pre_cfrag_frames));
	check(f, b, sizeof(b));
	return 0;
}
