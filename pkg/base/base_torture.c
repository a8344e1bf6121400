/* Every allocation of base failed in turn: NOMEM comes back, nothing leaks, and what the caller had
 * before is as it was. */
#include "pkg/base/arena.h"
#include "pkg/base/log.h"
#include "pkg/base/metrics.h"
#include "pkg/base/options.h"
#include "pkg/base/test.h"

static int buf_case(void *ctx, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(100000);

	(void)ctx;
	for (unsigned i = 0; i < 1000; i++) {
		const size_t before = b.len;
		const int r = base_buf_addf(&b, err, "line %u\n", i);
		if (r < 0) {
			assert_int_equal(b.len, before);
			return r;
		}
	}
	base_buf_consume(&b, 7);
	return base_buf_add(&b, "x", 1, err);
}

static int arena_case(void *ctx, struct err *err)
{
	_cleanup_(base_arena_free) struct arena *a = NULL;
	struct str s = STR("untouched");

	(void)ctx;
	TRY(base_arena_new(1 << 20, &a, err));
	for (int i = 0; i < 20; i++) {
		const int r = base_arena_printf(a, &s, err, "%02000d", i);
		if (r < 0)
			assert_true(s.n == 2000 || s.n == 9);
		TRY(r);
	}
	base_arena_clear(a);
	return base_arena_str(a, STR("again"), &s, err);
}

static int text_case(void *ctx, struct err *err)
{
	_cleanup_(base_buf_done) struct buf text = base_buf(100000);
	_cleanup_(base_buf_done) struct buf back = base_buf(100000);
	static const uint8_t zeros[10000];

	(void)ctx;
	TRY(base_base64_add(&text, zeros, sizeof(zeros), err));
	TRY(base_unbase64_add(&back, base_buf_str(&text), err));
	return back.len == sizeof(zeros) ? 0 : FAIL(err, ERR_BUG, "%zu bytes", back.len);
}

static const double few[] = {1, 2, METRIC_INF};
static const struct metric_def defs[] = {
	{"t_requests_total", "Requests.", METRIC_COUNTER,
		.labels = {{"a", .max = 3}, {"b", .max = 3}}},
	{"t_open", "Open.", METRIC_GAUGE},
	{"t_seconds", "Time.", METRIC_HISTOGRAM, .labels = {{"a", .max = 3}}, .buckets = few},
};
static const struct metric_def more[] = {{"t_more", "More.", METRIC_GAUGE}};

static int metrics_case(void *ctx, struct err *err)
{
	_cleanup_(base_metrics_free) struct metrics *m = NULL;
	_cleanup_(base_buf_done) struct buf out = base_buf(100000);

	(void)ctx;
	TRY(base_metrics_new("t_", &m, err));
	TRY(base_metrics_declare(m, more, ARRAY_LEN(more), err));
	const int r = base_metrics_declare(m, defs, ARRAY_LEN(defs), err);
	metric_add(m, &more[0], 1); /* the first table stays good */
	TRY(r);
	metric_add(m, &defs[0], 1, STR("x"), STR("y"));
	metric_observe(m, &defs[2], 1, STR("x"));
	return base_metrics_write(m, &out, err);
}

struct config {
	char name[100];
	int64_t n;
};

static int options_case(void *ctx, struct err *err)
{
	static const struct option_def table[] = {
		OPTION_STR(struct config, name, "name", NULL, "x", "A name."),
		OPTION_INT(struct config, n, "number", NULL, "1", 0, 10, "A number."),
	};
	const struct options o = {
		.program = "t", .summary = "Tests.", .defs = table, .n = ARRAY_LEN(table)};
	_cleanup_(base_buf_done) struct buf out = base_buf(10000);
	struct options_result result = {0};
	struct config config = {0};
	char word[] = "--number=3";
	char program[] = "t";
	char *argv[] = {program, word, NULL};

	(void)ctx;
	TRY(base_options_parse(&o, 2, argv, NULL, &config, &result, err));
	return base_options_help(&o, &out, err);
}

static bool take(void *ctx, const char *line, size_t n)
{
	(void)line;
	*(size_t *)ctx += n;
	return true;
}

static int log_case(void *ctx, struct err *err)
{
	struct env_fake fake = {.wall_ns = 0};
	size_t written = 0;
	_cleanup_(base_log_free) struct log *log = NULL;

	(void)ctx;
	TRY(base_log_new(&(struct log_config){.clock = base_env_fake(&fake).clock,
				 .sink = {.ctx = &written, .write = take}},
		&log, err));
	for (int i = 0; i < 100; i++)
		log_write(log, LOG_INFO, "line", LOG_INT("i", i));
	return written ? 0 : FAIL(err, ERR_BUG, "nothing was written");
}

/* Cases, and how many allocations each must have: a case that allocates nothing tests nothing. */
static const struct {
	const char *name;
	torture_case run;
	uint64_t least;
} cases[] = {
	{"buf", buf_case, 5},
	{"arena", arena_case, 8},
	{"text", text_case, 2},
	{"metrics", metrics_case, 15},
	{"options", options_case, 1},
	{"log", log_case, 1},
};

static void test_every_allocation_fails_in_turn(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const uint64_t failed = torture_run(cases[i].name, cases[i].run, NULL, 1);
		if (failed < cases[i].least)
			fail_msg("%s: only %llu allocations", cases[i].name,
				(unsigned long long)failed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation_fails_in_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
