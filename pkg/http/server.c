#include "pkg/base/alloc.h"
#include "pkg/http/impl.h"

#include <poll.h>
#include <unistd.h>

#define RUNS_AT_ONCE     8
#define HTTP_HEADER_MOST 24576

int64_t http_now(const struct http_server *s)
{
	return s->config.clock.boot_ns(s->config.clock.ctx);
}

/* Lets libmicrohttpd work. What it knows to be ready beyond the events of its epoll is done in the
 * next round of the loop, so that one busy connection does not hold up everything else. */
static void run(struct http_server *s)
{
	bool more = true;

	s->running = true;
	for (int i = 0; i < RUNS_AT_ONCE && more; i++) {
		MHD_UNSIGNED_LONG_LONG ms = 1;
		s->woken = false;
		(void)MHD_run(s->mhd);
		more = (MHD_get_timeout(s->mhd, &ms) == MHD_YES && ms == 0) || s->woken;
	}
	s->running = false;
	if (more)
		http_run_soon(s);
}

static void on_mhd(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(container_of(poll, struct http_server, mhd_poll));
}

static void on_again(uv_idle_t *again)
{
	(void)uv_idle_stop(again);
	run(container_of(again, struct http_server, again));
}

void http_run_soon(struct http_server *s)
{
	s->woken = true;
	if (!s->running)
		(void)uv_idle_start(&s->again, on_again);
}

/* Whether the other side has closed: a request that sleeps is in no epoll that would tell. */
static bool peer_left(const struct http_conn *conn)
{
	struct pollfd p = {.fd = conn->fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* A client that sends all of its request before it reads: neither side would ever go on. */
static bool stalled(struct http_request *r, int64_t now, const struct http_limits *limits)
{
	return r && r->phase == HTTP_BODY && r->suspended &&
	       http_stream_stuck(r, now, limits->stall_ns);
}

static bool overdue(const struct http_conn *conn, int64_t now)
{
	const struct http_limits *limits = &conn->s->limits;
	struct http_request *r = conn->request;

	if (!r)
		return conn->s->draining || now - conn->quiet_ns > limits->idle_ns;
	if (r->phase == HTTP_HEAD)
		return now - r->begun_ns > limits->idle_ns;
	if (r->route && !(r->route->flags & HTTP_LONG) && now - r->begun_ns > limits->total_ns)
		return true;
	return r->stalled || http_stream_stuck(r, now, limits->idle_ns) ||
	       (r->suspended && peer_left(conn));
}

static void on_tick(uv_timer_t *tick)
{
	struct http_server *s = container_of(tick, struct http_server, tick);
	const int64_t now = http_now(s);

	for (struct http_conn *conn = s->conns; conn; conn = conn->next) {
		if (stalled(conn->request, now, &s->limits))
			conn->request->stalled = true;
		if (!overdue(conn, now))
			continue;
		if (conn->request)
			http_abort(conn->request);
		else
			(void)shutdown(conn->fd, SHUT_RDWR);
	}
	run(s);
	if (s->paused && !s->draining) {
		s->paused = false;
		(void)uv_poll_start(&s->listen_poll, UV_READABLE, http_on_connect);
	}
	if (!s->conns && !s->paused) {
		(void)uv_timer_stop(tick);
		s->ticking = false;
	}
}

void http_start_ticking(struct http_server *s)
{
	if (!s->ticking)
		s->ticking = uv_timer_start(&s->tick, on_tick, HTTP_TICK_MS, HTTP_TICK_MS) == 0;
}

void http_pause_listening(struct http_server *s)
{
	(void)uv_poll_stop(&s->listen_poll);
	s->paused = true;
	http_start_ticking(s);
}

static int check_config(const struct http_config *config, struct err *err)
{
	if (!config->unix_path == !config->address)
		return FAIL(err, ERR_INVALID, "a server listens on a unix socket or an address");
	if (config->limits.header_max > HTTP_HEADER_MOST)
		return FAIL(err, ERR_INVALID, "headers of more than %d bytes", HTTP_HEADER_MOST);
	for (size_t i = 0; i < config->routes_n; i++) {
		const struct http_route *route = &config->routes[i];
		if (!http_pattern_good(route->path) || !route->ops || !route->ops->end ||
			!route->ops->gone)
			return FAIL(err, ERR_INVALID, "route %s %s", route->method, route->path);
	}
	return 0;
}

static void set_limits(struct http_server *s)
{
	struct http_limits *limits = &s->limits;

	*limits = s->config.limits;
	if (!limits->connections)
		limits->connections = 256;
	if (!limits->connections_per_source)
		limits->connections_per_source = 32;
	if (!limits->header_max)
		limits->header_max = 16384;
	if (!limits->idle_ns)
		limits->idle_ns = 60 * NS_PER_S;
	if (!limits->stall_ns)
		limits->stall_ns = limits->idle_ns;
	if (!limits->total_ns)
		limits->total_ns = 300 * NS_PER_S;
}

/* libmicrohttpd accepts from a unix socket by itself: a connection that it is handed counts as TCP,
 * which costs two failing setsockopt calls an answer. It is allowed a few more connections than the
 * limit, so that accept.c can tell clients that there is no room. */
static int start_daemon(struct http_server *s, struct err *err)
{
	const unsigned idle_s = (unsigned)((s->limits.idle_ns + NS_PER_S - 1) / NS_PER_S);
	const struct MHD_OptionItem listening[] = {
		{s->config.unix_path ? MHD_OPTION_LISTEN_SOCKET : MHD_OPTION_END, s->listen_fd,
			NULL},
		{MHD_OPTION_END, 0, NULL}};

	s->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
					  (s->config.unix_path ? 0u : MHD_USE_NO_LISTEN_SOCKET),
		0, NULL, NULL, http_on_request, s, MHD_OPTION_ARRAY, listening,
		MHD_OPTION_URI_LOG_CALLBACK, http_on_target, s, MHD_OPTION_NOTIFY_COMPLETED,
		http_on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, http_on_notify, s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_POOL, MHD_OPTION_CONNECTION_LIMIT,
		s->limits.connections + HTTP_SPARE, MHD_OPTION_CONNECTION_TIMEOUT, idle_s,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!s->mhd)
		return FAIL(err, ERR_TERMINAL, "libmicrohttpd does not start");
	return 0;
}

static int start_handles(struct http_server *s, struct err *err)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	uv_loop_t *loop = s->config.loop;

	if (!info || uv_poll_init(loop, &s->mhd_poll, info->epoll_fd) < 0)
		return FAIL(err, ERR_TERMINAL, "the event loop does not take the server");
	s->closing = 1;
	if (uv_poll_init(loop, &s->listen_poll, s->listen_fd) < 0)
		return FAIL(err, ERR_TERMINAL, "the event loop does not take the socket");
	s->closing = 2;
	(void)uv_idle_init(loop, &s->again);
	(void)uv_timer_init(loop, &s->tick);
	s->closing = 4;
	if (uv_poll_start(&s->mhd_poll, UV_READABLE, on_mhd) < 0 ||
		(!s->config.unix_path &&
			uv_poll_start(&s->listen_poll, UV_READABLE, http_on_connect) < 0))
		return FAIL(err, ERR_TERMINAL, "the event loop does not poll");
	return 0;
}

int http_server_new(const struct http_config *config, struct http_server **ret_s, struct err *err)
{
	_cleanup_(http_server_free) struct http_server *s = NULL;

	TRY(check_config(config, err));
	s = base_alloc(1, sizeof(*s));
	if (!s)
		return FAIL(err, ERR_NOMEM, "HTTP server");
	s->config = *config;
	s->listen_fd = -1;
	set_limits(s);
	s->sources_n = config->unix_path ? 0 : (size_t)s->limits.connections * 2 + 1;
	s->sources = base_alloc(s->sources_n, sizeof(*s->sources));
	if (!s->sources)
		return FAIL(err, ERR_NOMEM, "HTTP server");
	if (config->metrics)
		TRY(http_metrics_declare(config->metrics, err));
	TRY(http_listen(config, &s->listen_fd, &s->socket_ino, err));
	TRY(start_daemon(s, err));
	TRY(start_handles(s, err));
	*ret_s = STEAL(s);
	return 0;
}

static void give_back(struct http_server *s)
{
	base_free(s->sources);
	base_free(s);
}

static void on_closed(uv_handle_t *handle)
{
	struct http_server *s = handle->data;

	if (--s->closing == 0)
		give_back(s);
}

static void close_handles(struct http_server *s)
{
	uv_handle_t *const handles[] = {(uv_handle_t *)&s->mhd_poll, (uv_handle_t *)&s->listen_poll,
		(uv_handle_t *)&s->again, (uv_handle_t *)&s->tick};
	const unsigned n = s->closing;

	for (unsigned i = 0; i < n; i++) {
		handles[i]->data = s;
		uv_close(handles[i], on_closed);
	}
	if (n == 0)
		give_back(s);
}

struct http_server *http_server_free(struct http_server *s)
{
	if (!s)
		return NULL;
	base_assert(!s->running);
	if (s->listen_fd >= 0)
		http_unlisten(&s->config, s->socket_ino);
	/* It must have none that sleeps when it stops. */
	for (struct http_conn *conn = s->conns; conn; conn = conn->next)
		if (conn->request)
			http_abort(conn->request);
	const int fd = s->listen_fd;
	struct MHD_Daemon *mhd = s->mhd;
	if (s->closing > 0)
		(void)uv_poll_stop(&s->mhd_poll);
	if (s->closing > 1)
		(void)uv_poll_stop(&s->listen_poll);
	/* It would close the socket that it listens on. */
	if (mhd) {
		(void)MHD_quiesce_daemon(mhd);
		MHD_stop_daemon(mhd);
	}
	if (fd >= 0)
		(void)close(fd);
	close_handles(s);
	return NULL;
}

void http_server_drain(struct http_server *s)
{
	if (s->draining)
		return;
	s->draining = true;
	if (s->config.unix_path)
		(void)MHD_quiesce_daemon(s->mhd);
	else
		(void)uv_poll_stop(&s->listen_poll);
	http_unlisten(&s->config, s->socket_ino);
	http_start_ticking(s);
}

unsigned http_server_busy(const struct http_server *s)
{
	return s->busy;
}
