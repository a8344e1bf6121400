#include "pkg/base/buf.h"

#include "pkg/base/alloc.h"

#include <stdarg.h>
#include <stdio.h>

void base_buf_done(struct buf *b)
{
	if (!b)
		return;
	base_free(b->data);
	*b = base_buf(b->max);
}

int base_buf_room(struct buf *b, size_t n, uint8_t **ret_p, struct err *err)
{
	if (n > b->max || b->len > b->max - n)
		return FAIL(err, ERR_TOO_LARGE, "more than %zu bytes", b->max);
	const size_t need = b->len + n;
	if (need > b->cap || !b->data) {
		size_t cap = b->cap < 64 ? 64 : b->cap * 2;
		if (cap < need)
			cap = need;
		if (cap > b->max)
			cap = b->max;
		uint8_t *p = base_realloc(b->data, cap + 1);
		if (!p)
			return FAIL(err, ERR_NOMEM, "buffer of %zu bytes", cap);
		b->data = p;
		b->cap = cap;
	}
	b->data[need] = 0;
	*ret_p = b->data + b->len;
	return 0;
}

void base_buf_added(struct buf *b, size_t n)
{
	base_assert(n <= b->cap - b->len);
	b->len += n;
	b->data[b->len] = 0;
}

int base_buf_add(struct buf *b, const void *p, size_t n, struct err *err)
{
	uint8_t *to = NULL;

	TRY(base_buf_room(b, n, &to, err));
	if (n)
		memcpy(to, p, n);
	base_buf_added(b, n);
	return 0;
}

int base_buf_add_str(struct buf *b, struct str s, struct err *err)
{
	return base_buf_add(b, s.p, s.n, err);
}

int base_buf_add_byte(struct buf *b, uint8_t byte, struct err *err)
{
	return base_buf_add(b, &byte, 1, err);
}

int base_buf_addf(struct buf *b, struct err *err, const char *fmt, ...)
{
	va_list ap;
	uint8_t *to = NULL;

	va_start(ap, fmt);
	const int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return FAIL(err, ERR_BUG, "format '%s'", fmt);
	TRY(base_buf_room(b, (size_t)n, &to, err));
	va_start(ap, fmt);
	(void)vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	base_buf_added(b, (size_t)n);
	return 0;
}

void base_buf_consume(struct buf *b, size_t n)
{
	base_assert(n <= b->len);
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	b->data[b->len] = 0;
}
