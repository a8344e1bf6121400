/* Announces each new Active key to a sink, by a CloudEvent, while this replica leads:
 * docs/cloudevents.md. Layer: agent (libuv, libcurl under pkg/http/client).
 *
 * On the loop and beside everything else: the protocol never waits for it. One request at a time,
 * one key that waits at most, bounded tries, time and answers; no redirects; nothing but the sink
 * is asked. What to do when is agent/announce_step's.
 */
#ifndef AGENT_ANNOUNCE_H
#define AGENT_ANNOUNCE_H

#include "agent/app.h"

struct agent_announcer;

/* Watches the app's replica, which is there. *ret_a stays NULL where the options name no sink, or
 * one that cannot be used, which is logged: a hint is no reason for a function not to run. app
 * outlives it. TERMINAL, NOMEM. */
int agent_announcer_new(struct agent_app *app, struct agent_announcer **ret_a, struct err *err)
	must_check;
/* Before the replica is freed. NULL is fine. Returns NULL. Memory goes when the loop runs on. */
struct agent_announcer *agent_announcer_free(struct agent_announcer *a);
CLEANUP_FREE(struct agent_announcer, agent_announcer_free);

#endif
