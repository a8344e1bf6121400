/* The agent's metrics: names, labels, and what is read from its parts when they are asked for.
 * Layer: agent. Labels are of fixed sets: no pod, no path, no peer ever is one.
 */
#ifndef AGENT_METRICS_H
#define AGENT_METRICS_H

#include "agent/announce_step.h"
#include "agent/problem.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/metrics.h"
#include "pkg/kmsg/ops.h"

struct agent_app;
struct agent_metrics;

/* All metrics of the agent but those that its parts declare, at zero. NOMEM. The second frees; NULL
 * is fine; returns NULL. */
int agent_metrics_new(struct agent_metrics **ret_m, struct err *err) must_check;
struct agent_metrics *agent_metrics_free(struct agent_metrics *m);
CLEANUP_FREE(struct agent_metrics, agent_metrics_free);

/* For parts that declare their own. */
struct metrics *agent_metrics_registry(struct agent_metrics *m);

enum agent_op {
	AGENT_OP_ENCRYPT,
	AGENT_OP_DECRYPT,
	AGENT_OP_OUTBOUND,
	AGENT_OP_INBOUND,
	AGENT_OP_COUNT
};

/* One message has ended. problem NONE: it went well. aborted: its answer had begun and was cut. m
 * may be NULL, here and below. */
struct agent_message_end {
	enum agent_op op;
	enum agent_problem problem;
	bool aborted;
	int64_t took_ns;
	uint64_t bytes; /* of plaintext */
};
void agent_metrics_message(struct agent_metrics *m, const struct agent_message_end *end);

#define AGENT_PHASES(X)                                                                            \
	X(ELECTED, "elected")     /* from the start, or from the Lease's release, to winning it */ \
	X(PUBLISHED, "published") /* from winning the Lease to an active key of ours */            \
	X(REKEYED, "rekeyed")     /* from a new active key to being able to open it */             \
	X(READY, "ready")         /* from the start to ready */
enum agent_phase {
#define AGENT_PHASE_ENUM(name, text) AGENT_PHASE_##name,
	AGENT_PHASES(AGENT_PHASE_ENUM)
#undef AGENT_PHASE_ENUM
		AGENT_PHASE_COUNT
};
void agent_metrics_phase(struct agent_metrics *m, enum agent_phase phase, int64_t took_ns);
/* From the Lease's release (or, expired, from winning it) to our active key. */
void agent_metrics_failover(struct agent_metrics *m, bool released, int64_t took_ns);

/* A try to announce a key has ended; one that waited was dropped. */
void agent_metrics_announced(struct agent_metrics *m, enum agent_announce_end end);
void agent_metrics_announcement_dropped(struct agent_metrics *m);

/* Whether our function is reached past us. */
void agent_metrics_exposed(struct agent_metrics *m, bool exposed);

/* A peer asked us to look at its record. */
void agent_metrics_kicked(struct agent_metrics *m);

/* Reads the app's parts, then appends everything. keeper may be NULL: it did not answer. */
int agent_metrics_write(const struct agent_app *app, const struct kmsg_stats_reply *keeper,
	struct buf *out, struct err *err) must_check;

#endif
