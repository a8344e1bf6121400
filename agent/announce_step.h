/* What a leader announces now, and what an answer means: the pure part of agent/announce. Layer:
 * agent, pure; time comes from outside, randomness from env.
 *
 * A key is announced when the record shows it Active while we lead, at least once: it is settled
 * when the sink took it, or refused it for good, or when all tries are used. At most one waits: a
 * newer key takes its place, and it goes when it is no longer the Active one or we no longer lead.
 * Of one record no key is announced after a newer one was settled.
 */
#ifndef AGENT_ANNOUNCE_STEP_H
#define AGENT_ANNOUNCE_STEP_H

#include "crds/functionkey.h"
#include "pkg/base/env.h"

#define AGENT_ANNOUNCE_TRIES     20
#define AGENT_ANNOUNCE_LIMIT_NS  (900 * NS_PER_S) /* for one key */
#define AGENT_ANNOUNCE_SPREAD_NS (NS_PER_S / 2)   /* before the first try: many lead at once */
#define AGENT_ANNOUNCE_FORMER_NS (5 * NS_PER_S)   /* before that for a former leader's key */
#define AGENT_ANNOUNCE_FIRST_NS  (1 * NS_PER_S)   /* after a failure; doubles */
#define AGENT_ANNOUNCE_MAX_NS    (60 * NS_PER_S)
#define AGENT_ANNOUNCE_AFTER_S   300 /* what of a Retry-After is believed */

struct agent_announcing {
	char uid[CRDS_UID_LEN + 1]; /* of the record that the rest is about */
	int64_t settled;            /* highest epoch that is done with; 0: none */
	int64_t waiting;            /* epoch that is not; 0: none */
	unsigned tries;             /* of the one that waits, that failed */
	int64_t since_ns, due_ns;   /* boot clock */
};

struct agent_announce_view {
	int64_t boot_ns;
	bool leading;
	const struct crds_functionkey *record; /* the Leader record; NULL: none */
};

enum agent_announce_do {
	AGENT_ANNOUNCE_NOTHING,
	AGENT_ANNOUNCE_TAKE, /* the Active key, in place of what waits, at due_ns */
	AGENT_ANNOUNCE_DROP, /* what waited is no longer true, or no longer ours to say */
};

/* What follows from the record as it is now; *a is brought up to date. */
enum agent_announce_do agent_announce_look(
	struct agent_announcing *a, const struct agent_announce_view *v, const struct env *env);

/* How a try ended. */
enum agent_announce_end {
	AGENT_ANNOUNCE_DELIVERED,
	AGENT_ANNOUNCE_RETRIED, /* again at due_ns */
	AGENT_ANNOUNCE_FAILED,  /* given up */
};

/* A try of what waits has ended. status: of the answer; 0: there was none. retry_after: seconds
 * that it asked for; 0: none. What is tried again follows the contract of Knative's data plane. */
enum agent_announce_end agent_announce_answered(struct agent_announcing *a, unsigned status,
	uint64_t retry_after, int64_t boot_ns, const struct env *env);

#endif
