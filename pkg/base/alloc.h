/* The one place that allocates. Layer: base (libc only).
 *
 * Everything of ours goes through these functions, so that a test can fail the n-th allocation
 * (pkg/base/test.h) and count what is still held. The counters are the only mutable state of base
 * that outlives a call; each thread has its own: they add up where memory stays with its thread.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include "pkg/base/cleanup.h"
#include "pkg/base/err.h"

/* Zeroed memory of n * size bytes (0 counts as 1); NULL when there is none or it overflows.
 * The caller owns it and gives it to base_free. */
void *base_alloc(size_t n, size_t size) must_check;

/* Grows or shrinks; new bytes are NOT zeroed. NULL leaves p as it was. */
void *base_realloc(void *p, size_t size) must_check;

/* A NUL-terminated copy of n bytes at s. NULL on out of memory. */
char *base_strndup(const char *s, size_t n) must_check;

/* NULL is fine. Returns NULL. Does not wipe: secrets do not live here (pkg/base/secret.h). */
void *base_free(void *p);
CLEANUP_FREE(char, base_free);

/* Allocations that are held now. For leak checks in tests. */
size_t base_alloc_live(void);

/* Gives memory that was freed back to the system: when a start or a burst is over. */
void base_alloc_trim(void);

/* Test seam: makes the n-th allocation from now on fail (1 = the next), once; 0 = none.
 * base_alloc_failed tells whether it was reached. */
void base_alloc_fail_at(uint64_t n);
bool base_alloc_failed(void);

#endif
