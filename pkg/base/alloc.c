#undef malloc
#undef calloc
#undef realloc
#undef free
#include "pkg/base/alloc.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct {
	size_t live;
	uint64_t countdown; /* 0: no failure is planned */
	bool failed;
} state;

static bool fails_now(void)
{
	if (state.countdown == 0 || --state.countdown != 0)
		return false;
	state.failed = true;
	return true;
}

void *base_alloc(size_t n, size_t size)
{
	if (fails_now())
		return NULL;
	void *p = calloc(n ? n : 1, size ? size : 1);
	if (p)
		state.live++;
	return p;
}

void *base_realloc(void *p, size_t size)
{
	if (fails_now())
		return NULL;
	void *q = realloc(p, size ? size : 1);
	if (q && !p)
		state.live++;
	return q;
}

char *base_strndup(const char *s, size_t n)
{
	if (n == SIZE_MAX)
		return NULL;
	char *copy = base_alloc(n + 1, 1);
	if (copy && n)
		memcpy(copy, s, n);
	return copy;
}

void *base_free(void *p)
{
	if (p)
		state.live--;
	free(p);
	return NULL;
}

void base_alloc_trim(void)
{
	(void)malloc_trim(0);
}

size_t base_alloc_live(void)
{
	return state.live;
}

void base_alloc_fail_at(uint64_t n)
{
	state.countdown = n;
	state.failed = false;
}

bool base_alloc_failed(void)
{
	return state.failed;
}
