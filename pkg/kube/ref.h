/* Names of things in Kubernetes. Layer: kube (base types only; crds may include this file). */
#ifndef KUBE_REF_H
#define KUBE_REF_H

#include "pkg/base/str.h"

/* One resource type. group is "" for the core group. Static data: outlives everything. */
struct kube_resource {
	const char *group, *version, *plural, *kind;
	bool namespaced;
};

/* One object; ns is empty for what has none, uid where it is not known. Borrowed. */
struct kube_ref {
	struct str ns, name, uid;
};

#endif
