/* Grants of a key that is recorded meanwhile. Tables, as in protocol_test.c. */
#include "pkg/protocol/test_steps.h"

static void made(struct scene *s, int64_t term)
{
	hold(s, 2);
	s->v.keeper.held[1].made = true;
	s->v.keeper.has_made = true;
	s->v.keeper.made = (struct crds_key){.epoch = 2,
		.term = term,
		.key = point('a', 2),
		.fingerprint = fingerprint(point('a', 2))};
}

/* We hold the Lease, another leads in the record, and our keeper made term and key. */
static void taking_the_term(struct scene *s)
{
	lead_in(s, "other", 7);
	s->v.transitions = 4;
	s->v.keeper.term = 8;
	s->v.keeper.verifying = point('v', 8);
	made(s, 8);
	(void)add_member(s, "x", PROTOCOL_CHECKED);
	(void)add_member(s, "y", PROTOCOL_UNCHECKED);
	(void)add_member(s, "z", PROTOCOL_REFUSED);
}

static void taking_it_from_a_revoked_member(struct scene *s)
{
	taking_the_term(s);
	s->v.members_len = 1;
	s->leader.revoked[s->leader.revoked_len++] = STR("x");
}

static void granted_already(struct scene *s)
{
	taking_the_term(s);
	s->v.members_len = 1;
	s->others[0].grants[s->others[0].grants_len++] = (struct crds_grant){.epoch = 2,
		.term = 8,
		.incarnation = 1,
		.from = fingerprint(point('a', 2)),
		.inbox = fingerprint(s->others[0].inbox)};
}

static void granted_another_key(struct scene *s)
{
	granted_already(s);
	s->others[0].grants[0].from = fingerprint(point('z', 2));
}

static void granted_in_another_term(struct scene *s)
{
	granted_already(s);
	s->others[0].grants[0].term = 7;
}

static void key_not_made(struct scene *s)
{
	granted_already(s);
	s->others[0].grants_len = 0;
	s->v.keeper.has_made = false;
}

static void inheriting(struct scene *s)
{
	taking_the_term(s);
	s->v.members_len = 1;
	s->leader.on_leader_change = CRDS_INHERIT;
}

static void rotation(struct scene *s)
{
	s->leader.rotation_after_epoch = 1;
	made(s, 3);
	opened(add_member(s, "x", PROTOCOL_CHECKED), 1);
}

static const struct step_row rows[] = {
	{"members are granted the key while it is recorded, once their pods were looked at",
		taking_the_term, {PROTOCOL_TAKE_TERM, PROTOCOL_CHECK_MEMBER, PROTOCOL_GRANT},
		.epoch = 2, .term = 8},
	{"a revoked one is not", taking_it_from_a_revoked_member, {PROTOCOL_TAKE_TERM}, .epoch = 2},
	{"not twice", granted_already, {PROTOCOL_TAKE_TERM}},
	{"unless it was another's key", granted_another_key, {PROTOCOL_TAKE_TERM, PROTOCOL_GRANT}},
	{"or another's term", granted_in_another_term, {PROTOCOL_TAKE_TERM, PROTOCOL_GRANT}},
	{"not before it is made", key_not_made, {PROTOCOL_KEEPER_EPOCH}, .epoch = 2},
	{"nothing is granted where the key stays", inheriting, {PROTOCOL_TAKE_TERM}, .term = 8},
	{"the next key of the same leader goes the same way", rotation,
		{PROTOCOL_PREPARE, PROTOCOL_GRANT}, .epoch = 2},
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
