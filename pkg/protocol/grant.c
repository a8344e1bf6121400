#include "pkg/protocol/protocol.h"

static bool grantable(const struct protocol_view *v, const struct crds_key *key)
{
	if (key->state == CRDS_PREPARED && key->term != v->keeper.term)
		return false;
	return key->state != CRDS_ABANDONED && protocol_holds(v, key);
}

/* True if the member lacks this epoch and no grant of this term for its present keys stands in
 * its record. */
static bool lacks(const struct protocol_view *v, const struct crds_functionkey *member,
	const struct crds_key *key)
{
	const struct crds_grant *g = crds_grant_find(member, key->epoch);
	struct pre_public_key inbox;

	if (member->opened_incarnation == member->incarnation && crds_opened(member, key->epoch))
		return false;
	memcpy(inbox.b, member->inbox.b, sizeof(inbox.b));
	const struct pre_fingerprint fp = pre_fingerprint(&inbox);
	return !g || g->term != v->keeper.term || g->incarnation != member->incarnation ||
	       memcmp(g->inbox.b, fp.b, sizeof(fp.b)) != 0 ||
	       memcmp(g->from.b, key->fingerprint.b, sizeof(key->fingerprint.b)) != 0;
}

bool protocol_issuer_known(const struct crds_functionkey *leader, const struct crds_point *issuer)
{
	const size_t n = sizeof(issuer->b);

	if (leader->has_leader && memcmp(leader->leader.identity.b, issuer->b, n) == 0)
		return !crds_revoked(leader, leader->leader.pod_uid);
	for (size_t i = 0; i < leader->keys_len; i++)
		if (leader->keys[i].state != CRDS_REVOKED &&
			memcmp(leader->keys[i].identity.b, issuer->b, n) == 0)
			return true;
	return false;
}

/* True if one that is good until then (wall time) is due to be renewed: half of its time is over,
 * or it is good for longer than any that we make, by a clock that is far ahead. Lowers
 * plan->wake_ns if it is not. */
static bool certificate_due(
	const struct protocol_view *v, int64_t expires_ns, struct protocol_plan *plan)
{
	const int64_t whole = PROTOCOL_CERT_S * NS_PER_S;
	const int64_t left = expires_ns - v->wall_ns;

	if (left <= whole / 2 || left > 2 * whole)
		return true;
	protocol_wake(plan, v->boot_ns + left - whole / 2);
	return false;
}

/* A certificate of an earlier leader stays good as long as the record knows that leader, so that a
 * change of leaders costs no writes of its own. */
static bool needs_certificate(const struct protocol_view *v, const struct crds_functionkey *member,
	struct protocol_plan *plan)
{
	const struct crds_certificate *c = &member->certificate;

	if (v->no_certificates)
		return false;
	return !member->has_certificate || c->incarnation != member->incarnation ||
	       !protocol_issuer_known(v->leader, &c->issuer) ||
	       certificate_due(v, c->expires_ns, plan);
}

static void certify_ourselves(const struct protocol_view *v, struct protocol_plan *plan)
{
	const struct protocol_keeper *k = &v->keeper;

	if (k->certified_ns && base_str_eq(base_str(k->certified_uid), v->leader->uid) &&
		!certificate_due(v, k->certified_ns, plan))
		return;
	struct protocol_action *a = protocol_add(plan, PROTOCOL_CERTIFY);
	if (a)
		a->term = k->term;
}

static bool refused(const struct protocol_view *v, const struct protocol_member *m)
{
	if (m->record->deleting || m->check == PROTOCOL_REFUSED ||
		!base_str_eq(m->record->revision, v->revision) || m->record->role != CRDS_MEMBER ||
		base_str_eq(m->record->pod_uid, v->pod_uid))
		return true;
	return crds_revoked(v->leader, m->record->pod_uid) ||
	       crds_revocation_find(v->leader, m->record->pod_uid);
}

static size_t lacking(const struct protocol_view *v, const struct crds_functionkey *member,
	int64_t epochs[static CRDS_KEYS_MAX])
{
	size_t n = 0;

	/* Newest first: what is Active or about to be matters most. */
	for (size_t i = v->leader->keys_len; i-- > 0;)
		if (grantable(v, &v->leader->keys[i]) && lacks(v, member, &v->leader->keys[i]))
			epochs[n++] = v->leader->keys[i].epoch;
	return n;
}

/* Who holds the Lease and takes its term looks at the members' pods meanwhile. */
static void look_ahead(const struct protocol_view *v, struct protocol_plan *plan)
{
	for (size_t i = 0; i < v->members_len && !plan->truncated; i++) {
		const struct protocol_member *m = &v->members[i];
		if (refused(v, m) || m->check != PROTOCOL_UNCHECKED)
			continue;
		struct protocol_action *a = protocol_add(plan, PROTOCOL_CHECK_MEMBER);
		if (a)
			a->member = m->record;
	}
}

void protocol_grants(const struct protocol_view *v, struct protocol_plan *plan)
{
	if (!v->leader || !v->holding || protocol_revoked(v))
		return;
	if (!protocol_leading(v)) {
		look_ahead(v, plan);
		return;
	}
	certify_ourselves(v, plan);
	for (size_t i = 0; i < v->members_len && !plan->truncated; i++) {
		const struct protocol_member *m = &v->members[i];
		int64_t epochs[CRDS_KEYS_MAX];
		if (refused(v, m))
			continue;
		const size_t n = lacking(v, m->record, epochs);
		if (n == 0 && !needs_certificate(v, m->record, plan))
			continue;
		struct protocol_action *a = protocol_add(plan,
			m->check == PROTOCOL_CHECKED ? PROTOCOL_GRANT : PROTOCOL_CHECK_MEMBER);
		if (!a)
			return;
		a->member = m->record;
		a->term = v->keeper.term;
		memcpy(a->epochs, epochs, n * sizeof(epochs[0]));
		a->epochs_len = n;
	}
}
