#include "pkg/envelope/cbor.h"

/* The upper three bits of an item's first byte. */
enum major {
	MAJOR_UINT,
	MAJOR_NEGATIVE,
	MAJOR_BYTES,
	MAJOR_TEXT,
	MAJOR_ARRAY,
	MAJOR_MAP,
	MAJOR_TAG,
	MAJOR_OTHER,
};

#define NIL_BYTE 0xf6

struct head {
	enum major major;
	uint64_t value;
	size_t start;
};

/* Counts the item that began at `start` as read; in the place of a key it must be greater than the
 * key before. Keys of equal bytes are refused by the same comparison. */
static int item_done(struct envelope_cbor *d, size_t start, struct err *err)
{
	if (d->depth == 0)
		return 0;
	struct envelope_cbor_frame *f = &d->frames[d->depth - 1];
	if (f->map && f->left % 2 == 0) {
		const struct str key = base_str_n(d->p + start, d->at - start);
		if (f->last.p && base_str_cmp(f->last, key) >= 0)
			return REFUSE(err, CBOR, "map keys are not strictly ascending");
		f->last = key;
	}
	f->left--;
	return 0;
}

static int short_of(const struct envelope_cbor *d, struct err *err)
{
	if (d->partial)
		return REFUSE(err, MORE, "the head is not complete");
	return REFUSE(err, CBOR, "ends in the middle of an item");
}

static int place(const struct envelope_cbor *d, struct err *err)
{
	if (d->depth > 0 && d->frames[d->depth - 1].left == 0)
		return FAIL(err, ERR_BUG, "read past the end of a container");
	return 0;
}

/* The argument of a head: in the first byte, or the shortest of 1, 2, 4, 8 bytes behind it. */
static int head_value(struct envelope_cbor *d, unsigned info, uint64_t *ret_value, struct err *err)
{
	static const uint64_t least[] = {24, 1u << 8, 1u << 16, 1ull << 32};

	if (info < 24) {
		*ret_value = info;
		return 0;
	}
	if (info == 31)
		return REFUSE(err, CBOR, "indefinite length");
	if (info > 27)
		return REFUSE(err, CBOR, "reserved head");
	const size_t n = (size_t)1 << (info - 24);
	if (d->n - d->at < n)
		return short_of(d, err);
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | d->p[d->at + i];
	if (v < least[info - 24])
		return REFUSE(err, CBOR, "not the shortest form");
	d->at += n;
	*ret_value = v;
	return 0;
}

static int head(struct envelope_cbor *d, struct head *ret, struct err *err)
{
	TRY(place(d, err));
	if (d->at >= d->n)
		return short_of(d, err);
	const size_t start = d->at++;
	const uint8_t first = d->p[start];
	const enum major major = (enum major)(first >> 5);
	uint64_t value = 0;
	if (major == MAJOR_OTHER)
		return REFUSE(err, CBOR, "float or simple value");
	TRY(head_value(d, first & 31u, &value, err));
	*ret = (struct head){.major = major, .value = value, .start = start};
	return 0;
}

static int head_of(struct envelope_cbor *d, enum major want, struct head *ret, struct err *err)
{
	struct head h = {0};

	TRY(head(d, &h, err));
	if (h.major == MAJOR_TAG && want != MAJOR_TAG)
		return REFUSE(err, CBOR, "unexpected tag");
	if (h.major != want)
		return REFUSE(err, SHAPE, "an item has another type");
	*ret = h;
	return 0;
}

/* A size that is fixed is part of the structure, one that has a maximum is a limit. */
static int within(uint64_t v, size_t min, size_t max, struct err *err)
{
	if (v < min || (v > max && min == max))
		return REFUSE(err, SHAPE, "an item has another size");
	if (v > max)
		return REFUSE(err, SIZE, "an item is larger than its limit");
	return 0;
}

int envelope_cbor_uint(struct envelope_cbor *d, uint64_t max, uint64_t *ret, struct err *err)
{
	struct head h = {0};

	TRY(head_of(d, MAJOR_UINT, &h, err));
	if (h.value > max)
		return REFUSE(err, SHAPE, "a number is out of range");
	TRY(item_done(d, h.start, err));
	*ret = h.value;
	return 0;
}

int envelope_cbor_int(struct envelope_cbor *d, int64_t *ret, struct err *err)
{
	struct head h = {0};

	TRY(head(d, &h, err));
	if (h.major != MAJOR_UINT && h.major != MAJOR_NEGATIVE)
		return REFUSE(err, SHAPE, "not a number");
	if (h.value > INT64_MAX)
		return REFUSE(err, SHAPE, "a number is out of range");
	TRY(item_done(d, h.start, err));
	*ret = h.major == MAJOR_UINT ? (int64_t)h.value : -1 - (int64_t)h.value;
	return 0;
}

static int string(struct envelope_cbor *d, const struct head *h, struct str *ret, struct err *err)
{
	if (d->n - d->at < h->value)
		return short_of(d, err);
	const struct str s = base_str_n(d->p + d->at, (size_t)h->value);
	if (h->major == MAJOR_TEXT && !envelope_text_ok(s))
		return REFUSE(err, CBOR, "text is not UTF-8 or has control characters");
	d->at += s.n;
	TRY(item_done(d, h->start, err));
	*ret = s;
	return 0;
}

int envelope_cbor_bytes(
	struct envelope_cbor *d, size_t min, size_t max, struct str *ret, struct err *err)
{
	struct head h = {0};

	TRY(head_of(d, MAJOR_BYTES, &h, err));
	TRY(within(h.value, min, max, err));
	return string(d, &h, ret, err);
}

int envelope_cbor_text(
	struct envelope_cbor *d, size_t min, size_t max, struct str *ret, struct err *err)
{
	struct head h = {0};

	TRY(head_of(d, MAJOR_TEXT, &h, err));
	TRY(within(h.value, min, max, err));
	return string(d, &h, ret, err);
}

/* The container is one item of its parent from here on, and its parent's next item comes after
 * envelope_cbor_leave. No map of ours has a container as key. */
static int enter(struct envelope_cbor *d, const struct head *h, struct err *err)
{
	if (d->depth == ENVELOPE_CBOR_DEPTH)
		return REFUSE(err, CBOR, "nested too deep");
	if (d->depth > 0) {
		struct envelope_cbor_frame *parent = &d->frames[d->depth - 1];
		if (parent->map && parent->left % 2 == 0)
			return REFUSE(err, SHAPE, "a key is a container");
		parent->left--;
	}
	const bool map = h->major == MAJOR_MAP;
	d->frames[d->depth++] =
		(struct envelope_cbor_frame){.left = map ? 2 * h->value : h->value, .map = map};
	return 0;
}

int envelope_cbor_array(
	struct envelope_cbor *d, size_t min, size_t max, size_t *ret, struct err *err)
{
	struct head h = {0};

	TRY(head_of(d, MAJOR_ARRAY, &h, err));
	TRY(within(h.value, min, max, err));
	TRY(enter(d, &h, err));
	*ret = (size_t)h.value;
	return 0;
}

int envelope_cbor_map(struct envelope_cbor *d, size_t min, size_t max, size_t *ret, struct err *err)
{
	struct head h = {0};

	TRY(head_of(d, MAJOR_MAP, &h, err));
	TRY(within(h.value, min, max, err));
	TRY(enter(d, &h, err));
	*ret = (size_t)h.value;
	return 0;
}

int envelope_cbor_leave(struct envelope_cbor *d, struct err *err)
{
	if (d->depth == 0 || d->frames[d->depth - 1].left != 0)
		return FAIL(err, ERR_BUG, "left a container before its end");
	d->depth--;
	return 0;
}

int envelope_cbor_skip_flat(struct envelope_cbor *d, struct err *err)
{
	struct head h = {0};
	struct str ignored = STR_NULL;

	TRY(head(d, &h, err));
	switch (h.major) {
	case MAJOR_UINT:
	case MAJOR_NEGATIVE:
		return item_done(d, h.start, err);
	case MAJOR_BYTES:
	case MAJOR_TEXT:
		return string(d, &h, &ignored, err);
	case MAJOR_ARRAY:
	case MAJOR_MAP:
		return REFUSE(err, CBOR, "nested too deep");
	case MAJOR_TAG:
	case MAJOR_OTHER:
		break;
	}
	return REFUSE(err, CBOR, "unexpected tag");
}

int envelope_cbor_tag(struct envelope_cbor *d, uint64_t tag, struct err *err)
{
	struct head h = {0};

	if (d->depth != 0)
		return FAIL(err, ERR_BUG, "a tag inside of a container");
	TRY(head_of(d, MAJOR_TAG, &h, err));
	if (h.value != tag)
		return REFUSE(err, SHAPE, "another tag");
	return 0;
}

int envelope_cbor_bytes_head_or_nil(
	struct envelope_cbor *d, size_t max, bool *ret_nil, size_t *ret_len, struct err *err)
{
	struct head h = {.start = d->at};

	TRY(place(d, err));
	const bool nil = d->at < d->n && d->p[d->at] == NIL_BYTE;
	if (nil) {
		d->at++;
	} else {
		TRY(head_of(d, MAJOR_BYTES, &h, err));
		TRY(within(h.value, 0, max, err));
	}
	TRY(item_done(d, h.start, err));
	*ret_nil = nil;
	*ret_len = (size_t)h.value;
	return 0;
}

int envelope_cbor_end(const struct envelope_cbor *d, struct err *err)
{
	if (d->at != d->n)
		return REFUSE(err, TRAILING, "bytes after the last item");
	return 0;
}

static int put_head(struct buf *b, enum major major, uint64_t v, struct err *err)
{
	uint8_t p[9];
	size_t n = 0;

	if (v >= 24)
		n = v <= UINT8_MAX ? 1 : v <= UINT16_MAX ? 2 : v <= UINT32_MAX ? 4 : 8;
	const unsigned info = n == 0 ? (unsigned)v : 24u + (unsigned)__builtin_ctz((unsigned)n);
	p[0] = (uint8_t)((unsigned)major << 5 | info);
	for (size_t i = 0; i < n; i++)
		p[1 + i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	return base_buf_add(b, p, 1 + n, err);
}

int envelope_cbor_put_uint(struct buf *b, uint64_t v, struct err *err)
{
	return put_head(b, MAJOR_UINT, v, err);
}

int envelope_cbor_put_int(struct buf *b, int64_t v, struct err *err)
{
	if (v < 0)
		return put_head(b, MAJOR_NEGATIVE, (uint64_t)(-1 - v), err);
	return put_head(b, MAJOR_UINT, (uint64_t)v, err);
}

int envelope_cbor_put_bytes_head(struct buf *b, uint64_t n, struct err *err)
{
	return put_head(b, MAJOR_BYTES, n, err);
}

int envelope_cbor_put_bytes(struct buf *b, const void *p, size_t n, struct err *err)
{
	TRY(put_head(b, MAJOR_BYTES, n, err));
	return base_buf_add(b, p, n, err);
}

int envelope_cbor_put_text(struct buf *b, struct str s, struct err *err)
{
	TRY(put_head(b, MAJOR_TEXT, s.n, err));
	return base_buf_add_str(b, s, err);
}

int envelope_cbor_put_array(struct buf *b, uint64_t n, struct err *err)
{
	return put_head(b, MAJOR_ARRAY, n, err);
}

int envelope_cbor_put_map(struct buf *b, uint64_t n, struct err *err)
{
	return put_head(b, MAJOR_MAP, n, err);
}

int envelope_cbor_put_tag(struct buf *b, uint64_t n, struct err *err)
{
	return put_head(b, MAJOR_TAG, n, err);
}

int envelope_cbor_put_nil(struct buf *b, struct err *err)
{
	return base_buf_add_byte(b, NIL_BYTE, err);
}
