/* Keeps the objects of one kind at hand, as the API server has them. Layer: kube (libuv).
 *
 * One watch (kube/watch.h), one store (kube/store.h). Handlers see for each object a sequence that
 * agrees with its own history, but may miss states in between: be level-driven. On a new LIST the
 * store is wholly replaced first, then handlers run; what vanished is DELETED with its last known
 * state; another UID under the same name is DELETED and ADDED. An older version than the one at
 * hand (kube_rv_cmp, same UID) is dropped. kubernetes.md 1.6.
 *
 * Handlers run inline on the loop and must not wait: they put keys into a queue (kube/queue.h).
 * They may read the store, but not free the informer. An object stays as it is and where it is
 * until the handler has returned from being told that it was MODIFIED (it is `old` then) or
 * DELETED.
 */
#ifndef KUBE_INFORMER_H
#define KUBE_INFORMER_H

#include "pkg/kube/client.h"
#include "pkg/kube/store.h"
#include "pkg/kube/watch.h"

struct kube_informer;

enum kube_change { KUBE_ADDED, KUBE_MODIFIED, KUBE_DELETED };

struct kube_handler {
	/* ADDED: old is NULL. DELETED: cur is NULL; old is the last state, with the resourceVersion
	 * of the deletion where that was seen, else (a new LIST lacks it) what the store had. */
	void (*on)(void *ctx, enum kube_change change, const void *old, const void *cur);
	/* Once, after the handler has seen every object of the first set. May be NULL. */
	void (*synced)(void *ctx);
	/* An error worth telling; the informer goes on by itself. May be NULL. */
	void (*trouble)(void *ctx, const struct err *err);
};

struct kube_informer_spec {
	const struct kube_resource *resource;      /* outlives the informer, as kind */
	struct str ns;                             /* empty: all namespaces, or not namespaced */
	struct str label_selector, field_selector; /* copied, as ns */
	const struct kube_kind *kind;
	bool no_watch_list; /* LIST at once: for servers that are known to refuse a WatchList */
};

/* Starts at once; handlers are called from the loop. Copies spec and handler. */
int kube_informer_new(struct kube_client *client, const struct kube_informer_spec *spec,
	const struct kube_handler *handler, void *ctx, struct kube_informer **ret_informer,
	struct err *err) must_check;

/* Stops, without callbacks, and frees all objects. NULL is fine. Returns NULL. Some memory goes
 * when the loop has closed the timer: run it once more. */
struct kube_informer *kube_informer_free(struct kube_informer *i);
CLEANUP_FREE(struct kube_informer, kube_informer_free);

/* The first set is in the store. */
bool kube_informer_synced(const struct kube_informer *i);

/* The resourceVersion up to which the store is current: moved by events, sets and bookmarks; empty
 * before the first set. Borrowed until the loop runs on. For read-your-own-writes: reconcile an
 * owner once this is not less than what its last write answered (kube_rv_cmp). */
struct str kube_informer_synced_rv(const struct kube_informer *i);

/* Read-only, until the loop runs on; NULL if there is none. */
const void *kube_store_get(const struct kube_informer *i, struct str ns, struct str name);
/* For kube_store_each, kube_store_by_index, kube_store_len. */
const struct kube_store *kube_informer_store(const struct kube_informer *i);

/* At any time; *ret_index goes to kube_store_by_index. */
int kube_informer_add_index(
	struct kube_informer *i, kube_index_fn keys, size_t *ret_index, struct err *err) must_check;

/* Of its watch. */
enum kube_watch_state kube_informer_state(const struct kube_informer *i);

struct kube_informer_stats {
	struct kube_watch_stats watch;
	uint64_t stale; /* versions that were dropped for being older */
	size_t objects;
};
struct kube_informer_stats kube_informer_stats(const struct kube_informer *i);

#endif
