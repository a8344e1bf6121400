/* The fields of a FunctionKey that C knows: one table for decoding, encoding, and the test that
 * compares it with functionkey.yaml. Layer: crds, internal to it.
 */
#ifndef CRDS_FIELDS_H
#define CRDS_FIELDS_H

#include "crds/functionkey.h"

enum crds_kind {
	CRDS_TEXT,        /* struct str; bound: bytes */
	CRDS_UID,         /* struct str of CRDS_UID_LEN */
	CRDS_ID,          /* int64_t, 1 to CRDS_NUMBER_MAX; 0: absent */
	CRDS_COUNT,       /* int64_t, 0 to CRDS_NUMBER_MAX; absent: 0 */
	CRDS_GENERATION,  /* int64_t, 0 to INT64_MAX */
	CRDS_PRESENT,     /* bool: whether it is there */
	CRDS_POINT,       /* struct crds_point, hex */
	CRDS_FINGERPRINT, /* struct crds_fingerprint, hex */
	CRDS_SIGNATURE,   /* struct crds_signature, hex */
	CRDS_TIME,        /* int64_t nanoseconds of wall time, RFC 3339 */
	CRDS_DURATION,    /* int64_t seconds, "24h" */
	CRDS_WORD,        /* an enum whose names are `words` */
	CRDS_KIND_COUNT
};

#define CRDS_NUMBER_MAX 2147483647LL

/* Who needs a field: a mask over enum crds_role. */
#define CRDS_NEED_LEADER (1u << CRDS_LEADER)
#define CRDS_NEED_MEMBER (1u << CRDS_MEMBER)
#define CRDS_NEED_BOTH   (CRDS_NEED_LEADER | CRDS_NEED_MEMBER)

struct crds_field {
	const char *path; /* JSON pointer below the object of the table */
	enum crds_kind kind;
	uint32_t bound;
	unsigned need;
	size_t offset;
	const char *const *words; /* WORD: names by value, ends with NULL; "" is no name */
};

struct crds_shape {
	const struct crds_field *fields;
	size_t n;
	size_t size; /* of the struct that the offsets lead into */
};

/* A list of objects (or of texts: `texts`) in a FunctionKey. */
struct crds_list {
	const char *path;
	uint32_t max;
	bool texts;
	size_t offset;     /* of the pointer to the elements */
	size_t len_offset; /* of their number */
	const struct crds_shape *shape;
};

#define CRDS_LISTS 6

extern const struct crds_shape crds_shape_root; /* into struct crds_functionkey */
extern const struct crds_shape crds_shape_key;
extern const struct crds_shape crds_shape_grant;
extern const struct crds_shape crds_shape_revocation;
extern const struct crds_list crds_lists[CRDS_LISTS];

/* Seconds from "30s", "90m", "24h" (the CRD's pattern), and back. INVALID. */
int crds_duration_parse(struct str s, int64_t *ret_seconds, struct err *err) must_check;
#define CRDS_DURATION_LEN 16
int crds_duration_format(int64_t seconds, char dst[static CRDS_DURATION_LEN], struct err *err)
	must_check;

/* What holds for a field that is absent. */
void crds_defaults(struct crds_functionkey *fk);

/* Order, and what fields have to do with each other, after all were read. INVALID. */
int crds_complete(struct crds_functionkey *fk, struct err *err) must_check;

/* Value of a word, or -1. */
int crds_word_value(const char *const *words, struct str s);

#endif
