/* A world in one struct for tests of single steps: a Leader record, our own record, other members,
 * a keeper. Keys here are bytes that name themselves. Tests only. */
#ifndef PROTOCOL_TEST_SCENE_H
#define PROTOCOL_TEST_SCENE_H

#include "pkg/base/test.h"
#include "pkg/protocol/protocol.h"

#define SECOND          NS_PER_S
#define SCENE_WALL      (2000 * SECOND)
#define SCENE_CERTIFIED (SCENE_WALL + 20 * 3600 * SECOND)

struct scene {
	struct crds_functionkey leader, own, others[4];
	struct crds_key keys[CRDS_KEYS_MAX];
	struct crds_grant grants[5][CRDS_KEYS_MAX];
	struct crds_opened_epoch opened[5][CRDS_KEYS_MAX];
	struct crds_condition conditions[2][2];
	struct str revoked[4];
	struct crds_revocation revocations[4];
	struct protocol_member members[4];
	struct protocol_view v;
};

static inline struct crds_point point(uint8_t kind, int64_t n)
{
	struct crds_point p = {.b = {2, kind, (uint8_t)n}};

	return p;
}

static inline struct crds_fingerprint fingerprint(struct crds_point p)
{
	struct pre_public_key key;
	struct crds_fingerprint out;

	memcpy(key.b, p.b, sizeof(key.b));
	const struct pre_fingerprint fp = pre_fingerprint(&key);
	memcpy(out.b, fp.b, sizeof(out.b));
	return out;
}

static inline void add_key(struct scene *s, int64_t epoch, enum crds_key_state state, int64_t term)
{
	struct crds_key *k = &s->leader.keys[s->leader.keys_len++];

	*k = (struct crds_key){
		.epoch = epoch, .state = state, .term = term, .key = point('a', epoch)};
	k->fingerprint = fingerprint(k->key);
	k->activated_ns = 1000 * SECOND;
	if (state == CRDS_ACTIVE)
		s->leader.active_epoch = epoch;
	if (state == CRDS_RETIRED)
		k->retired_ns = 1000 * SECOND;
	if (s->leader.epoch < epoch)
		s->leader.epoch = epoch;
}

static inline void hold(struct scene *s, int64_t epoch)
{
	struct protocol_held *h = &s->v.keeper.held[s->v.keeper.held_len++];

	*h = (struct protocol_held){.epoch = epoch, .key = point('a', epoch)};
}

static inline void opened(struct crds_functionkey *r, int64_t epoch)
{
	r->opened_incarnation = r->incarnation;
	r->opened[r->opened_len++] = (struct crds_opened_epoch){
		.epoch = epoch, .fingerprint = fingerprint(point('a', epoch))};
}

static inline void take_out(struct scene *s, const char *uid)
{
	s->leader.revoked[s->leader.revoked_len++] = base_str(uid);
}

/* Keys from this epoch on were made since. */
static inline void noted(struct scene *s, const char *uid, int64_t epoch)
{
	s->leader.revocations[s->leader.revocations_len++] =
		(struct crds_revocation){.pod_uid = base_str(uid), .epoch = epoch};
}

static inline void lead_in(struct scene *s, const char *uid, int64_t term)
{
	s->leader.has_leader = true;
	s->leader.leader = (struct crds_leader){.pod = STR("p"),
		.pod_uid = base_str(uid),
		.incarnation = 1,
		.term = term,
		.verifying = point('v', term),
		.identity = point('d', 0)};
}

static inline struct crds_functionkey *add_member(
	struct scene *s, const char *uid, enum protocol_check c)
{
	struct crds_functionkey *r = &s->others[s->v.members_len];

	*r = (struct crds_functionkey){.role = CRDS_MEMBER,
		.revision = STR("orders-1"),
		.pod = base_str(uid),
		.pod_uid = base_str(uid),
		.incarnation = 1,
		.inbox = point('i', uid[0]),
		.receiving = point('r', uid[0]),
		.has_certificate = true,
		.certificate = {.incarnation = 1,
			.issuer = point('d', 0),
			.expires_ns = SCENE_CERTIFIED},
		.grants = s->grants[s->v.members_len + 1],
		.opened = s->opened[s->v.members_len + 1]};
	s->members[s->v.members_len] = (struct protocol_member){.record = r, .check = c};
	s->v.members_len++;
	return r;
}

/* Everything settled: epoch 1 active, made in term 3, we lead in term 3 and hold the Lease. */
static inline void settled(struct scene *s)
{
	*s = (struct scene){0};
	s->leader = (struct crds_functionkey){.role = CRDS_LEADER,
		.revision = STR("orders-1"),
		.on_leader_change = CRDS_NEW_EPOCH,
		.retention_min_age_s = 24 * 3600,
		.retention_max_epochs = 12,
		.keys = s->keys,
		.revoked = s->revoked,
		.revocations = s->revocations,
		.conditions = s->conditions[0]};
	s->own = (struct crds_functionkey){.role = CRDS_MEMBER,
		.revision = STR("orders-1"),
		.pod_uid = STR("me"),
		.incarnation = 1,
		.receiving = point('r', 0),
		.inbox = point('i', 0),
		.identity = point('d', 0),
		.active_epoch = 1,
		.grants = s->grants[0],
		.opened = s->opened[0],
		.conditions = s->conditions[1]};
	s->own.conditions[0] = (struct crds_condition){
		.type = STR("Ready"), .status = CRDS_TRUE, .reason = STR("KeyOpened")};
	s->own.conditions_len = 1;
	s->v = (struct protocol_view){.boot_ns = 500 * SECOND,
		.wall_ns = SCENE_WALL,
		.revision = STR("orders-1"),
		.pod_uid = STR("me"),
		.incarnation = 1,
		.keeper = {.receiving = point('r', 0),
			.inbox = point('i', 0),
			.identity = point('d', 0),
			.term = 3,
			.verifying = point('v', 3),
			.certified_ns = SCENE_CERTIFIED},
		.synced = true,
		.leader = &s->leader,
		.own = &s->own,
		.leader_check = PROTOCOL_CHECKED,
		.holding = true,
		.transitions = 3,
		.lease_duration_ns = 30 * SECOND,
		.members_synced = true,
		.members = s->members,
		.live_holders = -1};
	lead_in(s, "me", 3);
	add_key(s, 1, CRDS_ACTIVE, 3);
	hold(s, 1);
	opened(&s->own, 1);
}

static inline bool plans(const struct protocol_plan *plan, enum protocol_kind kind)
{
	for (size_t i = 0; i < plan->actions_len; i++)
		if (plan->actions[i].kind == kind)
			return true;
	return false;
}

#endif
