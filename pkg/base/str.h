/* A borrowed slice of text or bytes: pointer and length, not NUL-terminated. Layer: base.
 *
 * A struct str owns nothing; whoever made the bytes says how long they live. {NULL, 0} is empty.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "pkg/base/err.h"

#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){.p = "" literal, .n = sizeof(literal) - 1})
#define STR_NULL     ((struct str){.p = NULL, .n = 0})

/* For printf's "%.*s". Anything longer than INT_MAX prints as empty. */
#define STR_FMT(s) ((s).n <= 0x7fffffff ? (int)(s).n : 0), ((s).p ? (s).p : "")

static inline struct str base_str(const char *cstr)
{
	return (struct str){.p = cstr, .n = cstr ? strlen(cstr) : 0};
}

static inline struct str base_str_n(const void *p, size_t n)
{
	return (struct str){.p = p, .n = n};
}

/* Not constant time: never for secrets. */
static inline bool base_str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || __builtin_memcmp(a.p, b.p, a.n) == 0);
}

/* Byte by byte; an empty prefix or suffix is one of every string. Never for secrets. */
bool base_str_starts(struct str s, struct str prefix);
bool base_str_ends(struct str s, struct str suffix);

/* <0, 0, >0 by unsigned bytes, then by length. */
int base_str_cmp(struct str a, struct str b);

/* Index of the first c at or after `from`, or s.n. */
size_t base_str_find(struct str s, char c, size_t from);

/* The part [from, to), clamped to the slice. */
struct str base_str_sub(struct str s, size_t from, size_t to);

/* Without ASCII white space at both ends. */
struct str base_str_trim(struct str s);

/* Copies into a fixed C string with a final NUL. TOO_LARGE (naming `what`) if it does not fit or
 * holds a NUL byte; dst is then untouched. */
int base_str_copy(struct str s, char *dst, size_t cap, const char *what, struct err *err)
	must_check;

#endif
