#include "pkg/base/metrics.h"

#include "pkg/base/alloc.h"
#include "pkg/base/metrics_impl.h"
#include "pkg/base/text.h"

const double base_metric_seconds[] = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
	0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, METRIC_INF};

int base_metrics_new(const char *prefix, struct metrics **ret_m, struct err *err)
{
	struct metrics *m = base_alloc(1, sizeof(*m));

	if (!m)
		return FAIL(err, ERR_NOMEM, "metrics");
	m->prefix = prefix;
	*ret_m = m;
	return 0;
}

static void table_done(struct metric_table *t)
{
	for (size_t i = 0; t->metrics && i < t->n; i++) {
		struct metric *m = &t->metrics[i];
		for (size_t l = 0; l < m->labels; l++)
			base_free(m->values[l].learned);
		base_free(m->numbers);
		base_free(m->touched);
	}
	base_free(t->metrics);
}
CLEANUP_DONE(struct metric_table, table_done);

struct metrics *base_metrics_free(struct metrics *m)
{
	for (size_t i = 0; m && i < m->tables_n; i++)
		table_done(&m->tables[i]);
	base_free(m);
	return NULL;
}

static const struct metric_def *named(const struct metrics *m, const char *name)
{
	for (size_t t = 0; t < m->tables_n; t++)
		for (size_t i = 0; i < m->tables[t].n; i++)
			if (strcmp(m->tables[t].defs[i].name, name) == 0)
				return &m->tables[t].defs[i];
	return NULL;
}

static int label_init(struct metric *m, const struct metric_label *label, struct err *err)
{
	struct metric_values *v = &m->values[m->labels];

	if (label->values) {
		while (label->values[v->n])
			v->n++;
		v->max = v->n;
	} else {
		v->max = label->max;
		v->learned = base_alloc(v->max, sizeof(*v->learned));
		if (!v->learned)
			return FAIL(err, ERR_NOMEM, "label values of a metric");
	}
	m->labels++;
	if (__builtin_mul_overflow(m->series, v->max + 1, &m->series) || m->series > METRIC_SERIES)
		return FAIL(err, ERR_TOO_LARGE, "metric %s has more than %d series", m->def->name,
			METRIC_SERIES);
	return 0;
}

static int metric_init(
	struct metric *m, const struct metric_def *def, size_t *numbers, struct err *err)
{
	*m = (struct metric){.def = def, .series = 1, .width = 1};
	if (def->kind == METRIC_HISTOGRAM)
		m->width = base_metric_buckets(def) + 1;
	for (size_t l = 0; l < METRIC_LABELS && def->labels[l].name; l++)
		TRY(label_init(m, &def->labels[l], err));
	*numbers += m->series * m->width;
	if (*numbers > METRIC_SERIES)
		return FAIL(err, ERR_TOO_LARGE, "metric %s: more than %d series in all", def->name,
			METRIC_SERIES);
	m->numbers = base_alloc(m->series * m->width, sizeof(*m->numbers));
	m->touched = base_alloc(m->series, sizeof(*m->touched));
	if (!m->numbers || !m->touched)
		return FAIL(err, ERR_NOMEM, "series of metric %s", def->name);
	m->touched[0] = m->labels == 0;
	return 0;
}

int base_metrics_declare(
	struct metrics *m, const struct metric_def *defs, size_t n, struct err *err)
{
	_cleanup_(table_done) struct metric_table t = {.defs = defs, .n = n};
	size_t numbers = m->numbers;

	for (size_t i = 0; i < m->tables_n; i++)
		if (m->tables[i].defs == defs)
			return 0;
	if (m->tables_n == METRIC_TABLES)
		return FAIL(err, ERR_TOO_LARGE, "more than %d tables of metrics", METRIC_TABLES);
	t.metrics = base_alloc(n, sizeof(*t.metrics));
	if (!t.metrics)
		return FAIL(err, ERR_NOMEM, "table of metrics");
	for (size_t i = 0; i < n; i++) {
		TRY(base_metric_check(&defs[i], m->prefix, err));
		if (named(m, defs[i].name))
			return FAIL(err, ERR_EXISTS, "metric %s is there already", defs[i].name);
		TRY(metric_init(&t.metrics[i], &defs[i], &numbers, err));
	}
	m->numbers = numbers;
	m->tables[m->tables_n++] =
		(struct metric_table){.defs = defs, .n = n, .metrics = STEAL(t.metrics)};
	return 0;
}

const char *base_metric_value(const struct metric *m, size_t l, size_t i)
{
	if (i == m->values[l].max)
		return "other";
	return m->values[l].learned ? m->values[l].learned[i] : m->def->labels[l].values[i];
}

/* A label value as it is kept: valid UTF-8 without control characters. */
static struct str clean(struct str s, char out[static METRIC_VALUE_MAX + 1])
{
	size_t n = 0;

	for (size_t at = 0; at < s.n;) {
		uint32_t c = 0;
		const size_t len = base_utf8_next(s.p + at, s.n - at, &c);
		const bool fine = len && c >= 0x20 && !(c >= 0x7f && c < 0xa0);
		const size_t put = fine ? len : 1;
		if (n + put > METRIC_VALUE_MAX)
			break;
		memcpy(out + n, fine ? s.p + at : "?", put);
		n += put;
		at += len ? len : 1;
	}
	out[n] = 0;
	return base_str_n(out, n);
}

/* The index of a value of label l; m may learn it, where it is not const. */
static size_t value_index(const struct metric *m, size_t l, struct str value, bool *ret_new)
{
	const struct metric_values *v = &m->values[l];

	for (size_t i = 0; i < v->n; i++)
		if (base_str_eq(base_str(base_metric_value(m, l, i)), value))
			return i;
	*ret_new = v->n < v->max;
	return *ret_new ? v->n : v->max;
}

static struct metric *metric_of(const struct metrics *m, const struct metric_def *def)
{
	for (size_t t = 0; t < m->tables_n; t++) {
		const uintptr_t first = (uintptr_t)m->tables[t].defs;
		const uintptr_t at = (uintptr_t)def;
		if (at >= first && at < first + m->tables[t].n * sizeof(*def))
			return &m->tables[t].metrics[def - m->tables[t].defs];
	}
	base_assert(!"a metric that was not declared");
	return NULL;
}

/* The index of a value that stands nowhere as it came: cleaned, it may. */
static size_t learn(struct metric *m, size_t l, struct str value)
{
	char text[METRIC_VALUE_MAX + 1];
	bool is_new = false;
	const size_t i = value_index(m, l, clean(value, text), &is_new);

	if (is_new) {
		memcpy(m->values[l].learned[i], text, sizeof(text));
		m->values[l].n++;
	}
	return i;
}

static double *numbers_of(
	struct metrics *r, const struct metric_def *def, const struct str *labels, size_t n)
{
	struct metric *m = metric_of(r, def);
	size_t at = 0;

	base_assert(n == m->labels);
	for (size_t l = 0; l < n; l++) {
		bool is_new = false;
		size_t i = value_index(m, l, labels[l], &is_new);
		if (i >= m->values[l].n && m->values[l].learned)
			i = learn(m, l, labels[l]);
		at = at * (m->values[l].max + 1) + i;
	}
	m->touched[at] = true;
	return m->numbers + at * m->width;
}

void base_metric_add(struct metrics *m, const struct metric_def *def, double by,
	const struct str *labels, size_t n)
{
	if (!m)
		return;
	base_assert(def->kind == METRIC_GAUGE || (def->kind == METRIC_COUNTER && by >= 0));
	*numbers_of(m, def, labels, n) += by;
}

void base_metric_set(struct metrics *m, const struct metric_def *def, double to,
	const struct str *labels, size_t n)
{
	if (!m)
		return;
	base_assert(def->kind == METRIC_GAUGE);
	*numbers_of(m, def, labels, n) = to;
}

void base_metric_observe(struct metrics *m, const struct metric_def *def, double value,
	const struct str *labels, size_t n)
{
	if (!m)
		return;
	base_assert(def->kind == METRIC_HISTOGRAM);
	double *numbers = numbers_of(m, def, labels, n);
	const size_t buckets = base_metric_buckets(def);
	size_t i = 0;
	while (i + 1 < buckets && !(value <= def->buckets[i]))
		i++;
	numbers[i] += 1;
	numbers[buckets] += value;
}

double base_metric_get(
	const struct metrics *m, const struct metric_def *def, const struct str *labels, size_t n)
{
	const struct metric *me = metric_of(m, def);
	double sum = 0;
	size_t at = 0;

	base_assert(n == me->labels);
	for (size_t l = 0; l < n; l++) {
		bool is_new = false;
		const size_t i = value_index(me, l, labels[l], &is_new);
		if (is_new)
			return 0;
		at = at * (me->values[l].max + 1) + i;
	}
	if (def->kind != METRIC_HISTOGRAM)
		return me->numbers[at];
	for (size_t i = 0; i + 1 < me->width; i++)
		sum += me->numbers[at * me->width + i];
	return sum;
}
