/* On what a revision's record and Lease hang: the garbage collector takes them with it. Layer:
 * controller, pure.
 *
 * It is what is one version of the function, and lives as long as that. Not the
 * ReplicaSet of a Knative revision: an upgrade of Knative gives its Deployment another one, and
 * pods of that would fit a record of the old one no more (crds_pod_fits).
 */
#ifndef CONTROLLER_OWNERS_H
#define CONTROLLER_OWNERS_H

#include "controller/bodies.h"

#define CONTROLLER_OWNER_NAME 600

/* The owner for the revision of a pod. Its texts are borrowed of the pod, the name may stand in
 * dst. *ret_resource: where it is looked up, and, if the UID is empty, found; NULL: it is taken as
 * the pod says (its kind is not ours to read, and the garbage collector checks the UID). */
struct controller_owner controller_owner_of(const struct crds_pod *pod,
	char dst[static CONTROLLER_OWNER_NAME], const struct kube_resource **ret_resource);

#endif
