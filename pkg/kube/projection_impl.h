/* Between walking a document (projection.c) and building the object (projection_fill.c). Layer:
 * kube. */
#ifndef KUBE_PROJECTION_IMPL_H
#define KUBE_PROJECTION_IMPL_H

#include "pkg/base/buf.h"
#include "pkg/kube/projection.h"

#define KUBE_PROJECTED_TEXT_MAX (64u << 10) /* of a text in a list or in pairs */

enum kube_projected_kind {
	KUBE_PROJECTED_VALUE,   /* of a field; of PAIRS: a value, behind its key */
	KUBE_PROJECTED_HEAD,    /* a TEXTS, PAIRS or LIST begins; its elements follow */
	KUBE_PROJECTED_ELEMENT, /* a text of TEXTS, a key of PAIRS; of a LIST: the fields follow */
};

/* One value that the document has for a field. Texts are slices of the document, as they stand
 * there. */
struct kube_projected {
	const struct kube_field *field;
	enum kube_projected_kind kind;
	bool escaped; /* raw has escapes */
	bool dead;    /* a later duplicate of the key has won */
	struct str raw;
	int64_t n; /* INT, BOOL, PRESENT, COUNT, TIME */
};

/* Builds the one block from the items. */
int kube_project_fill(const struct kube_projection *projection, const struct kube_projected *items,
	size_t n, void **ret_object, struct err *err) must_check;

#endif
