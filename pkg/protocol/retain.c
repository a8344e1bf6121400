#include "pkg/protocol/protocol.h"

static bool final_state(enum crds_key_state s)
{
	return s == CRDS_RETIRED || s == CRDS_ABANDONED || s == CRDS_REVOKED;
}

/* How many rows that once were Active are newer than this one. */
static int64_t newer_keys(const struct crds_functionkey *leader, const struct crds_key *key)
{
	int64_t n = 0;

	for (size_t i = 0; i < leader->keys_len; i++)
		if (leader->keys[i].epoch > key->epoch && leader->keys[i].state != CRDS_ABANDONED &&
			leader->keys[i].state != CRDS_PREPARED)
			n++;
	return n;
}

/* How many rows stay beside the newest: the list needs one place for the next epoch. */
static int64_t most_newer(const struct crds_functionkey *leader)
{
	return leader->retention_max_epochs < CRDS_KEYS_MAX ? leader->retention_max_epochs
							    : CRDS_KEYS_MAX - 1;
}

/* Wall clock at which a row's time is over; 0: not as long as there are no more rows after it. */
static int64_t retention_ends(const struct crds_functionkey *leader, const struct crds_key *key)
{
	if (!final_state(key->state) || key->retired_ns == 0 ||
		newer_keys(leader, key) < most_newer(leader))
		return 0;
	return key->retired_ns + leader->retention_min_age_s * NS_PER_S;
}

bool protocol_erase_asked(const struct crds_functionkey *leader, const struct crds_key *key)
{
	return final_state(key->state) && key->epoch <= leader->erase_through;
}

/* Age and count both must allow it, unless somebody asked for its end. */
bool protocol_past_retention(const struct protocol_view *v, const struct crds_key *key)
{
	const int64_t at = retention_ends(v->leader, key);

	return key->state == CRDS_ABANDONED || protocol_erase_asked(v->leader, key) ||
	       (at != 0 && v->wall_ns >= at);
}

/* A full list has to lose a row before the next epoch fits: Abandoned first, then the oldest. */
static const struct crds_key *oldest_final(const struct crds_functionkey *leader)
{
	const struct crds_key *found = NULL;

	for (size_t i = 0; i < leader->keys_len; i++) {
		const struct crds_key *k = &leader->keys[i];
		if (!final_state(k->state))
			continue;
		if (!found || (k->state == CRDS_ABANDONED && found->state != CRDS_ABANDONED) ||
			((k->state == CRDS_ABANDONED) == (found->state == CRDS_ABANDONED) &&
				k->epoch < found->epoch))
			found = k;
	}
	return found;
}

static const struct crds_key *to_prune(const struct protocol_view *v, struct protocol_plan *plan)
{
	/* An Abandoned row costs nobody anything until its place is needed. */
	const bool tight = v->leader->keys_len >= CRDS_KEYS_MAX - 1;

	for (size_t i = 0; i < v->leader->keys_len; i++)
		if (protocol_past_retention(v, &v->leader->keys[i]) &&
			(tight || v->leader->keys[i].state != CRDS_ABANDONED))
			return &v->leader->keys[i];
	/* Before its time only where the next epoch is needed and would not fit. */
	if (v->leader->keys_len == CRDS_KEYS_MAX && protocol_why_new_epoch(v, v->keeper.term, plan))
		return oldest_final(v->leader);
	return NULL;
}

/* That a row's time is over is no event: nobody writes it. */
static void wake_for_the_next(const struct protocol_view *v, struct protocol_plan *plan)
{
	for (size_t i = 0; i < v->leader->keys_len; i++) {
		const int64_t at = retention_ends(v->leader, &v->leader->keys[i]);
		if (at > v->wall_ns && v->leader->keys[i].state != CRDS_ABANDONED)
			protocol_wake(plan, v->boot_ns + (at - v->wall_ns));
	}
}

static const char *why_pruned(const struct protocol_view *v, const struct crds_key *key)
{
	if (protocol_erase_asked(v->leader, key))
		return "spec.eraseThrough asks for it";
	return protocol_past_retention(v, key) ? "its time is over" : "its place is needed";
}

static void prune(const struct protocol_view *v, struct protocol_plan *plan)
{
	const struct crds_key *key = to_prune(v, plan);
	struct protocol_action *a = key ? protocol_add(plan, PROTOCOL_PRUNE) : NULL;

	if (!a)
		return;
	a->epoch = key->epoch;
	a->term = v->keeper.term;
	a->key = key;
	a->reason = why_pruned(v, key);
}

void protocol_retain(const struct protocol_view *v, struct protocol_plan *plan)
{
	if (!v->leader)
		return;
	if (protocol_leading(v)) {
		wake_for_the_next(v, plan);
		prune(v, plan);
	}
	/* The record is the word on what still matters. An epoch above all that it ever listed was
	 * made by us a moment ago, or the record was restored from a backup: those stay. */
	for (size_t i = 0; i < v->keeper.held_len; i++) {
		const struct protocol_held *h = &v->keeper.held[i];
		const struct crds_key *key = crds_key_find(v->leader, h->epoch);
		if (key ? key->state != CRDS_ABANDONED && protocol_holds(v, key)
			: h->epoch > v->leader->epoch)
			continue;
		struct protocol_action *a = protocol_add(plan, PROTOCOL_ERASE);
		if (a)
			a->epoch = h->epoch;
	}
}
