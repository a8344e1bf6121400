/* Every allocation failed in turn while events are read, compared and written: NOMEM comes back,
 * never a verdict about the event. */
#include "agent/event.h"
#include "pkg/base/test.h"

#define DOC                                                                                      \
	"{\"specversion\":\"1.0\",\"id\":\"caf\\u00e9\",\"source\":\"\\/s\",\"type\":\"t\","     \
	"\"time\":\"2026-01-02T03:04:05+02:30\",\"datacontenttype\":\"text/x\",\"data_base64\":" \
	"\"\\/+8=\"}"

static int whole_case(void *ctx, struct err *err)
{
	_cleanup_(agent_attributes_done) struct agent_attributes a = agent_attributes();
	_cleanup_(base_buf_done) struct buf data = base_buf(1024);
	_cleanup_(base_buf_done) struct buf doc = base_buf(AGENT_EVENT_AROUND_MAX);
	struct str list[ENVELOPE_ATTRIBUTE_COUNT];

	(void)ctx;
	TRY(agent_event_read(STR(DOC), &a, &data, err));
	agent_attributes_list(&a, list);
	TRY(agent_event_inside(STR(DOC), list, err));
	TRY(agent_event_write(list, STR("text/x"), base_buf_str(&data), &doc, err));
	TRY(agent_event_inside(base_buf_str(&doc), list, err));
	return agent_event_outside(list, list, err);
}

static int headers_case(void *ctx, struct err *err)
{
	_cleanup_(agent_attributes_done) struct agent_attributes a = agent_attributes();

	(void)ctx;
	TRY(agent_attributes_take(&a, STR("ce-id"), STR("caf%C3%A9"), err));
	return agent_attributes_set(&a, ENVELOPE_CE_TYPE, STR("t"), err);
}

static void every_allocation_fails_once(void **state)
{
	(void)state;
	assert_true(torture_run("event", whole_case, NULL, 1) > 3);
	assert_true(torture_run("headers", headers_case, NULL, 1) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_fails_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
