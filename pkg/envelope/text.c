#include "pkg/envelope/cbor.h"

/* Ranges of a sequence's first two bytes, after table 3-7 of the Unicode standard: they leave out
 * overlong forms, surrogates, and what is past U+10FFFF. */
struct lead {
	uint8_t from, to;     /* first byte */
	uint8_t low, high;    /* second byte */
	uint8_t continuation; /* bytes after the first */
};

static const struct lead leads[] = {
	{0xc2, 0xc2, 0xa0, 0xbf, 1}, /* C1 control characters are C2 80 … C2 9F */
	{0xc3, 0xdf, 0x80, 0xbf, 1},
	{0xe0, 0xe0, 0xa0, 0xbf, 2},
	{0xe1, 0xec, 0x80, 0xbf, 2},
	{0xed, 0xed, 0x80, 0x9f, 2},
	{0xee, 0xef, 0x80, 0xbf, 2},
	{0xf0, 0xf0, 0x90, 0xbf, 3},
	{0xf1, 0xf3, 0x80, 0xbf, 3},
	{0xf4, 0xf4, 0x80, 0x8f, 3},
};

/* Bytes of the sequence at p, 0 if it is none. */
static size_t sequence(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(leads); i++) {
		const struct lead *l = &leads[i];
		if (p[0] < l->from || p[0] > l->to)
			continue;
		if (n <= l->continuation || p[1] < l->low || p[1] > l->high)
			return 0;
		for (size_t k = 2; k <= l->continuation; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return (size_t)l->continuation + 1;
	}
	return 0;
}

bool envelope_text_ok(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;

	for (size_t i = 0; i < s.n;) {
		size_t step = 1;
		if (p[i] >= 0x80)
			step = sequence(p + i, s.n - i);
		else if (p[i] < 0x20 || p[i] == 0x7f)
			step = 0;
		if (step == 0)
			return false;
		i += step;
	}
	return true;
}
