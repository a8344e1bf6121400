/* Answers that come before the request is complete, while its body waits for input. */
#include "pkg/base/test.h"
#include "pkg/http/client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE_MS 2000
#define IDLE_NS    (10 * NS_PER_S)
#define LATER_MS   50

/* What the peer does: reads until that came, answers; perhaps reads and answers once more. */
struct peer {
	const char *until, *answer, *until_then, *then;
	bool stays; /* the connection is open until we close it */
};

struct world {
	uv_loop_t loop;
	uv_timer_t later;
	struct http_client *client;
	struct http_call *call;
	const char *rest; /* of the body, comes later; NULL: never */
	bool began, may_rest, done;
	unsigned status;
	uint64_t begun_ms, took_ms;
	struct buf body;
	struct err err;
};

static int put(const char *text, uint8_t *dst, size_t cap, size_t *ret_n)
{
	*ret_n = strlen(text);
	base_assert(*ret_n <= cap);
	memcpy(dst, text, *ret_n);
	return 0;
}

static int on_send(void *ctx, uint8_t *dst, size_t cap, size_t *ret_n, struct err *err)
{
	struct world *w = ctx;
	const char *rest = w->rest;

	(void)err;
	if (!w->began) {
		w->began = true;
		return put("begun", dst, cap, ret_n);
	}
	if (!w->may_rest)
		return HTTP_CALL_WAIT;
	w->rest = "";
	return put(rest, dst, cap, ret_n);
}

static void rest_comes(uv_timer_t *later)
{
	struct world *w = later->data;

	w->may_rest = w->rest != NULL;
	if (w->call)
		http_call_resume(w->call);
	uv_close((uv_handle_t *)later, NULL);
}

static int on_head(void *ctx, unsigned status, struct err *err)
{
	struct world *w = ctx;

	(void)err;
	w->status = status;
	return 0;
}

static int on_data(void *ctx, const uint8_t *p, size_t n, struct err *err)
{
	return base_buf_add(&((struct world *)ctx)->body, p, n, err);
}

static void on_done(void *ctx, const struct err *err)
{
	struct world *w = ctx;

	w->done = true;
	uv_update_time(&w->loop);
	w->took_ms = uv_now(&w->loop) - w->begun_ms;
	if (err)
		w->err = *err;
	w->call = http_call_free(w->call);
	w->client = http_client_free(w->client);
}

static const struct http_call_ops ops = {
	.send = on_send, .head = on_head, .data = on_data, .done = on_done};

static void read_until(int c, const char *until)
{
	char got[8192] = "";
	size_t len = 0;

	while (!strstr(got, until) && len < sizeof(got) - 1) {
		const ssize_t n = recv(c, got + len, sizeof(got) - 1 - len, 0);
		if (n <= 0)
			_exit(1);
		len += (size_t)n;
	}
}

static void say(int c, const char *text)
{
	base_assert(send(c, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

static pid_t serve(const struct peer *peer, uint16_t *ret_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	char byte = 0;

	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*ret_port = ntohs(a.sin_port);
	const pid_t pid = fork();
	if (pid != 0) {
		(void)close(fd);
		return pid;
	}
	(void)alarm(20);
	const int c = accept(fd, NULL, NULL);
	read_until(c, peer->until);
	say(c, peer->answer);
	if (peer->then) {
		read_until(c, peer->until_then);
		say(c, peer->then);
	}
	/* What comes before the end tells whether the body was ended, which it must not be. */
	if (peer->stays && recv(c, &byte, 1, 0) != 0)
		_exit(2);
	_exit(0);
}

/* The exit status of the peer. */
static int ask(struct world *w, const struct peer *peer)
{
	char address[32];
	uint16_t port = 0;
	int status = 0;
	const pid_t pid = serve(peer, &port);
	const struct http_call_request r = {.method = "POST",
		.address = address,
		.host = "billing.shop",
		.target = "/",
		.has_body = true,
		.connect_ns = NS_PER_S,
		.idle_ns = IDLE_NS};

	(void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	w->body = base_buf(4096);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->later.data = w;
	(void)uv_timer_init(&w->loop, &w->later);
	(void)uv_timer_start(&w->later, rest_comes, LATER_MS, 0);
	assert_ok("client", http_client_new(&w->loop, &w->client, err));
	assert_ok("call", http_call_new(w->client, &r, &ops, w, &w->call, err));
	assert_ok("start", http_call_start(w->call, err));
	w->begun_ms = uv_now(&w->loop);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_true(w->done);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define NO      "HTTP/1.1 413 No\r\n"
#define OK_     "HTTP/1.1 200 OK\r\n"
#define CLOSE   "Connection: close\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"

struct row {
	const char *name;
	const char *answer;
	unsigned status; /* 0: an error */
	const char *body;
	bool stays;
};

static const struct row rows[] = {
	{"refused", NO CLOSE "Content-Length: 2\r\n\r\nno", 413, "no", false},
	{"refused, and it stays", NO CLOSE "Content-Length: 2\r\n\r\nno", 413, "no", true},
	{"refused in chunks", NO CLOSE CHUNKED "2\r\nno\r\n0\r\n\r\n", 413, "no", false},
	{"refused in chunks, and it stays", NO CLOSE CHUNKED "2\r\nno\r\n0\r\n\r\n", 413, "no",
		true},
	{"refused until the end", NO CLOSE "\r\nno", 413, "no", false},
	{"refused without a body", NO CLOSE "Content-Length: 0\r\n\r\n", 413, "", true},
	{"refused, no word of closing", NO "Content-Length: 2\r\n\r\nno", 413, "no", true},
	{"sent elsewhere", "HTTP/1.1 307 There\r\nContent-Length: 0\r\n\r\n", 307, "", true},
	{"told to go on, then refused",
		"HTTP/1.1 103 Hm\r\n" CLOSE "\r\n" NO CLOSE "Content-Length: 2\r\n\r\nno", 413,
		"no", true},
	{"answered, and closes", OK_ CLOSE "Content-Length: 2\r\n\r\nhi", 200, "hi", true},
	{"answered by a peer that always closes", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		200, "hi", true},
	{"close is one of some words", OK_ "Connection: a , Close\r\nContent-Length: 2\r\n\r\nhi",
		200, "hi", true},
	{"refused, but cut", NO CLOSE "Content-Length: 9\r\n\r\nno", 0, "", false},
	{"refused, but cut between chunks", NO CLOSE CHUNKED "2\r\nno\r\n", 0, "", false},
	{"gone without a word", "", 0, "", false},
	{"gone in its head", NO CLOSE, 0, "", false},
	{"gone in its answer", OK_ "Content-Length: 9\r\n\r\nhi", 0, "", false},
};

static void test_ends_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		const struct peer peer = {
			.until = "begun", .answer = row->answer, .stays = row->stays};
		struct world w = {0};
		const int peer_ended = ask(&w, &peer);
		if (w.took_ms > AT_ONCE_MS)
			fail_msg("%s: after %llu ms", row->name, (unsigned long long)w.took_ms);
		if (row->status == 0 ? !w.err.class || w.err.class == ERR_BUG : w.err.class != 0)
			fail_msg("%s: %u '%s'", row->name, w.status, w.err.msg);
		if (row->status && (w.status != row->status || !base_str_eq(base_buf_str(&w.body),
								       base_str(row->body))))
			fail_msg("%s: %u '%.*s'", row->name, w.status,
				STR_FMT(base_buf_str(&w.body)));
		if (peer_ended != 0)
			fail_msg("%s: the peer ends with %d", row->name, peer_ended);
		base_buf_done(&w.body);
	}
}

/* Where both go on, neither ends the other. */
static void test_goes_on(void **state)
{
	static const struct {
		const char *name;
		struct peer peer;
		const char *body;
	} goes[] = {
		{"answered, the rest comes all the same",
			{"begun", OK_ "Content-Length: 2\r\n\r\nhi", "rest\r\n0\r\n\r\n", "",
				false},
			"hi"},
		{"an answer that closes, and streams along",
			{"begun", OK_ CLOSE CHUNKED "2\r\nhi\r\n", "rest\r\n0\r\n\r\n",
				"1\r\n!\r\n0\r\n\r\n", false},
			"hi!"},
		{"told to go on",
			{"begun", "HTTP/1.1 103 Hm\r\n" CLOSE "\r\n", "rest\r\n0\r\n\r\n",
				OK_ "Content-Length: 2\r\n\r\nhi", false},
			"hi"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(goes); i++) {
		struct world w = {.rest = "rest"};
		const int peer_ended = ask(&w, &goes[i].peer);
		if (w.err.class || peer_ended != 0 ||
			!base_str_eq(base_buf_str(&w.body), base_str(goes[i].body)))
			fail_msg("%s: peer %d, '%.*s', %s", goes[i].name, peer_ended,
				STR_FMT(base_buf_str(&w.body)), w.err.msg);
		base_buf_done(&w.body);
	}
}

static int no_leak(void **state)
{
	(void)state;
	return base_alloc_live() == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_ends_at_once, no_leak),
		cmocka_unit_test_teardown(test_goes_on, no_leak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
