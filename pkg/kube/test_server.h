/* An HTTP server with a script, for tests of the client: on the test's own loop, on loopback. The
 * n-th request over all connections gets the n-th row; rows after the last repeat the last. Tests
 * only. */
#ifndef KUBE_TEST_SERVER_H
#define KUBE_TEST_SERVER_H

#include "pkg/base/alloc.h"
#include "pkg/base/buf.h"
#include "pkg/base/cleanup.h"

#include <uv.h>

#define TEST_REQUESTS_MAX 256

struct test_answer {
	const char *bytes; /* sent as they are; NULL: nothing at all */
	bool close;        /* then close the connection */
	bool early;        /* do so as soon as a connection's first byte came */
	unsigned delay_ms; /* before the answer */
	size_t piece;      /* send in pieces of so many bytes, 1 ms apart; 0: at once */
};

struct test_server {
	uv_loop_t *loop;
	uv_tcp_t listener;
	const struct test_answer *answers;
	size_t answer_count;
	int port;
	unsigned connections, open;
	size_t requests;
	char *heads[TEST_REQUESTS_MAX]; /* "METHOD path …" with the body behind the headers */
	bool stopped;
	struct test_conn *conns;
	/* Instead of the rows: an answer for this request; copied, but for its bytes. */
	const struct test_answer *(*choose)(void *ctx, const char *request);
	void *choose_ctx;
};

struct test_conn {
	struct test_conn *next;
	struct test_server *server;
	uv_tcp_t tcp;
	uv_timer_t timer;
	struct buf in;
	const struct test_answer *answer; /* NULL: none under way */
	struct test_answer chosen;
	size_t sent;
	int handles;
	bool closing;
};

static inline void test_conn_closed(uv_handle_t *handle)
{
	struct test_conn *c = handle->data;

	if (--c->handles)
		return;
	for (struct test_conn **at = &c->server->conns; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	c->server->open--;
	base_buf_done(&c->in);
	base_free(c);
}

static inline void test_conn_close(struct test_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	uv_close((uv_handle_t *)&c->tcp, test_conn_closed);
	uv_close((uv_handle_t *)&c->timer, test_conn_closed);
}

static inline void test_conn_send(uv_timer_t *timer)
{
	struct test_conn *c = timer->data;
	const size_t all = c->answer->bytes ? strlen(c->answer->bytes) : 0;
	const size_t left = all - c->sent;
	const size_t n = c->answer->piece && c->answer->piece < left ? c->answer->piece : left;
	/* libuv reads it only, though its type does not say so. */
	const union {
		const char *text;
		char *bytes;
	} at = {.text = all ? c->answer->bytes + c->sent : NULL};
	const uv_buf_t b = uv_buf_init(at.bytes, (unsigned)n);

	/* Loopback takes a few KiB at once; a test that sends more sends it in pieces. */
	const int wrote = n ? uv_try_write((uv_stream_t *)&c->tcp, &b, 1) : 0;
	if (wrote > 0)
		c->sent += (size_t)wrote;
	if (c->sent < all && (wrote >= 0 || wrote == UV_EAGAIN)) {
		(void)uv_timer_start(&c->timer, test_conn_send, 1, 0);
		return;
	}
	c->answer = c->answer->close ? c->answer : NULL;
	if (c->answer)
		test_conn_close(c);
}

/* Length of the first whole request in s; 0: not yet. */
static inline size_t test_request_length(struct str s)
{
	const char *end = s.n ? memmem(s.p, s.n, "\r\n\r\n", 4) : NULL;
	size_t body = 0;

	if (!end)
		return 0;
	const size_t head = (size_t)(end - s.p) + 4;
	const char *length = memmem(s.p, head, "Content-Length: ", 16);
	for (length = length ? length + 16 : NULL; length && *length >= '0' && *length <= '9';
		length++)
		body = body * 10 + (size_t)(*length - '0');
	return s.n >= head + body ? head + body : 0;
}

static inline void test_conn_answer(struct test_conn *c, size_t n)
{
	struct test_server *s = c->server;
	const size_t i = s->requests < s->answer_count ? s->requests : s->answer_count - 1;

	if (s->requests < TEST_REQUESTS_MAX)
		s->heads[s->requests] = base_strndup((const char *)c->in.data, n);
	s->requests++;
	c->answer = &s->answers[i];
	if (s->choose) {
		char *request = base_strndup((const char *)c->in.data, n);
		c->chosen = *s->choose(s->choose_ctx, request ? request : "");
		base_free(request);
		c->answer = &c->chosen;
	}
	c->sent = 0;
	if (c->answer->delay_ms)
		(void)uv_timer_start(&c->timer, test_conn_send, c->answer->delay_ms, 0);
	else
		test_conn_send(&c->timer);
}

static inline void test_conn_room(uv_handle_t *handle, size_t n, uv_buf_t *b)
{
	struct test_conn *c = handle->data;
	uint8_t *p = NULL;

	(void)n;
	if (base_buf_room(&c->in, 65536, &p, NULL) < 0)
		p = NULL;
	*b = uv_buf_init((char *)p, p ? 65536 : 0);
}

static inline void test_conn_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct test_conn *c = stream->data;

	(void)b;
	if (n < 0) {
		test_conn_close(c);
		return;
	}
	base_buf_added(&c->in, (size_t)n);
	const size_t next = c->server->requests < c->server->answer_count
				    ? c->server->requests
				    : c->server->answer_count - 1;
	if (c->server->answers[next].early) {
		test_conn_answer(c, c->in.len);
		base_buf_clear(&c->in);
		return;
	}
	while (!c->answer && !c->closing) {
		const size_t whole = test_request_length(base_buf_str(&c->in));
		if (!whole)
			return;
		test_conn_answer(c, whole);
		base_buf_consume(&c->in, whole);
	}
}

static inline void test_server_accept(uv_stream_t *listener, int status)
{
	struct test_server *s = listener->data;
	struct test_conn *c = base_alloc(1, sizeof(*c));

	if (!c || status < 0)
		abort();
	c->server = s;
	c->in = base_buf(8u << 20);
	c->handles = 2;
	(void)uv_tcp_init(s->loop, &c->tcp);
	(void)uv_timer_init(s->loop, &c->timer);
	c->tcp.data = c;
	c->timer.data = c;
	c->next = s->conns;
	s->conns = c;
	s->connections++;
	s->open++;
	(void)uv_accept(listener, (uv_stream_t *)&c->tcp);
	(void)uv_read_start((uv_stream_t *)&c->tcp, test_conn_room, test_conn_read);
}

static inline void test_server_start(
	struct test_server *s, uv_loop_t *loop, const struct test_answer *answers, size_t n)
{
	struct sockaddr_in address;
	int len = sizeof(address);

	*s = (struct test_server){.loop = loop, .answers = answers, .answer_count = n};
	(void)uv_ip4_addr("127.0.0.1", 0, &address);
	(void)uv_tcp_init(loop, &s->listener);
	s->listener.data = s;
	if (uv_tcp_bind(&s->listener, (const struct sockaddr *)&address, 0) != 0 ||
		uv_listen((uv_stream_t *)&s->listener, 64, test_server_accept) != 0 ||
		uv_tcp_getsockname(&s->listener, (struct sockaddr *)&address, &len) != 0)
		abort();
	s->port = ntohs(address.sin_port);
}

/* Closes everything; run the loop until it has nothing to do. The heads go. */
static inline void test_server_stop(struct test_server *s)
{
	if (!s->stopped)
		uv_close((uv_handle_t *)&s->listener, NULL);
	s->stopped = true;
	for (struct test_conn *c = s->conns; c; c = c->next)
		test_conn_close(c);
	for (size_t i = 0; i < TEST_REQUESTS_MAX; i++)
		s->heads[i] = base_free(s->heads[i]);
}

#endif
