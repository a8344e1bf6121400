/* Every allocation of ours and of libuv failed in turn while a server starts, answers a whole, a
 * streamed and a refused request, and stops. A client may see an error or nothing; nothing may be
 * left, and each request that began must be gone once. libmicrohttpd's own memory is outside. */
#include <uv.h>

#include "pkg/base/torture_libs.h"
#include "pkg/http/http.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ROUNDS 2000 /* of the loop, for one request */

struct world {
	uv_loop_t loop;
	struct env env;
	char path[64];
	unsigned begun, gone, answered;
};

static int begin(void *ctx, struct http_request *r, struct err *err)
{
	struct world *w = ctx;

	w->begun++;
	TRY(http_add_header(r, "X-One", STR("1"), err));
	return http_add_trailer(r, "X-End", STR("1"), err);
}

static int begin_stream(void *ctx, struct http_request *r, struct err *err)
{
	TRY(begin(ctx, r, err));
	return http_stream_begin(r, 200, "text/plain", err);
}

static int echo(void *ctx, struct http_request *r, const uint8_t *p, size_t n, size_t *ret_taken,
	struct err *err)
{
	(void)ctx;
	return http_stream_write(r, p, n, ret_taken, err);
}

static int end_stream(void *ctx, struct http_request *r, struct err *err)
{
	(void)ctx;
	(void)err;
	http_stream_end(r);
	return 0;
}

static int end(void *ctx, struct http_request *r, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(100);

	(void)ctx;
	TRY(base_buf_add_str(&b, STR("hello"), err));
	http_reply_take(r, 200, "text/plain", &b);
	return 0;
}

static int early(void *ctx, struct http_request *r, const uint8_t *p, size_t n, size_t *ret_taken,
	struct err *err)
{
	(void)ctx;
	(void)p;
	(void)n;
	(void)ret_taken;
	http_reply(r, 422, "text/plain", STR("no"));
	(void)err;
	return 0;
}

static void resume(void *ctx, struct http_request *r)
{
	(void)ctx;
	http_resume(r);
}

static void gone(void *ctx, struct http_request *r)
{
	(void)r;
	((struct world *)ctx)->gone++;
}

static const struct http_ops whole = {.begin = begin, .end = end, .gone = gone};
static const struct http_ops refusing = {.begin = begin, .body = early, .end = end, .gone = gone};
static const struct http_ops streamed = {
	.begin = begin_stream, .body = echo, .end = end_stream, .writable = resume, .gone = gone};

/* One request on a connection of its own, until the server closes that or has answered. */
static void ask(struct world *w, const char *request, const char *last)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	char out[4096];
	size_t n = 0;

	memcpy(a.sun_path, w->path, strlen(w->path));
	assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_true(send(fd, request, strlen(request), MSG_NOSIGNAL) > 0);
	for (int i = 0; i < ROUNDS; i++) {
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
		const ssize_t r = recv(fd, out + n, sizeof(out) - 1 - n, 0);
		if (r == 0)
			break;
		n += r > 0 ? (size_t)r : 0;
		out[n] = 0;
		if (n && strstr(out, last)) {
			w->answered++;
			break;
		}
	}
	(void)close(fd);
	for (int i = 0; i < 20; i++)
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

static int life(void *ctx, struct err *err)
{
	struct world *w = ctx;
	const struct http_route routes[] = {
		{"GET", "/whole", &whole, w, 0, 0},
		{"POST", "/streamed", &streamed, w, 100, 0},
		{"POST", "/early", &refusing, w, 100, 0},
	};
	const struct http_config config = {.name = "torture",
		.loop = &w->loop,
		.clock = w->env.clock,
		.routes = routes,
		.routes_n = ARRAY_LEN(routes),
		.unix_path = w->path,
		.unix_mode = 0600};
	struct http_server *s = NULL;
	const int r = http_server_new(&config, &s, err);

	w->begun = w->gone = w->answered = 0;
	if (r == 0) {
		ask(w, "GET /whole HTTP/1.1\r\nHost: a\r\n\r\n", "hello");
		ask(w, "POST /streamed HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
			"X-End: 1\r\n\r\n");
		ask(w, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "no");
		ask(w, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", "nothing is there");
	} else {
		assert_null(s);
	}
	s = http_server_free(s);
	for (int i = 0; i < 20; i++)
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	assert_int_equal(w->begun, w->gone);
	return r;
}

static void test_each_allocation_fails(void **state)
{
	static struct world w;
	struct err err = {0};

	(void)state;
	torture_libuv();
	assert_int_equal(uv_loop_init(&w.loop), 0);
	w.env = base_env_system();
	(void)snprintf(w.path, sizeof(w.path), "/tmp/fk-http-torture-%d", (int)getpid());
	assert_int_equal(life(&w, &err), 0);
	assert_int_equal(w.answered, 4);
	assert_true(torture_run_as("life of a server", life, &w, 1, TORTURE_LIBRARY) > 20);
	assert_int_equal(w.answered, 4);
	assert_int_equal(uv_loop_close(&w.loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
