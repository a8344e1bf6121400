#include "pkg/base/test.h"
#include "pkg/kube/condition.h"

static struct kube_condition condition(const char *type, enum kube_truth status, const char *reason,
	const char *message, int64_t generation)
{
	return (struct kube_condition){.type = base_str(type),
		.status = status,
		.reason = base_str(reason),
		.message = base_str(message),
		.observed_generation = generation};
}

static void test_time_moves_only_with_the_status(void **state)
{
	static const struct {
		const char *name;
		enum kube_truth status;
		const char *reason, *message;
		int64_t generation, now, since;
		bool changed;
	} rows[] = {
		{"new", KUBE_FALSE, "Waiting", "m", 1, 10, 10, true},
		{"the same", KUBE_FALSE, "Waiting", "m", 1, 20, 10, false},
		{"message", KUBE_FALSE, "Waiting", "other", 1, 30, 10, true},
		{"reason", KUBE_FALSE, "Still", "other", 1, 40, 10, true},
		{"generation", KUBE_FALSE, "Still", "other", 2, 50, 10, true},
		{"status", KUBE_TRUE, "Still", "other", 2, 60, 60, true},
		{"and back", KUBE_UNKNOWN, "Still", "other", 2, 70, 70, true},
		{"quiet", KUBE_UNKNOWN, "Still", "other", 2, 80, 70, false},
	};
	struct kube_condition list[2];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool changed = !rows[i].changed;
		const struct kube_condition want = condition("Ready", rows[i].status,
			rows[i].reason, rows[i].message, rows[i].generation);
		assert_ok(rows[i].name,
			kube_condition_set(list, &n, 2, &want, rows[i].now, &changed, err));
		if (changed != rows[i].changed || list[0].since_wall_ns != rows[i].since || n != 1)
			fail_msg("%s: changed %d, since %lld", rows[i].name, changed,
				(long long)list[0].since_wall_ns);
	}
}

static void test_bounds_and_refusals(void **state)
{
	static const struct {
		const char *type, *reason;
		bool ok;
	} rows[] = {{"A", "Good_1:x,y", true}, {"A", "", false}, {"", "Good", false},
		{"A", "1st", false}, {"A", "bad reason", false}, {"A", "Ends:", false},
		{"A", "_x", false}, {"A", "\xc3\xa4", false}};
	struct kube_condition list[2];
	bool changed = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = 0;
		const struct kube_condition c =
			condition(rows[i].type, KUBE_TRUE, rows[i].reason, "", 0);
		const int r = kube_condition_set(list, &n, 2, &c, 1, &changed, NULL);
		if ((r == 0) != rows[i].ok || n != (size_t)rows[i].ok)
			fail_msg("%s/%s: %d", rows[i].type, rows[i].reason, r);
	}
	size_t n = 0;
	struct kube_condition c = condition("A", KUBE_TRUE, "R", "", 0);
	assert_ok("one", kube_condition_set(list, &n, 2, &c, 1, &changed, err));
	c.type = STR("B");
	assert_ok("two", kube_condition_set(list, &n, 2, &c, 1, &changed, err));
	c.type = STR("C");
	assert_class("full", ERR_TOO_LARGE, kube_condition_set(list, &n, 2, &c, 1, &changed, err));
	assert_non_null(kube_condition_find(list, n, STR("B")));
	assert_null(kube_condition_find(list, n, STR("C")));
}

#define GOOD                                                                      \
	"[{\"type\":\"Ready\",\"status\":\"True\",\"observedGeneration\":3,"      \
	"\"lastTransitionTime\":\"1970-01-01T00:00:09Z\",\"reason\":\"AllGood\"," \
	"\"message\":\"a \\\"b\\\"\"},{\"type\":\"X\",\"status\":\"Unknown\","    \
	"\"lastTransitionTime\":\"1970-01-01T00:00:00Z\",\"reason\":\"R\",\"message\":\"\"}]"

static void test_json_both_ways(void **state)
{
	_cleanup_(base_arena_free) struct arena *arena = NULL;
	_cleanup_(base_buf_done) struct buf b = base_buf(4096);
	struct kube_condition list[4];
	size_t n = 0;

	(void)state;
	assert_ok("arena", base_arena_new(4096, &arena, err));
	assert_ok("parse", kube_conditions_parse(STR(GOOD), arena, list, 4, &n, err));
	assert_int_equal(n, 2);
	assert_true(base_str_eq(list[0].message, STR("a \"b\"")));
	assert_int_equal(list[0].since_wall_ns, 9 * NS_PER_S);
	assert_ok("write", kube_conditions_add(&b, list, n, err));
	assert_string_equal(b.data, GOOD);
	base_buf_clear(&b);
	assert_ok("none", kube_conditions_add(&b, list, 0, err));
	assert_string_equal(b.data, "[]");
}

static void test_bad_json(void **state)
{
	static const char *const rows[] = {"", "{}", "[1]", "[{}]", "[{\"type\":\"A\"}]",
		"[{\"type\":\"A\",\"status\":\"Yes\",\"reason\":\"R\"}]",
		"[{\"type\":\"A\",\"status\":true,\"reason\":\"R\"}]",
		"[{\"type\":\"A\",\"reason\":\"R\",\"lastTransitionTime\":\"x\"}]",
		"[{\"type\":\"A\",\"status\":\"True\",\"reason\":\"R\"}] x",
		"[{\"type\":\"A\",\"status\":\"True\",\"reason\":\"R\"}"};
	_cleanup_(base_arena_free) struct arena *arena = NULL;
	struct kube_condition list[4];
	size_t n = 77;

	(void)state;
	assert_ok("arena", base_arena_new(4096, &arena, err));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_class(rows[i], ERR_INVALID,
			kube_conditions_parse(base_str(rows[i]), arena, list, 4, &n, err));
	assert_class("one too many", ERR_TOO_LARGE,
		kube_conditions_parse(STR(GOOD), arena, list, 1, &n, err));
	assert_int_equal(n, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_moves_only_with_the_status),
		cmocka_unit_test(test_bounds_and_refusals),
		cmocka_unit_test(test_json_both_ways),
		cmocka_unit_test(test_bad_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
