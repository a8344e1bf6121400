#include "pkg/envelope/cbor.h"

#include "pkg/base/text.h"

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

bool envelope_text_ok(struct str s)
{
	size_t step;

	for (size_t i = 0; i < s.n; i += step) {
		uint32_t c = 0;
		step = base_utf8_next(s.p + i, s.n - i, &c);
		if (step == 0 || is_control(c))
			return false;
	}
	return true;
}
