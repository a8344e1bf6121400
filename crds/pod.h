/* What this project reads of a Pod, and whether a pod is what a record says that it is.
 *
 * Layer: base, kube/ref.h, kube/json.h. One object is one heap block, immutable after decoding.
 */
#ifndef CRDS_POD_H
#define CRDS_POD_H

#include "crds/functionkey.h"

#define CRDS_POD_MAX    (4u << 20)
#define CRDS_AGENT_NAME "functionkey-agent"
#define CRDS_PEER_PORT  9471

extern const struct kube_resource crds_pods;

enum crds_pod_phase {
	CRDS_POD_UNKNOWN = 0,
	CRDS_POD_PENDING,
	CRDS_POD_RUNNING,
	CRDS_POD_SUCCEEDED,
	CRDS_POD_FAILED
};

struct crds_pod {
	struct str ns, name, uid, resource_version;
	struct str owner_api_version, owner_kind, owner_name, owner_uid; /* the controlling owner */
	struct str revision, function;                                   /* our labels */
	struct str controller_revision_hash, pod_template_hash;          /* labels */
	struct str knative_revision, knative_service;                    /* labels */
	struct str ip;
	enum crds_pod_phase phase;
	bool deleting;
	bool injected;         /* has the agent among its init containers */
	bool ready;            /* condition Ready */
	bool agent_ready;      /* the agent's container status */
	bool agent_terminated; /* the agent's container is in state terminated now */
	int64_t agent_restarts;
};

/* INVALID, TOO_LARGE, NOMEM. The caller owns *ret_pod. */
int crds_pod_decode(struct str json, struct crds_pod **ret_pod, struct err *err) must_check;
struct crds_pod *crds_pod_free(struct crds_pod *pod);
CLEANUP_FREE(struct crds_pod, crds_pod_free);

/* Whether two versions of a pod say the same: all but the version itself. */
bool crds_pod_same(const struct crds_pod *a, const struct crds_pod *b);

/* Does this pod belong to the revision whose Leader record is `leader`? Compares the revision
 * label and the controlling owner with the record's owner: a ReplicaSet or Job by UID; a
 * ControllerRevision by the pod's controller-revision-hash; a Knative Revision by its label; a bare
 * pod by its own UID. DENIED with the reason for people. */
int crds_pod_fits(const struct crds_pod *pod, const struct crds_functionkey *leader,
	struct err *err) must_check;

/* Is this the pod of the Member record: name and UID? DENIED. */
int crds_pod_is(const struct crds_pod *pod, struct str name, struct str uid, struct err *err)
	must_check;

/* The revision key of a pod (label, else derived from its owner by DESIGN section 4), and the
 * function's name. */
int crds_pod_revision(const struct crds_pod *pod, char dst[static CRDS_REVISION_MAX + 1],
	struct err *err) must_check;
int crds_pod_function(const struct crds_pod *pod, char dst[static 64], struct err *err) must_check;

#endif
