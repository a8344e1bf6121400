#include "pkg/kube/watch.h"

#include "pkg/kube/test_watch_scripts.h"

struct thing {
	struct kube_meta meta;
	int64_t size;
};
static const struct kube_field thing_fields[] = {
	KUBE_META_FIELDS(struct thing, meta),
	{"/size", KUBE_FIELD_INT, 0, offsetof(struct thing, size)},
};
static const struct kube_projection thing_projection = {
	thing_fields, ARRAY_LEN(thing_fields), sizeof(struct thing)};
static const struct kube_kind thing_kind = {.projection = &thing_projection};

static int zeros(void *ctx, void *dst, size_t n, struct err *err)
{
	(void)ctx;
	(void)err;
	memset(dst, 0, n);
	return 0;
}

struct world {
	struct env_fake fake;
	struct env env;
	struct kube_watch *w;
	bool in_set;
};

static void open_world(struct world *w, bool no_watch_list, bool random)
{
	const struct kube_watch_spec spec = {.kind = &thing_kind, .no_watch_list = no_watch_list};

	*w = (struct world){.fake = {.boot_ns = 1000 * NS_PER_S, .seed = 3}};
	w->env = base_env_fake(&w->fake);
	if (!random)
		w->env.rng.fill = zeros;
	assert_ok("new", kube_watch_new(&w->env, &spec, &w->w, err));
}

/* "APPLY name" while a set is collected, "APPLY name rv" else. */
static void print_object(
	struct world *w, const char *what, struct kube_watch_action *a, struct buf *out)
{
	const struct kube_meta meta = kube_kind_meta(&thing_kind, a->object);

	assert_ok("out", base_buf_addf(out, err, "%s %.*s", what, STR_FMT(meta.name)));
	if (!w->in_set)
		assert_ok("out", base_buf_addf(out, err, " %.*s", STR_FMT(a->rv)));
	kube_kind_free(&thing_kind, a->object);
}

static void print_query(struct str query, struct buf *out)
{
	static const char timeout[] = "timeoutSeconds=";
	const char *at = memmem(query.p, query.n, timeout, sizeof(timeout) - 1);
	size_t i = at ? (size_t)(at - query.p) + sizeof(timeout) - 1 : query.n;

	assert_ok("out", base_buf_addf(out, err, "START %.*s%s", STR_FMT(base_str_sub(query, 0, i)),
				 at ? "T" : ""));
	while (i < query.n && query.p[i] >= '0' && query.p[i] <= '9')
		i++;
	assert_ok("out", base_buf_add_str(out, base_str_sub(query, i, query.n), err));
}

static void print(struct world *w, struct kube_watch_action *a, struct buf *out)
{
	static const char *const plain[] = {[KUBE_WATCH_WAIT] = "-",
		[KUBE_WATCH_STOP] = "STOP",
		[KUBE_WATCH_INIT] = "INIT",
		[KUBE_WATCH_ABANDON] = "ABANDON",
		[KUBE_WATCH_INIT_DONE] = "DONE ",
		[KUBE_WATCH_BOOKMARK] = "BOOKMARK ",
		[KUBE_WATCH_TROUBLE] = "TROUBLE "};

	base_buf_clear(out);
	if (a->act == KUBE_WATCH_INIT)
		w->in_set = true;
	if (a->act == KUBE_WATCH_INIT_DONE || a->act == KUBE_WATCH_ABANDON)
		w->in_set = false;
	if (a->act == KUBE_WATCH_APPLY || a->act == KUBE_WATCH_DELETE)
		print_object(w, a->act == KUBE_WATCH_APPLY ? "APPLY" : "DELETE", a, out);
	else if (a->act == KUBE_WATCH_START)
		print_query(a->query, out);
	else
		assert_ok("out", base_buf_addf(out, err, "%s%.*s%s", plain[a->act], STR_FMT(a->rv),
					 a->err ? base_err_class_name(a->err->class) : ""));
}

static struct err err_of(const char *class)
{
	struct err e = {.class = ERR_TRANSIENT, .msg = "scripted"};

	for (int c = 1; c < ERR_CLASS_COUNT; c++)
		if (!strcmp(base_err_class_name((enum err_class)c), class)) {
			e.class = (enum err_class)c;
			return e;
		}
	fail_msg("class %s", class);
	return e;
}

static void input(struct world *w, const char *step)
{
	uint64_t ms = 0;

	if (step[0] == 'S') {
		kube_watch_status(w->w);
	} else if (step[0] == 'E') {
		const struct err e = step[1] ? err_of(step + 1) : (struct err){0};
		kube_watch_end(w->w, step[1] ? &e : NULL);
	} else if (step[0] == 'L') {
		const struct err e = err_of("nomem");
		kube_watch_lost(w->w, &e);
	} else if (step[0] == '+') {
		assert_ok(step, base_parse_u64(base_str(step + 1), UINT32_MAX, &ms, err));
		w->fake.boot_ns += (int64_t)ms * NS_PER_MS;
	} else {
		assert_string_equal(step + 1, kube_watch_state_name(kube_watch_state(w->w)));
	}
}

/* The machine waits until every input that a step needs is due, so a script need not say ">-". */
static void settle(struct world *w, const char *script, size_t i, const char *step)
{
	_cleanup_(base_buf_done) struct buf got = base_buf(4096);
	struct kube_watch_action a;

	kube_watch_next(w->w, &a);
	print(w, &a, &got);
	if (a.act != KUBE_WATCH_WAIT)
		fail_msg("%s, step %zu '%s': before it came '%.*s'", script, i, step,
			STR_FMT(base_buf_str(&got)));
}

static void run(size_t row)
{
	_cleanup_(base_buf_done) struct buf got = base_buf(4096);
	struct world w;

	print_message("%s\n", scripts[row].name);
	open_world(&w, scripts[row].no_watch_list, false);
	for (size_t i = 0; scripts[row].steps[i]; i++) {
		const char *step = scripts[row].steps[i];
		if (step[0] == '>') {
			struct kube_watch_action a;
			kube_watch_next(w.w, &a);
			print(&w, &a, &got);
			if (!base_str_eq(base_buf_str(&got), base_str(step + 1)))
				fail_msg("%s, step %zu:\ngot    %.*s\nwanted %s", scripts[row].name,
					i, STR_FMT(base_buf_str(&got)), step + 1);
			continue;
		}
		if (step[0] != 'L' && step[0] != '=' && step[0] != '+')
			settle(&w, scripts[row].name, i, step);
		if (step[0] == '<') {
			kube_watch_bytes(w.w, step + 1, strlen(step + 1));
			continue;
		}
		input(&w, step);
	}
	kube_watch_free(w.w);
}

static void test_scripts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		const size_t live = base_alloc_live();
		run(i);
		assert_int_equal(base_alloc_live(), live);
	}
}

/* Delays are doubled and between once and twice their size; the server's wish is kept. */
static void test_jitter(void **state)
{
	static const int64_t want[] = {800, 1600, 3200, 6400, 8000, 8000, 8000, 8000};
	struct kube_watch_action a;
	struct world w;
	bool differ = false;

	(void)state;
	open_world(&w, false, true);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct err e = err_of("transient");
		e.retry_after = i == 4 ? 60 : 0;
		do {
			kube_watch_next(w.w, &a);
		} while (a.act != KUBE_WATCH_START);
		kube_watch_end(w.w, &e);
		do {
			kube_watch_next(w.w, &a);
		} while (a.act != KUBE_WATCH_WAIT);
		const int64_t ms = (a.at_boot_ns - w.fake.boot_ns) / NS_PER_MS;
		const int64_t low = i == 4 ? 60000 : want[i];
		if (ms < low || ms > low + want[i])
			fail_msg("delay %zu: %lld ms", i, (long long)ms);
		differ = differ || ms != low;
		w.fake.boot_ns = a.at_boot_ns;
	}
	assert_true(differ);
	kube_watch_free(w.w);
}

static void test_timeout_is_spread(void **state)
{
	struct kube_watch_action a;
	bool low = false, high = false;

	(void)state;
	for (uint64_t seed = 1; seed < 40; seed++) {
		struct world w;
		open_world(&w, false, true);
		w.fake.seed = seed;
		do {
			kube_watch_next(w.w, &a);
		} while (a.act != KUBE_WATCH_START);
		const char *at = memmem(a.query.p, a.query.n, "timeoutSeconds=", 15);
		assert_non_null(at);
		uint64_t n = 0;
		assert_ok("number", base_parse_u64(base_str_n(at + 15, 3), 1000, &n, err));
		assert_in_range(n, 300, 600);
		low = low || n < 400;
		high = high || n > 500;
		kube_watch_free(w.w);
	}
	assert_true(low && high);
}

static void test_selectors(void **state)
{
	const struct kube_watch_spec spec = {.kind = &thing_kind,
		.label_selector = STR("a=b,c in (d,e)"),
		.field_selector = STR("metadata.name=x&y"),
		.no_watch_list = true,
		.page = 7};
	struct env_fake fake = {.seed = 1};
	const struct env env = base_env_fake(&fake);
	_cleanup_(kube_watch_free) struct kube_watch *w = NULL;
	struct kube_watch_action a;

	(void)state;
	assert_ok("new", kube_watch_new(&env, &spec, &w, err));
	kube_watch_next(w, &a);
	kube_watch_next(w, &a);
	assert_int_equal(a.act, KUBE_WATCH_START);
	if (!base_str_eq(
		    a.query, STR("resourceVersion=0&limit=7&labelSelector=a%3Db%2Cc%20in%20%28d"
				 "%2Ce%29&fieldSelector=metadata.name%3Dx%26y")))
		fail_msg("%.*s", STR_FMT(a.query));
}

static void test_stats(void **state)
{
	struct world w;
	struct kube_watch_action a;
	static const char stream[] = ADDED("a", "1") END_MARK("2") MODIFIED("a", "3") BOOKMARK("4");

	(void)state;
	open_world(&w, false, false);
	do {
		kube_watch_next(w.w, &a);
	} while (a.act != KUBE_WATCH_START);
	kube_watch_status(w.w);
	kube_watch_bytes(w.w, stream, sizeof(stream) - 1);
	for (;;) {
		kube_watch_next(w.w, &a);
		if (a.act == KUBE_WATCH_WAIT)
			break;
		if (a.object)
			kube_kind_free(&thing_kind, a.object);
	}
	const struct kube_watch_stats *s = kube_watch_stats(w.w);
	assert_int_equal(s->events, 2);
	assert_int_equal(s->bookmarks, 2);
	assert_int_equal(s->relists, 0);
	assert_int_equal(s->last_event_boot_ns, w.fake.boot_ns);
	assert_true(base_str_eq(kube_watch_rv(w.w), STR("4")));
	w.fake.boot_ns += NS_PER_S;
	kube_watch_end(w.w, NULL);
	kube_watch_next(w.w, &a);
	assert_int_equal(s->restarts, 1);
	kube_watch_free(w.w);
}

static int torture_watch(void *ctx, struct err *err)
{
	static const char stream[] = ADDED("a", "1") END_MARK("2") MODIFIED("a", "3") "{\"ty";
	const struct kube_watch_spec spec = {.kind = &thing_kind, .label_selector = STR("a=b")};
	struct env_fake fake = {.seed = 1};
	const struct env env = base_env_fake(&fake);
	_cleanup_(kube_watch_free) struct kube_watch *w = NULL;
	struct kube_watch_action a;
	bool started = false;

	(void)ctx;
	TRY(kube_watch_new(&env, &spec, &w, err));
	for (int i = 0; i < 40; i++) {
		kube_watch_next(w, &a);
		if (a.object)
			kube_kind_free(&thing_kind, a.object);
		if (a.act == KUBE_WATCH_START && !started) {
			started = true;
			kube_watch_status(w);
			kube_watch_bytes(w, stream, sizeof(stream) - 1);
		}
		if (a.act == KUBE_WATCH_WAIT)
			fake.boot_ns = a.at_boot_ns;
	}
	return 0;
}

static void test_torture(void **state)
{
	(void)state;
	assert_true(torture_run("watch", torture_watch, NULL, 1) >= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_timeout_is_spread),
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_torture),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
