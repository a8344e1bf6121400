/* Input: pieces, each a byte of flags (1: first, 2: last), a byte of length, and its bytes.
 * Whatever comes, the bytes that are handed on are those that came on their channels. */
#include "cli/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(void *ctx, enum cli_stream_channel channel, struct str bytes, struct err *err)
{
	size_t *n = ctx;

	(void)err;
	base_assert(channel == CLI_STREAM_OUT || channel == CLI_STREAM_ERR);
	base_assert(bytes.n > 0);
	*n += bytes.n;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t taken = 0, given = 0, at = 0;
	_cleanup_(cli_stream_done) struct cli_stream s = cli_stream(take, &taken);
	int code = -1, r = 0;

	while (r == 0 && at + 2 <= size) {
		const uint8_t flags = data[at];
		const size_t n = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
		given += n;
		r = cli_stream_add(&s, base_str_n(data + at + 2, n), flags & 1, flags & 2, NULL);
		at += 2 + n;
	}
	base_assert(taken + s.status.len <= given);
	if (cli_stream_end(&s, &code, NULL) == 0)
		base_assert(code >= 0 && code <= 255 && cli_stream_told(&s));
	return 0;
}
