/* CloudEvents attributes between HTTP headers (binary mode) and an envelope's header. Layer: agent,
 * pure. Header values are percent-encoded UTF-8 on the wire (CloudEvents HTTP binding 3.1.3.2) and
 * plain in the envelope. Attributes that envelopes do not have (extensions) are left alone.
 */
#ifndef AGENT_ATTRIBUTES_H
#define AGENT_ATTRIBUTES_H

#include "pkg/base/buf.h"
#include "pkg/envelope/header.h"

#define AGENT_ATTRIBUTES_MAX 4096 /* bytes of all values together */

struct agent_attributes {
	struct buf store;
	size_t at[ENVELOPE_ATTRIBUTE_COUNT], n[ENVELOPE_ATTRIBUTE_COUNT];
	bool set[ENVELOPE_ATTRIBUTE_COUNT];
};

static inline struct agent_attributes agent_attributes(void)
{
	return (struct agent_attributes){.store = base_buf(AGENT_ATTRIBUTES_MAX)};
}

/* Frees the values; what was taken is then gone. Repeatable. */
void agent_attributes_done(struct agent_attributes *a);
CLEANUP_DONE(struct agent_attributes, agent_attributes_done);

/* Takes a header "ce-<attribute>" (any case); others are ignored. Problems:
 * MALFORMED (twice, not encoded well, control characters, too long), NOMEM. */
int agent_attributes_take(
	struct agent_attributes *a, struct str name, struct str value, struct err *err) must_check;

/* Takes the value of one attribute as it is, decoded. As above. */
int agent_attributes_set(struct agent_attributes *a, enum envelope_attribute which,
	struct str value, struct err *err) must_check;

/* What was taken; p == NULL: absent. Borrowed. */
void agent_attributes_list(
	const struct agent_attributes *a, struct str ret[static ENVELOPE_ATTRIBUTE_COUNT]);

/* Puts what was taken into a header, which borrows it. */
void agent_attributes_give(const struct agent_attributes *a, struct envelope_header *h);

/* Appends a value as it stands in an HTTP header. */
int agent_attribute_encode(struct str value, struct buf *b, struct err *err) must_check;

#endif
