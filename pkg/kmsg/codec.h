/* Writes and reads structs by tables of their fields. Layer: base; inside kmsg only.
 *
 * A shape lists the fields of a struct in wire order. Writing and reading walk the same table, so
 * that they cannot disagree; a new field is a row.
 */
#ifndef KMSG_CODEC_H
#define KMSG_CODEC_H

#include "pkg/kmsg/ops.h"

enum kmsg_field_kind {
	KMSG_FIELD_POSITIVE, /* int64_t, at least 1; 8 bytes */
	KMSG_FIELD_NUMBER,   /* int64_t, at least 0; 8 bytes */
	KMSG_FIELD_COUNTER,  /* uint64_t; 8 bytes */
	KMSG_FIELD_U16,      /* uint16_t; 2 bytes */
	KMSG_FIELD_FLAG,     /* uint8_t, 0 or 1; 1 byte */
	KMSG_FIELD_NAME,     /* struct kmsg_name; be16 length and bytes */
	KMSG_FIELD_BYTES,    /* uint8_t[size]; the bytes */
	KMSG_FIELD_BLOB,     /* uint8_t[size] of which the uint16_t at len_at says how many count;
				be16 length (at least 1) and bytes */
	KMSG_FIELD_TEXT,     /* char[size], NUL-terminated printable ASCII; be16 length and bytes */
	KMSG_FIELD_LIST,     /* structs of `each` and its stride, size of them at most, of which the
				uint16_t at len_at says how many count; be16 count and elements.
				Their shape holds no list. */
	KMSG_FIELD_KIND_COUNT
};

struct kmsg_shape;

struct kmsg_field {
	enum kmsg_field_kind kind;
	size_t at;     /* offset in the struct */
	size_t size;   /* where the kind says so */
	size_t len_at; /* offset of the length, where the kind says so */
	size_t stride;
	const struct kmsg_shape *each;
};

struct kmsg_shape {
	const struct kmsg_field *fields;
	size_t n;
};

#define KMSG_SHAPE(table)                                \
	{                                                \
		.fields = (table), .n = ARRAY_LEN(table) \
	}

struct kmsg_writer {
	uint8_t *p;
	size_t n, max;
};

struct kmsg_reader {
	const uint8_t *p;
	size_t n; /* bytes left */
};

/* Appends the body. INVALID if a field is out of its bounds, TOO_LARGE past the maximum. */
int kmsg_shape_write(const struct kmsg_shape *shape, const void *body, struct kmsg_writer *w,
	struct err *err) must_check;

/* Takes the body off the front of r. With body NULL it only checks. INVALID. */
int kmsg_shape_read(const struct kmsg_shape *shape, struct kmsg_reader *r, void *body,
	struct err *err) must_check;

/* Numbers of n bytes, big endian. INVALID, TOO_LARGE. */
int kmsg_put(struct kmsg_writer *w, uint64_t value, size_t n, struct err *err) must_check;
int kmsg_take(struct kmsg_reader *r, size_t n, uint64_t *ret_value, struct err *err) must_check;

#endif
