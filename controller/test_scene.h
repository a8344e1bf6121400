/* A revision at rest, for tests that then change one thing. Layer: controller, tests. */
#ifndef CONTROLLER_TEST_SCENE_H
#define CONTROLLER_TEST_SCENE_H

#include "controller/revision.h"

#define UID_A "aaaaaaaa-0000-0000-0000-000000000001"
#define UID_B "bbbbbbbb-0000-0000-0000-000000000002"
#define UID_X "cccccccc-0000-0000-0000-000000000003"

struct scene {
	struct crds_pod pods[2];
	const struct crds_pod *pod_list[2];
	struct controller_record leader, members[2];
	const struct controller_record *member_list[2];
	struct controller_lease lease;
	struct controller_slice slice;
	struct controller_view v;
};

/* What the status writer would have written for the scene: so that nothing differs. */
static inline void settle_status(struct scene *s)
{
	struct controller_plan plan = {0};

	controller_status(&s->v, &plan);
	s->leader.members_total = plan.members_total;
	s->leader.members_ready = plan.members_ready;
	for (unsigned c = 0; c < CONTROLLER_CONDITION_COUNT; c++)
		s->leader.conditions[c] = (struct controller_condition_state){.set = true,
			.status = plan.conditions[c].status,
			.reason = base_str(plan.conditions[c].reason)};
}

/* Two replicas, a leads, both open epoch 3, all is written. */
static inline void settled(struct scene *s)
{
	*s = (struct scene){0};
	for (int i = 0; i < 2; i++) {
		s->pods[i] = (struct crds_pod){.ns = STR("shop"),
			.name = i ? STR("billing-b") : STR("billing-a"),
			.uid = i ? STR(UID_B) : STR(UID_A),
			.injected = true,
			.phase = CRDS_POD_RUNNING};
		s->pod_list[i] = &s->pods[i];
		s->members[i] = (struct controller_record){.role = CRDS_MEMBER,
			.pod_uid = s->pods[i].uid,
			.incarnation = 1,
			.opened_incarnation = 1,
			.opened = {3},
			.opened_len = 1};
		s->member_list[i] = &s->members[i];
	}
	s->leader = (struct controller_record){.role = CRDS_LEADER,
		.leader_pod = STR("billing-a"),
		.leader_uid = STR(UID_A),
		.leader_incarnation = 1,
		.endpoint = STR("10.0.0.1:9471"),
		.term = 4,
		.active_term = 4,
		.active_epoch = 3};
	s->lease = (struct controller_lease){
		.holder = STR("billing-a_" UID_A "_1"), .owners = 1, .meta = {.name = STR("fk")}};
	s->slice = (struct controller_slice){.address = STR("10.0.0.1:9471"),
		.fingerprint = STR("00000000000000000000000000000000")};
	s->v = (struct controller_view){.boot_ns = 100 * NS_PER_S,
		.ns = STR("shop"),
		.revision = STR("billing-1"),
		.opted_in = true,
		.pods = s->pod_list,
		.pods_len = 2,
		.leader = &s->leader,
		.members = s->member_list,
		.members_len = 2,
		.lease = &s->lease,
		.slice = &s->slice,
		.has_service = true,
		.alive = CONTROLLER_ALIVE_HELD};
	settle_status(s);
}

static inline void quiet(struct scene *s)
{
	(void)s;
}

static inline void last_holder_gone(struct scene *s)
{
	s->v.members_len = 0;
	s->v.pods_len = 0;
	s->lease.holder = STR_NULL;
}

#endif
