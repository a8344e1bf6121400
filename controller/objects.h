/* What the controller keeps of each object: small structs, one heap block each, immutable.
 * Layer: controller (crds, kube). Caches hold tens of thousands of them.
 */
#ifndef CONTROLLER_OBJECTS_H
#define CONTROLLER_OBJECTS_H

#include "crds/functionkey.h"
#include "crds/pod.h"
#include "pkg/kube/projection.h"

extern const struct kube_resource controller_leases, controller_namespaces, controller_services,
	controller_slices, controller_rolebindings, controller_clusterroles, controller_replicasets,
	controller_controllerrevisions, controller_jobs, controller_knative_revisions;

/* The conditions that the controller keeps on a Leader record, in the order of the record. */
#define CONTROLLER_CONDITIONS(X)   \
	X(READY, "Ready")          \
	X(LEADER, "LeaderElected") \
	X(KEY, "KeyPublished")     \
	X(MEMBERS, "MembersReady") \
	X(NO_HOLDER, "NoHolder")   \
	X(HISTORY, "HistoryLost")

enum controller_condition {
#define CONTROLLER_CONDITION_ENUM(name, text) CONTROLLER_##name,
	CONTROLLER_CONDITIONS(CONTROLLER_CONDITION_ENUM)
#undef CONTROLLER_CONDITION_ENUM
		CONTROLLER_CONDITION_COUNT
};

/* The type of the condition, as in the record. */
const char *controller_condition_name(enum controller_condition c);

struct controller_condition_state {
	bool set;
	enum crds_condition_status status;
	struct str reason;
	int64_t since_ns; /* wall time, whole seconds */
};

/* A FunctionKey, condensed. */
struct controller_record {
	struct kube_meta meta;
	enum crds_role role;
	bool deleting;
	bool orphan; /* has no owner */
	struct str revision;
	/* Leader */
	struct str leader_pod, leader_uid, endpoint;
	int64_t term, leader_incarnation, active_epoch, active_term, generation;
	bool inherits; /* spec.onLeaderChange: a new leader keeps the key */
	struct crds_fingerprint active_fingerprint;
	struct str revoked; /* UIDs of pods, each with a space after it */
	bool history_lost;  /* a key left Active with reason KeyLost */
	int64_t members_total, members_ready, observed_epoch;
	struct controller_condition_state conditions[CONTROLLER_CONDITION_COUNT];
	/* Member */
	struct str pod; /* only of an orphan */
	struct str pod_uid;
	int64_t incarnation, opened_incarnation;
	int64_t opened[CRDS_KEYS_MAX]; /* epochs, ascending */
	size_t opened_len;
};
extern const struct kube_kind controller_record_kind;

/* True if this Member record says that it can open the epoch, in its present incarnation. */
bool controller_opens(const struct controller_record *member, int64_t epoch);

/* Whether the pod is on the list of a Leader record. */
bool controller_revoked(const struct controller_record *leader, struct str pod_uid);

/* Of any object: only who and which version it is, a struct kube_meta. */
extern const struct kube_kind controller_meta_kind;

/* Pods are struct crds_pod. */
extern const struct kube_kind controller_pod_kind;

struct controller_lease {
	struct kube_meta meta;
	struct str holder;
	struct str revision; /* label */
	int64_t transitions;
	int64_t owners; /* how many */
};
extern const struct kube_kind controller_lease_kind;

struct controller_namespace {
	struct kube_meta meta;
	struct str senders; /* annotation functionkey.dev/senders */
	bool deleting;
};
extern const struct kube_kind controller_namespace_kind;

/* An EndpointSlice of ours. */
struct controller_slice {
	struct kube_meta meta;
	struct str revision, fingerprint, address;
};
extern const struct kube_kind controller_slice_kind;

/* A Service or RoleBinding of ours: that it is there is enough. */
struct controller_owned {
	struct kube_meta meta;
	struct str revision; /* label; empty on RoleBindings */
	struct str subjects; /* RoleBinding: "group group …"; empty on Services */
	int64_t owners;      /* RoleBinding: how many; 0 on Services */
};
extern const struct kube_kind controller_service_kind, controller_rolebinding_kind;

#endif
