#include "pkg/bhttp/impl.h"

#include "pkg/base/secret.h"

#define MORE 1 /* the bytes so far are a correct beginning that is too short */

enum state {
	HEAD,
	LENGTH, /* of the content or of a chunk */
	CONTENT,
	TRAILERS,
	PADDING,
	DEAD
};

/* A reader of bytes that may be a beginning. */
struct cursor {
	const uint8_t *p;
	size_t n, at;
};

/* Bytes of the integer that begins with this one. */
static size_t varint_len(uint8_t first)
{
	return (size_t)1 << (first >> 6);
}

static uint64_t varint(const uint8_t *p)
{
	const size_t n = varint_len(p[0]);
	uint64_t v = p[0] & 0x3f;

	for (size_t i = 1; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static int read_varint(struct cursor *c, uint64_t *ret_v)
{
	if (c->at == c->n || c->n - c->at < varint_len(c->p[c->at]))
		return MORE;
	*ret_v = varint(c->p + c->at);
	c->at += varint_len(c->p[c->at]);
	return 0;
}

/* A length and as many bytes. A length that the section cannot hold is refused at once. */
static int read_text(struct cursor *c, size_t max, struct str *ret_s, struct err *err)
{
	uint64_t n = 0;

	if (read_varint(c, &n) == MORE)
		return MORE;
	if (n > max)
		return FAIL(err, ERR_TOO_LARGE, "a text of %llu bytes", (unsigned long long)n);
	if (c->n - c->at < n)
		return MORE;
	*ret_s = base_str_n(c->p + c->at, (size_t)n);
	c->at += (size_t)n;
	return 0;
}

static int read_field(
	struct cursor *c, struct str name, size_t max, struct bhttp_fields *fields, struct err *err)
{
	struct str value = STR_NULL;
	const int r = read_text(c, max, &value, err);

	return r ? r : bhttp_fields_add(fields, name, value, err);
}

/* Field lines up to their terminator, an empty name. */
static int read_chunked_fields(
	struct cursor *c, size_t max, struct bhttp_fields *fields, struct err *err)
{
	for (;;) {
		struct str name = STR_NULL;
		int r = read_text(c, max, &name, err);
		if (r || name.n == 0)
			return r;
		r = read_field(c, name, max, fields, err);
		if (r)
			return r;
	}
}

static int read_known_fields(
	struct cursor *c, size_t max, struct bhttp_fields *fields, struct err *err)
{
	struct str section = STR_NULL;
	int r = read_text(c, max, &section, err);

	if (r)
		return r;
	struct cursor in = {.p = (const uint8_t *)section.p, .n = section.n};
	while (in.at < in.n) {
		struct str name = STR_NULL;
		r = read_text(&in, max, &name, err);
		if (r == 0)
			r = read_field(&in, name, max, fields, err);
		if (r == MORE)
			return FAIL(err, ERR_INVALID, "a field line runs past its section");
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_fields(
	struct cursor *c, bool chunked, size_t max, struct bhttp_fields *fields, struct err *err)
{
	fields->n = 0;
	return chunked ? read_chunked_fields(c, max, fields, err)
		       : read_known_fields(c, max, fields, err);
}

static int read_request_control(struct cursor *c, struct bhttp_head *h, struct err *err)
{
	int r = read_text(c, BHTTP_METHOD_MAX, &h->method, err);

	if (r == 0)
		r = read_text(c, BHTTP_METHOD_MAX, &h->scheme, err);
	if (r == 0)
		r = read_text(c, BHTTP_TARGET_MAX, &h->authority, err);
	return r ? r : read_text(c, BHTTP_TARGET_MAX, &h->path, err);
}

/* The final status: informational responses before it are read and dropped. */
static int read_status(struct cursor *c, bool chunked, struct bhttp_head *h, struct err *err)
{
	for (;;) {
		uint64_t status = 0;
		if (read_varint(c, &status) == MORE)
			return MORE;
		if (status < 100 || status > 599 || status == 101)
			return FAIL(err, ERR_INVALID, "not a status");
		h->status = (unsigned)status;
		if (status >= 200)
			return 0;
		const int r = read_fields(c, chunked, BHTTP_HEAD_MAX, &h->fields, err);
		if (r)
			return r;
	}
}

static int read_head(struct bhttp_decoder *d, struct cursor *c, struct err *err)
{
	struct bhttp_head *h = &d->head;
	uint64_t framing = 0;

	*h = (struct bhttp_head){.response = d->response, .to_head = d->to_head};
	if (read_varint(c, &framing) == MORE)
		return MORE;
	if (framing > BHTTP_CHUNKED_RESPONSE || (framing & 1) != d->response)
		return FAIL(err, ERR_INVALID, "not the framing of a %s",
			d->response ? "response" : "request");
	d->chunked = framing >= BHTTP_CHUNKED_REQUEST;
	int r = d->response ? read_status(c, d->chunked, h, err) : read_request_control(c, h, err);
	if (r == 0)
		r = read_fields(c, d->chunked, BHTTP_HEAD_MAX, &h->fields, err);
	return r;
}

struct bhttp_decoder bhttp_decoder(bool response)
{
	return (struct bhttp_decoder){.response = response,
		.in = base_buf(BHTTP_HEAD_MAX),
		.tail = base_buf(BHTTP_TRAILERS_MAX)};
}

void bhttp_decoder_done(struct bhttp_decoder *d)
{
	base_buf_wipe(&d->in);
	base_buf_wipe(&d->tail);
}

/* Moves as much of *bytes into b as fits below its maximum. */
static int collect(struct buf *b, struct str bytes, size_t *ret_n, struct err *err)
{
	const size_t room = b->max - b->len;

	*ret_n = bytes.n < room ? bytes.n : room;
	return base_buf_add(b, bytes.p, *ret_n, err);
}

/* Each of the following takes *ret_n of the bytes. */

static int take_head(struct bhttp_decoder *d, struct str bytes, size_t *ret_n, struct err *err)
{
	const size_t before = d->in.len;

	TRY(collect(&d->in, bytes, ret_n, err));
	struct cursor c = {.p = d->in.data, .n = d->in.len};
	const int r = read_head(d, &c, err);
	if (r < 0)
		return r;
	if (r == MORE && d->in.len == d->in.max)
		return FAIL(err, ERR_TOO_LARGE, "a head of more than %d bytes", BHTTP_HEAD_MAX);
	if (r == MORE)
		return 0;
	/* What came behind the head is read again, as what it is. */
	*ret_n = c.at - before;
	d->in.len = c.at;
	TRY(bhttp_head_check(&d->head, err));
	TRY(bhttp_fields_check(&d->head.fields, &d->states_length, &d->stated, err));
	d->has_head = d->chunked;
	d->state = LENGTH;
	return 0;
}

static int set_length(struct bhttp_decoder *d, uint64_t n, struct err *err)
{
	if (n > BHTTP_CONTENT_MAX - d->content)
		return FAIL(err, ERR_TOO_LARGE, "content of that length");
	d->left = n;
	if (!d->chunked) {
		d->head.has_length = true;
		d->head.length = n;
		d->has_head = true;
		TRY(bhttp_head_check(&d->head, err));
	}
	d->state = n > 0 ? CONTENT : TRAILERS;
	return 0;
}

static int take_length(struct bhttp_decoder *d, struct str bytes, size_t *ret_n, struct err *err)
{
	*ret_n = 1;
	TRY(base_buf_add(&d->tail, bytes.p, 1, err));
	if (d->tail.len < varint_len(d->tail.data[0]))
		return 0;
	const uint64_t n = varint(d->tail.data);
	base_buf_clear(&d->tail);
	return set_length(d, n, err);
}

static int take_content(struct bhttp_decoder *d, struct str bytes, size_t *ret_n,
	struct buf *content, struct err *err)
{
	*ret_n = bytes.n < d->left ? bytes.n : (size_t)d->left;
	TRY(base_buf_add(content, bytes.p, *ret_n, err));
	d->left -= *ret_n;
	d->content += *ret_n;
	if (d->left == 0)
		d->state = d->chunked ? LENGTH : TRAILERS;
	return 0;
}

static int take_trailers(struct bhttp_decoder *d, struct str bytes, size_t *ret_n, struct err *err)
{
	const size_t before = d->tail.len;

	TRY(collect(&d->tail, bytes, ret_n, err));
	struct cursor c = {.p = d->tail.data, .n = d->tail.len};
	const int r = read_fields(&c, d->chunked, BHTTP_TRAILERS_MAX, &d->trailers, err);
	if (r < 0)
		return r;
	if (r == MORE && d->tail.len == d->tail.max)
		return FAIL(
			err, ERR_TOO_LARGE, "trailers of more than %d bytes", BHTTP_TRAILERS_MAX);
	if (r == MORE)
		return 0;
	*ret_n = c.at - before;
	d->tail.len = c.at;
	d->state = PADDING;
	return bhttp_fields_check(&d->trailers, NULL, NULL, err);
}

static int take_padding(struct str bytes, size_t *ret_n, struct err *err)
{
	*ret_n = bytes.n;
	for (size_t i = 0; i < bytes.n; i++)
		if (bytes.p[i])
			return FAIL(err, ERR_INVALID, "bytes behind the end of the message");
	return 0;
}

static int take(struct bhttp_decoder *d, struct str bytes, size_t *ret_n, struct buf *content,
	struct err *err)
{
	switch ((enum state)d->state) {
	case HEAD:
		return take_head(d, bytes, ret_n, err);
	case LENGTH:
		return take_length(d, bytes, ret_n, err);
	case CONTENT:
		return take_content(d, bytes, ret_n, content, err);
	case TRAILERS:
		return take_trailers(d, bytes, ret_n, err);
	case PADDING:
		return take_padding(bytes, ret_n, err);
	case DEAD:
		break;
	}
	return FAIL(err, ERR_BUG, "a decoder that failed before");
}

int bhttp_decode(struct bhttp_decoder *d, struct str bytes, struct buf *content, struct err *err)
{
	while (bytes.n > 0) {
		size_t n = 0;
		const int r = take(d, bytes, &n, content, err);
		if (r < 0) {
			d->state = DEAD;
			return r;
		}
		bytes = base_str_sub(bytes, n, bytes.n);
	}
	return 0;
}

/* RFC 9292, 3.8: empty content and trailers at the end may be left out. */
static bool may_end(const struct bhttp_decoder *d)
{
	if (d->state == LENGTH)
		return d->tail.len == 0 && d->content == 0;
	return d->state == PADDING || (d->state == TRAILERS && d->tail.len == 0);
}

int bhttp_decode_end(struct bhttp_decoder *d, struct err *err)
{
	if (d->state == DEAD)
		return FAIL(err, ERR_BUG, "a decoder that failed before");
	const bool good = may_end(d);
	if (good && d->state == LENGTH && !d->chunked)
		TRY(set_length(d, 0, err));
	d->state = DEAD;
	if (!good)
		return FAIL(err, ERR_INVALID, "the message ends too early");
	if (d->to_head && d->content > 0)
		return FAIL(err, ERR_INVALID, "an answer to HEAD with content");
	if (!d->to_head && d->states_length && d->stated != d->content)
		return FAIL(err, ERR_INVALID, "Content-Length is not the content's length");
	return 0;
}

const struct bhttp_head *bhttp_decoded_head(const struct bhttp_decoder *d)
{
	return d->has_head ? &d->head : NULL;
}

const struct bhttp_fields *bhttp_decoded_trailers(const struct bhttp_decoder *d)
{
	return &d->trailers;
}
