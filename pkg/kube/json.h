/* A pull reader for JSON text that is wholly in memory: one pass, no tree. Layer: kube (base types
 * only; crds may include this file).
 *
 *	struct kube_json r;
 *	TRY(kube_json_init(&r, doc, err));
 *	TRY(kube_json_object_begin(&r, err));
 *	for (bool more;;) {
 *		TRY(kube_json_next_key(&r, &key, &more, err));
 *		if (!more)
 *			break;
 *		if (base_str_eq(key, STR("name")))
 *			TRY(kube_json_string(&r, arena, &name, err));
 *		else
 *			TRY(kube_json_skip(&r, err));
 *	}
 *	return kube_json_end(&r, err);
 *
 * Strict RFC 8259: also what is skipped is checked byte by byte, UTF-8 included; a lone surrogate
 * (\ud800) is refused. Duplicate keys come out as often as they stand there: assigning each time
 * makes the last one win. Errors are INVALID with the offset in the message, TOO_LARGE where a
 * maximum was exceeded, BUG for calls out of order; after an error the reader is of no more use.
 * The document is borrowed as long as the reader and every slice that came out of it.
 */
#ifndef KUBE_JSON_H
#define KUBE_JSON_H

#include "pkg/base/arena.h"
#include "pkg/base/str.h"

#define KUBE_JSON_MAX       (4u << 20) /* bytes of a document */
#define KUBE_JSON_DEPTH_MAX 64
#define KUBE_JSON_KEY_MAX   512 /* of a key that holds escapes; others have no maximum */

enum kube_json_type {
	KUBE_JSON_OBJECT,
	KUBE_JSON_ARRAY,
	KUBE_JSON_STRING,
	KUBE_JSON_NUMBER,
	KUBE_JSON_BOOL,
	KUBE_JSON_NULL,
};

/* On the caller's stack; its fields are the reader's own. */
struct kube_json {
	const char *p;
	size_t n, at;
	uint64_t arrays; /* bit i: level i is an array */
	uint32_t depth;
	bool filled; /* the level in hand has an element already */
	bool ready;  /* a value comes next */
	char key[KUBE_JSON_KEY_MAX];
};

/* TOO_LARGE: doc is longer than KUBE_JSON_MAX. */
int kube_json_init(struct kube_json *r, struct str doc, struct err *err) must_check;

/* What the next value is; reads nothing away. */
int kube_json_peek(struct kube_json *r, enum kube_json_type *ret_type, struct err *err) must_check;

/* Into an object or an array. */
int kube_json_object_begin(struct kube_json *r, struct err *err) must_check;
int kube_json_array_begin(struct kube_json *r, struct err *err) must_check;

/* The next member's key, unescaped, after which exactly one value is read; *ret_more false: the
 * object has ended, and we are out of it. The key is borrowed until the next call. */
int kube_json_next_key(struct kube_json *r, struct str *ret_key, bool *ret_more, struct err *err)
	must_check;

/* *ret_more: one more element, of which exactly one value is read; false: out of the array. */
int kube_json_array_next(struct kube_json *r, bool *ret_more, struct err *err) must_check;

/* A string: a slice of the document where it has no escapes, else a copy in the arena. arena NULL:
 * a string with escapes is INVALID. */
int kube_json_string(struct kube_json *r, struct arena *arena, struct str *ret_s, struct err *err)
	must_check;

/* A string as it stands between its quotes, checked but with its escapes. *ret_escaped: it has
 * some, so kube_json_unescape is due. */
int kube_json_string_raw(
	struct kube_json *r, struct str *ret_raw, bool *ret_escaped, struct err *err) must_check;

/* The text of what kube_json_string_raw gave, written to dst, which has room for raw.n bytes.
 * Returns its length, at most raw.n. */
size_t kube_json_unescape(struct str raw, char *dst);

/* A whole number without fraction and exponent that fits. */
int kube_json_int64(struct kube_json *r, int64_t *ret_n, struct err *err) must_check;
int kube_json_bool(struct kube_json *r, bool *ret_b, struct err *err) must_check;

/* Reads a null away, and only that: *ret_null says whether it did. */
int kube_json_null(struct kube_json *r, bool *ret_null, struct err *err) must_check;

/* Any one value. */
int kube_json_skip(struct kube_json *r, struct err *err) must_check;
/* Any one value as its text, checked: what can be read later with a reader of its own. */
int kube_json_raw(struct kube_json *r, struct str *ret_text, struct err *err) must_check;

/* After the outermost value: nothing but white space may follow. */
int kube_json_end(struct kube_json *r, struct err *err) must_check;

#endif
