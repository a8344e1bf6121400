#include "agent/kick.h"
#include "pkg/base/test.h"

#include <netinet/in.h>
#include <string.h>

/* -- a peer that takes one request -- */

struct peer {
	uv_tcp_t listener, connection;
	char got[2048];
	size_t len;
	bool answers;
};

static void give_room(uv_handle_t *handle, size_t n, uv_buf_t *ret)
{
	struct peer *p = handle->data;

	(void)n;
	*ret = uv_buf_init(p->got + p->len, (unsigned)(sizeof(p->got) - p->len - 1));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct peer *p = stream->data;
	char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
	uv_buf_t bytes = uv_buf_init(answer, sizeof(answer) - 1);

	(void)b;
	if (n < 0) {
		uv_close((uv_handle_t *)stream, NULL);
		return;
	}
	p->len += (size_t)n;
	if (p->answers && strstr(p->got, "}"))
		(void)uv_try_write(stream, &bytes, 1);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct peer *p = listener->data;

	assert_int_equal(status, 0);
	assert_int_equal(uv_tcp_init(listener->loop, &p->connection), 0);
	p->connection.data = p;
	assert_int_equal(uv_accept(listener, (uv_stream_t *)&p->connection), 0);
	assert_int_equal(uv_read_start((uv_stream_t *)&p->connection, give_room, on_read), 0);
	uv_close((uv_handle_t *)listener, NULL);
}

static void peer_listen(struct peer *p, uv_loop_t *loop, char endpoint[static 32])
{
	struct sockaddr_in addr;
	int n = sizeof(addr);

	assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &addr), 0);
	assert_int_equal(uv_tcp_init(loop, &p->listener), 0);
	p->listener.data = p;
	assert_int_equal(uv_tcp_bind(&p->listener, (struct sockaddr *)&addr, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&p->listener, 1, on_connection), 0);
	assert_int_equal(uv_tcp_getsockname(&p->listener, (struct sockaddr *)&addr, &n), 0);
	(void)snprintf(endpoint, 32, "127.0.0.1:%d", ntohs(addr.sin_port));
}

static void core_begin(struct agent_core *core, uv_loop_t *loop)
{
	assert_int_equal(uv_loop_init(loop), 0);
	*core = (struct agent_core){.env = base_env_system(), .loop = loop};
	assert_ok("kicks", agent_kicks_new(core, &core->kicks, err));
}

static void a_kick_is_one_request(void **state)
{
	struct peer p = {.answers = true};
	struct agent_core core;
	uv_loop_t loop;
	char endpoint[32];

	(void)state;
	core_begin(&core, &loop);
	peer_listen(&p, &loop, endpoint);
	agent_kick_send(&core, base_str(endpoint), STR("p-1.01234567"), STR("42"));
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_non_null(strstr(p.got, "POST /v1/kick HTTP/1.1\r\nHost: 127.0.0.1:"));
	assert_non_null(
		strstr(p.got, "\r\n\r\n{\"name\":\"p-1.01234567\",\"resourceVersion\":\"42\"}"));
	assert_int_equal(agent_kicks_stats(core.kicks).answered, 1);
	agent_kicks_free(core.kicks);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_silent_leader_is_given_up(void **state)
{
	struct peer p = {.answers = false};
	struct agent_core core;
	uv_loop_t loop;
	char endpoint[32];

	(void)state;
	core_begin(&core, &loop);
	peer_listen(&p, &loop, endpoint);
	uv_update_time(&loop);
	const int64_t begun = base_boot_ns(&core.env);
	agent_kick_send(&core, base_str(endpoint), STR("p-1.01234567"), STR("42"));
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	/* The loop's clock counts whole milliseconds, and is another one. */
	assert_true(base_boot_ns(&core.env) - begun >= (AGENT_KICK_MS - 5) * NS_PER_MS);
	assert_int_equal(agent_kicks_stats(core.kicks).failed, 1);
	agent_kicks_free(core.kicks);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void kicks_are_bounded(void **state)
{
	struct agent_core core;
	uv_loop_t loop;

	(void)state;
	core_begin(&core, &loop);
	for (size_t i = 0; i < 100; i++)
		agent_kick_send(&core, STR("127.0.0.1:1"), STR("p-1.01234567"), STR("42"));
	assert_true(agent_kicks_stats(core.kicks).sent <= AGENT_KICKS_A_SECOND);
	assert_int_equal(
		agent_kicks_stats(core.kicks).sent + agent_kicks_stats(core.kicks).dropped, 100);
	agent_kick_send(&core, STR("nonsense"), STR("x"), STR("1"));
	/* Gone with kicks under way. */
	agent_kicks_free(core.kicks);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kick_is_one_request),
		cmocka_unit_test(a_silent_leader_is_given_up),
		cmocka_unit_test(kicks_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
