#include "pkg/envelope/slots.h"

#include "pkg/base/alloc.h"

int envelope_slots_init(
	struct envelope_slots *s, const struct env *env, uint32_t max, struct err *err)
{
	struct envelope_slots new = {.max = max,
		.free = ENVELOPE_NO_SLOT,
		.newest = ENVELOPE_NO_SLOT,
		.oldest = ENVELOPE_NO_SLOT};

	base_assert(max >= 1 && max <= 1u << 20);
	TRY(base_random(env, &new.odd, sizeof(new.odd), err));
	new.odd |= 1;
	for (new.bits = 1; (1u << new.bits) < max; new.bits++)
		;
	_cleanup_(base_free) char *v = base_alloc(max, sizeof(*new.v));
	_cleanup_(base_free) char *buckets = base_alloc((size_t)1 << new.bits, sizeof(uint32_t));
	if (!v || !buckets)
		return FAIL(err, ERR_NOMEM, "index of %u slots", max);
	new.v = (struct envelope_slot *)(void *)STEAL(v);
	new.buckets = (uint32_t *)(void *)STEAL(buckets);
	memset(new.buckets, 0xff, ((size_t)1 << new.bits) * sizeof(uint32_t));
	for (uint32_t i = max; i-- > 0;) {
		new.v[i].next = new.free;
		new.free = i;
	}
	*s = new;
	return 0;
}

void envelope_slots_done(struct envelope_slots *s)
{
	base_free(s->v);
	base_free(s->buckets);
	*s = (struct envelope_slots){0};
}

static uint32_t *bucket(const struct envelope_slots *s, uint64_t hash)
{
	return &s->buckets[(hash * s->odd) >> (64 - s->bits)];
}

static uint32_t same_hash(const struct envelope_slots *s, uint32_t slot, uint64_t hash)
{
	while (slot != ENVELOPE_NO_SLOT && s->v[slot].hash != hash)
		slot = s->v[slot].next;
	return slot;
}

uint32_t envelope_slots_first(const struct envelope_slots *s, uint64_t hash)
{
	return same_hash(s, *bucket(s, hash), hash);
}

uint32_t envelope_slots_next(const struct envelope_slots *s, uint32_t slot)
{
	return same_hash(s, s->v[slot].next, s->v[slot].hash);
}

static void unlink_use(struct envelope_slots *s, uint32_t slot)
{
	const struct envelope_slot *v = &s->v[slot];

	if (v->newer != ENVELOPE_NO_SLOT)
		s->v[v->newer].older = v->older;
	else
		s->newest = v->older;
	if (v->older != ENVELOPE_NO_SLOT)
		s->v[v->older].newer = v->newer;
	else
		s->oldest = v->newer;
}

static void link_newest(struct envelope_slots *s, uint32_t slot)
{
	s->v[slot].newer = ENVELOPE_NO_SLOT;
	s->v[slot].older = s->newest;
	if (s->newest != ENVELOPE_NO_SLOT)
		s->v[s->newest].newer = slot;
	else
		s->oldest = slot;
	s->newest = slot;
}

void envelope_slots_touch(struct envelope_slots *s, uint32_t slot)
{
	if (s->newest == slot)
		return;
	unlink_use(s, slot);
	link_newest(s, slot);
}

uint32_t envelope_slots_victim(const struct envelope_slots *s)
{
	return s->free == ENVELOPE_NO_SLOT ? s->oldest : ENVELOPE_NO_SLOT;
}

uint32_t envelope_slots_take(struct envelope_slots *s, uint64_t hash)
{
	const uint32_t slot = s->free;
	uint32_t *head = bucket(s, hash);

	base_assert(slot != ENVELOPE_NO_SLOT);
	s->free = s->v[slot].next;
	s->v[slot] = (struct envelope_slot){.hash = hash, .next = *head, .used = true};
	*head = slot;
	link_newest(s, slot);
	s->live++;
	return slot;
}

void envelope_slots_release(struct envelope_slots *s, uint32_t slot)
{
	uint32_t *at = bucket(s, s->v[slot].hash);

	while (*at != slot)
		at = &s->v[*at].next;
	*at = s->v[slot].next;
	unlink_use(s, slot);
	s->v[slot] = (struct envelope_slot){.next = s->free};
	s->free = slot;
	s->live--;
}
