#include "pkg/base/alloc.h"
#include "pkg/http/impl.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define HEAD_MAX ((size_t)2 * HTTP_OWN_MAX + 1024)
#define OUT_MAX  ((size_t)HTTP_PIECE_MAX + HEAD_MAX)

struct http_stream {
	uv_poll_t poll;
	bool poll_open, polling;
	struct http_request *r;
	struct buf out; /* what the socket did not take yet: [sent, len) */
	size_t sent;
	bool ended, failed;
	bool starved; /* the handler was refused bytes and waits for writable */
	int64_t moved_ns;
	int queued; /* bytes that the kernel still had for the client, at the last look */
};

static size_t pending(const struct http_stream *st)
{
	return st->out.len - st->sent;
}

static int add_head(
	struct http_stream *st, unsigned status, const char *content_type, struct err *err)
{
	const char *name = NULL;
	const char *value = NULL;
	char date[64];
	struct tm tm = {0};
	const time_t now =
		(time_t)(st->r->conn->s->config.clock.wall_ns(st->r->conn->s->config.clock.ctx) /
			 NS_PER_S);

	(void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	TRY(base_buf_addf(&st->out, err, "HTTP/1.1 %u %s\r\nDate: %s\r\nConnection: close\r\n",
		status, MHD_get_reason_phrase_for(status), date));
	if (content_type)
		TRY(base_buf_addf(&st->out, err, "Content-Type: %s\r\n", content_type));
	for (size_t at = 0; http_own_at(&st->r->headers, &at, &name, &value);)
		TRY(base_buf_addf(&st->out, err, "%s: %s\r\n", name, value));
	return 0;
}

static int new_stream(struct http_request *r, size_t max, unsigned status, const char *content_type,
	struct err *err)
{
	struct http_stream *st = base_alloc(1, sizeof(*st));

	if (!st)
		return FAIL(err, ERR_NOMEM, "a streamed answer");
	st->r = r;
	st->out = base_buf(max);
	st->moved_ns = http_now(r->conn->s);
	const int result = add_head(st, status, content_type, err);
	if (result < 0) {
		base_buf_done(&st->out);
		base_free(st);
		return result;
	}
	r->replied = true;
	r->status = status;
	r->stream = st;
	return 0;
}

static void fail(struct http_stream *st)
{
	st->failed = true;
	base_buf_clear(&st->out);
	st->sent = 0;
	http_abort(st->r);
}

static void flush(struct http_stream *st);

static void on_writable(uv_poll_t *poll, int status, int events)
{
	struct http_stream *st = container_of(poll, struct http_stream, poll);

	(void)status;
	(void)events;
	flush(st);
}

static void want_writable(struct http_stream *st, bool on)
{
	const struct http_conn *conn = st->r->conn;

	if (on && !st->poll_open)
		st->poll_open = uv_poll_init(conn->s->config.loop, &st->poll, conn->fd) == 0;
	if (on && !st->polling) {
		st->polling =
			st->poll_open && uv_poll_start(&st->poll, UV_WRITABLE, on_writable) == 0;
		if (!st->polling)
			fail(st);
	} else if (!on && st->polling) {
		(void)uv_poll_stop(&st->poll);
		st->polling = false;
	}
}

/* Bytes that the socket takes now; -1: it never will again. */
static ssize_t send_now(const struct http_stream *st, struct iovec *iov, size_t n)
{
	const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};
	const ssize_t r = sendmsg(st->r->conn->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return r;
}

/* Sends what is pending, and tells who waits for that. */
static void flush(struct http_stream *st)
{
	struct http_request *r = st->r;

	while (pending(st) > 0 && !st->failed) {
		struct iovec iov = {st->out.data + st->sent, pending(st)};
		const ssize_t n = send_now(st, &iov, 1);
		if (n < 0) {
			fail(st);
			return;
		}
		if (n == 0) {
			want_writable(st, true);
			return;
		}
		st->sent += (size_t)n;
		st->moved_ns = http_now(r->conn->s);
	}
	base_buf_clear(&st->out);
	st->sent = 0;
	want_writable(st, false);
	if (st->ended) {
		http_wake(r);
	} else if (st->starved) {
		st->starved = false;
		if (r->route->ops->writable)
			r->route->ops->writable(r->route->ctx, r);
	}
}

static int begin(struct http_stream *st, struct err *err)
{
	const char *name = NULL;
	const char *value = NULL;
	const char *before = "Trailer: ";

	for (size_t at = 0; http_own_at(&st->r->trailers, &at, &name, &value);) {
		TRY(base_buf_addf(&st->out, err, "%s%s", before, name));
		before = ", ";
	}
	if (st->r->trailers.n)
		TRY(base_buf_add_str(&st->out, STR("\r\n"), err));
	return base_buf_add_str(&st->out, STR("Transfer-Encoding: chunked\r\n\r\n"), err);
}

int http_stream_begin(
	struct http_request *r, unsigned status, const char *content_type, struct err *err)
{
	if (r->aborted)
		return FAIL(err, ERR_CANCELLED, "the client is gone");
	if (r->replied)
		return FAIL(err, ERR_BUG, "there is an answer already");
	TRY(new_stream(r, OUT_MAX, status, content_type, err));
	const int result = begin(r->stream, err);
	if (result < 0) {
		fail(r->stream);
		return result;
	}
	if (r->may_send)
		flush(r->stream);
	return 0;
}

/* Keeps what of the four parts of a chunk was not sent. */
static int keep(
	struct http_stream *st, const struct iovec *iov, size_t n, size_t sent, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const size_t skip = sent < iov[i].iov_len ? sent : iov[i].iov_len;
		sent -= skip;
		TRY(base_buf_add(&st->out, (const uint8_t *)iov[i].iov_base + skip,
			iov[i].iov_len - skip, err));
	}
	return 0;
}

/* sendmsg only reads. */
union read_only {
	const void *is;
	void *as;
};

static int send_chunk(struct http_stream *st, const void *p, size_t n, struct err *err)
{
	char head[24];
	const int len = snprintf(head, sizeof(head), "%zx\r\n", n);
	char tail[] = "\r\n";
	struct iovec iov[] = {
		{head, (size_t)len}, {(union read_only){p}.as, n}, {tail, sizeof(tail) - 1}};
	ssize_t sent = 0;

	if (st->r->may_send)
		sent = send_now(st, iov, ARRAY_LEN(iov));
	if (sent < 0) {
		fail(st);
		return FAIL(err, ERR_CANCELLED, "the client is gone");
	}
	if (sent > 0 || pending(st) == 0)
		st->moved_ns = http_now(st->r->conn->s);
	const int r = keep(st, iov, ARRAY_LEN(iov), (size_t)sent, err);
	if (r < 0) {
		fail(st);
		return r;
	}
	if (pending(st) > 0 && st->r->may_send)
		want_writable(st, true);
	return 0;
}

int http_stream_write(
	struct http_request *r, const void *p, size_t n, size_t *ret_taken, struct err *err)
{
	struct http_stream *st = r->stream;

	if (!st || st->ended)
		return FAIL(err, ERR_BUG, "no answer is being streamed");
	if (r->aborted || st->failed)
		return FAIL(err, ERR_CANCELLED, "the client is gone");
	const size_t piece = n < HTTP_PIECE_MAX ? n : HTTP_PIECE_MAX;
	/* Behind bytes that wait, more wait only as long as nothing may go out at all. */
	const bool full =
		r->may_send ? pending(st) > 0 : pending(st) + piece > OUT_MAX - HTTP_OWN_MAX - 64;
	if (full || n == 0) {
		st->starved |= full;
		*ret_taken = 0;
		return 0;
	}
	TRY(send_chunk(st, p, piece, err));
	st->starved = piece < n;
	if (st->starved && pending(st) == 0)
		want_writable(st, true);
	*ret_taken = piece;
	return 0;
}

static int add_end(struct http_stream *st, struct err *err)
{
	const char *name = NULL;
	const char *value = NULL;

	TRY(base_buf_add_str(&st->out, STR("0\r\n"), err));
	for (size_t at = 0; http_own_at(&st->r->trailers, &at, &name, &value);)
		TRY(base_buf_addf(&st->out, err, "%s: %s\r\n", name, value));
	return base_buf_add_str(&st->out, STR("\r\n"), err);
}

void http_stream_end(struct http_request *r)
{
	struct http_stream *st = r->stream;

	if (!st || st->ended || st->failed)
		return;
	st->ended = true;
	if (add_end(st, NULL) < 0)
		fail(st);
	else if (r->may_send)
		flush(st);
}

static int head_end(struct http_stream *st, struct str body)
{
	if (http_is_head(st->r))
		return base_buf_add_str(&st->out, STR("\r\n"), NULL);
	TRY(base_buf_addf(&st->out, NULL, "Content-Length: %zu\r\n\r\n", body.n));
	return base_buf_add_str(&st->out, body, NULL);
}

void http_stream_reply(
	struct http_request *r, unsigned status, const char *content_type, struct str body)
{
	if (new_stream(r, HEAD_MAX + body.n, status, content_type, NULL) < 0) {
		http_abort(r);
		return;
	}
	struct http_stream *st = r->stream;
	st->ended = true;
	if (head_end(st, body) < 0)
		fail(st);
	else if (r->may_send)
		flush(st);
}

void http_stream_go(struct http_request *r)
{
	if (r->may_send)
		return;
	r->may_send = true;
	if (r->stream)
		flush(r->stream);
}

bool http_stream_ended(const struct http_request *r)
{
	return r->stream->ended;
}

bool http_stream_done(const struct http_request *r)
{
	return r->stream->failed || (r->stream->ended && pending(r->stream) == 0);
}

/* A socket is writable again when much of its buffer is free: a slow client reads on long before.
 */
static void see_reading(struct http_stream *st, int64_t now)
{
	int queued = 0;

	if (ioctl(st->r->conn->fd, SIOCOUTQ, &queued) != 0)
		return;
	if (queued < st->queued)
		st->moved_ns = now;
	st->queued = queued;
}

bool http_stream_stuck(struct http_request *r, int64_t now, int64_t limit)
{
	if (!r->stream || pending(r->stream) == 0)
		return false;
	see_reading(r->stream, now);
	return now - r->stream->moved_ns > limit;
}

static void on_closed(uv_handle_t *handle)
{
	base_free(container_of((uv_poll_t *)handle, struct http_stream, poll));
}

void http_stream_free(struct http_request *r)
{
	struct http_stream *st = r->stream;

	if (!st)
		return;
	base_buf_done(&st->out);
	st->r = NULL;
	if (st->poll_open)
		uv_close((uv_handle_t *)&st->poll, on_closed);
	else
		base_free(st);
}
