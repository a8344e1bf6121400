/* Reads the flat JSON of pkg/envelope/vectors: objects of strings without escapes. Tests only. */
#ifndef ENVELOPE_VECTORS_TEST_H
#define ENVELOPE_VECTORS_TEST_H

#include "pkg/base/test.h"

#include <stdio.h>

/* The whole file. The test runs where `make` runs: at the root of the repository. */
static inline struct buf vectors_read(const char *path)
{
	struct buf b = base_buf(8u << 20);
	uint8_t *p = NULL;
	size_t n = 0;
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	do {
		assert_ok(path, base_buf_room(&b, 65536, &p, err));
		n = fread(p, 1, 65536, f);
		base_buf_added(&b, n);
	} while (n > 0);
	(void)fclose(f);
	return b;
}

/* The next object of the list behind "vectors", or an empty slice; *at is where to go on. */
static inline struct str vectors_next(struct str file, size_t *at)
{
	if (*at == 0) {
		const char *list = strstr(file.p, "\"vectors\"");
		assert_non_null(list);
		*at = (size_t)(list - file.p);
	}
	const size_t open = base_str_find(file, '{', *at);
	const size_t close = base_str_find(file, '}', open);
	if (open == file.n)
		return STR_NULL;
	assert_true(close < file.n);
	*at = close + 1;
	return base_str_sub(file, open, close);
}

/* The value of a key; p == NULL if it is not there. */
static inline struct str vectors_get(struct str object, const char *key)
{
	char quoted[64];

	(void)snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	const struct str want = base_str(quoted);
	for (size_t i = base_str_find(object, '"', 0); i + want.n < object.n; i++) {
		if (memcmp(object.p + i, want.p, want.n) != 0)
			continue;
		const size_t from = base_str_find(object, '"', i + want.n) + 1;
		return base_str_n(object.p + from, base_str_find(object, '"', from) - from);
	}
	return STR_NULL;
}

static inline uint64_t vectors_number(struct str object, const char *key)
{
	uint64_t n = 0;

	assert_ok(key, base_parse_u64(vectors_get(object, key), UINT64_MAX, &n, err));
	return n;
}

/* Exactly n bytes of hex. */
static inline void vectors_bytes(struct str object, const char *key, uint8_t *to, size_t n)
{
	assert_ok(key, base_unhex(vectors_get(object, key), to, n, err));
}

/* Hex of any length, appended. */
static inline struct str vectors_hex(struct str object, const char *key, struct buf *b)
{
	const struct str s = vectors_get(object, key);
	uint8_t *p = NULL;
	const size_t start = b->len;

	assert_ok(key, base_buf_room(b, s.n / 2, &p, err));
	assert_ok(key, base_unhex(s, p, s.n / 2, err));
	base_buf_added(b, s.n / 2);
	return base_str_n(b->data + start, s.n / 2);
}

/* Byte i of longer plaintexts. */
static inline void vectors_pattern(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(31 * i + 7 * (i >> 8) + 1);
}

#endif
