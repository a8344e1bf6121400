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

	return v->own->incarnation == v->incarnation &&
	       same_point(&v->own->receiving, &k->receiving) &&
	       same_point(&v->own->identity, &k->identity) &&
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

/* The key that a grant is to be accepted for, or NULL. Only grants of the recorded term count:
 * an earlier leader's word is not taken as current (invariant 2). */
static const struct crds_key *grant_key(const struct protocol_view *v, const struct crds_grant *g)
{
	const struct crds_key *key = crds_key_find(v->leader, g->epoch);

	if (!key || key->state == CRDS_ABANDONED || g->term != v->leader->leader.term ||
		memcmp(g->from.b, key->fingerprint.b, sizeof(g->from.b)) != 0 ||
		protocol_holds(v, key) || !for_us(v, g))
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

static void accept_grants(
	const struct protocol_view *v, struct pre_context *ctx, struct protocol_plan *plan)
{
	bool verified = false;

	if (!v->leader || !v->leader->has_leader || v->leader_check == PROTOCOL_REFUSED)
		return;
	/* At once, and not when the grant has come: it will come from this one. */
	if (v->leader_check == PROTOCOL_UNCHECKED) {
		(void)protocol_add(plan, PROTOCOL_CHECK_LEADER);
		return;
	}
	for (size_t i = 0; i < v->own->grants_len; i++) {
		const struct crds_key *key = grant_key(v, &v->own->grants[i]);
		if (!key || number_is_taken(v, key->epoch))
			continue;
		if (!verified && protocol_leader_verify(v->leader, ctx, NULL) < 0)
			return;
		verified = true;
		if (protocol_key_verify(v->leader, key, ctx, NULL) < 0)
			continue;
		struct protocol_action *a = protocol_add(plan, PROTOCOL_ACCEPT);
		if (!a)
			return;
		a->epoch = key->epoch;
		a->term = v->own->grants[i].term;
		a->grant = &v->own->grants[i];
		a->key = key;
	}
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
	return c && (c->status == CRDS_TRUE) == ready.ready &&
	       base_str_eq(c->reason, base_str(ready.reason));
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

static bool grants_are_done(const struct protocol_view *v)
{
	for (size_t i = 0; i < v->own->grants_len; i++)
		if (v->leader && v->leader->has_leader && grant_key(v, &v->own->grants[i]))
			return false;
	return true;
}

/* A one-time inbox key changes once what came in it has been opened and said, so that a backup of
 * the record and a later leak of the keeper open nothing. */
static void renew_inbox(const struct protocol_view *v, struct protocol_plan *plan)
{
	/* What came in the old one, before the leader saw the next, is opened first. */
	if (!grants_are_done(v))
		return;
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

void protocol_member_step(
	const struct protocol_view *v, struct pre_context *ctx, struct protocol_plan *plan)
{
	if (!v->own) {
		(void)protocol_add(plan, PROTOCOL_RECORD_CREATE);
		return;
	}
	if (!record_is_current(v)) {
		(void)protocol_add(plan, PROTOCOL_RECORD_UPDATE);
		return;
	}
	accept_grants(v, ctx, plan);
	if (!opened_is_current(v))
		(void)protocol_add(plan, PROTOCOL_SAY_OPENED);
	if (v->boot_ns < v->started_ns + PROTOCOL_SILENT_NS)
		protocol_wake(plan, v->started_ns + PROTOCOL_SILENT_NS);
	renew_inbox(v, plan);
}
