#include "pkg/base/metrics_impl.h"

#include <math.h>

size_t base_metric_buckets(const struct metric_def *def)
{
	size_t n = 0;

	while (!isinf(def->buckets[n]))
		n++;
	return n + 1;
}

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(i && s.p[i] >= '0' && s.p[i] <= '9') &&
			s.p[i] != '_')
			return false;
	return s.n > 0 && s.n <= 120;
}

static bool is_base_unit(struct str name)
{
	static const struct str no_units[] = {STR("_ms"), STR("_us"), STR("_ns"),
		STR("_milliseconds"), STR("_microseconds"), STR("_nanoseconds"), STR("_minutes"),
		STR("_hours"), STR("_kb"), STR("_mb"), STR("_kib"), STR("_mib"), STR("_megabytes"),
		STR("_percent"), STR("_sum"), STR("_count"), STR("_bucket")};

	if (base_str_ends(name, STR("_total")))
		name.n -= STR("_total").n;
	for (size_t i = 0; i < ARRAY_LEN(no_units); i++)
		if (base_str_ends(name, no_units[i]))
			return false;
	return true;
}

static int check_labels(const struct metric_def *def, struct err *err)
{
	for (size_t l = 0; l < METRIC_LABELS && def->labels[l].name; l++) {
		const struct metric_label *label = &def->labels[l];
		if (!is_name(base_str(label->name)) || strcmp(label->name, "le") == 0)
			return FAIL(err, ERR_INVALID, "metric %s: no label can be named '%s'",
				def->name, label->name);
		if (!label->values == !label->max)
			return FAIL(err, ERR_INVALID,
				"metric %s: label %s needs its values or a maximum", def->name,
				label->name);
		if (label->max > METRIC_SERIES)
			return FAIL(err, ERR_TOO_LARGE, "metric %s: label %s with %u values",
				def->name, label->name, label->max);
	}
	return 0;
}

static int check_buckets(const struct metric_def *def, struct err *err)
{
	if ((def->kind == METRIC_HISTOGRAM) != (def->buckets != NULL))
		return FAIL(err, ERR_INVALID, "metric %s: histograms, and they alone, have buckets",
			def->name);
	for (size_t i = 1; def->buckets && !isinf(def->buckets[i - 1]); i++)
		if (!(def->buckets[i] > def->buckets[i - 1]))
			return FAIL(
				err, ERR_INVALID, "metric %s: buckets do not ascend", def->name);
	return 0;
}

int base_metric_check(const struct metric_def *def, const char *prefix, struct err *err)
{
	const struct str name = base_str(def->name);

	if (!is_name(name) || !base_str_starts(name, base_str(prefix)))
		return FAIL(err, ERR_INVALID, "'%s' is not the name of a metric, %s[a-z0-9_]+",
			def->name ? def->name : "", prefix);
	if (base_str_ends(name, STR("_total")) != (def->kind == METRIC_COUNTER))
		return FAIL(err, ERR_INVALID, "metric %s: counters, and they alone, end in _total",
			def->name);
	if (!is_base_unit(name))
		return FAIL(err, ERR_INVALID, "metric %s is not in base units", def->name);
	if (!def->help || !*def->help)
		return FAIL(err, ERR_INVALID, "metric %s has no help", def->name);
	TRY(check_buckets(def, err));
	return check_labels(def, err);
}

static int add_escaped(struct buf *out, const char *s, bool quotes, struct err *err)
{
	for (; *s; s++) {
		if (*s == '\n')
			TRY(base_buf_add_str(out, STR("\\n"), err));
		else if (*s == '\\' || (quotes && *s == '"'))
			TRY(base_buf_addf(out, err, "\\%c", *s));
		else
			TRY(base_buf_add_byte(out, (uint8_t)*s, err));
	}
	return 0;
}

/* The shortest of two forms that reads back as the same number. */
static int add_number(struct buf *out, double v, struct err *err)
{
	char text[32];

	if (isinf(v) || isnan(v))
		return base_buf_addf(out, err, "%s", isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
	(void)snprintf(text, sizeof(text), "%.15g", v);
	if (strtod(text, NULL) != v)
		(void)snprintf(text, sizeof(text), "%.17g", v);
	return base_buf_add_str(out, base_str(text), err);
}

/* name_suffix{labels,le="..."} */
static int add_series(struct buf *out, const struct metric *m, size_t at, const char *suffix,
	const double *le, struct err *err)
{
	size_t index[METRIC_LABELS] = {0};
	const char *before = "{";

	for (size_t l = m->labels; l-- > 0;) {
		index[l] = at % (m->values[l].max + 1);
		at /= m->values[l].max + 1;
	}
	TRY(base_buf_addf(out, err, "%s%s", m->def->name, suffix));
	for (size_t l = 0; l < m->labels; l++) {
		TRY(base_buf_addf(out, err, "%s%s=\"", before, m->def->labels[l].name));
		TRY(add_escaped(out, base_metric_value(m, l, index[l]), true, err));
		TRY(base_buf_add_byte(out, '"', err));
		before = ",";
	}
	if (le) {
		TRY(base_buf_addf(out, err, "%sle=\"", before));
		TRY(add_number(out, *le, err));
		TRY(base_buf_add_byte(out, '"', err));
	}
	return base_buf_add_str(out, m->labels || le ? STR("} ") : STR(" "), err);
}

static int add_value(struct buf *out, double v, struct err *err)
{
	TRY(add_number(out, v, err));
	return base_buf_add_byte(out, '\n', err);
}

static int add_histogram(struct buf *out, const struct metric *m, size_t at, struct err *err)
{
	const double *numbers = m->numbers + at * m->width;
	double count = 0;

	for (size_t i = 0; i + 1 < m->width; i++) {
		count += numbers[i];
		TRY(add_series(out, m, at, "_bucket", &m->def->buckets[i], err));
		TRY(add_value(out, count, err));
	}
	TRY(add_series(out, m, at, "_sum", NULL, err));
	TRY(add_value(out, numbers[m->width - 1], err));
	TRY(add_series(out, m, at, "_count", NULL, err));
	return add_value(out, count, err);
}

static int add_metric(struct buf *out, const struct metric *m, struct err *err)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};

	TRY(base_buf_addf(out, err, "# HELP %s ", m->def->name));
	TRY(add_escaped(out, m->def->help, false, err));
	TRY(base_buf_addf(out, err, "\n# TYPE %s %s\n", m->def->name, kinds[m->def->kind]));
	for (size_t at = 0; at < m->series; at++) {
		if (!m->touched[at])
			continue;
		if (m->def->kind == METRIC_HISTOGRAM) {
			TRY(add_histogram(out, m, at, err));
			continue;
		}
		TRY(add_series(out, m, at, "", NULL, err));
		TRY(add_value(out, m->numbers[at], err));
	}
	return 0;
}

int base_metrics_write(const struct metrics *m, struct buf *out, struct err *err)
{
	for (size_t t = 0; t < m->tables_n; t++)
		for (size_t i = 0; i < m->tables[t].n; i++)
			TRY(add_metric(out, &m->tables[t].metrics[i], err));
	return 0;
}
