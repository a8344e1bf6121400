/* The rules of crds/functionkey.yaml that protect history, and of the policies that bind a writer
 * to the name that it writes, in C. */
#include "sim/world.h"

static bool same(const void *a, const void *b, size_t n)
{
	return memcmp(a, b, n) == 0;
}

static bool is_final(enum crds_key_state s)
{
	return s == CRDS_RETIRED || s == CRDS_ABANDONED || s == CRDS_REVOKED;
}

static bool may_become(enum crds_key_state from, enum crds_key_state to)
{
	return from == to ||
	       (from == CRDS_PREPARED && (to == CRDS_ACTIVE || to == CRDS_ABANDONED)) ||
	       (from == CRDS_ACTIVE && (to == CRDS_RETIRED || to == CRDS_REVOKED)) ||
	       (from == CRDS_RETIRED && to == CRDS_REVOKED);
}

static bool same_material(const struct crds_key *a, const struct crds_key *b)
{
	return same(&a->key, &b->key, sizeof(a->key)) &&
	       same(&a->fingerprint, &b->fingerprint, sizeof(a->fingerprint)) &&
	       same(&a->continuity, &b->continuity, sizeof(a->continuity)) &&
	       same(&a->identity, &b->identity, sizeof(a->identity)) &&
	       same(&a->signature, &b->signature, sizeof(a->signature)) && a->term == b->term &&
	       base_str_eq(a->leader_pod, b->leader_pod) && a->has_link == b->has_link &&
	       same(&a->link, &b->link, sizeof(a->link)) && a->previous == b->previous;
}

static const char *refuse_term(
	const struct crds_functionkey *old, const struct crds_functionkey *new)
{
	const struct crds_leader *o = &old->leader, *n = &new->leader;

	if (!old->has_leader)
		return new->has_leader && n->term > 1000000 ? "the term grows too fast" : NULL;
	if (!new->has_leader || n->term < o->term ||
		(n->term == o->term &&
			(!base_str_eq(n->pod_uid, o->pod_uid) || n->incarnation != o->incarnation)))
		return "a new leader needs a higher term; terms never decrease";
	if (n->term > o->term + 1000000)
		return "the term grows too fast";
	if (n->term == o->term && (!same(&n->verifying, &o->verifying, sizeof(n->verifying)) ||
					  !same(&n->identity, &o->identity, sizeof(n->identity))))
		return "verifyingKey and identityKey of a term are immutable";
	return NULL;
}

static bool listed_before(const struct crds_functionkey *record, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (record->keys[j].epoch == record->keys[i].epoch)
			return true;
	return false;
}

static const char *refuse_new_keys(
	const struct crds_functionkey *old, const struct crds_functionkey *new)
{
	for (size_t i = 0; i < new->keys_len; i++) {
		const struct crds_key *k = &new->keys[i];
		const struct crds_key *o = crds_key_find(old, k->epoch);
		if (k->epoch > new->epoch)
			return "status.epoch is the highest epoch ever listed";
		if (k->state == CRDS_ACTIVE && new->active_epoch != k->epoch)
			return "activeEpoch names the Active key";
		if (!o && old->epoch && k->epoch <= old->epoch)
			return "a key can only be added with a new epoch";
		if (!o && k->state != CRDS_PREPARED)
			return "a new key is Prepared first";
		if (o && !may_become(o->state, k->state))
			return "a key's state goes forward only";
		if (o && !same_material(o, k))
			return "the key material of an epoch is immutable";
		if (listed_before(new, i))
			return "an epoch is listed twice";
	}
	return NULL;
}

static const char *refuse_keys(
	const struct crds_functionkey *old, const struct crds_functionkey *new)
{
	int active = 0;
	int prepared = 0;

	for (size_t i = 0; i < new->keys_len; i++) {
		active += new->keys[i].state == CRDS_ACTIVE;
		prepared += new->keys[i].state == CRDS_PREPARED;
	}
	if (active > 1 || prepared > 1)
		return "at most one key is Active, and one Prepared";
	for (size_t i = 0; i < old->keys_len; i++)
		if (!is_final(old->keys[i].state) && !crds_key_find(new, old->keys[i].epoch))
			return "a key that is Prepared or Active cannot be removed";
	return refuse_new_keys(old, new);
}

static const char *refuse_leader(const struct crds_functionkey *old,
	const struct crds_functionkey *new, const struct sim_replica *by, bool fenced)
{
	const char *why = NULL;

	if (new->epoch < old->epoch || new->active_epoch < old->active_epoch)
		return "epochs never decrease and cannot be removed";
	if (old->epoch ? new->epoch > old->epoch + 1 : new->epoch > 1000000)
		return "status.epoch grows by at most 1 in one write";
	if (new->active_epoch > new->epoch)
		return "activeEpoch never exceeds epoch";
	if (new->erase_through < old->erase_through ||
		(new->erase_through > old->erase_through &&new->erase_through >= new->active_epoch))
		return "eraseThrough never decreases, and is below the active epoch";
	if (fenced && (why = refuse_term(old, new)))
		return why;
	if (fenced && by && !base_str_eq(new->leader.pod_uid, base_str(by->uid)))
		return "the status is written by the leader that it names";
	return refuse_keys(old, new);
}

static const char *refuse_spec(
	const struct crds_functionkey *old, const struct crds_functionkey *new)
{
	const size_t n = sizeof(new->receiving);

	if (same(&new->receiving, &new->inbox, n) || same(&new->receiving, &new->identity, n) ||
		same(&new->inbox, &new->identity, n))
		return "receivingKey, inboxKey and identityKey are three different keys";
	if (!old)
		return NULL;
	if (new->incarnation < old->incarnation)
		return "incarnation never decreases";
	if (new->incarnation == old->incarnation &&
		(!same(&new->receiving, &old->receiving, n) ||
			!same(&new->identity, &old->identity, n)))
		return "a new receivingKey or identityKey needs a higher incarnation";
	return NULL;
}

static const char *refuse_member(const struct crds_functionkey *old,
	const struct crds_functionkey *new, const struct sim_replica *by)
{
	const char *why = refuse_spec(old, new);

	if (why)
		return why;
	for (size_t i = 0; i < new->grants_len; i++) {
		const struct crds_grant *g = &new->grants[i];
		const struct crds_grant *o = old ? crds_grant_find(old, g->epoch) : NULL;
		if (g->incarnation > new->incarnation)
			return "a re-encryption key is made for an incarnation that exists";
		if (o && g->incarnation < o->incarnation)
			return "a re-encryption key is never replaced by one for an older "
			       "incarnation";
		for (size_t j = 0; j < i; j++)
			if (new->grants[j].epoch == g->epoch)
				return "an epoch is granted twice";
	}
	if (new->opened_len &&new->opened_incarnation > new->incarnation)
		return "opened is said by an incarnation that exists";
	if (by && !base_str_eq(new->pod_uid, base_str(by->uid)) &&
		!base_str_eq(new->leader.pod_uid, base_str(by->uid)))
		return "another pod's record is written only by the leader that it names";
	return NULL;
}

const char *sim_rules_refuse(const struct crds_functionkey *old, const struct crds_functionkey *new,
	const struct sim_replica *by, bool fenced)
{
	if (old && (new->role != old->role || !base_str_eq(new->revision, old->revision)))
		return "role and revision are immutable";
	if (new->role == CRDS_MEMBER)
		return refuse_member(old, new, by);
	return old ? refuse_leader(old, new, by, fenced) : NULL;
}

bool sim_policy_knows(const struct sim_world *w, const struct sim_replica *by)
{
	return by->revoked && w->options.plant != SIM_UNTOLD && w->now >= by->refused_from;
}

static bool same_opened(const struct crds_functionkey *a, const struct crds_functionkey *b)
{
	bool equal = a->opened_len == b->opened_len &&
		     a->opened_incarnation == b->opened_incarnation &&
		     a->active_epoch == b->active_epoch;

	for (size_t i = 0; equal && i < a->opened_len; i++)
		equal = a->opened[i].epoch == b->opened[i].epoch;
	return equal;
}

/* It may still say that it is not ready. */
const char *sim_rules_refuse_revoked(const struct crds_functionkey *old,
	const struct crds_functionkey *new, const struct sim_replica *by)
{
	const size_t n = sizeof(new->receiving);

	if (old && new->role == CRDS_MEMBER && base_str_eq(new->pod_uid, base_str(by->uid)) &&
		new->incarnation == old->incarnation &&same(&new->receiving, &old->receiving, n) &&
		same(&new->inbox, &old->inbox, n) && same(&new->identity, &old->identity, n) &&
		new->grants_len == old->grants_len &&same_opened(old, new))
		return NULL;
	return "a revoked pod writes nothing but its conditions";
}
