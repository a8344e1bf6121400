/* The peer port: kicks, the signed record, and a connection that the controller holds open. Layer:
 * agent. Plain HTTP, because everything on it is public or signed; bounded, and without it all goes
 * on, only slower.
 */
#ifndef AGENT_PEER_H
#define AGENT_PEER_H

#include "agent/app.h"

struct agent_peer_face;

/* Listens at once. app outlives it. */
int agent_peer_new(struct agent_app *app, struct agent_peer_face **ret_face, struct err *err)
	must_check;
/* Ends all requests. NULL is fine. Returns NULL. Memory goes when the loop runs on. */
struct agent_peer_face *agent_peer_free(struct agent_peer_face *face);
CLEANUP_FREE(struct agent_peer_face, agent_peer_free);

#endif
