/* Memory whose addresses are the same in every history: pkg/base/map.c orders by address, and a
 * seed shall mean one history. These definitions take the place of pkg/base/alloc.c, but not in
 * sanitizer builds, which look at each block. */
#include "pkg/base/alloc.h"

#ifndef BASE_SANITIZED

#include <string.h>
#include <sys/mman.h>

#define REGION      ((void *)0x5a0000000000)
#define REGION_SIZE (1ULL << 32)
#define CLASSES     40

struct block {
	size_t class; /* 16 << class bytes with this header */
	struct block *next;
};

/* At the start of the region, so that there is no state beside it. */
struct region {
	struct block *free[CLASSES];
	size_t used, live;
};

static struct region *region(void)
{
	return REGION;
}

/* Before main, so that nothing has to remember whether it was done. */
static __attribute__((constructor)) void map_region(void)
{
	base_assert(mmap(REGION, REGION_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
			    0) == REGION);
	region()->used = sizeof(struct region) + 64;
}

static void *take(size_t n)
{
	struct region *r = region();
	size_t class = 1;

	while ((16ULL << class) < n + sizeof(struct block))
		class ++;
	struct block *b = r->free[class];
	if (b) {
		r->free[class] = b->next;
	} else {
		r->used = (r->used + 15) & ~15ULL;
		b = (struct block *)((char *)r + r->used);
		r->used += 16ULL << class;
		base_assert(r->used <= REGION_SIZE);
	}
	b->class = class;
	r->live++;
	return b + 1;
}

void *base_alloc(size_t n, size_t size)
{
	size_t bytes = 0;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > REGION_SIZE / 4)
		return NULL;
	void *p = take(bytes);
	memset(p, 0, bytes);
	return p;
}

void *base_realloc(void *p, size_t size)
{
	struct block *old = p ? (struct block *)p - 1 : NULL;
	const size_t had = old ? (16ULL << old->class) - sizeof(*old) : 0;

	if (old && had >= size)
		return p;
	void *grown = take(size);
	if (old)
		memcpy(grown, p, had < size ? had : size);
	(void)base_free(p);
	return grown;
}

char *base_strndup(const char *s, size_t n)
{
	char *p = base_alloc(1, n + 1);

	if (p && n)
		memcpy(p, s, n);
	return p;
}

/* The last of a history gives all back, so that the next one finds what this one found. */
void *base_free(void *p)
{
	struct region *r = region();

	if (!p)
		return NULL;
	struct block *b = (struct block *)p - 1;
	b->next = r->free[b->class];
	r->free[b->class] = b;
	if (--r->live == 0) {
		memset(r->free, 0, sizeof(r->free));
		r->used = sizeof(*r) + 64;
	}
	return NULL;
}

size_t base_alloc_live(void)
{
	return region()->live;
}

#endif
