/* Sealed requests from other agents: opened, handed to the function on loopback, its answer sealed
 * under the request's key. Layer: agent. See agent/proxy.h.
 *
 * Whoever reaches the port learns one of `cannot-open` (400), `stale-epoch` (409, a hint to look at
 * the record) and `not-ready` (503), and nothing else: reasons stay in this agent's log. What is
 * not sealed is refused.
 */
#ifndef AGENT_INBOUND_H
#define AGENT_INBOUND_H

#include "agent/proxy.h"

/* Fills the two routes of the inbound port. */
void agent_inbound_routes(struct agent_proxy *proxy, struct http_route routes[static 2]);

/* What a remote side is told of an error: CANNOT_OPEN, STALE_EPOCH, NOT_READY; or UNREACHABLE, for
 * the last, if the function may have got the request. Pure. */
enum agent_problem agent_inbound_problem(const struct err *err, bool delivered);

#endif
