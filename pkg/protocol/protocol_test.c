/* Single steps of the protocol, as tables: a view goes in, the wanted actions come out. Keys here
 * are bytes that name themselves; what needs signatures is in chain_test.c. */
#include "pkg/protocol/test_steps.h"

static void quiet(struct scene *s)
{
	(void)s;
}

static void not_synced(struct scene *s)
{
	s->v.synced = false;
}

static void won_first(struct scene *s)
{
	s->leader.has_leader = false;
	s->leader.keys_len = 0;
	s->leader.active_epoch = s->leader.epoch = 0;
	s->v.keeper.held_len = 0;
	s->v.keeper.term = 0;
	s->own.opened_len = 0;
	s->own.active_epoch = 0;
	s->own.conditions[0].status = CRDS_FALSE;
	s->own.conditions[0].reason = STR("NoLeader");
	s->v.transitions = 0;
}

static void won_first_keeper_ready(struct scene *s)
{
	won_first(s);
	s->v.keeper.term = 1;
	s->v.keeper.verifying = point('v', 1);
}

static void won_first_leads(struct scene *s)
{
	won_first_keeper_ready(s);
	lead_in(s, "me", 1);
	s->own.conditions[0].reason = STR("NoActiveKey");
}

static void won_first_made(struct scene *s)
{
	won_first_leads(s);
	hold(s, 1);
	s->v.keeper.held[0].made = true;
	s->v.keeper.has_made = true;
	s->v.keeper.made = (struct crds_key){.epoch = 1, .term = 1, .key = point('a', 1)};
}

static void won_first_prepared(struct scene *s)
{
	won_first_made(s);
	s->v.keeper.has_made = false;
	add_key(s, 1, CRDS_PREPARED, 1);
	opened(&s->own, 1);
}

static void won_over_other(struct scene *s)
{
	lead_in(s, "other", 7);
	s->v.transitions = 4;
}

static void won_over_other_keeper_ready(struct scene *s)
{
	won_over_other(s);
	s->v.keeper.term = 8;
	s->v.keeper.verifying = point('v', 8);
}

static void lost_the_lease(struct scene *s)
{
	s->v.holding = false;
	s->leader.rotation_after_epoch = 5;
	(void)add_member(s, "x", PROTOCOL_CHECKED);
}

static void won_over_other_key_made(struct scene *s)
{
	won_over_other_keeper_ready(s);
	hold(s, 2);
	s->v.keeper.held[1].made = true;
	s->v.keeper.has_made = true;
	s->v.keeper.made = (struct crds_key){.epoch = 2, .term = 8, .key = point('a', 2)};
}

static void won_over_other_members_unknown(struct scene *s)
{
	won_over_other_keeper_ready(s);
	s->v.members_synced = false;
}

static void won_over_other_inherits(struct scene *s)
{
	won_over_other_members_unknown(s);
	s->leader.on_leader_change = CRDS_INHERIT;
}

static void new_term(struct scene *s)
{
	s->v.keeper.term = 8;
	s->v.keeper.verifying = point('v', 8);
	lead_in(s, "me", 8);
}

static void new_term_inherits(struct scene *s)
{
	new_term(s);
	s->leader.on_leader_change = CRDS_INHERIT;
}

static void new_term_cannot_inherit(struct scene *s)
{
	new_term_inherits(s);
	s->v.keeper.held_len = 0;
	s->own.opened_len = 0;
	s->own.conditions[0].status = CRDS_FALSE;
	s->own.conditions[0].reason = STR("WaitingForGrant");
}

static void orphan_prepared(struct scene *s)
{
	new_term(s);
	add_key(s, 2, CRDS_PREPARED, 3);
}

static void new_term_list_full(struct scene *s)
{
	new_term(s);
	for (int64_t e = 2; e <= CRDS_KEYS_MAX; e++)
		add_key(s, e, CRDS_RETIRED, 3);
	for (size_t i = 1; i < CRDS_KEYS_MAX; i++)
		s->leader.keys[i].retired_ns = s->v.wall_ns - SECOND;
}

static void rotation_list_full(struct scene *s)
{
	new_term_list_full(s);
	s->leader.rotation_after_epoch = 1;
}

static void rotate_on_demand(struct scene *s)
{
	s->leader.rotation_after_epoch = 1;
}

static void rotation_done(struct scene *s)
{
	s->leader.rotation_after_epoch = 0;
}

static void rotate_by_period(struct scene *s)
{
	s->leader.rotation_period_s = 900;
}

static void period_not_over(struct scene *s)
{
	s->leader.rotation_period_s = 100000;
}

static void rotate_record_behind(struct scene *s)
{
	rotate_on_demand(s);
	opened(add_member(s, "x", PROTOCOL_CHECKED), 1);
	opened(&s->others[0], 6);
}

static void prepared_waits(struct scene *s)
{
	rotate_on_demand(s);
	add_key(s, 2, CRDS_PREPARED, 3);
	hold(s, 2);
	opened(&s->own, 2);
	opened(add_member(s, "x", PROTOCOL_CHECKED), 1);
	s->v.prepared_since_ns = s->v.boot_ns - SECOND;
}

static void prepared_over_time(struct scene *s)
{
	prepared_waits(s);
	s->v.prepared_since_ns = s->v.boot_ns - 2 * SECOND;
}

static void prepared_all_opened(struct scene *s)
{
	prepared_waits(s);
	opened(&s->others[0], 2);
}

static void prepared_new_member_does_not_count(struct scene *s)
{
	prepared_waits(s);
	s->others[0].opened_len = 0;
}

static void prepared_revoked_does_not_count(struct scene *s)
{
	prepared_waits(s);
	take_out(s, "x");
	noted(s, "x", 2);
}

static void prepared_after_a_dead_leader(struct scene *s)
{
	new_term(s);
	add_key(s, 2, CRDS_PREPARED, 8);
	hold(s, 2);
	opened(&s->own, 2);
	s->keys[0].leader_pod = STR("x");
	opened(add_member(s, "x", PROTOCOL_CHECKED), 1);
	s->v.prepared_since_ns = s->v.boot_ns;
}

static void member_joins(struct scene *s)
{
	(void)add_member(s, "x", PROTOCOL_UNCHECKED);
}

static void member_checked(struct scene *s)
{
	(void)add_member(s, "x", PROTOCOL_CHECKED);
}

static void member_refused(struct scene *s)
{
	(void)add_member(s, "x", PROTOCOL_REFUSED);
}

static void member_revoked(struct scene *s)
{
	(void)add_member(s, "x", PROTOCOL_CHECKED);
	take_out(s, "x");
	noted(s, "x", 1);
}

static void member_of_another_revision(struct scene *s)
{
	add_member(s, "x", PROTOCOL_CHECKED)->revision = STR("billing-1");
}

static void grant(struct scene *s, int64_t term, struct crds_point inbox)
{
	struct crds_functionkey *r = &s->others[0];

	r->grants[r->grants_len++] = (struct crds_grant){.epoch = 1,
		.term = term,
		.incarnation = 1,
		.from = fingerprint(point('a', 1)),
		.to = fingerprint(r->receiving),
		.inbox = fingerprint(inbox)};
}

static void member_granted(struct scene *s)
{
	grant(s, 3, add_member(s, "x", PROTOCOL_CHECKED)->inbox);
}

static void member_granted_in_older_term(struct scene *s)
{
	grant(s, 2, add_member(s, "x", PROTOCOL_CHECKED)->inbox);
}

static void member_granted_to_older_inbox(struct scene *s)
{
	(void)add_member(s, "x", PROTOCOL_CHECKED);
	grant(s, 3, point('i', 99));
}

static void member_restarted(struct scene *s)
{
	member_granted(s);
	opened(&s->others[0], 1);
	s->others[0].incarnation = 2;
}

static void member_opened(struct scene *s)
{
	member_granted_in_older_term(s);
	opened(&s->others[0], 1);
}

static struct crds_certificate *member_certified(struct scene *s)
{
	member_opened(s);
	return &s->others[0].certificate;
}

static void certificate_good(struct scene *s)
{
	(void)member_certified(s);
}

static void certificate_missing(struct scene *s)
{
	(void)member_certified(s);
	s->others[0].has_certificate = false;
}

static void certificate_not_kept(struct scene *s)
{
	certificate_missing(s);
	s->v.no_certificates = true;
}

static void certificate_half_over(struct scene *s)
{
	member_certified(s)->expires_ns = s->v.wall_ns + 12 * 3600 * SECOND;
}

static void certificate_from_the_future(struct scene *s)
{
	member_certified(s)->expires_ns = s->v.wall_ns + 49 * 3600 * SECOND;
}

static void certificate_of_a_keeper_before(struct scene *s)
{
	member_certified(s)->incarnation = 0;
}

static void certificate_of_a_listed_leader(struct scene *s)
{
	member_certified(s)->issuer = point('d', 7);
	s->keys[0].identity = point('d', 7);
}

static void certificate_of_a_forgotten_leader(struct scene *s)
{
	member_certified(s)->issuer = point('d', 7);
}

/* A key that a revoked pod may have is a revoked leader's, as far as the record tells. */
static void certificate_of_a_revoked_leader(struct scene *s)
{
	member_certified(s)->issuer = point('d', 7);
	s->keys[1] = s->keys[0];
	s->keys[1].epoch = 2;
	s->keys[1].state = CRDS_REVOKED;
	s->keys[1].identity = point('d', 7);
	s->leader.keys_len = 2;
}

static void certificate_for_nobody(struct scene *s)
{
	certificate_missing(s);
	take_out(s, "x");
}

static void own_certificate_missing(struct scene *s)
{
	s->v.keeper.certified_ns = 0;
}

static void own_certificate_of_another_record(struct scene *s)
{
	s->leader.uid = STR("another");
}

static void own_certificate_is_a_leaders_affair(struct scene *s)
{
	lost_the_lease(s);
	s->v.keeper.certified_ns = 0;
}

static void deleting(struct scene *s)
{
	s->leader.deleting = true;
	s->leader.rotation_after_epoch = 5;
}

static const struct step_row rows[] = {
	{"a quiet revision has nothing to do", quiet, {NONE}},
	{"nothing is done before the records were read", not_synced, {NONE}},
	{"the first leader makes a verifying key", won_first, {PROTOCOL_KEEPER_TERM}, .term = 1},
	{"then takes the term", won_first_keeper_ready, {PROTOCOL_TAKE_TERM}, .term = 1},
	{"then makes the first epoch", won_first_leads, {PROTOCOL_KEEPER_EPOCH}, .epoch = 1,
		.reason = "First"},
	{"then records it", won_first_made, {PROTOCOL_PREPARE}, .epoch = 1},
	{"and activates at once, as nobody reads yet", won_first_prepared, {PROTOCOL_ACTIVATE},
		.epoch = 1},
	{"a term is above the recorded one", won_over_other, {PROTOCOL_KEEPER_TERM}, .term = 8},
	{"a term that needs a new key is taken with it", won_over_other_keeper_ready,
		{PROTOCOL_KEEPER_EPOCH}, .epoch = 2, .term = 8, .reason = "LeaderChanged"},
	{"in one write", won_over_other_key_made, {PROTOCOL_TAKE_TERM}, .epoch = 2, .term = 8,
		.reason = "LeaderChanged"},
	{"which waits for the members", won_over_other_members_unknown, {NONE}},
	{"but not to inherit", won_over_other_inherits, {PROTOCOL_TAKE_TERM}, .term = 8},
	{"who lost the Lease writes nothing", lost_the_lease, {NONE}},
	{"a new leader makes a new epoch", new_term, {PROTOCOL_KEEPER_EPOCH}, .epoch = 2,
		.reason = "LeaderChanged"},
	{"or inherits", new_term_inherits, {NONE}},
	{"but not what it cannot open", new_term_cannot_inherit, {PROTOCOL_KEEPER_EPOCH},
		.epoch = 2, .reason = "KeyLost"},
	{"an orphan is not activated", orphan_prepared, {PROTOCOL_KEEPER_EPOCH}, .epoch = 3},
	{"leaders that come and go do not push young keys out", new_term_list_full, {NONE}},
	{"a rotation does", rotation_list_full, {PROTOCOL_PRUNE}, .epoch = 2},
	{"rotation on demand", rotate_on_demand, {PROTOCOL_KEEPER_EPOCH}, .epoch = 2,
		.reason = "Rotated"},
	{"and not twice", rotation_done, {NONE}},
	{"rotation by period", rotate_by_period, {PROTOCOL_KEEPER_EPOCH}, .epoch = 2},
	{"a period that is not over only wakes", period_not_over, {NONE}, .wakes = true},
	{"members remember epochs that the record forgot", rotate_record_behind,
		{PROTOCOL_KEEPER_EPOCH}, .epoch = 7},
	{"a prepared key waits for its members", prepared_waits, {PROTOCOL_GRANT}, .wakes = true},
	{"but not longer than two seconds", prepared_over_time, {PROTOCOL_ACTIVATE, PROTOCOL_GRANT},
		.epoch = 2},
	{"nor when all have opened it", prepared_all_opened, {PROTOCOL_ACTIVATE}, .epoch = 2},
	{"nor for one that was not ready", prepared_new_member_does_not_count,
		{PROTOCOL_ACTIVATE, PROTOCOL_GRANT}, .epoch = 2},
	{"nor for a revoked one, which gets nothing", prepared_revoked_does_not_count,
		{PROTOCOL_ACTIVATE}, .epoch = 2, .reason = "Revoked"},
	{"nor for the leader before, who may be dead", prepared_after_a_dead_leader,
		{PROTOCOL_ACTIVATE, PROTOCOL_GRANT}, .epoch = 2, .reason = "LeaderChanged"},
	{"a pod is looked at before it is trusted", member_joins, {PROTOCOL_CHECK_MEMBER}},
	{"then granted", member_checked, {PROTOCOL_GRANT}, .term = 3},
	{"a refused one is not", member_refused, {NONE}},
	{"a revoked one is not", member_revoked, {NONE}},
	{"one of another revision is not", member_of_another_revision, {NONE}},
	{"a grant is not made twice", member_granted, {NONE}},
	{"a grant of an older term is made again", member_granted_in_older_term, {PROTOCOL_GRANT}},
	{"a grant to a used inbox is made again", member_granted_to_older_inbox, {PROTOCOL_GRANT}},
	{"a restarted member is granted again", member_restarted, {PROTOCOL_GRANT}},
	{"who opened it needs no grant of any term", member_opened, {NONE}},
	{"a good certificate only wakes", certificate_good, {NONE}, .wakes = true},
	{"a missing certificate is written", certificate_missing, {PROTOCOL_GRANT}, .term = 3},
	{"but not where it is not kept", certificate_not_kept, {NONE}},
	{"it is renewed after half of its time", certificate_half_over, {PROTOCOL_GRANT}},
	{"and if a clock was far ahead", certificate_from_the_future, {PROTOCOL_GRANT}},
	{"and for a new keeper", certificate_of_a_keeper_before, {PROTOCOL_GRANT}},
	{"that of a leader before is good", certificate_of_a_listed_leader, {NONE}},
	{"as long as the record knows him", certificate_of_a_forgotten_leader, {PROTOCOL_GRANT}},
	{"and his keys are not revoked", certificate_of_a_revoked_leader, {PROTOCOL_GRANT}},
	{"who is revoked gets none", certificate_for_nobody, {PROTOCOL_KEEPER_EPOCH}},
	{"a leader vouches for himself", own_certificate_missing, {PROTOCOL_CERTIFY}, .term = 3},
	{"in the name of this record", own_certificate_of_another_record, {PROTOCOL_CERTIFY}},
	{"and only a leader", own_certificate_is_a_leaders_affair, {NONE}},
	{"a record that goes away is left alone", deleting, {NONE}},
};

static void test_steps(void **state)
{
	(void)state;
	run_steps(rows, ARRAY_LEN(rows));
}

static void test_a_thousand_members_come_in_slices(void **state)
{
	static struct scene s;
	static struct crds_functionkey records[1000];
	static struct protocol_member members[1000];
	static struct protocol_plan plan;

	(void)state;
	settled(&s);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		records[i] = *add_member(&s, "x", PROTOCOL_CHECKED);
		s.v.members_len = 0;
		members[i] =
			(struct protocol_member){.record = &records[i], .check = PROTOCOL_CHECKED};
	}
	s.v.members = members;
	s.v.members_len = ARRAY_LEN(members);
	protocol_step(&s.v, NULL, &plan);
	assert_int_equal(plan.actions_len, PROTOCOL_ACTIONS_MAX);
	assert_true(plan.truncated);
}

static void test_kinds_have_names(void **state)
{
	(void)state;
	for (int k = 1; k < PROTOCOL_KIND_COUNT; k++)
		assert_string_not_equal(protocol_kind_name((enum protocol_kind)k), "unknown");
	assert_string_equal(protocol_kind_name((enum protocol_kind)99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_a_thousand_members_come_in_slices),
		cmocka_unit_test(test_kinds_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
