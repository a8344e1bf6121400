/* Whether the function behind inbound can be reached past the agent: at its port on the pod's own
 * address, where anybody can send plain requests with any headers. Layer: agent (libuv).
 *
 * A connection is tried now and then, and closed at once. It is told when that changes: metric, log
 * and, when it becomes so, an event; nothing is refused because of it.
 */
#ifndef AGENT_INBOUND_EXPOSED_H
#define AGENT_INBOUND_EXPOSED_H

#include "agent/app.h"

#define AGENT_EXPOSED_FIRST_MS 5000
#define AGENT_EXPOSED_EVERY_MS 15000

struct agent_exposed;

/* Begins to look. app outlives it. *ret stays NULL if the pod's address is a loopback one, which
 * tells nothing. */
int agent_exposed_new(struct agent_app *app, uint16_t port, struct agent_exposed **ret,
	struct err *err) must_check;
/* NULL is fine. Returns NULL. Memory goes when the loop runs on. */
struct agent_exposed *agent_exposed_free(struct agent_exposed *e);
CLEANUP_FREE(struct agent_exposed, agent_exposed_free);

#endif
