/* Takes OpenSSL's and libuv's memory from our allocator, so that torture_run fails theirs too.
 * Tests only: include it in the one file of a torture program that has main, and call it first.
 *
 * Both keep things for later uses: run a case once before it is tortured. Libraries without such a
 * hook are outside the boundary (docs/testing.md).
 */
#ifndef BASE_TORTURE_LIBS_H
#define BASE_TORTURE_LIBS_H

#include "pkg/base/test.h"

static inline void *torture_alloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return base_alloc(n, 1);
}

static inline void *torture_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return base_realloc(p, n);
}

static inline void torture_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	base_free(p);
}

/* Must come before anything that makes OpenSSL allocate. */
#ifdef OPENSSL_CRYPTO_H
static inline void torture_openssl(void)
{
	assert_int_equal(CRYPTO_set_mem_functions(torture_alloc, torture_realloc, torture_free), 1);
}
#endif

#ifdef UV_H
static inline void *torture_uv_alloc(size_t n)
{
	return base_alloc(n, 1);
}

static inline void torture_uv_free(void *p)
{
	base_free(p);
}

/* Must come before any other call of libuv. */
static inline void torture_libuv(void)
{
	assert_int_equal(
		uv_replace_allocator(torture_uv_alloc, base_realloc, base_alloc, torture_uv_free),
		0);
}
#endif

#endif
