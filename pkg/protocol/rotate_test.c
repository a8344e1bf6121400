/* When keys are replaced: by period, on demand, because a pod that holds them was revoked. Tables,
 * as in protocol_test.c. */
#include "pkg/protocol/test_steps.h"

static void granted(struct crds_functionkey *r, int64_t epoch)
{
	r->grants[r->grants_len++] = (struct crds_grant){.epoch = epoch,
		.incarnation = r->incarnation,
		.term = 3,
		.inbox = fingerprint(r->inbox),
		.from = fingerprint(point('a', epoch))};
}

/* -- by period -- */

static void shorter_than_the_floor(struct scene *s)
{
	s->leader.rotation_period_s = 1;
	s->keys[0].activated_ns = s->v.wall_ns - 3 * SECOND / 2;
}

static void floor_over(struct scene *s)
{
	shorter_than_the_floor(s);
	s->keys[0].activated_ns = s->v.wall_ns - PROTOCOL_ROTATION_FLOOR_S * SECOND;
}

static void without_a_time(struct scene *s)
{
	s->leader.rotation_period_s = 60;
	s->keys[0].activated_ns = 0;
}

static void activated_by_a_clock_ahead(struct scene *s)
{
	s->leader.rotation_period_s = 60;
	s->keys[0].activated_ns = s->v.wall_ns + 5 * SECOND;
}

static void longest_period(struct scene *s)
{
	s->leader.rotation_period_s = 99999999;
}

static void full_list(struct scene *s, int64_t retired_before_s)
{
	s->leader.keys_len = 0;
	for (int64_t e = 1; e < CRDS_KEYS_MAX; e++) {
		add_key(s, e, CRDS_RETIRED, 3);
		s->keys[e - 1].retired_ns = s->v.wall_ns - retired_before_s * SECOND;
	}
	add_key(s, CRDS_KEYS_MAX, CRDS_ACTIVE, 3);
	s->v.keeper.held_len = s->own.opened_len = 0;
	for (int64_t e = 1; e <= CRDS_KEYS_MAX; e++) {
		hold(s, e);
		opened(&s->own, e);
	}
	s->own.active_epoch = CRDS_KEYS_MAX;
	s->leader.retention_min_age_s = 600;
	s->leader.rotation_period_s = 60;
}

static void list_full_of_young_keys(struct scene *s)
{
	full_list(s, 599);
}

static void list_full_of_old_keys(struct scene *s)
{
	full_list(s, 601);
}

static void list_full_and_asked(struct scene *s)
{
	full_list(s, 1);
	s->leader.rotation_after_epoch = CRDS_KEYS_MAX;
}

/* -- revocation -- */

static void revoked_who_opened(struct scene *s)
{
	opened(add_member(s, "x", PROTOCOL_CHECKED), 1);
	take_out(s, "x");
}

static void revoked_who_was_granted(struct scene *s)
{
	granted(add_member(s, "x", PROTOCOL_CHECKED), 1);
	take_out(s, "x");
}

static void revoked_who_made_it(struct scene *s)
{
	(void)add_member(s, "x", PROTOCOL_CHECKED);
	s->keys[0].leader_pod = STR("x");
	take_out(s, "x");
}

static void revoked_who_says_nothing(struct scene *s)
{
	(void)add_member(s, "x", PROTOCOL_CHECKED);
	take_out(s, "x");
}

static void revoked_and_gone(struct scene *s)
{
	take_out(s, "x");
}

static void revoked_and_noted_of_the_next(struct scene *s)
{
	revoked_and_gone(s);
	noted(s, "x", 2);
}

static void another_was_noted(struct scene *s)
{
	revoked_and_gone(s);
	noted(s, "y", 1);
}

static void nobody_notes(struct scene *s)
{
	revoked_and_gone(s);
	s->v.no_revocations = true;
}

static void nobody_notes_but_it_has_it(struct scene *s)
{
	revoked_who_opened(s);
	s->v.no_revocations = true;
}

/* From here on the Active key was made since. */
static void noted_and_gone(struct scene *s)
{
	revoked_and_gone(s);
	noted(s, "x", 1);
}

static void noted_and_let_in_and_taken_out_again(struct scene *s)
{
	revoked_who_was_granted(s);
	noted(s, "x", 1);
}

static void noted_and_let_in(struct scene *s)
{
	(void)add_member(s, "x", PROTOCOL_CHECKED);
	noted(s, "x", 1);
}

static void let_in_and_the_next_is_made(struct scene *s)
{
	noted_and_let_in(s);
	s->v.keeper.has_made = true;
	s->v.keeper.made = (struct crds_key){.epoch = 2, .term = 3, .key = point('a', 2)};
}

static void let_in_but_gone(struct scene *s)
{
	noted(s, "x", 1);
}

static void revoked_who_never_got_it(struct scene *s)
{
	revoked_who_says_nothing(s);
	noted(s, "x", 1);
}

static void revoked_whose_grant_is_of_another_key(struct scene *s)
{
	revoked_who_was_granted(s);
	noted(s, "x", 1);
	s->others[0].grants[0].from = fingerprint(point('z', 1));
}

static void revoked_who_says_what_is_to_come(struct scene *s)
{
	revoked_who_never_got_it(s);
	opened(&s->others[0], 1);
	s->others[0].opened[0].fingerprint = fingerprint(point('z', 1));
	s->leader.epoch = 1;
}

static void renewed_long_after_a_revocation(struct scene *s)
{
	revoked_who_never_got_it(s);
	s->leader.rotation_after_epoch = 1;
}

static void next_is_prepared(struct scene *s)
{
	revoked_who_opened(s);
	noted(s, "x", 2);
	add_key(s, 2, CRDS_PREPARED, 3);
	hold(s, 2);
	opened(&s->own, 2);
}

static void next_was_granted_before(struct scene *s)
{
	next_is_prepared(s);
	granted(&s->others[0], 2);
}

static void next_was_made_before(struct scene *s)
{
	next_is_prepared(s);
	s->leader.revocations_len = 0;
}

static void revoked_between_prepare_and_activate(struct scene *s)
{
	(void)add_member(s, "x", PROTOCOL_CHECKED);
	granted(&s->others[0], 2);
	take_out(s, "x");
	add_key(s, 2, CRDS_PREPARED, 3);
	hold(s, 2);
	opened(&s->own, 2);
}

static void lost_and_revoked(struct scene *s)
{
	revoked_who_opened(s);
	s->v.keeper.held_len = 0;
	s->own.opened_len = 0;
	s->own.conditions[0].status = CRDS_FALSE;
	s->own.conditions[0].reason = STR("WaitingForGrant");
}

static void told(struct scene *s)
{
	s->own.conditions[0].status = CRDS_FALSE;
	s->own.conditions[0].reason = STR("Revoked");
}

static void we_are_revoked(struct scene *s)
{
	take_out(s, "me");
	(void)add_member(s, "x", PROTOCOL_CHECKED);
	s->leader.rotation_after_epoch = 5;
}

static void we_are_revoked_and_said_so(struct scene *s)
{
	we_are_revoked(s);
	told(s);
}

static void we_are_revoked_without_a_record(struct scene *s)
{
	we_are_revoked(s);
	s->v.own = NULL;
}

static void we_are_revoked_with_another_keeper(struct scene *s)
{
	we_are_revoked_and_said_so(s);
	s->v.keeper.receiving = point('r', 9);
	s->v.incarnation = 2;
}

static const struct step_row rows[] = {
	{"a period below the floor is the floor", shorter_than_the_floor, {NONE}, .wakes = true},
	{"and then it is over", floor_over, {PROTOCOL_KEEPER_EPOCH}, .reason = "Rotated"},
	{"a key without a time has no end", without_a_time, {NONE}},
	{"a clock that was ahead only delays", activated_by_a_clock_ahead, {NONE}, .wakes = true},
	{"the longest period does not overflow", longest_period, {NONE}, .wakes = true},
	{"a period does not push young keys out", list_full_of_young_keys, {NONE}, .wakes = true},
	{"but takes the place of old ones", list_full_of_old_keys, {PROTOCOL_PRUNE}, .epoch = 1},
	{"what is asked for does not wait", list_full_and_asked, {PROTOCOL_PRUNE}, .epoch = 1},
	{"what a revoked pod opened is replaced", revoked_who_opened, {PROTOCOL_KEEPER_EPOCH},
		.epoch = 2, .reason = "Revoked"},
	{"what was granted to it, too", revoked_who_was_granted, {PROTOCOL_KEEPER_EPOCH},
		.epoch = 2, .reason = "Revoked"},
	{"what it made, too", revoked_who_made_it, {PROTOCOL_KEEPER_EPOCH}, .epoch = 2,
		.reason = "Revoked"},
	{"whatever its record says", revoked_who_says_nothing, {PROTOCOL_KEEPER_EPOCH}, .epoch = 2,
		.reason = "Revoked"},
	{"or if it is gone", revoked_and_gone, {PROTOCOL_KEEPER_EPOCH}, .epoch = 2,
		.reason = "Revoked"},
	{"until a key was made since", revoked_and_noted_of_the_next, {PROTOCOL_KEEPER_EPOCH},
		.epoch = 2, .reason = "Revoked"},
	{"for this one", another_was_noted, {PROTOCOL_KEEPER_EPOCH}, .epoch = 2,
		.reason = "Revoked"},
	{"once", noted_and_gone, {NONE}},
	{"not for ever where it is not noted", nobody_notes, {NONE}},
	{"but what it has", nobody_notes_but_it_has_it, {PROTOCOL_KEEPER_EPOCH}, .epoch = 2,
		.reason = "Revoked"},
	{"who is let in gets the next key", noted_and_let_in, {PROTOCOL_KEEPER_EPOCH}, .epoch = 2,
		.reason = "Rotated"},
	{"and not this one", let_in_and_the_next_is_made, {PROTOCOL_PREPARE}, .epoch = 2,
		.reason = "Rotated"},
	{"if it is there", let_in_but_gone, {NONE}},
	{"and what it got since", noted_and_let_in_and_taken_out_again, {PROTOCOL_KEEPER_EPOCH},
		.epoch = 2, .reason = "Revoked"},
	{"not what it never got", revoked_who_never_got_it, {NONE}},
	{"nor what was granted of another key", revoked_whose_grant_is_of_another_key, {NONE}},
	{"nor by its word on another key", revoked_who_says_what_is_to_come, {NONE}},
	{"a later renewal is one", renewed_long_after_a_revocation, {PROTOCOL_KEEPER_EPOCH},
		.epoch = 2, .reason = "Rotated"},
	{"the next key does not wait for it", next_is_prepared, {PROTOCOL_ACTIVATE}, .epoch = 2,
		.reason = "Revoked"},
	{"but is abandoned if it has it", next_was_granted_before, {PROTOCOL_KEEPER_EPOCH},
		.epoch = 3, .reason = "Revoked"},
	{"or was made before", next_was_made_before, {PROTOCOL_KEEPER_EPOCH}, .epoch = 3,
		.reason = "Revoked"},
	{"even if it has that only", revoked_between_prepare_and_activate, {PROTOCOL_KEEPER_EPOCH},
		.epoch = 3, .reason = "Revoked"},
	{"who lost the key says that first", lost_and_revoked, {PROTOCOL_KEEPER_EPOCH}, .epoch = 2,
		.reason = "KeyLost"},
	{"who is revoked says so", we_are_revoked, {PROTOCOL_SAY_OPENED}},
	{"and does nothing more", we_are_revoked_and_said_so, {NONE}},
	{"not even make a record", we_are_revoked_without_a_record, {NONE}},
	{"nor register another keeper", we_are_revoked_with_another_keeper, {NONE}},
};

static void test_steps(void **state)
{
	(void)state;
	run_steps(rows, ARRAY_LEN(rows));
}

static void test_all_that_it_may_hold_is_revoked(void **state)
{
	static struct scene s;
	static struct protocol_plan plan;

	(void)state;
	settled(&s);
	s.leader.keys_len = 0;
	add_key(&s, 1, CRDS_RETIRED, 3);
	add_key(&s, 2, CRDS_RETIRED, 3);
	add_key(&s, 3, CRDS_ACTIVE, 3);
	add_key(&s, 4, CRDS_PREPARED, 3);
	for (int64_t e = 2; e <= 4; e++)
		hold(&s, e);
	opened(add_member(&s, "x", PROTOCOL_CHECKED), 2);
	opened(&s.others[0], 3);
	take_out(&s, "x");
	noted(&s, "x", 4);
	protocol_lead(&s.v, &plan);
	assert_int_equal(plan.actions_len, 1);
	assert_int_equal(plan.actions[0].kind, PROTOCOL_ACTIVATE);
	assert_int_equal(plan.actions[0].state, CRDS_REVOKED);
	assert_int_equal(plan.actions[0].epochs_len, 2);
	assert_int_equal(plan.actions[0].epochs[0], 1);
	assert_int_equal(plan.actions[0].epochs[1], 2);
	assert_ptr_equal(plan.actions[0].member, &s.others[0]);
	assert_int_equal(plan.actions[0].members, 1);
}

/* Who reads that a key was revoked wants to know because of whom. */
static void test_activation_names_who_was_revoked(void **state)
{
	static const struct {
		const char *name;
		bool holds[3]; /* each of three members has opened the Active key … */
		bool out[3];   /* … and is revoked */
		bool gone;     /* and one more that is gone */
		int first;     /* -1: nobody is named */
		size_t n;
	} rows_[] = {
		{"nobody is revoked", {true, true, true}, {false, false, false}, false, -1, 0},
		{"one with the key is", {true, true, true}, {false, true, false}, false, 1, 1},
		{"one that does not say it is", {false, true, true}, {true, false, false}, false, 0,
			1},
		{"two are", {true, true, true}, {false, true, true}, false, 1, 2},
		{"one that is gone is", {true, true, true}, {false, false, false}, true, -1, 1},
		{"one that is there is named", {true, true, true}, {false, true, false}, true, 1,
			2},
	};
	static const char *const uids[] = {"x", "y", "z"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows_); i++) {
		static struct scene s;
		static struct protocol_plan plan;
		plan = (struct protocol_plan){0};
		settled(&s);
		add_key(&s, 2, CRDS_PREPARED, 3);
		hold(&s, 2);
		for (size_t j = 0; j < ARRAY_LEN(uids); j++) {
			struct crds_functionkey *r = add_member(&s, uids[j], PROTOCOL_CHECKED);
			if (rows_[i].holds[j])
				opened(r, 1);
			if (rows_[i].holds[j] && !rows_[i].out[j])
				opened(r, 2);
			if (!rows_[i].out[j])
				continue;
			take_out(&s, uids[j]);
			noted(&s, uids[j], 2);
		}
		if (rows_[i].gone) {
			take_out(&s, "gone");
			noted(&s, "gone", 2);
		}
		protocol_lead(&s.v, &plan);
		const struct protocol_action *a = &plan.actions[0];
		const struct crds_functionkey *want =
			rows_[i].first < 0 ? NULL : &s.others[rows_[i].first];
		if (plan.actions_len != 1 || a->kind != PROTOCOL_ACTIVATE || a->member != want ||
			a->members != rows_[i].n || (a->state == CRDS_REVOKED) != (rows_[i].n > 0))
			fail_msg("%s: %zu", rows_[i].name, a->members);
	}
}

static void test_a_revoked_replica_is_not_ready(void **state)
{
	static struct scene s;
	static struct protocol_plan plan;

	(void)state;
	settled(&s);
	take_out(&s, "me");
	protocol_step(&s.v, NULL, &plan);
	assert_false(plan.readiness.ready);
	assert_string_equal(plan.readiness.reason, "Revoked");
	assert_false(plan.leading);
	assert_false(plan.may_contend);
}

/* A thousand revisions that were deployed together, and one revision through a thousand epochs. */
static void test_rotations_are_spread(void **state)
{
	static struct scene s;
	const int64_t period = 24LL * 3600;
	char uid[37];

	(void)state;
	for (int by_epoch = 0; by_epoch < 2; by_epoch++) {
		unsigned parts[16] = {0};
		for (int i = 0; i < 1000; i++) {
			settled(&s);
			(void)snprintf(uid, sizeof(uid), "6f1b3f0e-1111-4111-8111-%012d",
				by_epoch ? 0 : i);
			s.leader.uid = base_str(uid);
			s.leader.rotation_period_s = period;
			s.keys[0].epoch = by_epoch ? i + 1 : 1;
			const int64_t at = protocol_rotation_due_ns(&s.v, &s.keys[0]);
			const int64_t early = s.keys[0].activated_ns + period * SECOND - at;
			assert_true(early >= 0 && early < period * SECOND / 16);
			parts[early / (period * SECOND / 256)]++;
			assert_true(at == protocol_rotation_due_ns(&s.v, &s.keys[0]));
		}
		/* 62 in each if they were perfectly even. */
		for (size_t i = 0; i < ARRAY_LEN(parts); i++)
			if (parts[i] < 30 || parts[i] > 100)
				fail_msg("%u of 1000 in part %zu", parts[i], i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_all_that_it_may_hold_is_revoked),
		cmocka_unit_test(test_activation_names_who_was_revoked),
		cmocka_unit_test(test_a_revoked_replica_is_not_ready),
		cmocka_unit_test(test_rotations_are_spread),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
