#include "pkg/envelope/sender.h"

#include "pkg/base/alloc.h"
#include "pkg/envelope/slots.h"

#include <string.h>

struct hash {
	uint8_t b[ENVELOPE_HASH_LEN];
};

struct envelope_verified {
	struct envelope_slots slots;
	struct hash *hashes;
	struct envelope_verified_stats stats;
};

int envelope_verified_new(
	const struct env *env, size_t max, struct envelope_verified **ret, struct err *err)
{
	if (max == 0 || max > ENVELOPE_VERIFIED_MAX)
		return FAIL(err, ERR_INVALID, "%zu verified signatures", max);
	_cleanup_(envelope_verified_free) struct envelope_verified *v = base_alloc(1, sizeof(*v));
	if (!v)
		return FAIL(err, ERR_NOMEM, "verified signatures");
	TRY(envelope_slots_init(&v->slots, env, (uint32_t)max, err));
	v->hashes = base_alloc(max, sizeof(struct hash));
	if (!v->hashes)
		return FAIL(err, ERR_NOMEM, "verified signatures");
	*ret = STEAL(v);
	return 0;
}

struct envelope_verified *envelope_verified_free(struct envelope_verified *v)
{
	if (!v)
		return NULL;
	envelope_slots_done(&v->slots);
	base_free(v->hashes);
	return base_free(v);
}

static uint64_t head_of(const uint8_t *hash)
{
	uint64_t h = 0;

	memcpy(&h, hash, sizeof(h));
	return h;
}

static uint32_t lookup(const struct envelope_verified *v, const uint8_t *hash)
{
	uint32_t slot = envelope_slots_first(&v->slots, head_of(hash));

	while (slot != ENVELOPE_NO_SLOT && memcmp(v->hashes[slot].b, hash, ENVELOPE_HASH_LEN) != 0)
		slot = envelope_slots_next(&v->slots, slot);
	return slot;
}

bool envelope_verified_has(
	struct envelope_verified *v, const uint8_t hash[static ENVELOPE_HASH_LEN])
{
	const uint32_t slot = lookup(v, hash);

	if (slot == ENVELOPE_NO_SLOT) {
		v->stats.misses++;
		return false;
	}
	v->stats.hits++;
	envelope_slots_touch(&v->slots, slot);
	return true;
}

void envelope_verified_add(
	struct envelope_verified *v, const uint8_t hash[static ENVELOPE_HASH_LEN])
{
	if (lookup(v, hash) != ENVELOPE_NO_SLOT)
		return;
	const uint32_t victim = envelope_slots_victim(&v->slots);
	if (victim != ENVELOPE_NO_SLOT) {
		v->stats.evicted++;
		envelope_slots_release(&v->slots, victim);
	}
	const uint32_t slot = envelope_slots_take(&v->slots, head_of(hash));
	memcpy(v->hashes[slot].b, hash, ENVELOPE_HASH_LEN);
}

struct envelope_verified_stats envelope_verified_stats(const struct envelope_verified *v)
{
	struct envelope_verified_stats stats = v->stats;

	stats.live = v->slots.live;
	return stats;
}
