/* Asks the leader's agent, at its peer port, to look at our record now. Layer: agent (libuv).
 *
 * Fire and forget: POST /v1/kick with one second for all of it; nothing depends on the answer, the
 * leader's watch sees the record as well, only later. Unauthenticated, since it makes the leader
 * do nothing that it would not do anyway.
 */
#ifndef AGENT_KICK_H
#define AGENT_KICK_H

#include "agent/core.h"
#include "pkg/base/cleanup.h"

#define AGENT_KICKS_A_SECOND 5
#define AGENT_KICKS_AT_ONCE  4
#define AGENT_KICK_MS        1000

struct agent_kicks;

/* core outlives it. */
int agent_kicks_new(struct agent_core *core, struct agent_kicks **ret_kicks, struct err *err)
	must_check;
/* NULL is fine. Returns NULL. Memory goes when the loop has closed what is under way. */
struct agent_kicks *agent_kicks_free(struct agent_kicks *k);
CLEANUP_FREE(struct agent_kicks, agent_kicks_free);

/* endpoint: "<address>:<port>" as in the Leader record, hostile input; IPv6 in brackets. What is
 * over the rate, or cannot be sent, is dropped and counted. */
void agent_kick_send(
	struct agent_core *core, struct str endpoint, struct str member_name, struct str rv);

struct agent_kick_stats {
	uint64_t sent, answered, dropped, failed;
};

/* Since the start; a copy. */
struct agent_kick_stats agent_kicks_stats(const struct agent_kicks *k);

#endif
