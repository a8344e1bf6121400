/* Keys to work on: each at most once in the queue, never the same in two hands, no change lost.
 * Layer: kube, pure: time and randomness from struct env, no timers. kubernetes.md 1.7.
 *
 *	while (kube_queue_get(q, &key)) {
 *		r = reconcile(key);
 *		r < 0 ? retry(key) : forget(key);
 *		kube_queue_done(q, key);
 *	}
 *	arm a timer for kube_queue_next_boot_ns(q)
 *
 * Three sets: waiting, dirty, in hand. add: nothing if it is dirty already; dirty; waiting unless
 * in hand. get: out of waiting and dirty, in hand. done: out of hand, waiting again if dirty.
 */
#ifndef KUBE_QUEUE_H
#define KUBE_QUEUE_H

#include "pkg/base/cleanup.h"
#include "pkg/base/env.h"
#include "pkg/base/str.h"

struct kube_queue;

struct kube_queue_options {
	size_t max;           /* keys known at once, remembered failures included; 0: 65536 */
	int64_t retry_ns;     /* first delay of a retry; 0: 5 ms; doubled each time */
	int64_t retry_max_ns; /* cap; 0: 1000 s */
	uint32_t rate;        /* retries a second, all keys together; 0: 10 */
	uint32_t burst;       /* 0: 100 */
};

struct kube_queue_stats {
	uint64_t added, retried, taken, done;
	uint64_t refused; /* adds that found it full */
	size_t depth;     /* waiting now, as workqueue_depth */
	size_t delayed;   /* wait for their time */
	size_t in_hand;
	int64_t queue_ns; /* sums: from added to got, */
	int64_t work_ns;  /* from got to done */
};

/* env is borrowed and outlives the queue. NOMEM. */
int kube_queue_new(const struct env *env, const struct kube_queue_options *options,
	struct kube_queue **ret_queue, struct err *err) must_check;
/* NULL is fine. Returns NULL. */
struct kube_queue *kube_queue_free(struct kube_queue *q);
CLEANUP_FREE(struct kube_queue, kube_queue_free);

/* Keys are copied. TOO_LARGE: full, the key is not in it then: list again later; NOMEM. After
 * shutdown all three do nothing. */
int kube_queue_add(struct kube_queue *q, struct str key, struct err *err) must_check;

/* Like add, but got only when nothing of add waits, or has waited for 5 s: what comes from a first
 * set, so that live changes go first. A later add lifts it. */
int kube_queue_add_low(struct kube_queue *q, struct str key, struct err *err) must_check;

/* Adds at now + delay_ns; what has a time already moves only to an earlier one. <= 0: now. */
int kube_queue_add_after(struct kube_queue *q, struct str key, int64_t delay_ns, struct err *err)
	must_check;

/* Adds after the key's own back-off (times 1 to 1.2), or later where the rate of all keys says so.
 */
int kube_queue_retry(struct kube_queue *q, struct str key, struct err *err) must_check;

/* The key's back-off begins anew: after success only. */
void kube_queue_forget(struct kube_queue *q, struct str key);
/* Retries since the last forget. */
uint32_t kube_queue_failures(const struct kube_queue *q, struct str key);

/* A key to work on, in hand until done; borrowed until then. False: nothing is due. */
bool kube_queue_get(struct kube_queue *q, struct str *ret_key);
void kube_queue_done(struct kube_queue *q, struct str key);

/* When get has something: now or earlier if it has already; INT64_MAX: only an add can change that.
 */
int64_t kube_queue_next_boot_ns(struct kube_queue *q);

/* No more adds; what waits for its time is dropped; what is queued can still be got. */
void kube_queue_shutdown(struct kube_queue *q);

/* Since it was made; borrowed. */
const struct kube_queue_stats *kube_queue_stats(const struct kube_queue *q);

#endif
