#include "pkg/base/test.h"
#include "pkg/kube/lease.h"

#define S(n)  ((int64_t)((n) * (double)NS_PER_S))
#define ME    "me_uid-1_3"
#define ME_2  "me_uid-1_2"
#define OTHER "you_uid-2_1"

static struct kube_lease_rules rules_of(void)
{
	struct kube_lease_rules r = {.identity = ME, .may_create = true};

	r.times.take_jitter_ns = 1;
	assert_ok("rules", kube_lease_rules_check(&r, err));
	return r;
}

/* One event of a scenario and what must come of it. Times in seconds on the boot clock. */
struct row {
	double now;
	enum kube_lease_input input;
	const char *holder; /* of the record; NULL: absent; "-": no record (FAILED, TICK) */
	int32_t duration_s;
	int32_t transitions;
	int rv; /* of the record, also its renewTime */
	enum err_class class;
	double sent;
	bool watched;
	bool changes; /* the will, to this one */
	enum kube_lease_will will;
	/* wanted */
	enum kube_lease_do act;
	enum kube_lease_change change;
	double at;                /* of WAIT; -1: never; -2: not looked at */
	int32_t want_transitions; /* of a write */
	bool acquire;
};

#define TICK(t) .now = (t), .input = KUBE_LEASE_TICK, .holder = "-"
#define STOP(t) .now = (t), .input = KUBE_LEASE_STOP, .holder = "-"
#define SEEN(t, h, tr, v)                                                      \
	.now = (t), .input = KUBE_LEASE_SEEN, .holder = (h), .duration_s = 30, \
	.transitions = (tr), .rv = (v)
#define GONE(t) .now = (t), .input = KUBE_LEASE_SEEN, .holder = NULL
#define WATCHED .watched = true
#define WILL(w) .changes = true, .will = KUBE_LEASE_##w
#define WROTE(t, s, h, tr, v)                                                     \
	.now = (t), .input = KUBE_LEASE_WRITTEN, .holder = (h), .duration_s = 30, \
	.transitions = (tr), .rv = (v), .sent = (s)
#define FAILED(t, c) .now = (t), .input = KUBE_LEASE_FAILED, .holder = "-", .class = ERR_##c
#define WANT(a)      .act = KUBE_LEASE_##a
#define WAITS(t)     .act = KUBE_LEASE_WAIT, .at = (t)
#define ACQUIRES(t)  .act = KUBE_LEASE_UPDATE, .acquire = true, .want_transitions = (t)
#define RELEASES(t)  .act = KUBE_LEASE_RELEASE, .acquire = true, .want_transitions = (t)
#define RENEWS(t)    .act = KUBE_LEASE_UPDATE, .acquire = false, .want_transitions = (t)
#define WON          .change = KUBE_LEASE_WON
#define LOST         .change = KUBE_LEASE_LOST

static const struct scenario {
	const char *name;
	enum kube_lease_will will;
	bool watching, may_not_create;
	struct row rows[14];
} scenarios[] = {
	{"an absent Lease is made", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)}, {TICK(1.1), WAITS(-1)},
			{GONE(1.2), WANT(CREATE), .acquire = true},
			{WROTE(1.5, 1.3, ME, 0, 5), WAITS(11.3), WON}, {TICK(11.3), RENEWS(0)},
			{WROTE(11.4, 11.3, ME, 0, 6), WAITS(21.3)}}},
	{"an absent Lease is waited for where we may not make it", KUBE_LEASE_CONTEND, true, true,
		{{TICK(1), WANT(GET)}, {GONE(1.2), WAITS(-1)}, {TICK(100), WAITS(-1)},
			{SEEN(101, "", 0, 7), WATCHED, ACQUIRES(1)}}},
	{"the same without a watch: polled", KUBE_LEASE_CONTEND, false, true,
		{{TICK(1), WANT(GET)}, {GONE(1.2), WAITS(11.2)}, {TICK(11.2), WANT(GET)}}},
	{"an empty holder is taken at once", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(1.2, "", 4, 7), ACQUIRES(5)},
			{WROTE(1.5, 1.3, ME, 5, 8), WAITS(11.3), WON}}},
	{"a holder of unknown age gets his whole duration from now", KUBE_LEASE_CONTEND, true,
		false,
		{{TICK(1), WANT(GET)}, {SEEN(2, OTHER, 4, 7), WAITS(32)}, {TICK(31.9), WAITS(32)},
			/* Read again before it is taken; unchanged. */
			{TICK(32), WANT(GET)}, {SEEN(32.1, OTHER, 4, 7), ACQUIRES(5)}}},
	{"a renewal seen late gives him his time again", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, OTHER, 4, 7), WAITS(32)}, {TICK(32), WANT(GET)},
			{SEEN(32.1, OTHER, 4, 8), WAITS(62.1)}}},
	{"the record's own duration counts", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)},
			{.now = 2,
				.input = KUBE_LEASE_SEEN,
				.holder = OTHER,
				.duration_s = 5,
				.rv = 7,
				WAITS(7)},
			{TICK(7), WANT(GET)}}},
	{"no duration, or nonsense: ours", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)},
			{.now = 2,
				.input = KUBE_LEASE_SEEN,
				.holder = OTHER,
				.duration_s = -5,
				.rv = 7,
				WAITS(32)},
			{.now = 3,
				.input = KUBE_LEASE_SEEN,
				.holder = OTHER,
				.duration_s = 0,
				.rv = 8,
				WATCHED,
				WAITS(33)}}},
	{"without a watch it is polled", KUBE_LEASE_CONTEND, false, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, OTHER, 4, 7), WAITS(12)}, {TICK(11), WAITS(12)},
			{TICK(12), WANT(GET)}, {SEEN(13, "", 4, 8), ACQUIRES(5)}}},
	{"our former incarnation is replaced at once", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, ME_2, 4, 7), ACQUIRES(5)}}},
	{"empty-handed, it is released instead", KUBE_LEASE_LATE, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, ME_2, 4, 7), RELEASES(4)},
			{WROTE(2.1, 2, "", 4, 8), WAITS(-2)}, {TICK(30), WAITS(-2)},
			{TICK(62.1), ACQUIRES(5)}}},
	{"and taken at once by who turns out to be alone", KUBE_LEASE_LATE, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, ME_2, 4, 7), RELEASES(4)},
			{TICK(2.05), WILL(ABSTAIN), WAITS(-1)},
			{WROTE(2.1, 2, "", 4, 8), WAITS(-1)},
			{TICK(2.2), WILL(CONTEND), ACQUIRES(5)}}},
	{"abstaining, our former incarnation's is released", KUBE_LEASE_ABSTAIN, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, ME_2, 4, 7), RELEASES(4)},
			{WROTE(2.1, 2, "", 4, 8), WAITS(-1)},
			{TICK(2.2), WILL(CONTEND), ACQUIRES(5)}}},
	{"even if the watch tells first", KUBE_LEASE_ABSTAIN, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, ME_2, 4, 7), RELEASES(4)},
			{SEEN(2.05, "", 4, 8), WATCHED, WAITS(-1)},
			{WROTE(2.1, 2, "", 4, 8), WAITS(-1)},
			{TICK(2.2), WILL(CONTEND), ACQUIRES(5)}}},
	{"which it did itself", KUBE_LEASE_ABSTAIN, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, ME_2, 4, 7), RELEASES(4)},
			{FAILED(2.1, CONFLICT), WANT(GET)}, {SEEN(2.2, "", 4, 8), WAITS(-1)},
			{TICK(2.3), WILL(CONTEND), ACQUIRES(5)}}},
	{"another pod of a name that begins like ours is another", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, "me_uid-11_1", 4, 7), WAITS(32)}}},
	{"what is ours already is kept, not acquired", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, ME, 4, 7), RENEWS(4)},
			{WROTE(2.2, 2, ME, 4, 8), WAITS(12), WON}}},
	{"late: two durations after it was released", KUBE_LEASE_LATE, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, OTHER, 4, 7), WAITS(-2)},
			{SEEN(10, "", 4, 8), WATCHED, WAITS(70)}, {TICK(69), WAITS(70)},
			{TICK(70), ACQUIRES(5)}}},
	{"late: somebody took it meanwhile", KUBE_LEASE_LATE, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, "", 4, 7), WAITS(62)},
			{SEEN(50, OTHER, 5, 8), WATCHED, WAITS(80)},
			{SEEN(51, "", 5, 9), WATCHED, WAITS(111)}}},
	{"late: expiry counts as release", KUBE_LEASE_LATE, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, OTHER, 4, 7), WAITS(32)}, {TICK(32), WAITS(92)},
			{SEEN(60, "", 4, 8), WATCHED, WAITS(92)}, {TICK(92), ACQUIRES(5)}}},
	{"abstaining, it is only looked at", KUBE_LEASE_ABSTAIN, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, "", 4, 7), WAITS(-1)}, {TICK(500), WAITS(-1)}}},
	{"abstaining, what is ours is given up", KUBE_LEASE_ABSTAIN, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, ME, 4, 7), RELEASES(4)},
			{WROTE(2.1, 2, "", 4, 8), WAITS(-2)}, {TICK(60), WAITS(-1)}}},
	{"two candidates: the conflict is looked at", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, "", 4, 7), ACQUIRES(5)},
			{FAILED(2.2, CONFLICT), WANT(GET)}, {SEEN(2.3, OTHER, 5, 8), WAITS(32.3)}}},
	{"a lost answer to our acquisition", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, "", 4, 7), ACQUIRES(5)},
			{FAILED(7.1, TRANSIENT), WANT(GET)}, {SEEN(7.2, ME, 5, 8), RENEWS(5)},
			{WROTE(7.3, 7.2, ME, 5, 9), WAITS(17.2), WON}}},
	{"an answer that came too late is none", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(2, "", 4, 7), ACQUIRES(5)},
			{WROTE(22.2, 2.1, ME, 5, 8), RENEWS(5)},
			{WROTE(22.3, 22.2, ME, 5, 9), WAITS(-2), WON}}},
	{"failures back off, then by the retry period", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)}, {FAILED(2, TRANSIENT), WAITS(4)}, {TICK(4), WANT(GET)},
			{FAILED(5, DENIED), WAITS(7)}, {TICK(7), WANT(GET)},
			{FAILED(8, TRANSIENT), WAITS(10)}, {TICK(10), WANT(GET)},
			{FAILED(11, TRANSIENT), WAITS(21)}}},
};

static const struct scenario leading[] = {
	/* Each begins with ME leading: won at 1.5, sent at 1.3, transitions 5, version 8. */
	{"renewed each retry period", KUBE_LEASE_CONTEND, true, false,
		{{TICK(11.2), WAITS(11.3)}, {TICK(11.3), RENEWS(5)}, {TICK(12), WAITS(21.3)},
			{WROTE(13, 11.3, ME, 5, 9), WAITS(21.3)}}},
	{"the deadline is counted from sending", KUBE_LEASE_CONTEND, true, false,
		{{TICK(11.3), RENEWS(5)}, {FAILED(16.3, TRANSIENT), WANT(GET)},
			{FAILED(20, TRANSIENT), WAITS(21.3)}, {TICK(21.3), WAITS(31.3), LOST}}},
	{"lost while a request is in flight", KUBE_LEASE_CONTEND, true, false,
		{{TICK(11.3), RENEWS(5)}, {TICK(21.3), WAITS(-1), LOST},
			/* It arrived after all: ours since it was sent. */
			{WROTE(22, 11.3, ME, 5, 9), RENEWS(5), WON}}},
	{"asleep past the deadline", KUBE_LEASE_CONTEND, true, false,
		{{TICK(100), WAITS(110), LOST}, {TICK(110), WANT(GET)},
			{SEEN(110.1, OTHER, 6, 12), WAITS(140.1)}}},
	{"asleep with the answer in the socket", KUBE_LEASE_CONTEND, true, false,
		{{TICK(11.3), RENEWS(5)}, {WROTE(100, 11.3, ME, 5, 9), WAITS(110), LOST}}},
	{"a renewal that failed is looked at and repeated", KUBE_LEASE_CONTEND, true, false,
		{{TICK(11.3), RENEWS(5)}, {FAILED(11.4, CONFLICT), WANT(GET)},
			{SEEN(11.5, ME, 5, 20), RENEWS(5)}, {FAILED(11.6, CONFLICT), WAITS(13.6)},
			{TICK(13.6), WANT(GET)}, {SEEN(13.7, ME, 5, 21), RENEWS(5)},
			{WROTE(13.8, 13.7, ME, 5, 22), WAITS(23.7)}}},
	{"our own renewal seen by the watch", KUBE_LEASE_CONTEND, true, false,
		{{TICK(11.3), RENEWS(5)}, {SEEN(11.35, ME, 5, 9), WATCHED, WAITS(21.3)},
			{WROTE(11.4, 11.3, ME, 5, 9), WAITS(21.3)}}},
	{"old news of the watch mean nothing", KUBE_LEASE_CONTEND, true, false,
		{{SEEN(2, OTHER, 4, 7), WATCHED, WAITS(11.3)},
			{SEEN(2, "", 4, 6), WATCHED, WAITS(11.3)}}},
	{"stolen", KUBE_LEASE_CONTEND, true, false,
		{{SEEN(2, OTHER, 6, 9), WATCHED, WAITS(12), LOST}, {TICK(12), WAITS(32)}}},
	{"stolen without a transition", KUBE_LEASE_CONTEND, true, false,
		{{SEEN(2, OTHER, 5, 9), WATCHED, WAITS(12), LOST}}},
	{"released by a controller: the others first", KUBE_LEASE_CONTEND, true, false,
		{{SEEN(2, "", 5, 9), WATCHED, WAITS(12), LOST}, {TICK(11.9), WAITS(12)},
			{TICK(12), ACQUIRES(6)}, {WROTE(12.1, 12, ME, 6, 10), WAITS(22), WON}}},
	{"transitions forward", KUBE_LEASE_CONTEND, true, false,
		{{SEEN(2, ME, 6, 9), WATCHED, WAITS(12), LOST}, {TICK(12), RENEWS(6)}}},
	{"transitions backward", KUBE_LEASE_CONTEND, true, false,
		{{SEEN(2, ME, 4, 9), WATCHED, WAITS(12), LOST}}},
	{"deleted", KUBE_LEASE_CONTEND, true, false,
		{{.now = 2, .input = KUBE_LEASE_SEEN, WATCHED, WAITS(12), LOST},
			{TICK(12), WANT(CREATE), .acquire = true}}},
	{"an etcd that was restored: a GET believes old versions", KUBE_LEASE_CONTEND, true, false,
		{{TICK(11.3), RENEWS(5)}, {FAILED(11.4, CONFLICT), WANT(GET)},
			{SEEN(11.5, OTHER, 3, 2), WAITS(21.5), LOST}}},
	{"released on demand", KUBE_LEASE_CONTEND, true, false,
		{{STOP(5), RELEASES(5), LOST}, {WROTE(5.1, 5, "", 5, 9), WAITS(-1)},
			{TICK(500), WAITS(-1)}}},
	{"released while a renewal is in flight", KUBE_LEASE_CONTEND, true, false,
		{{TICK(11.3), RENEWS(5)}, {STOP(11.4), WAITS(-1), LOST},
			{WROTE(11.5, 11.3, ME, 5, 9), RELEASES(5)}}},
	{"the release fails once", KUBE_LEASE_CONTEND, true, false,
		{{STOP(5), RELEASES(5), LOST}, {FAILED(5.1, TRANSIENT), WANT(GET)},
			{SEEN(5.2, ME, 5, 9), RELEASES(5)}, {FAILED(5.3, TRANSIENT), WAITS(7.3)},
			{TICK(7.3), WANT(GET)}, {SEEN(7.4, "", 5, 10), WAITS(-1)}}},
	{"somebody else has it before we release", KUBE_LEASE_CONTEND, true, false,
		{{STOP(5), RELEASES(5), LOST}, {FAILED(5.1, CONFLICT), WANT(GET)},
			{SEEN(5.2, OTHER, 6, 9), WAITS(-1)}}},
	{"late or not, a leader leads on", KUBE_LEASE_LATE, true, false, {{TICK(11.3), RENEWS(5)}}},
};

static struct kube_lease_record record_of(const struct row *r)
{
	struct kube_lease_record rec = {
		.duration_s = r->duration_s, .transitions = r->transitions, .renew_wall_ns = r->rv};

	(void)snprintf(rec.holder, sizeof(rec.holder), "%s", r->holder ? r->holder : "");
	(void)snprintf(rec.rv, sizeof(rec.rv), "%d", r->rv);
	return rec;
}

static struct kube_lease_event event_of(
	const struct row *r, const struct kube_lease_record *rec, bool watching)
{
	return (struct kube_lease_event){
		.input = r->input,
		.record = r->holder && strcmp(r->holder, "-") != 0 ? rec : NULL,
		.class = r->class,
		.boot_ns = S(r->now),
		.sent_boot_ns = S(r->sent),
		.watching = watching,
		.watched = r->watched,
	};
}

static void check(
	const char *name, size_t i, const struct row *r, const struct kube_lease_action *a)
{
	const bool write = a->act != KUBE_LEASE_WAIT && a->act != KUBE_LEASE_GET;
	const int64_t at = r->at < 0 ? INT64_MAX : S(r->at);
	const int64_t off = a->at_boot_ns - at;

	if (a->act != r->act || a->change != r->change)
		fail_msg("%s, row %zu: does %d, change %d", name, i, a->act, a->change);
	if (a->act == KUBE_LEASE_WAIT && r->at != -2 && (off > 100 || off < -100))
		fail_msg("%s, row %zu: waits until %.3f", name, i,
			(double)a->at_boot_ns / (double)NS_PER_S);
	if (write && (a->acquire != r->acquire || a->record.transitions != r->want_transitions))
		fail_msg("%s, row %zu: acquire %d, transitions %d", name, i, a->acquire,
			a->record.transitions);
	if (a->act == KUBE_LEASE_RELEASE && (a->record.holder[0] || a->record.duration_s != 1))
		fail_msg("%s, row %zu: not client-go's form of a release", name, i);
	if (a->act == KUBE_LEASE_UPDATE &&
		(strcmp(a->record.holder, ME) != 0 || a->record.duration_s != 30))
		fail_msg("%s, row %zu: not our record", name, i);
}

static void run(const struct scenario *s, struct kube_lease_state *state)
{
	struct kube_lease_rules rules = rules_of();

	rules.may_create = !s->may_not_create;
	state->will = s->will;
	for (size_t i = 0; i < ARRAY_LEN(s->rows) && s->rows[i].now > 0; i++) {
		const struct row *r = &s->rows[i];
		const struct kube_lease_record rec = record_of(r);
		const struct kube_lease_event e = event_of(r, &rec, s->watching);
		const bool held = state->held;
		if (r->changes)
			state->will = r->will;
		const struct kube_lease_action a = kube_lease_step(&rules, state, &e);
		check(s->name, i, r, &a);
		if (a.change == KUBE_LEASE_WON && (held || !state->held))
			fail_msg("%s, row %zu: won twice", s->name, i);
		if (kube_lease_state_may_write(&rules, state, e.boot_ns) && !state->held)
			fail_msg("%s, row %zu: may write without holding", s->name, i);
	}
}

static void test_candidates(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		struct kube_lease_state s = {0};
		run(&scenarios[i], &s);
	}
}

static void lead(struct kube_lease_state *s)
{
	static const struct scenario begin = {"begin", KUBE_LEASE_CONTEND, true, false,
		{{TICK(1), WANT(GET)}, {SEEN(1.2, "", 4, 7), ACQUIRES(5)},
			{WROTE(1.5, 1.3, ME, 5, 8), WAITS(11.3), WON}}};

	*s = (struct kube_lease_state){0};
	run(&begin, s);
}

static void test_leaders(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(leading); i++) {
		struct kube_lease_state s;
		lead(&s);
		run(&leading[i], &s);
	}
}

static void test_the_fence(void **state)
{
	const struct kube_lease_rules rules = rules_of();
	struct kube_lease_state s;

	(void)state;
	lead(&s);
	assert_true(kube_lease_state_may_write(&rules, &s, S(1.5)));
	assert_true(kube_lease_state_may_write(&rules, &s, S(21.3) - 1));
	/* Nobody has to tell it: a process that slept is fenced by the clock alone. */
	assert_false(kube_lease_state_may_write(&rules, &s, S(21.3)));
	s.will = KUBE_LEASE_ABSTAIN;
	assert_false(kube_lease_state_may_write(&rules, &s, S(2)));
	s.will = KUBE_LEASE_CONTEND;
	s.stopping = true;
	assert_false(kube_lease_state_may_write(&rules, &s, S(2)));
}

static void test_rules(void **state)
{
	static const struct {
		const char *name, *identity;
		double duration, deadline, retry;
		bool ok;
	} rows[] = {
		{"defaults", "a", 0, 0, 0, true},
		{"client-go's defaults", "a", 15, 10, 2, true},
		{"no identity", "", 0, 0, 0, false},
		{"deadline not below duration", "a", 10, 10, 2, false},
		{"retry too long", "a", 15, 10, 9, false},
		{"part of a second", "a", 15.5, 10, 2, false},
		{"negative", "a", 15, 10, -2, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kube_lease_rules r = {
			.times = {S(rows[i].duration), S(rows[i].deadline), S(rows[i].retry), 0}};
		(void)snprintf(r.identity, sizeof(r.identity), "%s", rows[i].identity);
		if ((kube_lease_rules_check(&r, NULL) == 0) != rows[i].ok)
			fail_msg("%s", rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_candidates),
		cmocka_unit_test(test_leaders),
		cmocka_unit_test(test_the_fence),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
