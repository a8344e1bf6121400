#include "pkg/protocol/protocol.h"

static int64_t max_i64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The highest epoch that anybody has a trace of: the record, our keeper, the members. A record
 * that was restored from a backup must not make an epoch a second time. What our keeper made
 * itself does not count: it gives the same key for the same number. */
static int64_t highest_epoch(const struct protocol_view *v)
{
	int64_t e = max_i64(v->leader->epoch, v->leader->active_epoch);

	for (size_t i = 0; i < v->leader->keys_len; i++)
		e = max_i64(e, v->leader->keys[i].epoch);
	for (size_t i = 0; i < v->keeper.held_len; i++)
		if (!v->keeper.held[i].made)
			e = max_i64(e, v->keeper.held[i].epoch);
	for (size_t i = 0; i < v->members_len; i++)
		for (size_t j = 0; j < v->members[i].record->opened_len; j++)
			e = max_i64(e, v->members[i].record->opened[j].epoch);
	return e;
}

/* The next epoch's key: made by the keeper first, then recorded by an action of kind `record`. */
static void prepare(const struct protocol_view *v, enum protocol_kind record, const char *reason,
	struct protocol_plan *plan)
{
	const struct crds_key *active = crds_key_active(v->leader);
	const int64_t epoch = highest_epoch(v) + 1;
	const bool made = v->keeper.has_made && v->keeper.made.epoch == epoch &&
			  v->keeper.made.term == v->keeper.term;
	struct protocol_action *a = protocol_add(plan, made ? record : PROTOCOL_KEEPER_EPOCH);

	if (!a)
		return;
	a->key = made ? &v->keeper.made : NULL;
	a->epoch = epoch;
	a->term = v->keeper.term;
	a->previous = active && protocol_holds(v, active) ? active->epoch : 0;
	a->reason = reason;
}

static void take_term(const struct protocol_view *v, struct protocol_plan *plan)
{
	const int64_t recorded = v->leader->has_leader ? v->leader->leader.term : 0;
	int64_t term = max_i64(recorded + 1, v->transitions);
	struct protocol_action *a = NULL;

	/* The keeper made the term's key already, and the record still is below it. */
	if (v->keeper.term > recorded && v->keeper.term >= v->transitions)
		term = v->keeper.term;
	/* What is known already to need a new key gets it with the same write: one round trip
	 * less before the key is Active. The first term of a record is taken by itself: such a
	 * write has nothing to test. */
	const char *reason = v->leader->has_leader ? protocol_why_new_epoch(v, term, plan) : NULL;
	if (v->keeper.term == term && reason && v->leader->keys_len < CRDS_KEYS_MAX) {
		if (v->members_synced)
			prepare(v, PROTOCOL_TAKE_TERM, reason, plan);
		return;
	}
	a = protocol_add(plan, v->keeper.term == term ? PROTOCOL_TAKE_TERM : PROTOCOL_KEEPER_TERM);
	if (a)
		a->term = term;
}

/* A member that opens the Active key now and not yet the Prepared one. The leader before this term
 * may be dead and its record not yet gone: who waited for it would always wait to the end. */
static bool waits_for(const struct protocol_member *m, const struct crds_functionkey *leader,
	const struct crds_key *active, const struct crds_key *prepared)
{
	const struct crds_functionkey *r = m->record;

	if (r->deleting || m->check == PROTOCOL_REFUSED ||
		r->opened_incarnation != r->incarnation ||
		(active->term < prepared->term && base_str_eq(r->pod, active->leader_pod)))
		return false;
	return !crds_revoked(leader, r->pod_uid) && crds_opened(r, active->epoch) &&
	       !crds_opened(r, prepared->epoch);
}

static void activate(const struct protocol_view *v, const struct crds_key *active,
	const struct crds_key *prepared, const char *reason, struct protocol_plan *plan)
{
	bool waiting = false;

	for (size_t i = 0; active && i < v->members_len && !waiting; i++)
		waiting = waits_for(&v->members[i], v->leader, active, prepared);
	const int64_t at = v->prepared_since_ns + PROTOCOL_ACTIVATE_AFTER_NS;
	if (waiting && (v->prepared_since_ns == 0 || v->boot_ns < at)) {
		protocol_wake(plan,
			v->prepared_since_ns == 0 ? v->boot_ns + PROTOCOL_ACTIVATE_AFTER_NS : at);
		return;
	}
	struct protocol_action *a = protocol_add(plan, PROTOCOL_ACTIVATE);
	if (!a)
		return;
	a->epoch = prepared->epoch;
	a->term = v->keeper.term;
	a->key = prepared;
	a->previous = active ? active->epoch : 0;
	a->reason = reason ? reason : "Rotated";
	const struct protocol_exposure to =
		active ? protocol_exposed(v, active) : (struct protocol_exposure){0};
	a->state = to.n ? CRDS_REVOKED : CRDS_RETIRED;
	a->member = to.first;
	a->members = to.n;
	for (size_t i = 0; i < v->leader->keys_len; i++)
		if (v->leader->keys[i].state == CRDS_RETIRED &&
			protocol_exposed(v, &v->leader->keys[i]).n)
			a->epochs[a->epochs_len++] = v->leader->keys[i].epoch;
}

void protocol_lead(const struct protocol_view *v, struct protocol_plan *plan)
{
	if (!v->holding || !v->leader || !v->own || v->leader->deleting || protocol_revoked(v))
		return;
	if (!protocol_leading(v)) {
		take_term(v, plan);
		return;
	}
	const struct crds_key *active = crds_key_active(v->leader);
	const struct crds_key *prepared = crds_key_prepared(v->leader);
	const char *reason = protocol_why_new_epoch(v, v->keeper.term, plan);
	/* What an earlier leader prepared is an orphan: its secret died with it, or its grants
	 * are of a lower term. What was granted to a pod that was revoked since is of no use. The
	 * write that adds the next key abandons both. */
	const bool mine = prepared && prepared->term == v->keeper.term &&
			  protocol_holds(v, prepared) && protocol_exposed(v, prepared).n == 0;
	if (!reason && prepared && protocol_exposed(v, prepared).n)
		reason = "Revoked";
	if (mine)
		activate(v, active, prepared, reason, plan);
	/* Members tell of epochs that the record may have forgotten; a full list is pruned first.
	 */
	else if (reason && v->members_synced && v->leader->keys_len < CRDS_KEYS_MAX)
		prepare(v, PROTOCOL_PREPARE, reason, plan);
}
