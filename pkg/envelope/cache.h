/* Opened content secrets of a receiver, so that a sender's window costs one asymmetric opening.
 *
 * Layer: envelope (core archive). Entries are found under SHA-256(fp ‖ capsule ‖ wrapped): the
 * exact entry that was opened. Invariant: a secret is added only after a message's commitment
 * verified under it (envelope_opener_begin or envelope_commit_check succeeded). An entry lives at
 * most 90 s from its addition, however often it is used; the least recently used one makes room.
 * Secrets stand in locked memory and are wiped when they go.
 */
#ifndef ENVELOPE_CACHE_H
#define ENVELOPE_CACHE_H

#include "pkg/envelope/body.h"

#define ENVELOPE_CACHE_NS  (90 * NS_PER_S)
#define ENVELOPE_CACHE_MAX 4096

struct envelope_cache;

struct envelope_cache_key {
	uint8_t b[ENVELOPE_HASH_LEN];
};

struct envelope_cache_stats {
	uint64_t hits, misses, evicted, dropped;
	size_t live;
	bool locked; /* false: the kernel refused to lock the memory */
};

/* At most max (1 … ENVELOPE_CACHE_MAX) entries. env is borrowed and must outlive it. The caller
 * owns *ret. INVALID, NOMEM, TERMINAL. */
int envelope_cache_new(
	const struct env *env, size_t max, struct envelope_cache **ret, struct err *err) must_check;

/* Wipes and frees. NULL is fine. Returns NULL. */
struct envelope_cache *envelope_cache_free(struct envelope_cache *c);
CLEANUP_FREE(struct envelope_cache, envelope_cache_free);

/* Under what a recipient's secret is filed: a hash of all that it was derived from. TERMINAL. */
int envelope_cache_key(struct envelope_context *ctx, const struct envelope_recipient *r,
	struct envelope_cache_key *ret, struct err *err) must_check;

/* True and *ret_k filled if there is a fresh entry. */
bool envelope_cache_find(
	struct envelope_cache *c, const struct envelope_cache_key *key, struct secret *ret_k);

/* Adds an opened secret; fp says which key opened it. Replaces an entry of the same key. */
void envelope_cache_add(struct envelope_cache *c, const struct envelope_cache_key *key,
	const struct pre_fingerprint *fp, const struct secret *k);

/* Wipes what was opened with this key: its epoch was erased or revoked. */
void envelope_cache_drop(struct envelope_cache *c, const struct pre_fingerprint *fp);

/* Wipes everything. */
void envelope_cache_clear(struct envelope_cache *c);

/* Wipes what is too old: call now and then, so that secrets do not outlive their time at rest. */
void envelope_cache_sweep(struct envelope_cache *c);

/* Since it was made, and what it has now; a copy. */
struct envelope_cache_stats envelope_cache_stats(const struct envelope_cache *c);

#endif
