/* The Lease object as JSON, and requests for it. Layer: kube, internal.
 *
 * What was received is written back whole: only fields of spec change.
 */
#ifndef KUBE_LEASE_IMPL_H
#define KUBE_LEASE_IMPL_H

#include "pkg/kube/lease.h"

#include <json-c/json.h>

#define KUBE_LEASE_BODY_MAX (256u << 10)

extern const struct kube_resource kube_lease_resource;

static inline struct json_object *kube_lease_put(struct json_object *doc)
{
	json_object_put(doc);
	return NULL;
}
CLEANUP_FREE(struct json_object, kube_lease_put);

/* Reads a Lease. INVALID: it is none; NOMEM. The caller owns *ret_doc. */
int kube_lease_parse(struct str json, struct json_object **ret_doc,
	struct kube_lease_record *ret_record, struct err *err) must_check;

/* A text of metadata or of metadata's `map`; borrowed from doc; empty if there is none. */
struct str kube_lease_meta(struct json_object *doc, const char *map, const char *key);

/* Appends the body of a PUT: doc, with what the record says. doc is changed. With doc NULL that of
 * a POST, with the name. NOMEM, TOO_LARGE. */
int kube_lease_body(struct json_object *doc, struct str name,
	const struct kube_lease_action *action, int64_t wall_ns, struct buf *b, struct err *err)
	must_check;

#endif
