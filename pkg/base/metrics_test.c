#include "pkg/base/metrics.h"
#include "pkg/base/test.h"

static const char *const codes[] = {"200", "404", NULL};
static const double few[] = {0.1, 1, METRIC_INF};

enum { REQUESTS, OPEN, LATENCY, UP };
static const struct metric_def defs[] = {
	[REQUESTS] = {"functionkey_requests_total", "Requests\nby \\code.", METRIC_COUNTER,
		.labels = {{"code", .values = codes}, {"peer", .max = 2}}},
	[OPEN] = {"functionkey_open_connections", "Open.", METRIC_GAUGE},
	[LATENCY] = {"functionkey_latency_seconds", "Time.", METRIC_HISTOGRAM,
		.labels = {{"route", .max = 3}}, .buckets = few},
	[UP] = {"functionkey_up", "Never touched.", METRIC_GAUGE, .labels = {{"x", .max = 1}}},
};

static struct metrics *open_metrics(void)
{
	struct metrics *m = NULL;

	assert_ok("new", base_metrics_new("functionkey_", &m, err));
	assert_ok("declare", base_metrics_declare(m, defs, ARRAY_LEN(defs), err));
	assert_ok("again", base_metrics_declare(m, defs, ARRAY_LEN(defs), err));
	return m;
}

static void test_text_format(void **state)
{
	_cleanup_(base_metrics_free) struct metrics *m = open_metrics();
	_cleanup_(base_buf_done) struct buf out = base_buf(10000);

	(void)state;
	metric_add(m, &defs[REQUESTS], 1, STR("200"), STR("a\"b\\c"));
	metric_add(m, &defs[REQUESTS], 2, STR("200"), STR("a\"b\\c"));
	metric_add(m, &defs[REQUESTS], 1, STR("200\0 and more"), STR("x\n"));
	metric_set(m, &defs[OPEN], 0.1);
	metric_observe(m, &defs[LATENCY], 0.1, STR("r"));
	metric_observe(m, &defs[LATENCY], 0.5, STR("r"));
	metric_observe(m, &defs[LATENCY], 99, STR("r"));
	assert_ok("write", base_metrics_write(m, &out, err));
	assert_string_equal(out.data,
		"# HELP functionkey_requests_total Requests\\nby \\\\code.\n"
		"# TYPE functionkey_requests_total counter\n"
		"functionkey_requests_total{code=\"200\",peer=\"a\\\"b\\\\c\"} 3\n"
		"functionkey_requests_total{code=\"other\",peer=\"x?\"} 1\n"
		"# HELP functionkey_open_connections Open.\n"
		"# TYPE functionkey_open_connections gauge\n"
		"functionkey_open_connections 0.1\n"
		"# HELP functionkey_latency_seconds Time.\n"
		"# TYPE functionkey_latency_seconds histogram\n"
		"functionkey_latency_seconds_bucket{route=\"r\",le=\"0.1\"} 1\n"
		"functionkey_latency_seconds_bucket{route=\"r\",le=\"1\"} 2\n"
		"functionkey_latency_seconds_bucket{route=\"r\",le=\"+Inf\"} 3\n"
		"functionkey_latency_seconds_sum{route=\"r\"} 99.6\n"
		"functionkey_latency_seconds_count{route=\"r\"} 3\n"
		"# HELP functionkey_up Never touched.\n"
		"# TYPE functionkey_up gauge\n");
	assert_true(metric_get(m, &defs[REQUESTS], STR("200"), STR("a\"b\\c")) == 3);
	assert_true(metric_get(m, &defs[REQUESTS], STR("404"), STR("nobody")) == 0);
	assert_true(metric_get(m, &defs[LATENCY], STR("r")) == 3);
}

static void test_values_beyond_the_maximum_are_other(void **state)
{
	_cleanup_(base_metrics_free) struct metrics *m = open_metrics();
	_cleanup_(base_buf_done) struct buf out = base_buf(10000);
	char peer[200];

	(void)state;
	memset(peer, 'p', sizeof(peer));
	for (int i = 0; i < 1000; i++) {
		const int n = snprintf(peer, sizeof(peer), "peer-%d", i);
		metric_add(m, &defs[REQUESTS], 1, STR("200"), base_str_n(peer, (size_t)n));
	}
	assert_true(metric_get(m, &defs[REQUESTS], STR("200"), STR("peer-1")) == 1);
	assert_true(metric_get(m, &defs[REQUESTS], STR("200"), STR("other")) == 998);
	/* 64 bytes are kept, and cutting never halves a character */
	memset(peer, 'p', sizeof(peer));
	memcpy(peer + 63, "\xc3\xbc", 2);
	metric_observe(m, &defs[LATENCY], 1, base_str_n(peer, sizeof(peer)));
	metric_observe(m, &defs[LATENCY], 1, STR("\xff\xfe"));
	assert_ok("write", base_metrics_write(m, &out, err));
	peer[63] = 0;
	assert_non_null(strstr((char *)out.data, peer));
	assert_null(strstr((char *)out.data, "\xc3"));
	assert_non_null(strstr((char *)out.data, "_count{route=\"??\"} 1\n"));
}

static const char *const none[] = {NULL};
static const double falling[] = {2, 1, METRIC_INF};
static const struct {
	const char *name;
	enum err_class class;
	struct metric_def def;
} bad_rows[] = {
	{"no prefix", ERR_INVALID, {"requests_total", "h", METRIC_COUNTER}},
	{"no name", ERR_INVALID, {NULL, "h", METRIC_COUNTER}},
	{"capitals", ERR_INVALID, {"functionkey_Requests_total", "h", METRIC_COUNTER}},
	{"counter without _total", ERR_INVALID, {"functionkey_requests", "h", METRIC_COUNTER}},
	{"gauge with _total", ERR_INVALID, {"functionkey_requests_total", "h", METRIC_GAUGE}},
	{"milliseconds", ERR_INVALID, {"functionkey_wait_ms", "h", METRIC_GAUGE}},
	{"milliseconds counted", ERR_INVALID, {"functionkey_wait_ms_total", "h", METRIC_COUNTER}},
	{"no help", ERR_INVALID, {"functionkey_a", "", METRIC_GAUGE}},
	{"buckets of a gauge", ERR_INVALID, {"functionkey_a", "h", METRIC_GAUGE, .buckets = few}},
	{"no buckets", ERR_INVALID, {"functionkey_a_seconds", "h", METRIC_HISTOGRAM}},
	{"falling", ERR_INVALID, {"functionkey_a", "h", METRIC_HISTOGRAM, .buckets = falling}},
	{"le", ERR_INVALID, {"functionkey_a", "h", METRIC_GAUGE, .labels = {{"le", .max = 1}}}},
	{"unbounded", ERR_INVALID, {"functionkey_a", "h", METRIC_GAUGE, .labels = {{"pod"}}}},
	{"both", ERR_INVALID,
		{"functionkey_a", "h", METRIC_GAUGE,
			.labels = {{"pod", .values = none, .max = 1}}}},
	{"too many series", ERR_TOO_LARGE,
		{"functionkey_a", "h", METRIC_GAUGE,
			.labels = {{"a", .max = 200}, {"b", .max = 200}}}},
	{"a huge label", ERR_TOO_LARGE,
		{"functionkey_a", "h", METRIC_GAUGE, .labels = {{"a", .max = UINT32_MAX}}}},
	{"a name of another table", ERR_EXISTS, {"functionkey_up", "h", METRIC_GAUGE}},
};

static void test_bad_tables_are_refused(void **state)
{
	_cleanup_(base_metrics_free) struct metrics *m = open_metrics();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++)
		assert_class(bad_rows[i].name, bad_rows[i].class,
			base_metrics_declare(m, &bad_rows[i].def, 1, err));
}

static void test_nobody_counts(void **state)
{
	(void)state;
	metric_add(NULL, &defs[OPEN], 1);
	metric_set(NULL, &defs[OPEN], 1);
	metric_observe(NULL, &defs[LATENCY], 1, STR("r"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_format),
		cmocka_unit_test(test_values_beyond_the_maximum_are_other),
		cmocka_unit_test(test_bad_tables_are_refused),
		cmocka_unit_test(test_nobody_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
