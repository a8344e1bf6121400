/* OpenSSL's allocations failed in turn, beside ours: contexts, sealing and opening with a content
 * key. What needs a fingerprint is outside (docs/testing.md). */
#include <openssl/crypto.h>

#include "pkg/base/torture_libs.h"
#include "pkg/envelope/open.h"
#include "pkg/envelope/seal.h"

static int life(void *arg, struct err *err)
{
	const struct env *env = arg;
	_cleanup_(envelope_context_free) struct envelope_context *ctx = NULL;
	_cleanup_(envelope_sealer_done) struct envelope_sealer s = {0};
	_cleanup_(envelope_opener_done) struct envelope_opener o = {0};
	_cleanup_(base_buf_done) struct buf sealed = base_buf(4096);
	_cleanup_(base_buf_done) struct buf plain = base_buf(4096);
	const struct secret key = {.b = {7}};
	struct envelope_header h = {.type = STR("text/plain"), .has_length = true, .length = 5};
	struct envelope_message m;

	h.recipient_count = 1;
	h.recipients[0] =
		(struct envelope_recipient){.alg = ENVELOPE_ALG_UMBRAL, .name = STR("shop/orders")};
	TRY(envelope_context_new(env, &ctx, err));
	TRY(envelope_sealer_begin(&s, ctx, &h, &key, &sealed, err));
	TRY(envelope_sealer_add(&s, STR("hello"), &sealed, err));
	TRY(envelope_sealer_end(&s, &sealed, err));
	TRY(envelope_parse(base_buf_str(&sealed), &m, err));
	TRY(envelope_opener_begin(&o, ctx, &m, &key, err));
	TRY(envelope_opener_add(
		&o, base_str_sub(base_buf_str(&sealed), m.body_at, sealed.len), &plain, err));
	TRY(envelope_opener_end(&o, &plain, err));
	assert_true(base_str_eq(base_buf_str(&plain), STR("hello")));
	return 0;
}

/* OpenSSL keeps what it knows of a thread, such as its last errors: given back after each run. */
static int whole_life(void *arg, struct err *err)
{
	const int r = life(arg, err);

	OPENSSL_thread_stop();
	return r;
}

static void test_each_allocation_fails(void **state)
{
	struct env env = base_env_system();
	struct err err = {0};

	(void)state;
	if (whole_life(&env, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(torture_run_as("contexts", whole_life, &env, 1, TORTURE_LIBRARY) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_fails),
	};

	torture_openssl();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
