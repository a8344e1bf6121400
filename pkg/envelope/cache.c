#include "pkg/envelope/cache.h"

#include "pkg/base/alloc.h"
#include "pkg/envelope/slots.h"

#include <string.h>

struct entry {
	struct envelope_cache_key key;
	struct pre_fingerprint fp;
	int64_t born_ns;
};

/* Secrets stand apart from the rest, so that the locked memory is as small as it can be. */
struct envelope_cache {
	const struct env *env;
	struct envelope_slots slots;
	struct entry *entries;
	struct locked locked;
	struct envelope_cache_stats stats;
};

static struct secret *secret_of(const struct envelope_cache *c, uint32_t slot)
{
	return (struct secret *)c->locked.p + slot;
}

int envelope_cache_new(
	const struct env *env, size_t max, struct envelope_cache **ret, struct err *err)
{
	if (max == 0 || max > ENVELOPE_CACHE_MAX)
		return FAIL(err, ERR_INVALID, "a cache of %zu entries", max);
	_cleanup_(envelope_cache_free) struct envelope_cache *c = base_alloc(1, sizeof(*c));
	if (!c)
		return FAIL(err, ERR_NOMEM, "cache");
	c->env = env;
	TRY(envelope_slots_init(&c->slots, env, (uint32_t)max, err));
	c->entries = base_alloc(max, sizeof(*c->entries));
	if (!c->entries)
		return FAIL(err, ERR_NOMEM, "cache");
	TRY(base_locked_new(max * sizeof(struct secret), &c->locked, err));
	*ret = STEAL(c);
	return 0;
}

struct envelope_cache *envelope_cache_free(struct envelope_cache *c)
{
	if (!c)
		return NULL;
	base_locked_done(&c->locked);
	envelope_slots_done(&c->slots);
	base_free(c->entries);
	return base_free(c);
}

int envelope_cache_key(struct envelope_context *ctx, const struct envelope_recipient *r,
	struct envelope_cache_key *ret, struct err *err)
{
	uint8_t bytes[PRE_FP_LEN + PRE_CAPSULE_LEN + PRE_WRAPPED_LEN];

	memcpy(bytes, r->fp.b, PRE_FP_LEN);
	memcpy(bytes + PRE_FP_LEN, r->capsule, PRE_CAPSULE_LEN);
	memcpy(bytes + PRE_FP_LEN + PRE_CAPSULE_LEN, r->wrapped, PRE_WRAPPED_LEN);
	return envelope_hash(ctx, base_str_n(bytes, sizeof(bytes)), ret->b, err);
}

static uint64_t hash_of(const struct envelope_cache_key *key)
{
	uint64_t h = 0;

	memcpy(&h, key->b, sizeof(h));
	return h;
}

static uint32_t lookup(const struct envelope_cache *c, const struct envelope_cache_key *key)
{
	uint32_t slot = envelope_slots_first(&c->slots, hash_of(key));

	while (slot != ENVELOPE_NO_SLOT && memcmp(&c->entries[slot].key, key, sizeof(*key)) != 0)
		slot = envelope_slots_next(&c->slots, slot);
	return slot;
}

static void remove_slot(struct envelope_cache *c, uint32_t slot)
{
	base_secret_wipe(secret_of(c, slot));
	c->entries[slot] = (struct entry){0};
	envelope_slots_release(&c->slots, slot);
}

static bool stale(const struct envelope_cache *c, uint32_t slot, int64_t now)
{
	const int64_t age = now - c->entries[slot].born_ns;

	return age < 0 || age >= ENVELOPE_CACHE_NS;
}

bool envelope_cache_find(
	struct envelope_cache *c, const struct envelope_cache_key *key, struct secret *ret_k)
{
	const uint32_t slot = lookup(c, key);

	if (slot != ENVELOPE_NO_SLOT && stale(c, slot, base_boot_ns(c->env))) {
		c->stats.dropped++;
		remove_slot(c, slot);
	} else if (slot != ENVELOPE_NO_SLOT) {
		c->stats.hits++;
		envelope_slots_touch(&c->slots, slot);
		*ret_k = *secret_of(c, slot);
		return true;
	}
	c->stats.misses++;
	return false;
}

void envelope_cache_add(struct envelope_cache *c, const struct envelope_cache_key *key,
	const struct pre_fingerprint *fp, const struct secret *k)
{
	uint32_t slot = lookup(c, key);

	if (slot != ENVELOPE_NO_SLOT)
		remove_slot(c, slot);
	slot = envelope_slots_victim(&c->slots);
	if (slot != ENVELOPE_NO_SLOT) {
		c->stats.evicted++;
		remove_slot(c, slot);
	}
	slot = envelope_slots_take(&c->slots, hash_of(key));
	c->entries[slot] = (struct entry){.key = *key, .fp = *fp, .born_ns = base_boot_ns(c->env)};
	*secret_of(c, slot) = *k;
}

/* Removes what `gone` says, going once through all slots. */
static void remove_where(struct envelope_cache *c,
	bool (*gone)(const struct envelope_cache *c, uint32_t slot, const void *arg),
	const void *arg)
{
	for (uint32_t slot = 0; slot < c->slots.max; slot++) {
		if (!c->slots.v[slot].used || !gone(c, slot, arg))
			continue;
		c->stats.dropped++;
		remove_slot(c, slot);
	}
}

static bool opened_with(const struct envelope_cache *c, uint32_t slot, const void *fp)
{
	return memcmp(&c->entries[slot].fp, fp, sizeof(c->entries[slot].fp)) == 0;
}

void envelope_cache_drop(struct envelope_cache *c, const struct pre_fingerprint *fp)
{
	remove_where(c, opened_with, fp);
}

static bool any(const struct envelope_cache *c, uint32_t slot, const void *arg)
{
	(void)c;
	(void)slot;
	(void)arg;
	return true;
}

void envelope_cache_clear(struct envelope_cache *c)
{
	remove_where(c, any, NULL);
}

static bool too_old(const struct envelope_cache *c, uint32_t slot, const void *now)
{
	return stale(c, slot, *(const int64_t *)now);
}

void envelope_cache_sweep(struct envelope_cache *c)
{
	const int64_t now = base_boot_ns(c->env);

	remove_where(c, too_old, &now);
}

struct envelope_cache_stats envelope_cache_stats(const struct envelope_cache *c)
{
	struct envelope_cache_stats stats = c->stats;

	stats.live = c->slots.live;
	stats.locked = c->locked.locked;
	return stats;
}
