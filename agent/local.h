/* The local API on the unix socket and, if asked for, without decrypt on loopback TCP, and /metrics
 * alone on the pod's address (docs/adr/0012). Layer: agent. Paths, bodies and answers:
 * api/openapi.yaml.
 */
#ifndef AGENT_LOCAL_H
#define AGENT_LOCAL_H

#include "agent/app.h"

struct agent_local_face;

/* Listens at once. app outlives it. */
int agent_local_new(struct agent_app *app, struct agent_local_face **ret_face, struct err *err)
	must_check;
/* Takes no new requests; those that run go on. */
void agent_local_drain(struct agent_local_face *face);
/* Whether none runs. */
bool agent_local_idle(const struct agent_local_face *face);
/* Ends all requests. NULL is fine. Returns NULL. Memory goes when the loop runs on. */
struct agent_local_face *agent_local_free(struct agent_local_face *face);
CLEANUP_FREE(struct agent_local_face, agent_local_free);

#endif
