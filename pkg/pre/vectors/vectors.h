/* Checks files of Umbral test vectors (schema umbral-kat/1). Layer: pre/vectors (base, pre,
 * json-c): for the program pre-vectors and for tests; no product program links it.
 *
 * A file is an object with "schema", "kind" and a list of cases. Kinds: positive (what a package
 * made: verified, opened, re-encrypted, and replayed byte for byte where its randomness is
 * recorded), negative (what must be refused, and why), digest-to-scalar and intermediates.
 */
#ifndef VECTORS_VECTORS_H
#define VECTORS_VECTORS_H

#include <json-c/json.h>

#include "pkg/base/arena.h"
#include "pkg/base/text.h"
#include "pkg/pre/hold.h"

struct vectors {
	struct env_fake fake; /* replays script it; a stream of its own otherwise */
	struct env env;
	struct pre_context *ctx;
	struct arena *arena;       /* of one case */
	struct json_object *other; /* the file that "for" names, if it is there */
	bool replay_only;
	FILE *log;
	unsigned passed, failed, skipped;
};

/* replay_only: of positive files, only the replays; cases without recorded randomness are
 * skipped. The caller owns *ret. */
int vectors_new(bool replay_only, FILE *log, struct vectors **ret, struct err *err) must_check;
struct vectors *vectors_free(struct vectors *v);
CLEANUP_FREE(struct vectors, vectors_free);

/* Checks all cases of a file, counts them, and logs those that fail. INVALID for a file that
 * cannot be read or whose schema or kind is unknown. */
int vectors_file(struct vectors *v, const char *path, struct err *err) must_check;

/* Writes a positive file of new cases, from real randomness: what other packages then check. */
int vectors_make(struct vectors *v, FILE *to, struct err *err) must_check;

/* --- for the kinds -------------------------------------------------------------------------- */

/* Drops a reference. Returns NULL. */
struct json_object *vectors_put(struct json_object *o);
CLEANUP_FREE(struct json_object, vectors_put);

/* One case: 0 if everything in it holds. */
typedef int (*vectors_case)(struct vectors *v, struct json_object *o, struct err *err);
int vectors_positive(struct vectors *v, struct json_object *o, struct err *err) must_check;
int vectors_negative(struct vectors *v, struct json_object *o, struct err *err) must_check;
int vectors_digest(struct vectors *v, struct json_object *o, struct err *err) must_check;
int vectors_intermediate(struct vectors *v, struct json_object *o, struct err *err) must_check;
int vectors_factory(struct vectors *v, struct json_object *o, struct err *err) must_check;

#define VECTORS_CHECK(cond, what)                                     \
	do {                                                          \
		if (!(cond))                                          \
			return FAIL(err, ERR_TAMPERED, "%s", (what)); \
	} while (0)

/* Names the step that failed. */
#define VECTORS_STEP(expr, what)                          \
	do {                                              \
		const int step_r_ = (expr);               \
		if (step_r_ < 0) {                        \
			base_err_wrap(err, "%s", (what)); \
			return step_r_;                   \
		}                                         \
	} while (0)

/* A member of o: INVALID if it is not there or of another type. Text is borrowed from o, bytes
 * live in the arena. */
int vectors_text(struct json_object *o, const char *key, struct str *ret, struct err *err)
	must_check;
int vectors_list(struct json_object *o, const char *key, struct json_object **ret, size_t *ret_n,
	struct err *err) must_check;
int vectors_bytes(struct vectors *v, struct json_object *o, const char *key, struct str *ret,
	struct err *err) must_check;
int vectors_unhex(struct vectors *v, struct str text, struct str *ret, struct err *err) must_check;
/* Exactly n bytes. */
int vectors_fixed(struct json_object *o, const char *key, void *ret, size_t n, struct err *err)
	must_check;
int vectors_key(struct vectors *v, struct json_object *o, const char *key,
	struct pre_public_key *ret, struct err *err) must_check;
bool vectors_has(struct json_object *o, const char *key);
bool vectors_flag(struct json_object *o, const char *key);
uint32_t vectors_number(struct json_object *o, const char *key);
/* True if the member is there and is exactly these bytes. */
bool vectors_equal(struct json_object *o, const char *key, const void *p, size_t n);

/* What a positive case has, read and parsed once. */
struct vectors_set {
	struct json_object *o;
	struct secret a, b, s;
	struct pre_public_key delegating, receiving, verifying;
	struct pre_capsule capsule;
	struct str plaintext, ciphertext;
	struct pre_shares shares;
	struct json_object *kfrag_list, *cfrag_list;
	struct pre_kfrag *kfrags;
	struct pre_cfrag *cfrags;
};
int vectors_set_read(struct vectors *v, struct json_object *o, struct vectors_set *ret,
	struct err *err) must_check;
int vectors_replay(struct vectors *v, const struct vectors_set *set, struct err *err) must_check;

/* The fields of a cfrag without framing. */
#define VECTORS_SIMPLE_LEN 359
void vectors_cfrag_simple(const struct pre_cfrag *c, uint8_t dst[static VECTORS_SIMPLE_LEN]);

/* The 528 bytes that show a third party that a cfrag is right. */
#define VECTORS_EVIDENCE_LEN 528
int vectors_evidence(struct vectors *v, const struct vectors_set *set,
	const struct pre_cfrag *cfrag, uint8_t ret[static VECTORS_EVIDENCE_LEN], struct err *err)
	must_check;

#endif
