#include "agent/replica_internal.h"

bool agent_replica_draining(const struct agent_replica *r)
{
	return r->draining;
}

struct protocol_readiness agent_replica_readiness(const struct agent_replica *r)
{
	if (!r->plan.readiness.reason)
		return (struct protocol_readiness){false, "Starting", "The agent is starting."};
	return r->plan.readiness;
}

bool agent_replica_leading(const struct agent_replica *r)
{
	return r->plan.leading;
}

int64_t agent_replica_term(const struct agent_replica *r)
{
	const struct crds_functionkey *leader = agent_records_leader(r->records);

	return leader && leader->has_leader ? leader->leader.term : 0;
}

const struct crds_functionkey *agent_replica_record(struct agent_replica *r)
{
	return agent_records_leader(r->records);
}

const struct crds_functionkey *agent_replica_own(struct agent_replica *r)
{
	return agent_records_own(r->records);
}

/* A key that the keeper still has and the record does not list: the record was deleted, or restored
 * from before. It goes on opening what was sealed to it, as a retired one. */
static struct agent_epoch unlisted(const struct agent_replica *r, const uint8_t fp[static 16])
{
	for (size_t i = 0; i < r->keeper.held_len; i++) {
		struct pre_public_key key;
		memcpy(key.b, r->keeper.held[i].key.b, sizeof(key.b));
		const struct pre_fingerprint of = pre_fingerprint(&key);
		if (memcmp(of.b, fp, 16) == 0)
			return (struct agent_epoch){.state = AGENT_EPOCH_OPEN,
				.epoch = r->keeper.held[i].epoch,
				.key_state = CRDS_RETIRED};
	}
	return (struct agent_epoch){.state = AGENT_EPOCH_UNKNOWN};
}

struct agent_epoch agent_replica_epoch(struct agent_replica *r, const uint8_t fp[static 16])
{
	const struct crds_functionkey *leader = agent_records_leader(r->records);
	struct agent_epoch e = {.state = AGENT_EPOCH_UNKNOWN};

	for (size_t i = 0; leader && i < leader->keys_len; i++) {
		const struct crds_key *key = &leader->keys[i];
		if (memcmp(key->fingerprint.b, fp, 16) != 0)
			continue;
		e = (struct agent_epoch){
			.state = AGENT_EPOCH_LISTED, .epoch = key->epoch, .key_state = key->state};
		for (size_t j = 0; j < r->keeper.held_len; j++)
			if (r->keeper.held[j].epoch == key->epoch &&
				memcmp(r->keeper.held[j].key.b, key->key.b, sizeof(key->key.b)) ==
					0)
				e.state = AGENT_EPOCH_OPEN;
	}
	return e.state == AGENT_EPOCH_UNKNOWN ? unlisted(r, fp) : e;
}

void agent_replica_watch(struct agent_replica *r, struct agent_replica_watcher *w)
{
	w->next = r->watchers;
	r->watchers = w;
}

void agent_replica_unwatch(struct agent_replica *r, struct agent_replica_watcher *w)
{
	for (struct agent_replica_watcher **p = &r->watchers; *p; p = &(*p)->next)
		if (*p == w) {
			*p = w->next;
			return;
		}
}

const struct agent_replica_stats *agent_replica_stats(const struct agent_replica *r)
{
	return &r->stats;
}

const struct kube_lease *agent_replica_lease(const struct agent_replica *r)
{
	return r->lease;
}

struct str agent_replica_trouble(const struct agent_replica *r)
{
	return base_str(r->trouble);
}
