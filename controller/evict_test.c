#include "controller/evict.h"
#include "pkg/base/test.h"

/* A story of looks: whether a pod may be evicted, by how many of its owner's lack the agent. */
static void test_may(void **state)
{
	static const struct {
		const char *name, *owner;
		size_t lacking;
		bool may;
	} looks[] = {
		{"the first of three", "a", 3, true},
		{"the second, when the first is gone", "a", 2, true},
		{"another owner's only one", "b", 1, true},
		{"another owner's new one has none either", "b", 1, false},
		{"nor has the next one", "b", 1, false},
		{"nor when there are more", "b", 2, false},
		{"the last of the first owner", "a", 1, true},
		{"the first of two", "c", 2, true},
		{"its successor has none either", "c", 2, false},
		{"until that one is gone", "c", 1, true},
	};
	struct map *owners = NULL;

	(void)state;
	assert_ok("map", base_map_new(CONTROLLER_EVICT_OWNERS_MAX, &owners, err));
	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (controller_evict_may(owners, base_str(looks[i].owner), looks[i].lacking) !=
			looks[i].may)
			fail_msg("%s", looks[i].name);
	base_map_free(owners);
}

static void test_bound(void **state)
{
	struct map *owners = NULL;

	(void)state;
	assert_ok("map", base_map_new(1, &owners, err));
	assert_true(controller_evict_may(owners, STR("a"), 2));
	assert_false(controller_evict_may(owners, STR("b"), 2));
	assert_true(controller_evict_may(owners, STR("a"), 1));
	base_map_free(owners);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_may), cmocka_unit_test(test_bound)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
