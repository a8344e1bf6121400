#include "pkg/base/text.h"

#include "pkg/base/env.h"

#include <stdio.h>
#include <time.h>

void base_hex(const uint8_t *p, size_t n, char *dst)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		dst[2 * i] = digits[p[i] >> 4];
		dst[2 * i + 1] = digits[p[i] & 15];
	}
	dst[2 * n] = 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int base_unhex(struct str s, uint8_t *ret_p, size_t n, struct err *err)
{
	if (s.n != 2 * n)
		return FAIL(err, ERR_INVALID, "%zu hex digits where %zu belong", s.n, 2 * n);
	for (size_t i = 0; i < s.n; i++)
		if (hex_digit(s.p[i]) < 0)
			return FAIL(err, ERR_INVALID, "not a lower-case hex digit at %zu", i);
	for (size_t i = 0; i < n; i++)
		ret_p[i] = (uint8_t)((unsigned)hex_digit(s.p[2 * i]) << 4 |
				     (unsigned)hex_digit(s.p[2 * i + 1]));
	return 0;
}

int base_base64_add(struct buf *b, const uint8_t *p, size_t n, struct err *err)
{
	static const char set[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *to = NULL;

	if (n > SIZE_MAX / 2)
		return FAIL(err, ERR_TOO_LARGE, "%zu bytes as base64", n);
	const size_t len = (n + 2) / 3 * 4;
	TRY(base_buf_room(b, len, &to, err));
	for (size_t i = 0; i < n; i += 3) {
		const size_t left = n - i;
		const uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
				   (left > 2 ? (uint32_t)p[i + 2] : 0);
		*to++ = (uint8_t)set[v >> 18];
		*to++ = (uint8_t)set[v >> 12 & 63];
		*to++ = left > 1 ? (uint8_t)set[v >> 6 & 63] : '=';
		*to++ = left > 2 ? (uint8_t)set[v & 63] : '=';
	}
	base_buf_added(b, len);
	return 0;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* One group of four characters; returns how many bytes it holds, or -1. */
static int base64_group(const char *s, bool last, uint8_t out[static 3])
{
	const int pad = !last || s[3] != '=' ? 0 : s[2] == '=' ? 2 : 1;
	uint32_t v = 0;

	for (int i = 0; i < 4; i++) {
		const int d = i >= 4 - pad ? 0 : base64_digit(s[i]);
		if (d < 0)
			return -1;
		v = v << 6 | (uint32_t)d;
	}
	if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff)))
		return -1;
	out[0] = (uint8_t)(v >> 16);
	out[1] = (uint8_t)(v >> 8);
	out[2] = (uint8_t)v;
	return 3 - pad;
}

int base_unbase64_add(struct buf *b, struct str s, struct err *err)
{
	uint8_t *to = NULL;
	size_t len = 0;

	if (s.n % 4)
		return FAIL(err, ERR_INVALID, "base64 of %zu characters", s.n);
	TRY(base_buf_room(b, s.n / 4 * 3, &to, err));
	for (size_t i = 0; i < s.n; i += 4) {
		const int n = base64_group(s.p + i, i + 4 == s.n, to + len);
		if (n < 0)
			return FAIL(err, ERR_INVALID, "not base64 at %zu", i);
		len += (size_t)n;
	}
	base_buf_added(b, len);
	return 0;
}

int base_parse_u64(struct str s, uint64_t max, uint64_t *ret_n, struct err *err)
{
	uint64_t v = 0;

	if (s.n == 0 || (s.n > 1 && s.p[0] == '0'))
		return FAIL(err, ERR_INVALID, "'%.*s' is not a number",
			STR_FMT(base_str_sub(s, 0, 40)));
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return FAIL(err, ERR_INVALID, "'%.*s' is not a number",
				STR_FMT(base_str_sub(s, 0, 40)));
		if (__builtin_mul_overflow(v, 10U, &v) ||
			__builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v) || v > max)
			return FAIL(err, ERR_INVALID, "%.*s is more than %llu",
				STR_FMT(base_str_sub(s, 0, 40)), (unsigned long long)max);
	}
	*ret_n = v;
	return 0;
}

size_t base_utf8_next(const char *p, size_t n, uint32_t *ret_c)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t low; /* what is below has a shorter form */
	} forms[] = {
		{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	const uint8_t first = (uint8_t)p[0];

	for (size_t len = 1; len <= ARRAY_LEN(forms) && len <= n; len++) {
		if ((first & forms[len - 1].mask) != forms[len - 1].lead)
			continue;
		uint32_t c = first & (uint8_t)~forms[len - 1].mask;
		for (size_t i = 1; i < len; i++) {
			if (((uint8_t)p[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | ((uint8_t)p[i] & 0x3f);
		}
		if (c < forms[len - 1].low || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return 0;
		*ret_c = c;
		return len;
	}
	return 0;
}

static int json_char_add(struct buf *b, const char *p, size_t n, uint32_t c, struct err *err)
{
	if (n == 0)
		return base_buf_add_str(b, STR("\\ufffd"), err);
	if (c < 0x20 || c == 0x7f)
		return base_buf_addf(b, err, "\\u%04x", (unsigned)c);
	if (c == '"' || c == '\\')
		TRY(base_buf_add_byte(b, '\\', err));
	return base_buf_add(b, p, n, err);
}

int base_json_str_add(struct buf *b, struct str s, struct err *err)
{
	TRY(base_buf_add_byte(b, '"', err));
	for (size_t at = 0; at < s.n;) {
		uint32_t c = 0;
		const size_t n = base_utf8_next(s.p + at, s.n - at, &c);
		TRY(json_char_add(b, s.p + at, n, c, err));
		at += n ? n : 1;
	}
	return base_buf_add_byte(b, '"', err);
}

static struct tm to_tm(int64_t wall_ns)
{
	const time_t t = (time_t)(wall_ns / NS_PER_S);
	struct tm tm = {0};

	(void)gmtime_r(&t, &tm);
	return tm;
}

void base_time_format(int64_t wall_ns, char dst[static BASE_TIME_LEN])
{
	const struct tm tm = to_tm(wall_ns);

	(void)strftime(dst, BASE_TIME_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void base_time_format_micro(int64_t wall_ns, char dst[static BASE_TIME_LEN])
{
	const struct tm tm = to_tm(wall_ns);
	const size_t n = strftime(dst, BASE_TIME_LEN, "%Y-%m-%dT%H:%M:%S", &tm);

	(void)snprintf(dst + n, BASE_TIME_LEN - n, ".%06uZ",
		(unsigned)((uint64_t)(wall_ns % NS_PER_S) / 1000U % 1000000U));
}

static int two_digits(struct str s, size_t at)
{
	const int a = s.p[at] - '0';
	const int b = s.p[at + 1] - '0';

	return a < 0 || a > 9 || b < 0 || b > 9 ? -1 : a * 10 + b;
}

/* The fraction ".ddd…Z" from `at` on, as nanoseconds, or -1. */
static int64_t parse_fraction(struct str s, size_t at)
{
	int64_t ns = 0;
	int64_t unit = NS_PER_S / 10;

	if (at + 1 == s.n)
		return s.p[at] == 'Z' ? 0 : -1;
	if (s.p[at] != '.' || s.p[s.n - 1] != 'Z' || at + 2 == s.n || s.n - at > 11)
		return -1;
	for (size_t i = at + 1; i + 1 < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		ns += (s.p[i] - '0') * unit;
		unit /= 10;
	}
	return ns;
}

static bool punctuation_ok(struct str s)
{
	return s.n >= 20 && s.n <= 30 && s.p[4] == '-' && s.p[7] == '-' && s.p[10] == 'T' &&
	       s.p[13] == ':' && s.p[16] == ':';
}

int base_time_parse(struct str s, int64_t *ret_wall_ns, struct err *err)
{
	if (!punctuation_ok(s))
		return FAIL(err, ERR_INVALID, "'%.*s' is not an RFC 3339 time in UTC",
			STR_FMT(base_str_sub(s, 0, 40)));
	const int century = two_digits(s, 0);
	const int year = two_digits(s, 2) < 0 ? -1 : century * 100 + two_digits(s, 2);
	struct tm tm = {.tm_year = year - 1900,
		.tm_mon = two_digits(s, 5) - 1,
		.tm_mday = two_digits(s, 8),
		.tm_hour = two_digits(s, 11),
		.tm_min = two_digits(s, 14),
		.tm_sec = two_digits(s, 17)};
	const struct tm want = tm;
	const int64_t fraction = parse_fraction(s, 19);
	const time_t t = timegm(&tm);
	/* timegm normalises what is out of range, so that a difference shows it. */
	if (year < 1970 || year > 2261 || fraction < 0 || tm.tm_mon != want.tm_mon ||
		tm.tm_mday != want.tm_mday || tm.tm_hour != want.tm_hour ||
		tm.tm_min != want.tm_min || tm.tm_sec != want.tm_sec)
		return FAIL(err, ERR_INVALID, "'%.*s' is not a time", STR_FMT(s));
	*ret_wall_ns = (int64_t)t * NS_PER_S + fraction;
	return 0;
}
