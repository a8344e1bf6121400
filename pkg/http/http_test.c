#include "pkg/http/test_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

static void test_keep_alive_and_pipelining(void **state)
{
	struct served s = serve_start((struct http_config){.name = NULL});
	const int fd = dial(&s);
	char out[65536];
	bool end = false;

	(void)state;
	for (int i = 0; i < 20; i++)
		put(fd, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"
			    "POST /hello HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
			    "GET /later HTTP/1.1\r\n" HOST "\r\n"));
	(void)get(fd, out, sizeof(out), 500, &end);
	assert_false(end);
	unsigned hellos = 0;
	unsigned laters = 0;
	for (const char *at = out; (at = strstr(at, "\r\n\r\nhello\n")); at++)
		hellos++;
	for (const char *at = out; (at = strstr(at, "\r\n\r\nlater\n")); at++)
		laters++;
	assert_int_equal(hellos, 40);
	assert_int_equal(laters, 20);
	assert_non_null(strstr(out, "\r\nX-Test: yes\r\n"));
	assert_null(strstr(out, "ignored"));
	(void)close(fd);
	serve_stop(&s);
}

static void test_params_queries_and_problems(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{"/p/a/b", "[a][b][none]"},
		{"/p/a%20b/%c3%bc?x=1%262&y=2", "[a b][\xc3\xbc][1&2]"},
		{"/p/a/b?x=", "[a][b][]"},
		{"/p/a/b?x", "[a][b][]"},
		{"/p/a/b?xx=1", "[a][b][none]"},
		{"/p/a/b?x=a+b", "[a][b][a+b]"},
		{"/p/a/b?x=1&x=2", "\"detail\":\"parameter 'x' is there twice\""},
		{"/p/a/b?x=%0a", "\"detail\":\"parameter 'x': not percent-encoded text\""},
		{"/p/a/b?x=1234567890123456", "\"title\":\"Too large\",\"status\":413"},
	};
	struct served s = serve_start((struct http_config){.name = NULL});
	char in[200];
	char out[4096];
	bool end = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const int fd = dial(&s);
		const int n =
			snprintf(in, sizeof(in), "GET %s HTTP/1.1\r\n" HOST "\r\n", cases[i].in);
		put(fd, base_str_n(in, (size_t)n));
		(void)get(fd, out, sizeof(out), 100, &end);
		if (!strstr(out, cases[i].out))
			fail_msg("%s: '%s'", cases[i].in, out);
		(void)close(fd);
	}
	const int fd = dial(&s);
	put(fd, STR("POST /early HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\na"));
	(void)get(fd, out, sizeof(out), 1000, &end);
	assert_non_null(strstr(out, "Content-Type: application/problem+json\r\n"));
	assert_non_null(
		strstr(out, "\r\n\r\n{\"type\":\"about:blank\",\"title\":\"Altered\","
			    "\"status\":422,\"detail\":\"not \\\"what\\\" it\\u000awas\"}\n"));
	(void)close(fd);
	serve_stop(&s);
}

static long peak_kb(const struct served *s)
{
	char path[64];
	char line[256];
	long kb = -1;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)s->pid);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "VmHWM: %ld kB", &kb);
	(void)fclose(f);
	return kb;
}

static int shell(const char *fmt, const struct served *s)
{
	char command[1024];

	(void)snprintf(command, sizeof(command), "p=%s; %s", s->path, fmt);
	return system(command);
}

static void test_fifty_megabytes_in_constant_memory(void **state)
{
	struct served s = serve_start((struct http_config){.name = NULL});

	(void)state;
	assert_int_equal(
		shell("curl -sfS --unix-socket $p http://x/count -H 'Expect:' -d a", &s), 0);
	assert_int_equal(shell("curl -sfS --unix-socket $p -d a http://x/echo >/dev/null", &s), 0);
	const long before = peak_kb(&s);
	assert_int_equal(
		shell("test $(head -c 50000000 /dev/zero | curl -sfS --unix-socket $p -T - "
		      "-X POST http://x/count) = 50000000",
			&s),
		0);
	/* In both directions at once, chunked, with the trailer at the end. */
	assert_int_equal(
		shell("head -c 50000000 /dev/zero | curl -sfS --unix-socket $p -T - -X POST "
		      "--raw -D $p.h http://x/echo | tail -c 40 >$p.t && "
		      "grep -q '^Trailer: Functionkey-Verified' $p.h && "
		      "grep -aq '^Functionkey-Verified: true' $p.t; r=$?; rm -f $p.h $p.t; "
		      "exit $r",
			&s),
		0);
	assert_int_equal(
		shell("test $(head -c 50000000 /dev/zero | curl -sfS --unix-socket $p -T - -X "
		      "POST http://x/echo | wc -c) = 50000000",
			&s),
		0);
	assert_true(s.shared->body >= 150000000);
#ifndef BASE_SANITIZED
	if (peak_kb(&s) - before > 512)
		fail_msg("%ld KiB more", peak_kb(&s) - before);
#endif
	(void)before;
	serve_stop(&s);
}

static void test_a_slow_handler_holds_the_sender_up(void **state)
{
	struct served s = serve_start((struct http_config){.name = NULL});

	(void)state;
	assert_int_equal(
		shell("test $(head -c 300000 /dev/zero | curl -sfS --unix-socket $p -T - -X "
		      "POST http://x/slow) = 300000",
			&s),
		0);
	assert_true(s.shared->body == 300000);
	serve_stop(&s);
}

/* Hundreds of times: were one put off to the next tick, this would take minutes. */
static void test_a_handler_that_wakes_itself_goes_on_at_once(void **state)
{
	struct served s = serve_start((struct http_config){.name = NULL});

	(void)state;
	assert_int_equal(
		shell("test $(head -c 1000000 /dev/zero | curl -sfS -m 20 --unix-socket $p -T - "
		      "-X POST http://x/wake) = 1000000",
			&s),
		0);
	serve_stop(&s);
}

static void test_a_slow_reader_holds_the_handler_up(void **state)
{
	struct served s = serve_start((struct http_config){.name = NULL});
	static char out[1 << 20];
	const int fd = dial(&s);
	size_t total = 0;
	bool end = false;

	(void)state;
	put(fd, STR("GET /flood HTTP/1.1\r\n" HOST "\r\n"));
	(void)usleep(200000);
	const uint64_t sent = s.shared->sent;
	(void)usleep(200000);
	assert_true(sent > 0 && sent < 2000000 && s.shared->sent == sent);
	while (!end)
		total += get(fd, out, sizeof(out), 1000, &end);
	assert_true(s.shared->sent >= 64000000 && total > s.shared->sent);
	assert_true(s.shared->writables > 10);
	(void)close(fd);
	serve_stop(&s);
}

static void test_a_cut_answer_is_an_error_for_clients(void **state)
{
	struct served s = serve_start((struct http_config){.name = NULL});

	(void)state;
	assert_int_not_equal(shell("curl -sf --unix-socket $p http://x/cut >/dev/null", &s), 0);
	assert_int_not_equal(shell("python3 -c 'import http.client,socket,sys\n"
				   "c = http.client.HTTPConnection(\"x\")\n"
				   "c.sock = socket.socket(socket.AF_UNIX)\n"
				   "c.sock.connect(sys.argv[1])\n"
				   "c.request(\"GET\", \"/cut\")\n"
				   "c.getresponse().read()' $p 2>/dev/null",
				     &s),
		0);
	serve_stop(&s);
}

static void test_a_client_that_leaves_is_told_once(void **state)
{
	struct served s = serve_start((struct http_config){.name = NULL});

	(void)state;
	int fd = dial(&s);
	put(fd, STR("POST /count HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nabc"));
	assert_true(reaches(&s.shared->begins, 1));
	(void)close(fd);
	assert_true(reaches(&s.shared->gones, 1));
	/* One that sleeps: found by the tick. */
	fd = dial(&s);
	put(fd, STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
	assert_true(reaches(&s.shared->begins, 2));
	(void)close(fd);
	assert_true(reaches(&s.shared->gones, 2));
	/* One that reads nothing of a long answer. */
	fd = dial(&s);
	put(fd, STR("GET /flood HTTP/1.1\r\n" HOST "\r\n"));
	assert_true(reaches(&s.shared->begins, 3));
	(void)usleep(50000);
	(void)close(fd);
	assert_true(reaches(&s.shared->gones, 3));
	(void)usleep(50000);
	assert_int_equal(s.shared->gones, 3);
	/* And those that the end of the server cuts, sleeping and not. */
	const int fds[] = {dial(&s), dial(&s), dial(&s), dial(&s)};
	put(fds[0], STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
	put(fds[1], STR("GET /flood HTTP/1.1\r\n" HOST "\r\n"));
	put(fds[2], STR("POST /count HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nabc"));
	assert_true(reaches(&s.shared->begins, 6));
	serve_stop(&s);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
}

static void test_limits(void **state)
{
	struct served s = serve_start((struct http_config){.limits = {.connections = 3,
								   .header_max = 1000,
								   .idle_ns = NS_PER_S,
								   .total_ns = NS_PER_S}});
	static char big[40000];
	char out[4096];
	bool end = false;
	const int fds[] = {dial(&s), dial(&s), dial(&s)};

	(void)state;
	for (int i = 0; i < 3; i++)
		put(fds[i], STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
	assert_true(reaches(&s.shared->begins, 3));
	int fd = dial(&s);
	(void)get(fd, out, sizeof(out), 1000, &end);
	assert_true(end && strncmp(out, "HTTP/1.1 503 ", 13) == 0);
	(void)close(fd);
	for (int i = 0; i < 3; i++)
		(void)close(fds[i]);
	assert_true(reaches(&s.shared->gones, 3));
	(void)usleep(20000);
	/* Headers: more than configured, more than libmicrohttpd has memory for; a long target. */
	memset(big, 'a', sizeof(big));
	static const struct {
		const char *before;
		size_t n;
		const char *after, *out;
	} headers[] = {
		{"GET /hello HTTP/1.1\r\n" HOST "X: ", 1200, "\r\n\r\n", "HTTP/1.1 431 "},
		{"GET /hello HTTP/1.1\r\n" HOST "X: ", 40000, "\r\n\r\n", "HTTP/1.1 431 "},
		{"GET /", 2100, " HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 414 "},
		{"GET /", 40000, " HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 414 "},
	};
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		fd = dial(&s);
		put(fd, base_str(headers[i].before));
		put(fd, base_str_n(big, headers[i].n));
		put(fd, base_str(headers[i].after));
		(void)get(fd, out, sizeof(out), 1000, &end);
		if (!end || strncmp(out, headers[i].out, strlen(headers[i].out)) != 0)
			fail_msg("%zu: '%s'", i, out);
		(void)close(fd);
	}
	serve_stop(&s);
}

/* Each of these must be closed by the server within its second or two. */
static void test_time_limits(void **state)
{
	static const struct {
		const char *name, *in;
	} slow[] = {
		{"nothing", ""},
		{"half a line", "GET /he"},
		{"half a header", "GET /hello HTTP/1.1\r\nHo"},
		{"half a body", "POST /count HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc"},
		{"an answer that never comes", "GET /hold/a/while HTTP/1.1\r\n" HOST "\r\n"},
		{"idle after an answer", "GET /hello HTTP/1.1\r\n" HOST "\r\n"},
	};
	struct served s = serve_start(
		(struct http_config){.limits = {.idle_ns = NS_PER_S, .total_ns = NS_PER_S}});
	int fds[ARRAY_LEN(slow) + 1];
	char out[4096];
	bool end = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
		fds[i] = dial(&s);
		put(fds[i], base_str(slow[i].in));
	}
	fds[ARRAY_LEN(slow)] = dial(&s);
	put(fds[ARRAY_LEN(slow)], STR("GET /hold HTTP/1.1\r\n" HOST "\r\n"));
	/* A byte now and then does not help against the limit for a whole header. */
	for (int i = 0; i < 12; i++) {
		put(fds[1], STR("l"));
		put(fds[2], STR("s"));
		(void)usleep(250000);
	}
	for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
		(void)get(fds[i], out, sizeof(out), 1500, &end);
		if (!end)
			fail_msg("%s: still open", slow[i].name);
		(void)close(fds[i]);
	}
	(void)get(fds[ARRAY_LEN(slow)], out, sizeof(out), 100, &end);
	assert_false(end); /* HTTP_LONG */
	(void)close(fds[ARRAY_LEN(slow)]);
	serve_stop(&s);
}

static int dial_tcp(const struct served *s)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(s->shared->port)};
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &a.sin_addr), 1);
	assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void test_tcp(void **state)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", NULL};
	struct served s = serve_start((struct http_config){.address = "127.0.0.1",
		.hosts = hosts,
		.limits = {.connections_per_source = 2, .requests_per_second = 5}});
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"GET /peer HTTP/1.1\r\nHost: LOCALHOST:80\r\n\r\n", "\r\n\r\n0 0 127.0.0.1\n"},
		{"GET /peer HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 400 "},
		{"POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\na",
			"{\"type\":\"about:blank\",\"title\":\"Altered\",\"status\":422}\n"},
	};
	char out[8192];
	bool end = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const int fd = dial_tcp(&s);
		put(fd, base_str(cases[i].in));
		(void)get(fd, out, sizeof(out), 100, &end);
		if (!strstr(out, cases[i].out))
			fail_msg("%zu: '%s'", i, out);
		(void)close(fd);
	}
	(void)usleep(20000);
	const int fds[] = {dial_tcp(&s), dial_tcp(&s), dial_tcp(&s)};
	(void)get(fds[2], out, sizeof(out), 1000, &end);
	assert_true(end && strncmp(out, "HTTP/1.1 503 ", 13) == 0);
	for (int i = 0; i < 10; i++)
		put(fds[0], STR("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"));
	(void)get(fds[0], out, sizeof(out), 300, &end);
	assert_non_null(strstr(out, "HTTP/1.1 429 "));
	assert_non_null(strstr(out, "\r\nRetry-After: 1\r\n"));
	for (int i = 0; i < 3; i++)
		(void)close(fds[i]);
	serve_stop(&s);
}

/* One server for both families; who comes by IPv4 is known by that address. */
static void test_both_families(void **state)
{
	static const char *const peers[] = {"\r\n\r\n0 0 127.0.0.1\n", "\r\n\r\n0 0 ::1\n"};
	struct served s = serve_start((struct http_config){.address = "::"});
	const struct sockaddr_in6 six = {
		AF_INET6, htons(s.shared->port), 0, IN6ADDR_LOOPBACK_INIT, 0};
	const int fds[] = {dial_tcp(&s), socket(AF_INET6, SOCK_STREAM, 0)};
	char out[8192];
	bool end = false;

	(void)state;
	if (fds[1] >= 0)
		assert_int_equal(connect(fds[1], (const struct sockaddr *)&six, sizeof(six)), 0);
	for (size_t i = 0; i < 2 && fds[i] >= 0; i++) {
		put(fds[i], STR("GET /peer HTTP/1.1\r\n" HOST "\r\n"));
		(void)get(fds[i], out, sizeof(out), 100, &end);
		if (!strstr(out, peers[i]))
			fail_msg("%zu: '%s'", i, out);
		(void)close(fds[i]);
	}
	serve_stop(&s);
}

static void test_metrics_and_peer(void **state)
{
	struct served s = serve_start((struct http_config){.name = NULL});
	int fd = dial(&s);
	char out[65536];
	char want[64];
	bool end = false;

	(void)state;
	put(fd, STR("GET /hello HTTP/1.1\r\n" HOST "\r\nGET /p/x/y HTTP/1.1\r\n" HOST "\r\n"
		    "GET /p/z/y HTTP/1.1\r\n" HOST "\r\nGET /peer HTTP/1.1\r\n" HOST "\r\n"));
	(void)get(fd, out, sizeof(out), 100, &end);
	(void)snprintf(want, sizeof(want), "\r\n\r\n1 %u \n", (unsigned)getuid());
	assert_non_null(strstr(out, want));
	(void)close(fd);
	fd = dial(&s);
	put(fd, STR("GET /no HTTP/1.1\r\n" HOST "\r\n"));
	(void)get(fd, out, sizeof(out), 1000, &end);
	(void)close(fd);
	fd = dial(&s);
	put(fd, STR("GET /metrics HTTP/1.1\r\n" HOST "\r\n"));
	(void)get(fd, out, sizeof(out), 100, &end);
	static const char *const lines[] = {
		"functionkey_http_requests_total{server=\"test\",route=\"/hello\",code=\"200\"} "
		"1\n",
		"functionkey_http_requests_total{server=\"test\",route=\"/p/{first}/"
		"{second}\",code="
		"\"200\"} 2\n",
		"functionkey_http_request_duration_seconds_count{server=\"test\",route=\"/hello\"} "
		"1\n",
		"functionkey_http_connections{server=\"test\"} 1\n",
		"functionkey_http_refused_total{server=\"test\",reason=\"route\"} 1\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!strstr(out, lines[i]))
			fail_msg("no %s in %s", lines[i], out);
	(void)close(fd);
	serve_stop(&s);
}

static void test_listening(void **state)
{
	struct served s = serve_start((struct http_config){.name = NULL});
	struct http_server *server = NULL;
	uv_loop_t loop;
	struct stat st;
	struct http_config config = {.name = "two", .loop = &loop, .unix_path = s.path};

	(void)state;
	assert_int_equal(stat(s.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(uv_loop_init(&loop), 0);
	config.clock = base_env_system().clock;
	assert_class("served already", ERR_EXISTS, http_server_new(&config, &server, err));
	assert_int_equal(kill(s.pid, SIGKILL), 0);
	assert_int_equal(waitpid(s.pid, NULL, 0), s.pid);
	assert_int_equal(stat(s.path, &st), 0); /* stale */
	assert_ok("stale", http_server_new(&config, &server, err));
	server = http_server_free(server);
	assert_int_equal(stat(s.path, &st), -1);
	config.unix_path = "/tmp";
	assert_class("a folder", ERR_EXISTS, http_server_new(&config, &server, err));
	config.unix_path = "/proc/nowhere";
	assert_true(http_server_new(&config, &server, NULL) < 0);
	config.unix_path = NULL;
	assert_class("nothing", ERR_INVALID, http_server_new(&config, &server, err));
	config.address = "localhost";
	assert_class("a name", ERR_INVALID, http_server_new(&config, &server, err));
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_null(server);
	assert_int_equal(base_alloc_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep_alive_and_pipelining),
		cmocka_unit_test(test_params_queries_and_problems),
		cmocka_unit_test(test_fifty_megabytes_in_constant_memory),
		cmocka_unit_test(test_a_slow_handler_holds_the_sender_up),
		cmocka_unit_test(test_a_handler_that_wakes_itself_goes_on_at_once),
		cmocka_unit_test(test_a_slow_reader_holds_the_handler_up),
		cmocka_unit_test(test_a_cut_answer_is_an_error_for_clients),
		cmocka_unit_test(test_a_client_that_leaves_is_told_once),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_time_limits),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_both_families),
		cmocka_unit_test(test_metrics_and_peer),
		cmocka_unit_test(test_listening),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
