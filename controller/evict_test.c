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

static void test_whose_pods(void **state)
{
	static const struct {
		const char *kind;
		bool owned, may;
	} rows[] = {
		{"ReplicaSet", true, true}, {"StatefulSet", true, true}, {"DaemonSet", true, true},
		{"Rollout", true, true}, {"", false, false}, /* a bare pod */
		{"Node", true, false}, /* what the kubelet shows of a static one */
		{"Job", true, false},  /* backoffLimit counts evicted pods as failed ones */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct crds_pod pod = {.owner_kind = base_str(rows[i].kind),
			.owner_uid = rows[i].owned ? STR("u") : STR_NULL};
		if (controller_evict_is_replaced(&pod) != rows[i].may)
			fail_msg("%s", rows[i].kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_may), cmocka_unit_test(test_bound),
		cmocka_unit_test(test_whose_pods)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
