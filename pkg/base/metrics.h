/* Counters, gauges and histograms, declared in tables, written as Prometheus text. Layer: base
 * (libc only).
 *
 *	enum { REQUESTS, LATENCY };
 *	static const struct metric_def defs[] = {
 *		[REQUESTS] = {"functionkey_requests_total", "Requests answered.", METRIC_COUNTER,
 *			.labels = {{"code", .values = codes}, {"peer", .max = 20}}},
 *		[LATENCY] = {"functionkey_request_duration_seconds", "...", METRIC_HISTOGRAM,
 *			.buckets = base_metric_seconds},
 *	};
 *	TRY(base_metrics_declare(m, defs, ARRAY_LEN(defs), err));
 *	metric_add(m, &defs[REQUESTS], 1, STR("200"), peer);
 *
 * Every number of series is known when the table is declared: a label has either a declared set of
 * values or a maximum of values that are learned; what is beyond is counted as "other". All memory
 * is taken by base_metrics_declare; counting afterwards never allocates and never fails.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "pkg/base/buf.h"
#include "pkg/base/cleanup.h"

#define METRIC_LABELS    4
#define METRIC_VALUE_MAX 64    /* bytes of a learned label value; longer ones are cut */
#define METRIC_SERIES    10000 /* of one registry, histograms count once per bucket */

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_label {
	const char *name;          /* [a-z_]+, not "le" */
	const char *const *values; /* NULL-terminated; or NULL: learned */
	unsigned max;              /* how many values are learned */
};

/* One metric. Lives as long as the registry; its address is the metric's handle.
 * Names are <prefix>[a-z0-9_]+ in base units: counters end in _total, no others do, and nothing
 * ends in a unit that is none (_ms, _milliseconds, _minutes, _kb, _mb, _percent). */
struct metric_def {
	const char *name;
	const char *help;
	enum metric_kind kind;
	struct metric_label labels[METRIC_LABELS]; /* up to the first without a name */
	const double *buckets; /* histograms: ascending upper bounds, closed by METRIC_INF */
};

#define METRIC_INF __builtin_inf()

/* Buckets for durations from 50 microseconds to 60 seconds. */
extern const double base_metric_seconds[];

struct metrics;

/* A registry whose metrics begin with prefix (borrowed). The caller owns it. NOMEM. */
int base_metrics_new(const char *prefix, struct metrics **ret_m, struct err *err) must_check;

/* NULL is fine. Returns NULL. */
struct metrics *base_metrics_free(struct metrics *m);
CLEANUP_FREE(struct metrics, base_metrics_free);

/* Adds a table; the same table again is no error and changes nothing. INVALID (a name or a label
 * breaks the rules, EXISTS where a name is there already), TOO_LARGE (series), NOMEM: nothing of
 * the table was added then. */
int base_metrics_declare(
	struct metrics *m, const struct metric_def *defs, size_t n, struct err *err) must_check;

/* Adds to a counter (by >= 0) or gauge, sets a gauge, puts a value into a histogram. One struct str
 * per declared label follows, in order. m may be NULL: nobody counts. */
#define metric_add(m, def, by, ...)                                          \
	base_metric_add((m), (def), (by), (const struct str[]){__VA_ARGS__}, \
		sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))
#define metric_set(m, def, to, ...)                                          \
	base_metric_set((m), (def), (to), (const struct str[]){__VA_ARGS__}, \
		sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))
#define metric_observe(m, def, value, ...)                                          \
	base_metric_observe((m), (def), (value), (const struct str[]){__VA_ARGS__}, \
		sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))

/* A counter's or gauge's value, a histogram's count; 0 if there is none. */
#define metric_get(m, def, ...)                                        \
	base_metric_get((m), (def), (const struct str[]){__VA_ARGS__}, \
		sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))

/* Use the macros. That the def was declared, its kind and the number of labels are invariants. */
void base_metric_add(struct metrics *m, const struct metric_def *def, double by,
	const struct str *labels, size_t n);
void base_metric_set(struct metrics *m, const struct metric_def *def, double to,
	const struct str *labels, size_t n);
void base_metric_observe(struct metrics *m, const struct metric_def *def, double value,
	const struct str *labels, size_t n);
double base_metric_get(
	const struct metrics *m, const struct metric_def *def, const struct str *labels, size_t n);

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends everything in the text format 0.0.4. Series that were never touched are left out, but
 * metrics without labels always appear. TOO_LARGE, NOMEM. */
int base_metrics_write(const struct metrics *m, struct buf *out, struct err *err) must_check;

#endif
