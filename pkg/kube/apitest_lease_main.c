/* Elections of two candidates in one process, and events, against the real API server. */
#include "pkg/kube/apitest.h"
#include "pkg/kube/event.h"
#include "pkg/kube/lease.h"

#define DURATION_S 3
#define DEADLINE_S 2
#define RETRY_S    1

struct contender {
	struct kube_lease *lease;
	unsigned won, lost;
	int32_t transitions;
	char holder[64];
	bool released;
};

struct election {
	struct apitest *t;
	struct contender a, b;
	bool both; /* both may write at one time */
	bool emptied;
	struct err err;
};

static void on_won(void *ctx, int32_t transitions)
{
	struct contender *c = ctx;

	c->won++;
	c->transitions = transitions;
}

static void on_lost(void *ctx, const char *reason)
{
	(void)reason;
	((struct contender *)ctx)->lost++;
}

static void on_holder(void *ctx, struct str holder, int32_t transitions)
{
	struct contender *c = ctx;

	(void)transitions;
	(void)snprintf(c->holder, sizeof(c->holder), "%.*s", STR_FMT(holder));
}

static void on_released(void *ctx)
{
	((struct contender *)ctx)->released = true;
}

static const struct kube_lease_handler handler = {
	.on_won = on_won, .on_lost = on_lost, .on_holder = on_holder};

static bool run_contender(struct election *e, struct contender *c, const char *identity)
{
	const struct kube_lease_options options = {
		.ns = e->t->ns,
		.name = STR("elected"),
		.identity = base_str(identity),
		.times = {.duration_ns = DURATION_S * NS_PER_S,
			.renew_deadline_ns = DEADLINE_S * NS_PER_S,
			.retry_ns = RETRY_S * NS_PER_S},
		.field_manager = "kube-apitest",
		.will = KUBE_LEASE_CONTEND,
		.may_create = true,
	};

	return kube_lease_run(e->t->client, &options, &handler, c, &c->lease, &e->err) == 0;
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
}

/* Runs the loop until done or the time is over; notes if both may write. */
static int64_t run_for(struct election *e, int64_t ns, const bool *done, const unsigned *count)
{
	uv_timer_t tick;
	const unsigned before = count ? *count : 0;
	const int64_t start = base_boot_ns(&e->t->env);
	int64_t now = start;

	(void)uv_timer_init(&e->t->loop, &tick);
	(void)uv_timer_start(&tick, on_tick, 1, 5);
	while (now - start < ns && !(done && *done) && !(count && *count != before)) {
		(void)uv_run(&e->t->loop, UV_RUN_ONCE);
		now = base_boot_ns(&e->t->env);
		e->both =
			e->both || (e->a.lease && e->b.lease && kube_lease_may_write(e->a.lease) &&
					   kube_lease_may_write(e->b.lease));
	}
	uv_close((uv_handle_t *)&tick, NULL);
	(void)uv_run(&e->t->loop, UV_RUN_NOWAIT);
	return now - start;
}

static struct kube_request lease_request(struct election *e, enum kube_verb verb, struct str body)
{
	return (struct kube_request){.verb = verb,
		.resource = &kube_lease_resource,
		.ns = e->t->ns,
		.name = STR("elected"),
		.body = body};
}

static void first_wins(struct election *e)
{
	struct apitest *t = e->t;

	apitest_check(t, "lease: the first candidate starts",
		run_contender(e, &e->a, "pod-a_11-22_1"), e->err.msg);
	run_for(e, 3 * NS_PER_S, NULL, &e->a.won);
	apitest_check(t, "lease: it creates the Lease and wins at once", e->a.won == 1, "");
	apitest_check(t, "lease: it may write", kube_lease_may_write(e->a.lease), "");
	apitest_check(t, "lease: term 0", e->a.transitions == 0, "");
	apitest_check(t, "lease: its UID is known", kube_lease_uid(e->a.lease).n == 36, "");
	apitest_check(t, "lease: the second starts", run_contender(e, &e->b, "pod-b_33-44_1"),
		e->err.msg);
	run_for(e, (DURATION_S + 3) * NS_PER_S, NULL, &e->b.won);
	apitest_check(t, "lease: the second does not win while it is renewed",
		e->b.won == 0 && e->a.lost == 0, "");
	apitest_check(t, "lease: the second knows the holder",
		!strcmp(e->b.holder, "pod-a_11-22_1"), e->b.holder);
	apitest_check(t, "lease: it was renewed", kube_lease_stats(e->a.lease)->renewed >= 4, "");
}

static void hand_over(struct election *e)
{
	struct apitest *t = e->t;
	char text[64];

	kube_lease_release(e->a.lease, on_released, &e->a);
	apitest_check(t, "lease: fenced at once", !kube_lease_may_write(e->a.lease), "");
	const int64_t ns = run_for(e, 3 * NS_PER_S, NULL, &e->b.won);
	(void)snprintf(text, sizeof(text), "after %lld ms", (long long)(ns / NS_PER_MS));
	apitest_check(t, "lease: released, the second wins within half a second",
		e->b.won == 1 && ns < NS_PER_S / 2, text);
	apitest_check(t, "lease: the release was told", e->a.released && e->a.lost == 1, "");
	apitest_check(t, "lease: transitions grew by one", e->b.transitions == 1, "");
	e->a.lease = kube_lease_free(e->a.lease);
}

static void on_emptied(void *ctx, const struct err *err)
{
	struct election *e = ctx;

	e->emptied = true;
	e->err = err ? *err : (struct err){0};
}

static void empty_it(struct election *e, const char *holder, bool may_patch)
{
	const struct kube_lease_dead dead = {
		.lease = {.ns = e->t->ns, .name = STR("elected")},
		.holder = base_str(holder),
		.field_manager = "kube-apitest",
		.may_patch = may_patch,
	};

	e->emptied = false;
	if (kube_lease_empty(e->t->client, &dead, on_emptied, e, NULL, &e->err) < 0)
		return;
	run_for(e, 5 * NS_PER_S, &e->emptied, NULL);
}

static void expiry(struct election *e)
{
	struct apitest *t = e->t;

	/* As after kill -9: nobody releases. */
	e->b.lease = kube_lease_free(e->b.lease);
	e->a = (struct contender){0};
	apitest_check(t, "lease: the first comes back as a new incarnation",
		run_contender(e, &e->a, "pod-a_11-22_2"), e->err.msg);
	const int64_t ns = run_for(e, 10 * NS_PER_S, NULL, &e->a.won);
	apitest_check(t, "lease: it wins after the duration, not before",
		e->a.won == 1 && ns >= DURATION_S * NS_PER_S && ns < (DURATION_S + 2) * NS_PER_S,
		"");
	e->a.lease = kube_lease_free(e->a.lease);
	e->a = (struct contender){0};
	apitest_check(t, "lease: and again as the next incarnation",
		run_contender(e, &e->a, "pod-a_11-22_3"), e->err.msg);
	const int64_t own = run_for(e, 10 * NS_PER_S, NULL, &e->a.won);
	apitest_check(t, "lease: which replaces the former one at once",
		e->a.won == 1 && own < NS_PER_S / 2 && e->a.transitions == 3, "");
}

static void emptied_by_a_controller(struct election *e)
{
	struct apitest *t = e->t;
	struct kube_request r = lease_request(e, KUBE_GET, STR_NULL);

	empty_it(e, "pod-a_11-22_2", false);
	apitest_check(t, "lease: not emptied for another holder", e->err.class == ERR_CONFLICT,
		e->err.msg);
	empty_it(e, "pod-a_11-22_2", true);
	apitest_check(t, "lease: nor by one patch", e->err.class == ERR_CONFLICT, e->err.msg);
	empty_it(e, "pod-a_11-22_3", true);
	apitest_check(t, "lease: emptied for its own", e->err.class == ERR_OK, e->err.msg);
	empty_it(e, "pod-a_11-22_3", true);
	apitest_check(t, "lease: and only once", e->err.class == ERR_CONFLICT, e->err.msg);
	run_for(e, NS_PER_S / 2, NULL, &e->a.lost);
	apitest_check(t, "lease: the holder that is alive after all sees it",
		e->a.lost == 1 && !kube_lease_may_write(e->a.lease), "");
	apitest_call(t, &r);
	apitest_check(t, "lease: nobody holds it", apitest_field(t, "holderIdentity").n == 0, "");
	const unsigned won = e->a.won;
	run_for(e, 3 * NS_PER_S, NULL, &e->a.won);
	apitest_check(t, "lease: it contends again, as a new term",
		e->a.won == won + 1 && e->a.transitions == 4, "");
}

static void stolen(struct election *e)
{
	struct apitest *t = e->t;
	const struct kube_request r = lease_request(e, KUBE_PATCH_MERGE,
		STR("{\"metadata\":{\"annotations\":{\"x\":\"y\"}},"
		    "\"spec\":{\"holderIdentity\":\"thief\",\"leaseTransitions\":9}}"));

	apitest_expect(t, "lease: somebody steals it", &r, ERR_OK);
	run_for(e, NS_PER_S / 2, NULL, &e->a.lost);
	apitest_check(t, "lease: the holder sees it at once",
		e->a.lost == 2 && !kube_lease_may_write(e->a.lease), "");
	run_for(e, (DURATION_S + 3) * NS_PER_S, NULL, &e->a.won);
	apitest_check(t, "lease: taken back after the duration",
		e->a.won == 3 && e->a.transitions == 10, "");
	apitest_check(t, "lease: what others wrote into it stays",
		base_str_eq(kube_lease_annotation(e->a.lease, "x"), STR("y")), "");
}

void apitest_leases(struct apitest *t)
{
	struct election e = {.t = t};

	first_wins(&e);
	if (!e.a.lease || !e.b.lease)
		return;
	hand_over(&e);
	expiry(&e);
	emptied_by_a_controller(&e);
	stolen(&e);
	apitest_check(t, "lease: never did both lead", !e.both, "");
	e.a.lease = kube_lease_free(e.a.lease);
}

static const struct kube_resource event_objects = {
	.group = "events.k8s.io",
	.version = "v1",
	.plural = "events",
	.kind = "Event",
	.namespaced = true,
};

void apitest_events(struct apitest *t)
{
	const struct kube_events_options options = {
		.controller = "functionkey.dev/apitest", .instance = STR("apitest-1")};
	const struct kube_event event = {
		.resource = &kube_lease_resource,
		.regarding = {.ns = t->ns, .name = STR("elected")},
		.type = KUBE_EVENT_WARNING,
		.reason = "SomethingHappened",
		.action = "Test",
		.note = STR("it \"happened\""),
	};
	const struct kube_request list = {
		.verb = KUBE_LIST, .resource = &event_objects, .ns = t->ns};
	struct election e = {.t = t};
	struct kube_events *events = NULL;

	apitest_check(t, "events: a recorder",
		kube_events_new(t->client, &options, &events, &t->err) == 0, t->err.msg);
	const struct kube_events_stats *s = kube_events_stats(events);
	kube_event_emit(events, &event);
	run_for(&e, 2 * NS_PER_S, NULL, NULL);
	for (int i = 0; i < 1000; i++)
		kube_event_emit(events, &event);
	run_for(&e, NS_PER_S, NULL, NULL);
	apitest_check(t, "events: 1001 of a kind are two writes",
		s->written == 2 && s->failed == 0 && s->repeated == 1000, "");
	apitest_call(t, &list);
	apitest_check(t, "events: on the server as a series",
		base_str_eq(apitest_field(t, "reason"), STR("SomethingHappened")) &&
			memmem(t->body.data, t->body.len, "\"series\":{\"count\":1001", 22),
		"");
	kube_events_free(events);
}
