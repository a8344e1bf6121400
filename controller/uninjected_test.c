#include "pkg/base/test.h"

#include "controller/metrics.h"
#include "controller/uninjected.h"
#include "pkg/base/metrics.h"

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

/* Who no longer acts does not go on telling of what it counted then: an alert would never end. */
static void test_tells_nothing_when_standing_by(void **state)
{
	_cleanup_(base_buf_done) struct buf text = base_buf(1u << 20);
	struct controller_uninjected *u = NULL;
	struct controller_core core = {0};
	uv_loop_t loop;
	(void)state;

	assert_int_equal(uv_loop_init(&loop), 0);
	core.loop = &loop;
	assert_ok("metrics", controller_metrics_new(&core.metrics, err));
	assert_ok("new", controller_uninjected_new(&core, NULL, 0, &u, err));
	controller_metrics_uninjected(core.metrics, 3);
	controller_uninjected_activate(u, false);
	assert_ok("write", base_metrics_write(core.metrics, &text, err));
	assert_ok("end", base_buf_add_byte(&text, 0, err));
	assert_non_null(strstr((char *)text.data, "\nfunctionkey_uninjected_pods 0\n"));
	controller_uninjected_free(u);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	base_metrics_free(core.metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lacks_agent),
		cmocka_unit_test(test_tells_nothing_when_standing_by)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
