#include "pkg/base/test.h"
#include "pkg/kube/lease.h"

#define S(n) ((int64_t)((n) * (double)NS_PER_S))

/* Random histories against a model of the Lease: two candidates by these rules, with lost answers,
 * lost requests, old news and sleep, never both may write. */
struct model {
	struct kube_lease_record lease, before;
	bool exists;
	int rv;
	uint64_t seed;
	unsigned won;
};

static uint32_t draw(struct model *m, uint32_t below)
{
	m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(m->seed >> 33) % below;
}

static bool serve(struct model *m, const struct kube_lease_action *a)
{
	if (a->act == KUBE_LEASE_CREATE ? m->exists
					: !m->exists || strcmp(a->record.rv, m->lease.rv) != 0)
		return false;
	m->before = m->lease;
	m->lease = a->record;
	m->exists = true;
	m->rv++;
	(void)snprintf(m->lease.rv, sizeof(m->lease.rv), "%d", m->rv);
	m->lease.renew_wall_ns = m->rv;
	return true;
}

struct candidate {
	struct kube_lease_rules rules;
	struct kube_lease_state state;
	struct kube_lease_action todo;
	int64_t sent, skew;
};

static void candidate_event(
	struct model *m, struct candidate *c, int64_t now, struct kube_lease_event e)
{
	e.boot_ns = now + c->skew;
	e.random = draw(m, UINT32_MAX);
	e.watching = draw(m, 2);
	const struct kube_lease_action a = kube_lease_step(&c->rules, &c->state, &e);
	m->won += a.change == KUBE_LEASE_WON;
	if (a.act != KUBE_LEASE_WAIT) {
		c->todo = a;
		c->sent = e.boot_ns;
	}
}

static void turn(struct model *m, struct candidate *c, int64_t now)
{
	const enum kube_lease_do what = c->todo.act;
	struct kube_lease_record got = m->lease;

	if (!c->state.busy || draw(m, 4) == 0) {
		if (draw(m, 3) == 0 && m->exists) {
			got = draw(m, 4) ? m->lease : m->before;
			candidate_event(m, c, now,
				(struct kube_lease_event){
					.input = KUBE_LEASE_SEEN, .record = &got, .watched = true});
		} else {
			candidate_event(
				m, c, now, (struct kube_lease_event){.input = KUBE_LEASE_TICK});
		}
		return;
	}
	const bool lost_request = draw(m, 12) == 0;
	const bool served = what == KUBE_LEASE_GET || (!lost_request && serve(m, &c->todo));
	got = m->lease;
	const struct kube_lease_record *record = m->exists ? &got : NULL;
	c->todo.act = KUBE_LEASE_WAIT;
	if (!served || lost_request || draw(m, 12) == 0)
		candidate_event(m, c, now,
			(struct kube_lease_event){.input = KUBE_LEASE_FAILED,
				.class = ERR_TRANSIENT,
				.sent_boot_ns = c->sent});
	else
		candidate_event(m, c, now,
			(struct kube_lease_event){.input = what == KUBE_LEASE_GET
								   ? KUBE_LEASE_SEEN
								   : KUBE_LEASE_WRITTEN,
				.record = record,
				.sent_boot_ns = c->sent});
}

static unsigned play(uint64_t seed)
{
	static const enum kube_lease_will wills[] = {
		KUBE_LEASE_CONTEND, KUBE_LEASE_CONTEND, KUBE_LEASE_LATE, KUBE_LEASE_ABSTAIN};
	struct model m = {.seed = seed, .rv = 10};
	struct candidate c[3] = {0};
	int64_t now = S(1000);

	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		(void)snprintf(c[i].rules.identity, sizeof(c[i].rules.identity), "p%zu_u_1", i);
		assert_ok("rules", kube_lease_rules_check(&c[i].rules, err));
		c[i].rules.may_create = true;
		c[i].skew = (int64_t)draw(&m, 1000) * NS_PER_S;
		c[i].state.will = KUBE_LEASE_CONTEND;
	}
	for (int step = 0; step < 3000; step++) {
		struct candidate *one = &c[draw(&m, ARRAY_LEN(c))];
		now += draw(&m, 20) ? (int64_t)draw(&m, 3000) * NS_PER_MS : S(25);
		if (draw(&m, 50) == 0)
			one->state.will = wills[draw(&m, ARRAY_LEN(wills))];
		turn(&m, one, now);
		unsigned writers = 0;
		for (size_t i = 0; i < ARRAY_LEN(c); i++)
			writers += kube_lease_state_may_write(
				&c[i].rules, &c[i].state, now + c[i].skew);
		if (writers > 1)
			fail_msg("seed %llu, step %d: %u may write", (unsigned long long)seed, step,
				writers);
	}
	return m.won;
}

static void test_never_two(void **state)
{
	unsigned won = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++)
		won += play(seed);
	/* The histories must not be empty ones. */
	assert_true(won > 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_never_two)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
