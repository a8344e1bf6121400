/* When a key is replaced: because nobody holds it, because somebody may who must not, because it
 * was asked for, because its time is over. */
#include "pkg/protocol/protocol.h"

/* A period is shortened by up to 1/16, so that functions deployed together do not rotate together,
 * and differently in each epoch. Derived from the record's UID, not drawn: a step has no dice, and
 * every leader comes to the same time. */
#define JITTER_PARTS 16
#define JITTER_STEPS 4096

static uint32_t mix(uint32_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 16777619U;
	return h;
}

/* A hash that spreads what differs in its last bytes only over all bits. */
static uint32_t spread(const struct protocol_view *v, const struct crds_key *active)
{
	uint32_t h = 2166136261U;

	h = mix(h, v->leader->uid.p, v->leader->uid.n);
	h = mix(h, v->revision.p, v->revision.n);
	h = mix(h, &active->epoch, sizeof(active->epoch));
	h = (h ^ (h >> 16)) * 0x45d9f3bU;
	return h ^ (h >> 16);
}

int64_t protocol_rotation_due_ns(const struct protocol_view *v, const struct crds_key *active)
{
	int64_t period = v->leader->rotation_period_s;

	if (period <= 0 || active->activated_ns == 0)
		return 0;
	if (period < PROTOCOL_ROTATION_FLOOR_S)
		period = PROTOCOL_ROTATION_FLOOR_S;
	const int64_t step = period * NS_PER_S / JITTER_PARTS / JITTER_STEPS;
	return active->activated_ns + period * NS_PER_S -
	       step * (int64_t)(spread(v, active) % JITTER_STEPS);
}

/* True if the list of keys has a place, or a row whose time is over. Neither a leader that crashes
 * in a loop nor a short period must push keys out of the list that senders used an hour ago. */
static bool has_room(const struct protocol_view *v)
{
	for (size_t i = 0; i < v->leader->keys_len; i++)
		if (protocol_past_retention(v, &v->leader->keys[i]))
			return true;
	return v->leader->keys_len < CRDS_KEYS_MAX;
}

bool protocol_revoked(const struct protocol_view *v)
{
	return v->leader && crds_revoked(v->leader, v->pod_uid);
}

static bool has_key(const struct crds_functionkey *member, const struct crds_key *key)
{
	const struct crds_grant *g = crds_grant_find(member, key->epoch);

	if (g && memcmp(g->from.b, key->fingerprint.b, sizeof(g->from.b)) == 0)
		return true;
	for (size_t i = 0; i < member->opened_len; i++)
		if (memcmp(member->opened[i].fingerprint.b, key->fingerprint.b,
			    sizeof(key->fingerprint.b)) == 0)
			return true;
	return key->leader_pod.n != 0 && base_str_eq(member->pod, key->leader_pod);
}

/* The Member record of a pod, by preference one that has the key; NULL: none is there. */
static const struct crds_functionkey *member_of(const struct protocol_view *v, struct str pod_uid,
	const struct crds_key *key, bool *ret_has)
{
	const struct crds_functionkey *found = NULL;

	for (size_t i = 0; i < v->members_len && !*ret_has; i++) {
		const struct crds_functionkey *r = v->members[i].record;
		if (!base_str_eq(r->pod_uid, pod_uid))
			continue;
		found = r;
		*ret_has = has_key(r, key);
	}
	return found;
}

/* An API server that does not keep revocations would have a key replaced for ever. */
static bool made_since(
	const struct protocol_view *v, struct str pod_uid, const struct crds_key *key)
{
	const struct crds_revocation *r = crds_revocation_find(v->leader, pod_uid);

	return r ? key->epoch >= r->epoch : v->no_revocations;
}

struct protocol_exposure protocol_exposed(const struct protocol_view *v, const struct crds_key *key)
{
	struct protocol_exposure e = {0};

	for (size_t i = 0; i < v->leader->revoked_len; i++) {
		const struct str uid = v->leader->revoked[i];
		bool has = false;
		const struct crds_functionkey *r = member_of(v, uid, key, &has);
		if (made_since(v, uid, key) && !has)
			continue;
		e.n++;
		if (!e.first)
			e.first = r;
	}
	return e;
}

/* Who was taken off the list gets keys again from the next one on: the one that is there counts as
 * out of its reach, and the row that says so goes with the write that adds a key. */
static bool lets_in(const struct protocol_view *v)
{
	for (size_t i = 0; i < v->members_len; i++) {
		const struct str uid = v->members[i].record->pod_uid;
		if (crds_revocation_find(v->leader, uid) && !crds_revoked(v->leader, uid))
			return true;
	}
	return false;
}

const char *protocol_why_new_epoch(
	const struct protocol_view *v, int64_t term, struct protocol_plan *plan)
{
	const struct crds_key *active = crds_key_active(v->leader);

	if (!active)
		return "First";
	if (!protocol_holds(v, active))
		return "KeyLost";
	if (protocol_exposed(v, active).n)
		return "Revoked";
	if (v->leader->rotation_after_epoch >= active->epoch || lets_in(v))
		return "Rotated";
	if (v->leader->on_leader_change == CRDS_NEW_EPOCH && active->term < term && has_room(v))
		return "LeaderChanged";
	const int64_t due = protocol_rotation_due_ns(v, active);
	if (due == 0)
		return NULL;
	if (v->wall_ns >= due)
		return has_room(v) ? "Rotated" : NULL;
	protocol_wake(plan, v->boot_ns + (due - v->wall_ns));
	return NULL;
}
