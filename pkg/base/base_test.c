#include "pkg/base/arena.h"
#include "pkg/base/test.h"

static void test_err_wrap_keeps_the_class(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(FAIL(&err, ERR_CONFLICT, "it is %d", 7), -ERR_CONFLICT);
	base_err_wrap(&err, "while %s", "writing");
	assert_string_equal(err.msg, "while writing: it is 7");
	assert_int_equal(err.class, ERR_CONFLICT);
	assert_string_equal(base_err_class_name(ERR_CONFLICT), "conflict");
	assert_string_equal(base_err_class_name((enum err_class)99), "unknown");
	for (int i = 0; i < 10; i++)
		base_err_wrap(&err, "%0200d", 1);
	assert_true(strlen(err.msg) < ERR_MSG_MAX);
	assert_int_equal(FAIL(NULL, ERR_BUG, "nobody listens"), -ERR_BUG);
}

static void test_buf_never_passes_its_maximum(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(5);

	(void)state;
	assert_ok("fits", base_buf_add_str(&b, STR("hell"), err));
	assert_class("one too many", ERR_TOO_LARGE, base_buf_add_str(&b, STR("o!"), err));
	assert_ok("exactly", base_buf_addf(&b, err, "%c", 'o'));
	assert_string_equal(b.data, "hello");
	assert_class("full", ERR_TOO_LARGE, base_buf_add_byte(&b, 1, err));
	base_buf_consume(&b, 2);
	assert_string_equal(b.data, "llo");
	assert_class("overflow", ERR_TOO_LARGE, base_buf_add(&b, "", SIZE_MAX, err));
}

static void test_arena_gives_aligned_zeroed_memory(void **state)
{
	_cleanup_(base_arena_free) struct arena *a = NULL;
	void *p = NULL;
	struct str s = STR_NULL;

	(void)state;
	assert_ok("new", base_arena_new(10000, &a, err));
	for (int i = 1; i < 100; i++) {
		assert_ok("alloc", base_arena_alloc(a, (size_t)i % 7, 3, &p, err));
		assert_int_equal((uintptr_t)p % 16, 0);
	}
	assert_ok("printf", base_arena_printf(a, &s, err, "%s-%d", "pod", 12));
	assert_string_equal(s.p, "pod-12");
	p = NULL;
	assert_class("more than it has", ERR_TOO_LARGE, base_arena_alloc(a, 10000, 1, &p, err));
	assert_class("overflow", ERR_TOO_LARGE, base_arena_alloc(a, SIZE_MAX, 2, &p, err));
	assert_null(p);
	base_arena_clear(a);
	assert_ok("after clear", base_arena_alloc(a, 9000, 1, &p, err));
}

static void test_locked_memory_is_usable(void **state)
{
	_cleanup_(base_locked_done) struct locked l = {0};
	struct secret s = {.b = {1, 2, 3}};
	static const struct secret zero;

	(void)state;
	assert_ok("new", base_locked_new(100, &l, err));
	memset(l.p, 7, l.n);
	assert_class("nothing", ERR_INVALID, base_locked_new(0, &l, err));
	base_secret_wipe(&s);
	assert_true(base_ct_equal(&s, &zero, sizeof(s)));
}

static void test_a_wiped_buffer_is_empty(void **state)
{
	struct buf b = base_buf(100);

	(void)state;
	base_buf_wipe(&b);
	assert_ok("add", base_buf_add(&b, "secret", 6, err));
	base_buf_wipe(&b);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_ok("add again", base_buf_add(&b, "x", 1, err));
	base_free(b.data); /* as one who took it over does */
	b.data = NULL;
	base_buf_wipe(&b);
	base_buf_wipe(NULL);
}

static const struct {
	const char *name;
	const char *hex;
	const char *base64; /* NULL: refused */
} base64_rows[] = {
	{"empty", "", ""},
	{"one byte", "66", "Zg=="},
	{"two bytes", "666f", "Zm8="},
	{"three bytes", "666f6f", "Zm9v"},
	{"all ones", "ffffffff", "/////w=="},
};

static void test_base64_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(base64_rows); i++) {
		const char *name = base64_rows[i].name;
		uint8_t raw[8] = {0};
		const size_t n = strlen(base64_rows[i].hex) / 2;
		_cleanup_(base_buf_done) struct buf text = base_buf(64);
		_cleanup_(base_buf_done) struct buf back = base_buf(64);
		assert_ok(name, base_unhex(base_str(base64_rows[i].hex), raw, n, err));
		assert_ok(name, base_base64_add(&text, raw, n, err));
		assert_string_equal(text.data, base64_rows[i].base64);
		assert_ok(name, base_unbase64_add(&back, base_buf_str(&text), err));
		assert_int_equal(back.len, n);
		assert_memory_equal(back.data, raw, n);
	}
}

static void test_base64_refuses(void **state)
{
	static const char *const bad[] = {
		"Zg=", "Zg", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm-v"};
	_cleanup_(base_buf_done) struct buf b = base_buf(64);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_class(bad[i], ERR_INVALID, base_unbase64_add(&b, base_str(bad[i]), err));
		assert_int_equal(b.len, 0);
	}
}

static void test_hex_is_strict(void **state)
{
	uint8_t raw[2] = {9, 9};
	char text[5];

	(void)state;
	assert_class("upper case", ERR_INVALID, base_unhex(STR("00FF"), raw, 2, err));
	assert_class("short", ERR_INVALID, base_unhex(STR("00f"), raw, 2, err));
	assert_class("not hex", ERR_INVALID, base_unhex(STR("00fg"), raw, 2, err));
	assert_int_equal(raw[0], 9);
	assert_ok("good", base_unhex(STR("00ff"), raw, 2, err));
	base_hex(raw, 2, text);
	assert_string_equal(text, "00ff");
}

static void test_numbers_are_strict(void **state)
{
	uint64_t n = 5;

	(void)state;
	assert_class("empty", ERR_INVALID, base_parse_u64(STR(""), 9, &n, err));
	assert_class("sign", ERR_INVALID, base_parse_u64(STR("+1"), 9, &n, err));
	assert_class("leading zero", ERR_INVALID, base_parse_u64(STR("01"), 9, &n, err));
	assert_class("above max", ERR_INVALID, base_parse_u64(STR("10"), 9, &n, err));
	assert_class("2^64", ERR_INVALID,
		base_parse_u64(STR("18446744073709551616"), UINT64_MAX, &n, err));
	assert_int_equal(n, 5);
	assert_ok("2^64-1", base_parse_u64(STR("18446744073709551615"), UINT64_MAX, &n, err));
	assert_true(n == UINT64_MAX);
}

static void test_times_both_ways(void **state)
{
	char text[BASE_TIME_LEN];
	int64_t t = 1;

	(void)state;
	base_time_format(1700000000LL * NS_PER_S, text);
	assert_string_equal(text, "2023-11-14T22:13:20Z");
	base_time_format_micro(1700000000LL * NS_PER_S + 12345678, text);
	assert_string_equal(text, "2023-11-14T22:13:20.012345Z");
	assert_ok("micro", base_time_parse(base_str(text), &t, err));
	assert_true(t == 1700000000LL * NS_PER_S + 12345000);
	assert_ok("nano", base_time_parse(STR("2023-11-14T22:13:20.123456789Z"), &t, err));
	assert_true(t == 1700000000LL * NS_PER_S + 123456789);
}

static void test_times_refused(void **state)
{
	static const char *const bad[] = {"", "2023-11-14", "2023-11-14T22:13:20",
		"2023-02-30T00:00:00Z", "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20+01:00",
		"2023-11-14T25:13:20Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z",
		"2023-11-14T22:13:20.1234567890Z", "2023-1x-14T22:13:20Z",
		"20\x1e\x01-11-14T22:13:20Z"};
	int64_t t = 77;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_class(bad[i], ERR_INVALID, base_time_parse(base_str(bad[i]), &t, err));
	assert_true(t == 77);
}

static void test_json_strings(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} rows[] = {
		{STR("plain /"), "\"plain /\""},
		{STR("a\"b\\c"), "\"a\\\"b\\\\c\""},
		{STR("\n\0\x7f"), "\"\\u000a\\u0000\\u007f\""},
		{STR("\xc3\xbc\xff"), "\"\xc3\xbc\\ufffd\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf b = base_buf(100);
		assert_ok(rows[i].out, base_json_str_add(&b, rows[i].in, err));
		assert_string_equal(b.data, rows[i].out);
	}
}

static void test_fake_env_repeats(void **state)
{
	struct env_fake one = {.seed = 4};
	struct env_fake two = {.seed = 4};
	struct env a = base_env_fake(&one);
	struct env b = base_env_fake(&two);
	uint8_t x[100];
	uint8_t y[100];

	(void)state;
	assert_ok("a", base_random(&a, x, sizeof(x), err));
	assert_ok("b", base_random(&b, y, sizeof(y), err));
	assert_memory_equal(x, y, sizeof(x));
	for (int i = 0; i < 100; i++) {
		const int64_t j = base_jitter(&a, 5, 9);
		assert_true(j >= 5 && j <= 9);
	}
	one.fail_after = 1;
	assert_class("planned", ERR_TERMINAL, base_random(&a, x, sizeof(x), err));
}

static void test_str_slices(void **state)
{
	char dst[4] = "old";

	(void)state;
	assert_true(base_str_starts(STR("fk-orders"), STR("fk-")));
	assert_false(base_str_starts(STR("fk"), STR("fk-")));
	assert_true(base_str_ends(STR("a.b"), STR(".b")));
	assert_true(base_str_eq(base_str_trim(STR(" \n x\t")), STR("x")));
	assert_true(base_str_eq(base_str_trim(STR(" \n")), STR_NULL));
	assert_true(base_str_cmp(STR("a"), STR("ab")) < 0);
	assert_int_equal(base_str_find(STR("a/b"), '/', 0), 1);
	assert_class("too long", ERR_TOO_LARGE, base_str_copy(STR("abcd"), dst, 4, "it", err));
	assert_class("NUL inside", ERR_TOO_LARGE, base_str_copy(STR("a\0b"), dst, 4, "it", err));
	assert_string_equal(dst, "old");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_wrap_keeps_the_class),
		cmocka_unit_test(test_buf_never_passes_its_maximum),
		cmocka_unit_test(test_arena_gives_aligned_zeroed_memory),
		cmocka_unit_test(test_locked_memory_is_usable),
		cmocka_unit_test(test_a_wiped_buffer_is_empty),
		cmocka_unit_test(test_base64_both_ways),
		cmocka_unit_test(test_base64_refuses),
		cmocka_unit_test(test_hex_is_strict),
		cmocka_unit_test(test_numbers_are_strict),
		cmocka_unit_test(test_times_both_ways),
		cmocka_unit_test(test_times_refused),
		cmocka_unit_test(test_json_strings),
		cmocka_unit_test(test_fake_env_repeats),
		cmocka_unit_test(test_str_slices),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
