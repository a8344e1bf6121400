#include "pkg/base/test.h"

#include "controller/uninjected.h"

static void test_lacks_agent(void **state)
{
	const struct controller_namespace opted = {0};
	const struct controller_namespace deleting = {.deleting = true};
	const struct {
		const char *name;
		struct crds_pod pod;
		const struct controller_namespace *space;
		bool want;
	} rows[] = {
		{"runs without", {.ns = STR("shop"), .phase = CRDS_POD_RUNNING}, &opted, true},
		{"has it", {.ns = STR("shop"), .phase = CRDS_POD_RUNNING, .injected = true}, &opted,
			false},
		{"ends", {.ns = STR("shop"), .phase = CRDS_POD_RUNNING, .deleting = true}, &opted,
			false},
		{"has not begun", {.ns = STR("shop"), .phase = CRDS_POD_PENDING}, &opted, false},
		{"has ended", {.ns = STR("shop"), .phase = CRDS_POD_SUCCEEDED}, &opted, false},
		{"its namespace did not opt in", {.ns = STR("shop"), .phase = CRDS_POD_RUNNING},
			NULL, false},
		{"its namespace goes", {.ns = STR("shop"), .phase = CRDS_POD_RUNNING}, &deleting,
			false},
		{"is ours", {.ns = STR("functionkey-system"), .phase = CRDS_POD_RUNNING}, &opted,
			false},
		{"is the cluster's", {.ns = STR("kube-system"), .phase = CRDS_POD_RUNNING}, &opted,
			false},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (controller_lacks_agent(
			    &rows[i].pod, rows[i].space, STR("functionkey-system")) != rows[i].want)
			fail_msg("%s", rows[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lacks_agent)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
