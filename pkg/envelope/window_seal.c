#include "pkg/envelope/window.h"

#include "pkg/base/alloc.h"
#include "pkg/envelope/header_internal.h"
#include "pkg/envelope/slots.h"

#include <string.h>

/* One window, except for its secret. Targets are ordered by key, recipients by fingerprint; names
 * of both point into `names`. */
struct window {
	int64_t born_ns;
	uint32_t messages;
	uint32_t n;
	struct envelope_target *targets;
	struct envelope_recipient *recipients;
	struct envelope_signing origin; /* what was asked to be signed; level NONE: nothing */
	struct pre_signature signature; /* over it, if has_signature */
	bool has_signature;
};
static struct window *window_free(struct window *w)
{
	return base_free(w);
}
CLEANUP_FREE(struct window, window_free);

struct envelope_windows {
	const struct env *env;
	struct pre_context *pre;
	struct envelope_slots slots;
	struct window **windows;
	struct locked locked;
	struct envelope_windows_stats stats;
};

static struct secret *secret_of(const struct envelope_windows *w, uint32_t slot)
{
	return (struct secret *)w->locked.p + slot;
}

int envelope_windows_new(const struct env *env, struct pre_context *pre, size_t max,
	struct envelope_windows **ret, struct err *err)
{
	if (max == 0 || max > ENVELOPE_WINDOWS_MAX)
		return FAIL(err, ERR_INVALID, "%zu windows", max);
	_cleanup_(envelope_windows_free) struct envelope_windows *w = base_alloc(1, sizeof(*w));
	if (!w)
		return FAIL(err, ERR_NOMEM, "windows");
	w->env = env;
	w->pre = pre;
	TRY(envelope_slots_init(&w->slots, env, (uint32_t)max, err));
	w->windows = base_alloc(max, sizeof(struct window *));
	if (!w->windows)
		return FAIL(err, ERR_NOMEM, "windows");
	TRY(base_locked_new(max * sizeof(struct secret), &w->locked, err));
	*ret = STEAL(w);
	return 0;
}

static void remove_slot(struct envelope_windows *w, uint32_t slot)
{
	base_secret_wipe(secret_of(w, slot));
	w->windows[slot] = window_free(w->windows[slot]);
	envelope_slots_release(&w->slots, slot);
}

void envelope_window_drop_all(struct envelope_windows *w)
{
	while (w->slots.newest != ENVELOPE_NO_SLOT) {
		w->stats.dropped++;
		remove_slot(w, w->slots.newest);
	}
}

struct envelope_windows *envelope_windows_free(struct envelope_windows *w)
{
	if (!w)
		return NULL;
	if (w->slots.v && w->windows && w->locked.p)
		envelope_window_drop_all(w);
	base_locked_done(&w->locked);
	envelope_slots_done(&w->slots);
	base_free(w->windows);
	return base_free(w);
}

static bool has_key(const struct window *v, const struct pre_public_key *key)
{
	for (uint32_t i = 0; i < v->n; i++)
		if (pre_public_key_eq(&v->targets[i].key, key))
			return true;
	return false;
}

void envelope_window_drop(struct envelope_windows *w, const struct pre_public_key *key)
{
	for (uint32_t slot = 0; slot < w->slots.max; slot++) {
		if (!w->windows[slot] || !has_key(w->windows[slot], key))
			continue;
		w->stats.dropped++;
		remove_slot(w, slot);
	}
}

/* The targets of one call in the order of their keys, which makes equal sets comparable. */
struct sorted {
	const struct envelope_target *v[ENVELOPE_RECIPIENTS_MAX];
	uint32_t n;
	uint64_t hash;
};

static int key_cmp(const struct envelope_target *a, const struct envelope_target *b)
{
	return memcmp(a->key.b, b->key.b, sizeof(a->key.b));
}

static int sort(struct envelope_targets targets, struct sorted *ret, struct err *err)
{
	struct sorted s = {.n = (uint32_t)targets.n};

	if (targets.n == 0)
		return REFUSE(err, SHAPE, "no recipients");
	if (targets.n > ENVELOPE_RECIPIENTS_MAX)
		return REFUSE(err, SIZE, "too many recipients");
	for (uint32_t i = 0; i < s.n; i++) {
		const struct envelope_target *t = &targets.v[i];
		uint32_t to = i;
		uint64_t part = 0;
		memcpy(&part, t->key.b + 1, sizeof(part));
		s.hash += part ^ t->epoch; /* whatever the order */
		while (to > 0 && key_cmp(s.v[to - 1], t) > 0) {
			s.v[to] = s.v[to - 1];
			to--;
		}
		s.v[to] = t;
		if (to > 0 && key_cmp(s.v[to - 1], t) == 0)
			return REFUSE(err, SHAPE, "two recipients with one key");
	}
	*ret = s;
	return 0;
}

static bool same_set(const struct window *v, const struct sorted *s)
{
	if (v->n != s->n)
		return false;
	for (uint32_t i = 0; i < s->n; i++)
		if (key_cmp(&v->targets[i], s->v[i]) != 0 ||
			v->targets[i].epoch != s->v[i]->epoch ||
			!base_str_eq(v->targets[i].name, s->v[i]->name))
			return false;
	return true;
}

static int check_names(const struct sorted *s, struct err *err)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (!envelope_name_ok(s->v[i]->name))
			return REFUSE(err, SHAPE, "a recipient's name is not namespace/revision");
	return 0;
}

/* One allocation: the struct, targets, recipients, names. NULL without memory. */
static struct window *window_new(const struct sorted *s)
{
	const size_t targets_at = sizeof(struct window);
	const size_t recipients_at = targets_at + s->n * sizeof(struct envelope_target);
	size_t at = recipients_at + s->n * sizeof(struct envelope_recipient);
	size_t size = at;

	for (uint32_t i = 0; i < s->n; i++)
		size += s->v[i]->name.n;
	char *p = base_alloc(1, size);
	if (!p)
		return NULL;
	struct window *v = (struct window *)(void *)p;
	v->n = s->n;
	v->targets = (struct envelope_target *)(void *)(p + targets_at);
	v->recipients = (struct envelope_recipient *)(void *)(p + recipients_at);
	for (uint32_t i = 0; i < s->n; i++) {
		const struct str name = s->v[i]->name;
		memcpy(p + at, name.p, name.n);
		v->targets[i] = *s->v[i];
		v->targets[i].name = base_str_n(p + at, name.n);
		at += name.n;
	}
	return v;
}

/* Wraps k for every target and puts the entries into the order of the format. */
static int wrap_all(struct envelope_windows *w, struct window *v, const struct secret *k,
	struct envelope_header *scratch, struct err *err)
{
	scratch->recipient_count = v->n;
	for (uint32_t i = 0; i < v->n; i++)
		TRY(envelope_recipient_wrap(
			w->pre, &v->targets[i], k, &scratch->recipients[i], err));
	TRY(envelope_recipients_sort(scratch, err));
	memcpy(v->recipients, scratch->recipients, v->n * sizeof(v->recipients[0]));
	return 0;
}

static int open_window(struct envelope_windows *w, const struct sorted *s,
	struct envelope_header *h, uint32_t *ret_slot, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret k;

	TRY(check_names(s, err));
	_cleanup_(window_free) struct window *v = window_new(s);
	if (!v)
		return FAIL(err, ERR_NOMEM, "window");
	TRY(base_random(w->env, k.b, sizeof(k.b), err));
	TRY(wrap_all(w, v, &k, h, err));
	v->born_ns = base_boot_ns(w->env);
	const uint32_t victim = envelope_slots_victim(&w->slots);
	if (victim != ENVELOPE_NO_SLOT) {
		w->stats.evicted++;
		remove_slot(w, victim);
	}
	const uint32_t slot = envelope_slots_take(&w->slots, s->hash);
	*secret_of(w, slot) = k;
	w->windows[slot] = STEAL(v);
	*ret_slot = slot;
	return 0;
}

static bool over(const struct window *v, int64_t now)
{
	const int64_t age = now - v->born_ns;

	return age < 0 || age >= ENVELOPE_WINDOW_NS || v->messages >= ENVELOPE_WINDOW_MESSAGES;
}

/* The fresh window of this set, or none; one that is over goes. */
static uint32_t lookup(struct envelope_windows *w, const struct sorted *s)
{
	uint32_t slot = envelope_slots_first(&w->slots, s->hash);

	while (slot != ENVELOPE_NO_SLOT && !same_set(w->windows[slot], s))
		slot = envelope_slots_next(&w->slots, slot);
	if (slot != ENVELOPE_NO_SLOT && over(w->windows[slot], base_boot_ns(w->env))) {
		remove_slot(w, slot);
		slot = ENVELOPE_NO_SLOT;
	}
	return slot;
}

int envelope_window_use(struct envelope_windows *w, struct envelope_targets targets,
	struct envelope_header *h, const struct secret **ret_k, struct err *err)
{
	struct sorted s = {0};
	uint32_t slot = 0;

	TRY(sort(targets, &s, err));
	slot = lookup(w, &s);
	if (slot == ENVELOPE_NO_SLOT) {
		struct envelope_header scratch = {0};
		w->stats.misses++;
		TRY(open_window(w, &s, &scratch, &slot, err));
	} else {
		w->stats.hits++;
		envelope_slots_touch(&w->slots, slot);
	}
	struct window *v = w->windows[slot];
	v->messages++;
	h->recipient_count = v->n;
	memcpy(h->recipients, v->recipients, v->n * sizeof(v->recipients[0]));
	*ret_k = secret_of(w, slot);
	return 0;
}

static struct window *used_last(const struct envelope_windows *w)
{
	const uint32_t slot = w->slots.newest;

	return slot == ENVELOPE_NO_SLOT ? NULL : w->windows[slot];
}

const struct pre_signature *envelope_window_origin(
	const struct envelope_windows *w, const uint8_t cert_hash[static ENVELOPE_HASH_LEN])
{
	const struct window *v = used_last(w);

	if (!v || !v->has_signature ||
		memcmp(v->origin.cert, cert_hash, sizeof(v->origin.cert)) != 0)
		return NULL;
	return &v->signature;
}

int envelope_window_origin_signing(struct envelope_windows *w, struct envelope_context *ctx,
	const uint8_t cert_hash[static ENVELOPE_HASH_LEN], struct envelope_signing *ret,
	struct err *err)
{
	struct envelope_header h = {0};
	struct window *v = used_last(w);

	if (!v)
		return FAIL(err, ERR_BUG, "no window is open");
	h.recipient_count = v->n;
	memcpy(h.recipients, v->recipients, v->n * sizeof(v->recipients[0]));
	TRY(envelope_origin_signing(
		ctx, &h, secret_of(w, w->slots.newest), cert_hash, &v->origin, err));
	v->has_signature = false;
	*ret = v->origin;
	return 0;
}

bool envelope_window_set_origin(struct envelope_windows *w, const struct envelope_signing *signing,
	const struct pre_signature *signature)
{
	for (uint32_t slot = 0; slot < w->slots.max; slot++) {
		struct window *v = w->windows[slot];
		if (!v || v->origin.level != ENVELOPE_SENDER_ORIGIN ||
			memcmp(&v->origin, signing, sizeof(*signing)) != 0)
			continue;
		v->signature = *signature;
		v->has_signature = true;
		return true;
	}
	return false;
}

void envelope_windows_sweep(struct envelope_windows *w)
{
	const int64_t now = base_boot_ns(w->env);

	for (uint32_t slot = 0; slot < w->slots.max; slot++)
		if (w->windows[slot] && over(w->windows[slot], now))
			remove_slot(w, slot);
}

struct envelope_windows_stats envelope_windows_stats(const struct envelope_windows *w)
{
	struct envelope_windows_stats stats = w->stats;

	stats.live = w->slots.live;
	stats.locked = w->locked.locked;
	return stats;
}
