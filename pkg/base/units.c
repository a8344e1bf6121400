#include "pkg/base/units.h"

#include "pkg/base/cleanup.h"
#include "pkg/base/env.h"

#include <stdio.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {{"h", 3600ULL * NS_PER_S}, {"m", 60ULL * NS_PER_S},
	{"s", NS_PER_S}, {"ms", NS_PER_MS}, {"us", 1000}, {"ns", 1}};
static const struct unit sizes[] = {
	{"Ti", 1ULL << 40}, {"Gi", 1ULL << 30}, {"Mi", 1ULL << 20}, {"Ki", 1ULL << 10}, {"", 1}};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The number at *at, which moves behind it. */
static bool take_number(struct str s, size_t *at, uint64_t *ret_n)
{
	const size_t from = *at;
	uint64_t n = 0;

	for (; *at < s.n && is_digit(s.p[*at]); (*at)++)
		if (__builtin_mul_overflow(n, 10U, &n) ||
			__builtin_add_overflow(n, (uint64_t)(s.p[*at] - '0'), &n))
			return false;
	*ret_n = n;
	return *at > from;
}

/* The unit whose name ends where the next number begins. */
static const struct unit *take_unit(
	struct str s, size_t *at, const struct unit *units, size_t units_n)
{
	const size_t from = *at;

	while (*at < s.n && !is_digit(s.p[*at]))
		(*at)++;
	for (size_t i = 0; i < units_n; i++)
		if (base_str_eq(base_str_sub(s, from, *at), base_str(units[i].name)))
			return &units[i];
	return NULL;
}

int base_parse_duration(struct str s, int64_t *ret_ns, struct err *err)
{
	const struct unit *last = NULL;
	uint64_t sum = 0;

	for (size_t at = 0; at < s.n || !last;) {
		uint64_t n = 0;
		const struct unit *u = take_number(s, &at, &n)
					       ? take_unit(s, &at, durations, ARRAY_LEN(durations))
					       : NULL;
		if (!u || (last && u <= last) || __builtin_mul_overflow(n, u->factor, &n) ||
			__builtin_add_overflow(sum, n, &sum) || sum > INT64_MAX)
			return FAIL(err, ERR_INVALID,
				"'%.*s' is not a duration: write a number and a unit, such as 30s, "
				"1m30s or 250ms",
				STR_FMT(base_str_sub(s, 0, 40)));
		last = u;
	}
	*ret_ns = (int64_t)sum;
	return 0;
}

int base_parse_size(struct str s, uint64_t *ret_n, struct err *err)
{
	uint64_t n = 0;
	size_t at = 0;
	const struct unit *u =
		take_number(s, &at, &n) ? take_unit(s, &at, sizes, ARRAY_LEN(sizes)) : NULL;

	if (!u || at != s.n || __builtin_mul_overflow(n, u->factor, &n))
		return FAIL(err, ERR_INVALID,
			"'%.*s' is not a size: write bytes, or a number with Ki, Mi or Gi, such as "
			"64Ki",
			STR_FMT(base_str_sub(s, 0, 40)));
	*ret_n = n;
	return 0;
}

void base_format_duration(int64_t ns, char dst[static BASE_UNITS_LEN])
{
	uint64_t left = ns > 0 ? (uint64_t)ns : 0;
	size_t at = 0;

	if (left == 0)
		at = (size_t)snprintf(dst, BASE_UNITS_LEN, "0s");
	for (size_t i = 0; i < ARRAY_LEN(durations) && left; i++) {
		const uint64_t n = left / durations[i].factor;
		if (n == 0)
			continue;
		at += (size_t)snprintf(dst + at, BASE_UNITS_LEN - at, "%llu%s",
			(unsigned long long)n, durations[i].name);
		left -= n * durations[i].factor;
	}
}

void base_format_size(uint64_t n, char dst[static BASE_UNITS_LEN])
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(sizes) && (n == 0 || n % sizes[i].factor))
		i++;
	(void)snprintf(dst, BASE_UNITS_LEN, "%llu%s", (unsigned long long)(n / sizes[i].factor),
		sizes[i].name);
}
