/* Small documents for PATCH: RFC 6902 and merge patches, written straight into a buffer. Layer:
 * kube, pure.
 *
 *	_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_BODY_MAX);
 *	struct kube_patch p = kube_patch(&b);
 *	TRY(kube_patch_test(&p, "/status/epoch", STR("7"), err));
 *	TRY(kube_patch_add(&p, "/status/keys/-", key_json, err));
 *	TRY(kube_patch_end(&p, err));
 *
 * Paths are JSON pointers whose dynamic segments were escaped with kube_pointer_add. Values are
 * JSON text; texts become JSON by kube_quote_add.
 */
#ifndef KUBE_PATCH_H
#define KUBE_PATCH_H

#include "pkg/base/buf.h"

#define KUBE_PATCH_OPS_MAX 10000 /* what the API server takes */

struct kube_patch {
	struct buf *b; /* borrowed */
	uint32_t ops;
};

static inline struct kube_patch kube_patch(struct buf *b)
{
	return (struct kube_patch){.b = b};
}

/* TOO_LARGE, NOMEM; INVALID: a path that does not begin with '/', or an empty value. After an error
 * the buffer is not a document. */
int kube_patch_test(struct kube_patch *p, const char *path, struct str json, struct err *err)
	must_check;
int kube_patch_add(struct kube_patch *p, const char *path, struct str json, struct err *err)
	must_check;
int kube_patch_replace(struct kube_patch *p, const char *path, struct str json, struct err *err)
	must_check;
int kube_patch_remove(struct kube_patch *p, const char *path, struct err *err) must_check;
int kube_patch_move(struct kube_patch *p, const char *from, const char *path, struct err *err)
	must_check;

/* The same with a text, a whole number, true or false. */
int kube_patch_test_text(struct kube_patch *p, const char *path, struct str text, struct err *err)
	must_check;
int kube_patch_test_int(struct kube_patch *p, const char *path, int64_t n, struct err *err)
	must_check;
int kube_patch_add_text(struct kube_patch *p, const char *path, struct str text, struct err *err)
	must_check;
int kube_patch_add_int(struct kube_patch *p, const char *path, int64_t n, struct err *err)
	must_check;

/* Closes the list. INVALID if nothing was added. */
int kube_patch_end(struct kube_patch *p, struct err *err) must_check;

/* Appends "/" and the segment with '~' and '/' escaped. */
int kube_pointer_add(struct buf *b, struct str segment, struct err *err) must_check;

/* Appends s as a JSON string, quotes included. INVALID where s is not UTF-8. */
int kube_quote_add(struct buf *b, struct str s, struct err *err) must_check;

/* Writes objects and lists with their commas: bodies and merge patches. A key precedes each value
 * inside an object. Nesting at most 32; misuse (a value without a key, an end too many) is BUG. */
struct kube_writer {
	struct buf *b; /* borrowed */
	uint32_t depth;
	uint32_t lists;  /* bit i: level i is a list */
	uint32_t filled; /* bit i: level i has an element */
	bool keyed;      /* a key waits for its value */
};

static inline struct kube_writer kube_writer(struct buf *b)
{
	return (struct kube_writer){.b = b};
}

/* Each writes one token, with the comma or colon before it; object and list stay open until
 * kube_write_end. BUG, TOO_LARGE, NOMEM. */
int kube_write_object(struct kube_writer *w, struct err *err) must_check;
int kube_write_list(struct kube_writer *w, struct err *err) must_check;
int kube_write_end(struct kube_writer *w, struct err *err) must_check; /* of object or list */
int kube_write_key(struct kube_writer *w, struct str key, struct err *err) must_check;
int kube_write_text(struct kube_writer *w, struct str text, struct err *err) must_check;
int kube_write_int(struct kube_writer *w, int64_t n, struct err *err) must_check;
int kube_write_bool(struct kube_writer *w, bool value, struct err *err) must_check;
int kube_write_null(struct kube_writer *w, struct err *err) must_check;
int kube_write_json(struct kube_writer *w, struct str json, struct err *err) must_check; /* as is */

/* key and value in one go, inside an object. */
int kube_write_key_text(struct kube_writer *w, const char *key, struct str text, struct err *err)
	must_check;
int kube_write_key_int(struct kube_writer *w, const char *key, int64_t n, struct err *err)
	must_check;
int kube_write_key_bool(struct kube_writer *w, const char *key, bool value, struct err *err)
	must_check;
int kube_write_key_object(struct kube_writer *w, const char *key, struct err *err) must_check;
int kube_write_key_list(struct kube_writer *w, const char *key, struct err *err) must_check;

#endif
