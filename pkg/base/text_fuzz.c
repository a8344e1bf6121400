/* The text forms of base: what is accepted must come out again as it went in. */
#include "pkg/base/text.h"
#include "pkg/base/units.h"

#define LONGEST 4096

static void base64(struct str in)
{
	_cleanup_(base_buf_done) struct buf raw = base_buf(LONGEST);
	_cleanup_(base_buf_done) struct buf again = base_buf(LONGEST);

	if (base_unbase64_add(&raw, in, NULL) < 0) {
		base_assert(raw.len == 0);
		return;
	}
	base_assert(base_base64_add(&again, raw.data, raw.len, NULL) == 0);
	base_assert(base_str_eq(base_buf_str(&again), in));
}

static void hex(struct str in)
{
	uint8_t raw[LONGEST / 2];
	char again[LONGEST + 1];

	if (base_unhex(in, raw, in.n / 2, NULL) < 0)
		return;
	base_hex(raw, in.n / 2, again);
	base_assert(base_str_eq(base_str(again), in));
}

static void times(struct str in)
{
	char text[BASE_TIME_LEN];
	int64_t t = -1;

	if (base_time_parse(in, &t, NULL) < 0) {
		base_assert(t == -1);
		return;
	}
	base_assert(t >= 0);
	base_time_format(t, text);
	base_assert(base_str_eq(base_str_sub(in, 0, 19), base_str_sub(base_str(text), 0, 19)));
}

static void units(struct str in)
{
	char text[BASE_UNITS_LEN];
	int64_t ns = -1;
	int64_t ns_again = -1;
	uint64_t n = 0;
	uint64_t n_again = 1;

	if (base_parse_duration(in, &ns, NULL) == 0) {
		base_assert(ns >= 0);
		base_format_duration(ns, text);
		base_assert(base_parse_duration(base_str(text), &ns_again, NULL) == 0);
		base_assert(ns == ns_again);
	}
	if (base_parse_size(in, &n, NULL) == 0) {
		base_format_size(n, text);
		base_assert(base_parse_size(base_str(text), &n_again, NULL) == 0);
		base_assert(n == n_again);
	}
}

static void utf8(struct str in)
{
	for (size_t at = 0; at < in.n;) {
		uint32_t c = 0xffffffff;
		const size_t n = base_utf8_next(in.p + at, in.n - at, &c);
		base_assert(n <= 4 && n <= in.n - at && (n > 0) == (c != 0xffffffff));
		at += n ? n : 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct str in = base_str_n(data, size);
	uint64_t n = 0;

	if (size > LONGEST)
		return 0;
	base64(in);
	hex(in);
	times(in);
	units(in);
	utf8(in);
	(void)base_parse_u64(in, UINT64_MAX, &n, NULL);
	return 0;
}
