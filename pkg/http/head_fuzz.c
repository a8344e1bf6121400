/* Header bytes, as libmicrohttpd leaves them: CR, LF and the first colon of a line are NUL. The
 * input is either that already, or text which is first made so. Whatever it is: names are tokens,
 * values have no control characters, and a head that is fine has one framing and one Host. */
#include "pkg/base/alloc.h"
#include "pkg/http/head.h"

static void as_received(uint8_t *p, size_t n)
{
	bool colon = false;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\r' && i + 1 < n && p[i + 1] == '\n') {
			p[i] = p[i + 1] = 0;
			i++;
			colon = false;
		} else if (p[i] == '\n') {
			p[i] = 0;
			colon = false;
		} else if (p[i] == ':' && !colon) {
			p[i] = 0;
			colon = true;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const hosts[] = {"localhost", NULL};
	struct http_head head;

	if (size < 1)
		return 0;
	char *copy = base_strndup((const char *)data + 1, size - 1);
	base_assert(copy);
	if (data[0] & 1)
		as_received((uint8_t *)copy, size - 1);
	if (http_head_read(copy, size - 1, &head) == HTTP_FINE) {
		size_t bytes = 4;
		for (size_t i = 0; i < head.n; i++) {
			base_assert(http_is_name(head.h[i].name) && http_is_value(head.h[i].value));
			bytes += head.h[i].name.n + head.h[i].value.n + 3;
		}
		base_assert(bytes <= size - 1);
		if (http_head_check(&head, data[0] & 2 ? hosts : NULL) == HTTP_FINE) {
			base_assert(http_head_find(&head, "HOST", NULL) == 1);
			base_assert(http_head_find(&head, "content-length", NULL) <= 1);
			base_assert(!(head.chunked && head.has_length));
		}
	}
	base_free(copy);
	return 0;
}
