/* What is pure of proxy mode: fields, targets, and what a remote side is told. */
#include "agent/inbound.h"
#include "agent/proxy.h"
#include "agent/proxy_fields.h"
#include "pkg/base/test.h"

static int take(struct agent_fields *f, const char *name, const char *value, struct err *err)
{
	return agent_fields_take(f, base_str(name), base_str(value), err);
}

static void fields_of_a_connection_end_here(void **state)
{
	static const char *const dropped[][2] = {
		{"Connection", "keep-alive, X-Hop"},
		{"connection", "x-OTHER"},
		{"X-Hop", "1"},
		{"x-other", "1"},
		{"Keep-Alive", "timeout=5"},
		{"TE", "trailers"},
		{"Trailer", "X-Sum"},
		{"Transfer-Encoding", "chunked"},
		{"Content-Length", "5"},
		{"Host", "billing"},
		{"Expect", "100-continue"},
		{"Proxy-Authorization", "x"},
		{"FunctionKey-Sender", "x"},
		{"functionkey_sender", "x"},
		{"Functionkey.Sender", "x"},
		{"functionkey!id", "x"},
		{"FUNCTIONKEY-ID", "x"},
	};
	_cleanup_(agent_fields_done) struct agent_fields f = agent_fields();
	struct str value = STR_NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
		assert_ok(dropped[i][0], take(&f, dropped[i][0], dropped[i][1], err));
	assert_ok("kept", take(&f, "Accept", "*/*", err));
	assert_ok("kept", take(&f, "X-Hops", "2", err));
	agent_fields_end(&f);
	assert_int_equal(f.v.n, 2);
	assert_int_equal(bhttp_fields_find(&f.v, STR("accept"), &value), 1);
	assert_true(base_str_eq(value, STR("*/*")));
	assert_int_equal(bhttp_fields_find(&f.v, STR("x-hops"), NULL), 1);
}

static void fields_are_bounded(void **state)
{
	_cleanup_(agent_fields_done) struct agent_fields f = agent_fields();
	_cleanup_(agent_fields_done) struct agent_fields g = agent_fields();
	static char big[AGENT_FIELDS_BYTES];

	(void)state;
	assert_class("no name", ERR_INVALID, take(&f, "", "x", err));
	assert_class("name", ERR_INVALID, take(&f, "a b", "x", err));
	assert_class("value", ERR_INVALID, take(&f, "a", "x\ny", err));
	memset(big, 'x', sizeof(big) - 1);
	assert_class("bytes", ERR_TOO_LARGE, take(&f, "a", big, err));
	for (int i = 0; i < BHTTP_FIELDS_MAX; i++)
		assert_ok("field", take(&g, "a", "b", err));
	assert_class("count", ERR_TOO_LARGE, take(&g, "a", "b", err));
	for (int i = 0; i < 4; i++)
		assert_ok("connection", take(&f, "Connection", "a", err));
	assert_class("connections", ERR_INVALID, take(&f, "Connection", "a", err));
}

static void upgrades_are_seen(void **state)
{
	(void)state;
	assert_true(agent_fields_upgrade(STR("Upgrade"), STR("h2c")));
	assert_true(agent_fields_upgrade(STR("connection"), STR("keep-alive , UPGRADE")));
	assert_false(agent_fields_upgrade(STR("Connection"), STR("upgrades")));
	assert_false(agent_fields_upgrade(STR("Upgrade-Insecure-Requests"), STR("1")));
}

static void targets_are_read(void **state)
{
	struct agent_targets t;

	(void)state;
	assert_ok("list", agent_targets_parse(STR(" billing,other/audit=audit.other.svc:80\n"
						  "x=10.0.0.1:8080 y=[fd00::1]:80,"),
				  STR("shop"), &t, err));
	assert_int_equal(t.n, 4);
	const struct agent_target *row = agent_targets_find(&t, STR("shop"), STR("billing"));
	assert_non_null(row);
	assert_string_equal(row->address, "");
	row = agent_targets_find(&t, STR("other"), STR("audit"));
	assert_non_null(row);
	assert_string_equal(row->address, "audit.other.svc:80");
	assert_null(agent_targets_find(&t, STR("shop"), STR("audit")));
	assert_null(agent_targets_find(&t, STR("other"), STR("billing")));
	assert_ok("empty", agent_targets_parse(STR(""), STR("shop"), &t, err));
	assert_int_equal(t.n, 0);
}

static void bad_targets_are_refused(void **state)
{
	static const char *const rows[] = {"Billing", "-a", "a-", "a/b/c", "/a", "a/", "a.b",
		"a=", "a=b", "a=:80", "a=b:0", "a=b:65536", "a=b:x", "a=u@b:80", "a=b/c:80",
		"a=B:80", "a=[::1:80", "a=b:80:80", "=b:80"};
	struct agent_targets t;
	char many[33 * 2 + 1] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_class(rows[i], ERR_INVALID,
			agent_targets_parse(base_str(rows[i]), STR("shop"), &t, err));
	for (size_t i = 0; i < 33; i++)
		memcpy(many + 2 * i, "a,", 3);
	assert_class(
		"many", ERR_TOO_LARGE, agent_targets_parse(base_str(many), STR("shop"), &t, err));
}

static void endpoints_of_records_are_addresses(void **state)
{
	char address[AGENT_TARGET_ADDRESS] = "untouched";

	(void)state;
	assert_class("name", ERR_INVALID,
		agent_target_of_endpoint(STR("evil.example:9471"), 9472, address, err));
	assert_class("none", ERR_INVALID, agent_target_of_endpoint(STR(""), 9472, address, err));
	assert_class("path", ERR_INVALID,
		agent_target_of_endpoint(STR("10.0.0.1:9471/x"), 9472, address, err));
	assert_string_equal(address, "untouched");
	assert_ok("v4", agent_target_of_endpoint(STR("10.0.0.1:9471"), 9472, address, err));
	assert_string_equal(address, "10.0.0.1:9472");
	assert_ok("v6", agent_target_of_endpoint(STR("[fd00::1]:9471"), 9472, address, err));
	assert_string_equal(address, "[fd00::1]:9472");
}

static void remote_sides_are_told_little(void **state)
{
	const struct err memory = {.class = ERR_NOMEM};

	(void)state;
	for (int i = AGENT_PROBLEM_NONE + 1; i < AGENT_PROBLEM_COUNT; i++) {
		struct err err = {0};
		(void)agent_refuse(&err, (enum agent_problem)i, __FILE__, __LINE__, "secret why");
		const enum agent_problem told = agent_inbound_problem(&err, false);
		const enum agent_problem after = agent_inbound_problem(&err, true);
		assert_true(told == AGENT_PROBLEM_CANNOT_OPEN ||
			    told == AGENT_PROBLEM_STALE_EPOCH || told == AGENT_PROBLEM_NOT_READY);
		/* What the function may have done is not asked of another one. */
		assert_true(told == AGENT_PROBLEM_NOT_READY ? after == AGENT_PROBLEM_UNREACHABLE
							    : after == told);
	}
	assert_int_equal(agent_inbound_problem(&(struct err){.class = ERR_TAMPERED}, false),
		AGENT_PROBLEM_CANNOT_OPEN);
	assert_int_equal(agent_inbound_problem(&(struct err){.class = ERR_NO_KEY}, false),
		AGENT_PROBLEM_STALE_EPOCH);
	assert_int_equal(agent_inbound_problem(&memory, false), AGENT_PROBLEM_NOT_READY);
	assert_int_equal(agent_inbound_problem(&memory, true), AGENT_PROBLEM_UNREACHABLE);
}

static void what_waits_is_taken_in_order(void **state)
{
	struct agent_pending p = {.b = base_buf(1 << 20)};
	uint8_t dst[1000];
	size_t n = 0, sum = 0;
	static char text[300000];

	(void)state;
	assert_int_equal(agent_pending_send(&p, false, dst, sizeof(dst), &n), HTTP_CALL_WAIT);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i / 777);
	assert_ok("add", base_buf_add(&p.b, text, sizeof(text), err));
	while (agent_pending_len(&p) > 0) {
		assert_int_equal(agent_pending_send(&p, true, dst, sizeof(dst), &n), 0);
		assert_memory_equal(dst, text + sum, n);
		sum += n;
	}
	assert_int_equal(sum, sizeof(text));
	n = 0;
	assert_int_equal(agent_pending_send(&p, true, dst, sizeof(dst), &n), 0);
	assert_int_equal(n, 0);
	agent_pending_done(&p);
}

struct looking {
	struct agent_proxy *proxy;
	struct agent_refresh refresh, *other;
	unsigned looks;
};

static void look_once(void *ctx)
{
	struct looking *l = ctx;

	l->looks++;
	if (l->other)
		agent_proxy_no_refresh(l->proxy, l->other);
}

/* One that is looked at may end another one that waits, also the last. */
static void those_that_refresh_may_end_each_other(void **state)
{
	struct agent_proxy proxy = {0};
	struct looking l[3] = {0};
	uv_loop_t loop;
	(void)state;

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(uv_timer_init(&loop, &proxy.timer), 0);
	proxy.timer.data = &proxy;
	TAILQ_INIT(&proxy.refreshing);
	for (size_t i = 0; i < ARRAY_LEN(l); i++)
		l[i] = (struct looking){
			.proxy = &proxy, .refresh = {.look = look_once, .ctx = &l[i]}};
	l[0].other = &l[1].refresh;
	agent_proxy_refresh(&proxy, &l[0].refresh);
	agent_proxy_refresh(&proxy, &l[1].refresh);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	agent_proxy_refresh(&proxy, &l[2].refresh);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(l[0].looks, 1);
	assert_int_equal(l[1].looks, 0);
	assert_int_equal(l[2].looks, 1);
	uv_close((uv_handle_t *)&proxy.timer, NULL);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_of_a_connection_end_here),
		cmocka_unit_test(fields_are_bounded),
		cmocka_unit_test(upgrades_are_seen),
		cmocka_unit_test(targets_are_read),
		cmocka_unit_test(bad_targets_are_refused),
		cmocka_unit_test(endpoints_of_records_are_addresses),
		cmocka_unit_test(remote_sides_are_told_little),
		cmocka_unit_test(what_waits_is_taken_in_order),
		cmocka_unit_test(those_that_refresh_may_end_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
