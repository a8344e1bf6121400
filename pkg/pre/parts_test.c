/* The building blocks, against published values and against slower ways. */
#include "pkg/pre/test_world.h"

static void unhex(const char *hex, uint8_t *dst, size_t n)
{
	assert_ok(hex, base_unhex(base_str(hex), dst, n, err));
}

/* draft-irtf-cfrg-xchacha-03, section 2.2.1 */
static void test_hchacha20(void **state)
{
	struct secret key;
	struct secret got = {0};
	uint8_t nonce[16];
	uint8_t expected[32];

	(void)state;
	for (size_t i = 0; i < sizeof(key.b); i++)
		key.b[i] = (uint8_t)i;
	unhex("000000090000004a0000000031415927", nonce, sizeof(nonce));
	unhex("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc", expected,
		sizeof(expected));
	pre_hchacha20(&key, nonce, &got);
	assert_memory_equal(got.b, expected, sizeof(expected));
}

/* RFC 5869, test case 3 */
static void test_hkdf(void **state)
{
	struct world w;
	uint8_t ikm[22];
	uint8_t expected[42];
	uint8_t got[42];

	(void)state;
	world_keys(&w);
	memset(ikm, 0x0b, sizeof(ikm));
	unhex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c"
	      "8",
		expected, sizeof(expected));
	assert_ok("hkdf",
		pre_hkdf(w.ctx, pre_part(ikm, sizeof(ikm)), STR_NULL, got, sizeof(got), err));
	assert_memory_equal(got, expected, sizeof(expected));
	assert_class(
		"more than two blocks", ERR_BUG, pre_hkdf(w.ctx, STR("x"), STR_NULL, got, 65, err));
	world_done(&w);
}

static void test_digest_to_scalar(void **state)
{
	static const struct {
		const char *digest, *scalar;
	} rows[] = {
		{"0000000000000000000000000000000000000000000000000000000000000000",
			"0000000000000000000000000000000000000000000000000000000000000001"},
		/* n - 2, n - 1, n, all ones */
		{"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd036413f",
			"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"},
		{"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
			"0000000000000000000000000000000000000000000000000000000000000001"},
		{"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
			"0000000000000000000000000000000000000000000000000000000000000002"},
		{"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
			"000000000000000000000000000000014551231950b75fc4402da1732fc9bec0"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t in[32];
		uint8_t expected[32];
		uint8_t got[32];
		unhex(rows[i].digest, in, sizeof(in));
		unhex(rows[i].scalar, expected, sizeof(expected));
		pre_digest_to_scalar(in, got);
		assert_memory_equal(got, expected, sizeof(got));
	}
}

static void test_scalar_range(void **state)
{
	static const struct {
		const char *hex;
		bool in_range;
	} rows[] = {
		{"0000000000000000000000000000000000000000000000000000000000000000", true},
		{"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140", true},
		{"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", false},
		{"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", false},
		{"ffffffffffffffffffffffffffffffff00000000000000000000000000000000", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t b[32];
		unhex(rows[i].hex, b, sizeof(b));
		assert_int_equal(pre_scalar_in_range(b), rows[i].in_range);
	}
}

static void test_inverse(void **state)
{
	struct world w;
	const struct secret one = {.b = {[31] = 1}};
	struct secret zero = {0};
	struct secret minus_one = one;

	(void)state;
	world_keys(&w);
	for (int i = 0; i < 200; i++) {
		struct secret k = {0};
		assert_ok("draw", pre_scalar_random(w.ctx, &k, err));
		struct secret inverse = k;
		assert_true(pre_scalar_invert(w.ctx, &inverse));
		assert_true(pre_scalar_mul(w.ctx, &inverse, k.b));
		assert_memory_equal(inverse.b, one.b, sizeof(one.b));
	}
	assert_false(pre_scalar_invert(w.ctx, &zero));
	assert_true(pre_scalar_negate(w.ctx, &minus_one));
	struct secret again = minus_one;
	assert_true(pre_scalar_invert(w.ctx, &again));
	assert_memory_equal(again.b, minus_one.b, sizeof(again.b));
	world_done(&w);
}

/* A draw that is no scalar is drawn again. */
static void test_random_scalars_are_redrawn(void **state)
{
	static const uint8_t draws[96] = {[95] = 5};
	struct world w;
	struct secret k = {0};
	uint8_t script[96];

	(void)state;
	memcpy(script, draws, sizeof(script));
	memset(script + 32, 0xff, 32);
	world_keys(&w);
	w.fake.script = script;
	w.fake.script_len = sizeof(script);
	assert_ok("draw", pre_scalar_random(w.ctx, &k, err));
	assert_int_equal(k.b[31], 5);
	assert_int_equal(w.fake.script_len, 0);
	world_done(&w);
}

/* One recovery says the same as the equation, for what is right and for what is not. */
static void test_both_ways_of_checking_a_capsule_agree(void **state)
{
	struct world w;

	(void)state;
	world_keys(&w);
	for (int i = 0; i < 4000; i++) {
		struct pre_capsule c;
		struct pre_point fast_v = {0};
		struct pre_point plain_v = {0};
		bool possible = false;

		if (i % 50 == 0)
			assert_ok("wrap",
				pre_wrap(w.ctx, &w.delegating, &w.k, w.wire, w.wrapped, err));
		assert_ok("parse", pre_capsule_parse(w.ctx, w.wire, sizeof(w.wire), &c, err));
		/* Every second one is wrong somewhere in s, h, E or V. */
		const bool wrong = i & 1;
		uint8_t noise[2] = {0};
		assert_ok("noise", base_random(&w.env, noise, sizeof(noise), err));
		if (wrong && noise[1] & 1)
			c.b[PRE_CAPSULE_S + noise[0] % 32] ^= 4;
		else if (wrong && noise[1] & 2)
			c.h[noise[0] % 32] ^= 4;
		else if (wrong)
			c.b[noise[1] & 4 ? PRE_CAPSULE_E : PRE_CAPSULE_V] ^= 1;
		if (!pre_point_parse(w.ctx, c.b + PRE_CAPSULE_E, &c.e))
			fail_msg("flipping the sign keeps a point a point");
		const bool fast = pre_capsule_proof_fast(w.ctx, &c, &fast_v, &possible);
		assert_true(possible);
		assert_int_equal(fast, !wrong);
		assert_int_equal(pre_capsule_proof_plain(w.ctx, &c, &plain_v), !wrong);
		if (!wrong)
			assert_true(pre_point_eq(w.ctx, &fast_v, &plain_v));
	}
	world_done(&w);
}

static void test_recovery_knows_where_it_says_nothing(void **state)
{
	struct world w;
	struct pre_capsule c;
	struct pre_point v;
	bool possible = true;

	(void)state;
	world_make(&w, 1, 1, PRE_SIGN_BOTH);
	c = w.capsule;
	memset(c.b + PRE_CAPSULE_S, 0, PRE_SCALAR_LEN);
	assert_false(pre_capsule_proof_fast(w.ctx, &c, &v, &possible));
	assert_false(possible);
	assert_false(pre_capsule_proof_plain(w.ctx, &c, &v));
	c = w.capsule;
	memset(c.b + PRE_CAPSULE_E + 1, 0xff, 32);
	assert_false(pre_capsule_proof_fast(w.ctx, &c, &v, &possible));
	assert_false(possible);
	world_done(&w);
}

static void test_fingerprint(void **state)
{
	struct world w;
	uint8_t digest[32];
	const struct str part = pre_part(w.delegating.b, sizeof(w.delegating.b));

	(void)state;
	world_keys(&w);
	assert_ok("sha", pre_sha256(w.ctx, &part, 1, digest, err));
	const struct pre_fingerprint fp = pre_fingerprint(&w.delegating);
	assert_memory_equal(fp.b, digest, sizeof(fp.b));
	world_done(&w);
}

static void test_reasons_have_words(void **state)
{
	(void)state;
	for (int i = PRE_REASON_NONE + 1; i < PRE_REASON_COUNT; i++)
		assert_string_not_equal(pre_reason_name(i), "other");
	assert_string_equal(pre_reason_name(-1), "other");
	assert_string_equal(pre_reason_name(PRE_REASON_COUNT), "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hchacha20),
		cmocka_unit_test(test_hkdf),
		cmocka_unit_test(test_digest_to_scalar),
		cmocka_unit_test(test_scalar_range),
		cmocka_unit_test(test_inverse),
		cmocka_unit_test(test_random_scalars_are_redrawn),
		cmocka_unit_test(test_both_ways_of_checking_a_capsule_agree),
		cmocka_unit_test(test_recovery_knows_where_it_says_nothing),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_reasons_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
