#include "pkg/base/arena.h"

#include "pkg/base/alloc.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#define BLOCK_MIN 4096

struct block {
	struct block *next;
	size_t used;
	size_t cap;
	alignas(max_align_t) uint8_t data[];
};

struct arena {
	struct block *blocks; /* newest first */
	size_t used;
	size_t max;
};

int base_arena_new(size_t max, struct arena **ret_arena, struct err *err)
{
	struct arena *a = base_alloc(1, sizeof(*a));

	if (!a)
		return FAIL(err, ERR_NOMEM, "arena");
	a->max = max;
	*ret_arena = a;
	return 0;
}

static void free_blocks(struct block *b)
{
	while (b) {
		struct block *next = b->next;
		base_free(b);
		b = next;
	}
}

struct arena *base_arena_free(struct arena *a)
{
	if (a)
		free_blocks(a->blocks);
	base_free(a);
	return NULL;
}

void base_arena_clear(struct arena *a)
{
	if (a->blocks) {
		free_blocks(a->blocks->next);
		a->blocks->next = NULL;
		a->blocks->used = 0;
	}
	a->used = 0;
}

static int add_block(struct arena *a, size_t need, struct err *err)
{
	const size_t cap = need > BLOCK_MIN ? need : BLOCK_MIN;
	struct block *b = base_alloc(1, sizeof(*b) + cap);

	if (!b)
		return FAIL(err, ERR_NOMEM, "arena block of %zu bytes", cap);
	b->cap = cap;
	b->next = a->blocks;
	a->blocks = b;
	return 0;
}

int base_arena_alloc(struct arena *a, size_t n, size_t size, void **ret_p, struct err *err)
{
	size_t need = 0;

	if (__builtin_mul_overflow(n, size, &need) ||
		__builtin_add_overflow(need, alignof(max_align_t) - 1, &need))
		return FAIL(err, ERR_TOO_LARGE, "%zu objects of %zu bytes", n, size);
	need &= ~(alignof(max_align_t) - 1);
	if (need > a->max - a->used)
		return FAIL(err, ERR_TOO_LARGE, "arena of %zu bytes is full", a->max);
	if (!a->blocks || need > a->blocks->cap - a->blocks->used)
		TRY(add_block(a, need, err));
	struct block *b = a->blocks;
	void *p = b->data + b->used;
	memset(p, 0, need);
	b->used += need;
	a->used += need;
	*ret_p = p;
	return 0;
}

int base_arena_str(struct arena *a, struct str s, struct str *ret_s, struct err *err)
{
	void *p = NULL;

	TRY(base_arena_alloc(a, s.n + 1, 1, &p, err));
	if (s.n)
		memcpy(p, s.p, s.n);
	*ret_s = base_str_n(p, s.n);
	return 0;
}

int base_arena_printf(struct arena *a, struct str *ret_s, struct err *err, const char *fmt, ...)
{
	va_list ap;
	void *p = NULL;

	va_start(ap, fmt);
	const int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return FAIL(err, ERR_BUG, "format '%s'", fmt);
	TRY(base_arena_alloc(a, (size_t)n + 1, 1, &p, err));
	va_start(ap, fmt);
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	*ret_s = base_str_n(p, (size_t)n);
	return 0;
}
