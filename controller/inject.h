/* The injection as a pure function: an AdmissionReview in, its answer out. Layer: controller
 * (base, kube's JSON reader and patch writer, crds); no I/O, no time, no state.
 *
 * It makes of a pod what manifests/base/injection.yaml makes of it, from the same description, the
 * PodTemplate of manifests/base/agent.yaml; e2e/api holds both to the same golden pods. It fails
 * open: whatever it cannot do is answered with "allowed", a warning and no patch, and
 * policy-injected.yaml then refuses the pod. Which namespaces opted in is the API server's to say,
 * by the webhook's selectors and its own view of that moment: a cache of ours could only be older.
 *
 * Reviews are read in one pass without a tree: a tree of 3 MiB of "{}" would take 800 MB.
 */
#ifndef CONTROLLER_INJECT_H
#define CONTROLLER_INJECT_H

#include "pkg/base/buf.h"
#include "pkg/kube/projection.h"

#define CONTROLLER_REVIEW_MAX     (3u << 20) /* bytes of a review; the API server sends no more */
#define CONTROLLER_ANSWER_MAX     (8u << 20) /* bytes of the answer */
#define CONTROLLER_CONTAINERS_MAX 2048       /* of a pod, init containers included */
#define CONTROLLER_TEMPLATE       "functionkey-agent" /* name of the PodTemplate */

/* The PodTemplate: the JSON texts of its lists. Its first init container is the agent. */
struct controller_template {
	struct kube_meta meta;
	struct str init_containers, volumes;
};
extern const struct kube_resource controller_podtemplates;
extern const struct kube_kind controller_template_kind;

#define CONTROLLER_INJECTIONS(X)                                                \
	X(INJECTED, "injected")   /* a patch was answered */                    \
	X(UNCHANGED, "unchanged") /* not asked for, or the agent is there */    \
	X(FAILED, "failed")       /* asked for, and answered without a patch */ \
	X(REFUSED, "refused")     /* what came was no review */

enum controller_injection {
#define CONTROLLER_INJECTION_ENUM(name, text) CONTROLLER_##name,
	CONTROLLER_INJECTIONS(CONTROLLER_INJECTION_ENUM)
#undef CONTROLLER_INJECTION_ENUM
};

/* Appends the answer, an AdmissionReview, to the empty buffer. template NULL: it is not known.
 * INVALID, TOO_LARGE: not a review that could be answered (HTTP 400); NOMEM. The same review, also
 * one that shows the patched pod, can be given again any number of times. */
int controller_inject(const struct controller_template *template, struct str review,
	struct buf *answer, enum controller_injection *ret_done, struct err *err) must_check;

#endif
