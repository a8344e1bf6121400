/* Inside of controller/runner. Layer: controller. */
#ifndef CONTROLLER_RUNNER_INTERNAL_H
#define CONTROLLER_RUNNER_INTERNAL_H

#include "controller/alive.h"
#include "controller/bodies.h"
#include "controller/runner.h"
#include "controller/world.h"
#include "pkg/base/map.h"
#include "pkg/kube/client.h"
#include "pkg/kube/event.h"
#include "pkg/kube/lease.h"
#include "pkg/kube/queue.h"

#define CONTROLLER_REVISIONS_MAX 65536
#define CONTROLLER_HOLD_NS       NS_PER_S /* how long a cache may lag behind a create */
#define CONTROLLER_KEY_MAX       512

/* What is remembered of a revision beside the caches. */
struct controller_state {
	struct controller_runner *r;
	char key[CONTROLLER_KEY_MAX];
	struct controller_watchdog *dog;
	/* boot clock */
	int64_t released_ns, told_ns, status_ns, made_ns, endpoints_ns, orphan_ns, changing_ns;
	char status_rv[64]; /* of our last status write: the cache must be as new */
	int64_t slice_ns;   /* boot clock of our last write of the slice, and what it said */
	char slice_said[CONTROLLER_SAID_MAX];
	unsigned releases;
	/* a failover that is under way */
	int64_t failed_ns;
	int64_t failed_term;
	enum controller_evidence failed_by;
};

/* One key in hand. */
struct controller_job {
	struct controller_runner *r;
	char key[CONTROLLER_KEY_MAX];
	struct controller_state *state; /* NULL: a namespace */
	bool create_record, create_lease;
	enum controller_orphan adopt;
	char orphan[300], orphan_rv[64];
	struct controller_owner owner; /* points into texts */
	char texts[4][300];
	char function[64];
	char holder[KUBE_LEASE_HOLDER_MAX + 1];
	char pod[300], pod_uid[64];
	enum controller_evidence evidence;
	int64_t term;     /* of the leader whose Lease is emptied */
	int64_t *undo_ns; /* of state, when it was written: 0 again if it was not; NULL: none */
};

struct controller_runner {
	struct controller_core *core;
	struct controller_world *world;
	struct kube_queue *queue;
	struct map *states; /* by key */
	uv_timer_t timer;
	bool timer_open, active, synced;
	size_t jobs; /* keys in hand */
	struct controller_runner_stats stats;
};

/* Ends a job: err NULL: look again; else later, with back-off. Frees it. */
void controller_job_end(struct controller_job *job, const struct err *err);

/* The namespace of the key in hand. */
struct str controller_job_ns(const struct controller_job *job);

/* For logs: the leadership of a term of the revision with this key, as agents write it. */
struct str controller_leadership(
	struct str key, int64_t term, char dst[static CRDS_LEADERSHIP_MAX]);

/* Sends a body; the job ends with the answer. */
int controller_job_write(
	struct controller_job *job, const struct kube_request *request, struct err *err) must_check;

/* Each starts one write or lookup for the job. 1: started; 0: nothing to do; <0 failed. */
int controller_start_release(struct controller_job *job, const struct controller_view *v,
	const struct controller_plan *plan, struct err *err) must_check;
int controller_start_seeing_off(struct controller_job *job, const struct controller_view *v,
	const struct controller_plan *plan, struct err *err) must_check;
int controller_start_create(struct controller_job *job, const struct controller_view *v,
	const struct controller_plan *plan, struct err *err) must_check;
int controller_start_adopt(struct controller_job *job, const struct controller_view *v,
	const struct controller_plan *plan, struct err *err) must_check;
int controller_start_access(struct controller_job *job, struct err *err) must_check;

/* Warns people: one event on the Leader record, of a pod, so that what happens to two pods are two
 * events. reason and action are literals. */
void controller_tell_of_pod(struct controller_runner *r, const struct controller_view *v,
	struct kube_ref pod, const char *reason, const char *action, struct str note);

#endif
