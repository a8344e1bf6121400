/* CloudEvents 1.0: what makes attributes an event, structured mode (JSON), and whether the event
 * outside is the one that was sealed. Layer: agent, pure.
 *
 * An event in binary mode is sealed data and attributes. An event in structured mode is sealed as
 * the document that it is, extensions included, with its attributes repeated in the envelope's
 * header. Either way the envelope goes on as the data of an event with the same attributes, in the
 * same mode, so that brokers route it as they would route the original.
 *
 * Lists of attributes are indexed by enum envelope_attribute; p == NULL: absent.
 */
#ifndef AGENT_EVENT_H
#define AGENT_EVENT_H

#include "agent/attributes.h"

#define AGENT_TYPE_EVENT       "application/cloudevents+json"
#define AGENT_EVENT_MEMBERS    64          /* of a structured event, extensions included */
#define AGENT_EVENT_AROUND_MAX (16u << 10) /* bytes that structured mode adds beside base64 */
#define AGENT_EVENT_BASE64(n)  (((n) + 2) / 3 * 4)

/* Whether a media type (with or without parameters) is that of a structured event. */
bool agent_event_is_json(struct str media_type);

/* Whether the attributes are those of an event: specversion "1.0"; id, source and type not empty;
 * time, source and dataschema well-formed. MALFORMED. */
int agent_event_check(const struct str list[static ENVELOPE_ATTRIBUTE_COUNT], struct err *err)
	must_check;

/* Reads a structured event into attributes that are empty before; checks all of it. With ret_data
 * its data must be data_base64, and what that decodes to is appended; NULL: any data will do.
 * MALFORMED, TOO_LARGE, NOMEM. */
int agent_event_read(struct str doc, struct agent_attributes *a, struct buf *ret_data,
	struct err *err) must_check;

/* Appends a structured event with the data as data_base64. type stands for datacontenttype,
 * whatever the list says. TOO_LARGE, NOMEM. */
int agent_event_write(const struct str list[static ENVELOPE_ATTRIBUTE_COUNT], struct str type,
	struct str data, struct buf *out, struct err *err) must_check;

/* Whether the event outside is the one that was sealed: the same attributes, times compared as
 * times. Outside datacontenttype is the envelope's and dataschema may be missing. TAMPERED. */
int agent_event_outside(const struct str outer[static ENVELOPE_ATTRIBUTE_COUNT],
	const struct str sealed[static ENVELOPE_ATTRIBUTE_COUNT], struct err *err) must_check;

/* Whether the structured event that was sealed has the attributes that the header repeats. So no
 * sender has an event routed as one and read as another. TAMPERED, MALFORMED, NOMEM. */
int agent_event_inside(struct str doc, const struct str sealed[static ENVELOPE_ATTRIBUTE_COUNT],
	struct err *err) must_check;

#endif
