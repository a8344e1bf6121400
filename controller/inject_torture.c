#include "pkg/base/test.h"

#include "controller/inject.h"
#include "controller/inject_sample.h"

static int inject_case(void *ctx, struct err *err)
{
	_cleanup_(base_buf_done) struct buf answer = base_buf(CONTROLLER_ANSWER_MAX);
	enum controller_injection done = CONTROLLER_REFUSED;
	void *t = NULL;

	TRY(kube_kind_decode(&controller_template_kind, STR(SAMPLE_TEMPLATE), &t, err));
	const int r = controller_inject(t, base_str(ctx), &answer, &done, err);
	base_free(t);
	if (r < 0 ? done != CONTROLLER_REFUSED : done != CONTROLLER_INJECTED)
		return FAIL(err, ERR_BUG, "output %d", (int)done);
	return r;
}

static void test_every_allocation(void **state)
{
	static char review[] = SAMPLE_POD(
		"\"name\":\"s\\u0061\",\"annotations\":{\"functionkey.dev/containers\":\"app,b\","
		"\"functionkey.dev/announce\":\"true\",\"functionkey.dev/metrics\":\"true\","
		"\"functionkey.dev/x\":\"\"}," SAMPLE_OPTED(""),
		"\"containers\":[{\"name\":\"app\",\"env\":[{\"name\":\"K_SINK\",\"value\":"
		"\"http:\\/\\/sink\"}]},{\"name\":\"b\"}]");
	(void)state;

	assert_true(torture_run("inject", inject_case, review, 1) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
