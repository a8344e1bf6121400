/* What strangers write into requests: attributes, recipients' names. */
#include "agent/attributes.h"
#include "agent/encrypt.h"
#include "pkg/envelope/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken is plain text, and comes back as it is when it is encoded and taken again. */
static void attribute(struct str value)
{
	_cleanup_(agent_attributes_done) struct agent_attributes a = agent_attributes();
	_cleanup_(agent_attributes_done) struct agent_attributes b = agent_attributes();
	_cleanup_(base_buf_done) struct buf text = base_buf(3 * ENVELOPE_ATTRIBUTE_MAX);
	struct envelope_header h = {0}, again = {0};

	if (agent_attributes_take(&a, STR("ce-id"), value, NULL) < 0)
		return;
	agent_attributes_give(&a, &h);
	const struct str have = h.attributes[ENVELOPE_CE_ID];
	base_assert(have.p && have.n <= ENVELOPE_ATTRIBUTE_MAX && envelope_text_ok(have));
	base_assert(agent_attribute_encode(have, &text, NULL) == 0);
	base_assert(agent_attributes_take(&b, STR("Ce-Id"), base_buf_str(&text), NULL) == 0);
	agent_attributes_give(&b, &again);
	base_assert(base_str_eq(have, again.attributes[ENVELOPE_CE_ID]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str input = base_str_n(data, size);
	struct str ns = STR_NULL, function = STR_NULL;

	attribute(input);
	if (agent_to_parse(input, STR("home"), &ns, &function, NULL) == 0)
		base_assert(ns.n + function.n <= input.n + 4);
	return 0;
}
