#include "pkg/base/str.h"

bool base_str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && base_str_eq(base_str_sub(s, 0, prefix.n), prefix);
}

bool base_str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && base_str_eq(base_str_sub(s, s.n - suffix.n, s.n), suffix);
}

int base_str_cmp(struct str a, struct str b)
{
	const size_t n = a.n < b.n ? a.n : b.n;
	const int r = n ? memcmp(a.p, b.p, n) : 0;

	if (r != 0)
		return r;
	return a.n < b.n ? -1 : a.n > b.n;
}

size_t base_str_find(struct str s, char c, size_t from)
{
	const char *at = from < s.n ? memchr(s.p + from, c, s.n - from) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

struct str base_str_sub(struct str s, size_t from, size_t to)
{
	if (to > s.n)
		to = s.n;
	if (from >= to)
		return STR_NULL;
	return (struct str){.p = s.p + from, .n = to - from};
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct str base_str_trim(struct str s)
{
	size_t from = 0;
	size_t to = s.n;

	while (from < to && is_space(s.p[from]))
		from++;
	while (to > from && is_space(s.p[to - 1]))
		to--;
	return base_str_sub(s, from, to);
}

int base_str_copy(struct str s, char *dst, size_t cap, const char *what, struct err *err)
{
	if (s.n >= cap)
		return FAIL(err, ERR_TOO_LARGE, "%s has %zu bytes, the maximum is %zu", what, s.n,
			cap ? cap - 1 : 0);
	if (s.n && memchr(s.p, 0, s.n))
		return FAIL(err, ERR_TOO_LARGE, "%s holds a NUL byte", what);
	if (s.n)
		memcpy(dst, s.p, s.n);
	dst[s.n] = 0;
	return 0;
}
