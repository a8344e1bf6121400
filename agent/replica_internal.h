/* Inside of agent/replica: state and the jobs. Included by agent/replica*.c only. Layer: agent. */
#ifndef AGENT_REPLICA_INTERNAL_H
#define AGENT_REPLICA_INTERNAL_H

#include "agent/records.h"
#include "agent/replica.h"
#include "pkg/base/arena.h"
#include "pkg/base/map.h"
#include "pkg/kmsg/ops.h"
#include "pkg/kube/lease.h"

#define AGENT_JOBS_MAX      32
#define AGENT_GRANT_MEMORY  (64UL * 1024)
#define AGENT_REST_FIRST_NS (100 * NS_PER_MS)
/* How long a count of those who can open the active key is believed: doubled each time. */
#define AGENT_COUNT_FIRST_NS (2 * NS_PER_S)
#define AGENT_COUNT_MAX_NS   (16 * NS_PER_S)
#define AGENT_REST_MAX_NS    (10 * NS_PER_S)
#define AGENT_CERTLESS_NS                                                      \
	(600 * NS_PER_S) /* until an API server that drops them is tried again \
			  */
#define AGENT_TROUBLE_MAX 200
#define AGENT_KICKED_MAX  2 /* records that are read at once since somebody kicked us */

/* After a failure: not before until_ns, longer each time. */
struct agent_rest {
	int64_t until_ns;
	unsigned fails;
};

/* What a leader knows of a member's pod. By pod UID. */
struct agent_peer {
	enum protocol_check check;
	struct agent_rest rest;
	bool busy;
};

/* One action under way. */
struct agent_job {
	struct agent_replica *r;
	enum protocol_kind kind;         /* 0: free */
	char subject[CRDS_NAME_MAX + 1]; /* record name, of member kinds */
	char pod_uid[CRDS_UID_LEN + 1]; /* of member kinds, CHECK_LEADER, and a revoking ACTIVATE */
	char pod[CRDS_NAME_MAX + 1];    /* of the same, but CHECK_LEADER */
	struct protocol_action action;  /* its pointers are not valid after start */
	bool tells_revocations;         /* PREPARE, TAKE_TERM: there are some */
	struct crds_point accepted_key; /* ACCEPT */
	struct crds_signature accepted_grant;
	struct kmsg_who member_who; /* GRANT: as the record said at the start */
	struct kmsg_keys member_keys;
	int64_t member_incarnation;
	struct arena *arena; /* GRANT: what the keeper made so far */
	struct crds_grant grants[CRDS_KEYS_MAX];
	size_t grants_len;
	void (*certified)(struct agent_job *job); /* GRANT: what goes on with a certificate */
	struct crds_certificate certificate;      /* GRANT: its text is empty if there is none */
	int64_t expires_s; /* GRANT, CERTIFY: of what the keeper was asked for, Unix time */
};

struct agent_replica {
	struct agent_core *core;
	struct agent_records *records;
	struct kube_lease *lease;
	struct protocol_keeper keeper;
	bool keeper_ready, keeper_busy;
	struct map *peers;
	struct protocol_member *members;
	size_t members_cap;

	/* Pods that lead or hold the Lease, and were looked at: the last two. */
	struct {
		char uid[CRDS_UID_LEN + 1];
		enum protocol_check check;
	} leaders[2];
	size_t leaders_next;
	int live_holders;
	/* Grants that the keeper refused for good, the last ones; how many in a row. */
	struct crds_signature refused[CRDS_KEYS_MAX];
	size_t refused_len, refused_next;
	unsigned refusals;
	/* What our keeper vouches for ourselves as a leader, until keeper.certified_ns. */
	uint8_t certificate[KMSG_CERT_MAX];
	size_t certificate_len;
	int64_t certless_until_ns; /* boot clock */
	bool forgetful;            /* the API server drops status.revocations */
	char identity[CRDS_NAME_MAX + CRDS_UID_LEN +
		      24]; /* after REINCARNATE: core's points here */
	/* how long a count is believed, longer each time; boot clock of its end */
	int64_t count_good_ns, count_again_ns;
	int64_t inbox_used_ns, prepared_since_ns, prepared_epoch, kicked_ns;
	unsigned kicked; /* reads that kicks have asked for, and that are not answered yet */
	bool draining;
	bool leaving; /* the Lease says that our pod is being deleted */
	void (*drained)(void *ctx);
	void *drained_ctx;

	struct agent_job jobs[AGENT_JOBS_MAX];
	struct agent_rest rests[PROTOCOL_KIND_COUNT];
	struct protocol_plan plan; /* of the last step */
	uv_timer_t timer;
	bool timer_open, step_due;
	struct agent_replica_watcher *watchers;
	uint64_t seen_by_watchers; /* a digest of what they were last told */
	struct agent_replica_stats stats;
	char trouble[AGENT_TROUBLE_MAX];
};

/* -- replica.c -- */
void agent_replica_wake(struct agent_replica *r); /* a step as soon as the loop runs on */
void agent_job_end(struct agent_job *job, const struct err *err); /* err NULL: it went well */
/* For logs: the leadership that the Leader record names (term 0: none yet). */
struct str agent_replica_leadership(
	const struct agent_replica *r, char dst[static CRDS_LEADERSHIP_MAX]);
struct agent_peer *agent_peer_of(struct agent_replica *r, struct str pod_uid, struct err *err);
void agent_replica_view(struct agent_replica *r, struct protocol_view *v); /* borrows */

/* Learns from the keeper who it is and what it holds; then steps begin. */
int agent_replica_ask_keeper(struct agent_replica *r, struct err *err) must_check;

/* Follows the revision's Lease, without contending for it until a plan says so. -- replica_lease.c
 */
int agent_replica_run_lease(struct agent_replica *r, struct err *err) must_check;

/* -- one start function per kind; each ends in agent_job_end, later, from the loop -- */
typedef int (*agent_start)(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err);
int agent_start_record(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err);
int agent_start_write(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err);
int agent_start_grant(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err);
int agent_start_certify(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err);
int agent_start_keeper(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err);
int agent_start_check(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err);
int agent_start_count(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err);

/* Has the keeper vouch for the member of a GRANT, if it can; then `next` is called, from the loop.
 * -- replica_certify.c */
int agent_job_certify(struct agent_job *job, void (*next)(struct agent_job *job), struct err *err)
	must_check;
/* After the write: whether the API server keeps certificates. */
void agent_job_certified(struct agent_job *job);
void agent_kmsg_name(struct str s, struct kmsg_name *name); /* empty: the keeper refuses it */
/* The record that a GRANT is for, as known now; NULL: it is gone. */
const struct crds_functionkey *agent_job_member(struct agent_job *job);

/* Sends a body for a job and ends the job with the answer, which is taken as the newest version
 * of the record. */
int agent_job_write(struct agent_job *job, enum kube_verb verb, struct str name,
	struct str subresource, struct str body, struct err *err) must_check;

/* The last failure, for the status: what was tried, and why it failed. */
void agent_replica_note(struct agent_replica *r, const char *what, const struct err *err);

/* Tells people: one event on the Leader record. */
void agent_replica_tell(struct agent_replica *r, bool warning, const char *reason,
	const char *action, struct str note);
/* As above, a warning because of a pod of our namespace; NULL: of none that is there. */
void agent_replica_tell_of(struct agent_replica *r, const struct kube_ref *pod, const char *reason,
	const char *action, struct str note);

#endif
