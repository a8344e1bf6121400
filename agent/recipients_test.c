#include "agent/problem.h"
#include "agent/recipients.h"
#include "agent/sample.h"

struct world {
	struct sample a, b;
	struct env env;
	struct pre_context *pre;
	struct agent_pins *pins;
	unsigned doubts[AGENT_DOUBT_COUNT];
};

static void tell(
	void *ctx, enum agent_doubt doubt, const struct crds_functionkey *record, const char *why)
{
	struct world *w = ctx;

	(void)record;
	assert_true(why[0] != 0);
	w->doubts[doubt]++;
}

static void world_begin(struct world *w)
{
	*w = (struct world){.env = base_env_system()};
	sample_begin(&w->a, 1, "billing-1");
	sample_begin(&w->b, 2, "billing-2");
	assert_ok("pre", pre_context_new(&w->env, &w->pre, err));
	assert_ok("pins", agent_pins_new(&w->pins, err));
}

static void world_end(struct world *w)
{
	agent_pins_free(w->pins);
	pre_context_free(w->pre);
	sample_done(&w->a);
	sample_done(&w->b);
}

static int choose(
	struct world *w, size_t n, bool refuse, struct agent_recipients **ret, struct err *err)
{
	const struct crds_functionkey *const records[] = {&w->a.fk, &w->b.fk};
	const struct agent_chooser c = {.pins = w->pins,
		.pre = w->pre,
		.refuse_broken = refuse,
		.doubts = {.tell = tell, .ctx = w}};

	return agent_recipients_choose(&c, records, n, STR("billing"), ret, err);
}

static void two_revisions_are_two_targets(void **state)
{
	_cleanup_(agent_recipients_free) struct agent_recipients *r = NULL;
	struct world w;

	(void)state;
	world_begin(&w);
	(void)sample_key(&w.b, 2, 1, CRDS_ACTIVE);
	assert_ok("both", choose(&w, 2, true, &r, err));
	assert_int_equal(r->n, 2);
	assert_int_equal(r->epoch, 2);
	assert_true(base_str_eq(r->v[0].name, STR("shop/billing-1")));
	assert_true(base_str_eq(r->v[1].name, STR("shop/billing-2")));
	assert_memory_equal(r->v[0].key.b, w.a.keys[0].key.b, 33);
	assert_memory_equal(r->v[1].key.b, w.b.keys[1].key.b, 33);
	assert_int_equal(agent_pins_len(w.pins), 2);
	assert_int_equal(w.doubts[0] + w.doubts[1], 0);
	world_end(&w);
}

static void a_set_is_replaced_by_none_that_is_larger(void **state)
{
	_cleanup_(agent_recipients_free) struct agent_recipients *one = NULL;
	_cleanup_(agent_recipients_free) struct agent_recipients *both = NULL;
	_cleanup_(agent_recipients_free) struct agent_recipients *next = NULL;
	_cleanup_(agent_recipients_free) struct agent_recipients *rest = NULL;
	struct world w;

	(void)state;
	world_begin(&w);
	(void)sample_key(&w.b, 2, 1, CRDS_ACTIVE);
	(void)sample_key(&w.b, 3, 1, CRDS_ACTIVE);
	assert_ok("both", choose(&w, 2, true, &both, err));
	assert_ok("one", choose(&w, 1, true, &one, err));
	const struct agent_recipient_keys was = agent_recipients_keys(both);
	const struct agent_recipient_keys was_one = agent_recipients_keys(one);
	assert_false(agent_recipients_replace(both, &was));
	assert_false(agent_recipients_replace(one, &was));
	assert_false(agent_recipients_replace(both, &was_one));
	/* The other revision's epoch stays the highest. */
	(void)sample_key(&w.a, 2, 1, CRDS_ACTIVE);
	assert_ok("next", choose(&w, 2, true, &next, err));
	assert_int_equal(next->epoch, both->epoch);
	assert_true(agent_recipients_replace(next, &was));
	assert_ok("rest", choose(&w, 1, true, &rest, err));
	assert_true(agent_recipients_replace(rest, &was));
	assert_true(agent_recipients_replace(rest, &was_one));
	assert_false(agent_recipients_replace(next, &was_one));
	world_end(&w);
}

/* Each row spoils the one record; what is then said. */
struct row {
	const char *name;
	void (*spoil)(struct sample *s);
	enum agent_problem problem;
};

static void no_function(struct sample *s)
{
	s->fk.function = STR("orders");
}
static void no_label(struct sample *s)
{
	s->fk.label_function = STR("orders");
}
static void member(struct sample *s)
{
	s->fk.role = CRDS_MEMBER;
}
static void deleting(struct sample *s)
{
	s->fk.deleting = true;
}
static void no_holder(struct sample *s)
{
	s->conditions[0] = (struct crds_condition){.type = STR("NoHolder"), .status = CRDS_TRUE};
	s->fk.conditions_len = 1;
}
static void no_holder_of_this(struct sample *s)
{
	no_holder(s);
	s->fk.observed_epoch = s->fk.active_epoch;
}
static void prepared(struct sample *s)
{
	s->keys[0].state = CRDS_PREPARED;
}
static void other_scheme(struct sample *s)
{
	s->fk.scheme = STR("hpke");
}
static void other_key(struct sample *s)
{
	s->keys[0].key = s->keys[0].continuity;
}
static void other_signature(struct sample *s)
{
	s->keys[0].signature.b[40] ^= 1;
}
static void other_epoch(struct sample *s)
{
	s->keys[0].epoch = 2;
}
static void other_revision(struct sample *s)
{
	s->fk.revision = STR("billing-9");
}
static void other_namespace(struct sample *s)
{
	s->fk.ns = STR("mall");
}
static void other_leader(struct sample *s)
{
	s->fk.leader.pod_uid = STR("somebody");
}
static void no_leader(struct sample *s)
{
	s->fk.has_leader = false;
}

static void whoever_makes_the_next_key_holds_it(void **state)
{
	_cleanup_(agent_recipients_free) struct agent_recipients *r = NULL;
	struct world w;

	(void)state;
	world_begin(&w);
	no_holder(&w.a);
	w.a.fk.observed_epoch = 1;
	(void)sample_key(&w.a, 2, 1, CRDS_ACTIVE);
	assert_ok("the next", choose(&w, 1, true, &r, err));
	assert_int_equal(r->v[0].epoch, 2);
	world_end(&w);
}

static void spoiled_records_are_no_recipients(void **state)
{
	static const struct row rows[] = {
		{"function", no_function, AGENT_PROBLEM_UNKNOWN_RECIPIENT},
		{"label", no_label, AGENT_PROBLEM_UNKNOWN_RECIPIENT},
		{"role", member, AGENT_PROBLEM_UNKNOWN_RECIPIENT},
		{"deleting", deleting, AGENT_PROBLEM_NOT_READY},
		{"no holder", no_holder, AGENT_PROBLEM_NO_HOLDER},
		{"no holder of this key", no_holder_of_this, AGENT_PROBLEM_NO_HOLDER},
		{"prepared only", prepared, AGENT_PROBLEM_NOT_READY},
		{"scheme", other_scheme, AGENT_PROBLEM_NOT_READY},
		{"key", other_key, AGENT_PROBLEM_UNTRUSTED},
		{"signature", other_signature, AGENT_PROBLEM_UNTRUSTED},
		{"epoch", other_epoch, AGENT_PROBLEM_UNTRUSTED},
		{"revision", other_revision, AGENT_PROBLEM_UNTRUSTED},
		{"namespace", other_namespace, AGENT_PROBLEM_UNTRUSTED},
		{"leader", other_leader, AGENT_PROBLEM_UNTRUSTED},
		{"no leader", no_leader, AGENT_PROBLEM_UNTRUSTED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct agent_recipients *r = NULL;
		struct err why = {0};
		struct world w;
		world_begin(&w);
		rows[i].spoil(&w.a);
		if (choose(&w, 1, false, &r, &why) == 0)
			fail_msg("%s: taken", rows[i].name);
		if (agent_problem_of(&why) != rows[i].problem)
			fail_msg("%s: %s: %s", rows[i].name,
				agent_problem_row(agent_problem_of(&why))->type, why.msg);
		assert_int_equal(w.doubts[AGENT_DOUBT_SIGNATURE],
			rows[i].problem == AGENT_PROBLEM_UNTRUSTED);
		/* The other revision still gets the message. */
		assert_ok(rows[i].name, choose(&w, 2, false, &r, err));
		assert_int_equal(r->n, 1);
		agent_recipients_free(r);
		world_end(&w);
	}
}

static void chains_are_pinned(void **state)
{
	struct agent_recipients *r = NULL;
	struct world w;

	(void)state;
	world_begin(&w);
	assert_ok("first contact", choose(&w, 1, true, &r, err));
	r = agent_recipients_free(r);
	(void)sample_key(&w.a, 2, 1, CRDS_ACTIVE);
	assert_ok("continued", choose(&w, 1, true, &r, err));
	r = agent_recipients_free(r);
	(void)sample_key(&w.a, 3, 0, CRDS_ACTIVE); /* without a link */
	struct err why = {0};
	assert_int_equal(choose(&w, 1, true, &r, &why), -(int)ERR_TAMPERED);
	assert_int_equal(agent_problem_of(&why), AGENT_PROBLEM_UNTRUSTED);
	assert_int_equal(w.doubts[AGENT_DOUBT_CONTINUITY], 1);
	assert_ok("only warned of", choose(&w, 1, false, &r, err));
	r = agent_recipients_free(r);
	assert_int_equal(w.doubts[AGENT_DOUBT_CONTINUITY], 2);
	assert_ok("once", choose(&w, 1, true, &r, err));
	r = agent_recipients_free(r);
	assert_int_equal(w.doubts[AGENT_DOUBT_CONTINUITY], 2);
	world_end(&w);
}

static void too_many_revisions_are_refused(void **state)
{
	const struct crds_functionkey *records[ENVELOPE_RECIPIENTS_MAX + 1];
	struct agent_recipients *r = NULL;
	struct err why = {0};
	struct world w;

	(void)state;
	world_begin(&w);
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		records[i] = &w.a.fk;
	const struct agent_chooser c = {.pins = w.pins, .pre = w.pre};
	assert_true(agent_recipients_choose(
			    &c, records, ARRAY_LEN(records), STR("billing"), &r, &why) < 0);
	assert_int_equal(agent_problem_of(&why), AGENT_PROBLEM_TOO_LARGE);
	world_end(&w);
}

static int torture_one(void *ctx, struct err *err)
{
	struct world *w = ctx;
	_cleanup_(agent_recipients_free) struct agent_recipients *r = NULL;

	return choose(w, 2, false, &r, err);
}

static void allocations_may_fail(void **state)
{
	struct world w;
	struct err why = {0};

	(void)state;
	world_begin(&w);
	assert_int_equal(torture_one(&w, &why), 0); /* pins are kept */
	(void)torture_run("choose", torture_one, &w, 1);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_revisions_are_two_targets),
		cmocka_unit_test(a_set_is_replaced_by_none_that_is_larger),
		cmocka_unit_test(whoever_makes_the_next_key_holds_it),
		cmocka_unit_test(spoiled_records_are_no_recipients),
		cmocka_unit_test(chains_are_pinned),
		cmocka_unit_test(too_many_revisions_are_refused),
		cmocka_unit_test(allocations_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
