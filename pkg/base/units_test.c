#include "pkg/base/test.h"
#include "pkg/base/units.h"

static const struct {
	const char *text;
	int64_t ns;
} durations[] = {
	{"0s", 0},
	{"1ns", 1},
	{"30s", 30 * NS_PER_S},
	{"1m30s", 90 * NS_PER_S},
	{"1h1m1s1ms1us1ns", 3661001001001},
	{"250ms", 250 * NS_PER_MS},
	{"2562047h47m16s854ms775us807ns", INT64_MAX},
};

static const struct {
	const char *text;
	uint64_t n;
} sizes[] = {
	{"0", 0},
	{"1023", 1023},
	{"1Ki", 1024},
	{"64Mi", 64ULL << 20},
	{"3Gi", 3ULL << 30},
	{"16777215Ti", 16777215ULL << 40},
};

static void test_both_ways(void **state)
{
	char text[BASE_UNITS_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		int64_t ns = -1;
		assert_ok(durations[i].text,
			base_parse_duration(base_str(durations[i].text), &ns, err));
		assert_true(ns == durations[i].ns);
		base_format_duration(ns, text);
		assert_string_equal(text, durations[i].text);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint64_t n = 1;
		assert_ok(sizes[i].text, base_parse_size(base_str(sizes[i].text), &n, err));
		assert_true(n == sizes[i].n);
		base_format_size(n, text);
		assert_string_equal(text, sizes[i].text);
	}
}

static void test_refused(void **state)
{
	static const char *const bad_durations[] = {"", "s", "30", "-1s", "1.5s", "1s30m", "1s1s",
		" 1s", "1s ", "1S", "1d", "2562048h", "9223372036854775808ns",
		"99999999999999999999s", "1\0s"};
	static const char *const bad_sizes[] = {
		"", "Ki", "1K", "1KiB", "1 Ki", "-1", "1Ki1", "16777216Ti", "18446744073709551616"};
	int64_t ns = 7;
	uint64_t n = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_durations); i++)
		assert_class(bad_durations[i], ERR_INVALID,
			base_parse_duration(base_str(bad_durations[i]), &ns, err));
	for (size_t i = 0; i < ARRAY_LEN(bad_sizes); i++)
		assert_class(bad_sizes[i], ERR_INVALID,
			base_parse_size(base_str(bad_sizes[i]), &n, err));
	assert_true(ns == 7 && n == 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
