/* Requests that wait in a keeper, by priority, in order within one. Layer: keeper.
 *
 * Never more than KMSG_QUEUE_MAX. Memory is touched only as deep as the queue has ever been.
 */
#ifndef KEEPER_QUEUE_H
#define KEEPER_QUEUE_H

#include "pkg/base/cleanup.h"
#include "pkg/kmsg/ops.h"

struct keeper_fifo {
	uint16_t places[KMSG_QUEUE_MAX];
	size_t head, n;
};

struct keeper_queue {
	struct kmsg_request *requests; /* KMSG_QUEUE_MAX of them */
	uint16_t free[KMSG_QUEUE_MAX]; /* places that are not in use; the last is used next */
	size_t free_n;
	struct keeper_fifo by[KMSG_PRIORITY_COUNT];
};

/* NOMEM. */
int keeper_queue_init(struct keeper_queue *q, struct err *err) must_check;
void keeper_queue_done(struct keeper_queue *q);
CLEANUP_DONE(struct keeper_queue, keeper_queue_done);

static inline bool keeper_queue_full(const struct keeper_queue *q)
{
	return q->free_n == 0;
}

static inline bool keeper_queue_empty(const struct keeper_queue *q)
{
	return q->free_n == KMSG_QUEUE_MAX;
}

/* Decodes a packet into the queue, which must not be full. HELD drops all that waited: it was
 * asked by a network half that is gone. INVALID. */
int keeper_queue_put(struct keeper_queue *q, const uint8_t *packet, size_t n, struct err *err)
	must_check;

/* The next one to serve; NULL if there is none. Borrowed until the next call. */
const struct kmsg_request *keeper_queue_take(struct keeper_queue *q);

#endif
