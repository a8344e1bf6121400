/* Leader records with genuine signatures, made by real keepers. Tests only. */
#ifndef AGENT_SAMPLE_H
#define AGENT_SAMPLE_H

#include "crds/functionkey.h"
#include "keeper/life.h"

#include <string.h>

struct sample {
	struct life life;
	struct crds_functionkey fk;
	struct crds_key keys[CRDS_KEYS_MAX];
	struct crds_condition conditions[2];
};

static inline void sample_done(struct sample *s)
{
	life_done(&s->life);
}
CLEANUP_DONE(struct sample, sample_done);

static inline void sample_leader(struct sample *s, int64_t term)
{
	const struct kmsg_term_reply t = life_term(&s->life, term);

	s->fk.has_leader = true;
	s->fk.leader = (struct crds_leader){.pod = kmsg_name_str(&s->life.who.pod),
		.pod_uid = kmsg_name_str(&s->life.who.pod_uid),
		.endpoint = STR("10.0.0.1:9471"),
		.incarnation = s->life.who.incarnation,
		.term = term};
	memcpy(s->fk.leader.verifying.b, t.verifying.b, 33);
	memcpy(s->fk.leader.identity.b, s->life.keys.identity.b, 33);
	memcpy(s->fk.leader.signature.b, t.signature.b, 64);
}

/* Adds a key to the record; who was Active is Retired then. */
static inline struct crds_key *sample_key(
	struct sample *s, int64_t epoch, int64_t previous, enum crds_key_state state)
{
	const int64_t term = s->fk.leader.term;
	const struct kmsg_epoch_reply made = life_epoch(&s->life, epoch, term, previous);
	struct crds_key *key = &s->keys[s->fk.keys_len];

	for (size_t i = 0; i < s->fk.keys_len; i++)
		if (s->keys[i].state == CRDS_ACTIVE)
			s->keys[i].state = CRDS_RETIRED;
	*key = (struct crds_key){.epoch = epoch,
		.state = state,
		.has_link = made.has_link,
		.previous = made.previous,
		.leader_pod = s->fk.leader.pod,
		.term = term};
	memcpy(key->key.b, made.key.b, 33);
	memcpy(key->continuity.b, made.continuity.b, 33);
	memcpy(key->identity.b, s->life.keys.identity.b, 33);
	memcpy(key->signature.b, made.signature.b, 64);
	memcpy(key->link.b, made.link.b, 64);
	struct pre_public_key pk;
	memcpy(pk.b, made.key.b, 33);
	const struct pre_fingerprint fp = pre_fingerprint(&pk);
	memcpy(key->fingerprint.b, fp.b, 16);
	s->fk.keys_len++;
	s->fk.epoch = epoch;
	if (state == CRDS_ACTIVE)
		s->fk.active_epoch = epoch;
	return key;
}

/* A revision of function "billing" in namespace "shop" with epoch 1 active; s must stay where it
 * is. */
static inline void sample_begin(struct sample *s, uint64_t seed, const char *revision)
{
	*s = (struct sample){0};
	life_begin(&s->life, seed, revision, "pod-0");
	s->fk = (struct crds_functionkey){.ns = STR("shop"),
		.name = base_str(revision),
		.uid = STR("11111111-1111-1111-1111-111111111111"),
		.resource_version = STR("7"),
		.role = CRDS_LEADER,
		.revision = base_str(revision),
		.function = STR("billing"),
		.label_function = STR("billing"),
		.scheme = STR("umbral-secp256k1"),
		.keys = s->keys,
		.conditions = s->conditions};
	sample_leader(s, 1);
	(void)sample_key(s, 1, 0, CRDS_ACTIVE);
}

#endif
