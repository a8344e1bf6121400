#include "pkg/kube/ref.h"

#include "pkg/base/test.h"

static const struct {
	const char *name, *a, *b;
	int want; /* -1, 0, 1; 2: INVALID */
} rows[] = {
	{"equal", "5", "5", 0},
	{"less", "5", "6", -1},
	{"longer is greater", "10", "9", 1},
	{"shorter is less", "999", "1000", -1},
	{"2^64 and beyond", "18446744073709551616", "18446744073709551615", 1},
	{"forty digits", "1000000000000000000000000000000000000000",
		"1000000000000000000000000000000000000001", -1},
	{"zero has no order", "0", "1", 2},
	{"zero on the right", "1", "0", 2},
	{"empty", "", "1", 2},
	{"leading zero", "01", "1", 2},
	{"sign", "+1", "1", 2},
	{"minus", "-1", "1", 2},
	{"space", " 1", "1", 2},
	{"hex", "1a", "1", 2},
	{"opaque", "abc", "abc", 2},
};

static void test_rv_cmp(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct str a = base_str(rows[i].a), b = base_str(rows[i].b);
		int cmp = 77;
		if (rows[i].want == 2) {
			assert_class(rows[i].name, ERR_INVALID, kube_rv_cmp(a, b, &cmp, err));
			assert_int_equal(cmp, 77);
			continue;
		}
		assert_ok(rows[i].name, kube_rv_cmp(a, b, &cmp, err));
		assert_int_equal((cmp > 0) - (cmp < 0), rows[i].want);
		assert_ok(rows[i].name, kube_rv_cmp(b, a, &cmp, err));
		assert_int_equal((cmp > 0) - (cmp < 0), -rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rv_cmp),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
