/* One request to the API server, as a value, and the text that it becomes. Layer: kube, pure.
 *
 * Every segment of a path and every value of a query is percent-encoded here; an empty name where
 * the verb needs one is refused, so that a GET never becomes a LIST nor a DELETE the deletion of a
 * whole collection. kubernetes.md 1.2.
 */
#ifndef KUBE_REQUEST_H
#define KUBE_REQUEST_H

#include "pkg/base/buf.h"
#include "pkg/kube/ref.h"

/* Each class has connections of its own: a Lease never queues behind a LIST. */
#define KUBE_CLASSES(X) X(API, "api") X(LEASE, "lease") X(WATCH, "watch")

#define KUBE_VERBS(X)                          \
	X(GET, "get", "GET")                   \
	X(LIST, "list", "GET")                 \
	X(CREATE, "create", "POST")            \
	X(UPDATE, "update", "PUT")             \
	X(PATCH_MERGE, "patch-merge", "PATCH") \
	X(PATCH_JSON, "patch-json", "PATCH")   \
	X(APPLY, "apply", "PATCH")             \
	X(DELETE, "delete", "DELETE")

#define KUBE_ENUM_1(name, ...)     KUBE_##name,
#define KUBE_ENUM_CLASS(name, ...) KUBE_CLASS_##name,
enum kube_class { KUBE_CLASSES(KUBE_ENUM_CLASS) KUBE_CLASS_COUNT };
enum kube_verb { KUBE_VERBS(KUBE_ENUM_1) KUBE_VERB_COUNT };

#define KUBE_BODY_MAX    (3u << 20) /* what the API server takes at most */
#define KUBE_ANSWER_MAX  (4u << 20) /* default of max_body */
#define KUBE_URL_MAX     (16u << 10)
#define KUBE_TIMEOUT_MS  30000u /* default of timeout_ms for calls */
#define KUBE_MANAGER_MAX 128

struct kube_request {
	enum kube_verb verb; /* a watch is KUBE_LIST with watch=true in the query */
	const struct kube_resource *resource;
	struct str ns;          /* empty: all namespaces (LIST), or not namespaced */
	struct str name;        /* empty for LIST and CREATE */
	struct str subresource; /* "status", "eviction", …; empty: none */
	struct str query;       /* encoded (kube_query_add), without "?"; may be empty */
	struct str body;        /* JSON; empty: none */
	enum kube_class class;
	uint32_t timeout_ms; /* in all, retries included; 0: KUBE_TIMEOUT_MS, streams: none */
	uint32_t idle_ms; /* streams: end with TRANSIENT after so long without a byte; 0: never */
	const char *field_manager; /* NULL: none; APPLY needs one */
	bool force;                /* APPLY: take fields over from other managers */
	size_t max_body;           /* of the answer; 0: KUBE_ANSWER_MAX; streams: not used */
	const char *accept;        /* NULL: application/json */
};

/* True for what changes something on the server. */
bool kube_verb_writes(enum kube_verb verb);
const char *kube_verb_name(enum kube_verb verb);   /* "patch-merge" */
const char *kube_verb_method(enum kube_verb verb); /* "PATCH" */

/* The Content-Type of the body; NULL where the verb has no body. */
const char *kube_verb_content_type(enum kube_verb verb);

/* INVALID: a name is missing, superfluous, or "." or ".."; a verb without the body that it needs;
 * APPLY without a field manager. TOO_LARGE: the body. */
int kube_request_check(const struct kube_request *request, struct err *err) must_check;

/* Appends "/apis/g/v/namespaces/ns/plural/name/sub?query&fieldManager=…&timeout=30s". Checks first.
 * timeout is left out where timeout_s is 0 or the query watches. */
int kube_request_path(const struct kube_request *request, uint32_t timeout_s, struct buf *b,
	struct err *err) must_check;

/* Appends "name=value" with '&' before it where b is not empty, both encoded. */
int kube_query_add(struct buf *b, const char *name, struct str value, struct err *err) must_check;

/* Appends s percent-encoded (RFC 3986 unreserved characters stay). */
int kube_encode_add(struct buf *b, struct str s, struct err *err) must_check;

/* Appends the DeleteOptions of a DELETE: always send the uid of what was seen. Empty uid or rv: no
 * such precondition. propagation: "Background", "Foreground", "Orphan" or NULL. */
int kube_delete_options_add(struct buf *b, struct str uid, struct str rv, const char *propagation,
	struct err *err) must_check;

#endif
