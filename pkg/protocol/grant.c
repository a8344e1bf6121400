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

static bool refused(const struct protocol_view *v, const struct protocol_member *m)
{
	if (m->record->deleting || m->check == PROTOCOL_REFUSED ||
		!base_str_eq(m->record->revision, v->revision) || m->record->role != CRDS_MEMBER ||
		base_str_eq(m->record->pod_uid, v->pod_uid))
		return true;
	return crds_revoked(v->leader, m->record->pod_uid);
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
	for (size_t i = 0; i < v->members_len && !plan->truncated; i++) {
		const struct protocol_member *m = &v->members[i];
		int64_t epochs[CRDS_KEYS_MAX];
		if (refused(v, m))
			continue;
		const size_t n = lacking(v, m->record, epochs);
		if (n == 0)
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
