/* The frame: split anywhere, the same documents come out; an object is what was fed, byte by byte.
 * The first byte chooses the form and where to split. */
#include "pkg/base/alloc.h"
#include "pkg/kube/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that comes out: heads, objects, and how it ended. */
static int split(
	enum kube_frame_form form, const uint8_t *p, size_t n, size_t piece, struct buf *out)
{
	_cleanup_(kube_frame_done) struct kube_frame f;
	struct kube_frame_doc doc;

	kube_frame_init(&f, form);
	for (size_t at = 0; at < n; at += piece) {
		const size_t len = n - at < piece ? n - at : piece;
		char *copy = base_strndup((const char *)p + at, len);
		int r = 0;
		kube_frame_feed(&f, copy, len);
		for (bool more = true; more && r == 0;) {
			r = kube_frame_next(&f, &doc, &more, NULL);
			if (r == 0 && more) {
				base_assert(base_buf_add_str(out, doc.head, NULL) == 0);
				base_assert(base_buf_add_str(out, STR("|"), NULL) == 0);
				base_assert(base_buf_add_str(out, doc.object, NULL) == 0);
				base_assert(base_buf_add_str(out, STR("\n"), NULL) == 0);
				base_assert(doc.object.n == 0 ||
					    memmem(p, n, doc.object.p, doc.object.n));
			}
		}
		memset(copy, '#', len);
		base_free(copy);
		if (r < 0)
			return r;
	}
	return kube_frame_end(&f, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(base_buf_done) struct buf whole = base_buf(16 << 20), parts = base_buf(16 << 20);

	if (size < 2)
		return 0;
	const enum kube_frame_form form = data[0] & 1 ? KUBE_FRAME_LIST : KUBE_FRAME_EVENTS;
	const size_t piece = 1 + (data[0] >> 1);
	const int a = split(form, data + 1, size - 1, size, &whole);
	const int b = split(form, data + 1, size - 1, piece, &parts);
	base_assert(a == b);
	base_assert(base_str_eq(base_buf_str(&whole), base_buf_str(&parts)));
	return 0;
}
