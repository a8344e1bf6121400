#include "pkg/base/log.h"
#include "pkg/base/test.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
	struct env_fake fake;
	struct log *log;
	bool refuses;
	unsigned lines;
	size_t len;
	char text[65536];
};

static bool take(void *ctx, const char *line, size_t n)
{
	struct world *w = ctx;

	if (w->refuses)
		return false;
	assert_true(n > 0 && n <= LOG_LINE_MAX && w->len + n < sizeof(w->text));
	assert_ptr_equal(memchr(line, '\n', n), line + n - 1);
	memcpy(w->text + w->len, line, n);
	w->len += n;
	w->text[w->len] = 0;
	w->lines++;
	return true;
}

static void open_log(struct world *w, enum log_format format, enum log_level level)
{
	memset(w, 0, sizeof(*w));
	w->fake.wall_ns = 1700000000LL * NS_PER_S;
	const struct env env = base_env_fake(&w->fake);
	const struct log_config config = {.program = "test",
		.level = level,
		.format = format,
		.clock = env.clock,
		.sink = {.ctx = w, .write = take},
		.burst = 3,
		.per_second = 2};
	assert_ok("new", base_log_new(&config, &w->log, err));
}

static void close_log(struct world *w)
{
	w->log = base_log_free(w->log);
}

#define TIME_PART "2023-11-14T22:13:20.000000Z"

static void test_text_and_json(void **state)
{
	struct world w;
	struct err e = {0};

	(void)state;
	(void)FAIL(&e, ERR_CONFLICT, "it is \"there\"");
	e.detail = 409;
	e.file = "x.c";
	e.line = 7;
	open_log(&w, LOG_FORMAT_TEXT, LOG_INFO);
	log_write(w.log, LOG_WARN, "won the lease", LOG_STR("pod", STR("a-1")), LOG_INT("n", -3),
		LOG_UINT("u", UINT64_MAX), LOG_BOOL("ok", true), LOG_DUR("since", -1500000000LL),
		LOG_ERR("error", &e));
	log_write(w.log, LOG_DEBUG, "not written");
	log_write(w.log, LOG_INFO, "bare");
	assert_string_equal(w.text, TIME_PART
		" warn  won the lease pod=a-1 n=-3 "
		"u=18446744073709551615 ok=true since=-1.500000s error=\"it is \\\"there\\\"\" "
		"error_class=conflict error_detail=409 error_at=x.c:7\n" TIME_PART " info  bare\n");
	close_log(&w);
	open_log(&w, LOG_FORMAT_AUTO, LOG_DEBUG);
	log_write(w.log, LOG_DEBUG, "won the lease", LOG_STR("pod", STR("a-1")), LOG_INT("n", -3),
		LOG_BOOL("ok", false), LOG_DUR("since", 42000), LOG_ERR("error", &e));
	assert_string_equal(w.text,
		"{\"time\":\"" TIME_PART "\",\"level\":\"debug\","
		"\"program\":\"test\",\"message\":\"won the lease\",\"pod\":\"a-1\",\"n\":-3,"
		"\"ok\":false,\"since_seconds\":0.000042,\"error\":\"it is \\\"there\\\"\","
		"\"error_class\":\"conflict\",\"error_detail\":409,\"error_at\":\"x.c:7\"}\n");
	close_log(&w);
	log_write(NULL, LOG_ERROR, "nobody listens", LOG_INT("n", 1));
}

static const struct {
	const char *name;
	struct str in;
	const char *text; /* what stands after v= */
	const char *json;
} value_rows[] = {
	{"plain", STR("a/b:c"), "a/b:c", "\"a/b:c\""},
	{"empty", STR(""), "\"\"", "\"\""},
	{"a second line", STR("a\nlevel=error"), "\"a\\nlevel=error\"", "\"a\\nlevel=error\""},
	{"another field", STR("a admin=true"), "\"a admin=true\"", "\"a admin=true\""},
	{"end of the object", STR("a\"}"), "\"a\\\"}\"", "\"a\\\"}\""},
	{"carriage return", STR("a\rb"), "\"a\\u000db\"", "\"a\\u000db\""},
	{"NUL", STR("a\0b"), "\"a\\u0000b\"", "\"a\\u0000b\""},
	{"terminal sequence", STR("\x1b[2J"), "\"\\u001b[2J\"", "\"\\u001b[2J\""},
	{"C1 control",
		STR("\xc2\x9b"
		    "2J"),
		"\"\\u009b2J\"", "\"\\u009b2J\""},
	{"right to left",
		STR("\xe2\x80\xae"
		    "x"),
		"\"\\u202ex\"", "\"\\u202ex\""},
	{"line separator", STR("\xe2\x80\xa8"), "\"\\u2028\"", "\"\\u2028\""},
	{"tag character", STR("\xf3\xa0\x81\x81"), "\"\\udb40\\udc41\"", "\"\\udb40\\udc41\""},
	{"letters", STR("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"", "\"gr\xc3\xbc\xc3\x9f\""},
	{"not UTF-8", STR("a\xff"), "\"a\\ufffd\"", "\"a\\ufffd\""},
	{"overlong slash", STR("\xc0\xaf"), "\"\\ufffd\\ufffd\"", "\"\\ufffd\\ufffd\""},
	{"cut sequence", STR("\xe2\x80"), "\"\\ufffd\\ufffd\"", "\"\\ufffd\\ufffd\""},
	{"surrogate", STR("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"",
		"\"\\ufffd\\ufffd\\ufffd\""},
};

static void test_values_are_escaped(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(value_rows); i++) {
		struct world w;
		char want[256];
		open_log(&w, LOG_FORMAT_TEXT, LOG_INFO);
		log_write(w.log, LOG_INFO, "m", LOG_STR("v", value_rows[i].in));
		(void)snprintf(want, sizeof(want), TIME_PART " info  m v=%s\n", value_rows[i].text);
		assert_string_equal(w.text, want);
		close_log(&w);
		open_log(&w, LOG_FORMAT_JSON, LOG_INFO);
		log_write(w.log, LOG_INFO, "m", LOG_STR("v", value_rows[i].in));
		(void)snprintf(want, sizeof(want), "\"v\":%s}\n", value_rows[i].json);
		assert_string_equal(w.text + w.len - strlen(want), want);
		close_log(&w);
	}
}

static void test_long_values_are_cut_and_whole_fields_left_out(void **state)
{
	struct world w;
	char big[5000];

	(void)state;
	memset(big, 1, sizeof(big));
	const struct str hostile = base_str_n(big, sizeof(big));
	for (int json = 0; json < 2; json++) {
		open_log(&w, json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT, LOG_INFO);
		log_write(w.log, LOG_INFO, "m", LOG_STR("a", hostile), LOG_STR("b", hostile),
			LOG_INT("c", 5));
		assert_true(w.len < LOG_LINE_MAX);
		assert_non_null(strstr(w.text, "\\u0001...\""));
		assert_non_null(
			strstr(w.text, json ? ",\"truncated\":true}\n" : " truncated=true\n"));
		assert_null(strstr(w.text, json ? "\"b\":" : " b="));
		assert_null(strstr(w.text, json ? "\"c\":" : " c="));
		close_log(&w);
	}
}

static void test_a_flood_is_counted(void **state)
{
	struct world w;

	(void)state;
	open_log(&w, LOG_FORMAT_TEXT, LOG_INFO);
	for (int i = 0; i < 1000; i++)
		log_write(w.log, LOG_WARN, "again", LOG_INT("i", i));
	assert_int_equal(w.lines, 3);
	log_write(w.log, LOG_INFO, "something else");
	assert_int_equal(w.lines, 4);
	w.fake.boot_ns += NS_PER_S / 2;
	log_write(w.log, LOG_WARN, "again", LOG_INT("i", 1000));
	assert_int_equal(w.lines, 6);
	assert_non_null(strstr(w.text, "warn  suppressed suppressed=again count=997\n"));
	assert_non_null(strstr(w.text, "again i=1000\n"));
	for (int i = 0; i < 10; i++)
		log_write(w.log, LOG_WARN, "again", LOG_INT("i", i));
	assert_int_equal(w.lines, 6);
	base_log_flush(w.log);
	assert_int_equal(w.lines, 6); /* no room yet */
	w.fake.boot_ns += 60 * NS_PER_S;
	log_write(w.log, LOG_INFO, "another message sweeps");
	assert_non_null(strstr(w.text, "count=10\n"));
	close_log(&w);
}

static void test_what_was_suppressed_is_told_at_the_end(void **state)
{
	struct world w;

	(void)state;
	open_log(&w, LOG_FORMAT_TEXT, LOG_INFO);
	for (int i = 0; i < 5; i++)
		log_write(w.log, LOG_WARN, "again");
	close_log(&w);
	assert_non_null(strstr(w.text, "suppressed=again count=2\n"));
}

static void test_more_messages_than_buckets(void **state)
{
	struct world w;
	char messages[200][16];

	(void)state;
	open_log(&w, LOG_FORMAT_TEXT, LOG_INFO);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(messages[i], sizeof(messages[i]), "message %d", i);
		w.fake.boot_ns++;
		for (int j = 0; j < 4; j++)
			log_write(w.log, LOG_INFO, messages[i]);
	}
	close_log(&w);
	assert_int_equal(w.lines, 200 * 3 + 200);
}

static void test_a_sink_that_refuses_is_told_later(void **state)
{
	struct world w;

	(void)state;
	open_log(&w, LOG_FORMAT_TEXT, LOG_INFO);
	w.refuses = true;
	log_write(w.log, LOG_INFO, "one");
	log_write(w.log, LOG_INFO, "two");
	assert_true(base_log_dropped(w.log) == 2);
	w.refuses = false;
	log_write(w.log, LOG_INFO, "three");
	log_write(w.log, LOG_INFO, "four");
	assert_non_null(strstr(w.text, "log lines were lost count=2\n"));
	assert_null(strstr(w.text, "count=4"));
	close_log(&w);
}

/* In a child whose fd 2 is a full pipe that nobody reads: log lines must not hold it up. */
static void test_a_full_pipe_does_not_block(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) > 0);
	const pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct log *log = NULL;
		const struct log_config config = {.clock = base_env_system().clock, .burst = 1000};
		(void)alarm(5);
		(void)dup2(fds[1], STDERR_FILENO);
		if (base_log_new(&config, &log, NULL) < 0)
			_exit(2);
		for (int i = 0; i < 500; i++)
			log_write(log, LOG_ERROR, "into a pipe that nobody reads");
		_exit(base_log_dropped(log) > 400 ? 0 : 3);
	}
	int status = 1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void test_a_long_program_name_is_refused(void **state)
{
	struct log *log = NULL;
	char name[66];

	(void)state;
	memset(name, 'x', 65);
	name[65] = 0;
	assert_class("65", ERR_TOO_LARGE,
		base_log_new(&(struct log_config){.program = name}, &log, err));
	assert_null(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_json),
		cmocka_unit_test(test_values_are_escaped),
		cmocka_unit_test(test_long_values_are_cut_and_whole_fields_left_out),
		cmocka_unit_test(test_a_flood_is_counted),
		cmocka_unit_test(test_what_was_suppressed_is_told_at_the_end),
		cmocka_unit_test(test_more_messages_than_buckets),
		cmocka_unit_test(test_a_sink_that_refuses_is_told_later),
		cmocka_unit_test(test_a_full_pipe_does_not_block),
		cmocka_unit_test(test_a_long_program_name_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
