/* What to do with a message that came for us: which recipient entry is ours, and whether its key
 * is at hand. Layer: agent, pure.
 *
 * By fingerprint, never by trial. The entry's name and epoch must be those that our own record has
 * for that key.
 */
#ifndef AGENT_CHOOSE_H
#define AGENT_CHOOSE_H

#include "agent/replica.h"
#include "pkg/envelope/header.h"

enum agent_fate {
	AGENT_FATE_OPEN, /* ask the cache, then the keeper */
	AGENT_FATE_PARK  /* the key may come: kick the leader and wait */
};

struct agent_known {
	struct str name;                       /* "<namespace>/<revision>" of ours */
	const struct crds_functionkey *record; /* our revision's Leader record; NULL: none yet */
	bool leading;
	struct agent_epoch (*find)(void *ctx, const uint8_t fp[static 16]);
	void *ctx;
};

struct agent_choice {
	enum agent_fate fate;
	const struct envelope_recipient *recipient; /* of the header */
	int64_t epoch;
	enum crds_key_state state; /* as the record says; 0: not listed (only if parked) */
};

/* Problems: WRONG_RECIPIENT (no entry is for this revision), STALE_EPOCH (the key was erased,
 * abandoned, or revoked, and there is a newer one: only a hint, since whoever answers may lie about
 * keys), NO_KEY (it was lost, never ours, or there is no newer one), TAMPERED (an entry with our
 * key under another name or epoch). */
int agent_choose(const struct agent_known *known, const struct envelope_header *header,
	struct agent_choice *ret, struct err *err) must_check;

/* "active", "retired" or "revoked", for the header Functionkey-Epoch-State. */
const char *agent_epoch_state_name(enum crds_key_state state);

#endif
