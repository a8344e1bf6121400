/* What the parts of the codec share. Layer: bhttp, for its own files. */
#ifndef BHTTP_IMPL_H
#define BHTTP_IMPL_H

#include "pkg/bhttp/bhttp.h"

/* RFC 9292, 3.3 */
enum bhttp_framing {
	BHTTP_KNOWN_REQUEST,
	BHTTP_KNOWN_RESPONSE,
	BHTTP_CHUNKED_REQUEST,
	BHTTP_CHUNKED_RESPONSE
};

#define BHTTP_VARINT_MAX 0x3fffffffffffffffULL

/* Checks control data and fields as both sides must. INVALID, TOO_LARGE. */
int bhttp_head_check(const struct bhttp_head *head, struct err *err) must_check;

/* Checks the fields of a head or a trailer section; *ret_length (NULL in trailers, where there may
 * be none) is the Content-Length if *ret_has says so. */
int bhttp_fields_check(const struct bhttp_fields *fields, bool *ret_has, uint64_t *ret_length,
	struct err *err) must_check;

#endif
