/* The driver of an election against a model of the API server that holds one Lease. */
#include "pkg/kube/lease_impl.h"
#include "pkg/kube/test_world.h"

#include <signal.h>

/* Answers by the request, not by its number: the watch and the GET race. */
struct model {
	char lease[2048]; /* as JSON, with the version last; empty: absent */
	int rv;
	struct test_answer answer;
	char text[4096];
	unsigned writes, conflicts;
	bool refuse_all, refuse_watch, swallow; /* swallow: apply one write, but do not answer */
};

static const char *reply(struct model *m, const char *status, const char *body)
{
	(void)snprintf(m->text, sizeof(m->text), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s",
		status, strlen(body), body);
	return m->text;
}

static const char *reply_lease(struct model *m, const char *status)
{
	return reply(m, status, m->lease);
}

/* The version that the body names, which a PUT must match. */
static int version_of(const char *body)
{
	const char *at = strstr(body, "\"resourceVersion\":\"");
	uint64_t n = 0;

	if (!at)
		return 0;
	const struct str rest = base_str(at + 19);
	return base_parse_u64(
		       base_str_sub(rest, 0, base_str_find(rest, '"', 0)), INT32_MAX, &n, NULL) == 0
		       ? (int)n
		       : 0;
}

static void store(struct model *m, const char *body)
{
	const char *spec = strstr(body, "\"spec\":");

	m->rv++;
	m->writes++;
	(void)snprintf(m->lease, sizeof(m->lease),
		"{\"kind\":\"Lease\",\"metadata\":{\"name\":\"l\",\"uid\":\"u\","
		"\"resourceVersion\":\"%d\"},%.*s",
		m->rv, spec ? (int)strlen(spec) : 0, spec ? spec : "");
}

/* Emptying by a patch: what a test of the holder and the writes after it do. */
static void patch(struct model *m, const char *body)
{
	static const char *const writes[] = {"\"path\":\"/spec/holderIdentity\",\"value\":\"\"",
		"\"path\":\"/spec/leaseDurationSeconds\",\"value\":1",
		"\"path\":\"/spec/renewTime\",\"value\":\"20",
		"\"path\":\"/spec/acquireTime\",\"value\":\"20"};
	char holder[128];
	const char *is = strstr(m->lease, "\"holderIdentity\":");

	for (size_t i = 0; i < ARRAY_LEN(writes); i++)
		assert_non_null(strstr(body, writes[i]));
	(void)snprintf(holder, sizeof(holder),
		"{\"op\":\"test\",\"path\":\"/spec/holderIdentity\",\"value\":%.*s}",
		is ? (int)strcspn(is + 17, ",}") : 0, is ? is + 17 : "");
	if (!strstr(body, holder)) {
		m->conflicts++;
		m->answer.bytes = reply(m, "422 Unprocessable Entity",
			"{\"kind\":\"Status\",\"reason\":\"Invalid\",\"code\":422,"
			"\"message\":\"the server rejected our request due to an error in "
			"our request\"}");
		return;
	}
	m->writes++;
	m->answer.bytes = reply_lease(m, "200 OK");
}

static const char *body_of(const char *head)
{
	const char *end = strstr(head, "\r\n\r\n");

	return end ? end + 4 : "";
}

static const struct test_answer *choose(void *ctx, const char *head)
{
	struct model *m = ctx;
	const char *body = body_of(head);
	const bool put = !strncmp(head, "PUT ", 4);
	const bool post = !strncmp(head, "POST ", 5);

	m->answer = (struct test_answer){0};
	if (m->refuse_all || (m->refuse_watch && strstr(head, "watch=true"))) {
		m->answer.bytes = reply(m, "403 Forbidden", "");
	} else if (strstr(head, "watch=true")) {
		m->answer.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	} else if (!post && !m->lease[0]) {
		m->answer.bytes = reply(m, "404 Not Found", "");
	} else if (!strncmp(head, "PATCH ", 6)) {
		patch(m, body);
	} else if ((put && version_of(body) != m->rv) || (post && m->lease[0])) {
		m->conflicts++;
		m->answer.bytes = reply(m, "409 Conflict", "");
	} else {
		if (put || post)
			store(m, body);
		m->answer.bytes = reply_lease(m, post ? "201 Created" : "200 OK");
		if (put && m->swallow) {
			m->swallow = false;
			m->answer = (struct test_answer){.close = true};
		}
	}
	return &m->answer;
}

struct world {
	struct test_world t;
	struct model m;
	struct kube_lease *lease;
	unsigned won, lost, troubles, released, emptied, holders;
	int32_t transitions;
	struct err err;
	char holder[64];
};

static void on_won(void *ctx, int32_t transitions)
{
	struct world *w = ctx;

	w->won++;
	w->transitions = transitions;
}

static void on_lost(void *ctx, const char *reason)
{
	struct world *w = ctx;

	(void)reason;
	w->lost++;
	assert_false(kube_lease_may_write(w->lease));
}

static void on_holder(void *ctx, struct str holder, int32_t transitions)
{
	struct world *w = ctx;

	(void)transitions;
	w->holders++;
	(void)snprintf(w->holder, sizeof(w->holder), "%.*s", STR_FMT(holder));
}

static void on_trouble(void *ctx, const struct err *err)
{
	struct world *w = ctx;

	w->troubles++;
	w->err = *err;
}

static void on_released(void *ctx)
{
	((struct world *)ctx)->released++;
}

static const struct kube_lease_handler handler = {
	.on_won = on_won, .on_lost = on_lost, .on_holder = on_holder, .on_trouble = on_trouble};

static struct kube_lease_options options_of(void)
{
	return (struct kube_lease_options){
		.ns = STR("ns"),
		.name = STR("l"),
		.identity = STR("p_u_2"),
		.times = {.duration_ns = 2 * NS_PER_S,
			.renew_deadline_ns = NS_PER_S,
			.retry_ns = NS_PER_S / 5},
		.will = KUBE_LEASE_CONTEND,
		.may_create = true,
	};
}

static void start_world(struct world *w)
{
	static const struct test_answer none[] = {{NULL}};

	*w = (struct world){.m = {.rv = 10}};
	test_world_start(&w->t, none, 1, NULL, NULL);
	w->t.server.choose = choose;
	w->t.server.choose_ctx = &w->m;
}

static void run(struct world *w)
{
	const struct kube_lease_options o = options_of();

	assert_ok("run", kube_lease_run(w->t.client, &o, &handler, w, &w->lease, err));
}

static void stop_world(struct world *w)
{
	w->lease = kube_lease_free(w->lease);
	test_world_stop(&w->t);
}

static void hold(struct model *m, const char *holder, int transitions)
{
	char spec[256];

	(void)snprintf(spec, sizeof(spec),
		"\"spec\":{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":1,"
		"\"leaseTransitions\":%d,\"strategy\":\"s\"}}",
		holder, transitions);
	store(m, spec);
}

static void test_makes_renews_releases(void **state)
{
	struct world w;

	(void)state;
	start_world(&w);
	run(&w);
	assert_false(kube_lease_may_write(w.lease));
	test_world_until(&w.t, &w.won, 1);
	assert_true(kube_lease_may_write(w.lease));
	assert_true(base_str_eq(kube_lease_uid(w.lease), STR("u")));
	assert_string_equal(w.holder, "p_u_2");
	test_world_until(&w.t, &w.m.writes, 4);
	assert_int_equal(w.lost, 0);
	kube_lease_release(w.lease, on_released, &w);
	assert_false(kube_lease_may_write(w.lease));
	test_world_until(&w.t, &w.released, 1);
	assert_int_equal(w.lost, 1);
	assert_non_null(strstr(w.m.lease, "\"holderIdentity\":\"\""));
	assert_non_null(strstr(w.m.lease, "\"leaseDurationSeconds\":1,"));
	const unsigned writes = w.m.writes;
	test_world_for(&w.t, 500);
	assert_int_equal(w.m.writes, writes);
	stop_world(&w);
}

static void test_polls_where_it_may_not_watch(void **state)
{
	struct world w;

	(void)state;
	start_world(&w);
	w.m.refuse_watch = true;
	hold(&w.m, "other_u_1", 4);
	run(&w);
	test_world_until(&w.t, &w.holders, 1);
	assert_string_equal(w.holder, "other_u_1");
	assert_int_equal(w.won, 0);
	hold(&w.m, "", 4);
	test_world_until(&w.t, &w.won, 1);
	assert_int_equal(w.transitions, 5);
	/* What it does not know is written back. */
	assert_non_null(strstr(w.m.lease, "\"strategy\":\"s\""));
	/* Stolen: seen by the next renewal, which conflicts. */
	hold(&w.m, "thief", 6);
	test_world_until(&w.t, &w.lost, 1);
	stop_world(&w);
}

static void test_a_lost_answer_is_no_loss(void **state)
{
	struct world w;

	(void)state;
	start_world(&w);
	run(&w);
	test_world_until(&w.t, &w.won, 1);
	w.m.swallow = true;
	while (w.m.swallow)
		test_world_turn(&w.t);
	test_world_for(&w.t, 600);
	assert_int_equal(w.lost, 0);
	assert_int_equal(w.m.conflicts, 0);
	assert_true(kube_lease_may_write(w.lease));
	stop_world(&w);
}

static void test_an_unreachable_server_is_loss_in_time(void **state)
{
	struct world w;

	(void)state;
	start_world(&w);
	run(&w);
	test_world_until(&w.t, &w.won, 1);
	w.m.refuse_all = true;
	const int64_t begun = base_boot_ns(&w.t.env);
	test_world_until(&w.t, &w.lost, 1);
	assert_true(base_boot_ns(&w.t.env) - begun <= NS_PER_S + NS_PER_S / 4);
	assert_true(w.troubles > 0);
	assert_int_equal(w.err.class, ERR_DENIED);
	w.m.refuse_all = false;
	test_world_until(&w.t, &w.won, 2);
	stop_world(&w);
}

static void test_will_is_obeyed(void **state)
{
	struct world w;

	(void)state;
	start_world(&w);
	run(&w);
	test_world_until(&w.t, &w.won, 1);
	kube_lease_set_will(w.lease, KUBE_LEASE_ABSTAIN);
	assert_false(kube_lease_may_write(w.lease));
	test_world_until(&w.t, &w.lost, 1);
	test_world_for(&w.t, 500);
	assert_int_equal(w.won, 1);
	assert_string_equal(w.holder, "");
	assert_true(kube_lease_unheld_since(w.lease) > 0);
	kube_lease_set_will(w.lease, KUBE_LEASE_CONTEND);
	test_world_until(&w.t, &w.won, 2);
	assert_int_equal(kube_lease_unheld_since(w.lease), 0);
	stop_world(&w);
}

static void on_emptied(void *ctx, const struct err *err)
{
	struct world *w = ctx;

	w->emptied++;
	w->err = err ? *err : (struct err){0};
}

static void check_emptying(bool may_patch)
{
	static const struct {
		const char *name, *holder, *dead;
		enum err_class class;
	} rows[] = {
		{"the dead one's", "dead_u_1", "dead_u_1", ERR_OK},
		{"somebody else's", "alive_u_1", "dead_u_1", ERR_CONFLICT},
		{"the next incarnation's", "dead_u_2", "dead_u_1", ERR_CONFLICT},
		{"nobody's", "", "dead_u_1", ERR_CONFLICT},
		{"there is none", NULL, "dead_u_1", ERR_NOT_FOUND},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		const struct kube_lease_dead dead = {.lease = {.ns = STR("ns"), .name = STR("l")},
			.holder = base_str(rows[i].dead),
			.may_patch = may_patch};
		start_world(&w);
		if (rows[i].holder)
			hold(&w.m, rows[i].holder, 4);
		const unsigned writes = w.m.writes;
		assert_ok(rows[i].name,
			kube_lease_empty(w.t.client, &dead, on_emptied, &w, NULL, err));
		test_world_until(&w.t, &w.emptied, 1);
		if (w.err.class != rows[i].class || w.m.writes != writes + (w.err.class == ERR_OK))
			fail_msg("%s: %s", rows[i].name, w.err.msg);
		if (w.err.class == ERR_OK)
			assert_non_null(strstr(w.m.lease, "\"leaseTransitions\":4"));
		stop_world(&w);
	}
}

static void test_emptying(void **state)
{
	(void)state;
	check_emptying(false);
}

static void test_emptying_by_a_patch(void **state)
{
	(void)state;
	check_emptying(true);
}

static int run_case(void *ctx, struct err *err)
{
	struct world *w = ctx;
	const struct kube_lease_options o = options_of();
	const struct kube_lease_dead dead = {.lease = {.ns = STR("ns"), .name = STR("l")},
		.holder = STR("dead"),
		.field_manager = "m"};
	struct kube_lease *lease = NULL;
	struct kube_lease_emptying *emptying = NULL;

	TRY(kube_lease_empty(w->t.client, &dead, on_emptied, w, &emptying, err));
	kube_lease_empty_cancel(emptying);
	TRY(kube_lease_run(w->t.client, &o, &handler, w, &lease, err));
	kube_lease_free(lease);
	test_world_turn(&w->t);
	return 0;
}

static void test_no_memory(void **state)
{
	struct world w;

	(void)state;
	start_world(&w);
	assert_true(torture_run("lease", run_case, &w, 1) > 5);
	stop_world(&w);
}

static void test_bad_options(void **state)
{
	struct world w;
	struct kube_lease_options o = options_of();

	(void)state;
	start_world(&w);
	o.name = STR_NULL;
	assert_class("no name", ERR_INVALID,
		kube_lease_run(w.t.client, &o, &handler, &w, &w.lease, err));
	o = options_of();
	o.times.retry_ns = 10 * NS_PER_S;
	assert_class(
		"times", ERR_INVALID, kube_lease_run(w.t.client, &o, &handler, &w, &w.lease, err));
	stop_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_makes_renews_releases),
		cmocka_unit_test(test_polls_where_it_may_not_watch),
		cmocka_unit_test(test_a_lost_answer_is_no_loss),
		cmocka_unit_test(test_an_unreachable_server_is_loss_in_time),
		cmocka_unit_test(test_will_is_obeyed),
		cmocka_unit_test(test_emptying),
		cmocka_unit_test(test_emptying_by_a_patch),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_bad_options),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
