#include "agent/ask.h"
#include "agent/test_listen.h"
#include "pkg/base/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/functionkey-ask-XXXXXX";
static char path[64];

#define PROBLEM(type, title, detail)                                                 \
	"{\"type\":\"https://functionkey.dev/problems/" type "\",\"title\":\"" title \
	"\",\"detail\":\"" detail "\"}"
#define STREAM \
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Functionkey-Verified\r\n\r\n"
#define GOOD "0\r\nFunctionkey-Verified: true\r\n\r\n"

/* An agent: reads the request to its end (or only its head), answers, and goes. */
static const struct row {
	const char *name, *answer;
	enum agent_ask what;
	enum agent_ask_exit code;
	const char *out, *says;
	bool early; /* it answers before the body ends, which never does */
} rows[] = {
	{"a small message", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", AGENT_ASK_DECRYPT,
		AGENT_ASK_DONE, "hello", "", false},
	{"a stream", STREAM "5\r\nhello\r\n6\r\n world\r\n" GOOD, AGENT_ASK_DECRYPT, AGENT_ASK_DONE,
		"hello world", "", false},
	{"an empty message", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", AGENT_ASK_DECRYPT,
		AGENT_ASK_DONE, "", "", false},
	{"status", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", AGENT_ASK_STATUS,
		AGENT_ASK_DONE, "{}", "", false},
	{"altered",
		"HTTP/1.1 422 No\r\nContent-Length: 101\r\n\r\n" PROBLEM(
			"tampered", "The message was altered", "tag"),
		AGENT_ASK_DECRYPT, AGENT_ASK_UNVERIFIED, "",
		"tampered: The message was altered: tag", false},
	{"no key",
		"HTTP/1.1 410 Gone\r\nConnection: close\r\n\r\n" PROBLEM(
			"no-key", "Gone", "epoch 1"),
		AGENT_ASK_DECRYPT, AGENT_ASK_REFUSED, "", "no-key: Gone: epoch 1", false},
	{"refused at once, while the input stays open",
		"HTTP/1.1 400 No\r\nConnection: close\r\n\r\n" PROBLEM("malformed", "Bad", "CBOR"),
		AGENT_ASK_DECRYPT, AGENT_ASK_REFUSED, "", "malformed: Bad: CBOR", true},
	{"an answer that explains nothing", "HTTP/1.1 500 X\r\nContent-Length: 1\r\n\r\nx",
		AGENT_ASK_DECRYPT, AGENT_ASK_REFUSED, "", "status 500", false},
	{"a stream that is cut", STREAM "5\r\nhello\r\n", AGENT_ASK_DECRYPT, AGENT_ASK_UNVERIFIED,
		"hello", "is not all of it", false},
	{"a stream that is cut before its first byte", STREAM, AGENT_ASK_DECRYPT,
		AGENT_ASK_UNVERIFIED, "", "altered or cut: ", false},
	{"a stream that ends without the word that it is good", STREAM "5\r\nhello\r\n0\r\n\r\n",
		AGENT_ASK_DECRYPT, AGENT_ASK_UNVERIFIED, "hello", "is not all of it", false},
	{"a stream that is said to be bad",
		STREAM "5\r\nhello\r\n0\r\nFunctionkey-Verified: false\r\n\r\n", AGENT_ASK_DECRYPT,
		AGENT_ASK_UNVERIFIED, "hello", "is not all of it", false},
	{"the word as a header, where it proves nothing",
		"HTTP/1.1 200 OK\r\nFunctionkey-Verified: true\r\nTransfer-Encoding: "
		"chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		AGENT_ASK_DECRYPT, AGENT_ASK_UNVERIFIED, "hello", "is not all of it", false},
	{"a length that does not come", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
		AGENT_ASK_DECRYPT, AGENT_ASK_UNVERIFIED, "hello", "is not all of it", false},
	{"a problem past all bounds", NULL, AGENT_ASK_DECRYPT, AGENT_ASK_REFUSED, "", "status 500",
		false},
	{"nothing", "", AGENT_ASK_DECRYPT, AGENT_ASK_UNREACHABLE, "", "does not answer", false},
	{"no HTTP", "hello\r\n\r\n", AGENT_ASK_STATUS, AGENT_ASK_UNREACHABLE, "", "does not answer",
		false},
};

static void answer(int c, const struct row *row)
{
	static const char much[] = "HTTP/1.1 500 X\r\nContent-Length: 1000000\r\n\r\n";
	static char zeros[1000000];
	char text[65536];
	const char *end = row->what == AGENT_ASK_STATUS || row->early ? "\r\n\r\n" : "0\r\n\r\n";
	size_t n = 0;

	while (n < sizeof(text) && !(n && memmem(text, n, end, strlen(end)))) {
		const ssize_t got = read(c, text + n, sizeof(text) - n);
		if (got <= 0)
			_exit(1);
		n += (size_t)got;
	}
	if (row->answer) {
		(void)!write(c, row->answer, strlen(row->answer));
		return;
	}
	(void)!write(c, much, strlen(much));
	(void)!write(c, zeros, sizeof(zeros));
}

static pid_t serve(const struct row *row)
{
	const int fd = test_listen(path);
	const pid_t child = fork();
	if (child == 0) {
		(void)signal(SIGPIPE, SIG_IGN);
		const int c = accept(fd, NULL, NULL);
		if (c >= 0)
			answer(c, row);
		_exit(0);
	}
	(void)close(fd);
	return child;
}

/* What stands in a file that was written from its start. */
static void read_file(int fd, char *to, size_t cap)
{
	const ssize_t n = pread(fd, to, cap - 1, 0);

	assert_true(n >= 0);
	to[n] = 0;
}

static enum agent_ask_exit ask(enum agent_ask what, bool endless, int out, char *says, size_t cap)
{
	FILE *errors = tmpfile();
	const int kept = dup(STDERR_FILENO);
	int ends[2];

	assert_non_null(errors);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], "sealed", 6), 6);
	if (!endless)
		close(ends[1]);
	assert_true(dup2(fileno(errors), STDERR_FILENO) >= 0);
	const enum agent_ask_exit code = agent_ask_run(what, path, ends[0], out);
	(void)fflush(stderr);
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	read_file(fileno(errors), says, cap);
	(void)fclose(errors);
	close(kept);
	close(ends[0]);
	if (endless)
		close(ends[1]);
	return code;
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		FILE *out = tmpfile();
		char said[512], wrote[512];
		assert_non_null(out);
		const pid_t child = serve(&rows[i]);
		const enum agent_ask_exit code =
			ask(rows[i].what, rows[i].early, fileno(out), said, sizeof(said));
		(void)kill(child, SIGKILL);
		(void)waitpid(child, NULL, 0);
		read_file(fileno(out), wrote, sizeof(wrote));
		(void)fclose(out);
		if (code != rows[i].code || strcmp(wrote, rows[i].out) != 0 ||
			!strstr(said, rows[i].says))
			fail_msg("%s: %d, wrote '%s', said '%s'", rows[i].name, (int)code, wrote,
				said);
	}
}

static void test_nobody_and_nowhere(void **state)
{
	static const struct row stream = {
		.answer = STREAM "5\r\nhello\r\n" GOOD, .what = AGENT_ASK_DECRYPT};
	char said[512];
	const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	(void)unlink(path);
	assert_int_equal(
		ask(AGENT_ASK_STATUS, false, full, said, sizeof(said)), AGENT_ASK_UNREACHABLE);
	const pid_t child = serve(&stream);
	assert_int_equal(
		ask(AGENT_ASK_DECRYPT, false, full, said, sizeof(said)), AGENT_ASK_REFUSED);
	assert_non_null(strstr(said, "standard output"));
	(void)waitpid(child, NULL, 0);
	close(full);
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(agent_ask_named(STR("status")), AGENT_ASK_STATUS);
	assert_int_equal(agent_ask_named(STR("decrypt")), AGENT_ASK_DECRYPT);
	assert_int_equal(agent_ask_named(STR("encrypt")), AGENT_ASK_NONE);
	assert_int_equal(agent_ask_named(STR_NULL), AGENT_ASK_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_nobody_and_nowhere),
		cmocka_unit_test(test_names),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(folder))
		return 1;
	(void)snprintf(path, sizeof(path), "%s/agent.sock", folder);
	const int r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	(void)rmdir(folder);
	return r;
}
