/* The bodies of the agent's writes, as pure functions: a record and what shall change go in, JSON
 * comes out. Layer: agent.
 *
 * A leader's patches carry `test` operations on its term and on the epoch instead of a
 * resourceVersion: the controller's counts may move on, another leader's term may not
 * (shared/reference/api.md, finding 18). The CRD's rules refuse what a test cannot see.
 */
#ifndef AGENT_PATCHES_H
#define AGENT_PATCHES_H

#include "crds/functionkey.h"
#include "pkg/protocol/protocol.h"

#define AGENT_PATCH_MAX (128UL * 1024)

/* Merge patch on the Leader record's status: this leader, this term. The CRD refuses a term that
 * is not above another leader's. */
int agent_patch_take_term(const struct crds_leader *me, struct buf *b, struct err *err) must_check;

/* JSON patch on the Leader record's status: an orphaned Prepared row becomes Abandoned, `made` is
 * added as Prepared, epoch grows to its number, and who is revoked by now is noted as revoked
 * before it. With `me`, who takes the term by the same write over the leader that the record has;
 * NULL: that one writes. */
int agent_patch_prepare(const struct crds_functionkey *leader, const struct crds_leader *me,
	const struct crds_key *made, struct buf *b, struct err *err) must_check;

/* JSON patch on the Leader record's status: the row of action.epoch becomes Active, the Active one
 * leaves with action.state and action.reason, the Retired ones of action.epochs become Revoked.
 * wall_ns is now. */
int agent_patch_activate(const struct crds_functionkey *leader,
	const struct protocol_action *action, int64_t wall_ns, struct buf *b, struct err *err)
	must_check;

/* JSON patch on the Leader record's status: without the row of `epoch`. */
int agent_patch_prune(const struct crds_functionkey *leader, int64_t epoch, struct buf *b,
	struct err *err) must_check;

/* What a leader gives to a member. */
struct agent_granting {
	const struct crds_leader *me;
	const struct crds_grant *grants;
	size_t n;                                   /* 0: its grants stay as they are */
	const struct crds_certificate *certificate; /* NULL: likewise */
};

/* Merge patch on a Member record's status: these grants added to or in place of those that it
 * has, its certificate, and who granted. */
int agent_patch_grants(const struct crds_functionkey *member, const struct agent_granting *granting,
	struct buf *b, struct err *err) must_check;

/* Merge patch on our own Member record's spec: incarnation, keys, proof. */
int agent_patch_keys(const struct protocol_view *v, struct buf *b, struct err *err) must_check;

/* Merge patch on our own Member record's status: what we can open, and our Ready condition; of a
 * revoked replica the condition only, since the policies refuse all else. */
int agent_patch_opened(const struct protocol_view *v, struct buf *b, struct err *err) must_check;

#endif
