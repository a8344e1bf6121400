#include "pkg/kube/queue.h"

#include "pkg/base/alloc.h"
#include "pkg/base/map.h"

#define KEYS_MAX   65536
#define LOW_AGE_NS (5 * NS_PER_S)

enum lane { NORMAL, LOW, LANES };

struct item {
	struct item *prev, *next; /* in its lane */
	size_t heap;              /* place in the heap, from 1; 0: it waits for no time */
	int64_t due_ns;
	int64_t added_ns, got_ns;
	uint32_t failures;
	enum lane lane;
	bool waiting, dirty, in_hand;
	size_t n;
	char key[];
};

struct lane_list {
	struct item *first, *last;
};

struct kube_queue {
	const struct env *env;
	struct kube_queue_options options;
	struct map *items;
	struct lane_list lanes[LANES];
	struct item **heap; /* by due_ns, the earliest first */
	size_t heap_len, heap_cap;
	int64_t bucket_ns; /* when the reservations made so far are used up, at the stated rate */
	bool shut;
	struct kube_queue_stats stats;
};

int kube_queue_new(const struct env *env, const struct kube_queue_options *options,
	struct kube_queue **ret_queue, struct err *err)
{
	_cleanup_(kube_queue_free) struct kube_queue *q = base_alloc(1, sizeof(*q));

	if (!q)
		return FAIL(err, ERR_NOMEM, "queue");
	q->env = env;
	q->options = *options;
	q->options.max = options->max ? options->max : KEYS_MAX;
	q->options.retry_ns = options->retry_ns > 0 ? options->retry_ns : 5 * NS_PER_MS;
	q->options.retry_max_ns =
		options->retry_max_ns > 0 ? options->retry_max_ns : 1000 * NS_PER_S;
	q->options.rate = options->rate ? options->rate : 10;
	q->options.burst = options->burst ? options->burst : 100;
	TRY(base_map_new(q->options.max, &q->items, err));
	*ret_queue = STEAL(q);
	return 0;
}

struct kube_queue *kube_queue_free(struct kube_queue *q)
{
	struct str key;
	void *item = NULL;

	if (!q)
		return NULL;
	for (size_t at = 0; q->items && base_map_next(q->items, &at, &key, &item);)
		base_free(item);
	base_map_free(q->items);
	base_free(q->heap);
	return base_free(q);
}

static struct str key_of(const struct item *item)
{
	return base_str_n(item->key, item->n);
}

static struct item *find(const struct kube_queue *q, struct str key)
{
	return base_map_get(q->items, key);
}

static int find_or_make(
	struct kube_queue *q, struct str key, struct item **ret_item, struct err *err)
{
	struct item *old = find(q, key);

	if (old) {
		*ret_item = old;
		return 0;
	}
	_cleanup_(base_free) char *block = base_alloc(1, sizeof(struct item) + key.n + 1);
	if (!block)
		return FAIL(err, ERR_NOMEM, "queue");
	struct item *item = (struct item *)(void *)block;
	item->n = key.n;
	if (key.n)
		memcpy(item->key, key.p, key.n);
	const int r = base_map_put(q->items, key, item, NULL, err);
	if (r < 0) {
		q->stats.refused++;
		return r;
	}
	(void)STEAL(block);
	*ret_item = item;
	return 0;
}

/* Forgets an item of which there is nothing to remember. */
static void release(struct kube_queue *q, struct item *item)
{
	if (item->dirty || item->in_hand || item->heap > 0 || item->failures > 0)
		return;
	(void)base_map_remove(q->items, key_of(item));
	base_free(item);
}

/* ---- lanes ---- */

static void lane_out(struct kube_queue *q, struct item *item)
{
	struct lane_list *l = &q->lanes[item->lane];

	*(item->prev ? &item->prev->next : &l->first) = item->next;
	*(item->next ? &item->next->prev : &l->last) = item->prev;
	item->prev = item->next = NULL;
	item->waiting = false;
	q->stats.depth--;
}

static void lane_in(struct kube_queue *q, struct item *item, enum lane lane)
{
	struct lane_list *l = &q->lanes[lane];

	item->lane = lane;
	item->waiting = true;
	item->prev = l->last;
	*(l->last ? &l->last->next : &l->first) = item;
	l->last = item;
	q->stats.depth++;
}

static void mark(struct kube_queue *q, struct item *item, enum lane lane)
{
	if (item->dirty) {
		if (lane < item->lane) {
			const bool waits = item->waiting;
			if (waits)
				lane_out(q, item);
			item->lane = lane;
			if (waits)
				lane_in(q, item, lane);
		}
		return;
	}
	item->dirty = true;
	item->lane = lane;
	item->added_ns = base_boot_ns(q->env);
	q->stats.added++;
	if (!item->in_hand)
		lane_in(q, item, lane);
}

/* ---- heap ---- */

static void heap_set(struct kube_queue *q, size_t place, struct item *item)
{
	q->heap[place - 1] = item;
	item->heap = place;
}

static void heap_up(struct kube_queue *q, struct item *item)
{
	size_t i = item->heap;

	for (; i > 1 && q->heap[i / 2 - 1]->due_ns > item->due_ns; i /= 2)
		heap_set(q, i, q->heap[i / 2 - 1]);
	heap_set(q, i, item);
}

static void heap_down(struct kube_queue *q, struct item *item)
{
	size_t i = item->heap;

	for (size_t child; (child = 2 * i) <= q->heap_len; i = child) {
		if (child < q->heap_len && q->heap[child]->due_ns < q->heap[child - 1]->due_ns)
			child++;
		if (q->heap[child - 1]->due_ns >= item->due_ns)
			break;
		heap_set(q, i, q->heap[child - 1]);
	}
	heap_set(q, i, item);
}

static void heap_pop(struct kube_queue *q)
{
	struct item *last = q->heap[q->heap_len - 1];

	q->heap[0]->heap = 0;
	q->heap_len--;
	q->stats.delayed = q->heap_len;
	if (q->heap_len > 0) {
		last->heap = 1;
		heap_down(q, last);
	}
}

static int heap_room(struct kube_queue *q, struct err *err)
{
	if (q->heap_len < q->heap_cap)
		return 0;
	const size_t cap = q->heap_cap ? q->heap_cap * 2 : 16;
	struct item **heap = base_realloc(q->heap, cap * sizeof(struct item *));
	if (!heap)
		return FAIL(err, ERR_NOMEM, "queue");
	q->heap = heap;
	q->heap_cap = cap;
	return 0;
}

/* What has become due is added. */
static void ripen(struct kube_queue *q)
{
	const int64_t now = base_boot_ns(q->env);

	while (q->heap_len > 0 && q->heap[0]->due_ns <= now) {
		struct item *item = q->heap[0];
		heap_pop(q);
		mark(q, item, NORMAL);
	}
}

/* ---- what callers do ---- */

static int add(struct kube_queue *q, struct str key, enum lane lane, struct err *err)
{
	struct item *item = NULL;

	if (q->shut)
		return 0;
	TRY(find_or_make(q, key, &item, err));
	base_assert(item);
	mark(q, item, lane);
	return 0;
}

int kube_queue_add(struct kube_queue *q, struct str key, struct err *err)
{
	return add(q, key, NORMAL, err);
}

int kube_queue_add_low(struct kube_queue *q, struct str key, struct err *err)
{
	return add(q, key, LOW, err);
}

int kube_queue_add_after(struct kube_queue *q, struct str key, int64_t delay_ns, struct err *err)
{
	struct item *item = NULL;
	int64_t due = 0;

	if (q->shut)
		return 0;
	if (delay_ns <= 0)
		return add(q, key, NORMAL, err);
	if (__builtin_add_overflow(base_boot_ns(q->env), delay_ns, &due))
		due = INT64_MAX;
	TRY(heap_room(q, err));
	TRY(find_or_make(q, key, &item, err));
	base_assert(item);
	if (item->heap > 0) {
		if (due < item->due_ns) {
			item->due_ns = due;
			heap_up(q, item);
		}
		return 0;
	}
	item->due_ns = due;
	item->heap = ++q->heap_len;
	q->stats.delayed = q->heap_len;
	heap_up(q, item);
	return 0;
}

/* Reserves one retry of the rate that all keys share; how long until its turn comes. */
static int64_t reserve(struct kube_queue *q)
{
	const int64_t now = base_boot_ns(q->env), each = NS_PER_S / q->options.rate;

	q->bucket_ns = (q->bucket_ns > now ? q->bucket_ns : now) + each;
	const int64_t wait = q->bucket_ns - each * q->options.burst - now;
	return wait > 0 ? wait : 0;
}

static int64_t back_off(const struct kube_queue *q, uint32_t failures)
{
	int64_t d = q->options.retry_ns;

	for (uint32_t i = 0; i < failures && d < q->options.retry_max_ns; i++)
		if (__builtin_mul_overflow(d, 2, &d))
			return q->options.retry_max_ns;
	return d < q->options.retry_max_ns ? d : q->options.retry_max_ns;
}

int kube_queue_retry(struct kube_queue *q, struct str key, struct err *err)
{
	struct item *item = NULL;

	if (q->shut)
		return 0;
	TRY(heap_room(q, err));
	TRY(find_or_make(q, key, &item, err));
	base_assert(item);
	int64_t delay = back_off(q, item->failures);
	delay = base_jitter(q->env, delay, delay + delay / 5);
	const int64_t turn = reserve(q);
	if (item->failures < UINT32_MAX)
		item->failures++;
	q->stats.retried++;
	return kube_queue_add_after(q, key, turn > delay ? turn : delay, err);
}

void kube_queue_forget(struct kube_queue *q, struct str key)
{
	struct item *item = find(q, key);

	if (!item)
		return;
	item->failures = 0;
	release(q, item);
}

uint32_t kube_queue_failures(const struct kube_queue *q, struct str key)
{
	const struct item *item = find(q, key);

	return item ? item->failures : 0;
}

static struct item *first(const struct kube_queue *q)
{
	struct item *normal = q->lanes[NORMAL].first, *low = q->lanes[LOW].first;

	if (!normal || (low && base_boot_ns(q->env) - low->added_ns >= LOW_AGE_NS))
		return low ? low : normal;
	return normal;
}

bool kube_queue_get(struct kube_queue *q, struct str *ret_key)
{
	ripen(q);
	struct item *item = first(q);
	if (!item)
		return false;
	lane_out(q, item);
	item->dirty = false;
	item->in_hand = true;
	item->got_ns = base_boot_ns(q->env);
	q->stats.taken++;
	q->stats.in_hand++;
	q->stats.queue_ns += item->got_ns - item->added_ns;
	*ret_key = key_of(item);
	return true;
}

void kube_queue_done(struct kube_queue *q, struct str key)
{
	struct item *item = find(q, key);

	if (!item || !item->in_hand)
		return;
	item->in_hand = false;
	q->stats.done++;
	q->stats.in_hand--;
	q->stats.work_ns += base_boot_ns(q->env) - item->got_ns;
	if (item->dirty)
		lane_in(q, item, item->lane);
	else
		release(q, item);
}

int64_t kube_queue_next_boot_ns(struct kube_queue *q)
{
	if (first(q))
		return base_boot_ns(q->env);
	return q->heap_len > 0 ? q->heap[0]->due_ns : INT64_MAX;
}

void kube_queue_shutdown(struct kube_queue *q)
{
	ripen(q);
	q->shut = true;
	while (q->heap_len > 0) {
		struct item *item = q->heap[0];
		heap_pop(q);
		release(q, item);
	}
}

const struct kube_queue_stats *kube_queue_stats(const struct kube_queue *q)
{
	return &q->stats;
}
