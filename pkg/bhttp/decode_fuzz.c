/* Any bytes into the decoder, in two cuts. Both cuts must read the same, and what is taken must be
 * writable again and then read as the same. */
#include "pkg/base/err.h"
#include "pkg/bhttp/bhttp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MAX (1u << 20)

static int read_in(struct bhttp_decoder *d, struct str bytes, size_t step, struct buf *content)
{
	struct err err = {0};
	int r = 0;

	for (size_t at = 0; r == 0 && at < bytes.n; at += step)
		r = bhttp_decode(d, base_str_sub(bytes, at, at + step), content, &err);
	if (r == 0)
		r = bhttp_decode_end(d, &err);
	base_assert(r == 0 || err.class == ERR_INVALID || err.class == ERR_TOO_LARGE);
	return r;
}

static void again(struct bhttp_decoder *d, const struct buf *content)
{
	_cleanup_(base_buf_done) struct buf out = base_buf(MAX);
	_cleanup_(base_buf_done) struct buf got = base_buf(MAX);
	_cleanup_(bhttp_decoder_done) struct bhttp_decoder e = bhttp_decoder(d->response);
	struct bhttp_encoder w = {0};

	base_assert(bhttp_encode_head(&w, bhttp_decoded_head(d), &out, NULL) == 0);
	base_assert(bhttp_encode_content(&w, base_buf_str(content), &out, NULL) == 0);
	base_assert(bhttp_encode_end(&w, bhttp_decoded_trailers(d), &out, NULL) == 0);
	base_assert(read_in(&e, base_buf_str(&out), MAX, &got) == 0);
	base_assert(base_str_eq(base_buf_str(content), base_buf_str(&got)));
	base_assert(e.head.fields.n == d->head.fields.n && e.trailers.n == d->trailers.n);
	base_assert(e.head.status == d->head.status && base_str_eq(e.head.path, d->head.path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct str bytes = base_str_n(data, n);
	const bool response = n > 0 && (data[0] & 1);
	_cleanup_(bhttp_decoder_done) struct bhttp_decoder a = bhttp_decoder(response);
	_cleanup_(bhttp_decoder_done) struct bhttp_decoder b = bhttp_decoder(response);
	_cleanup_(base_buf_done) struct buf x = base_buf(MAX);
	_cleanup_(base_buf_done) struct buf y = base_buf(MAX);

	const int whole = read_in(&a, bytes, n + 1, &x);
	base_assert(whole == read_in(&b, bytes, 1, &y));
	if (whole == 0) {
		base_assert(base_str_eq(base_buf_str(&x), base_buf_str(&y)));
		again(&a, &x);
	}
	return 0;
}
