/* From a document to a small struct, by a table. Layer: kube, pure.
 *
 *	struct pod { struct kube_meta meta; struct str ip; bool deleting; struct kube_pairs labels;
 *}; static const struct kube_field pod_fields[] = { KUBE_META_FIELDS(struct pod, meta),
 *		{"/status/podIP", KUBE_FIELD_TEXT, 64, offsetof(struct pod, ip)},
 *		{"/metadata/deletionTimestamp", KUBE_FIELD_PRESENT, 0, offsetof(struct pod,
 *deleting)},
 *		{"/metadata/labels", KUBE_FIELD_PAIRS, 64, offsetof(struct pod, labels)},
 *	};
 *	static const struct kube_projection pod_projection = {
 *		pod_fields, ARRAY_LEN(pod_fields), sizeof(struct pod)};
 *
 * An object is one heap block: the struct, its lists, its texts (each with a final NUL); base_free
 * gives it back. It keeps nothing of the document. The whole document is checked as JSON, once.
 * Absent and null leave the field zero. Of duplicate keys the last wins, with all below it.
 */
#ifndef KUBE_PROJECTION_H
#define KUBE_PROJECTION_H

#include "pkg/base/str.h"
#include "pkg/kube/ref.h"

#define KUBE_FIELDS_MAX     64   /* of a projection */
#define KUBE_FIELD_PATH_MAX 8    /* segments */
#define KUBE_PROJECTED_MAX  4096 /* values in one object, list elements and pairs included */

enum kube_field_type {
	KUBE_FIELD_TEXT,    /* struct str; bound: bytes */
	KUBE_FIELD_INT,     /* int64_t; bound: none */
	KUBE_FIELD_BOOL,    /* bool */
	KUBE_FIELD_TIME,    /* int64_t, nanoseconds since 1970, from RFC 3339 */
	KUBE_FIELD_PRESENT, /* bool: there, and not null */
	KUBE_FIELD_RAW,     /* struct str: the value's JSON text; bound: bytes */
	KUBE_FIELD_TEXTS,   /* struct kube_list of struct str, from a list; bound: how many */
	KUBE_FIELD_PAIRS,   /* struct kube_pairs, from an object of texts; bound: how many */
	KUBE_FIELD_LIST,    /* struct kube_list of `of`, from a list of objects; bound: how many */
	KUBE_FIELD_COUNT,   /* int64_t: elements of a list; bound: none */
};

struct kube_projection;

/* A row. A bound that is exceeded is TOO_LARGE; texts in lists and pairs have at most 64 KiB. */
struct kube_field {
	const char *path; /* JSON pointer: "/metadata/labels/example.org~1name" */
	enum kube_field_type type;
	uint32_t bound;
	size_t offset;
	const struct kube_projection
		*of; /* LIST: rows of one element; no LIST, TEXTS, PAIRS in it */
};

struct kube_projection {
	const struct kube_field *fields;
	size_t n;
	size_t size; /* of the struct */
};

struct kube_list {
	const void *items;
	size_t n;
};

struct kube_pair {
	struct str key, value;
};
struct kube_pairs {
	const struct kube_pair *items;
	size_t n;
};

/* The value of a key; empty text if there is none. */
struct str kube_pairs_get(const struct kube_pairs *pairs, const char *key);

/* What every object has. */
struct kube_meta {
	struct str ns, name, uid, rv;
};
#define KUBE_META_FIELDS(type, member)                                                      \
	{"/metadata/namespace", KUBE_FIELD_TEXT, 253, offsetof(type, member.ns)},           \
		{"/metadata/name", KUBE_FIELD_TEXT, 253, offsetof(type, member.name)},      \
		{"/metadata/uid", KUBE_FIELD_TEXT, 128, offsetof(type, member.uid)},        \
	{                                                                                   \
		"/metadata/resourceVersion", KUBE_FIELD_TEXT, 63, offsetof(type, member.rv) \
	}

/* Decodes doc. INVALID with the path: not JSON, or a value of another type; TOO_LARGE; NOMEM; BUG:
 * a table that breaks the rules above. The caller owns *ret_object (base_free). */
int kube_project(const struct kube_projection *projection, struct str doc, void **ret_object,
	struct err *err) must_check;

/* How an informer sees a kind of object. Either decode or projection; with a projection whose
 * struct begins with a struct kube_meta nothing else is needed. */
struct kube_kind {
	const struct kube_projection *projection; /* used where decode is NULL */
	int (*decode)(struct str doc, void **ret_object, struct err *err); /* one heap block */
	void *(*free)(void *object);                                       /* NULL: base_free */
	struct kube_meta (*meta)(const void *object); /* borrowed; NULL: it begins with one */
};

/* Makes an object of a whole JSON document; the caller owns *ret_object. INVALID, TOO_LARGE, NOMEM.
 */
int kube_kind_decode(const struct kube_kind *kind, struct str doc, void **ret_object,
	struct err *err) must_check;
/* NULL is fine. Returns NULL. */
void *kube_kind_free(const struct kube_kind *kind, void *object);
struct kube_meta kube_kind_meta(const struct kube_kind *kind, const void *object);

#endif
