#include "agent/event_http.h"

#include "agent/encrypt.h"

#include <stdio.h>

int agent_event_take(const struct http_request *r, struct agent_attributes *a, struct err *err)
{
	struct str name = STR_NULL, value = STR_NULL;

	for (size_t i = 0; http_header_at(r, i, &name, &value); i++)
		TRY(agent_attributes_take(a, name, value, err));
	return 0;
}

bool agent_event_wanted(const struct http_request *r)
{
	struct str accept = STR_NULL;

	return http_header(r, "Accept", &accept) == 1 && agent_event_is_json(accept);
}

static int add_attribute(
	struct http_request *r, enum envelope_attribute which, struct str value, struct err *err)
{
	_cleanup_(base_buf_done) struct buf text = base_buf(3u * ENVELOPE_ATTRIBUTE_MAX);
	char name[32];

	(void)snprintf(name, sizeof(name), "Ce-%s", envelope_attribute_name(which));
	TRY(agent_attribute_encode(value, &text, err));
	return http_add_header(r, name, base_buf_str(&text), err);
}

int agent_event_add(struct http_request *r, const struct str list[static ENVELOPE_ATTRIBUTE_COUNT],
	struct err *err)
{
	for (int i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++)
		if (list[i].p)
			TRY(add_attribute(r, (enum envelope_attribute)i, list[i], err));
	return 0;
}

static void outside(const struct str list[static ENVELOPE_ATTRIBUTE_COUNT],
	struct str ret[static ENVELOPE_ATTRIBUTE_COUNT])
{
	memcpy(ret, list, ENVELOPE_ATTRIBUTE_COUNT * sizeof(*ret));
	ret[ENVELOPE_CE_DATASCHEMA] = STR_NULL;
	ret[ENVELOPE_CE_DATACONTENTTYPE] = STR_NULL;
}

int agent_event_add_outside(struct http_request *r,
	const struct str list[static ENVELOPE_ATTRIBUTE_COUNT], struct err *err)
{
	struct str outer[ENVELOPE_ATTRIBUTE_COUNT];

	outside(list, outer);
	return agent_event_add(r, outer, err);
}

int agent_event_reply(struct http_request *r,
	const struct str list[static ENVELOPE_ATTRIBUTE_COUNT], struct str type, struct str data,
	struct err *err)
{
	_cleanup_(base_buf_done) struct buf out =
		base_buf(AGENT_EVENT_AROUND_MAX + AGENT_EVENT_BASE64(data.n));

	TRY(agent_event_write(list, type, data, &out, err));
	http_reply_take(r, 200, AGENT_TYPE_EVENT, &out);
	return 0;
}

int agent_event_reply_outside(struct http_request *r,
	const struct str list[static ENVELOPE_ATTRIBUTE_COUNT], struct str envelope,
	struct err *err)
{
	struct str outer[ENVELOPE_ATTRIBUTE_COUNT];

	outside(list, outer);
	return agent_event_reply(r, outer, STR(AGENT_TYPE_WHOLE), envelope, err);
}
