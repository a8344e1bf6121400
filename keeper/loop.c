#include "keeper/loop.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "keeper/queue.h"

struct loop {
	struct keeper *keeper;
	int fd;
	struct keeper_queue queue;
	struct kmsg_reply reply;
	/* One byte more than a packet may have: what fills it is too long. */
	uint8_t packet[KMSG_PACKET_MAX + 1];
};

enum step { STEP_ON, STEP_WAIT, STEP_GONE, STEP_MALFORMED, STEP_FAILED };

static bool wait_for(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return false;
	return true;
}

/* A read of nothing is the end, or a packet of no bytes, which nobody sends. */
static enum step read_nothing(const struct loop *l)
{
	struct pollfd p = {.fd = l->fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) ? STEP_GONE : STEP_MALFORMED;
}

static enum step read_one(struct loop *l)
{
	const ssize_t n = read(l->fd, l->packet, sizeof(l->packet));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR ? STEP_ON : STEP_WAIT;
	if (n < 0)
		return errno == ECONNRESET ? STEP_GONE : STEP_FAILED;
	if (n == 0)
		return read_nothing(l);
	if (keeper_queue_put(&l->queue, l->packet, (size_t)n, NULL) < 0)
		return STEP_MALFORMED;
	return STEP_ON;
}

/* Reads until the socket or the room in the queue is used up. */
static enum step read_all(struct loop *l)
{
	enum step step = STEP_ON;

	while (step == STEP_ON && !keeper_queue_full(&l->queue))
		step = read_one(l);
	return step == STEP_WAIT ? STEP_ON : step;
}

static enum step write_packet(const struct loop *l, size_t n)
{
	for (;;) {
		if (write(l->fd, l->packet, n) == (ssize_t)n)
			return STEP_ON;
		if (errno == EPIPE || errno == ECONNRESET)
			return STEP_GONE;
		if (errno == EAGAIN && !wait_for(l->fd, POLLOUT))
			return STEP_FAILED;
		if (errno != EAGAIN && errno != EINTR)
			return STEP_FAILED;
	}
}

static enum step serve_one(struct loop *l)
{
	const struct kmsg_request *request = keeper_queue_take(&l->queue);
	size_t n = 0;

	if (!request)
		return wait_for(l->fd, POLLIN) ? STEP_ON : STEP_FAILED;
	const bool secret = request->op == KMSG_OPEN;
	keeper_handle(l->keeper, request, &l->reply);
	const int r = kmsg_reply_encode(&l->reply, l->packet, &n, NULL);
	const enum step step = r < 0 ? STEP_FAILED : write_packet(l, n);
	if (secret) {
		base_wipe(&l->reply, sizeof(l->reply));
		base_wipe(l->packet, n);
	}
	return step;
}

static enum keeper_exit serve(struct loop *l)
{
	static const enum keeper_exit ends[] = {
		[STEP_GONE] = KEEPER_EXIT_GONE,
		[STEP_MALFORMED] = KEEPER_EXIT_MALFORMED,
		[STEP_FAILED] = KEEPER_EXIT_FAILED,
	};
	enum step step = STEP_ON;

	while (step == STEP_ON) {
		step = read_all(l);
		if (step == STEP_ON)
			step = serve_one(l);
	}
	return ends[step];
}

static void loop_done(struct loop *l)
{
	keeper_queue_done(&l->queue);
}
CLEANUP_DONE(struct loop, loop_done);

enum keeper_exit keeper_serve(struct keeper *k, int fd)
{
	_cleanup_(loop_done) struct loop l = {.keeper = k, .fd = fd};

	if (keeper_queue_init(&l.queue, NULL) < 0)
		return KEEPER_EXIT_FAILED;
	return serve(&l);
}
