#include "pkg/pre/test_world.h"

static int new_context(void *p, struct err *err)
{
	struct world *w = p;
	_cleanup_(pre_context_free) struct pre_context *ctx = NULL;

	return pre_context_new(&w->env, &ctx, err);
}

static int encrypt(void *p, struct err *err)
{
	struct world *w = p;
	_cleanup_(base_buf_done) struct buf out = base_buf(4096);
	uint8_t capsule[PRE_CAPSULE_LEN];

	return pre_encrypt(w->ctx, &w->delegating, STR("a plaintext"), capsule, &out, err);
}

static int decrypt_original(void *p, struct err *err)
{
	struct world *w = p;
	_cleanup_(base_buf_done) struct buf plain = base_buf(4096);
	const int r = pre_decrypt_original(
		w->ctx, &w->a, &w->capsule, pre_part(w->wrapped, sizeof(w->wrapped)), &plain, err);

	assert_int_equal(plain.len, r == 0 ? SECRET_LEN : 0);
	return r;
}

static int decrypt_reencrypted(void *p, struct err *err)
{
	struct world *w = p;
	_cleanup_(base_buf_done) struct buf plain = base_buf(4096);
	const struct pre_receiver receiver = {.sk = &w->b, .delegating = &w->delegating};
	const struct pre_cfrags cfrags = {.v = w->cfrags, .n = 2};
	const int r = pre_decrypt_reencrypted(w->ctx, &receiver, &w->capsule, cfrags,
		pre_part(w->wrapped, sizeof(w->wrapped)), &plain, err);

	assert_int_equal(plain.len, r == 0 ? SECRET_LEN : 0);
	return r;
}

static void test_each_allocation_may_fail(void **state)
{
	static const struct {
		const char *name;
		torture_case run;
	} rows[] = {
		{"context", new_context},
		{"encrypt", encrypt},
		{"decrypt original", decrypt_original},
		{"decrypt re-encrypted", decrypt_reencrypted},
	};
	struct world w;

	(void)state;
	world_make(&w, 2, 3, PRE_SIGN_BOTH);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(torture_run(rows[i].name, rows[i].run, &w, 1) > 0);
	world_done(&w);
}

/* All else works without memory of its own: with every allocation failing, it succeeds. */
static void test_the_rest_allocates_nothing(void **state)
{
	struct world w;
	struct secret opening = {0};
	struct pre_signature sig;

	(void)state;
	world_make(&w, 1, 1, PRE_SIGN_BOTH);
	const size_t live = base_alloc_live();
	base_alloc_fail_at(1);
	const struct pre_shares how = {.threshold = 1, .shares = 1, .flags = PRE_SIGN_BOTH};
	assert_ok("kfrags",
		pre_kfrags_generate(w.ctx, &w.a, &w.receiving, &w.s, &how, w.kfrags, err));
	assert_ok("wrap", pre_wrap(w.ctx, &w.delegating, &w.k, w.wire, w.wrapped, err));
	assert_ok("capsule", pre_capsule_parse(w.ctx, w.wire, sizeof(w.wire), &w.capsule, err));
	assert_ok("grant", pre_grant_open(w.ctx, &w.b, &w.delegating, &w.verifying, &w.kfrags[0],
				   &opening, err));
	assert_ok("unwrap", pre_unwrap(w.ctx, &opening, &w.capsule, w.wrapped, &w.k, err));
	assert_ok("reencrypt", pre_reencrypt(w.ctx, &w.capsule, &w.kfrags[0], &w.cfrags[0], err));
	assert_ok("sign", pre_sign(w.ctx, &w.s, "c", STR("m"), &sig, err));
	assert_ok("COSE", pre_sign_cose(w.ctx, &w.s, STR("\x84\x6aSignature1"), &sig, err));
	assert_false(base_alloc_failed());
	base_alloc_fail_at(0);
	assert_int_equal(base_alloc_live(), live);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_may_fail),
		cmocka_unit_test(test_the_rest_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
