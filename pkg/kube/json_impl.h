/* Between the two halves of the reader: tokens (json_scan.c) and structure (json.c). Layer: kube.
 */
#ifndef KUBE_JSON_IMPL_H
#define KUBE_JSON_IMPL_H

#include "pkg/kube/json.h"

#include <endian.h>

/* Eight bytes at a time. The first byte of the text is the lowest of the word. */
#define KUBE_JSON_EACH(b) (0x0101010101010101ULL * (b))

static inline uint64_t kube_json_word(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return le64toh(w);
}

/* The high bit of each byte that is c; bytes above the lowest such one may have it wrongly. */
static inline uint64_t kube_json_equal(uint64_t w, unsigned char c)
{
	const uint64_t x = w ^ KUBE_JSON_EACH(c);

	return (x - KUBE_JSON_EACH(1)) & ~x & KUBE_JSON_EACH(0x80);
}

/* Where the processor compares 16 bytes at a time; who uses it has another way for where not. In
 * the compiler's own vectors: the processor's header wants a malloc. */
#ifdef __SSE2__
#define KUBE_JSON_VECTOR 16
#define KUBE_JSON_BLOCK  64

typedef signed char kube_json_vector __attribute__((vector_size(KUBE_JSON_VECTOR)));

static inline kube_json_vector kube_json_load(const char *p)
{
	kube_json_vector v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Bit i: byte i of a comparison's result is true. */
static inline unsigned kube_json_hits(kube_json_vector v)
{
	return (unsigned)__builtin_ia32_pmovmskb128((char __attribute__((vector_size(16))))v);
}

/* Bit i: byte i of the block, with the bits of `with` set, is c. */
static inline uint64_t kube_json_bits(const char *p, signed char c, signed char with)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < KUBE_JSON_BLOCK; i += KUBE_JSON_VECTOR)
		bits |= (uint64_t)kube_json_hits((kube_json_load(p + i) | with) == c) << i;
	return bits;
}
#endif

/* The first byte from i on that ends a string or needs a closer look: quote, backslash, control
 * character, not ASCII; n if there is none. */
size_t kube_json_plain_until(const char *p, size_t i, size_t n);

/* INVALID with r's offset. */
int kube_json_bad(const struct kube_json *r, const char *what, struct err *err);

/* Each begins at r->at, on the token's first byte, and leaves r->at behind the token. */
int kube_json_scan_string(
	struct kube_json *r, struct str *ret_raw, bool *ret_escaped, struct err *err) must_check;
int kube_json_pass_string(struct kube_json *r, struct err *err) must_check;
/* *ret_whole: it has neither fraction nor exponent. */
int kube_json_scan_number(
	struct kube_json *r, struct str *ret_text, bool *ret_whole, struct err *err) must_check;
int kube_json_scan_word(struct kube_json *r, struct str word, struct err *err) must_check;

#endif
