#include "pkg/kube/test_calls.h"

#include <signal.h>

struct world {
	struct test_world t;
	struct test_result got; /* of a call, or of a stream but for done */
	unsigned streams_ended, chunks;
	int stop_with; /* what on_bytes returns */
	bool cancel_in_bytes, pause_in_bytes;
	struct kube_call *call;
};

static void start_world(
	struct world *w, const struct test_answer *answers, size_t n, const char *token)
{
	*w = (struct world){0};
	test_world_start(&w->t, answers, n, token, NULL);
}

static int on_status(void *ctx, int status)
{
	struct world *w = ctx;

	w->got.status = status;
	return 0;
}

static int on_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct world *w = ctx;

	w->chunks++;
	const size_t have = strlen(w->got.body);
	(void)snprintf(
		w->got.body + have, sizeof(w->got.body) - have, "%.*s", (int)n, (const char *)p);
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
	w->got.err = err ? *err : (struct err){0};
}

static const struct kube_stream_handler handler = {
	.on_status = on_status, .on_bytes = on_bytes, .on_end = on_end};

static void start_stream(struct world *w, const char *row, uint32_t idle_ms)
{
	struct kube_request r = test_request(KUBE_LIST, 0);

	r.class = KUBE_CLASS_WATCH;
	r.query = STR("watch=true");
	r.idle_ms = idle_ms;
	assert_ok(row, kube_stream_start(w->t.client, &r, &handler, w, &w->call, err));
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
		test_world_until(&w.t, &w.streams_ended, 1);
		if (w.got.err.class != stream_rows[i].class ||
			w.got.status != stream_rows[i].status ||
			strncmp(w.got.body, stream_rows[i].body, strlen(stream_rows[i].body)) != 0)
			fail_msg("%s: %s, status %d, '%s': %s", stream_rows[i].name,
				base_err_class_name(w.got.err.class), w.got.status, w.got.body,
				w.got.err.msg);
		test_world_stop(&w.t);
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
	test_world_until(&w.t, &w.chunks, 1);
	for (int i = 0; i < 50; i++)
		test_world_turn(&w.t);
	assert_int_equal(w.chunks, 1);
	assert_int_equal(w.streams_ended, 0);
	test_world_stop(&w.t);
}

static void test_stream_pauses(void **state)
{
	static const struct test_answer answers[] = {{CHUNKED, .piece = 10}};
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	w.pause_in_bytes = true;
	start_stream(&w, "pause", 100);
	test_world_until(&w.t, &w.chunks, 1);
	const int64_t until = base_boot_ns(&w.t.env) + 300 * NS_PER_MS;
	while (base_boot_ns(&w.t.env) < until)
		test_world_turn(&w.t);
	assert_int_equal(w.chunks, 1);
	assert_int_equal(w.streams_ended, 0);
	w.pause_in_bytes = false;
	kube_stream_resume(w.call);
	test_world_until(&w.t, &w.streams_ended, 1);
	assert_int_equal(w.got.err.class, ERR_OK);
	assert_string_equal(w.got.body, "hello, world");
	test_world_stop(&w.t);
}

static void free_in_done(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct world *w = ctx;

	(void)resp;
	(void)err;
	w->got.done++;
	w->t.client = kube_client_free(w->t.client);
}

static int free_in_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct world *w = ctx;

	(void)p;
	(void)n;
	w->chunks++;
	w->t.client = kube_client_free(w->t.client);
	return 0;
}

static void test_client_freed_by_a_callback(void **state)
{
	static const struct test_answer answers[] = {{CHUNKED, .piece = 4}};
	static const struct kube_stream_handler frees = {
		.on_bytes = free_in_bytes, .on_end = on_end};
	struct kube_request r = test_request(KUBE_LIST, 0);
	struct world w;

	(void)state;
	start_world(&w, answers, 1, NULL);
	assert_ok("other", kube_start(w.t.client, &r, test_done, &w.got, NULL, err));
	assert_ok("frees", kube_start(w.t.client, &r, free_in_done, &w, NULL, err));
	while (w.t.client)
		test_world_turn(&w.t);
	test_world_stop(&w.t);

	start_world(&w, answers, 1, NULL);
	assert_ok("frees", kube_stream_start(w.t.client, &r, &frees, &w, NULL, err));
	test_world_until(&w.t, &w.chunks, 1);
	test_world_stop(&w.t);
	assert_int_equal(w.chunks, 1);
	assert_int_equal(w.streams_ended, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_stream_cancelled_by_its_own_bytes),
		cmocka_unit_test(test_stream_pauses),
		cmocka_unit_test(test_client_freed_by_a_callback),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
