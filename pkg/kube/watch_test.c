#include "pkg/kube/watch.h"

#include "pkg/base/test.h"

/* Golden scripts. Each line is one step:
 *	">X"	the machine's next action is X ("-": it waits)
 *	"S"	the status came
 *	"<X"	bytes came
 *	"E"	the stream ended cleanly; "Eexpired" and the like: with an error of that class
 *	"L"	the receiver lost an object
 *	"+n"	n milliseconds go by
 *	"=x"	the state is x
 * In queries the number behind timeoutSeconds is a T; the machine's random choices are always the
 * lowest (jitter is tested apart). */
#define WATCH                 ">START watch=true&allowWatchBookmarks=true&timeoutSeconds=T"
#define WATCH_LIST            WATCH "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
#define RESUME(rv)            WATCH "&resourceVersion=" rv
#define META(name, rv)        "{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" rv "\"}}"
#define EVENT(type, name, rv) "{\"type\":\"" type "\",\"object\":" META(name, rv) "}\n"
#define ADDED(name, rv)       EVENT("ADDED", name, rv)
#define MODIFIED(name, rv)    EVENT("MODIFIED", name, rv)
#define DELETED(name, rv)     EVENT("DELETED", name, rv)
#define BOOKMARK(rv)                                                                             \
	"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":" \
	"\"" rv "\"}}}\n"
#define END_MARK(rv)                                                                 \
	"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"" rv \
	"\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"
#define ERROR(code, reason)                                                                      \
	"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":" \
	"\"" reason "\",\"code\":" #code "}}\n"
#define LIST_HEAD(rv, token)                                                                       \
	"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" rv "\",\"continue\":\"" token \
	"\"},\"items\":["
/* A first set by WatchList with one object: what most scripts begin with. */
#define SYNCED                                                                                    \
	">INIT", WATCH_LIST, ">-", "=starting", "S", "<" ADDED("a", "5"), ">APPLY a", "=listing", \
		">-", "<" END_MARK("10"), ">DONE 10", ">-", "=watching"

/* Bytes are put together from pieces: NOLINTBEGIN(bugprone-suspicious-missing-comma) */
static const struct {
	const char *name;
	bool no_watch_list;
	const char *steps[48];
} scripts[] = {
	{"WatchList, changes, bookmarks", false,
		{SYNCED, "<" MODIFIED("a", "11") DELETED("a", "12"), ">APPLY a 11", ">DELETE a 12",
			">-", "<" BOOKMARK("20"), ">BOOKMARK 20", ">-", "+1000", "E",
			RESUME("20")}},
	{"initial objects: their versions are not adopted", false,
		{">INIT", WATCH_LIST, "S", "<" ADDED("a", "90") ADDED("b", "7") BOOKMARK("8"),
			">APPLY a", ">APPLY b", ">-", "Etransient", ">ABANDON",
			">TROUBLE transient", ">-", "+799", ">-", "+1", ">INIT", WATCH_LIST}},
	{"changes while initial objects come", false,
		{">INIT", WATCH_LIST, "S",
			"<" ADDED("a", "3") MODIFIED("a", "12") DELETED("a", "13") END_MARK("13"),
			">APPLY a", ">APPLY a", ">DELETE a", ">DONE 13", ">-"}},
	{"a clean end after a second is resumed at once, without a LIST", false,
		{SYNCED, "+1000", "E", RESUME("10"), "S", "+1000", "E", RESUME("10"), "S", ">-"}},
	{"a clean end after an event is resumed at once", false,
		{SYNCED, "E", RESUME("10"), "S", "<" ADDED("b", "11"), ">APPLY b 11", "E",
			RESUME("11")}},
	{"clean ends at once: back-off, doubled to 30 s", false,
		{SYNCED, "+1000", "E", RESUME("10"), "S", "E", ">TROUBLE transient", ">-",
			"=retrying", "+800", RESUME("10"), "S", "E", ">TROUBLE transient", "+1599",
			">-", "+1", RESUME("10"), "E", ">TROUBLE transient", "+3200", RESUME("10"),
			"E", ">TROUBLE transient", "+6400", RESUME("10"), "E",
			">TROUBLE transient"}},
	{"back-off is forgotten after two minutes", false,
		{SYNCED, "Etransient", ">TROUBLE transient", "+800", RESUME("10"), "Etransient",
			">TROUBLE transient", "+1600", RESUME("10"), "S", "+120001", "Etransient",
			">TROUBLE transient", "+799", ">-", "+1", RESUME("10")}},
	{"an error resumes, it does not list", false,
		{SYNCED, "<" MODIFIED("a", "11"), ">APPLY a 11", "Etransient", ">TROUBLE transient",
			"+800", RESUME("11"), "S", "=watching", ">-"}},
	{"410 after three events: a new set, first at the version seen", false,
		{SYNCED,
			"<" MODIFIED("a", "11") MODIFIED("a", "12") MODIFIED("a", "13")
				ERROR(410, "Expired"),
			">APPLY a 11", ">APPLY a 12", ">APPLY a 13", ">STOP", ">TROUBLE expired",
			">INIT", WATCH_LIST "&resourceVersion=13", "S",
			"<" ADDED("a", "13") END_MARK("14"), ">APPLY a", ">DONE 14"}},
	{"410 as an answer, twice: then at the most recent", false,
		{SYNCED, "+1000", "E", RESUME("10"), "Eexpired", ">TROUBLE expired", ">INIT",
			WATCH_LIST "&resourceVersion=10", "Eexpired", ">ABANDON",
			">TROUBLE expired", ">INIT", WATCH_LIST, "S", "<" END_MARK("4"), ">DONE 4",
			"+1000", "E", RESUME("4")}},
	{"410 again and again: back-off", false,
		{SYNCED, "+1000", "E", RESUME("10"), "Eexpired", ">TROUBLE expired", ">INIT",
			WATCH_LIST "&resourceVersion=10", "Eexpired", ">ABANDON",
			">TROUBLE expired", ">INIT", WATCH_LIST, "Eexpired", ">ABANDON",
			">TROUBLE expired", ">INIT", WATCH_LIST, "Eexpired", ">ABANDON",
			">TROUBLE expired", ">-", "+800", ">INIT", WATCH_LIST}},
	{"ERROR 429 in the stream: back-off, the version is kept", false,
		{SYNCED, "<" ERROR(429, "TooManyRequests"), ">STOP", ">TROUBLE transient", ">-",
			"+800", RESUME("10")}},
	{"ERROR 500 in the stream", false,
		{SYNCED, "<" ERROR(500, "InternalError"), ">STOP", ">TROUBLE transient", "+800",
			RESUME("10")}},
	{"ERROR 400 in the stream: a new set", false,
		{SYNCED, "<" ERROR(400, "BadRequest"), ">STOP", ">TROUBLE invalid", "+1999", ">-",
			"+1", ">INIT", WATCH_LIST}},
	{"a bare Status in the stream", false,
		{SYNCED,
			"<{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Expired\","
			"\"code\":410}\n",
			">STOP", ">TROUBLE expired", ">INIT", WATCH_LIST "&resourceVersion=10"}},
	{"ERROR while initial objects come", false,
		{">INIT", WATCH_LIST, "S", "<" ADDED("a", "1") ERROR(500, "InternalError"),
			">APPLY a", ">STOP", ">ABANDON", ">TROUBLE transient", "+800", ">INIT",
			WATCH_LIST}},
	{"WatchList refused: a LIST for this attempt, then a watch", false,
		{">INIT", WATCH_LIST, "Einvalid", ">ABANDON", ">INIT",
			">START resourceVersion=0&limit=500", "S",
			"<" LIST_HEAD("30", "") META("a", "5") "," META("b", "6") "]}", ">APPLY a",
			">APPLY b", ">-", "E", ">DONE 30", RESUME("30"), "S", "=watching",
			"Eexpired", ">TROUBLE expired", ">INIT", WATCH_LIST "&resourceVersion=30",
			"Einvalid", ">ABANDON", ">INIT",
			">START resourceVersion=30&resourceVersionMatch=NotOlderThan"}},
	{"pages", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S",
			"<" LIST_HEAD("30", "tok") META("a", "5") "]}", ">APPLY a", "E",
			">START continue=tok&limit=500", "S",
			"<" LIST_HEAD("31", "t2") META("b", "6") "]}", ">APPLY b", "E",
			">START continue=t2&limit=500", "S", "<" LIST_HEAD("32", "") "]}", ">-",
			"E", ">DONE 30", RESUME("30")}},
	{"410 on page two: one LIST without pages", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S",
			"<" LIST_HEAD("30", "tok") META("a", "5") "]}", ">APPLY a", "E",
			">START continue=tok&limit=500", "Eexpired", ">ABANDON", ">TROUBLE expired",
			">INIT", ">START resourceVersion=0", "S",
			"<" LIST_HEAD("40", "") META("a", "5") "]}", ">APPLY a", "E", ">DONE 40",
			RESUME("40"), "Eexpired", ">TROUBLE expired", ">INIT",
			">START resourceVersion=40&resourceVersionMatch=NotOlderThan", "Eexpired",
			">ABANDON", ">TROUBLE expired", ">INIT", ">START limit=500"}},
	{"a LIST whose connection breaks behind its last brace", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S", "<" LIST_HEAD("30", "") "]}",
			">-", "Etransient", ">DONE 30", RESUME("30")}},
	{"a LIST cut", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S", "<" LIST_HEAD("30", "") "]",
			"E", ">ABANDON", ">TROUBLE transient", "+800", ">INIT",
			">START resourceVersion=0&limit=500"}},
	{"a LIST that is a Status", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S",
			"<{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Forbidden\","
			"\"code\":403}",
			">STOP", ">ABANDON", ">TROUBLE denied", "=denied", ">-"}},
	{"a LIST without a version", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S", "<{\"items\":[]}", ">STOP",
			">ABANDON", ">TROUBLE invalid", "+800", ">INIT"}},
	{"silence before the status", false,
		{">INIT", WATCH_LIST, "+29999", ">-", "+1", ">STOP", ">ABANDON",
			">TROUBLE transient", "+800", ">INIT", WATCH_LIST}},
	{"silence while objects come", false,
		{">INIT", WATCH_LIST, "S", "+29000", "<" ADDED("a", "1"), ">APPLY a", "+29999",
			">-", "+1", ">STOP", ">ABANDON", ">TROUBLE transient", "+800", ">INIT"}},
	{"silence for 150 s: a new stream at once, no LIST", false,
		{SYNCED, "+149999", ">-", "+1", ">STOP", ">TROUBLE transient", RESUME("10"), ">-",
			"S", "+149999", ">-", "<\n", ">-", "+149999", ">-", "+1", ">STOP"}},
	{"no bookmarks: only the time limit", true,
		{">INIT", ">START resourceVersion=0&limit=500", "S", "<" LIST_HEAD("30", "") "]}",
			">-", "E", ">DONE 30", RESUME("30"), "S", "+329999", ">-", "+1", ">STOP",
			">TROUBLE transient", RESUME("30")}},
	{"bytes every minute do not stretch the time limit", false,
		{SYNCED, "+100000", "<\n", ">-", "+100000", "<\n", ">-", "+100000", "<\n", ">-",
			"+29999", ">-", "+1", ">STOP", ">TROUBLE transient", RESUME("10")}},
	{"denied: long back-off, said aloud, resumed", false,
		{SYNCED, "Edenied", ">TROUBLE denied", "=denied", "+1999", ">-", "+1", RESUME("10"),
			"Edenied", ">TROUBLE denied", "+3999", ">-", "+1", RESUME("10"), "S",
			"=watching"}},
	{"absent: a new set when it is back", false,
		{SYNCED, "Enot-found", ">TROUBLE not-found", "=absent", "+2000", ">INIT",
			WATCH_LIST, "Enot-found", ">ABANDON", ">TROUBLE not-found", "+4000",
			">INIT", WATCH_LIST, "S", "<" END_MARK("7"), ">DONE 7", "=watching"}},
	{"the receiver lost an object: a new set", false,
		{SYNCED, "<" ADDED("b", "11") ADDED("c", "12"), ">APPLY b 11", "L", ">STOP",
			">TROUBLE nomem", ">-", "+800", ">INIT", WATCH_LIST "&resourceVersion=11"}},
	{"a version that goes back is not adopted", false,
		{SYNCED, "<" MODIFIED("a", "20") MODIFIED("a", "15"), ">APPLY a 20", ">APPLY a 20",
			"+1000", "E", RESUME("20")}},
	{"a version without order is", false,
		{SYNCED, "<" MODIFIED("a", "x9"), ">APPLY a x9", "+1000", "E", RESUME("x9")}},
	{"cut in the middle of an event", false,
		{SYNCED, "<" MODIFIED("a", "11") "{\"type\":\"MODI", ">APPLY a 11", ">-", "E",
			RESUME("11"), "S", "<" MODIFIED("a", "12"), ">APPLY a 12"}},
	{"garbage: back-off and resume", false,
		{SYNCED, "<<html>", ">STOP", ">TROUBLE invalid", "+800", RESUME("10")}},
	{"garbage in an event's object", false,
		{SYNCED, "<{\"type\":\"ADDED\",\"object\":{\"metadata\":}}\n", ">STOP",
			">TROUBLE invalid", "+800", RESUME("10")}},
	{"an event of an unknown type", false,
		{SYNCED, "<" EVENT("RENAMED", "a", "11"), ">STOP", ">TROUBLE invalid", "+800",
			RESUME("10")}},
	{"an event without an object", false,
		{SYNCED, "<{\"type\":\"ADDED\",\"object\":null}", ">STOP", ">TROUBLE invalid"}},
	{"an object that the kind cannot read is left out, told, and passed", false,
		{SYNCED,
			"<{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"bad\","
			"\"resourceVersion\":"
			"\"11\"},\"size\":\"big\"}}\n" ADDED("c", "12"),
			">TROUBLE invalid", ">APPLY c 12", ">-", "+1000", "E", RESUME("12")}},
	{"what comes behind a break is not read", false,
		{SYNCED, "<" ERROR(410, "Expired") ADDED("z", "99"), ">STOP", ">TROUBLE expired",
			">INIT", WATCH_LIST "&resourceVersion=10", "S", "<" END_MARK("11"),
			">DONE 11"}},
	{"two objects on one line, split anywhere", false,
		{SYNCED, "<{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"b\",", ">-",
			"<\"resourceVersion\":\"11\"}}}{\"type\":\"DELETED\",", ">APPLY b 11", ">-",
			"<\"object\":" META("b", "12") "}", ">DELETE b 12", ">-"}},
};

/* NOLINTEND(bugprone-suspicious-missing-comma) */

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
