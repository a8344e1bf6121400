#include "agent/keeperlink.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pkg/base/alloc.h"

/* A sequence number is the place of its request and a count: replies find their place at once,
 * and those of an earlier use of the place do not fit. */
#define PLACE_BITS 8
#define PLACE_MASK (KMSG_QUEUE_MAX - 1)
_Static_assert(KMSG_QUEUE_MAX == 1 << PLACE_BITS, "a place has PLACE_BITS bits");

/* Packets in one go; the loop has others to serve. */
#define BURST 64

/* Twice this (the kernel doubles it) holds all that may be out, with what the kernel adds. */
#define SEND_BUFFER 212992

struct waiting {
	agent_keeper_done done; /* NULL: a free place */
	void *ctx;
	uint32_t seq;
	enum kmsg_op op;
};

struct agent_keeper {
	uv_poll_t poll;
	int fd;
	bool gone, closing;
	uint32_t count;
	struct agent_keeper_events events;
	struct agent_keeper_stats stats;
	struct waiting waiting[KMSG_QUEUE_MAX];
	uint16_t free[KMSG_QUEUE_MAX]; /* places; the last is used next */
	size_t free_n;
	struct kmsg_reply reply;
	/* One byte more than a packet may have: what fills it is too long. */
	uint8_t packet[KMSG_PACKET_MAX + 1];
};

static const size_t out_max[KMSG_PRIORITY_COUNT] = {
	[KMSG_CONTROL] = KMSG_QUEUE_MAX - AGENT_KEEPER_OPENS_MAX - AGENT_KEEPER_GRANTS_MAX,
	[KMSG_OPENS] = AGENT_KEEPER_OPENS_MAX,
	[KMSG_GRANTS] = AGENT_KEEPER_GRANTS_MAX,
};

/* -- places -- */

static uint16_t take_place(struct agent_keeper *k, enum kmsg_op op)
{
	k->stats.out[kmsg_op_priority(op)]++;
	return k->free[--k->free_n];
}

static struct waiting leave_place(struct agent_keeper *k, uint16_t place)
{
	const struct waiting w = k->waiting[place];

	k->stats.out[kmsg_op_priority(w.op)]--;
	k->waiting[place] = (struct waiting){0};
	k->free[k->free_n++] = place;
	return w;
}

/* -- the end -- */

static void end(struct agent_keeper *k, const char *why)
{
	struct err err = {0};

	if (k->gone)
		return;
	k->gone = true;
	(void)uv_poll_stop(&k->poll);
	(void)FAIL(&err, ERR_NOT_READY, "the keeper is gone: %s", why);
	for (uint16_t place = 0; place < KMSG_QUEUE_MAX && !k->closing; place++) {
		if (!k->waiting[place].done)
			continue;
		const struct waiting w = leave_place(k, place);
		w.done(w.ctx, NULL, &err);
	}
	if (!k->closing && k->events.gone)
		k->events.gone(k->events.ctx, &err);
}

/* -- packets -- */

enum got { GOT_REPLY, GOT_NOTHING, GOT_END };

/* One packet into k->reply. */
static enum got receive(struct agent_keeper *k, const char **ret_why)
{
	ssize_t n;

	do
		n = recv(k->fd, k->packet, sizeof(k->packet), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return GOT_NOTHING;
	if (n <= 0) {
		*ret_why = "end of file";
		return GOT_END;
	}
	const int r = kmsg_reply_decode(k->packet, (size_t)n, &k->reply, NULL);
	base_wipe(k->packet, (size_t)n);
	if (r < 0) {
		*ret_why = "a malformed reply";
		return GOT_END;
	}
	return GOT_REPLY;
}

static void dispatch(struct agent_keeper *k)
{
	const struct kmsg_reply *reply = &k->reply;
	const uint16_t place = reply->seq & PLACE_MASK;
	const struct waiting *w = &k->waiting[place];
	struct err err = {0};

	if (!w->done || w->seq != reply->seq || w->op != reply->op) {
		k->stats.stale++;
		return;
	}
	k->stats.replies++;
	const struct waiting asked = leave_place(k, place);
	if (reply->status == ERR_OK) {
		asked.done(asked.ctx, reply, NULL);
		return;
	}
	(void)FAIL(&err, reply->status, "%s", reply->message);
	asked.done(asked.ctx, NULL, &err);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
	struct agent_keeper *k = container_of(handle, struct agent_keeper, poll);
	const char *why = "the loop cannot wait for it";
	enum got got = status < 0 ? GOT_END : GOT_REPLY;

	(void)events;
	for (int i = 0; i < BURST && got == GOT_REPLY && !k->closing; i++) {
		got = receive(k, &why);
		if (got == GOT_REPLY)
			dispatch(k);
		base_wipe(&k->reply, sizeof(k->reply));
	}
	if (got == GOT_END)
		end(k, why);
}

static int send_request(
	struct agent_keeper *k, const struct kmsg_request *request, uint32_t seq, struct err *err)
{
	struct kmsg_request numbered = *request;
	size_t n = 0;
	ssize_t sent;

	numbered.seq = seq;
	TRY(kmsg_request_encode(&numbered, k->packet, &n, err));
	do
		sent = send(k->fd, k->packet, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent == (ssize_t)n)
		return 0;
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
		return FAIL(err, ERR_NOT_READY, "the keeper is busy");
	return FAIL(err, ERR_NOT_READY, "the keeper is gone: errno %d", errno);
}

int agent_keeper_request(struct agent_keeper *k, const struct kmsg_request *request,
	agent_keeper_done done, void *ctx, struct err *err)
{
	const enum kmsg_priority priority = kmsg_op_priority(request->op);

	if (k->gone)
		return FAIL(err, ERR_NOT_READY, "the keeper is gone");
	if (k->stats.out[priority] >= out_max[priority]) {
		k->stats.refused++;
		return FAIL(err, ERR_NOT_READY, "the keeper is busy: %zu requests of this kind",
			k->stats.out[priority]);
	}
	const uint32_t seq = ++k->count << PLACE_BITS | k->free[k->free_n - 1];
	TRY(send_request(k, request, seq, err));
	const uint16_t place = take_place(k, request->op);
	k->waiting[place] =
		(struct waiting){.done = done, .ctx = ctx, .seq = seq, .op = request->op};
	k->stats.requests++;
	return 0;
}

/* -- waiting, at the start -- */

static int64_t now_ms(void)
{
	return (int64_t)(uv_hrtime() / NS_PER_MS);
}

static int await(struct agent_keeper *k, uint32_t seq, int64_t deadline_ms, struct err *err)
{
	const char *why = NULL;

	for (;;) {
		const enum got got = receive(k, &why);
		if (got == GOT_REPLY && k->reply.seq == seq)
			return 0;
		if (got == GOT_REPLY)
			k->stats.stale++;
		if (got == GOT_END)
			return FAIL(err, ERR_NOT_READY, "the keeper is gone: %s", why);
		const int64_t left = deadline_ms - now_ms();
		struct pollfd p = {.fd = k->fd, .events = POLLIN};
		if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
			return FAIL(err, ERR_TRANSIENT, "the keeper did not answer in time");
	}
}

int agent_keeper_ask(struct agent_keeper *k, const struct kmsg_request *request, int timeout_ms,
	struct kmsg_reply *ret_reply, struct err *err)
{
	const uint32_t seq = ++k->count << PLACE_BITS;

	if (k->gone)
		return FAIL(err, ERR_NOT_READY, "the keeper is gone");
	TRY(send_request(k, request, seq, err));
	TRY(await(k, seq, now_ms() + timeout_ms, err));
	if (k->reply.status != ERR_OK)
		return FAIL(err, k->reply.status, "%s", k->reply.message);
	*ret_reply = k->reply;
	base_wipe(&k->reply, sizeof(k->reply));
	return 0;
}

/* -- from new to free -- */

int agent_keeper_new(uv_loop_t *loop, int fd, const struct env *env,
	struct agent_keeper_events events, struct agent_keeper **ret, struct err *err)
{
	const int size = SEND_BUFFER;
	struct agent_keeper *k = base_alloc(1, sizeof(*k));
	uint32_t count = 0;

	if (!k)
		return FAIL(err, ERR_NOMEM, "link to the keeper");
	int r = base_random(env, &count, sizeof(count), err);
	if (r == 0 && uv_poll_init(loop, &k->poll, fd) != 0)
		r = FAIL(err, ERR_TERMINAL, "cannot watch descriptor %d", fd);
	if (r < 0) {
		(void)base_free(k);
		return r;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	k->fd = fd;
	k->count = count;
	k->events = events;
	for (uint16_t i = 0; i < KMSG_QUEUE_MAX; i++)
		k->free[k->free_n++] = (uint16_t)(KMSG_QUEUE_MAX - 1 - i);
	(void)uv_poll_start(&k->poll, UV_READABLE, on_readable);
	*ret = k;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct agent_keeper *k =
		container_of((uv_poll_t *)(void *)handle, struct agent_keeper, poll);

	(void)close(k->fd);
	(void)base_free(k);
}

struct agent_keeper *agent_keeper_free(struct agent_keeper *k)
{
	if (!k || k->closing)
		return NULL;
	k->closing = true;
	k->gone = true;
	uv_close((uv_handle_t *)&k->poll, on_closed);
	return NULL;
}

struct agent_keeper_stats agent_keeper_stats(const struct agent_keeper *k)
{
	return k->stats;
}
