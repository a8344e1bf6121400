#include "pkg/base/alloc.h"
#include "pkg/http/impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define AT_ONCE        16
#define USER_TIMEOUT   60000 /* milliseconds that a peer may leave bytes unacknowledged */
#define KEEPALIVE_IDLE 30    /* seconds */

static void mapped(const struct sockaddr_storage *a, uint8_t out[static 16])
{
	memset(out, 0, 16);
	if (a->ss_family == AF_INET6) {
		memcpy(out, &((const struct sockaddr_in6 *)a)->sin6_addr, 16);
	} else if (a->ss_family == AF_INET) {
		out[10] = out[11] = 0xff;
		memcpy(out + 12, &((const struct sockaddr_in *)a)->sin_addr, 4);
	}
}

/* The row of an address; there are more rows than connections, so one is free of these. */
static struct http_source *source_of(struct http_server *s, const struct sockaddr_storage *a)
{
	struct http_source *oldest = NULL;
	uint8_t address[16];

	mapped(a, address);
	for (size_t i = 0; i < s->sources_n; i++) {
		struct http_source *row = &s->sources[i];
		if (row->last_ns && memcmp(row->address, address, sizeof(address)) == 0)
			return row;
		if (row->connections == 0 && (!oldest || row->last_ns < oldest->last_ns))
			oldest = row;
	}
	base_assert(oldest);
	*oldest = (struct http_source){
		.tokens = s->limits.requests_per_second, .filled_ns = http_now(s)};
	memcpy(oldest->address, address, sizeof(address));
	return oldest;
}

bool http_source_take(struct http_server *s, struct http_source *source)
{
	const unsigned limit = s->limits.requests_per_second;

	if (!source || !limit)
		return true;
	const int64_t now = http_now(s);
	const int64_t step = NS_PER_S / (int64_t)limit;
	const int64_t n = (now - source->filled_ns) / (step ? step : 1);
	source->filled_ns += n * step;
	source->tokens =
		n >= (int64_t)(limit - source->tokens) ? limit : source->tokens + (unsigned)n;
	if (source->tokens == 0)
		return false;
	source->tokens--;
	return true;
}

/* Tells a client that there is no room. It may not read that: we do not wait for it. */
static void tell_full(const struct http_server *s, int fd, const char *label)
{
	static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
				   "Content-Length: 0\r\nRetry-After: 1\r\n\r\n";

	(void)send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	http_count_refusal(s, label);
}

static void turn_away(const struct http_server *s, int fd, const char *label)
{
	tell_full(s, fd, label);
	(void)close(fd);
}

static void tune(int fd)
{
	const int on = 1;
	const int idle = KEEPALIVE_IDLE;
	const unsigned timeout = USER_TIMEOUT;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
}

static void take(struct http_server *s, int fd, const struct sockaddr_storage *a, socklen_t n)
{
	struct http_source *source = source_of(s, a);

	if (s->connections >= s->limits.connections) {
		turn_away(s, fd, "connections");
		return;
	}
	if (source->connections >= s->limits.connections_per_source) {
		turn_away(s, fd, "source");
		return;
	}
	struct http_conn *conn = base_alloc(1, sizeof(*conn));
	if (!conn) {
		turn_away(s, fd, "connections");
		return;
	}
	*conn = (struct http_conn){
		.s = s, .source = source, .fd = fd, .quiet_ns = http_now(s), .address = *a};
	tune(fd);
	s->adding = conn;
	/* It closes the socket where it fails; conn is with http_on_notify then, if it came so far.
	 */
	(void)MHD_add_connection(s->mhd, fd, (const struct sockaddr *)a, n);
	if (s->adding)
		base_free(conn);
	s->adding = NULL;
}

void http_on_connect(uv_poll_t *poll, int status, int events)
{
	struct http_server *s = container_of(poll, struct http_server, listen_poll);

	(void)events;
	for (int i = 0; i < AT_ONCE && status == 0; i++) {
		struct sockaddr_storage a = {0};
		socklen_t n = sizeof(a);
		const int fd = accept4(
			s->listen_fd, (struct sockaddr *)&a, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
			return;
		if (fd < 0) {
			/* No descriptors or memory: the next tick tries again. */
			http_pause_listening(s);
			return;
		}
		take(s, fd, &a, n);
	}
}

/* What libmicrohttpd took from the unix socket by itself. NULL: there is no room; such a connection
 * has no context, and ends when libmicrohttpd looks at it. */
static struct http_conn *accepted(struct http_server *s, struct MHD_Connection *c)
{
	const int fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	struct http_conn *conn =
		s->connections < s->limits.connections ? base_alloc(1, sizeof(*conn)) : NULL;

	if (!conn) {
		tell_full(s, fd, "connections");
		(void)shutdown(fd, SHUT_RDWR);
		return NULL;
	}
	*conn = (struct http_conn){
		.s = s, .fd = fd, .quiet_ns = http_now(s), .address = {.ss_family = AF_UNIX}};
	return conn;
}

static void started(struct http_server *s, struct MHD_Connection *c, void **socket_context)
{
	struct http_conn *conn = s->adding ? s->adding : accepted(s, c);

	s->adding = NULL;
	*socket_context = conn;
	if (!conn)
		return;
	http_start_ticking(s);
	conn->next = s->conns;
	if (conn->next)
		conn->next->prev = conn;
	s->conns = conn;
	s->connections++;
	if (conn->source) {
		conn->source->connections++;
		conn->source->last_ns = http_now(s);
	}
}

static void ended(struct http_server *s, struct http_conn *conn)
{
	base_assert(!conn->request);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		s->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	s->connections--;
	if (conn->source)
		conn->source->connections--;
	base_free(conn);
}

void http_on_notify(void *cls, struct MHD_Connection *c, void **socket_context,
	enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		started(cls, c, socket_context);
	else if (*socket_context)
		ended(cls, *socket_context);
	http_count_connections(cls);
}

bool http_is_unix(const struct http_request *r)
{
	return r->conn->address.ss_family == AF_UNIX;
}

struct http_peer http_peer(const struct http_request *r)
{
	const struct sockaddr_storage *a = &r->conn->address;
	struct http_peer peer = {.is_unix = a->ss_family == AF_UNIX};
	struct ucred who = {.uid = UINT32_MAX, .gid = UINT32_MAX};
	socklen_t n = sizeof(who);

	if (peer.is_unix) {
		(void)getsockopt(r->conn->fd, SOL_SOCKET, SO_PEERCRED, &who, &n);
		peer.uid = who.uid;
		peer.gid = who.gid;
		peer.pid = who.pid;
	} else if (a->ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, peer.address,
			sizeof(peer.address));
	} else {
		const struct in6_addr *six = &((const struct sockaddr_in6 *)a)->sin6_addr;
		/* IPv4 that came in by a socket for both: by its own name */
		if (IN6_IS_ADDR_V4MAPPED(six))
			(void)inet_ntop(
				AF_INET, six->s6_addr + 12, peer.address, sizeof(peer.address));
		else
			(void)inet_ntop(AF_INET6, six, peer.address, sizeof(peer.address));
	}
	return peer;
}
