#include "pkg/base/map.h"
#include "pkg/base/test.h"

static struct str name(char *buf, size_t n, unsigned i)
{
	const int len = snprintf(buf, n, "pod-%u", i);

	return base_str_n(buf, (size_t)len);
}

static void test_thousands_come_and_go(void **state)
{
	_cleanup_(base_map_free) struct map *m = NULL;
	static int values[5000];
	char buf[32];
	size_t seen = 0;

	(void)state;
	assert_ok("new", base_map_new(5000, &m, err));
	assert_null(base_map_get(m, STR("pod-1")));
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 5000; i++)
			assert_ok("put", base_map_put(m, name(buf, 32, i), &values[i], NULL, err));
		assert_class("full", ERR_TOO_LARGE,
			base_map_put(m, STR("one more"), &values[0], NULL, err));
		for (unsigned i = 0; i < 5000; i += 2)
			assert_ptr_equal(base_map_remove(m, name(buf, 32, i)), &values[i]);
		for (unsigned i = 0; i < 5000; i++)
			assert_ptr_equal(base_map_get(m, name(buf, 32, i)),
				i % 2 ? (void *)&values[i] : NULL);
	}
	assert_int_equal(base_map_len(m), 2500);
	struct str key = STR_NULL;
	void *value = NULL;
	for (size_t at = 0; base_map_next(m, &at, &key, &value); seen++)
		assert_ptr_equal(base_map_remove(m, key), value);
	assert_int_equal(seen, 2500);
	assert_int_equal(base_map_len(m), 0);
}

static void test_replacing_gives_the_old_value(void **state)
{
	_cleanup_(base_map_free) struct map *m = NULL;
	int a = 0;
	int b = 0;
	void *old = NULL;

	(void)state;
	assert_ok("new", base_map_new(1, &m, err));
	assert_ok("empty key", base_map_put(m, STR_NULL, &a, &old, err));
	assert_null(old);
	assert_ok("again", base_map_put(m, STR_NULL, &b, &old, err));
	assert_ptr_equal(old, &a);
	assert_null(base_map_remove(m, STR("x")));
}

static int torture(void *ctx, struct err *err)
{
	_cleanup_(base_map_free) struct map *m = NULL;
	char buf[32];

	TRY(base_map_new(100, &m, err));
	for (unsigned i = 0; i < 50; i++)
		TRY(base_map_put(m, name(buf, 32, i), ctx, NULL, err));
	return base_map_len(m) == 50 ? 0 : FAIL(err, ERR_BUG, "lost entries");
}

static void test_no_memory(void **state)
{
	int value = 0;

	(void)state;
	assert_true(torture_run("map", torture, &value, 1) > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thousands_come_and_go),
		cmocka_unit_test(test_replacing_gives_the_old_value),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
