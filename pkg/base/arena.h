/* Memory of one reconcile or one request: many allocations, one free. Layer: base.
 *
 * Objects in an arena have no free of their own and nothing that lives longer points into one.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "pkg/base/cleanup.h"
#include "pkg/base/str.h"

struct arena;

/* An arena that gives out at most max bytes in all. The caller owns it. NOMEM. */
int base_arena_new(size_t max, struct arena **ret_arena, struct err *err) must_check;

/* NULL is fine. Returns NULL. */
struct arena *base_arena_free(struct arena *a);
CLEANUP_FREE(struct arena, base_arena_free);

/* Forgets everything that was given out and keeps one block for the next use. */
void base_arena_clear(struct arena *a);

/* Zeroed memory, aligned for any type. TOO_LARGE past the maximum, NOMEM. */
int base_arena_alloc(struct arena *a, size_t n, size_t size, void **ret_p, struct err *err)
	must_check;

/* A NUL-terminated copy. */
int base_arena_str(struct arena *a, struct str s, struct str *ret_s, struct err *err) must_check;

/* The formatted text, as base_arena_str. BUG for a format that is none. */
base_printf_like(4, 5) int base_arena_printf(
	struct arena *a, struct str *ret_s, struct err *err, const char *fmt, ...) must_check;

#endif
