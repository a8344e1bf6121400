/* The bodies of the controller's writes, as pure functions. Layer: controller. */
#ifndef CONTROLLER_BODIES_H
#define CONTROLLER_BODIES_H

#include "controller/revision.h"

#define CONTROLLER_BODY_MAX (64UL * 1024)

/* Who owns what is made for a revision: a ReplicaSet, ControllerRevision, Job, or a bare Pod. */
struct controller_owner {
	struct str api_version, kind, name, uid;
};

/* The Leader record of the revision, and the Lease that its replicas contend for, empty, as they
 * are created; both belong to owner. TOO_LARGE, NOMEM. */
int controller_body_record(const struct controller_view *v, struct str function,
	const struct controller_owner *owner, struct buf *b, struct err *err) must_check;
int controller_body_lease(const struct controller_view *v, const struct controller_owner *owner,
	struct buf *b, struct err *err) must_check;

/* Merge patch on what has lost its owner, at its version rv. */
int controller_body_owner(const struct controller_owner *owner, struct str rv, struct buf *b,
	struct err *err) must_check;

/* Merge patch on the Lease: tells its holder that its pod is being deleted. */
int controller_body_leaving(struct str pod_uid, struct buf *b, struct err *err) must_check;

/* Merge patch on the Leader record's status. */
int controller_body_status(const struct controller_view *v, const struct controller_plan *plan,
	struct buf *b, struct err *err) must_check;

/* The headless Service "<revision>-leader", as it is created, and its EndpointSlice, to be applied.
 * empty: the slice has no address. */
int controller_body_service(const struct controller_view *v, struct buf *b, struct err *err)
	must_check;
int controller_body_slice(
	const struct controller_view *v, bool empty, struct buf *b, struct err *err) must_check;

/* To be applied: a RoleBinding of a ClusterRole to groups ("group group …"). owner may be NULL. */
int controller_body_rolebinding(struct str ns, struct str name, struct str role, struct str groups,
	const struct controller_owner *owner, struct buf *b, struct err *err) must_check;

#endif
