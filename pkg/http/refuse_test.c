/* What is refused before any handler, byte by byte. */
#include "pkg/http/test_client.h"

/* Rows: raw requests, the beginning of the answer, whether the connection is closed after it. */
static const struct {
	const char *name;
	struct str in;
	const char *out;
	bool open;
} rows[] = {
	{"good", STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 200 OK\r\n", true},
	{"root", STR("GET / HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 200 OK\r\n", true},
	{"any name with underscore and port", STR("GET / HTTP/1.1\r\nHost: a_b-c.d:80\r\n\r\n"),
		"HTTP/1.1 200 OK\r\n", true},
	{"IPv6 host", STR("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), "HTTP/1.1 200 OK\r\n", true},
	{"two equal lengths",
		STR("POST /hello HTTP/1.1\r\n" HOST
		    "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab"),
		"HTTP/1.1 400 ", false},
	{"two lengths",
		STR("POST /hello HTTP/1.1\r\n" HOST
		    "Content-Length: 2\r\ncontent-length: 30\r\n\r\nab"),
		"HTTP/1.1 400 ", false},
	{"list of lengths", STR("POST /hello HTTP/1.1\r\n" HOST "Content-Length: 2, 2\r\n\r\nab"),
		"HTTP/1.1 400 ", false},
	{"signed length", STR("POST /hello HTTP/1.1\r\n" HOST "Content-Length: +2\r\n\r\nab"),
		"HTTP/1.1 400 ", false},
	{"negative length", STR("POST /hello HTTP/1.1\r\n" HOST "Content-Length: -2\r\n\r\nab"),
		"HTTP/1.1 400 ", false},
	{"hex length", STR("POST /hello HTTP/1.1\r\n" HOST "Content-Length: 0x2\r\n\r\nab"),
		"HTTP/1.1 400 ", false},
	{"huge length",
		STR("POST /count HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551617\r\n\r\n"),
		"HTTP/1.1 4", false},
	{"length and chunked",
		STR("POST /hello HTTP/1.1\r\n" HOST
		    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		"HTTP/1.1 400 ", false},
	{"chunked and length",
		STR("POST /hello HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
		"HTTP/1.1 400 ", false},
	{"chunked twice",
		STR("POST /hello HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		"HTTP/1.1 501 ", false},
	{"gzip, chunked",
		STR("POST /hello HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
		"HTTP/1.1 501 ", false},
	{"identity", STR("POST /hello HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\nab"),
		"HTTP/1.1 501 ", false},
	{"chunked with a vertical tab",
		STR("POST /hello HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b"
		    "chunked\r\n\r\n0\r\n\r\n"),
		"HTTP/1.1 400 ", false},
	{"no host", STR("GET /hello HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 ", false},
	{"two hosts", STR("GET /hello HTTP/1.1\r\n" HOST HOST "\r\n"), "HTTP/1.1 400 ", false},
	{"empty host", STR("GET /hello HTTP/1.1\r\nHost: \r\n\r\n"), "HTTP/1.1 400 ", false},
	{"host with a path", STR("GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n"), "HTTP/1.1 400 ",
		false},
	{"host with a user", STR("GET /hello HTTP/1.1\r\nHost: a@b\r\n\r\n"), "HTTP/1.1 400 ",
		false},
	{"host with a word as port", STR("GET /hello HTTP/1.1\r\nHost: a:http\r\n\r\n"),
		"HTTP/1.1 400 ", false},
	{"open bracket", STR("GET /hello HTTP/1.1\r\nHost: [::1\r\n\r\n"), "HTTP/1.1 400 ", false},
	{"absolute form", STR("GET http://functionkey/hello HTTP/1.1\r\n" HOST "\r\n"),
		"HTTP/1.1 400 ", false},
	{"asterisk", STR("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 400 ", false},
	{"authority", STR("CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 400 ", false},
	{"HTTP/1.0", STR("GET /hello HTTP/1.0\r\n" HOST "\r\n"), "HTTP/1.1 505 ", false},
	{"HTTP/0.9", STR("GET /hello\r\n" HOST "\r\n"), "HTTP/1.1 400 ", false},
	{"HTTP/2", STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "HTTP/1.1 505 ", false},
	{"bare LF after a header", STR("GET /hello HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"),
		"HTTP/1.1 400 ", false},
	{"bare LF after the first line", STR("GET /hello HTTP/1.1\n" HOST "\r\n"), "HTTP/1.1 400 ",
		false},
	{"bare LF at the end", STR("GET /hello HTTP/1.1\r\nHost: a\r\n\n"), "HTTP/1.1 400 ", false},
	{"bare CR in a value", STR("GET /hello HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n"),
		"HTTP/1.1 400 ", false},
	{"CR CR LF", STR("GET /hello HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n"), "HTTP/1.1 400 ", false},
	{"NUL in a value", STR("GET /hello HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"), "HTTP/1.1 400 ",
		false},
	{"NUL NUL and a header", STR("GET /hello HTTP/1.1\r\n" HOST "X: a\0\0Y\0 b\r\n\r\n"),
		"HTTP/1.1 400 ", false},
	{"NUL in a name", STR("GET /hello HTTP/1.1\r\n" HOST "X\0: a\r\n\r\n"), "HTTP/1.1 400 ",
		false},
	{"NUL in the target", STR("GET /hello\0x HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 400 ",
		false},
	{"NUL and a version in the target", STR("GET /hello\0HTTP/1.1 HTTP/1.1\r\n" HOST "\r\n"),
		"HTTP/1.1 400 ", false},
	{"folded line", STR("GET /hello HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"), "HTTP/1.1 400 ",
		false},
	{"folded with a tab", STR("GET /hello HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n"),
		"HTTP/1.1 400 ", false},
	{"folded first line", STR("GET /hello HTTP/1.1\r\n Host: a\r\n\r\n"), "HTTP/1.1 400 ",
		false},
	{"folded framing",
		STR("POST /hello HTTP/1.1\r\n" HOST
		    "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
		"HTTP/1.1 400 ", false},
	{"space before the colon", STR("GET /hello HTTP/1.1\r\nHost : a\r\n\r\n"), "HTTP/1.1 400 ",
		false},
	{"tab before the colon",
		STR("POST /hello HTTP/1.1\r\n" HOST "Content-Length\t: 2\r\n\r\nab"),
		"HTTP/1.1 400 ", false},
	{"no name", STR("GET /hello HTTP/1.1\r\n" HOST ": a\r\n\r\n"), "HTTP/1.1 400 ", false},
	{"no colon", STR("GET /hello HTTP/1.1\r\n" HOST "Xa\r\n\r\n"), "HTTP/1.1 400 ", false},
	{"name with a letter that is none", STR("GET /hello HTTP/1.1\r\n" HOST "X\xff: a\r\n\r\n"),
		"HTTP/1.1 400 ", false},
	{"delete character", STR("GET /hello HTTP/1.1\r\n" HOST "X: \x7f\r\n\r\n"), "HTTP/1.1 400 ",
		false},
	{"space in the target", STR("GET /hello x HTTP/1.1\r\n" HOST "\r\n"), "", false},
	{"encoded slash", STR("GET /p/a%2fb/c HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 400 ", false},
	{"dots", STR("GET /p/../hello HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 400 ", false},
	{"encoded dots", STR("GET /p/%2e%2E/b HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 400 ", false},
	{"two slashes", STR("GET //hello HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 400 ", false},
	{"encoded NUL", STR("GET /p/a%00/b HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 400 ", false},
	{"half an escape", STR("GET /p/a%4/b HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 400 ", false},
	{"expectation", STR("POST /hello HTTP/1.1\r\n" HOST "Expect: wonders\r\n\r\n"),
		"HTTP/1.1 417 ", false},
	{"not there", STR("GET /hellos HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 404 ", false},
	{"case", STR("GET /Hello HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 404 ", false},
	{"method", STR("DELETE /hello HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 405 ", false},
	{"method in small letters", STR("get /hello HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 405 ",
		false},
	{"too long by its length",
		STR("POST /hello HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n"), "HTTP/1.1 413 ",
		false},
	{"too long in chunks",
		STR("POST /hello HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n"),
		"HTTP/1.1 413 ", false},
	{"a body where none belongs",
		STR("GET /hello HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\na"), "HTTP/1.1 413 ",
		false},
	{"bad chunk size",
		STR("POST /count HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
		"HTTP/1.1 400 ", false},
	{"chunk longer than it says",
		STR("POST /count HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n"),
		"HTTP/1.1 400 ", false},
	{"refused by the handler",
		STR("POST /refuse HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabcde"),
		"HTTP/1.1 403 ", false},
	{"early answer", STR("POST /early HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabcde"),
		"HTTP/1.1 422 ", false},
};

static void test_each_row(void **state)
{
	struct served s = serve_start((struct http_config){.name = NULL});
	char out[4096];
	bool end = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const int fd = dial(&s);
		put(fd, rows[i].in);
		(void)get(fd, out, sizeof(out), rows[i].open ? 100 : 3000, &end);
		if (strncmp(out, rows[i].out, strlen(rows[i].out)) != 0 || end == rows[i].open ||
			(!*rows[i].out && *out) || strstr(out + (*out != 0), "HTTP/1.1 2"))
			fail_msg("%s: %s: '%s'", rows[i].name, end ? "closed" : "open", out);
		(void)close(fd);
	}
	serve_stop(&s);
}

static void test_a_drain_lets_running_requests_end(void **state)
{
	struct served s = serve_start((struct http_config){.name = NULL});
	const int running = dial(&s), kept = dial(&s), idle = dial(&s);
	const struct sockaddr_un a = unix_address_of(&s);
	const int late = socket(AF_UNIX, SOCK_STREAM, 0);
	char out[4096];
	bool end = false;

	(void)state;
	put(running, STR("POST /count HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc"));
	put(kept, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
	(void)get(kept, out, sizeof(out), 100, &end);
	assert_true(!end && reaches(&s.shared->begins, 2));
	for (unsigned i = 1; i <= 2; i++) { /* repeatable */
		assert_int_equal(kill(s.pid, SIGUSR1), 0);
		assert_true(reaches(&s.shared->drains, i));
	}
	assert_int_equal(s.shared->busy, 1);
	assert_int_equal(connect(late, (const struct sockaddr *)&a, sizeof(a)), -1);
	put(kept, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
	(void)get(kept, out, sizeof(out), 1500, &end);
	assert_true(end && strncmp(out, "HTTP/1.1 503 ", 13) == 0);
	put(running, STR("defghi"));
	(void)get(running, out, sizeof(out), 1500, &end);
	assert_true(end && strncmp(out, "HTTP/1.1 200 ", 13) == 0);
	assert_non_null(strstr(out, "Connection: close\r\n"));
	(void)get(idle, out, sizeof(out), 2500, &end);
	assert_true(end);
	const int fds[] = {running, kept, idle, late};
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
	serve_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_row),
		cmocka_unit_test(test_a_drain_lets_running_requests_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
