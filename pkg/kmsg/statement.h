/* What keepers sign, as bytes. One encoder per statement, used by who signs and by who verifies,
 * so that both mean the same.
 *
 * Layer: base. Pure encoding: signing and verifying are pkg/pre's (`pre_sign`, `pre_verify` with
 * the context below; they prefix 64 spaces, the context and a NUL byte, so that no statement can
 * be taken for an Umbral message or for another statement).
 *
 * Encoding: fields in the order below, each as be16 length and bytes; numbers as 8 bytes big
 * endian (with their length, too). An empty field, one over 512 bytes, a negative number and a
 * missing key are INVALID. Keys are always the full 33 bytes, never fingerprints. On failure the
 * buffer has its former length.
 */
#ifndef KMSG_STATEMENT_H
#define KMSG_STATEMENT_H

#include "pkg/base/buf.h"

#define KMSG_STATEMENT_MAX 4096

#define KMSG_CONTEXT_MEMBER "functionkey/v1/member"
#define KMSG_CONTEXT_TERM   "functionkey/v1/term"
#define KMSG_CONTEXT_KEY    "functionkey/v1/key"
#define KMSG_CONTEXT_LINK   "functionkey/v1/link" /* KEY's bytes, signed by a continuity key */
#define KMSG_CONTEXT_GRANT  "functionkey/v1/grant"
#define KMSG_CONTEXT_RECORD "functionkey/v1/record" /* the signed record of the peer port */

/* Which replica of which revision. */
struct kmsg_replica {
	struct str ns, revision, pod, pod_uid;
	int64_t incarnation;
};

/* A member's keys, signed by its identity key: proof that one keeper holds them together. */
struct kmsg_member {
	struct kmsg_replica replica;
	const uint8_t *receiving, *inbox, *identity; /* 33 bytes each */
};
int kmsg_member_encode(const struct kmsg_member *m, struct buf *b, struct err *err) must_check;

/* A leadership: the leader's identity key certifies the verifying key of the term. */
struct kmsg_term {
	struct kmsg_replica replica;
	int64_t term;
	const uint8_t *verifying, *identity;
};
int kmsg_term_encode(const struct kmsg_term *t, struct buf *b, struct err *err) must_check;

/* The key of an epoch: signed by its maker's identity key (KEY) and, where the maker could open
 * the epoch before, by that epoch's continuity key (LINK). */
struct kmsg_key {
	struct str ns, revision;
	int64_t epoch, term, previous;
	const uint8_t *key, *continuity, *identity;
};
int kmsg_key_encode(const struct kmsg_key *k, struct buf *b, struct err *err) must_check;

/* A grant: everything that the sealed kfrag is bound to. Its SHA-256 is the context hash in the
 * sealed envelope's header; the leader's identity key signs it together with SHA-256(sealed). */
struct kmsg_grant {
	struct kmsg_replica member;
	int64_t epoch, term;
	const uint8_t *from, *receiving, *inbox, *verifying, *identity; /* identity: the leader's */
};
int kmsg_grant_encode(const struct kmsg_grant *g, struct buf *b, struct err *err) must_check;

/* What the leader signs of a grant: kmsg_grant_encode's bytes and SHA-256(sealed), 32 bytes. */
int kmsg_grant_signed_encode(const struct kmsg_grant *g, const uint8_t sealed_hash[static 32],
	struct buf *b, struct err *err) must_check;

/* What a leader's peer port says of the active key. */
struct kmsg_record {
	struct str ns, revision;
	int64_t epoch, term;
	const uint8_t *key, *identity; /* identity: the leader's */
};
int kmsg_record_encode(const struct kmsg_record *k, struct buf *b, struct err *err) must_check;

#endif
