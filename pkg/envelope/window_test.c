/* Windows of senders and caches of receivers, on a clock that the test moves. */
#include "pkg/base/test.h"

#include "pkg/envelope/cache.h"
#include "pkg/envelope/slots.h"
#include "pkg/envelope/window.h"
#include "pkg/pre/hold.h"

struct world {
	struct env_fake fake;
	struct env env;
	struct pre_context *pre;
	struct envelope_context *ctx;
	struct envelope_target targets[ENVELOPE_RECIPIENTS_MAX + 1];
};

static int setup(void **state)
{
	static struct world w;
	static const char *const names[] = {"shop/a", "shop/b", "shop/c"};

	w = (struct world){.fake = {.boot_ns = NS_PER_S, .seed = 7}};
	w.env = base_env_fake(&w.fake);
	assert_ok("setup", pre_context_new(&w.env, &w.pre, err));
	assert_ok("setup", envelope_context_new(&w.env, &w.ctx, err));
	for (size_t i = 0; i < ARRAY_LEN(w.targets); i++) {
		struct secret sk;
		assert_ok("setup", pre_keygen(w.pre, &sk, &w.targets[i].key, err));
		w.targets[i].epoch = 1;
		w.targets[i].name = base_str(names[i % ARRAY_LEN(names)]);
	}
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	w->pre = pre_context_free(w->pre);
	w->ctx = envelope_context_free(w->ctx);
	assert_int_equal(base_alloc_live(), 0);
	return 0;
}

static struct secret use(struct world *w, struct envelope_windows *windows, size_t from, size_t n)
{
	const struct envelope_targets to = {.v = w->targets + from, .n = n};
	const struct secret *k = NULL;
	struct envelope_header h;

	assert_ok("use", envelope_window_use(windows, to, &h, &k, err));
	assert_int_equal(h.recipient_count, n);
	for (size_t i = 0; i < n; i++) {
		const struct pre_fingerprint fp = pre_fingerprint(&w->targets[from + i].key);
		const struct envelope_recipient *r = envelope_recipient_find(&h, &fp);
		assert_non_null(r);
		assert_int_equal(r->epoch, w->targets[from + i].epoch);
		assert_true(base_str_eq(r->name, w->targets[from + i].name));
		assert_true(
			i == 0 || memcmp(h.recipients[i - 1].fp.b, h.recipients[i].fp.b, 16) < 0);
	}
	return *k;
}

static bool same(struct secret a, struct secret b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

static void windows_end_by_time(void **state)
{
	struct world *w = *state;
	_cleanup_(envelope_windows_free) struct envelope_windows *windows = NULL;

	assert_ok("new", envelope_windows_new(&w->env, w->pre, 8, &windows, err));
	const struct secret first = use(w, windows, 0, 1);
	w->fake.boot_ns += ENVELOPE_WINDOW_NS - 1;
	assert_true(same(first, use(w, windows, 0, 1)));
	w->fake.boot_ns += 1;
	const struct secret second = use(w, windows, 0, 1);
	assert_false(same(first, second));
	w->fake.boot_ns -= 2 * NS_PER_S;
	assert_false(same(second, use(w, windows, 0, 1)));
	const struct envelope_windows_stats s = envelope_windows_stats(windows);
	assert_int_equal(s.hits, 1);
	assert_int_equal(s.misses, 3);
	assert_int_equal(s.live, 1);
	w->fake.boot_ns += 2 * ENVELOPE_WINDOW_NS;
	envelope_windows_sweep(windows);
	assert_int_equal(envelope_windows_stats(windows).live, 0);
}

static void windows_end_by_count(void **state)
{
	struct world *w = *state;
	_cleanup_(envelope_windows_free) struct envelope_windows *windows = NULL;
	const struct envelope_targets to = {.v = w->targets, .n = 1};
	const struct secret *k = NULL;
	struct envelope_header h;

	assert_ok("new", envelope_windows_new(&w->env, w->pre, 8, &windows, err));
	const struct secret first = use(w, windows, 0, 1);
	for (uint32_t i = 2; i < ENVELOPE_WINDOW_MESSAGES; i++)
		assert_int_equal(envelope_window_use(windows, to, &h, &k, NULL), 0);
	assert_true(same(first, use(w, windows, 0, 1)));
	assert_false(same(first, use(w, windows, 0, 1)));
}

static void windows_are_of_one_set(void **state)
{
	struct world *w = *state;
	_cleanup_(envelope_windows_free) struct envelope_windows *windows = NULL;
	const struct secret *k = NULL;
	struct envelope_header h;

	assert_ok("new", envelope_windows_new(&w->env, w->pre, 64, &windows, err));
	const struct secret three = use(w, windows, 0, 3);
	const struct envelope_target turned[] = {w->targets[2], w->targets[0], w->targets[1]};
	assert_ok("order", envelope_window_use(windows,
				   (struct envelope_targets){.v = turned, .n = 3}, &h, &k, err));
	assert_true(same(three, *k));
	assert_false(same(three, use(w, windows, 0, 2)));
	assert_false(same(three, use(w, windows, 1, 3)));
	assert_true(same(three, use(w, windows, 0, 3)));
	struct envelope_target changed = w->targets[0];
	const struct envelope_targets to = {.v = &changed, .n = 1};
	const struct secret one = use(w, windows, 0, 1);
	changed.epoch++;
	assert_ok("epoch", envelope_window_use(windows, to, &h, &k, err));
	assert_false(same(one, *k));
	changed.epoch--;
	changed.name = STR("shop/other");
	assert_ok("name", envelope_window_use(windows, to, &h, &k, err));
	assert_false(same(one, *k));
}

static void windows_end_with_a_record(void **state)
{
	struct world *w = *state;
	_cleanup_(envelope_windows_free) struct envelope_windows *windows = NULL;

	assert_ok("new", envelope_windows_new(&w->env, w->pre, 64, &windows, err));
	const struct secret a = use(w, windows, 0, 2);
	const struct secret b = use(w, windows, 1, 2);
	const struct secret c = use(w, windows, 2, 2);
	envelope_window_drop(windows, &w->targets[1].key);
	assert_int_equal(envelope_windows_stats(windows).live, 1);
	assert_true(same(c, use(w, windows, 2, 2)));
	assert_false(same(a, use(w, windows, 0, 2)));
	assert_false(same(b, use(w, windows, 1, 2)));
	envelope_window_drop_all(windows);
	assert_int_equal(envelope_windows_stats(windows).live, 0);
	assert_int_equal(envelope_windows_stats(windows).dropped, 5);
	assert_false(same(c, use(w, windows, 2, 2)));
}

static void windows_are_bounded(void **state)
{
	struct world *w = *state;
	_cleanup_(envelope_windows_free) struct envelope_windows *windows = NULL;
	struct envelope_windows *none = NULL;

	assert_class("none", ERR_INVALID, envelope_windows_new(&w->env, w->pre, 0, &none, err));
	assert_class("many", ERR_INVALID,
		envelope_windows_new(&w->env, w->pre, ENVELOPE_WINDOWS_MAX + 1, &none, err));
	assert_ok("new", envelope_windows_new(&w->env, w->pre, 3, &windows, err));
	const struct secret first = use(w, windows, 0, 1);
	(void)use(w, windows, 1, 1);
	(void)use(w, windows, 2, 1);
	assert_true(same(first, use(w, windows, 0, 1)));
	(void)use(w, windows, 3, 1); /* the second goes: it was used longest ago */
	assert_true(same(first, use(w, windows, 0, 1)));
	assert_int_equal(envelope_windows_stats(windows).evicted, 1);
	assert_int_equal(envelope_windows_stats(windows).misses, 4);
	(void)use(w, windows, 1, 1);
	assert_int_equal(envelope_windows_stats(windows).misses, 5);
	assert_int_equal(envelope_windows_stats(windows).live, 3);
}

/* One signature for a window and a certificate; a window that is over has none. */
static void windows_keep_their_origin(void **state)
{
	static const uint8_t cert[ENVELOPE_HASH_LEN] = {1};
	static const uint8_t renewed[ENVELOPE_HASH_LEN] = {2};
	const struct pre_signature sig = {.b = {3}};
	struct world *w = *state;
	_cleanup_(envelope_windows_free) struct envelope_windows *windows = NULL;
	const struct envelope_targets to = {.v = w->targets, .n = 3};
	const struct secret *k = NULL;
	struct envelope_signing a;
	struct envelope_signing b;
	struct envelope_signing direct;
	struct envelope_header h = {0};

	assert_ok("new", envelope_windows_new(&w->env, w->pre, 2, &windows, err));
	assert_null(envelope_window_origin(windows, cert));
	assert_class("none open", ERR_BUG,
		envelope_window_origin_signing(windows, w->ctx, cert, &a, err));
	assert_ok("use", envelope_window_use(windows, to, &h, &k, err));
	assert_null(envelope_window_origin(windows, cert));
	assert_ok("ask", envelope_window_origin_signing(windows, w->ctx, cert, &a, err));
	assert_ok("direct", envelope_origin_signing(w->ctx, &h, k, cert, &direct, err));
	assert_memory_equal(&a, &direct, sizeof(a));
	assert_int_equal(a.level, ENVELOPE_SENDER_ORIGIN);
	(void)use(w, windows, 5, 1);
	assert_ok("of another", envelope_window_origin_signing(windows, w->ctx, cert, &b, err));
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_true(envelope_window_set_origin(windows, &a, &sig));
	assert_null(envelope_window_origin(windows, cert));
	(void)use(w, windows, 0, 3);
	assert_memory_equal(envelope_window_origin(windows, cert), &sig, sizeof(sig));
	assert_null(envelope_window_origin(windows, renewed));
	assert_ok("renewed", envelope_window_origin_signing(windows, w->ctx, renewed, &b, err));
	assert_false(envelope_window_set_origin(windows, &a, &sig));
	assert_true(envelope_window_set_origin(windows, &b, &sig));
	assert_non_null(envelope_window_origin(windows, renewed));
	w->fake.boot_ns += ENVELOPE_WINDOW_NS;
	(void)use(w, windows, 0, 3);
	assert_null(envelope_window_origin(windows, renewed));
	assert_false(envelope_window_set_origin(windows, &b, &sig));
	envelope_window_drop_all(windows);
	assert_null(envelope_window_origin(windows, renewed));
}

static void windows_refuse(void **state)
{
	struct world *w = *state;
	_cleanup_(envelope_windows_free) struct envelope_windows *windows = NULL;
	const struct envelope_target twice[] = {w->targets[0], w->targets[0]};
	const struct envelope_target name[] = {{.key = w->targets[0].key, .name = STR("x")}};
	const struct {
		const char *name;
		struct envelope_targets to;
		enum err_class class;
	} rows[] = {
		{"none", {.v = w->targets, .n = 0}, ERR_INVALID},
		{"17", {.v = w->targets, .n = ENVELOPE_RECIPIENTS_MAX + 1}, ERR_TOO_LARGE},
		{"twice", {.v = twice, .n = 2}, ERR_INVALID},
		{"name", {.v = name, .n = 1}, ERR_INVALID},
	};
	const struct secret *k = NULL;
	struct envelope_header h;

	assert_ok("new", envelope_windows_new(&w->env, w->pre, 3, &windows, err));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_class(rows[i].name, rows[i].class,
			envelope_window_use(windows, rows[i].to, &h, &k, err));
	for (int n = 1; n <= 2; n++) {
		w->fake.fail_after = n;
		assert_class("no randomness", ERR_TERMINAL,
			envelope_window_use(windows,
				(struct envelope_targets){.v = w->targets, .n = 1}, &h, &k, err));
	}
	w->fake.fail_after = 0;
	assert_null(k);
	assert_int_equal(envelope_windows_stats(windows).live, 0);
}

static struct envelope_cache_key cache_key(unsigned i)
{
	struct envelope_cache_key key = {.b = {0}};

	memcpy(key.b, &i, sizeof(i));
	memcpy(key.b + 8, &i, sizeof(i));
	return key;
}

static void add(struct envelope_cache *c, unsigned i, uint8_t fp)
{
	const struct envelope_cache_key key = cache_key(i);

	envelope_cache_add(c, &key, &(struct pre_fingerprint){.b = {fp}},
		&(struct secret){.b = {(uint8_t)i, (uint8_t)(i >> 8)}});
}

static bool has(struct envelope_cache *c, unsigned i)
{
	const struct envelope_cache_key key = cache_key(i);
	struct secret k = {.b = {0}};

	if (!envelope_cache_find(c, &key, &k))
		return false;
	assert_int_equal(k.b[0] | k.b[1] << 8, i & 0xffff);
	return true;
}

static void cache_forgets_in_time(void **state)
{
	struct world *w = *state;
	_cleanup_(envelope_cache_free) struct envelope_cache *c = NULL;

	assert_ok("new", envelope_cache_new(&w->env, 8, &c, err));
	assert_false(has(c, 1));
	add(c, 1, 1);
	w->fake.boot_ns += ENVELOPE_CACHE_NS - 1;
	assert_true(has(c, 1)); /* use does not prolong it */
	add(c, 2, 1);
	w->fake.boot_ns += 1;
	assert_false(has(c, 1));
	assert_true(has(c, 2));
	w->fake.boot_ns += ENVELOPE_CACHE_NS;
	envelope_cache_sweep(c);
	const struct envelope_cache_stats s = envelope_cache_stats(c);
	assert_int_equal(s.live, 0);
	assert_int_equal(s.hits, 2);
	assert_int_equal(s.misses, 2);
	assert_int_equal(s.dropped, 2);
	add(c, 3, 1);
	w->fake.boot_ns -= 1;
	assert_false(has(c, 3));
}

static void cache_forgets_an_epoch(void **state)
{
	struct world *w = *state;
	_cleanup_(envelope_cache_free) struct envelope_cache *c = NULL;

	assert_ok("new", envelope_cache_new(&w->env, 64, &c, err));
	for (unsigned i = 0; i < 64; i++)
		add(c, i, (uint8_t)(i % 2));
	envelope_cache_drop(c, &(struct pre_fingerprint){.b = {1}});
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(has(c, i), i % 2 == 0);
	envelope_cache_clear(c);
	for (unsigned i = 0; i < 64; i++)
		assert_false(has(c, i));
	assert_int_equal(envelope_cache_stats(c).live, 0);
}

static void cache_is_bounded(void **state)
{
	struct world *w = *state;
	_cleanup_(envelope_cache_free) struct envelope_cache *c = NULL;
	struct envelope_cache *none = NULL;

	assert_class("none", ERR_INVALID, envelope_cache_new(&w->env, 0, &none, err));
	assert_class("many", ERR_INVALID,
		envelope_cache_new(&w->env, ENVELOPE_CACHE_MAX + 1, &none, err));
	assert_ok("new", envelope_cache_new(&w->env, ENVELOPE_CACHE_MAX, &c, err));
	for (unsigned i = 0; i < 3 * ENVELOPE_CACHE_MAX; i++) {
		add(c, i, 1);
		assert_true(has(c, i));
		assert_true(i < 10 || has(c, i - 10));
		assert_true(has(c, 0) == true); /* what is in use stays */
	}
	add(c, 0, 1);
	assert_true(has(c, 0));
	assert_int_equal(envelope_cache_stats(c).live, ENVELOPE_CACHE_MAX);
	assert_int_equal(envelope_cache_stats(c).evicted, 2 * ENVELOPE_CACHE_MAX);
	assert_false(has(c, 1));
	assert_true(has(c, 3 * ENVELOPE_CACHE_MAX - 1));
}

/* The key covers all three parts of an entry and nothing else of it. */
static void cache_keys(void **state)
{
	struct world *w = *state;
	struct envelope_recipient r = {.alg = ENVELOPE_ALG_UMBRAL};
	struct envelope_cache_key a;
	struct envelope_cache_key b;

	assert_ok("key", envelope_cache_key(w->ctx, &r, &a, err));
	r.epoch = 9;
	assert_ok("key", envelope_cache_key(w->ctx, &r, &b, err));
	assert_memory_equal(&a, &b, sizeof(a));
	uint8_t *const parts[] = {&r.fp.b[15], &r.capsule[0], &r.capsule[104], &r.wrapped[71]};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		*parts[i] ^= 1;
		assert_ok("key", envelope_cache_key(w->ctx, &r, &b, err));
		assert_memory_not_equal(&a, &b, sizeof(a));
		*parts[i] ^= 1;
	}
}

/* Slots of one hash are all found, in whatever order they go. */
static void slots_share_a_hash(void **state)
{
	struct world *w = *state;
	struct envelope_slots s;
	uint32_t taken[5];

	assert_ok("init", envelope_slots_init(&s, &w->env, 5, err));
	assert_int_equal(envelope_slots_victim(&s), ENVELOPE_NO_SLOT);
	for (size_t i = 0; i < 5; i++)
		taken[i] = envelope_slots_take(&s, i == 2 ? 1 : 42);
	assert_int_equal(envelope_slots_victim(&s), taken[0]);
	envelope_slots_touch(&s, taken[0]);
	assert_int_equal(envelope_slots_victim(&s), taken[1]);
	size_t n = 0;
	for (uint32_t i = envelope_slots_first(&s, 42); i != ENVELOPE_NO_SLOT;
		i = envelope_slots_next(&s, i))
		n++;
	assert_int_equal(n, 4);
	envelope_slots_release(&s, taken[3]);
	envelope_slots_release(&s, taken[0]);
	envelope_slots_release(&s, taken[4]);
	assert_int_equal(envelope_slots_first(&s, 42), taken[1]);
	assert_int_equal(envelope_slots_next(&s, taken[1]), ENVELOPE_NO_SLOT);
	envelope_slots_release(&s, taken[1]);
	assert_int_equal(envelope_slots_first(&s, 42), ENVELOPE_NO_SLOT);
	assert_int_equal(envelope_slots_first(&s, 1), taken[2]);
	assert_int_equal(s.live, 1);
	envelope_slots_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(windows_end_by_time, setup, teardown),
		cmocka_unit_test_setup_teardown(windows_end_by_count, setup, teardown),
		cmocka_unit_test_setup_teardown(windows_are_of_one_set, setup, teardown),
		cmocka_unit_test_setup_teardown(windows_end_with_a_record, setup, teardown),
		cmocka_unit_test_setup_teardown(windows_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(windows_keep_their_origin, setup, teardown),
		cmocka_unit_test_setup_teardown(windows_refuse, setup, teardown),
		cmocka_unit_test_setup_teardown(cache_forgets_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(cache_forgets_an_epoch, setup, teardown),
		cmocka_unit_test_setup_teardown(cache_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(cache_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(slots_share_a_hash, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
