/* Names of things in Kubernetes. Layer: kube (base types only; crds may include this file). */
#ifndef KUBE_REF_H
#define KUBE_REF_H

#include "pkg/base/str.h"

/* One resource type. group is "" for the core group. Static data: outlives everything. */
struct kube_resource {
	const char *group, *version, *plural, *kind;
	bool namespaced;
	const char *path; /* not NULL: no resource, but this document alone, as in "/version" */
};

/* One object; ns is empty for what has none, uid where it is not known. Borrowed. */
struct kube_ref {
	struct str ns, name, uid;
};

/* Orders two resourceVersions of one resource type: *ret_cmp is <0, 0 or >0. They are positive
 * decimal numbers without leading zero, of any length, and stay text. INVALID: one is none of that
 * ("0" too), so nothing can be said. kubernetes.md 1.13. */
int kube_rv_cmp(struct str a, struct str b, int *ret_cmp, struct err *err) must_check;

#endif
