/* Single steps of a member, and what a replica keeps and erases. */
#include "pkg/protocol/test_steps.h"

static void start_nothing(struct scene *s)
{
	s->v.own = NULL;
	s->v.holding = false;
}

static void new_incarnation(struct scene *s)
{
	s->v.incarnation = 2;
	s->v.keeper = (struct protocol_keeper){
		.receiving = point('r', 9), .inbox = point('i', 9), .identity = point('d', 9)};
	s->v.holding = false;
}

static void number_taken(struct scene *s)
{
	new_incarnation(s);
	s->own.incarnation = 2;
}

static void held_but_pruned(struct scene *s)
{
	add_key(s, 3, CRDS_ABANDONED, 3);
	hold(s, 2);
	hold(s, 3);
}

static void retired_over_age_not_count(struct scene *s)
{
	add_key(s, 2, CRDS_RETIRED, 3);
	hold(s, 2);
	opened(&s->own, 2);
	s->leader.keys[1].retired_ns = 1;
	s->v.wall_ns = 100 * 24 * 3600 * SECOND;
	s->leader.keys[0].activated_ns = s->v.wall_ns;
}

static void retired_over_both(struct scene *s)
{
	retired_over_age_not_count(s);
	s->leader.retention_max_epochs = 0;
}

static void retired_over_count_not_age(struct scene *s)
{
	retired_over_both(s);
	s->leader.keys[1].retired_ns = s->v.wall_ns - 23 * 3600 * SECOND;
}

/* Epoch 3 is active, 1 and 2 are over. */
static void asked_to_erase(struct scene *s, int64_t through)
{
	s->leader.keys_len = 0;
	add_key(s, 1, CRDS_REVOKED, 3);
	add_key(s, 2, CRDS_RETIRED, 3);
	add_key(s, 3, CRDS_ACTIVE, 3);
	s->v.keeper.held_len = s->own.opened_len = 0;
	for (int64_t e = 1; e <= 3; e++) {
		hold(s, e);
		opened(&s->own, e);
		s->keys[e - 1].retired_ns = s->v.wall_ns - SECOND;
	}
	s->own.active_epoch = 3;
	s->leader.erase_through = through;
}

static void asked_to_erase_nothing(struct scene *s)
{
	asked_to_erase(s, 0);
}

static void asked_to_erase_one(struct scene *s)
{
	asked_to_erase(s, 1);
}

static void asked_to_erase_more(struct scene *s)
{
	asked_to_erase(s, 2);
	s->leader.keys++;
	s->leader.keys_len--;
	s->v.keeper.held_len = s->own.opened_len = 0;
	hold(s, 2);
	opened(&s->own, 2);
	hold(s, 3);
	opened(&s->own, 3);
}

/* What no API server lets through: neither the active key nor one to come is erased. */
static void asked_to_erase_the_active(struct scene *s)
{
	asked_to_erase(s, 9);
	s->leader.keys += 2;
	s->leader.keys_len = 1;
	s->v.keeper.held_len = s->own.opened_len = 0;
	hold(s, 3);
	opened(&s->own, 3);
}

static void row_that_was_asked_for_is_gone(struct scene *s)
{
	asked_to_erase_more(s);
	s->leader.keys++;
	s->leader.keys_len--;
}

static void member_before_its_row_is_gone(struct scene *s)
{
	asked_to_erase(s, 2);
	s->v.holding = false;
}

static void inbox_used(struct scene *s)
{
	s->own.grants[0] = (struct crds_grant){.epoch = 1,
		.term = 3,
		.incarnation = 1,
		.from = fingerprint(point('a', 1)),
		.to = fingerprint(point('r', 0)),
		.inbox = fingerprint(point('i', 0))};
	s->own.grants_len = 1;
	s->v.inbox_used_ns = s->v.boot_ns - 2 * SECOND;
}

static void granted(struct scene *s)
{
	inbox_used(s);
	s->v.holding = false;
	s->v.keeper.held_len = 0;
	s->own.opened_len = 0;
	s->own.active_epoch = 0;
	s->own.conditions[0].status = CRDS_FALSE;
	s->own.conditions[0].reason = STR("WaitingForGrant");
	s->v.leader_check = PROTOCOL_UNCHECKED;
}

static void granted_before_inbox_next(struct scene *s)
{
	granted(s);
	s->v.keeper.has_next_inbox = true;
	s->v.keeper.next_inbox = s->own.inbox = point('i', 1);
}

static void inbox_next_and_forged(struct scene *s)
{
	granted_before_inbox_next(s);
	s->own.grants[0].signature = (struct crds_signature){.b = {7}};
	s->v.refused = &s->own.grants[0].signature;
	s->v.refused_len = 1;
	s->v.leader_check = PROTOCOL_CHECKED;
}

static void another_holds_the_lease(struct scene *s)
{
	s->v.holding = false;
	lead_in(s, "before", 3);
	s->v.holder_pod = STR("next");
	s->v.holder_uid = STR("next-uid");
}

static void the_holder_was_looked_at(struct scene *s)
{
	another_holds_the_lease(s);
	s->v.holder_check = PROTOCOL_CHECKED;
}

static void inbox_used_just_now(struct scene *s)
{
	inbox_used(s);
	s->v.inbox_used_ns = s->v.boot_ns;
}

static void inbox_next_unwritten(struct scene *s)
{
	inbox_used(s);
	s->v.keeper.has_next_inbox = true;
	s->v.keeper.next_inbox = point('i', 1);
}

static void inbox_next_written(struct scene *s)
{
	inbox_next_unwritten(s);
	s->own.inbox = point('i', 1);
}

static const struct step_row rows[] = {
	{"first of all, a record of our own", start_nothing, {PROTOCOL_RECORD_CREATE}},
	{"a restarted keeper is registered", new_incarnation, {PROTOCOL_RECORD_UPDATE}},
	{"a number that an earlier keeper took is given up", number_taken, {PROTOCOL_REINCARNATE}},
	{"what the record gave up is erased", held_but_pruned, {PROTOCOL_ERASE, PROTOCOL_ERASE},
		.epoch = 2},
	{"age alone does not erase", retired_over_age_not_count, {NONE}},
	{"age and count do", retired_over_both, {PROTOCOL_PRUNE}, .epoch = 2},
	{"before its time nothing is erased", asked_to_erase_nothing, {NONE}},
	{"unless somebody asked for it", asked_to_erase_one, {PROTOCOL_PRUNE}, .epoch = 1},
	{"up to an epoch", asked_to_erase_more, {PROTOCOL_PRUNE}, .epoch = 2},
	{"of those that are over", asked_to_erase_the_active, {NONE}},
	{"the keeper follows the record", row_that_was_asked_for_is_gone,
		{PROTOCOL_SAY_OPENED, PROTOCOL_ERASE}},
	{"a member waits for the leader's word", member_before_its_row_is_gone, {NONE}},
	{"an inbox key is wiped when all that came in it is accepted", granted_before_inbox_next,
		{PROTOCOL_CHECK_LEADER}},
	{"a row that is past its count wakes when its age is over", retired_over_count_not_age,
		{NONE}, .wakes = true},
	{"what the keeper refused is not waited for", inbox_next_and_forged,
		{PROTOCOL_INBOX_COMMIT}},
	{"who holds the Lease is looked at before it leads", another_holds_the_lease,
		{PROTOCOL_CHECK_LEADER}},
	{"once", the_holder_was_looked_at, {NONE}},
	{"a used inbox key changes", inbox_used, {PROTOCOL_INBOX_NEXT}},
	{"after a rest", inbox_used_just_now, {NONE}, .wakes = true},
	{"the next one is written", inbox_next_unwritten, {PROTOCOL_RECORD_UPDATE}},
	{"and then the old one wiped", inbox_next_written, {PROTOCOL_INBOX_COMMIT}},
};

static void test_steps(void **state)
{
	(void)state;
	run_steps(rows, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
