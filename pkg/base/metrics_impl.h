/* What the two halves of the registry share: metrics.c counts, metrics_text.c writes. Layer: base,
 * for these two alone.
 *
 * The series of a metric lie in one array: the index of a series is the mixed-radix number made of
 * the indices of its label values, the last value of each label being "other".
 */
#ifndef BASE_METRICS_IMPL_H
#define BASE_METRICS_IMPL_H

#include "pkg/base/metrics.h"

#define METRIC_TABLES 16

struct metric_values {
	size_t n;                              /* values that are known */
	size_t max;                            /* "other" has this index */
	char (*learned)[METRIC_VALUE_MAX + 1]; /* NULL: declared */
};

struct metric {
	const struct metric_def *def;
	size_t labels;
	struct metric_values values[METRIC_LABELS];
	size_t series;
	size_t width; /* numbers per series: 1; for a histogram each bucket's count and the sum */
	double *numbers;
	bool *touched;
};

struct metric_table {
	const struct metric_def *defs;
	size_t n;
	struct metric *metrics;
};

struct metrics {
	const char *prefix;
	size_t tables_n;
	size_t numbers; /* of all series */
	struct metric_table tables[METRIC_TABLES];
};

/* The i-th value of label l; "other" for i == max. */
const char *base_metric_value(const struct metric *m, size_t l, size_t i);

/* Finite buckets plus the infinite one. */
size_t base_metric_buckets(const struct metric_def *def);

/* INVALID if the definition breaks the rules of metrics.h. */
int base_metric_check(const struct metric_def *def, const char *prefix, struct err *err) must_check;

#endif
