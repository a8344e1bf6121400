/* Structured events, as strangers write them. */
#include "agent/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DATA_MAX (64u << 10)

/* What was read is an event, and the same after it is written and read again. */
static void again(const struct agent_attributes *a, struct str data)
{
	_cleanup_(agent_attributes_done) struct agent_attributes b = agent_attributes();
	_cleanup_(base_buf_done) struct buf doc =
		base_buf(AGENT_EVENT_AROUND_MAX + AGENT_EVENT_BASE64(DATA_MAX));
	_cleanup_(base_buf_done) struct buf back = base_buf(DATA_MAX);
	struct str list[ENVELOPE_ATTRIBUTE_COUNT], second[ENVELOPE_ATTRIBUTE_COUNT];

	agent_attributes_list(a, list);
	base_assert(agent_event_check(list, NULL) == 0);
	base_assert(agent_event_write(list, STR("text/plain"), data, &doc, NULL) == 0);
	base_assert(agent_event_read(base_buf_str(&doc), &b, &back, NULL) == 0);
	base_assert(base_str_eq(base_buf_str(&back), data));
	agent_attributes_list(&b, second);
	base_assert(agent_event_outside(second, list, NULL) == 0);
	base_assert(agent_event_outside(list, second, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(agent_attributes_done) struct agent_attributes a = agent_attributes();
	_cleanup_(agent_attributes_done) struct agent_attributes b = agent_attributes();
	_cleanup_(base_buf_done) struct buf out = base_buf(DATA_MAX);
	const struct str doc = base_str_n(data, size);

	if (agent_event_read(doc, &a, NULL, NULL) == 0)
		again(&a, STR(""));
	if (agent_event_read(doc, &b, &out, NULL) == 0)
		again(&b, base_buf_str(&out));
	return 0;
}
