/* Which incarnation is this? A keeper that lives knows it; a new keeper is one more than what the
 * replica's record says. The Lease identity and everything that is signed need it, so this comes
 * before the replica starts. Layer: agent.
 */
#ifndef AGENT_IDENTIFY_H
#define AGENT_IDENTIFY_H

#include "agent/core.h"

/* Asks the keeper at once and, for a new one, the API server until it answers; then fills
 * core->self.incarnation and .identity and calls done from the loop, once. Failures are logged and
 * tried again with back-off: without an incarnation nothing can begin. NOMEM; or what the keeper
 * refused with. */
int agent_identify(struct agent_core *core, void (*done)(void *ctx), void *ctx, struct err *err)
	must_check;

#endif
