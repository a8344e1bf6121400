#include "pkg/base/secret.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void base_wipe(void *p, size_t n)
{
	if (n)
		explicit_bzero(p, n);
}

void base_buf_wipe(struct buf *b)
{
	if (!b)
		return;
	base_wipe(b->data, b->data ? b->cap : 0);
	base_buf_done(b);
}

void base_secret_wipe(struct secret *s)
{
	if (s)
		base_wipe(s->b, sizeof(s->b));
}

bool base_ct_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

static size_t page_size(void)
{
	const long n = sysconf(_SC_PAGESIZE);

	return n > 0 ? (size_t)n : 4096;
}

static size_t round_to_pages(size_t n, size_t page)
{
	return (n + page - 1) / page * page;
}

int base_locked_new(size_t n, struct locked *ret_locked, struct err *err)
{
	const size_t page = page_size();

	if (n == 0 || n > SIZE_MAX / 2)
		return FAIL(err, ERR_INVALID, "locked memory of %zu bytes", n);
	const size_t inner = round_to_pages(n, page);
	uint8_t *all = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return FAIL(err, ERR_NOMEM, "locked memory of %zu bytes", n);
	uint8_t *p = all + page;
	if (mprotect(p, inner, PROT_READ | PROT_WRITE) != 0) {
		(void)munmap(all, inner + 2 * page);
		return FAIL(err, ERR_NOMEM, "locked memory of %zu bytes", n);
	}
	(void)madvise(p, inner, MADV_DONTDUMP);
	(void)madvise(p, inner, MADV_WIPEONFORK);
	*ret_locked = (struct locked){.p = p, .n = n, .locked = mlock(p, inner) == 0};
	return 0;
}

void base_locked_done(struct locked *l)
{
	if (!l || !l->p)
		return;
	const size_t page = page_size();
	const size_t inner = round_to_pages(l->n, page);
	base_wipe(l->p, l->n);
	(void)munmap((uint8_t *)l->p - page, inner + 2 * page);
	*l = (struct locked){0};
}
