/* The objects of one kind by namespace and name, with indexes. Layer: kube, pure.
 *
 * Objects are immutable; the store owns them (kube_kind_free) from put until they are taken out or
 * replaced. Every change is all or nothing.
 */
#ifndef KUBE_STORE_H
#define KUBE_STORE_H

#include "pkg/base/cleanup.h"
#include "pkg/kube/projection.h"

#define KUBE_STORE_MAX   (1u << 20) /* objects */
#define KUBE_INDEXES_MAX 8
#define KUBE_INDEX_KEYS  16  /* of one object in one index */
#define KUBE_KEY_MAX     512 /* "namespace/name" */

struct kube_store;

/* Writes the keys of an object, borrowed from it, to keys (room for KUBE_INDEX_KEYS); returns how
 * many. Empty keys and doubles are left out by the store. */
typedef size_t (*kube_index_fn)(const void *object, struct str *keys);

/* An empty store of one kind, without indexes; kind is borrowed. NOMEM. */
int kube_store_new(const struct kube_kind *kind, struct kube_store **ret_store, struct err *err)
	must_check;
/* Frees the objects too. NULL is fine. Returns NULL. */
struct kube_store *kube_store_free(struct kube_store *s);
CLEANUP_FREE(struct kube_store, kube_store_free);

/* An empty store with the same kind and indexes. */
int kube_store_like(const struct kube_store *s, struct kube_store **ret_store, struct err *err)
	must_check;

/* Indexes what is there, too. *ret_index goes to kube_store_by_index. TOO_LARGE, NOMEM. */
int kube_store_index(struct kube_store *s, kube_index_fn keys, size_t *ret_index, struct err *err)
	must_check;

/* Takes object over; *ret_old is what stood there (now the caller's), or NULL. INVALID: no name.
 * On failure object stays the caller's. */
int kube_store_put(struct kube_store *s, void *object, void **ret_old, struct err *err) must_check;

/* Objects of `before` that s has too, in the same version (uid and resourceVersion), change places
 * with its copies: what did not change stays at its address. Needs no memory. Both have the same
 * kind and indexes. */
void kube_store_keep(struct kube_store *s, struct kube_store *before);

/* Takes an object out, which is then the caller's; NULL if there is none. */
void *kube_store_take(struct kube_store *s, struct str ns, struct str name);

/* Borrowed until the store changes; NULL if there is none. And how many there are. */
const void *kube_store_find(const struct kube_store *s, struct str ns, struct str name);
size_t kube_store_len(const struct kube_store *s);

/* Walks all objects in no order: start with *at = 0; NULL at the end. Nothing may change
 * meanwhile. */
const void *kube_store_each(const struct kube_store *s, size_t *at);

/* The objects that have the key in the index, borrowed until the store changes. */
size_t kube_store_by_index(
	const struct kube_store *s, size_t index, struct str key, const void *const **ret_objects);

#endif
