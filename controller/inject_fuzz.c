/* Any bytes as a review: never a crash; what is answered is JSON with a whole patch or none, and
 * is the same when it is asked again. */
#include "controller/inject.h"
#include "controller/inject_sample.h"
#include "pkg/base/alloc.h"
#include "pkg/kube/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct str text)
{
	struct kube_json r;
	struct err err = {0};

	base_assert(kube_json_init(&r, text, &err) == 0);
	base_assert(kube_json_skip(&r, &err) == 0);
	base_assert(kube_json_end(&r, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(base_buf_done) struct buf answer = base_buf(CONTROLLER_ANSWER_MAX);
	_cleanup_(base_buf_done) struct buf again = base_buf(CONTROLLER_ANSWER_MAX);
	enum controller_injection done = CONTROLLER_REFUSED;
	struct err err = {0};
	void *t = NULL;

	base_assert(
		kube_kind_decode(&controller_template_kind, STR(SAMPLE_TEMPLATE), &t, &err) == 0);
	if (controller_inject(t, base_str_n(data, size), &answer, &done, &err) == 0) {
		check_json(base_buf_str(&answer));
		base_assert(done != CONTROLLER_REFUSED);
		base_assert(controller_inject(t, base_str_n(data, size), &again, &done, &err) == 0);
		base_assert(base_str_eq(base_buf_str(&answer), base_buf_str(&again)));
	} else {
		base_assert(err.class != ERR_BUG && err.class != ERR_OK);
	}
	base_free(t);
	return 0;
}
