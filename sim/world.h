/* The simulated world: one revision, its replicas, one API server, all in one process, in virtual
 * time. Layer: sim (tests only; above everything).
 *
 * What is real: pkg/protocol, agent/replica*.c with agent/records.c, agent/patches.c and
 * agent/identify.c, the rules and the driver of the Lease election (pkg/kube/lease*.c), the decoder
 * and encoder of the records (crds), the keeper's core, all cryptography.
 * What is a model: libuv's timers (virtual time), the API server (server.c, rules.c: versions, JSON
 * and merge patches, the CRD's rules and the policies that bind a writer to its name), the network
 * (link.c: delays, losses, cuts), watches, the controller (leases of the dead, counts).
 *
 * Everything that happens is an event at a time; equal seeds give equal histories. A broken
 * invariant is written to `failure`, once, and ends the run.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <uv.h>

#include "agent/core.h"
#include "agent/replica.h"
#include "crds/functionkey.h"
#include "keeper/core.h"
#include "pkg/kube/client.h"
#include "pkg/kube/informer.h"

#include <json-c/json.h>

#define SIM_NS           "shop"
#define SIM_REVISION     "orders-1"
#define SIM_LEASE        CRDS_LEASE_PREFIX SIM_REVISION
#define SIM_REPLICAS_MAX 24 /* pods that ever lived in one world */
#define SIM_EPOCHS_MAX   256
#define SIM_OBJECTS_MAX  (SIM_REPLICAS_MAX + 2)
#define SIM_FAILURE_MAX  400

/* What is broken on purpose, to show that the invariants can fail. */
enum sim_plant {
	SIM_SOUND,
	SIM_NO_FENCE,   /* the API server takes writes of deposed leaders */
	SIM_LOST_EVENT, /* watches drop changes in silence */
	SIM_FORGETFUL,  /* keepers lose a key and do not say so */
	SIM_UNTOLD,     /* revocations do not reach the record */
	SIM_CHATTER,    /* the API server drops conditions of members, which they then say again */
	SIM_PLANT_COUNT
};

struct sim_options {
	uint64_t seed;
	int replicas;
	int64_t faults_ns; /* how long faults are made */
	enum sim_plant plant;
	bool late;  /* of all faults, only writes that arrive late */
	bool trace; /* tell every write on standard error */
	/* Not 0: each request takes exactly this long, and watches tell when it is answered, so
	 * that the time that something takes is the number of requests that follow from each other.
	 */
	int64_t round_trip_ns;
	bool periods; /* some revisions rotate by period while there are faults */
};

struct sim_world;

struct sim_event {
	int64_t at;
	uint64_t seq;
	struct kube_client *half; /* whose; NULL: the world's own */
	void (*fire)(void *ctx);
	void *ctx;
};

/* One network half: the program that is started anew when it crashes. Doubles as the client and the
 * loop that it is given. */
struct kube_client {
	struct sim_world *world;
	struct sim_replica *replica;
	uv_loop_t loop;
	struct env env;
	struct agent_core core;
	struct agent_replica *agent;
	char identity[CRDS_NAME_MAX + CRDS_UID_LEN + 32];
	bool dead;
	struct kube_client *next;
};

/* One pod. */
struct sim_replica {
	struct sim_world *world;
	size_t index;
	char pod[32], uid[CRDS_UID_LEN + 1], endpoint[32], member[CRDS_NAME_MAX];
	bool alive, draining, revoked;
	bool there;           /* its Pod object is */
	int64_t refused_from; /* revoked: since when the policies know */
	int64_t paused_until, cut_until, slow_until, wall_skew_ns;
	struct keeper *keeper;
	int64_t keeper_busy_until;
	struct kube_client *half; /* NULL: none runs now */
	/* for the invariants */
	int64_t accepted_term;
	int64_t checked_epoch; /* that it opened when it said ready */
	bool held[SIM_EPOCHS_MAX];
};

/* A message to a key that was Active once. */
struct sim_message {
	bool sealed;
	struct crds_point key;
	struct kmsg_open_request open;
	struct secret k;
};

struct sim_object {
	bool there, lease;
	char name[CRDS_NAME_MAX];
	struct json_object *doc;
};

/* A version of an object, as watches tell it. */
struct sim_version {
	char name[CRDS_NAME_MAX];
	bool lease, deleted, member;
	char *json;
};

/* An informer or a stream of the Lease. */
struct sim_watch {
	struct kube_client *half;
	bool lease, pair, pending, closed;
	size_t cursor; /* into the log */
	void (*deliver)(struct sim_watch *w, const struct sim_version *v);
	void *owner;
	struct sim_watch *next;
};

struct sim_stats {
	uint64_t events, writes, refused, lost, faults, epochs, terms, grants;
};

struct sim_world {
	struct sim_options options;
	int64_t now;
	uint64_t random;
	struct sim_event *events;
	size_t events_len, events_cap;
	uint64_t seq;

	struct sim_replica replicas[SIM_REPLICAS_MAX];
	size_t replicas_len;
	struct kube_client *halves; /* all that ever ran */

	struct sim_object objects[SIM_OBJECTS_MAX];
	uint64_t version;
	struct sim_version *log;
	size_t log_len, log_cap;
	struct sim_watch *watches;
	struct kube_call *calls;
	int64_t trouble_until; /* the API server fails */
	int64_t lease_written; /* when, by the server */
	bool counting;         /* a count by the controller is due */
	bool forging;          /* keepers may find forged grants */

	struct env env;
	struct pre_context *pre;
	struct sim_message messages[SIM_EPOCHS_MAX];
	struct crds_point epoch_keys[SIM_EPOCHS_MAX];
	bool faulty;
	struct sim_stats stats;
	uint64_t record_writes; /* writes to FunctionKeys that changed something */
	uint64_t idle_writes;   /* that changed nothing */
	uint64_t requests;      /* to FunctionKeys and Pods */
	char failure[SIM_FAILURE_MAX];
};

/* -- world.c: time, chance -- */
int sim_world_new(const struct sim_options *options, struct sim_world **ret, struct err *err)
	must_check;
struct sim_world *sim_world_free(struct sim_world *w);
CLEANUP_FREE(struct sim_world, sim_world_free);

/* Until nothing is left to do before `until`, or an invariant broke. */
void sim_run(struct sim_world *w, int64_t until);

/* Calls fire(ctx) after wait ns of the world's time, as something that half does (NULL: nobody's).
 * The others take back what waits for that fire and ctx, or all that a half has. */
void sim_after(struct sim_world *w, struct kube_client *half, int64_t wait, void (*fire)(void *),
	void *ctx);
void sim_forget(struct sim_world *w, void (*fire)(void *), const void *ctx);
void sim_forget_half(struct sim_world *w, const struct kube_client *half);

/* [low, high]; true once in `n`. */
int64_t sim_between(struct sim_world *w, int64_t low, int64_t high);
bool sim_once_in(struct sim_world *w, int n);

/* Writes the first broken invariant down. */
base_printf_like(2, 3) void sim_fail(struct sim_world *w, const char *fmt, ...);
struct env sim_env(struct sim_world *w);

/* -- server.c: the API server -- */
void sim_server_start(struct sim_world *w);
void sim_server_end(struct sim_world *w);
struct sim_object *sim_object(struct sim_world *w, struct str name, bool lease);
/* The stored record, decoded; NULL: none. The caller owns it. */
struct crds_functionkey *sim_record(struct sim_world *w, struct str name);

/* Does a request of a pod (NULL: of the controller or a person). Appends the answer's body. */
int sim_serve(struct sim_world *w, const struct sim_replica *by, const struct kube_request *request,
	struct buf *body, struct err *err) must_check;
void sim_delete(struct sim_world *w, struct str name);
/* A merge patch by a person or the controller. */
void sim_edit(struct sim_world *w, const char *name, const char *subresource, const char *json);

/* -- patch.c -- */
struct json_object *sim_parse(struct str json);
/* NULL: a test failed or a path is not there. The caller owns the result. */
struct json_object *sim_patch_json(struct json_object *doc, struct json_object *patch, bool tests);
struct json_object *sim_patch_merge(struct json_object *doc, struct json_object *patch);

/* -- rules.c: what the CRD and the policies refuse. NULL: fine, else why not. -- */
const char *sim_rules_refuse(const struct crds_functionkey *old, const struct crds_functionkey *new,
	const struct sim_replica *by, bool fenced);

/* Whether the API server has noticed that the pod is revoked; what it then refuses all the same. */
bool sim_policy_knows(const struct sim_world *w, const struct sim_replica *by);
const char *sim_rules_refuse_revoked(const struct crds_functionkey *old,
	const struct crds_functionkey *new, const struct sim_replica *by);

/* -- link.c: calls, watches, keepers -- */
void sim_watch_tell(struct sim_world *w);
void sim_link_end(struct kube_client *half); /* its calls fail, its watches end */
void sim_link_drop(struct sim_world *w, const struct kube_client *half); /* NULL: of all */
void sim_link_free(struct sim_world *w);

/* -- replica.c -- */
struct sim_replica *sim_replica_add(struct sim_world *w);
void sim_half_start(struct sim_replica *r);
void sim_half_kill(struct sim_replica *r, int64_t again); /* starts anew after `again` */
void sim_keeper_kill(struct sim_replica *r, int64_t again);
void sim_replica_kill(struct sim_replica *r);
void sim_replica_drain(struct sim_replica *r);
/* The controller tells a leader by its Lease that its pod is being deleted. */
void sim_replica_see_off(struct sim_replica *r);
/* The controller notices a dead pod: its Lease is emptied if `release`, its record collected. */
void sim_replica_bury(struct sim_replica *r, bool release);
struct sim_replica *sim_replica_by_uid(struct sim_world *w, struct str uid);

/* -- faults.c -- */
void sim_faults_start(struct sim_world *w);
void sim_faults_end(struct sim_world *w);

/* -- check.c: the invariants of DESIGN 5.5 -- */
void sim_check_write(struct sim_world *w, const struct sim_replica *by,
	const struct crds_functionkey *old, const struct crds_functionkey *new);
void sim_check_step(struct sim_world *w);
void sim_check_keeper(
	struct sim_replica *r, const struct kmsg_request *request, const struct kmsg_reply *reply);
bool sim_converged(struct sim_world *w);
void sim_check_end(struct sim_world *w);

/* One whole history: start, faults, rest. 0: every invariant held; else *ret_failure (of at least
 * SIM_FAILURE_MAX) says which broke. */
int sim_history(const struct sim_options *options, char *ret_failure, struct sim_stats *ret_stats);

#endif
