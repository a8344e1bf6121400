/* The client against a server that says what the test wants, byte for byte. */
#include "pkg/base/test.h"
#include "pkg/http/client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX (1u << 20)

struct world {
	uv_loop_t loop;
	struct http_client *client;
	struct http_call *call;
	struct buf fields, body;
	const char *send;
	size_t sent;
	unsigned status, waits, heads;
	bool done, wait, refuse;
	uint64_t begun_ms, took_ms;
	struct err err;
};

static int on_send(void *ctx, uint8_t *dst, size_t cap, size_t *ret_n, struct err *err)
{
	struct world *w = ctx;
	const size_t left = strlen(w->send) - w->sent;

	(void)err;
	*ret_n = left < cap ? left : cap;
	memcpy(dst, w->send + w->sent, *ret_n);
	w->sent += *ret_n;
	return 0;
}

static int on_field(void *ctx, struct str name, struct str value, struct err *err)
{
	struct world *w = ctx;

	return base_buf_addf(&w->fields, err, "%s%.*s=%.*s;", w->heads ? "+" : "", STR_FMT(name),
		STR_FMT(value));
}

static int on_head(void *ctx, unsigned status, struct err *err)
{
	struct world *w = ctx;

	(void)err;
	w->heads++;
	w->status = status;
	return 0;
}

static void again(uv_timer_t *timer)
{
	struct world *w = timer->data;

	w->wait = false;
	http_call_resume(w->call);
	uv_close((uv_handle_t *)timer, NULL);
}

static int on_data(void *ctx, const uint8_t *p, size_t n, struct err *err)
{
	struct world *w = ctx;
	static uv_timer_t timer;

	if (w->wait) {
		w->waits++;
		timer.data = w;
		(void)uv_timer_init(&w->loop, &timer);
		(void)uv_timer_start(&timer, again, 20, 0);
		return HTTP_CALL_WAIT;
	}
	if (w->refuse)
		return FAIL(err, ERR_TAMPERED, "refused");
	return base_buf_add(&w->body, p, n, err);
}

static void on_done(void *ctx, const struct err *err)
{
	struct world *w = ctx;

	w->done = true;
	w->took_ms = uv_now(&w->loop) - w->begun_ms;
	if (err)
		w->err = *err;
	w->call = http_call_free(w->call);
	w->client = http_client_free(w->client);
}

static const struct http_call_ops ops = {
	.send = on_send, .field = on_field, .head = on_head, .data = on_data, .done = on_done};

/* A process that takes one connection, reads until `until` came, answers and ends. */
static pid_t answering(uint16_t *ret_port, const char *until, struct str answer, int want_fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*ret_port = ntohs(a.sin_port);
	const pid_t pid = fork();
	if (pid != 0) {
		(void)close(fd);
		return pid;
	}
	char got[8192] = "";
	size_t len = 0;
	(void)alarm(20);
	const int c = accept(fd, NULL, NULL);
	while (!strstr(got, until) && len < sizeof(got) - 1) {
		const ssize_t r = recv(c, got + len, sizeof(got) - 1 - len, 0);
		if (r <= 0)
			break;
		len += (size_t)r;
	}
	if (want_fd >= 0)
		base_assert(write(want_fd, got, len) == (ssize_t)len);
	base_assert(send(c, answer.p, answer.n, MSG_NOSIGNAL) == (ssize_t)answer.n);
	/* The rest does not come, nor does the end. */
	if (base_str_ends(answer, STR("stay")))
		(void)recv(c, got, 1, 0);
	(void)close(c);
	_exit(0);
}

static void begin(struct world *w, struct http_call_request *r, uint16_t port, char address[32])
{
	w->fields = base_buf(ANSWER_MAX);
	w->body = base_buf(ANSWER_MAX);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	assert_ok("client", http_client_new(&w->loop, &w->client, err));
	(void)snprintf(address, 32, "127.0.0.1:%u", port);
	r->address = address;
	r->host = "billing.shop";
	r->connect_ns = NS_PER_S;
	r->idle_ns = 5 * NS_PER_S;
	assert_ok("call", http_call_new(w->client, r, &ops, w, &w->call, err));
}

static void run(struct world *w)
{
	assert_ok("start", http_call_start(w->call, err));
	w->begun_ms = uv_now(&w->loop);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_true(w->done);
	assert_int_equal(uv_loop_close(&w->loop), 0);
}

static void end(struct world *w)
{
	base_buf_done(&w->fields);
	base_buf_done(&w->body);
}

struct row {
	const char *name, *answer;
	unsigned status;
	const char *fields, *body;
};

#define OK_ "HTTP/1.1 200 OK\r\n"
#define BAD 0, NULL, NULL

static const struct row rows[] = {
	{"length", OK_ "X-A: B \r\nContent-Length: 2\r\n\r\nhi", 200, "x-a=B;content-length=2;",
		"hi"},
	{"chunks and trailers",
		OK_ "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 2\r\n\r\n", 200,
		"transfer-encoding=chunked;+x-sum=2;", "hi"},
	{"until the end", OK_ "\r\nhi", 200, "", "hi"},
	{"informational first",
		"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n" OK_ "Content-Length: 0\r\n\r\n", 200,
		"link=a;content-length=0;", ""},
	{"redirects are not followed",
		"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302,
		"location=/x;content-length=0;", ""},
	{"cut", OK_ "Content-Length: 5\r\n\r\nhi", BAD},
	{"cut between chunks", OK_ "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", BAD},
	{"nothing", "", BAD},
	{"no HTTP", "hello\r\n\r\n", BAD},
	{"two lengths", OK_ "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", BAD},
	{"folded", OK_ "X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n", BAD},
	{"space before the colon", OK_ "X-A : b\r\nContent-Length: 0\r\n\r\n", BAD},
	{"bare LF", OK_ "X-A: b\nContent-Length: 0\r\n\r\n", BAD},
	{"control", OK_ "X-A: b\x01\r\nContent-Length: 0\r\n\r\n", BAD},
	{"no name", OK_ ": b\r\nContent-Length: 0\r\n\r\n", BAD},
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w = {.send = ""};
		struct http_call_request r = {.method = "GET", .target = "/"};
		char address[32];
		uint16_t port = 0;
		const pid_t pid = answering(&port, "\r\n\r\n", base_str(rows[i].answer), -1);
		begin(&w, &r, port, address);
		run(&w);
		(void)waitpid(pid, NULL, 0);
		if (rows[i].status == 0) {
			if (!w.err.class || w.err.class == ERR_BUG)
				fail_msg("%s: %u %s", rows[i].name, w.status, w.err.msg);
		} else {
			if (w.err.class)
				fail_msg("%s: %s", rows[i].name, w.err.msg);
			assert_int_equal(w.status, rows[i].status);
			assert_true(base_str_eq(base_buf_str(&w.fields), base_str(rows[i].fields)));
			assert_true(base_str_eq(base_buf_str(&w.body), base_str(rows[i].body)));
		}
		end(&w);
	}
}

static void request_is(const char *row, struct http_call_request r, const char *body,
	const char *until, const char *want)
{
	struct world w = {.send = body};
	char address[32];
	char got[8192] = "";
	uint16_t port = 0;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	const pid_t pid = answering(&port, until, STR(OK_ "Content-Length: 0\r\n\r\n"), fds[1]);
	begin(&w, &r, port, address);
	assert_ok(row, http_call_header(w.call, STR("X-A"), STR("b"), err));
	assert_ok(row, http_call_header(w.call, STR("X-Empty"), STR(""), err));
	assert_ok(row, http_call_trailer(w.call, STR("X-Sum"), STR("1"), err));
	assert_class(row, ERR_INVALID, http_call_header(w.call, STR("Host"), STR("x"), err));
	assert_class(row, ERR_INVALID, http_call_header(w.call, STR("X"), STR("a\r\nB: c"), err));
	assert_class(row, ERR_INVALID, http_call_header(w.call, STR("X:"), STR("a"), err));
	run(&w);
	(void)waitpid(pid, NULL, 0);
	(void)close(fds[1]);
	assert_true(read(fds[0], got, sizeof(got) - 1) > 0);
	(void)close(fds[0]);
	assert_int_equal(w.err.class, 0);
	assert_string_equal(got, want);
	end(&w);
}

/* Nothing that was not asked for. */
static void test_requests(void **state)
{
	(void)state;
	request_is("no body", (struct http_call_request){.method = "GET", .target = "/a/../b?c"},
		"", "\r\n\r\n",
		"GET /a/../b?c HTTP/1.1\r\nHost: billing.shop\r\nX-A: b\r\nX-Empty:\r\n\r\n");
	request_is("length",
		(struct http_call_request){.method = "PATCH",
			.target = "/",
			.has_body = true,
			.has_length = true,
			.length = 3},
		"abc", "abc",
		"PATCH / HTTP/1.1\r\nHost: billing.shop\r\nX-A: b\r\nX-Empty:\r\n"
		"Content-Length: 3\r\n\r\nabc");
	request_is("chunks",
		(struct http_call_request){.method = "POST", .target = "/", .has_body = true},
		"abc", "\r\n0\r\nX-Sum: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: billing.shop\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n"
		"X-Empty:\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n");
	request_is("HEAD", (struct http_call_request){.method = "HEAD", .target = "/"}, "",
		"\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: billing.shop\r\nX-A: b\r\nX-Empty:\r\n\r\n");
}

static void test_head_brings_no_body(void **state)
{
	const struct http_call_request r = {.method = "HEAD",
		.address = "127.0.0.1:1",
		.host = "x",
		.target = "/",
		.has_body = true};
	struct http_client *client = NULL;
	struct http_call *call = NULL;
	uv_loop_t loop;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok("client", http_client_new(&loop, &client, err));
	assert_class("HEAD", ERR_INVALID, http_call_new(client, &r, &ops, NULL, &call, err));
	assert_null(call);
	http_client_free(client);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_waiting(void **state)
{
	struct world w = {.send = "", .wait = true};
	struct http_call_request r = {.method = "GET", .target = "/"};
	char address[32];
	uint16_t port = 0;
	const pid_t pid = answering(&port, "\r\n\r\n", STR(OK_ "Content-Length: 2\r\n\r\nhi"), -1);

	(void)state;
	begin(&w, &r, port, address);
	run(&w);
	(void)waitpid(pid, NULL, 0);
	assert_int_equal(w.err.class, 0);
	assert_int_equal(w.waits, 1);
	assert_true(base_str_eq(base_buf_str(&w.body), STR("hi")));
	end(&w);
}

/* What is refused after a wait ends at once, not when the peer says more. */
static void test_refused_after_waiting(void **state)
{
	struct world w = {.send = "", .wait = true, .refuse = true};
	struct http_call_request r = {.method = "GET", .target = "/"};
	char address[32];
	uint16_t port = 0;
	const pid_t pid =
		answering(&port, "\r\n\r\n", STR(OK_ "Content-Length: 9\r\n\r\nstay"), -1);

	(void)state;
	begin(&w, &r, port, address);
	run(&w);
	(void)waitpid(pid, NULL, 0);
	assert_int_equal(w.err.class, ERR_TAMPERED);
	assert_true(w.took_ms < 2000);
	end(&w);
}

static void test_unreachable_and_freed(void **state)
{
	struct world w = {.send = ""};
	struct http_call_request r = {.method = "GET", .target = "/"};
	char address[32];

	(void)state;
	begin(&w, &r, 1, address);
	run(&w);
	assert_int_equal(w.err.class, ERR_TRANSIENT);
	end(&w);
	w = (struct world){.send = ""};
	begin(&w, &r, 1, address);
	assert_ok("start", http_call_start(w.call, err));
	w.call = http_call_free(w.call);
	w.client = http_client_free(w.client);
	(void)uv_run(&w.loop, UV_RUN_DEFAULT);
	assert_false(w.done);
	assert_int_equal(uv_loop_close(&w.loop), 0);
	end(&w);
}

static int no_leak(void **state)
{
	(void)state;
	return base_alloc_live() == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_answers, no_leak),
		cmocka_unit_test_teardown(test_requests, no_leak),
		cmocka_unit_test_teardown(test_head_brings_no_body, no_leak),
		cmocka_unit_test_teardown(test_waiting, no_leak),
		cmocka_unit_test_teardown(test_refused_after_waiting, no_leak),
		cmocka_unit_test_teardown(test_unreachable_and_freed, no_leak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
