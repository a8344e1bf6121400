/* Carries out what pkg/protocol plans: the one place where a view is made and actions become
 * writes, Lease moves and keeper requests. Layer: agent.
 *
 * After every event one step runs; what a step asks for is started unless an equal action is under
 * way or rests after a failure. Everything is bounded: jobs at once, rests, checks remembered.
 */
#ifndef AGENT_REPLICA_H
#define AGENT_REPLICA_H

#include "agent/core.h"
#include "pkg/protocol/protocol.h"

struct agent_replica;
struct kube_lease;

/* Starts at once. core outlives it. */
int agent_replica_new(struct agent_core *core, struct agent_replica **ret_replica, struct err *err)
	must_check;
struct agent_replica *agent_replica_free(struct agent_replica *r);
CLEANUP_FREE(struct agent_replica, agent_replica_free);

/* Releases the Lease if we hold it and contends no more; decrypting goes on. done is called once,
 * when the Lease is released or was not ours. */
void agent_replica_drain(struct agent_replica *r, void (*done)(void *ctx), void *ctx);
bool agent_replica_draining(const struct agent_replica *r);

/* As of the last step. */
struct protocol_readiness agent_replica_readiness(const struct agent_replica *r);
bool agent_replica_leading(const struct agent_replica *r);
int64_t agent_replica_term(const struct agent_replica *r); /* recorded; 0: none */

/* The Leader record; NULL: none yet. Borrowed until the loop runs on. */
const struct crds_functionkey *agent_replica_record(struct agent_replica *r);

/* Our own Member record; NULL: none yet. Borrowed likewise. */
const struct crds_functionkey *agent_replica_own(struct agent_replica *r);

/* The certificate that our own keeper made for itself as a leader; empty if it never did. Borrowed
 * likewise. */
struct str agent_replica_certificate(const struct agent_replica *r);

/* What can be done with a message for the key with this fingerprint. */
enum agent_epoch_state {
	AGENT_EPOCH_UNKNOWN, /* no row of the record: retired long ago, or too new for us */
	AGENT_EPOCH_LISTED,  /* the record has it; our keeper does not (yet) */
	AGENT_EPOCH_OPEN     /* our keeper opens it */
};
struct agent_epoch {
	enum agent_epoch_state state;
	int64_t epoch;
	enum crds_key_state key_state;
};
struct agent_epoch agent_replica_epoch(struct agent_replica *r, const uint8_t fp[static 16]);

/* Asks the leader's agent to look at our record now (one hop instead of four); at most a few times
 * a second. Does nothing if we lead or nobody does. */
void agent_replica_kick_leader(struct agent_replica *r);

/* Somebody kicked us: look at this Member record if we lead. The name is hostile input. */
void agent_replica_kicked(struct agent_replica *r, struct str member_name);

/* Called from the loop after each step that changed what can be opened, readiness, or who leads.
 * The caller owns the node and keeps it until it is removed. */
struct agent_replica_watcher {
	void (*changed)(void *ctx);
	void *ctx;
	struct agent_replica_watcher *next;
};
void agent_replica_watch(struct agent_replica *r, struct agent_replica_watcher *w);
void agent_replica_unwatch(struct agent_replica *r, struct agent_replica_watcher *w);

/* For /v1/status and metrics. */
struct agent_replica_stats {
	uint64_t steps, kicks, actions[PROTOCOL_KIND_COUNT], failures[PROTOCOL_KIND_COUNT];
	size_t members, members_refused, jobs;
	int64_t incarnation, held_epochs;
	int64_t won_ns, active_ns; /* boot clock: Lease won, key active in our term; 0: never */
	int64_t emptied_ns; /* boot clock: the Lease was seen released; 0: somebody holds it, or it
			       ran out */
};
const struct agent_replica_stats *agent_replica_stats(const struct agent_replica *r);

/* The Lease that we contend for, for its counters. Borrowed. */
const struct kube_lease *agent_replica_lease(const struct agent_replica *r);

/* The last failure of a kind of action, for people; empty if there is none. */
struct str agent_replica_trouble(const struct agent_replica *r);

#endif
