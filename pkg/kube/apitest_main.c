/* kube-apitest: the client against a real API server.
 *
 *	KUBECONFIG=… kube-apitest
 *
 * Works in a namespace of its own, which it deletes at the end. Ends with "N passed, N failed".
 */
#include "pkg/base/buf.h"
#include "pkg/base/text.h"
#include "pkg/kube/apitest.h"
#include "pkg/kube/patch.h"

#include <signal.h>
#include <unistd.h>

static const struct kube_resource namespaces = {
	.group = "", .version = "v1", .plural = "namespaces", .kind = "Namespace"};
static const struct kube_resource config_maps = {.group = "",
	.version = "v1",
	.plural = "configmaps",
	.kind = "ConfigMap",
	.namespaced = true};
static const struct kube_resource pods = {
	.group = "", .version = "v1", .plural = "pods", .kind = "Pod", .namespaced = true};
static const struct kube_resource nothing = {.group = "example.org",
	.version = "v1",
	.plural = "unicorns",
	.kind = "Unicorn",
	.namespaced = true};

void apitest_check(struct apitest *t, const char *what, bool ok, const char *detail)
{
	if (ok)
		t->passed++;
	else
		t->failed++;
	printf("%s  %s%s%s\n", ok ? "ok    " : "FAILED", what, ok || !*detail ? "" : ": ",
		ok ? "" : detail);
	(void)fflush(stdout);
}

static void on_done(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct apitest *t = ctx;

	t->done = true;
	t->err = err ? *err : (struct err){0};
	base_buf_clear(&t->body);
	t->status = resp ? resp->status : 0;
	if (resp && base_buf_add_str(&t->body, resp->body, &t->err) < 0)
		t->status = 0;
}

void apitest_call(struct apitest *t, const struct kube_request *request)
{
	t->done = false;
	t->err = (struct err){0};
	if (kube_start(t->client, request, on_done, t, NULL, &t->err) < 0)
		return;
	while (!t->done)
		(void)uv_run(&t->loop, UV_RUN_ONCE);
}

bool apitest_expect(struct apitest *t, const char *what, const struct kube_request *request,
	enum err_class class)
{
	char detail[300];

	apitest_call(t, request);
	(void)snprintf(detail, sizeof(detail), "%s, HTTP %d: %s", base_err_class_name(t->err.class),
		t->status, t->err.msg);
	apitest_check(t, what, t->err.class == class, detail);
	return t->err.class == class;
}

struct str apitest_field(const struct apitest *t, const char *key)
{
	char pattern[64];
	const struct str body = base_buf_str(&t->body);

	(void)snprintf(pattern, sizeof(pattern), "\"%s\":\"", key);
	const char *at = body.n ? memmem(body.p, body.n, pattern, strlen(pattern)) : NULL;
	if (!at)
		return STR_NULL;
	const size_t from = (size_t)(at - body.p) + strlen(pattern);
	return base_str_sub(body, from, base_str_find(body, '"', from));
}

static bool body_has(const struct apitest *t, const char *text)
{
	return t->body.len && memmem(t->body.data, t->body.len, text, strlen(text));
}

static struct kube_request on_map(enum kube_verb verb, struct apitest *t, struct str body)
{
	return (struct kube_request){
		.verb = verb,
		.resource = &config_maps,
		.ns = t->ns,
		.name = verb == KUBE_CREATE || verb == KUBE_LIST ? STR_NULL : STR("one"),
		.body = body,
		.field_manager = "kube-apitest",
	};
}

#define MAP(data)                                            \
	STR("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"," \
	    "\"metadata\":{\"name\":\"one\"},\"data\":{" data "}}")

static void test_objects(struct apitest *t)
{
	struct kube_request r = on_map(KUBE_CREATE, t, MAP("\"a\":\"1\""));

	apitest_expect(t, "create", &r, ERR_OK);
	apitest_check(t, "create answers 201", t->status == 201, "");
	apitest_expect(t, "create again: exists", &r, ERR_EXISTS);
	r = on_map(KUBE_GET, t, STR_NULL);
	apitest_expect(t, "get", &r, ERR_OK);
	apitest_check(t, "get: what was written", body_has(t, "\"data\":{\"a\":\"1\"}"), "");
	apitest_check(
		t, "the field manager was sent", body_has(t, "\"manager\":\"kube-apitest\""), "");
	r.name = STR("none");
	apitest_expect(t, "get what is not there", &r, ERR_NOT_FOUND);
	apitest_check(t, "its detail is 404", t->err.detail == 404, t->err.msg);
	r = on_map(KUBE_CREATE, t,
		STR("{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\","
		    "\"metadata\":{\"name\":\"Not_A_Name\"}}"));
	apitest_expect(t, "create with a bad name: invalid", &r, ERR_INVALID);
	r.resource = &nothing;
	apitest_expect(t, "a resource that does not exist", &r, ERR_NOT_FOUND);
	r = on_map(KUBE_CREATE, t, STR("{nonsense"));
	apitest_expect(t, "a body that is no JSON: invalid", &r, ERR_INVALID);
}

static void test_patches(struct apitest *t)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_BODY_MAX);
	struct kube_patch p = kube_patch(&b);
	struct kube_request r =
		on_map(KUBE_PATCH_MERGE, t, STR("{\"data\":{\"a\":\"2\",\"b\":\"3\"}}"));

	apitest_expect(t, "merge patch", &r, ERR_OK);
	apitest_check(
		t, "merge patch: merged", body_has(t, "\"data\":{\"a\":\"2\",\"b\":\"3\"}"), "");
	int bad = kube_patch_test_text(&p, "/data/a", STR("2"), &t->err);
	bad |= kube_patch_add_text(&p, "/data/c~1~0.d", STR("\"\n\xc3\xa4"), &t->err);
	bad |= kube_patch_remove(&p, "/data/b", &t->err);
	bad |= kube_patch_end(&p, &t->err);
	apitest_check(t, "a JSON patch is written", bad == 0, t->err.msg);
	r = on_map(KUBE_PATCH_JSON, t, base_buf_str(&b));
	/* "/" is no character of a ConfigMap's key: the path must arrive as c/~.d for that error.
	 */
	apitest_expect(t, "JSON patch: an escaped path arrives", &r, ERR_INVALID);
	apitest_check(t, "JSON patch: as it was meant",
		strstr(t->err.msg, "c/~.d") || body_has(t, "c/~.d"), t->err.msg);
	r.body = STR("[{\"op\":\"test\",\"path\":\"/data/a\",\"value\":\"2\"},"
		     "{\"op\":\"replace\",\"path\":\"/data/a\",\"value\":\"4\"}]");
	apitest_expect(t, "JSON patch: test holds", &r, ERR_OK);
	apitest_expect(t, "JSON patch: test fails: conflict", &r, ERR_CONFLICT);
	r.body = STR("[{\"op\":\"remove\",\"path\":\"/data/none\"}]");
	apitest_expect(t, "JSON patch: nothing there to remove: conflict", &r, ERR_CONFLICT);
	r.body = STR("[{\"op\":\"add\",\"path\":\"/data/d\",\"value\":5}]");
	apitest_expect(t, "JSON patch: a wrong type: invalid", &r, ERR_INVALID);
	r = on_map(KUBE_UPDATE, t,
		STR("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
		    "\"one\",\"resourceVersion\":\"1\"}}"));
	apitest_expect(t, "update with an old resourceVersion: conflict", &r, ERR_CONFLICT);
}

static void test_apply(struct apitest *t)
{
	struct kube_request r = on_map(KUBE_APPLY, t, MAP("\"a\":\"5\""));

	apitest_expect(t, "apply over fields of plain writes: invalid", &r, ERR_INVALID);
	r.field_manager = "another";
	r.body = MAP("\"a\":\"6\"");
	apitest_expect(t, "apply against another manager: invalid", &r, ERR_INVALID);
	apitest_check(t, "its detail is 409", t->err.detail == 409, t->err.msg);
	r.force = true;
	apitest_expect(t, "apply with force", &r, ERR_OK);
	apitest_check(t, "apply: applied", body_has(t, "\"a\":\"6\""), "");
	r.name = STR("two");
	r.body = STR("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
		     "\"two\"},\"data\":{}}");
	apitest_expect(t, "apply creates", &r, ERR_OK);
}

static void test_status_subresource(struct apitest *t)
{
	struct kube_request r = {
		.verb = KUBE_CREATE,
		.resource = &pods,
		.ns = t->ns,
		.body = STR("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},"
			    "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"),
	};

	apitest_expect(t, "create a pod", &r, ERR_OK);
	r.verb = KUBE_PATCH_MERGE;
	r.name = STR("p");
	r.subresource = STR("status");
	r.body =
		STR("{\"status\":{\"message\":\"hello\"},\"metadata\":{\"labels\":{\"x\":\"y\"}}}");
	apitest_expect(t, "patch its status", &r, ERR_OK);
	apitest_check(t, "status: written", body_has(t, "\"message\":\"hello\""), "");
	r.subresource = STR_NULL;
	r.body = STR("{\"status\":{\"message\":\"changed\"}}");
	apitest_expect(t, "patch status through the object", &r, ERR_OK);
	apitest_check(t, "status: not written", !body_has(t, "changed"), "");
}

static void test_list(struct apitest *t)
{
	_cleanup_(base_buf_done) struct buf q = base_buf(1024);
	struct kube_request r = on_map(KUBE_LIST, t, STR_NULL);

	int bad = kube_query_add(&q, "fieldSelector", STR("metadata.name in (x)"), &t->err);
	r.query = base_buf_str(&q);
	apitest_expect(t, "list with a bad selector: invalid", &r, ERR_INVALID);
	base_buf_clear(&q);
	bad |= kube_query_add(&q, "fieldSelector", STR("metadata.name=one"), &t->err);
	bad |= kube_query_add(&q, "limit", STR("10"), &t->err);
	r.query = base_buf_str(&q);
	apitest_expect(t, "list with a selector", &r, ERR_OK);
	apitest_check(t, "list: one item",
		bad == 0 && body_has(t, "\"name\":\"one\"") && !body_has(t, "\"name\":\"two\""),
		"");
	r.query = STR("resourceVersion=999999999999&resourceVersionMatch=NotOlderThan");
	r.timeout_ms = 6000;
	apitest_expect(t, "list at a version to come: expired", &r, ERR_EXPIRED);
}

static void test_delete(struct apitest *t)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(1024);
	char uid[64] = "";
	struct kube_request r = on_map(KUBE_GET, t, STR_NULL);

	apitest_call(t, &r);
	int bad = base_str_copy(apitest_field(t, "uid"), uid, sizeof(uid), "uid", &t->err);
	bad |= kube_delete_options_add(&b, STR("another"), STR_NULL, "Background", &t->err);
	r = on_map(KUBE_DELETE, t, base_buf_str(&b));
	apitest_expect(t, "delete with another uid: conflict", &r, ERR_CONFLICT);
	base_buf_clear(&b);
	bad |= kube_delete_options_add(&b, base_str(uid), STR("1"), NULL, &t->err);
	r.body = base_buf_str(&b);
	apitest_expect(t, "delete at another version: conflict", &r, ERR_CONFLICT);
	base_buf_clear(&b);
	bad |= kube_delete_options_add(&b, base_str(uid), STR_NULL, NULL, &t->err);
	r.body = base_buf_str(&b);
	apitest_expect(t, "delete with its uid", &r, ERR_OK);
	apitest_expect(t, "delete again: not found", &r, ERR_NOT_FOUND);
	apitest_check(t, "options are written", bad == 0, t->err.msg);
}

struct watched {
	struct apitest *t;
	struct buf bytes;
	int status;
	bool ended;
	struct err err;
};

static int on_watch_status(void *ctx, int status)
{
	((struct watched *)ctx)->status = status;
	return 0;
}

static int on_watch_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct watched *w = ctx;

	return base_buf_add(&w->bytes, p, n, NULL);
}

static void on_watch_end(void *ctx, const struct err *err)
{
	struct watched *w = ctx;

	w->ended = true;
	w->err = err ? *err : (struct err){0};
}

static const struct kube_stream_handler watch_handler = {
	.on_status = on_watch_status, .on_bytes = on_watch_bytes, .on_end = on_watch_end};

static void run_watch(struct apitest *t, struct watched *w, struct str query)
{
	struct kube_request r = on_map(KUBE_LIST, t, STR_NULL);

	r.class = KUBE_CLASS_WATCH;
	r.query = query;
	w->ended = false;
	w->status = 0;
	base_buf_clear(&w->bytes);
	if (kube_stream_start(t->client, &r, &watch_handler, w, NULL, &w->err) < 0)
		return;
	while (!w->ended)
		(void)uv_run(&t->loop, UV_RUN_ONCE);
}

static void test_watch(struct apitest *t)
{
	_cleanup_(base_buf_done) struct buf bytes = base_buf(1u << 20);
	struct watched w = {.t = t, .bytes = bytes};

	run_watch(t, &w, STR("watch=true&timeoutSeconds=1"));
	apitest_check(t, "watch: ends cleanly by its time",
		w.err.class == ERR_OK && w.status == 200, w.err.msg);
	apitest_check(t, "watch: what is there comes as ADDED",
		w.bytes.len && memmem(w.bytes.data, w.bytes.len, "{\"type\":\"ADDED\"", 15), "");
	run_watch(t, &w, STR("watch=true&timeoutSeconds=1&resourceVersion=nonsense"));
	apitest_check(t, "watch: a bad version is refused before it starts",
		w.err.class != ERR_OK && w.err.detail >= 400 && w.status == 0, w.err.msg);
	base_buf_done(&w.bytes);
}

static void test_identity(struct apitest *t)
{
	const struct kube_stats *s = kube_client_stats(t->client);
	uint64_t all = 0;

	for (size_t v = 0; v < KUBE_VERB_COUNT; v++)
		for (size_t c = 0; c < KUBE_CODES; c++)
			all += s->requests[KUBE_CLASS_API][v][c];
	apitest_check(t, "requests are counted", all > 20 && s->in_flight == 0, "");
	apitest_check(t, "created objects are counted",
		s->requests[KUBE_CLASS_API][KUBE_CREATE][2] >= 3, "");
}

static int setup(struct apitest *t, struct err *err)
{
	const struct kube_client_options options = {.program = "kube-apitest/1"};

	t->env = base_env_system();
	t->body = base_buf(KUBE_ANSWER_MAX);
	(void)uv_loop_init(&t->loop);
	TRY(kube_config_load(NULL, NULL, &t->config, err));
	return kube_client_new(&t->loop, &t->env, t->config, &options, &t->client, err);
}

static void run_all(struct apitest *t)
{
	char name[48];
	char body[160];

	(void)snprintf(name, sizeof(name), "kube-apitest-%d", (int)getpid());
	(void)snprintf(body, sizeof(body),
		"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}",
		name);
	t->ns = base_str(name);
	struct kube_request r = {
		.verb = KUBE_CREATE, .resource = &namespaces, .body = base_str(body)};
	if (!apitest_expect(t, "create a namespace", &r, ERR_OK))
		return;
	test_objects(t);
	test_patches(t);
	test_apply(t);
	test_status_subresource(t);
	test_list(t);
	test_watch(t);
	test_delete(t);
	test_identity(t);
	apitest_events(t);
	apitest_leases(t);
	r = (struct kube_request){
		.verb = KUBE_DELETE, .resource = &namespaces, .name = base_str(name)};
	apitest_expect(t, "delete the namespace", &r, ERR_OK);
}

int main(void)
{
	struct apitest t = {0};
	struct err err = {0};

	(void)signal(SIGPIPE, SIG_IGN);
	if (setup(&t, &err) < 0) {
		(void)fprintf(stderr, "kube-apitest: %s\n", err.msg);
		return 2;
	}
	run_all(&t);
	t.client = kube_client_free(t.client);
	(void)uv_run(&t.loop, UV_RUN_DEFAULT);
	const int left = uv_loop_close(&t.loop);
	apitest_check(&t, "nothing is left on the loop", left == 0, "");
	base_buf_done(&t.body);
	kube_config_free(t.config);
	printf("%u passed, %u failed\n", t.passed, t.failed);
	return t.failed ? 1 : 0;
}
