#include "pkg/bhttp/impl.h"

/* An integer as QUIC writes it (RFC 9000, 16), in its shortest form. */
static int put_varint(struct buf *b, uint64_t v, struct err *err)
{
	const unsigned log = v < 0x40 ? 0 : v < 0x4000 ? 1 : v < 0x40000000 ? 2 : 3;
	const size_t n = (size_t)1 << log;
	uint8_t bytes[8];

	if (v > BHTTP_VARINT_MAX)
		return FAIL(err, ERR_TOO_LARGE, "a length past 2^62");
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	bytes[0] |= (uint8_t)(log << 6);
	return base_buf_add(b, bytes, n, err);
}

static size_t varint_size(uint64_t v)
{
	return v < 0x40 ? 1 : v < 0x4000 ? 2 : v < 0x40000000 ? 4 : 8;
}

static int put_text(struct buf *b, struct str s, struct err *err)
{
	TRY(put_varint(b, s.n, err));
	return base_buf_add_str(b, s, err);
}

static size_t fields_size(const struct bhttp_fields *fields)
{
	size_t n = 0;

	for (size_t i = 0; i < fields->n; i++) {
		const struct bhttp_field *f = &fields->v[i];
		n += varint_size(f->name.n) + f->name.n + varint_size(f->value.n) + f->value.n;
	}
	return n;
}

static int put_fields(struct buf *b, const struct bhttp_fields *fields, bool known, struct err *err)
{
	if (known)
		TRY(put_varint(b, fields->n ? fields_size(fields) : 0, err));
	for (size_t i = 0; i < fields->n; i++) {
		TRY(put_text(b, fields->v[i].name, err));
		TRY(put_text(b, fields->v[i].value, err));
	}
	return known ? 0 : base_buf_add_byte(b, 0, err);
}

static int put_head(const struct bhttp_head *head, struct buf *out, struct err *err)
{
	const bool known = head->has_length;

	if (head->response) {
		TRY(base_buf_add_byte(
			out, known ? BHTTP_KNOWN_RESPONSE : BHTTP_CHUNKED_RESPONSE, err));
		TRY(put_varint(out, head->status, err));
	} else {
		TRY(base_buf_add_byte(
			out, known ? BHTTP_KNOWN_REQUEST : BHTTP_CHUNKED_REQUEST, err));
		TRY(put_text(out, head->method, err));
		TRY(put_text(out, head->scheme, err));
		TRY(put_text(out, head->authority, err));
		TRY(put_text(out, head->path, err));
	}
	TRY(put_fields(out, &head->fields, known, err));
	return known ? put_varint(out, head->length, err) : 0;
}

int bhttp_encode_head(
	struct bhttp_encoder *e, const struct bhttp_head *head, struct buf *out, struct err *err)
{
	const size_t start = out->len;

	TRY(bhttp_head_check(head, err));
	int r = put_head(head, out, err);
	if (r == 0 && out->len - start > BHTTP_HEAD_MAX)
		r = FAIL(err, ERR_TOO_LARGE, "a head of %zu bytes", out->len - start);
	if (r < 0) {
		out->len = start;
		return r;
	}
	*e = (struct bhttp_encoder){.begun = true,
		.known = head->has_length,
		.left = head->has_length ? head->length : 0};
	return 0;
}

int bhttp_encode_content(
	struct bhttp_encoder *e, struct str bytes, struct buf *out, struct err *err)
{
	const size_t start = out->len;

	if (!e->begun || e->ended)
		return FAIL(err, ERR_BUG, "content outside of a message");
	if (bytes.n == 0)
		return 0;
	if (e->known && bytes.n > e->left)
		return FAIL(err, ERR_INVALID, "more content than announced");
	int r = e->known ? 0 : put_varint(out, bytes.n, err);
	if (r == 0)
		r = base_buf_add_str(out, bytes, err);
	if (r < 0) {
		out->len = start;
		return r;
	}
	e->left -= e->known ? bytes.n : 0;
	return 0;
}

int bhttp_encode_end(struct bhttp_encoder *e, const struct bhttp_fields *trailers, struct buf *out,
	struct err *err)
{
	static const struct bhttp_fields none = {0};
	const size_t start = out->len;

	if (!e->begun || e->ended)
		return FAIL(err, ERR_BUG, "the end of no message");
	if (e->known && e->left > 0)
		return FAIL(err, ERR_INVALID, "less content than announced");
	if (!trailers)
		trailers = &none;
	TRY(bhttp_fields_check(trailers, NULL, NULL, err));
	int r = e->known ? 0 : base_buf_add_byte(out, 0, err);
	if (r == 0)
		r = put_fields(out, trailers, e->known, err);
	if (r == 0 && out->len - start > BHTTP_TRAILERS_MAX)
		r = FAIL(err, ERR_TOO_LARGE, "a trailer section of %zu bytes", out->len - start);
	if (r < 0) {
		out->len = start;
		return r;
	}
	e->ended = true;
	return 0;
}
