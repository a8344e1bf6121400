/* Header fields on their way between HTTP/1.1 and Binary HTTP. Layer: agent, pure.
 *
 * What belongs to one connection ends here: Connection and whatever it names, Transfer-Encoding,
 * Upgrade and their like, the framing, and Host, in whose place each side puts its own. Fields
 * `functionkey-*` are dropped as well: only an agent says them, to its own function.
 */
#ifndef AGENT_PROXY_FIELDS_H
#define AGENT_PROXY_FIELDS_H

#include "pkg/bhttp/bhttp.h"

#define AGENT_FIELDS_BYTES (16u << 10) /* names and values of one message */

/* Fields with memory of their own. */
struct agent_fields {
	struct buf text;
	struct bhttp_fields v;
	struct str connection[4]; /* values of Connection */
	size_t connections;
};

static inline struct agent_fields agent_fields(void)
{
	return (struct agent_fields){.text = base_buf(AGENT_FIELDS_BYTES)};
}
/* Wipes and frees. Repeatable. */
void agent_fields_done(struct agent_fields *f);
CLEANUP_DONE(struct agent_fields, agent_fields_done);

/* Copies a field, or drops it. INVALID, TOO_LARGE, NOMEM. */
int agent_fields_take(struct agent_fields *f, struct str name, struct str value, struct err *err)
	must_check;

/* After the last field of a head: drops those that Connection named. */
void agent_fields_end(struct agent_fields *f);

/* Whether a request asks for another protocol: a field Upgrade, or Connection: upgrade. */
bool agent_fields_upgrade(struct str name, struct str value);

/* Whether a field that came in Binary HTTP is the receiver's own to set: host, content-length. */
bool agent_fields_own(struct str name);

#endif
