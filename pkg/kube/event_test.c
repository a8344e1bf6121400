#include "pkg/base/test.h"
#include "pkg/kube/event_impl.h"
#include "pkg/kube/test_world.h"

#include <signal.h>

static const struct kube_resource keys = {.group = "functionkey.dev",
	.version = "v1alpha1",
	.plural = "functionkeys",
	.kind = "FunctionKey",
	.namespaced = true};
static const struct kube_resource nodes = {
	.group = "", .version = "v1", .plural = "nodes", .kind = "Node"};
static const struct kube_events_options options = {
	.controller = "functionkey.dev/test", .instance = {.p = "pod-1", .n = 5}};

static struct kube_event event(const char *name, const char *note)
{
	return (struct kube_event){
		.resource = &keys,
		.regarding = {.ns = STR("ns"), .name = base_str(name), .uid = STR("uid-1")},
		.type = KUBE_EVENT_WARNING,
		.reason = "KeyLost",
		.action = "Rotate",
		.note = base_str(note),
	};
}

static void test_filter(void **state)
{
	struct kube_event_filter f = {0};
	int64_t now = 1000 * NS_PER_S;

	(void)state;
	for (int i = 0; i < 25; i++)
		assert_true(kube_event_filter_pass(&f, now));
	assert_false(kube_event_filter_pass(&f, now));
	assert_false(kube_event_filter_pass(&f, now + 299 * NS_PER_S));
	assert_true(kube_event_filter_pass(&f, now + 300 * NS_PER_S));
	assert_false(kube_event_filter_pass(&f, now + 300 * NS_PER_S));
	now += 100000 * NS_PER_S;
	for (int i = 0; i < 25; i++)
		assert_true(kube_event_filter_pass(&f, now));
	assert_false(kube_event_filter_pass(&f, now));
}

/* One scenario of a series: what is due at a time, after emits and writes. */
static const struct {
	const char *name;
	double now;
	int emits;
	int write; /* 0: none; 1: of all so far; 2: fails */
	enum err_class class;
	enum kube_series_do due;
	double at;
} rows[] = {
	{"the first lets what it tells of go first", 10, 1, 0, ERR_OK, KUBE_SERIES_WAIT, 10.5},
	{"and is posted", 10.5, 0, 0, ERR_OK, KUBE_SERIES_POST, 10.5},
	{"and then waits for its end", 11, 0, 1, ERR_OK, KUBE_SERIES_WAIT, 370},
	{"the second is patched at once", 20, 1, 0, ERR_OK, KUBE_SERIES_PATCH, 20},
	{"written", 21, 0, 1, ERR_OK, KUBE_SERIES_WAIT, 380},
	{"thousands more only count", 100, 5000, 0, ERR_OK, KUBE_SERIES_WAIT, 460},
	{"it goes on", 400, 1, 0, ERR_OK, KUBE_SERIES_WAIT, 760},
	{"and on", 750, 1, 0, ERR_OK, KUBE_SERIES_WAIT, 1110},
	{"and on", 1100, 1, 0, ERR_OK, KUBE_SERIES_WAIT, 1460},
	{"and on", 1450, 1, 0, ERR_OK, KUBE_SERIES_WAIT, 1810},
	{"a heartbeat comes before its end", 1800, 1, 0, ERR_OK, KUBE_SERIES_WAIT, 1821},
	{"the heartbeat", 1821, 0, 0, ERR_OK, KUBE_SERIES_PATCH, 1821},
	{"fails", 1822, 0, 2, ERR_TRANSIENT, KUBE_SERIES_WAIT, 1832},
	{"again", 1832, 0, 0, ERR_OK, KUBE_SERIES_PATCH, 1832},
	{"is gone", 1833, 0, 2, ERR_NOT_FOUND, KUBE_SERIES_WAIT, 1843},
	{"so it is posted anew", 1843, 0, 0, ERR_OK, KUBE_SERIES_POST, 1843},
	{"written", 1844, 0, 1, ERR_OK, KUBE_SERIES_WAIT, 2160},
	{"one more", 1900, 1, 0, ERR_OK, KUBE_SERIES_WAIT, 2260},
	{"its end", 2260, 0, 0, ERR_OK, KUBE_SERIES_PATCH, 2260},
	{"is written, and it is forgotten", 2261, 0, 1, ERR_OK, KUBE_SERIES_FORGET, 2260},
};

static void test_series(void **state)
{
	struct kube_series s = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const int64_t now = (int64_t)(rows[i].now * (double)NS_PER_S);
		int64_t at = 0;
		for (int k = 0; k < rows[i].emits; k++)
			kube_series_add(&s, now, now);
		if (rows[i].write)
			kube_series_wrote(&s, s.count, rows[i].class, now, 0.5);
		const enum kube_series_do due = kube_series_due(&s, now, &at);
		if (due != rows[i].due || at != (int64_t)(rows[i].at * (double)NS_PER_S))
			fail_msg("%s (%zu): %d at %.1f", rows[i].name, i, due,
				(double)at / (double)NS_PER_S);
	}
}

static void test_series_gives_up(void **state)
{
	struct kube_series refused = {0};
	struct kube_series broken = {0};
	int64_t at = 0;

	(void)state;
	kube_series_add(&refused, 1, 1);
	kube_series_wrote(&refused, 1, ERR_DENIED, 1, 0);
	assert_int_equal(kube_series_due(&refused, 2, &at), KUBE_SERIES_WAIT);
	assert_int_equal(
		kube_series_due(&refused, 1 + KUBE_EVENT_QUIET_NS, &at), KUBE_SERIES_FORGET);
	kube_series_add(&broken, 1, 1);
	for (int i = 0; i < 12; i++) {
		assert_false(broken.failed);
		kube_series_wrote(&broken, 1, ERR_TRANSIENT, 1, 0);
	}
	assert_true(broken.failed);
}

static void test_texts(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_EVENT_BODY_MAX);
	_cleanup_(base_buf_done) struct buf c = base_buf(KUBE_EVENT_BODY_MAX);
	struct kube_event e = event("x", "a \"note\"");
	char longest[300];

	(void)state;
	assert_ok("body", kube_event_body_add(&b, &options, &e, STR("x.1"), NS_PER_S / 2, err));
	assert_string_equal((const char *)b.data,
		"{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{\"name\":"
		"\"x.1\",\"namespace\":\"ns\"},\"eventTime\":\"1970-01-01T00:00:00.500000Z\","
		"\"reportingController\":\"functionkey.dev/test\",\"reportingInstance\":\"pod-1\","
		"\"type\":\"Warning\",\"reason\":\"KeyLost\",\"action\":\"Rotate\",\"regarding\":{"
		"\"apiVersion\":\"functionkey.dev/"
		"v1alpha1\",\"kind\":\"FunctionKey\",\"namespace\":"
		"\"ns\",\"name\":\"x\",\"uid\":\"uid-1\"},\"note\":\"a \\\"note\\\"\"");
	/* 700 times two bytes: cut at 1024, between characters. */
	char note[1401];
	for (size_t i = 0; i < 700; i++)
		memcpy(note + 2 * i, "\xc3\xa4", 2);
	note[1400] = 0;
	e.note = base_str(note + 0);
	e.note.n = 1400;
	base_buf_clear(&b);
	assert_ok("long", kube_event_body_add(&b, &options, &e, STR("x.1"), 0, err));
	assert_true(base_str_ends(base_buf_str(&b), STR("\xc3\xa4\"")));
	e.note.p = note + 1;
	e.note.n = 3;
	assert_class("not UTF-8", ERR_INVALID,
		kube_event_body_add(&c, &options, &e, STR("x.1"), 0, err));
	e = event("x", "");
	e.reason = "";
	assert_class("no reason", ERR_INVALID,
		kube_event_body_add(&c, &options, &e, STR("x.1"), 0, err));
	memset(longest, 'a', sizeof(longest));
	longest[235] = '-';
	base_buf_clear(&b);
	assert_ok("name", kube_event_name_add(&b, base_str_n(longest, 300), UINT64_MAX, err));
	assert_true(b.len <= 253);
	assert_true(base_str_ends(base_buf_str(&b), STR("a.ffffffffffffffff")));
}

static void test_keys(void **state)
{
	const struct kube_event one = event("ab", "x");
	struct kube_event other = event("ab", "y");
	_cleanup_(base_buf_done) struct buf a = base_buf(KUBE_EVENT_KEY_MAX);
	_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_EVENT_KEY_MAX);

	(void)state;
	assert_ok("key", kube_event_key_add(&a, &one, err));
	assert_ok("key", kube_event_key_add(&b, &other, err));
	assert_true(base_str_eq(base_buf_str(&a), base_buf_str(&b)));
	other.regarding.name = STR("a");
	other.regarding.uid = STR("buid-1");
	base_buf_clear(&b);
	assert_ok("key", kube_event_key_add(&b, &other, err));
	assert_false(base_str_eq(base_buf_str(&a), base_buf_str(&b)));
	other = event("ab", "x");
	other.resource = &nodes;
	base_buf_clear(&b);
	assert_ok("key", kube_event_key_add(&b, &other, err));
	assert_false(base_str_eq(base_buf_str(&a), base_buf_str(&b)));
}

#define AFTER_PAUSE_MS (KUBE_EVENT_PAUSE_NS / NS_PER_MS + 200)

struct world {
	struct test_world t;
	struct kube_events *events;
};

static void start_world(struct world *w, const struct test_answer *answers, size_t n, size_t max)
{
	struct kube_events_options o = options;

	o.max = max;
	test_world_start(&w->t, answers, n, NULL, NULL);
	assert_ok("events", kube_events_new(w->t.client, &o, &w->events, err));
}

static void stop_world(struct world *w)
{
	w->events = kube_events_free(w->events);
	test_world_stop(&w->t);
}

static void test_ten_thousand_are_two_writes(void **state)
{
	static const struct test_answer answers[] = {
		{"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"}};
	const struct kube_event e = event("x", "again");
	struct world w;

	(void)state;
	start_world(&w, answers, 1, 0);
	for (int i = 0; i < 10; i++) {
		for (int k = 0; k < 1000; k++)
			kube_event_emit(w.events, &e);
		test_world_for(&w.t, 20);
	}
	test_world_for(&w.t, AFTER_PAUSE_MS);
	assert_in_range(w.t.server.requests, 1, 2);
	const struct kube_events_stats *s = kube_events_stats(w.events);
	assert_int_equal(s->emitted, 10000);
	assert_int_equal(s->repeated, 9999);
	assert_int_equal(s->written, w.t.server.requests);
	assert_non_null(strstr(
		w.t.server.heads[0], "POST /prefix/apis/events.k8s.io/v1/namespaces/ns/events?"));
	stop_world(&w);
}

static void test_floods_are_filtered_and_bounded(void **state)
{
	static const struct test_answer answers[] = {
		{"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"}};
	struct world w;
	char name[32];

	(void)state;
	start_world(&w, answers, 1, 8);
	for (int i = 0; i < 100; i++) {
		struct kube_event e = event("x", "n");
		char reason[16];
		(void)snprintf(reason, sizeof(reason), "R%d", i);
		e.reason = reason;
		kube_event_emit(w.events, &e);
	}
	assert_int_equal(kube_events_stats(w.events)->filtered, 75);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		const struct kube_event e = event(name, "n");
		kube_event_emit(w.events, &e);
	}
	test_world_for(&w.t, AFTER_PAUSE_MS);
	const struct kube_events_stats *s = kube_events_stats(w.events);
	/* Eight at most are remembered; the refused ones are never tried again. */
	assert_int_equal(s->failed, w.t.server.requests);
	assert_in_range(w.t.server.requests, 1, 8);
	/* Freed with writes under way. */
	const struct kube_event last = event("last", "n");
	kube_event_emit(w.events, &last);
	test_world_for(&w.t, KUBE_EVENT_PAUSE_NS / NS_PER_MS + 2);
	stop_world(&w);
}

static int emit_case(void *ctx, struct err *err)
{
	struct world *w = ctx;
	const struct kube_event e = event("mem", "n");
	struct kube_events *events = NULL;

	TRY(kube_events_new(w->t.client, &options, &events, err));
	kube_event_emit(events, &e);
	const uint64_t dropped = kube_events_stats(events)->dropped;
	const uint64_t filtered = kube_events_stats(events)->filtered;
	kube_events_free(events);
	(void)uv_run(&w->t.loop, UV_RUN_NOWAIT);
	return dropped || filtered ? FAIL(err, ERR_NOMEM, "dropped") : 0;
}

static void test_no_memory(void **state)
{
	static const struct test_answer answers[] = {
		{"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"}};
	struct world w;

	(void)state;
	start_world(&w, answers, 1, 0);
	assert_true(torture_run("emit", emit_case, &w, 1) > 10);
	stop_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_series),
		cmocka_unit_test(test_series_gives_up),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_ten_thousand_are_two_writes),
		cmocka_unit_test(test_floods_are_filtered_and_bounded),
		cmocka_unit_test(test_no_memory),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
