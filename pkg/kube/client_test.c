#include "pkg/kube/test_calls.h"

#include <signal.h>

#define OK_BODY "{\"kind\":\"Lease\"}"
#define OK_200  "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" OK_BODY
#define NO_429  "HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
#define NO_429B "HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n"
#define NO_429D                                                                                   \
	"HTTP/1.1 429 Too Many\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: " \
	"0\r\n\r\n"
#define NO_500  "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"
#define NO_503R "HTTP/1.1 503 Oh\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
#define SHORT   "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"
#define GARBAGE "SSH-2.0-OpenSSH_9.2\r\n"
#define WARNED                                                                       \
	"HTTP/1.1 200 OK\r\nWarning: 299 - \"old \\\"thing\\\"\", 299 - \"two\"\r\n" \
	"Content-Length: 16\r\n\r\n" OK_BODY
#define FAIL_200                                        \
	"HTTP/1.1 200 OK\r\nContent-Length: 66\r\n\r\n" \
	"{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Expired\",\"code\":410}"

struct world {
	struct test_world t;
	struct test_result got;
	unsigned warnings;
	char warning[64];
	bool refuse_writes;
};

static void on_warning(void *ctx, struct str text)
{
	struct world *w = ctx;

	w->warnings++;
	if (w->warnings == 1)
		assert_ok("warning", base_str_copy(text, w->warning, sizeof(w->warning), "", err));
}

static void start_world(
	struct world *w, const struct test_answer *answers, size_t n, const char *token)
{
	const struct kube_client_options options = {
		.program = "unit/1", .rate = 1000, .burst = 50, .on_warning = on_warning, .ctx = w};

	*w = (struct world){0};
	test_world_start(&w->t, answers, n, token, &options);
}

static const struct {
	const char *name;
	enum kube_verb verb;
	uint32_t timeout_ms;
	struct test_answer answers[4];
	size_t n;
	enum err_class class; /* ERR_OK: success */
	int detail;
	size_t requests; /* that the server must have seen */
} rows[] = {
	{"plain", KUBE_GET, 0, {{OK_200}}, 1, ERR_OK, 0, 1},
	{"in pieces of one byte", KUBE_GET, 0, {{OK_200, .piece = 1}}, 1, ERR_OK, 0, 1},
	{"429 with Retry-After", KUBE_GET, 0, {{NO_429}, {OK_200}}, 2, ERR_OK, 0, 2},
	{"a write, 429 with Retry-After", KUBE_CREATE, 0, {{NO_429}, {OK_200}}, 2, ERR_OK, 0, 2},
	{"a write, 503 with Retry-After", KUBE_UPDATE, 0, {{NO_503R}, {OK_200}}, 2, ERR_OK, 0, 2},
	{"429 without Retry-After", KUBE_GET, 0, {{NO_429B}}, 1, ERR_TRANSIENT, 429, 1},
	{"Retry-After as a date", KUBE_GET, 0, {{NO_429D}}, 1, ERR_TRANSIENT, 429, 1},
	{"Retry-After beyond the time", KUBE_GET, 800, {{NO_429}}, 1, ERR_TRANSIENT, 429, 1},
	{"500", KUBE_GET, 0, {{NO_500}}, 1, ERR_TRANSIENT, 500, 1},
	{"conflict", KUBE_UPDATE, 0, {{NO_409}}, 1, ERR_CONFLICT, 409, 1},
	{"200 that says Failure", KUBE_DELETE, 0, {{FAIL_200}}, 1, ERR_EXPIRED, 410, 1},
	{"GET, closed without an answer", KUBE_GET, 0, {{NULL, CLOSE}, {OK_200}}, 2, ERR_OK, 0, 2},
	{"GET, closed in the body", KUBE_GET, 0, {{SHORT, CLOSE}, {OK_200}}, 2, ERR_OK, 0, 2},
	{"GET, never answered in full", KUBE_GET, 900, {{SHORT, CLOSE}}, 1, ERR_TRANSIENT, 0, 0},
	{"write, closed without an answer", KUBE_CREATE, 0, {{NULL, CLOSE}}, 1, ERR_TRANSIENT, 0,
		1},
	{"write, closed in the body", KUBE_UPDATE, 0, {{SHORT, CLOSE}}, 1, ERR_TRANSIENT, 0, 1},
	{"delete, closed", KUBE_DELETE, 0, {{NULL, CLOSE}}, 1, ERR_TRANSIENT, 0, 1},
	{"patch, garbage", KUBE_PATCH_JSON, 0, {{GARBAGE, CLOSE}}, 1, ERR_TRANSIENT, 0, 1},
	{"slow beyond the time", KUBE_GET, 200, {{OK_200, .delay_ms = 2000}}, 1, ERR_TRANSIENT, 0,
		1},
	{"chunked", KUBE_LIST, 0, {{CHUNKED}}, 1, ERR_OK, 0, 1},
	{"chunked, then cut, a write", KUBE_APPLY, 0, {{CHUNK_CUT, CLOSE}}, 1, ERR_TRANSIENT, 0, 1},
	{"refused before it was read", KUBE_CREATE, 0, {{NO_409, .early = true, CLOSE}}, 1,
		ERR_CONFLICT, 409, 1},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		const struct kube_request r = test_request(rows[i].verb, rows[i].timeout_ms);
		start_world(&w, rows[i].answers, rows[i].n, NULL);
		assert_ok(rows[i].name, kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
		assert_int_equal(w.got.done, 0);
		test_world_until(&w.t, &w.got.done, 1);
		if (w.got.err.class != rows[i].class || w.got.err.detail != rows[i].detail)
			fail_msg("%s: %s, detail %d: %s", rows[i].name,
				base_err_class_name(w.got.err.class), w.got.err.detail,
				w.got.err.msg);
		if (rows[i].requests && w.t.server.requests != rows[i].requests)
			fail_msg("%s: %zu requests", rows[i].name, w.t.server.requests);
		test_world_stop(&w.t);
	}
}

static void test_what_is_sent(void **state)
{
	static const struct test_answer answers[] = {{OK_200}};
	struct kube_request r = test_request(KUBE_APPLY, 5000);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, " s3cret\n");
	r.force = true;
	assert_ok("start", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	test_world_until(&w.t, &w.got.done, 1);
	const char *head = w.t.server.heads[0];
	assert_non_null(strstr(head,
		"PATCH /prefix/apis/coordination.k8s.io/v1/namespaces/default/leases/a%2Fb"
		"?fieldManager=m&force=true&timeout=5s HTTP/1.1\r\n"));
	assert_non_null(strstr(head, "\r\nAuthorization: Bearer s3cret\r\n"));
	assert_non_null(strstr(head, "\r\nContent-Type: application/apply-patch+yaml\r\n"));
	assert_non_null(
		strstr(head, "\r\nUser-Agent: unit/1 (linux/amd64) kubernetes/unknown\r\n"));
	assert_null(strstr(head, "Expect:"));
	assert_non_null(strstr(head, "\r\n\r\n{\"a\":1}"));
	assert_string_equal(w.got.body, OK_BODY);
	assert_int_equal(kube_client_stats(w.t.client)->requests[KUBE_CLASS_API][KUBE_APPLY][1], 1);
	test_world_stop(&w.t);
}

/* A kept connection that dies while the next write is on it: libcurl itself would send a request
 * again. */
static void test_write_is_sent_once_on_a_kept_connection(void **state)
{
	static const enum kube_verb verbs[] = {
		KUBE_CREATE, KUBE_UPDATE, KUBE_PATCH_MERGE, KUBE_APPLY, KUBE_DELETE};
	static const struct test_answer answers[] = {{OK_200}, {NULL, CLOSE}, {OK_200}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		struct world w;
		struct kube_request r = test_request(KUBE_GET, 0);
		start_world(&w, answers, 3, NULL);
		assert_ok("get", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
		test_world_until(&w.t, &w.got.done, 1);
		r = test_request(verbs[i], 0);
		assert_ok("write", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
		test_world_until(&w.t, &w.got.done, 2);
		assert_int_equal(w.t.server.requests, 2);
		assert_int_equal(w.got.err.class, ERR_TRANSIENT);
		assert_int_equal(w.got.err.detail, 0);
		test_world_stop(&w.t);
	}
}

static void test_401_reads_the_token_again_once(void **state)
{
	static const struct test_answer heals[] = {{NO_401}, {OK_200}};
	static const struct test_answer never[] = {{NO_401}};
	struct kube_request r = test_request(KUBE_CREATE, 0);
	struct world w;

	(void)state;
	start_world(&w, heals, 2, "old");
	assert_ok("start", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	while (!w.t.server.requests)
		test_world_turn(&w.t);
	test_write_file(w.t.token_path, "new");
	test_world_until(&w.t, &w.got.done, 1);
	assert_int_equal(w.got.err.class, ERR_OK);
	assert_non_null(strstr(w.t.server.heads[0], "Bearer old"));
	assert_non_null(strstr(w.t.server.heads[1], "Bearer new"));
	test_world_stop(&w.t);

	start_world(&w, never, 1, "old");
	assert_ok("start", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	test_world_until(&w.t, &w.got.done, 1);
	assert_int_equal(w.got.err.class, ERR_DENIED);
	assert_int_equal(w.t.server.requests, 2);
	test_world_stop(&w.t);
}

static void test_no_token_is_denied_without_a_request(void **state)
{
	static const struct test_answer answers[] = {{OK_200}};
	const struct kube_request r = test_request(KUBE_GET, 0);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, " \n");
	assert_ok("start", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	test_world_until(&w.t, &w.got.done, 1);
	assert_int_equal(w.got.err.class, ERR_DENIED);
	assert_int_equal(w.t.server.requests, 0);
	test_world_stop(&w.t);
}

static void test_bad_requests_do_not_start(void **state)
{
	static const struct test_answer answers[] = {{OK_200}};
	struct kube_request r = test_request(KUBE_DELETE, 0);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	r.name = STR_NULL;
	assert_class(
		"no name", ERR_INVALID, kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	r = test_request(KUBE_GET, 0);
	r.ns = STR("..");
	assert_class("dots", ERR_INVALID, kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	test_world_stop(&w.t);
}

static void test_cancel(void **state)
{
	static const struct test_answer answers[] = {{OK_200, .delay_ms = 300}};
	const struct kube_request r = test_request(KUBE_GET, 0);
	struct kube_call *queued = NULL;
	struct kube_call *sent = NULL;
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	assert_ok("one", kube_start(w.t.client, &r, test_done, &w.got, &queued, err));
	kube_cancel(queued);
	assert_ok("two", kube_start(w.t.client, &r, test_done, &w.got, &sent, err));
	while (!w.t.server.requests)
		test_world_turn(&w.t);
	kube_cancel(sent);
	kube_cancel(NULL);
	assert_ok("three", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	test_world_until(&w.t, &w.got.done, 1);
	assert_int_equal(w.got.done, 1);
	/* Freed with calls under way. */
	assert_ok("four", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	test_world_turn(&w.t);
	test_world_stop(&w.t);
	assert_int_equal(w.got.done, 1);
}

static bool may_write(void *ctx, const struct kube_request *r)
{
	const struct world *w = ctx;

	(void)r;
	return !w->refuse_writes;
}

static void test_write_guard(void **state)
{
	static const struct test_answer answers[] = {{OK_200, .delay_ms = 3000}};
	struct kube_request r = test_request(KUBE_UPDATE, 0);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	kube_client_set_write_guard(w.t.client, may_write, &w);
	w.refuse_writes = true;
	assert_ok("refused", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	test_world_until(&w.t, &w.got.done, 1);
	assert_int_equal(w.got.err.class, ERR_CANCELLED);
	assert_int_equal(w.t.server.requests, 0);
	w.refuse_writes = false;
	assert_ok("under way", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	while (!w.t.server.requests)
		test_world_turn(&w.t);
	w.refuse_writes = true;
	kube_client_recheck_writes(w.t.client);
	test_world_until(&w.t, &w.got.done, 2);
	assert_int_equal(w.got.err.class, ERR_CANCELLED);
	test_world_stop(&w.t);
}

static void test_pacing(void **state)
{
	static const struct test_answer answers[] = {{OK_200}};
	const struct kube_request r = test_request(KUBE_GET, 0);
	struct kube_client_options slow = {.rate = 100, .burst = 5};
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	w.t.client = kube_client_free(w.t.client);
	assert_ok("client",
		kube_client_new(&w.t.loop, &w.t.env, w.t.config, &slow, &w.t.client, err));
	const int64_t start = base_boot_ns(&w.t.env);
	for (int i = 0; i < 25; i++)
		assert_ok("start", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	test_world_until(&w.t, &w.got.done, 25);
	/* 5 at once, 20 at 100 a second; never faster, whatever the machine does. */
	assert_true(base_boot_ns(&w.t.env) - start >= 190 * NS_PER_MS);
	assert_true(kube_client_stats(w.t.client)->throttled >= 20);
	assert_true(w.t.server.connections <= 8);
	test_world_stop(&w.t);
}

/* A handshake costs more than waiting for a small answer; a Lease call waits for nobody. */
static void test_few_calls_share_connections(void **state)
{
	static const struct test_answer answers[] = {{OK_200, .delay_ms = 20}};
	static const struct {
		int calls;
		unsigned least, most;
	} steps[] = {{3, 1, 2}, {24, 3, 7}};
	struct kube_request r = test_request(KUBE_GET, 0);
	struct world w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		start_world(&w, answers, 1, NULL);
		r.class = KUBE_CLASS_API;
		for (int k = 0; k < steps[i].calls; k++)
			assert_ok(
				"start", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
		test_world_until(&w.t, &w.got.done, (unsigned)steps[i].calls);
		assert_in_range(w.t.server.connections, steps[i].least, steps[i].most);
		/* What is free then serves a Lease call. */
		const unsigned before = w.t.server.connections;
		r.class = KUBE_CLASS_LEASE;
		assert_ok("lease", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
		test_world_until(&w.t, &w.got.done, (unsigned)steps[i].calls + 1);
		assert_int_equal(w.t.server.connections, before);
		test_world_stop(&w.t);
	}
}

/* Both connections hang: a Lease call makes its own, and others wait half a second. */
static void test_calls_that_hang_are_passed(void **state)
{
	static const struct test_answer answers[] = {{NULL}, {NULL}, {OK_200}};
	struct kube_request r = test_request(KUBE_GET, 5000);
	struct test_result lease = {0}, next = {0};
	struct kube_call *hang[2] = {0};
	struct world w;

	(void)state;
	start_world(&w, answers, ARRAY_LEN(answers), NULL);
	for (size_t i = 0; i < ARRAY_LEN(hang); i++)
		assert_ok("start", kube_start(w.t.client, &r, test_done, &w.got, &hang[i], err));
	test_world_until(&w.t, &w.t.server.connections, 2);
	while (w.t.server.requests < 2)
		test_world_turn(&w.t);
	assert_ok("next", kube_start(w.t.client, &r, test_done, &next, NULL, err));
	r.class = KUBE_CLASS_LEASE;
	assert_ok("lease", kube_start(w.t.client, &r, test_done, &lease, NULL, err));
	test_world_until(&w.t, &lease.done, 1);
	assert_int_equal(next.done, 0);
	test_world_until(&w.t, &next.done, 1);
	assert_int_equal(next.status, 200);
	assert_int_equal(w.got.done, 0);
	for (size_t i = 0; i < ARRAY_LEN(hang); i++)
		kube_cancel(hang[i]);
	test_world_stop(&w.t);
}

static void test_body_maximum(void **state)
{
	static const struct test_answer answers[] = {{OK_200}};
	struct kube_request r = test_request(KUBE_GET, 0);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	r.max_body = 16;
	assert_ok("fits", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	test_world_until(&w.t, &w.got.done, 1);
	assert_int_equal(w.got.err.class, ERR_OK);
	r.max_body = 15;
	assert_ok("too long", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	test_world_until(&w.t, &w.got.done, 2);
	assert_int_equal(w.got.err.class, ERR_TOO_LARGE);
	assert_int_equal(w.t.server.requests, 2);
	test_world_stop(&w.t);
}

static void test_warnings_once(void **state)
{
	static const struct test_answer answers[] = {{WARNED}};
	const struct kube_request r = test_request(KUBE_GET, 0);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	for (unsigned i = 1; i <= 3; i++) {
		assert_ok("start", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
		test_world_until(&w.t, &w.got.done, i);
	}
	assert_int_equal(w.warnings, 2);
	assert_string_equal(w.warning, "old \\\"thing\\\"");
	test_world_stop(&w.t);
}

static int start_case(void *ctx, struct err *err)
{
	struct world *w = ctx;
	const struct kube_request r = test_request(KUBE_APPLY, 0);
	struct kube_call *call = NULL;

	TRY(kube_start(w->t.client, &r, test_done, &w->got, &call, err));
	kube_cancel(call);
	return 0;
}

static void test_start_survives_no_memory(void **state)
{
	static const struct test_answer answers[] = {{OK_200}};
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	assert_true(torture_run("start", start_case, &w, 1) >= 4);
	test_world_stop(&w.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_what_is_sent),
		cmocka_unit_test(test_write_is_sent_once_on_a_kept_connection),
		cmocka_unit_test(test_401_reads_the_token_again_once),
		cmocka_unit_test(test_no_token_is_denied_without_a_request),
		cmocka_unit_test(test_bad_requests_do_not_start),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_write_guard),
		cmocka_unit_test(test_pacing),
		cmocka_unit_test(test_few_calls_share_connections),
		cmocka_unit_test(test_calls_that_hang_are_passed),
		cmocka_unit_test(test_body_maximum),
		cmocka_unit_test(test_warnings_once),
		cmocka_unit_test(test_start_survives_no_memory),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
