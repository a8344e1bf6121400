/* Any bytes as a message: a prefix that is refused stays refused with more bytes behind it, and
 * only MORE may turn into something else. */
#include "pkg/envelope/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct envelope_message all;
	struct envelope_message part;
	struct str body = STR_NULL;
	struct err err = {0};
	struct err cut_err = {0};
	const int r = envelope_parse(base_str_n(data, n), &all, &err);

	base_assert(r == 0 || err.class != ERR_BUG);
	base_assert(r != -(int)ERR_NOT_READY || n < ENVELOPE_HEAD_MAX);
	for (size_t cut = 0; cut < n && cut < 600; cut += 1 + cut / 8) {
		const int c = envelope_parse(base_str_n(data, cut), &part, &cut_err);
		base_assert(c == -(int)ERR_NOT_READY || c == r);
	}
	if (r < 0)
		return 0;
	base_assert(all.body_at <= n && all.protected.n <= ENVELOPE_PROTECTED_MAX);
	if (envelope_parse_whole(base_str_n(data, n), &part, &body, &err) == 0)
		base_assert(body.n == n - all.body_at);
	return 0;
}
