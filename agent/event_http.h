/* CloudEvents on the local API: headers of binary mode, bodies of structured mode. Layer: agent. */
#ifndef AGENT_EVENT_HTTP_H
#define AGENT_EVENT_HTTP_H

#include "agent/event.h"
#include "pkg/http/http.h"

/* Takes the request's Ce-* headers. MALFORMED. */
int agent_event_take(const struct http_request *r, struct agent_attributes *a, struct err *err)
	must_check;

/* Whether the answer should be a structured event: the only thing that Accept asks for. */
bool agent_event_wanted(const struct http_request *r);

/* Adds the Ce-* headers of what was sealed. */
int agent_event_add(struct http_request *r, const struct str list[static ENVELOPE_ATTRIBUTE_COUNT],
	struct err *err) must_check;

/* The same for the event that an envelope is the data of. What describes the data that was sealed,
 * dataschema and datacontenttype, stays inside. */
int agent_event_add_outside(struct http_request *r,
	const struct str list[static ENVELOPE_ATTRIBUTE_COUNT], struct err *err) must_check;

/* Answers with a structured event: attributes, and data of a media type. */
int agent_event_reply(struct http_request *r,
	const struct str list[static ENVELOPE_ATTRIBUTE_COUNT], struct str type, struct str data,
	struct err *err) must_check;

/* Answers with a structured event whose data is an envelope. */
int agent_event_reply_outside(struct http_request *r,
	const struct str list[static ENVELOPE_ATTRIBUTE_COUNT], struct str envelope,
	struct err *err) must_check;

#endif
