#include "pkg/protocol/chain.h"
#include "pkg/protocol/protocol.h"

static bool same_point(const struct crds_point *a, const struct crds_point *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static struct crds_fingerprint fingerprint_of(const struct crds_point *p)
{
	struct pre_public_key key;
	struct crds_fingerprint out;

	memcpy(key.b, p->b, sizeof(key.b));
	const struct pre_fingerprint fp = pre_fingerprint(&key);
	memcpy(out.b, fp.b, sizeof(out.b));
	return out;
}

/* The record against the keeper. The next inbox key goes in as soon as the keeper made it. */
static bool record_is_current(const struct protocol_view *v)
{
	const struct protocol_keeper *k = &v->keeper;

	return protocol_registered(v) &&
	       same_point(&v->own->inbox, k->has_next_inbox ? &k->next_inbox : &k->inbox);
}

static bool same_fingerprint(const struct crds_fingerprint *fp, const struct crds_point *p)
{
	const struct crds_fingerprint of = fingerprint_of(p);

	return memcmp(fp->b, of.b, sizeof(of.b)) == 0;
}

/* A grant to an inbox key that was wiped is of no use: the leader sees the new one in our record
 * and grants again. */
static bool for_us(const struct protocol_view *v, const struct crds_grant *g)
{
	const struct protocol_keeper *k = &v->keeper;

	return g->incarnation == v->incarnation && same_fingerprint(&g->to, &k->receiving) &&
	       (same_fingerprint(&g->inbox, &k->inbox) ||
		       (k->has_next_inbox && same_fingerprint(&g->inbox, &k->next_inbox)));
}

static bool was_refused(const struct protocol_view *v, const struct crds_grant *g)
{
	for (size_t i = 0; i < v->refused_len; i++)
		if (memcmp(v->refused[i].b, g->signature.b, sizeof(g->signature.b)) == 0)
			return true;
	return false;
}

/* The key that a grant is to be accepted for, or NULL. Only grants of the recorded term count:
 * an earlier leader's word is not taken as current (invariant 2). */
static const struct crds_key *grant_key(const struct protocol_view *v, const struct crds_grant *g)
{
	const struct crds_key *key = crds_key_find(v->leader, g->epoch);

	if (!key || key->state == CRDS_ABANDONED || g->term != v->leader->leader.term ||
		memcmp(g->from.b, key->fingerprint.b, sizeof(g->from.b)) != 0 ||
		protocol_holds(v, key) || !for_us(v, g) || was_refused(v, g))
		return NULL;
	return key;
}

/* We made a key for that number, and another leader's came into the record: ours is erased first.
 */
static bool number_is_taken(const struct protocol_view *v, int64_t epoch)
{
	for (size_t i = 0; i < v->keeper.held_len; i++)
		if (v->keeper.held[i].epoch == epoch)
			return true;
	return false;
}

/* How a signature of the record is taken: a forged one is as if it were not there; what cannot be
 * told now (there is no memory) is still to come. */
enum word { WORD_GOOD, WORD_FORGED, WORD_UNKNOWN };

static enum word word_of(int r)
{
	return r == 0 ? WORD_GOOD : r == -ERR_NOMEM ? WORD_UNKNOWN : WORD_FORGED;
}

static void check_pod(
	struct protocol_plan *plan, enum protocol_check check, struct str pod, struct str pod_uid)
{
	struct protocol_action *a = check == PROTOCOL_UNCHECKED && pod_uid.n
					    ? protocol_add(plan, PROTOCOL_CHECK_LEADER)
					    : NULL;

	if (!a)
		return;
	a->pod = pod;
	a->pod_uid = pod_uid;
}

/* At once, and not when a grant has come: it will come from who leads, and before the record says
 * so from who holds the Lease. */
static void check_leaders(const struct protocol_view *v, struct protocol_plan *plan)
{
	const struct crds_leader *l = &v->leader->leader;

	if (!v->leader->has_leader || !base_str_eq(v->holder_uid, l->pod_uid))
		check_pod(plan, v->holder_check, v->holder_pod, v->holder_uid);
	if (v->leader->has_leader)
		check_pod(plan, v->leader_check, l->pod, l->pod_uid);
}

/* Asks for what is granted. True while something that may be good is not accepted yet. */
static bool accept_grants(
	const struct protocol_view *v, struct pre_context *ctx, struct protocol_plan *plan)
{
	enum word leader = WORD_UNKNOWN;
	bool verified = false, to_come = false;

	if (!v->leader || !v->leader->has_leader || v->leader_check == PROTOCOL_REFUSED)
		return false;
	for (size_t i = 0; i < v->own->grants_len; i++) {
		const struct crds_key *key = grant_key(v, &v->own->grants[i]);
		if (!key)
			continue;
		if (v->leader_check == PROTOCOL_UNCHECKED || number_is_taken(v, key->epoch)) {
			to_come = true;
			continue;
		}
		if (!verified)
			leader = word_of(protocol_leader_verify(v->leader, ctx, NULL));
		verified = true;
		if (leader != WORD_GOOD)
			return to_come || leader == WORD_UNKNOWN;
		const enum word word = word_of(protocol_key_verify(v->leader, key, ctx, NULL));
		to_come |= word != WORD_FORGED;
		struct protocol_action *a =
			word == WORD_GOOD ? protocol_add(plan, PROTOCOL_ACCEPT) : NULL;
		if (!a)
			continue;
		a->epoch = key->epoch;
		a->term = v->own->grants[i].term;
		a->grant = &v->own->grants[i];
		a->key = key;
	}
	return to_come;
}

size_t protocol_opened(
	const struct protocol_view *v, struct crds_opened_epoch ret_opened[static CRDS_KEYS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; v->leader && i < v->leader->keys_len; i++) {
		const struct crds_key *key = &v->leader->keys[i];
		if (key->state == CRDS_ABANDONED || !protocol_holds(v, key))
			continue;
		ret_opened[n].epoch = key->epoch;
		ret_opened[n++].fingerprint = key->fingerprint;
	}
	return n;
}

static bool ready_is_current(const struct protocol_view *v)
{
	const struct crds_condition *c = crds_condition_find(v->own, STR("Ready"));
	const struct protocol_readiness ready = protocol_ready(v);

	return c && (c->status == CRDS_TRUE) == ready.ready &&
	       base_str_eq(c->reason, base_str(ready.reason));
}

static bool opened_is_current(const struct protocol_view *v)
{
	struct crds_opened_epoch want[CRDS_KEYS_MAX];
	const size_t n = protocol_opened(v, want);
	const struct crds_condition *c = crds_condition_find(v->own, STR("Ready"));
	const struct protocol_readiness ready = protocol_ready(v);
	const struct crds_key *active = v->leader ? crds_key_active(v->leader) : NULL;

	/* Who has just started says nothing for a while: most joins are over by then, and a storm
	 * of joins is spared one write each. */
	if (!c && n == 0 && !ready.ready && v->boot_ns < v->started_ns + PROTOCOL_SILENT_NS)
		return true;
	if (n != v->own->opened_len || (n && v->own->opened_incarnation != v->incarnation))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!crds_opened(v->own, want[i].epoch))
			return false;
	if (ready.ready && active && v->own->active_epoch < active->epoch)
		return false;
	return ready_is_current(v);
}

/* True if some grant in the record was sealed to the inbox key that is in use. */
static bool inbox_was_used(const struct protocol_view *v)
{
	const struct crds_fingerprint fp = fingerprint_of(&v->keeper.inbox);

	for (size_t i = 0; i < v->own->grants_len; i++)
		if (memcmp(v->own->grants[i].inbox.b, fp.b, sizeof(fp.b)) == 0)
			return true;
	return false;
}

/* A one-time inbox key changes once what came in it has been opened and said, so that a backup of
 * the record and a later leak of the keeper open nothing. */
static void renew_inbox(const struct protocol_view *v, struct protocol_plan *plan)
{
	if (v->keeper.has_next_inbox) {
		if (same_point(&v->own->inbox, &v->keeper.next_inbox))
			(void)protocol_add(plan, PROTOCOL_INBOX_COMMIT);
		return;
	}
	if (!inbox_was_used(v))
		return;
	const int64_t at = v->inbox_used_ns + PROTOCOL_INBOX_QUIET_NS;
	if (v->boot_ns < at)
		protocol_wake(plan, at);
	else
		(void)protocol_add(plan, PROTOCOL_INBOX_NEXT);
}

/* Brings the record in line with the keeper; false: it is not yet. */
static bool keep_record(const struct protocol_view *v, struct protocol_plan *plan)
{
	struct protocol_action *a = NULL;

	if (!v->own) {
		(void)protocol_add(plan, PROTOCOL_RECORD_CREATE);
		return false;
	}
	if (record_is_current(v))
		return true;
	/* A write of an earlier keeper of this pod came after we chose our number. Keys are not
	 * changed under a number, so we take a higher one; nothing was granted to ours. */
	if (v->own->incarnation >= v->incarnation && !protocol_registered(v)) {
		a = protocol_add(plan, PROTOCOL_REINCARNATE);
		if (a)
			a->incarnation = v->own->incarnation + 1;
	} else {
		(void)protocol_add(plan, PROTOCOL_RECORD_UPDATE);
	}
	return false;
}

static bool is_accepting(const struct protocol_plan *plan)
{
	for (size_t i = 0; i < plan->actions_len; i++)
		if (plan->actions[i].kind == PROTOCOL_ACCEPT)
			return true;
	return false;
}

void protocol_member_step(
	const struct protocol_view *v, struct pre_context *ctx, struct protocol_plan *plan)
{
	/* All that is still to be said, and all that the policies let through. */
	if (protocol_revoked(v)) {
		if (v->own && !ready_is_current(v))
			(void)protocol_add(plan, PROTOCOL_SAY_OPENED);
		return;
	}
	if (!keep_record(v, plan))
		return;
	if (v->leader)
		check_leaders(v, plan);
	const bool to_come = accept_grants(v, ctx, plan);
	/* One write tells of all that was granted. */
	if (!is_accepting(plan) && !opened_is_current(v))
		(void)protocol_add(plan, PROTOCOL_SAY_OPENED);
	if (v->boot_ns < v->started_ns + PROTOCOL_SILENT_NS)
		protocol_wake(plan, v->started_ns + PROTOCOL_SILENT_NS);
	/* What came in the old inbox, before the leader saw the next, is opened first. */
	if (!to_come)
		renew_inbox(v, plan);
}
