/* Which of a fixed number of slots holds what: lookup by hash, order of use, free slots. Layer:
 * envelope, and private to it: the index under the window and the cache, which keep the contents
 * themselves.
 *
 * Buckets are chosen by multiplying with a random odd number, so that whoever picks the hashes
 * cannot pick the buckets.
 */
#ifndef ENVELOPE_SLOTS_H
#define ENVELOPE_SLOTS_H

#include "pkg/base/env.h"

#define ENVELOPE_NO_SLOT UINT32_MAX

struct envelope_slot {
	uint64_t hash;
	uint32_t next;         /* in its bucket; in the free list */
	uint32_t newer, older; /* in the order of use */
	bool used;
};

struct envelope_slots {
	struct envelope_slot *v;
	uint32_t *buckets;
	uint32_t max;
	unsigned bits; /* 2^bits buckets */
	uint64_t odd;
	uint32_t free, newest, oldest;
	size_t live;
};

/* max is at least 1 and at most 2^20. NOMEM, TERMINAL without randomness. */
int envelope_slots_init(
	struct envelope_slots *s, const struct env *env, uint32_t max, struct err *err) must_check;
void envelope_slots_done(struct envelope_slots *s);

/* Slots whose hash may be this one, one after the other; ENVELOPE_NO_SLOT at the end. */
uint32_t envelope_slots_first(const struct envelope_slots *s, uint64_t hash);
uint32_t envelope_slots_next(const struct envelope_slots *s, uint32_t slot);

/* The slot is now the most recently used. */
void envelope_slots_touch(struct envelope_slots *s, uint32_t slot);

/* The least recently used slot if there is no free one, else ENVELOPE_NO_SLOT: what the caller
 * has to empty and release before it takes another. */
uint32_t envelope_slots_victim(const struct envelope_slots *s);

/* A free slot, of which there must be one, filed under hash as the most recently used. */
uint32_t envelope_slots_take(struct envelope_slots *s, uint64_t hash);

/* Takes a slot out of the index and makes it free. It must be in use. */
void envelope_slots_release(struct envelope_slots *s, uint32_t slot);

#endif
