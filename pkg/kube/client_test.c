#include "pkg/base/test.h"
#include "pkg/kube/client.h"
#include "pkg/kube/status.h"
#include "pkg/kube/test_server.h"
#include "pkg/kube/token.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define OK_BODY "{\"kind\":\"Lease\"}"
#define OK_200  "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" OK_BODY
#define NO_429  "HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
#define NO_429B "HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n"
#define NO_429D                                                                                   \
	"HTTP/1.1 429 Too Many\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: " \
	"0\r\n\r\n"
#define NO_500  "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"
#define NO_503R "HTTP/1.1 503 Oh\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
#define NO_401  "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
#define NO_409                                                \
	"HTTP/1.1 409 Conflict\r\nContent-Length: 57\r\n\r\n" \
	"{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"newer\"}  "
#define SHORT   "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"
#define GARBAGE "SSH-2.0-OpenSSH_9.2\r\n"
#define CHUNKED                                                 \
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" \
	"5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"
#define CHUNK_CUT "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, w"
#define WARNED                                                                       \
	"HTTP/1.1 200 OK\r\nWarning: 299 - \"old \\\"thing\\\"\", 299 - \"two\"\r\n" \
	"Content-Length: 16\r\n\r\n" OK_BODY
#define FAIL_200                                        \
	"HTTP/1.1 200 OK\r\nContent-Length: 66\r\n\r\n" \
	"{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"Expired\",\"code\":410}"

static const struct kube_resource leases = {
	.group = "coordination.k8s.io",
	.version = "v1",
	.plural = "leases",
	.kind = "Lease",
	.namespaced = true,
};

struct world {
	uv_loop_t loop;
	struct env env;
	struct kube_config *config;
	struct kube_client *client;
	struct test_server server;
	char token_path[64];
	unsigned done, streams_ended, chunks;
	int status;
	struct err err;
	char body[256];
	unsigned warnings;
	char warning[64];
	int stop_with; /* what on_bytes returns */
	bool cancel_in_bytes, pause_in_bytes;
	struct kube_call *call;
	bool refuse_writes;
};

static void on_warning(void *ctx, struct str text)
{
	struct world *w = ctx;

	w->warnings++;
	if (w->warnings == 1)
		assert_ok("warning", base_str_copy(text, w->warning, sizeof(w->warning), "", err));
}

static void write_file(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void start_world(
	struct world *w, const struct test_answer *answers, size_t n, const char *token)
{
	const struct kube_client_options options = {
		.program = "unit/1", .rate = 1000, .burst = 50, .on_warning = on_warning, .ctx = w};
	char kubeconfig[64];
	char text[512];

	*w = (struct world){.env = base_env_system()};
	(void)uv_loop_init(&w->loop);
	test_server_start(&w->server, &w->loop, answers, n);
	(void)snprintf(w->token_path, sizeof(w->token_path), "/tmp/kube-token-%d", (int)getpid());
	(void)snprintf(kubeconfig, sizeof(kubeconfig), "/tmp/kube-config-%d", (int)getpid());
	if (token)
		write_file(w->token_path, token);
	(void)snprintf(text, sizeof(text),
		"clusters: [{name: c, cluster: {server: 'http://127.0.0.1:%d/prefix/'}}]\n"
		"users: [{name: u, user: {tokenFile: '%s'}}]\n"
		"contexts: [{name: x, context: {cluster: c, user: %s}}]\ncurrent-context: x\n",
		w->server.port, w->token_path, token ? "u" : "''");
	write_file(kubeconfig, text);
	assert_ok("config", kube_config_load(kubeconfig, NULL, &w->config, err));
	unlink(kubeconfig);
	assert_ok(
		"client", kube_client_new(&w->loop, &w->env, w->config, &options, &w->client, err));
}

static void stop_world(struct world *w)
{
	w->client = kube_client_free(w->client);
	test_server_stop(&w->server);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	w->config = kube_config_free(w->config);
	unlink(w->token_path);
	assert_int_equal(base_alloc_live(), 0);
}

static void on_done(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct world *w = ctx;

	w->done++;
	w->err = err ? *err : (struct err){0};
	w->status = resp ? resp->status : 0;
	if (resp)
		(void)snprintf(w->body, sizeof(w->body), "%.*s", STR_FMT(resp->body));
}

/* One turn. Not UV_RUN_ONCE: that waits for sockets although a timer did what the test waits for.
 */
static void turn(struct world *w)
{
	(void)usleep(200);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

static void run_until(struct world *w, const unsigned *counter, unsigned want)
{
	const int64_t limit = base_boot_ns(&w->env) + 20 * NS_PER_S;

	while (*counter < want) {
		turn(w);
		assert_true(base_boot_ns(&w->env) < limit);
	}
}

static struct kube_request request(enum kube_verb verb, uint32_t timeout_ms)
{
	return (struct kube_request){
		.verb = verb,
		.resource = &leases,
		.ns = STR("default"),
		.name = verb == KUBE_LIST || verb == KUBE_CREATE ? STR_NULL : STR("a/b"),
		.body = verb == KUBE_GET || verb == KUBE_LIST || verb == KUBE_DELETE
				? STR_NULL
				: STR("{\"a\":1}"),
		.timeout_ms = timeout_ms,
		.field_manager = "m",
	};
}

#define CLOSE .close = true
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
		const struct kube_request r = request(rows[i].verb, rows[i].timeout_ms);
		start_world(&w, rows[i].answers, rows[i].n, NULL);
		assert_ok(rows[i].name, kube_start(w.client, &r, on_done, &w, NULL, err));
		assert_int_equal(w.done, 0);
		run_until(&w, &w.done, 1);
		if (w.err.class != rows[i].class || w.err.detail != rows[i].detail)
			fail_msg("%s: %s, detail %d: %s", rows[i].name,
				base_err_class_name(w.err.class), w.err.detail, w.err.msg);
		if (rows[i].requests && w.server.requests != rows[i].requests)
			fail_msg("%s: %zu requests", rows[i].name, w.server.requests);
		stop_world(&w);
	}
}

static void test_what_is_sent(void **state)
{
	static const struct test_answer answers[] = {{OK_200}};
	struct kube_request r = request(KUBE_APPLY, 5000);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, " s3cret\n");
	r.force = true;
	assert_ok("start", kube_start(w.client, &r, on_done, &w, NULL, err));
	run_until(&w, &w.done, 1);
	const char *head = w.server.heads[0];
	assert_non_null(strstr(head,
		"PATCH /prefix/apis/coordination.k8s.io/v1/namespaces/default/leases/a%2Fb"
		"?fieldManager=m&force=true&timeout=5s HTTP/1.1\r\n"));
	assert_non_null(strstr(head, "\r\nAuthorization: Bearer s3cret\r\n"));
	assert_non_null(strstr(head, "\r\nContent-Type: application/apply-patch+yaml\r\n"));
	assert_non_null(
		strstr(head, "\r\nUser-Agent: unit/1 (linux/amd64) kubernetes/unknown\r\n"));
	assert_null(strstr(head, "Expect:"));
	assert_non_null(strstr(head, "\r\n\r\n{\"a\":1}"));
	assert_string_equal(w.body, OK_BODY);
	assert_int_equal(kube_client_stats(w.client)->requests[KUBE_CLASS_API][KUBE_APPLY][1], 1);
	stop_world(&w);
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
		struct kube_request r = request(KUBE_GET, 0);
		start_world(&w, answers, 3, NULL);
		assert_ok("get", kube_start(w.client, &r, on_done, &w, NULL, err));
		run_until(&w, &w.done, 1);
		r = request(verbs[i], 0);
		assert_ok("write", kube_start(w.client, &r, on_done, &w, NULL, err));
		run_until(&w, &w.done, 2);
		assert_int_equal(w.server.requests, 2);
		assert_int_equal(w.err.class, ERR_TRANSIENT);
		assert_int_equal(w.err.detail, 0);
		stop_world(&w);
	}
}

static void test_401_reads_the_token_again_once(void **state)
{
	static const struct test_answer heals[] = {{NO_401}, {OK_200}};
	static const struct test_answer never[] = {{NO_401}};
	struct kube_request r = request(KUBE_CREATE, 0);
	struct world w;

	(void)state;
	start_world(&w, heals, 2, "old");
	assert_ok("start", kube_start(w.client, &r, on_done, &w, NULL, err));
	while (!w.server.requests)
		turn(&w);
	write_file(w.token_path, "new");
	run_until(&w, &w.done, 1);
	assert_int_equal(w.err.class, ERR_OK);
	assert_non_null(strstr(w.server.heads[0], "Bearer old"));
	assert_non_null(strstr(w.server.heads[1], "Bearer new"));
	stop_world(&w);

	start_world(&w, never, 1, "old");
	assert_ok("start", kube_start(w.client, &r, on_done, &w, NULL, err));
	run_until(&w, &w.done, 1);
	assert_int_equal(w.err.class, ERR_DENIED);
	assert_int_equal(w.server.requests, 2);
	stop_world(&w);
}

static void test_no_token_is_denied_without_a_request(void **state)
{
	static const struct test_answer answers[] = {{OK_200}};
	const struct kube_request r = request(KUBE_GET, 0);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, " \n");
	assert_ok("start", kube_start(w.client, &r, on_done, &w, NULL, err));
	run_until(&w, &w.done, 1);
	assert_int_equal(w.err.class, ERR_DENIED);
	assert_int_equal(w.server.requests, 0);
	stop_world(&w);
}

static void test_bad_requests_do_not_start(void **state)
{
	static const struct test_answer answers[] = {{OK_200}};
	struct kube_request r = request(KUBE_DELETE, 0);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	r.name = STR_NULL;
	assert_class("no name", ERR_INVALID, kube_start(w.client, &r, on_done, &w, NULL, err));
	r = request(KUBE_GET, 0);
	r.ns = STR("..");
	assert_class("dots", ERR_INVALID, kube_start(w.client, &r, on_done, &w, NULL, err));
	stop_world(&w);
}

static void test_cancel(void **state)
{
	static const struct test_answer answers[] = {{OK_200, .delay_ms = 300}};
	const struct kube_request r = request(KUBE_GET, 0);
	struct kube_call *queued = NULL;
	struct kube_call *sent = NULL;
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	assert_ok("one", kube_start(w.client, &r, on_done, &w, &queued, err));
	kube_cancel(queued);
	assert_ok("two", kube_start(w.client, &r, on_done, &w, &sent, err));
	while (!w.server.requests)
		turn(&w);
	kube_cancel(sent);
	kube_cancel(NULL);
	assert_ok("three", kube_start(w.client, &r, on_done, &w, NULL, err));
	run_until(&w, &w.done, 1);
	assert_int_equal(w.done, 1);
	/* Freed with calls under way. */
	assert_ok("four", kube_start(w.client, &r, on_done, &w, NULL, err));
	turn(&w);
	stop_world(&w);
	assert_int_equal(w.done, 1);
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
	struct kube_request r = request(KUBE_UPDATE, 0);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	kube_client_set_write_guard(w.client, may_write, &w);
	w.refuse_writes = true;
	assert_ok("refused", kube_start(w.client, &r, on_done, &w, NULL, err));
	run_until(&w, &w.done, 1);
	assert_int_equal(w.err.class, ERR_CANCELLED);
	assert_int_equal(w.server.requests, 0);
	w.refuse_writes = false;
	assert_ok("under way", kube_start(w.client, &r, on_done, &w, NULL, err));
	while (!w.server.requests)
		turn(&w);
	w.refuse_writes = true;
	kube_client_recheck_writes(w.client);
	run_until(&w, &w.done, 2);
	assert_int_equal(w.err.class, ERR_CANCELLED);
	stop_world(&w);
}

static void test_pacing(void **state)
{
	static const struct test_answer answers[] = {{OK_200}};
	const struct kube_request r = request(KUBE_GET, 0);
	struct kube_client_options slow = {.rate = 100, .burst = 5};
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	w.client = kube_client_free(w.client);
	assert_ok("client", kube_client_new(&w.loop, &w.env, w.config, &slow, &w.client, err));
	const int64_t start = base_boot_ns(&w.env);
	for (int i = 0; i < 25; i++)
		assert_ok("start", kube_start(w.client, &r, on_done, &w, NULL, err));
	run_until(&w, &w.done, 25);
	/* 5 at once, 20 at 100 a second; never faster, whatever the machine does. */
	assert_true(base_boot_ns(&w.env) - start >= 190 * NS_PER_MS);
	assert_true(kube_client_stats(w.client)->throttled >= 20);
	assert_true(w.server.connections <= 8);
	stop_world(&w);
}

static void test_body_maximum(void **state)
{
	static const struct test_answer answers[] = {{OK_200}};
	struct kube_request r = request(KUBE_GET, 0);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	r.max_body = 16;
	assert_ok("fits", kube_start(w.client, &r, on_done, &w, NULL, err));
	run_until(&w, &w.done, 1);
	assert_int_equal(w.err.class, ERR_OK);
	r.max_body = 15;
	assert_ok("too long", kube_start(w.client, &r, on_done, &w, NULL, err));
	run_until(&w, &w.done, 2);
	assert_int_equal(w.err.class, ERR_TOO_LARGE);
	assert_int_equal(w.server.requests, 2);
	stop_world(&w);
}

static void test_warnings_once(void **state)
{
	static const struct test_answer answers[] = {{WARNED}};
	const struct kube_request r = request(KUBE_GET, 0);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	for (unsigned i = 1; i <= 3; i++) {
		assert_ok("start", kube_start(w.client, &r, on_done, &w, NULL, err));
		run_until(&w, &w.done, i);
	}
	assert_int_equal(w.warnings, 2);
	assert_string_equal(w.warning, "old \\\"thing\\\"");
	stop_world(&w);
}

static int on_status(void *ctx, int status)
{
	struct world *w = ctx;

	w->status = status;
	return 0;
}

static int on_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct world *w = ctx;

	w->chunks++;
	const size_t have = strlen(w->body);
	(void)snprintf(w->body + have, sizeof(w->body) - have, "%.*s", (int)n, (const char *)p);
	if (w->cancel_in_bytes)
		kube_cancel(w->call);
	if (w->pause_in_bytes)
		kube_stream_pause(w->call);
	return w->stop_with;
}

static void on_end(void *ctx, const struct err *err)
{
	struct world *w = ctx;

	w->streams_ended++;
	w->err = err ? *err : (struct err){0};
}

static const struct kube_stream_handler handler = {
	.on_status = on_status, .on_bytes = on_bytes, .on_end = on_end};

static void start_stream(struct world *w, const char *row, uint32_t idle_ms)
{
	struct kube_request r = request(KUBE_LIST, 0);

	r.class = KUBE_CLASS_WATCH;
	r.query = STR("watch=true");
	r.idle_ms = idle_ms;
	assert_ok(row, kube_stream_start(w->client, &r, &handler, w, &w->call, err));
}

static const struct {
	const char *name;
	struct test_answer answers[2];
	size_t n;
	uint32_t idle_ms;
	int stop_with;
	enum err_class class;
	int status;
	const char *body;
} stream_rows[] = {
	{"clean", {{CHUNKED, .piece = 3}}, 1, 0, 0, ERR_OK, 200, "hello, world"},
	{"cut", {{CHUNK_CUT, CLOSE}}, 1, 0, 0, ERR_TRANSIENT, 200, "hello, w"},
	{"410", {{NO_409}}, 1, 0, 0, ERR_CONFLICT, 0, ""},
	{"silent", {{CHUNK_CUT}}, 1, 150, 0, ERR_TRANSIENT, 200, "hello, w"},
	{"never answered", {{NULL}}, 1, 150, 0, ERR_TRANSIENT, 0, ""},
	{"the reader stops", {{CHUNKED}}, 1, 0, -ERR_BUG, ERR_BUG, 200, "hello"},
	{"401 heals", {{NO_401}, {CHUNKED}}, 2, 0, 0, ERR_OK, 200, "hello, world"},
};

static void test_streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stream_rows); i++) {
		struct world w;
		start_world(&w, stream_rows[i].answers, stream_rows[i].n, "t");
		w.stop_with = stream_rows[i].stop_with;
		start_stream(&w, stream_rows[i].name, stream_rows[i].idle_ms);
		run_until(&w, &w.streams_ended, 1);
		if (w.err.class != stream_rows[i].class || w.status != stream_rows[i].status ||
			strncmp(w.body, stream_rows[i].body, strlen(stream_rows[i].body)) != 0)
			fail_msg("%s: %s, status %d, '%s': %s", stream_rows[i].name,
				base_err_class_name(w.err.class), w.status, w.body, w.err.msg);
		stop_world(&w);
	}
}

static void test_stream_cancelled_by_its_own_bytes(void **state)
{
	static const struct test_answer answers[] = {{CHUNKED, .piece = 1}};
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	w.cancel_in_bytes = true;
	start_stream(&w, "cancel", 0);
	run_until(&w, &w.chunks, 1);
	for (int i = 0; i < 50; i++)
		turn(&w);
	assert_int_equal(w.chunks, 1);
	assert_int_equal(w.streams_ended, 0);
	stop_world(&w);
}

static void test_stream_pauses(void **state)
{
	static const struct test_answer answers[] = {{CHUNKED, .piece = 10}};
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	w.pause_in_bytes = true;
	start_stream(&w, "pause", 100);
	run_until(&w, &w.chunks, 1);
	const int64_t until = base_boot_ns(&w.env) + 300 * NS_PER_MS;
	while (base_boot_ns(&w.env) < until)
		turn(&w);
	assert_int_equal(w.chunks, 1);
	assert_int_equal(w.streams_ended, 0);
	w.pause_in_bytes = false;
	kube_stream_resume(w.call);
	run_until(&w, &w.streams_ended, 1);
	assert_int_equal(w.err.class, ERR_OK);
	assert_string_equal(w.body, "hello, world");
	stop_world(&w);
}

static void free_in_done(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct world *w = ctx;

	(void)resp;
	(void)err;
	w->done++;
	w->client = kube_client_free(w->client);
}

static int free_in_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct world *w = ctx;

	(void)p;
	(void)n;
	w->chunks++;
	w->client = kube_client_free(w->client);
	return 0;
}

static void test_client_freed_by_a_callback(void **state)
{
	static const struct test_answer answers[] = {{CHUNKED, .piece = 4}};
	static const struct kube_stream_handler frees = {
		.on_bytes = free_in_bytes, .on_end = on_end};
	struct kube_request r = request(KUBE_LIST, 0);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	assert_ok("other", kube_start(w.client, &r, on_done, &w, NULL, err));
	assert_ok("frees", kube_start(w.client, &r, free_in_done, &w, NULL, err));
	while (w.client)
		turn(&w);
	stop_world(&w);

	start_world(&w, answers, 1, NULL);
	assert_ok("frees", kube_stream_start(w.client, &r, &frees, &w, NULL, err));
	run_until(&w, &w.chunks, 1);
	stop_world(&w);
	assert_int_equal(w.chunks, 1);
	assert_int_equal(w.streams_ended, 0);
}

static int start_case(void *ctx, struct err *err)
{
	struct world *w = ctx;
	const struct kube_request r = request(KUBE_APPLY, 0);
	struct kube_call *call = NULL;

	TRY(kube_start(w->client, &r, on_done, w, &call, err));
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
	stop_world(&w);
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
		cmocka_unit_test(test_body_maximum),
		cmocka_unit_test(test_warnings_once),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_stream_cancelled_by_its_own_bytes),
		cmocka_unit_test(test_stream_pauses),
		cmocka_unit_test(test_client_freed_by_a_callback),
		cmocka_unit_test(test_start_survives_no_memory),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
