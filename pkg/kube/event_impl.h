/* Between the files of the event recorder. Layer: kube, internal; this half is pure. */
#ifndef KUBE_EVENT_IMPL_H
#define KUBE_EVENT_IMPL_H

#include "pkg/base/buf.h"
#include "pkg/kube/event.h"

#define KUBE_EVENT_BODY_MAX (16u << 10)
#define KUBE_EVENT_KEY_MAX  4096
#define KUBE_EVENT_NAME_MAX 253

#define KUBE_EVENT_PAUSE_NS     (500 * NS_PER_MS) /* before the first of a series is written */
#define KUBE_EVENT_QUIET_NS     (360 * NS_PER_S)  /* a series ends */
#define KUBE_EVENT_HEARTBEAT_NS (1800 * NS_PER_S) /* a growing series is written */
#define KUBE_EVENT_BURST        25
#define KUBE_EVENT_REFILL_NS    (300 * NS_PER_S)

/* How often one object may begin a series. Zero is a fresh one. */
struct kube_event_filter {
	int64_t spent_ns; /* the bucket's level, as the time at which it is full again */
};

/* True if it may, and takes one from the bucket. */
bool kube_event_filter_pass(struct kube_event_filter *filter, int64_t boot_ns);

/* What one series knows of itself; all times on the boot clock but the last one. */
struct kube_series {
	uint64_t count, written_count; /* 0 written: not there yet */
	int64_t last_ns, written_ns;
	int64_t last_wall_ns;
	int64_t next_ns; /* not before: others first, and after a failed write later */
	unsigned tries;
	bool failed; /* refused: never written again */
};

enum kube_series_do { KUBE_SERIES_WAIT, KUBE_SERIES_POST, KUBE_SERIES_PATCH, KUBE_SERIES_FORGET };

/* What is to be done with a series that has no write under way, and when if it is to wait. */
enum kube_series_do kube_series_due(
	const struct kube_series *series, int64_t boot_ns, int64_t *ret_at_ns);

/* One more of them. */
void kube_series_add(struct kube_series *series, int64_t boot_ns, int64_t wall_ns);

/* A write of `count` ended; class ERR_OK: it was written. random: jitter, 0 to 1. */
void kube_series_wrote(struct kube_series *series, uint64_t count, enum err_class class,
	int64_t boot_ns, double random);

/* Appends what makes two events the same. */
int kube_event_key_add(struct buf *b, const struct kube_event *event, struct err *err) must_check;

/* Appends the name of the Event object: the regarding one's, cut, and the time. */
int kube_event_name_add(struct buf *b, struct str regarding, uint64_t wall_ns, struct err *err)
	must_check;

/* The namespace that the Event stands in. */
struct str kube_event_ns(const struct kube_event *event);

/* Appends the body of a POST without its last '}', so that a series can be appended. INVALID: text
 * that the API server would refuse. */
int kube_event_body_add(struct buf *b, const struct kube_events_options *options,
	const struct kube_event *event, struct str name, int64_t wall_ns, struct err *err)
	must_check;

/* Appends "series":{"count":…,"lastObservedTime":…}. */
int kube_event_series_add(struct buf *b, uint64_t count, int64_t last_wall_ns, struct err *err)
	must_check;

#endif
