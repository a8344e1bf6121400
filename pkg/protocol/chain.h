/* Is what a Leader record says signed as it must be, and does it continue what was seen before?
 *
 * Layer: base, crds, kmsg, pre public. Used by members before they accept a grant and by senders
 * before they encrypt. Pure; ctx is for the curve.
 *
 * Continuity (DESIGN 5.2): the key of epoch e carries a signature by a key derived from the secret
 * of an epoch before. Whoever writes to the API server without ever having held a key cannot
 * continue the chain. First contact is trust on first use, and is said as such.
 */
#ifndef PROTOCOL_CHAIN_H
#define PROTOCOL_CHAIN_H

#include "crds/functionkey.h"
#include "pkg/pre/pre.h"

/* The TERM statement of status.leader: signed by the identity key that it names. TAMPERED. */
int protocol_leader_verify(
	const struct crds_functionkey *leader, struct pre_context *ctx, struct err *err) must_check;

/* The KEY statement of a row, and that its fingerprint is its key's. TAMPERED. */
int protocol_key_verify(const struct crds_functionkey *leader, const struct crds_key *key,
	struct pre_context *ctx, struct err *err) must_check;

/* What a sender or member remembers of a revision's key. Value struct; zero: nothing yet. */
struct protocol_pin {
	char record_uid[CRDS_UID_LEN + 1];
	int64_t epoch; /* 0: nothing pinned */
	struct crds_point key;
	struct crds_point continuity;
};

enum protocol_continuity {
	PROTOCOL_FIRST_CONTACT, /* nothing was pinned: trust on first use */
	PROTOCOL_SAME,          /* the pinned key */
	PROTOCOL_CONTINUED,     /* linked to the pinned key by signatures */
	PROTOCOL_BROKEN         /* another record, an older epoch, or no valid link */
};

/* Judges the row `key` of a record against a pin. Rows in between may serve as links. NOMEM: it
 * cannot be told now; a broken chain is a verdict, not an error. */
int protocol_chain_judge(const struct protocol_pin *pin, const struct crds_functionkey *leader,
	const struct crds_key *key, struct pre_context *ctx, enum protocol_continuity *ret_verdict,
	struct err *err) must_check;

/* What to remember after the row was taken into use. */
struct protocol_pin protocol_pin_of(
	const struct crds_functionkey *leader, const struct crds_key *key);

#endif
