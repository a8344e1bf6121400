/* A growable byte buffer that cannot exist without a maximum. Layer: base.
 *
 * Invariants: len <= cap <= max; data is NULL or holds cap bytes, and after every add one further
 * byte that is NUL, so that text can be read as a C string. Not for secrets.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "pkg/base/cleanup.h"
#include "pkg/base/str.h"

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max;
};

/* An empty buffer that holds at most max bytes. Allocates nothing. */
static inline struct buf base_buf(size_t max)
{
	return (struct buf){.max = max};
}

/* Frees; the buffer is then empty with the same maximum. NULL-safe, repeatable. */
void base_buf_done(struct buf *b);
CLEANUP_DONE(struct buf, base_buf_done);

/* Empty, memory kept. */
static inline void base_buf_clear(struct buf *b)
{
	b->len = 0;
}

/* Appends. TOO_LARGE past the maximum, NOMEM; the buffer is unchanged then. */
int base_buf_add(struct buf *b, const void *p, size_t n, struct err *err) must_check;
int base_buf_add_str(struct buf *b, struct str s, struct err *err) must_check;
int base_buf_add_byte(struct buf *b, uint8_t byte, struct err *err) must_check;
base_printf_like(3, 4) int base_buf_addf(struct buf *b, struct err *err, const char *fmt, ...)
	must_check;

/* Room for n more bytes: *ret_p is where they go, then base_buf_added(b, n). Valid until the next
 * call on b. */
int base_buf_room(struct buf *b, size_t n, uint8_t **ret_p, struct err *err) must_check;
void base_buf_added(struct buf *b, size_t n);

/* Removes n bytes from the front. */
void base_buf_consume(struct buf *b, size_t n);

/* Borrowed until the next call on b. */
static inline struct str base_buf_str(const struct buf *b)
{
	return base_str_n(b->data, b->len);
}

#endif
