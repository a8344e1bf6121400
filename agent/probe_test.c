#include "agent/probe.h"
#include "agent/test_listen.h"
#include "pkg/base/test.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/functionkey-probe-XXXXXX";
static char path[64];

/* Answers one connection after the other in a child, until killed. */
static pid_t serve(const char *answer)
{
	const int fd = test_listen(path);
	char request[1024];

	const pid_t child = fork();
	if (child == 0) {
		for (;;) {
			const int c = accept(fd, NULL, NULL);
			if (c < 0 || read(c, request, sizeof(request)) <= 0)
				_exit(1);
			if (answer)
				(void)!write(c, answer, strlen(answer));
			else
				(void)sleep(10);
			(void)close(c);
		}
	}
	(void)close(fd);
	return child;
}

static void end(pid_t child)
{
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
}

struct row {
	const char *name, *answer;
	int class; /* 0: it is an answer */
	int status;
	const char *body;
};

static const struct row rows[] = {
	{"ready", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready\n", 0, 200, "ready\n"},
	{"not ready", "HTTP/1.1 503 No\r\n\r\nnot ready: X: y\n", 0, 503, "not ready: X: y\n"},
	{"no body", "HTTP/1.1 204 No Content\r\n\r\n", 0, 204, ""},
	{"nothing", "", ERR_INVALID, 0, NULL},
	{"no HTTP", "hello\r\n\r\n", ERR_INVALID, 0, NULL},
	{"no status", "HTTP/1.1 abc\r\n\r\n", ERR_INVALID, 0, NULL},
	{"cut", "HTTP/1.1 200 OK\r\nContent-Le", ERR_INVALID, 0, NULL},
};

static void answers_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf body = base_buf(AGENT_PROBE_ANSWER_MAX);
		const pid_t child = serve(rows[i].answer);
		struct err why = {0};
		int status = 0;
		const int r = agent_probe_ask(path, "GET", "/readyz", 2000, &status, &body, &why);
		end(child);
		if (r != -rows[i].class || status != rows[i].status)
			fail_msg("%s: %d, status %d: %s", rows[i].name, r, status, why.msg);
		if (rows[i].body)
			assert_true(base_str_eq(base_buf_str(&body), base_str(rows[i].body)));
	}
}

static void nobody_and_silence_end_in_time(void **state)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(AGENT_PROBE_ANSWER_MAX);
	const struct env env = base_env_system();
	struct err why = {0};
	int status = 0;

	(void)state;
	(void)unlink(path);
	assert_int_equal(
		agent_probe_ask(path, "GET", "/", 100, &status, &body, &why), -(int)ERR_TRANSIENT);
	const pid_t child = serve(NULL);
	const int64_t begun = base_boot_ns(&env);
	assert_int_equal(
		agent_probe_ask(path, "GET", "/", 100, &status, &body, &why), -(int)ERR_TRANSIENT);
	assert_true(base_boot_ns(&env) - begun < 2 * NS_PER_S);
	end(child);
}

static void a_flood_is_cut(void **state)
{
	static char flood[AGENT_PROBE_ANSWER_MAX * 2];
	_cleanup_(base_buf_done) struct buf body = base_buf(AGENT_PROBE_ANSWER_MAX);
	struct err why = {0};
	int status = 0;

	(void)state;
	memset(flood, 'x', sizeof(flood) - 1);
	memcpy(flood, "HTTP/1.1 200 OK\r\n\r\n", 19);
	const pid_t child = serve(flood);
	assert_int_equal(
		agent_probe_ask(path, "GET", "/", 2000, &status, &body, &why), -(int)ERR_TOO_LARGE);
	end(child);
}

static void probes_say_yes_or_no(void **state)
{
	const struct env env = base_env_system();

	(void)state;
	assert_int_equal(agent_probe_named(STR("startup")), AGENT_PROBE_STARTUP);
	assert_int_equal(agent_probe_named(STR("nonsense")), AGENT_PROBE_NONE);
	assert_int_equal(agent_probe_named(STR_NULL), AGENT_PROBE_NONE);
	pid_t child = serve("HTTP/1.1 204 No Content\r\n\r\n");
	assert_int_equal(agent_probe_run(AGENT_PROBE_READY, path, &env), 0);
	assert_int_equal(agent_probe_run(AGENT_PROBE_STARTUP, path, &env), 0);
	assert_int_equal(agent_probe_run(AGENT_PROBE_DRAIN, path, &env), 0);
	end(child);
	child = serve("HTTP/1.1 503 No\r\n\r\nnot ready\n");
	assert_int_equal(agent_probe_run(AGENT_PROBE_READY, path, &env), 1);
	end(child);
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_read),
		cmocka_unit_test(nobody_and_silence_end_in_time),
		cmocka_unit_test(a_flood_is_cut),
		cmocka_unit_test(probes_say_yes_or_no),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
