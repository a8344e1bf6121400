/* The certificate under which this replica signs: the one that its leader wrote into its record, or
 * that its own keeper made as a leader. Layer: agent.
 *
 * One is good if it names this replica and its identity key, this very Leader record, an issuer
 * that the record still knows, and a time that is not over: what a receiver would see.
 */
#ifndef AGENT_SIGNER_H
#define AGENT_SIGNER_H

#include "agent/replica.h"
#include "pkg/envelope/sender.h"

struct agent_signer;

/* core and envelope are borrowed and outlive it. NOMEM. The second frees; NULL is fine; returns
 * NULL. */
int agent_signer_new(struct agent_core *core, struct envelope_context *envelope,
	struct agent_signer **ret_signer, struct err *err) must_check;
struct agent_signer *agent_signer_free(struct agent_signer *s);
CLEANUP_FREE(struct agent_signer, agent_signer_free);

/* Borrowed until the loop runs on. */
struct agent_bearer {
	struct str cert; /* encoded */
	const uint8_t *hash;
	int64_t epoch, term; /* of the leadership that issued it */
	int64_t exp;         /* Unix seconds */
};

/* What there is to choose from. */
struct agent_signer_view {
	const struct crds_functionkey *leader, *own; /* NULL: not there */
	struct str made;                             /* by our own keeper; empty: none */
};

/* The good one that lasts longest. Problem NOT_READY, which says what is missing. */
int agent_signer_choose(struct agent_signer *s, const struct agent_signer_view *v,
	struct agent_bearer *ret, struct err *err) must_check;

#endif
