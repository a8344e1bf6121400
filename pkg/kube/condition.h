/* metav1.Condition: lists keyed by type. Layer: kube, pure.
 *
 * lastTransitionTime changes only when the status changes. kubernetes.md 1.10.
 */
#ifndef KUBE_CONDITION_H
#define KUBE_CONDITION_H

#include "pkg/base/arena.h"
#include "pkg/base/buf.h"

#define KUBE_CONDITIONS_MAX 32

enum kube_truth { KUBE_UNKNOWN, KUBE_FALSE, KUBE_TRUE };

struct kube_condition {
	struct str type, reason, message; /* borrowed */
	enum kube_truth status;
	int64_t observed_generation; /* 0: left out */
	int64_t since_wall_ns;       /* lastTransitionTime; whole seconds count */
};

/* What want's type has in the list; NULL if there is none. */
const struct kube_condition *kube_condition_find(
	const struct kube_condition *list, size_t n, struct str type);

/* Puts want into the list of *n of at most max entries: in place of its type's, else at the end.
 * want->since_wall_ns is not used: it stays as it was where the status is the same, else it is now.
 * *ret_changed: whether anything but the time differs, so that a write is due. Texts are borrowed
 * from want. INVALID: a type, reason or message that the API server would refuse; TOO_LARGE: full.
 */
int kube_condition_set(struct kube_condition *list, size_t *n, size_t max,
	const struct kube_condition *want, int64_t now_wall_ns, bool *ret_changed, struct err *err)
	must_check;

/* Appends the JSON list. */
int kube_conditions_add(struct buf *b, const struct kube_condition *list, size_t n, struct err *err)
	must_check;

/* Reads a JSON list; texts are slices of it, or stand in the arena where they had escapes. Entries
 * that are no conditions are INVALID; more than max are TOO_LARGE. */
int kube_conditions_parse(struct str json, struct arena *arena, struct kube_condition *list,
	size_t max, size_t *ret_n, struct err *err) must_check;

#endif
