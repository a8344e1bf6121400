/* One revision, as pure steps: what is seen of it, now -> what to write. Layer: controller.
 *
 * Each part owns its own fields or children: the Leader record (created once, its counts and
 * conditions afterwards), the Lease (created once; emptied when its holder is dead), the leader's
 * Service and EndpointSlice, owners of what has lost them. Nothing here writes keys, leaders or
 * re-encryption keys.
 */
#ifndef CONTROLLER_REVISION_H
#define CONTROLLER_REVISION_H

#include "controller/objects.h"
#include "pkg/base/env.h"

#define CONTROLLER_STATUS_EVERY_NS  NS_PER_S        /* counts and conditions: one write a second */
#define CONTROLLER_CHANGE_NS        NS_PER_S        /* how long a change of leaders is not told */
#define CONTROLLER_RELEASE_EVERY_NS (30 * NS_PER_S) /* releases of one revision's Lease */
#define CONTROLLER_ORPHAN_AFTER_NS  (10 * NS_PER_S) /* how long an object may be without owner */
#define CONTROLLER_SLICE_EVERY_NS   NS_PER_S        /* the same slice: one write a second */
#define CONTROLLER_SAID_MAX         128

/* What the held connection to the leader's agent says (controller/alive.h). */
enum controller_alive {
	CONTROLLER_ALIVE_UNKNOWN = 0, /* not connected yet, or cut in a way that proves nothing */
	CONTROLLER_ALIVE_HELD,
	CONTROLLER_ALIVE_REFUSED /* was held in this term; now the pod's kernel refuses */
};

struct controller_view {
	int64_t boot_ns, wall_ns;
	struct str ns, revision;
	bool opted_in;                      /* the namespace has the label */
	const struct crds_pod *const *pods; /* of the revision */
	size_t pods_len;
	const struct controller_record *leader; /* NULL: none */
	const struct controller_record *const *members;
	size_t members_len;
	const struct controller_lease *lease; /* NULL: none */
	const struct controller_slice *slice; /* NULL: none */
	bool has_service;
	enum controller_alive alive;
	/* boot clock of our last release, of telling a holder that it leaves, of our last status
	 * write, creation of the record; 0: none */
	int64_t released_ns, told_ns, status_ns, made_ns;
	int64_t orphan_ns;   /* boot clock since when there has been an orphan; 0: there was none */
	int64_t changing_ns; /* the same of a change of leaders */
	unsigned releases;   /* in a row without a key that became active after */
	/* our last write of the slice: when (boot clock; 0: none), and controller_slice_said of it
	 */
	int64_t slice_ns;
	struct str slice_said;
};

/* Why a Lease is emptied: a label of the failover metric. */
enum controller_evidence {
	CONTROLLER_NO_EVIDENCE = 0,
	CONTROLLER_POD_GONE,
	CONTROLLER_POD_ENDED,
	CONTROLLER_AGENT_TERMINATED,
	CONTROLLER_CONNECTION_REFUSED,
	CONTROLLER_POD_REVOKED,
	CONTROLLER_EVIDENCE_COUNT
};
const char *controller_evidence_name(enum controller_evidence e);

/* What has lost its owner. */
enum controller_orphan {
	CONTROLLER_NO_ORPHAN = 0,
	CONTROLLER_ORPHAN_MEMBER,
	CONTROLLER_ORPHAN_RECORD,
	CONTROLLER_ORPHAN_LEASE
};

/* A pod that may be gone. */
struct controller_former {
	struct str name, uid;
};

struct controller_plan {
	bool create_record, create_lease;
	const struct crds_pod *create_for; /* its owner shall own what is created */
	/* A leader is about to be followed by another one, whose key is not active yet. What is
	 * told of it waits a second: mostly it is over by then, and has the API server to itself.
	 */
	bool changing;
	bool write_status; /* counts and conditions below differ from the record's */
	int64_t members_total, members_ready;
	struct controller_condition_wanted {
		enum crds_condition_status status;
		const char *reason, *message;
	} conditions[CONTROLLER_CONDITION_COUNT];
	enum controller_evidence evidence;
	bool confirm_gone; /* POD_GONE: ask the API server before acting, a cache may be behind */
	bool release;      /* empty the Lease now: its holder is dead */
	/* The holder's pod is being deleted, and another replica can lead; tell it by its Lease. */
	bool leaving, tell_leaving;
	struct str leaving_uid;
	bool create_service;
	bool write_slice, remove_endpoints;
	/* One orphan, and whether it is time to give it an owner: a Member record its own pod, else
	 * the owner of a replica (create_for), and without replicas the pod that led last. */
	enum controller_orphan orphan;
	bool adopt;
	struct kube_meta adopt_meta;
	struct controller_former adopt_by;
	int64_t wake_ns; /* boot clock; 0: none */
};

/* What the revision needs now: no I/O, and all of *ret_plan is set. Its strings are borrowed from
 * the view. */
void controller_revision_step(const struct controller_view *v, struct controller_plan *ret_plan);

/* -- the parts, apart for tests -- */
/* Each fills fields of its own in a plan that began as zero. */
void controller_status(const struct controller_view *v, struct controller_plan *plan);
void controller_supervise(const struct controller_view *v, struct controller_plan *plan);
void controller_endpoints(const struct controller_view *v, struct controller_plan *plan);
/* What a slice that is written now says, to tell one from another. */
struct str controller_slice_said(
	const struct controller_view *v, bool empty, char dst[static CONTROLLER_SAID_MAX]);
/* replica: any of the revision; NULL: there is none. */
void controller_janitor(const struct controller_view *v, const struct crds_pod *replica,
	struct controller_plan *plan);

/* Whether a replica that stays, another than this pod, opens the active key: it can lead, and the
 * history is not lost. */
bool controller_has_successor(const struct controller_view *v, struct str pod_uid);

/* Whether plan->changing is true and young; then plan->wake_ns is lowered to when it will not be.
 */
bool controller_change_is_young(const struct controller_view *v, struct controller_plan *plan);

/* "<pod>_<podUID>_<incarnation>": the parts of a holder; false if it is not of our form. */
bool controller_holder_parse(struct str holder, struct str *ret_pod, struct str *ret_uid);

/* The pod with this UID; NULL if it is not among them. */
const struct crds_pod *controller_pod_find(const struct controller_view *v, struct str uid);

#endif
