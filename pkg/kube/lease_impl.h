/* The Lease object as JSON, and what the files of the driver share. Layer: kube, internal.
 *
 * What was received is written back whole: only fields of spec change.
 */
#ifndef KUBE_LEASE_IMPL_H
#define KUBE_LEASE_IMPL_H

#include "pkg/kube/frame.h"
#include "pkg/kube/lease.h"

#include <json-c/json.h>

#define KUBE_LEASE_BODY_MAX (256u << 10)

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

struct kube_lease {
	struct kube_client *client;
	struct kube_lease_rules rules;
	struct kube_lease_state state;
	struct kube_lease_handler handler;
	void *ctx;
	char ns[256], name[256];
	char *field_manager;
	struct json_object *doc;                /* as last received; NULL: absent */
	char holder[KUBE_LEASE_HOLDER_MAX + 1]; /* as on_holder was last told */
	int32_t holder_transitions;
	bool holder_told;
	uint32_t timeout_ms;

	struct kube_call *call; /* the request in flight */
	int64_t sent_ns;
	uv_timer_t timer;
	int64_t at_ns; /* when the rules want to be asked again */

	struct kube_call *watch;
	struct kube_frame frame;
	bool watching; /* its status came */
	int64_t watch_at_ns;

	bool stop_wanted, will_wanted; /* by callers; taken up by the timer */
	enum kube_lease_will will;
	void (*released)(void *ctx);
	void *released_ctx;
	int64_t release_until_ns;
	bool closing;
	struct kube_lease_stats stats;
};

/* Boot clock of the environment that the driver runs in. */
int64_t kube_lease_now(const struct kube_lease *l);

/* One step of the rules, and what it asks for; calls back. */
void kube_lease_feed(struct kube_lease *l, struct kube_lease_event event);

/* Sets the timer to what is due next. */
void kube_lease_rearm(struct kube_lease *l);

/* The Lease as it was received last; takes doc over. NULL: it is absent. */
void kube_lease_set_doc(struct kube_lease *l, struct json_object *doc);

/* Starts the watch if there is none and it is time. */
void kube_lease_watch(struct kube_lease *l);

#endif
