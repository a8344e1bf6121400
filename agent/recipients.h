/* To whom a message for a function is sealed: from its revisions' Leader records to targets.
 *
 * Layer: agent, pure (records, pins and the curve in; targets or a reason out). A function has one
 * target per live revision: a Leader record that says that it is of that function, has an Active
 * key whose statement verifies, and is not without a holder. Who may create a Leader record decides
 * who receives; that is the controller alone (DESIGN 4). Continuity is pinned per record: first
 * contact is trust on first use, a break is told and by option refused.
 */
#ifndef AGENT_RECIPIENTS_H
#define AGENT_RECIPIENTS_H

#include "crds/functionkey.h"
#include "pkg/envelope/seal.h"
#include "pkg/pre/pre.h"

#define AGENT_PINS_MAX 8192
#define AGENT_SCHEME   "umbral-secp256k1" /* the one that we can seal to */

/* What is remembered of revisions' keys, for as long as the process lives. */
struct agent_pins;

/* Nothing remembered yet. NOMEM. The second frees; NULL is fine; returns NULL. */
int agent_pins_new(struct agent_pins **ret_pins, struct err *err) must_check;
struct agent_pins *agent_pins_free(struct agent_pins *p);
CLEANUP_FREE(struct agent_pins, agent_pins_free);

/* Revisions remembered, at most AGENT_PINS_MAX. */
size_t agent_pins_len(const struct agent_pins *p);

/* One heap block; names point into it. */
struct agent_recipients {
	size_t n;       /* 1 … ENVELOPE_RECIPIENTS_MAX */
	uint64_t epoch; /* the highest epoch among the targets */
	struct envelope_target v[];
};
struct agent_recipients *agent_recipients_free(struct agent_recipients *r);
CLEANUP_FREE(struct agent_recipients, agent_recipients_free);

/* The keys of a set, for when it is gone. */
struct agent_recipient_keys {
	size_t n;
	struct pre_public_key v[ENVELOPE_RECIPIENTS_MAX];
};
struct agent_recipient_keys agent_recipients_keys(const struct agent_recipients *r);

/* Whether this compressed point is one of them. */
bool agent_recipient_keys_have(
	const struct agent_recipient_keys *keys, const uint8_t key[static 33]);

/* Whether a set has a key that a former one had not, and is no larger: what a message that was
 * refused under the former one may be sealed to. Revisions count their epochs each for itself, so
 * that the highest of them says nothing here. */
bool agent_recipients_replace(
	const struct agent_recipients *r, const struct agent_recipient_keys *former);

/* Told about each record that was left out or that breaks the chain. */
enum agent_doubt { AGENT_DOUBT_SIGNATURE, AGENT_DOUBT_CONTINUITY, AGENT_DOUBT_COUNT };
struct agent_doubts {
	void (*tell)(void *ctx, enum agent_doubt doubt, const struct crds_functionkey *record,
		const char *why);
	void *ctx;
};

struct agent_chooser {
	struct agent_pins *pins;
	struct pre_context *pre;
	bool refuse_broken; /* leave out records that do not continue what was pinned */
	struct agent_doubts doubts;
};

/* Problems: UNKNOWN_RECIPIENT (no record of that function), NO_HOLDER (all without holder),
 * NOT_READY (no Active key yet), UNTRUSTED (there are keys, but none genuine), TOO_LARGE (more
 * revisions than an envelope takes). The caller owns *ret. */
int agent_recipients_choose(const struct agent_chooser *c,
	const struct crds_functionkey *const *records, size_t n, struct str function,
	struct agent_recipients **ret, struct err *err) must_check;

#endif
