/* The server that the tests of pkg/http talk to: a process of its own, so that it can be watched
 * from outside, with counters in shared memory. At its end it checks that nothing is left
 * allocated. Tests only.
 */
#ifndef HTTP_TEST_HANDLERS_H
#define HTTP_TEST_HANDLERS_H

#include "pkg/base/test.h"
#include "pkg/http/http.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
	unsigned begins, ends, gones, writables;
	unsigned stalls;
	unsigned drains, busy; /* how often told to drain; requests that ran then */
	uint64_t body, sent;
	uint16_t port;
};

/* State of one request of any handler. */
struct job {
	struct http_request *r;
	uv_timer_t timer;
	uint64_t n;
	bool wait;
};

struct world {
	uv_loop_t loop;
	uv_signal_t stop, drain;
	struct shared *shared;
	struct metrics *metrics;
	struct http_server *server;
};

static int on_begin(void *ctx, struct http_request *r, struct err *err)
{
	struct world *w = ctx;
	struct job *job = base_alloc(1, sizeof(*job));

	(void)err;
	base_assert(job && !http_state(r));
	job->r = r;
	(void)uv_timer_init(&w->loop, &job->timer);
	http_set_state(r, job);
	w->shared->begins++;
	return 0;
}

static void job_closed(uv_handle_t *h)
{
	base_free(container_of((uv_timer_t *)h, struct job, timer));
}

static void on_gone(void *ctx, struct http_request *r)
{
	struct world *w = ctx;
	struct job *job = http_state(r);

	w->shared->gones++;
	w->shared->stalls += http_stalled(r);
	base_assert(job);
	http_set_state(r, NULL);
	uv_close((uv_handle_t *)&job->timer, job_closed);
}

static int hello_end(void *ctx, struct http_request *r, struct err *err)
{
	(void)ctx;
	TRY(http_add_header(r, "X-Test", STR("yes"), err));
	http_reply(r, 200, "text/plain", STR("hello\n"));
	http_reply(r, 500, "text/plain", STR("ignored\n"));
	return 0;
}

static int count_body(void *ctx, struct http_request *r, const uint8_t *p, size_t n,
	size_t *ret_taken, struct err *err)
{
	struct world *w = ctx;
	struct job *job = http_state(r);

	(void)p;
	(void)ret_taken;
	(void)err;
	job->n += n;
	w->shared->body += n;
	return 0;
}

static int count_end(void *ctx, struct http_request *r, struct err *err)
{
	const struct job *job = http_state(r);
	char text[32];
	const int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)job->n);

	(void)err;
	((struct world *)ctx)->shared->ends++;
	http_reply(r, 200, "text/plain", base_str_n(text, (size_t)n));
	return 0;
}

/* Gives back what comes, while it comes. */
static int echo_begin(void *ctx, struct http_request *r, struct err *err)
{
	TRY(on_begin(ctx, r, err));
	TRY(http_add_trailer(r, "Functionkey-Verified", STR("true"), err));
	return http_stream_begin(r, 200, "application/octet-stream", err);
}

static int echo_body(void *ctx, struct http_request *r, const uint8_t *p, size_t n,
	size_t *ret_taken, struct err *err)
{
	((struct world *)ctx)->shared->body += n;
	return http_stream_write(r, p, n, ret_taken, err);
}

static int echo_end(void *ctx, struct http_request *r, struct err *err)
{
	(void)ctx;
	(void)err;
	http_stream_end(r);
	return 0;
}

static void echo_writable(void *ctx, struct http_request *r)
{
	((struct world *)ctx)->shared->writables++;
	http_resume(r);
}

static void later_fired(uv_timer_t *t)
{
	http_reply(container_of(t, struct job, timer)->r, 200, "text/plain", STR("later\n"));
}

static int later_end(void *ctx, struct http_request *r, struct err *err)
{
	struct job *job = http_state(r);

	(void)ctx;
	(void)err;
	(void)uv_timer_start(&job->timer, later_fired, 20, 0);
	return 0;
}

static int hold_end(void *ctx, struct http_request *r, struct err *err)
{
	(void)ctx;
	(void)r;
	(void)err;
	return 0;
}

static void slow_fired(uv_timer_t *t)
{
	struct job *job = container_of(t, struct job, timer);

	job->wait = false;
	http_resume(job->r);
}

/* Takes a part, sleeps, takes the rest. */
static int slow_body(void *ctx, struct http_request *r, const uint8_t *p, size_t n,
	size_t *ret_taken, struct err *err)
{
	struct job *job = http_state(r);

	if (job->wait) {
		*ret_taken = 0;
		return 0;
	}
	*ret_taken = (n + 1) / 2;
	job->wait = true;
	(void)uv_timer_start(&job->timer, slow_fired, 5, 0);
	return count_body(ctx, r, p, *ret_taken, ret_taken, err);
}

/* Takes a part and is ready for the rest at once. */
static int wake_body(void *ctx, struct http_request *r, const uint8_t *p, size_t n,
	size_t *ret_taken, struct err *err)
{
	*ret_taken = (n + 1) / 2;
	http_resume(r);
	return count_body(ctx, r, p, *ret_taken, ret_taken, err);
}

static int flood(struct world *w, struct http_request *r, struct err *err)
{
	static const uint8_t zeros[200000];
	struct job *job = http_state(r);
	size_t taken = 1;

	while (taken > 0 && job->n < 64000000) {
		TRY(http_stream_write(r, zeros, sizeof(zeros), &taken, err));
		job->n += taken;
		w->shared->sent = job->n;
		if (taken < sizeof(zeros))
			return 0;
	}
	if (job->n >= 64000000)
		http_stream_end(r);
	return 0;
}

static void flood_writable(void *ctx, struct http_request *r)
{
	((struct world *)ctx)->shared->writables++;
	if (flood(ctx, r, NULL) < 0)
		http_abort(r);
}

static int flood_end(void *ctx, struct http_request *r, struct err *err)
{
	TRY(http_stream_begin(r, 200, NULL, err));
	return flood(ctx, r, err);
}

static int cut_end(void *ctx, struct http_request *r, struct err *err)
{
	size_t taken = 0;

	(void)ctx;
	TRY(http_stream_begin(r, 200, "text/plain", err));
	TRY(http_stream_write(r, "half", 4, &taken, err));
	http_abort(r);
	return 0;
}

static int early_body(void *ctx, struct http_request *r, const uint8_t *p, size_t n,
	size_t *ret_taken, struct err *err)
{
	(void)ctx;
	(void)r;
	(void)p;
	(void)n;
	(void)ret_taken;
	return FAIL(err, ERR_TAMPERED, "not \"what\" it\nwas");
}

static int refuse_begin(void *ctx, struct http_request *r, struct err *err)
{
	TRY(on_begin(ctx, r, err));
	http_reply_problem(r, 403, "urn:no", "No", STR("never"), 7);
	return 0;
}

static int params_end(void *ctx, struct http_request *r, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(4096);
	char dst[16];
	struct str x = STR("none");

	(void)ctx;
	const int q = http_query(r, "x", dst, sizeof(dst), &x, err);
	if (q < 0 && q != -(int)ERR_NOT_FOUND)
		return q;
	TRY(base_buf_addf(&b, err, "[%.*s][%.*s][%.*s]", STR_FMT(http_param(r, 0)),
		STR_FMT(http_param(r, 1)), STR_FMT(x)));
	http_reply_take(r, 200, "text/plain", &b);
	return 0;
}

static int any_end(void *ctx, struct http_request *r, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(8192);
	const struct str query = http_raw_query(r);
	struct str name = STR_NULL;
	struct str value = STR_NULL;

	(void)ctx;
	TRY(base_buf_addf(&b, err, "%.*s [%.*s] %s[%.*s]", STR_FMT(http_method(r)),
		STR_FMT(http_rest(r)), query.p ? "?" : "", STR_FMT(query)));
	for (size_t i = 0; http_trailer_at(r, i, &name, &value); i++)
		TRY(base_buf_addf(&b, err, " %.*s=%.*s", STR_FMT(name), STR_FMT(value)));
	TRY(base_buf_add_str(&b, STR("\n"), err));
	http_reply_take(r, 200, "text/plain", &b);
	return 0;
}

static int peer_end(void *ctx, struct http_request *r, struct err *err)
{
	const struct http_peer peer = http_peer(r);
	char text[100];
	const int n =
		snprintf(text, sizeof(text), "%d %u %s\n", peer.is_unix, peer.uid, peer.address);

	(void)ctx;
	(void)err;
	http_reply(r, 200, "text/plain", base_str_n(text, (size_t)n));
	return 0;
}

/* /head/early answers while the body comes, /head/unknown tells no length, /head/none is 204. */
static int head_answer(struct http_request *r, const char *when)
{
	const struct str what = http_param(r, 0);
	const uint64_t length = 1000000;

	if (base_str_eq(what, STR("early")) != (strcmp(when, "early") == 0))
		return 0;
	if (base_str_eq(what, STR("none")))
		http_reply_head(r, 204, NULL, NULL);
	else
		http_reply_head(
			r, 200, "text/plain", base_str_eq(what, STR("unknown")) ? NULL : &length);
	return 0;
}

static int head_body(void *ctx, struct http_request *r, const uint8_t *p, size_t n,
	size_t *ret_taken, struct err *err)
{
	(void)ctx;
	(void)p;
	(void)n;
	(void)ret_taken;
	(void)err;
	return head_answer(r, "early");
}

static int head_end(void *ctx, struct http_request *r, struct err *err)
{
	(void)ctx;
	(void)err;
	return head_answer(r, "end");
}

static int metrics_end(void *ctx, struct http_request *r, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(1 << 20);

	TRY(base_metrics_write(((struct world *)ctx)->metrics, &b, err));
	http_reply_take(r, 200, METRICS_CONTENT_TYPE, &b);
	return 0;
}

#define OPS(...) (&(const struct http_ops){.gone = on_gone, __VA_ARGS__})
#define BIG      (1ULL << 40)

static const struct http_route test_routes[] = {
	{"GET", "/", OPS(.begin = on_begin, .end = hello_end)},
	{"GET", "/hello", OPS(.begin = on_begin, .end = hello_end)},
	{"POST", "/hello", OPS(.begin = on_begin, .end = hello_end), .body_max = 10},
	{"POST", "/count", OPS(.begin = on_begin, .body = count_body, .end = count_end),
		.body_max = BIG},
	{"POST", "/echo",
		OPS(.begin = echo_begin, .body = echo_body, .end = echo_end,
			.writable = echo_writable),
		.body_max = BIG},
	{"GET", "/later", OPS(.begin = on_begin, .end = later_end)},
	{"GET", "/hold", OPS(.begin = on_begin, .end = hold_end), .flags = HTTP_LONG},
	{"GET", "/hold/a/while", OPS(.begin = on_begin, .end = hold_end)},
	{"POST", "/slow", OPS(.begin = on_begin, .body = slow_body, .end = count_end),
		.body_max = BIG},
	{"POST", "/wake", OPS(.begin = on_begin, .body = wake_body, .end = count_end),
		.body_max = BIG},
	{"GET", "/flood", OPS(.begin = on_begin, .end = flood_end, .writable = flood_writable),
		.flags = HTTP_LONG},
	{"GET", "/cut", OPS(.begin = on_begin, .end = cut_end)},
	{"POST", "/early", OPS(.begin = on_begin, .body = early_body, .end = count_end),
		.body_max = BIG},
	{"POST", "/refuse", OPS(.begin = refuse_begin, .body = count_body, .end = count_end),
		.body_max = BIG},
	{"GET", "/p/{first}/{second}", OPS(.begin = on_begin, .end = params_end)},
	{"*", "/any/{a}/*", OPS(.begin = on_begin, .body = count_body, .end = any_end),
		.body_max = BIG},
	{"*", "/head/{what}", OPS(.begin = on_begin, .body = head_body, .end = head_end),
		.body_max = 10},
	{"GET", "/peer", OPS(.begin = on_begin, .end = peer_end)},
	{"GET", "/metrics", OPS(.begin = on_begin, .end = metrics_end)},
};

static void on_stop(uv_signal_t *h, int number)
{
	struct world *w = container_of(h, struct world, stop);

	(void)number;
	w->server = http_server_free(w->server);
	uv_close((uv_handle_t *)h, NULL);
	uv_close((uv_handle_t *)&w->drain, NULL);
}

static void on_drain(uv_signal_t *h, int number)
{
	struct world *w = container_of(h, struct world, drain);

	(void)number;
	http_server_drain(w->server);
	w->shared->busy = http_server_busy(w->server);
	w->shared->drains++;
}

static int serve(struct world *w, struct http_config *config, int ready, struct err *err)
{
	struct http_route routes[ARRAY_LEN(test_routes)];

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		routes[i] = test_routes[i];
		routes[i].ctx = w;
	}
	base_assert(uv_loop_init(&w->loop) == 0);
	(void)uv_signal_init(&w->loop, &w->stop);
	(void)uv_signal_start(&w->stop, on_stop, SIGTERM);
	(void)uv_signal_init(&w->loop, &w->drain);
	(void)uv_signal_start(&w->drain, on_drain, SIGUSR1);
	TRY(base_metrics_new("functionkey_", &w->metrics, err));
	config->name = "test";
	config->loop = &w->loop;
	config->clock = base_env_system().clock;
	config->metrics = w->metrics;
	config->routes = routes;
	config->routes_n = ARRAY_LEN(routes);
	TRY(http_server_new(config, &w->server, err));
	w->shared->port = http_server_port(w->server);
	base_assert(write(ready, "1", 1) == 1);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	base_assert(uv_loop_close(&w->loop) == 0);
	w->metrics = base_metrics_free(w->metrics);
	return base_alloc_live() == 0 ? 0 : FAIL(err, ERR_BUG, "%zu left", base_alloc_live());
}

/* A running server. */
struct served {
	pid_t pid;
	struct shared *shared;
	char path[64];
};

static struct served serve_start(struct http_config config)
{
	struct served s = {.shared = mmap(NULL, sizeof(*s.shared), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
	int fds[2] = {-1, -1};
	char byte = 0;

	assert_true(s.shared != MAP_FAILED && pipe(fds) == 0);
	(void)snprintf(s.path, sizeof(s.path), "/tmp/fk-http-test-%d-%llx", (int)getpid(),
		(unsigned long long)base_env_system().clock.boot_ns(NULL));
	if (!config.address)
		config.unix_path = s.path;
	config.unix_mode = 0600;
	s.pid = fork();
	assert_true(s.pid >= 0);
	if (s.pid == 0) {
		struct world w = {.shared = s.shared};
		struct err err = {0};
		(void)alarm(120);
		const int r = serve(&w, &config, fds[1], &err);
		if (r < 0)
			(void)fprintf(stderr, "server: %s\n", err.msg);
		_exit(r < 0);
	}
	(void)close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	(void)close(fds[0]);
	return s;
}

/* Ends it; it must end well: nothing left, each request gone once. */
static void serve_stop(struct served *s)
{
	int status = 1;

	assert_int_equal(kill(s->pid, SIGTERM), 0);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	assert_int_equal(status, 0);
	assert_int_equal(s->shared->begins, s->shared->gones);
	if (access(s->path, F_OK) == 0)
		fail_msg("the socket is left");
	(void)munmap(s->shared, sizeof(*s->shared));
}

#endif
