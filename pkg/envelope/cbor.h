/* Deterministic CBOR (RFC 8949, 4.2) as far as envelopes use it: one encoding for one value.
 *
 * Layer: envelope (base). The decoder is one pass over borrowed bytes, allocates nothing, and
 * refuses whatever is not of the one form: indefinite lengths, integers that are not shortest,
 * map keys that are not strictly ascending by their encoded bytes, floats, simple values, tags
 * (where none was asked for), text that is not UTF-8, and more than ENVELOPE_CBOR_DEPTH nested
 * containers. Lengths and counts are compared with the caller's limit before anything else.
 */
#ifndef ENVELOPE_CBOR_H
#define ENVELOPE_CBOR_H

#include "pkg/base/buf.h"
#include "pkg/envelope/reason.h"

#define ENVELOPE_CBOR_DEPTH 4

/* Encoders append; TOO_LARGE and NOMEM are the buffer's. Who writes a map writes its keys in
 * order. */
int envelope_cbor_put_int(struct buf *b, int64_t v, struct err *err) must_check;
int envelope_cbor_put_uint(struct buf *b, uint64_t v, struct err *err) must_check;
int envelope_cbor_put_bytes(struct buf *b, const void *p, size_t n, struct err *err) must_check;
int envelope_cbor_put_text(struct buf *b, struct str s, struct err *err) must_check;
int envelope_cbor_put_array(struct buf *b, uint64_t n, struct err *err) must_check;
int envelope_cbor_put_map(struct buf *b, uint64_t n, struct err *err) must_check;
int envelope_cbor_put_tag(struct buf *b, uint64_t n, struct err *err) must_check;
int envelope_cbor_put_nil(struct buf *b, struct err *err) must_check;
/* Only the head of a byte string of n bytes; the caller appends the bytes. */
int envelope_cbor_put_bytes_head(struct buf *b, uint64_t n, struct err *err) must_check;

struct envelope_cbor_frame {
	uint64_t left; /* items to come, keys and values each counted */
	bool map;
	struct str last; /* encoded bytes of the key before */
};

/* A reader. `partial`: bytes may be a prefix, so running out of them is MORE and not CBOR. */
struct envelope_cbor {
	const uint8_t *p;
	size_t n;
	size_t at;
	bool partial;
	size_t depth;
	struct envelope_cbor_frame frames[ENVELOPE_CBOR_DEPTH];
};

static inline struct envelope_cbor envelope_cbor(struct str bytes, bool partial)
{
	return (struct envelope_cbor){
		.p = (const uint8_t *)bytes.p, .n = bytes.n, .partial = partial};
}

/* The next item must be of the named type and within [min, max] (a value, a length, or a count);
 * CBOR if it is not deterministic, SHAPE if it is something else or smaller, SIZE if it is larger,
 * MORE. Slices are borrowed from the bytes. */
int envelope_cbor_uint(struct envelope_cbor *d, uint64_t max, uint64_t *ret, struct err *err)
	must_check;
int envelope_cbor_int(struct envelope_cbor *d, int64_t *ret, struct err *err) must_check;
int envelope_cbor_bytes(struct envelope_cbor *d, size_t min, size_t max, struct str *ret,
	struct err *err) must_check;
int envelope_cbor_text(struct envelope_cbor *d, size_t min, size_t max, struct str *ret,
	struct err *err) must_check;

/* Enters a container of min … max entries. The caller reads exactly that many (twice as many for a
 * map) and then calls envelope_cbor_leave, which is BUG otherwise. */
int envelope_cbor_array(
	struct envelope_cbor *d, size_t min, size_t max, size_t *ret, struct err *err) must_check;
int envelope_cbor_map(struct envelope_cbor *d, size_t min, size_t max, size_t *ret, struct err *err)
	must_check;
int envelope_cbor_leave(struct envelope_cbor *d, struct err *err) must_check;

/* Skips one item that is no container. */
int envelope_cbor_skip_flat(struct envelope_cbor *d, struct err *err) must_check;

/* Exactly this tag comes next; its content follows. Outside of containers only. */
int envelope_cbor_tag(struct envelope_cbor *d, uint64_t tag, struct err *err) must_check;

/* A byte string (its head only: *ret_len of at most max bytes; the bytes are not looked at) or
 * nil. For what follows a head in a stream. */
int envelope_cbor_bytes_head_or_nil(struct envelope_cbor *d, size_t max, bool *ret_nil,
	size_t *ret_len, struct err *err) must_check;

/* No byte is left. TRAILING. */
int envelope_cbor_end(const struct envelope_cbor *d, struct err *err) must_check;

/* Strict UTF-8 (no surrogates, no overlong forms, at most U+10FFFF) without control characters
 * (C0, DEL, C1). */
bool envelope_text_ok(struct str s);

#endif
