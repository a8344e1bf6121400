/* The table of re-encryption schemes. Layer: pre.
 *
 * A scheme is a row: a number and a name that records and envelopes carry, sizes, and functions.
 * The functions stand in three structs, one per archive, so that asking for the name of a scheme
 * does not link code that holds keys. A new scheme is a row here and in the three tables.
 */
#ifndef PRE_SCHEME_H
#define PRE_SCHEME_H

#include "pkg/pre/hold.h"
#include "pkg/pre/send.h"

#define PRE_SCHEME_UMBRAL 1

struct pre_scheme {
	uint32_t id;      /* of a recipient entry in an envelope */
	const char *name; /* of a record's `scheme` */
	size_t public_key_len, capsule_len, wrapped_len, kfrag_len;
	int (*public_key_parse)(const struct pre_context *ctx, const uint8_t *p, size_t n,
		struct pre_public_key *ret, struct err *err);
	int (*capsule_parse)(struct pre_context *ctx, const uint8_t *p, size_t n,
		struct pre_capsule *ret, struct err *err);
};

/* NULL if there is none. */
const struct pre_scheme *pre_scheme_by_id(uint32_t id);
const struct pre_scheme *pre_scheme_by_name(struct str name);

/* libpre_send */
struct pre_scheme_send {
	uint32_t id;
	int (*wrap)(struct pre_context *ctx, const struct pre_public_key *to,
		const struct secret *k, uint8_t ret_capsule[static PRE_CAPSULE_LEN],
		uint8_t ret_wrapped[static PRE_WRAPPED_LEN], struct err *err);
};
const struct pre_scheme_send *pre_scheme_send(const struct pre_scheme *scheme);

/* libpre_hold */
struct pre_scheme_hold {
	uint32_t id;
	int (*keygen)(struct pre_context *ctx, struct secret *ret_sk, struct pre_public_key *ret_pk,
		struct err *err);
	int (*kfrags_generate)(struct pre_context *ctx, const struct secret *delegating_sk,
		const struct pre_public_key *receiving_pk, const struct secret *signing_sk,
		const struct pre_shares *how, struct pre_kfrag *ret, struct err *err);
	int (*grant_open)(struct pre_context *ctx, const struct secret *receiving_sk,
		const struct pre_public_key *delegating_pk,
		const struct pre_public_key *verifying_pk, const struct pre_kfrag *kfrag,
		struct secret *ret_opening, struct err *err);
	int (*unwrap)(struct pre_context *ctx, const struct secret *opening,
		const struct pre_capsule *capsule, const uint8_t wrapped[static PRE_WRAPPED_LEN],
		struct secret *ret_k, struct err *err);
};
const struct pre_scheme_hold *pre_scheme_hold(const struct pre_scheme *scheme);

#endif
