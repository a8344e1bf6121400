#include "keeper/queue.h"

#include "pkg/base/alloc.h"

int keeper_queue_init(struct keeper_queue *q, struct err *err)
{
	struct kmsg_request *requests = base_alloc(KMSG_QUEUE_MAX, sizeof(*requests));

	if (!requests)
		return FAIL(err, ERR_NOMEM, "a queue of %d requests", KMSG_QUEUE_MAX);
	*q = (struct keeper_queue){.requests = requests};
	while (q->free_n < KMSG_QUEUE_MAX) {
		q->free[q->free_n] = (uint16_t)(KMSG_QUEUE_MAX - 1 - q->free_n);
		q->free_n++;
	}
	return 0;
}

void keeper_queue_done(struct keeper_queue *q)
{
	q->requests = base_free(q->requests);
}

static uint16_t fifo_take(struct keeper_fifo *f)
{
	const uint16_t place = f->places[f->head];

	f->head = (f->head + 1) % KMSG_QUEUE_MAX;
	f->n--;
	return place;
}

static void drop_all(struct keeper_queue *q)
{
	for (size_t p = 0; p < KMSG_PRIORITY_COUNT; p++)
		while (q->by[p].n)
			q->free[q->free_n++] = fifo_take(&q->by[p]);
}

int keeper_queue_put(struct keeper_queue *q, const uint8_t *packet, size_t n, struct err *err)
{
	base_assert(q->free_n > 0);
	uint16_t place = q->free[q->free_n - 1];

	TRY(kmsg_request_decode(packet, n, &q->requests[place], err));
	q->free_n--;
	const enum kmsg_op op = q->requests[place].op;
	if (op == KMSG_HELD)
		drop_all(q);
	struct keeper_fifo *f = &q->by[kmsg_op_priority(op)];
	f->places[(f->head + f->n) % KMSG_QUEUE_MAX] = place;
	f->n++;
	return 0;
}

const struct kmsg_request *keeper_queue_take(struct keeper_queue *q)
{
	for (size_t p = 0; p < KMSG_PRIORITY_COUNT; p++) {
		if (q->by[p].n == 0)
			continue;
		const uint16_t place = fifo_take(&q->by[p]);
		q->free[q->free_n++] = place;
		return &q->requests[place];
	}
	return NULL;
}
