/* The link with the other end of the pair in our own hands: what a keeper would answer is written
 * here, byte by byte where it matters. */
#include <sys/socket.h>
#include <unistd.h>

#include "agent/keeperlink.h"
#include "pkg/base/test.h"

struct fixture {
	uv_loop_t loop;
	struct env_fake fake;
	struct env env;
	struct agent_keeper *k;
	int peer;
	int gone, answered, refused;
	enum err_class class; /* of the last refusal */
	struct kmsg_reply reply;
	uint8_t order[KMSG_QUEUE_MAX]; /* ids of answers as they came */
};

static void on_gone(void *ctx, const struct err *err)
{
	struct fixture *f = ctx;

	assert_int_equal(err->class, ERR_NOT_READY);
	f->gone++;
}

static void on_done(void *ctx, const struct kmsg_reply *reply, const struct err *err)
{
	struct fixture *f = ctx;

	assert_true((reply == NULL) != (err == NULL));
	if (!reply) {
		f->class = err ? err->class : ERR_BUG;
		f->refused++;
		return;
	}
	f->order[f->answered % KMSG_QUEUE_MAX] = (uint8_t)reply->open.k.b[0];
	f->reply = *reply;
	f->answered++;
}

static void fixture_begin(struct fixture *f)
{
	int fds[2];

	f->fake = (struct env_fake){.seed = 3};
	f->env = base_env_fake(&f->fake);
	assert_int_equal(uv_loop_init(&f->loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	f->peer = fds[1];
	assert_ok("new", agent_keeper_new(&f->loop, fds[0], &f->env,
				 (struct agent_keeper_events){on_gone, f}, &f->k, err));
}

static void fixture_done(struct fixture *f)
{
	f->k = agent_keeper_free(f->k);
	if (f->peer >= 0)
		(void)close(f->peer);
	while (uv_run(&f->loop, UV_RUN_NOWAIT))
		;
	assert_int_equal(uv_loop_close(&f->loop), 0);
}
CLEANUP_DONE(struct fixture, fixture_done);

static struct kmsg_request receive(struct fixture *f)
{
	uint8_t packet[KMSG_PACKET_MAX];
	struct kmsg_request r;
	const ssize_t n = recv(f->peer, packet, sizeof(packet), MSG_DONTWAIT);

	assert_true(n > 0);
	assert_ok("request", kmsg_request_decode(packet, (size_t)n, &r, err));
	return r;
}

static void answer(struct fixture *f, struct kmsg_reply reply)
{
	uint8_t packet[KMSG_PACKET_MAX];
	size_t n = 0;

	assert_ok("reply", kmsg_reply_encode(&reply, packet, &n, err));
	assert_int_equal(write(f->peer, packet, n), (ssize_t)n);
}

static void turn(struct fixture *f)
{
	for (int i = 0; i < 10; i++)
		(void)uv_run(&f->loop, UV_RUN_NOWAIT);
}

static const struct kmsg_request an_open = {.op = KMSG_OPEN};
static const struct kmsg_request a_stats = {.op = KMSG_STATS};

static void test_answers_find_their_requests(void **state)
{
	_cleanup_(fixture_done) struct fixture f = {0};
	struct kmsg_request r[3];

	(void)state;
	fixture_begin(&f);
	for (int i = 0; i < 3; i++)
		assert_ok("send", agent_keeper_request(f.k, &an_open, on_done, &f, err));
	for (int i = 0; i < 3; i++)
		r[i] = receive(&f);
	turn(&f);
	assert_int_equal(f.answered, 0);
	/* out of order, as a keeper with priorities answers */
	for (int i = 2; i >= 0; i--)
		answer(&f, (struct kmsg_reply){
				   .op = KMSG_OPEN, .seq = r[i].seq, .open.k.b = {(uint8_t)i}});
	turn(&f);
	assert_int_equal(f.answered, 3);
	assert_memory_equal(f.order, "\2\1\0", 3);
	assert_int_equal(agent_keeper_stats(f.k).replies, 3);
	assert_int_equal(agent_keeper_stats(f.k).out[KMSG_OPENS], 0);
	/* a refusal has its class */
	assert_ok("send", agent_keeper_request(f.k, &an_open, on_done, &f, err));
	answer(&f, (struct kmsg_reply){.op = KMSG_OPEN,
			   .seq = receive(&f).seq,
			   .status = ERR_TAMPERED,
			   .message = "it was changed"});
	turn(&f);
	assert_int_equal(f.refused, 1);
	assert_int_equal(f.class, ERR_TAMPERED);
	assert_int_equal(f.gone, 0);
}

static void test_stale_answers_are_dropped(void **state)
{
	_cleanup_(fixture_done) struct fixture f = {0};

	(void)state;
	fixture_begin(&f);
	assert_ok("send", agent_keeper_request(f.k, &a_stats, on_done, &f, err));
	const uint32_t seq = receive(&f).seq;
	const struct {
		const char *name;
		enum kmsg_op op;
		uint32_t seq;
	} rows[] = {
		{"of another place", KMSG_STATS, seq ^ 1},
		{"of the place's former use", KMSG_STATS, seq - KMSG_QUEUE_MAX},
		{"of another operation", KMSG_HELD, seq},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		answer(&f, (struct kmsg_reply){.op = rows[i].op, .seq = rows[i].seq});
		turn(&f);
		assert_int_equal(f.answered, 0);
		assert_int_equal(agent_keeper_stats(f.k).stale, i + 1);
	}
	answer(&f, (struct kmsg_reply){.op = KMSG_STATS, .seq = seq});
	answer(&f, (struct kmsg_reply){.op = KMSG_STATS, .seq = seq});
	turn(&f);
	assert_int_equal(f.answered, 1);
	assert_int_equal(agent_keeper_stats(f.k).stale, ARRAY_LEN(rows) + 1);
}

static void test_places_run_out_by_kind(void **state)
{
	_cleanup_(fixture_done) struct fixture f = {0};
	struct kmsg_request grant = {.op = KMSG_GRANT, .grant = {.epoch = 1, .term = 1}};
	struct kmsg_name *names[] = {&grant.grant.member.ns, &grant.grant.member.revision,
		&grant.grant.member.pod, &grant.grant.member.pod_uid};
	char longest[KMSG_NAME_MAX];

	(void)state;
	fixture_begin(&f);
	memset(longest, 'n', sizeof(longest));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_ok(
			"name", kmsg_name_set(names[i], base_str_n(longest, sizeof(longest)), err));
	grant.grant.member.incarnation = 1;
	const struct {
		const char *name;
		const struct kmsg_request *request;
		int max;
	} rows[] = {
		{"grants", &grant, AGENT_KEEPER_GRANTS_MAX},
		{"opens", &an_open, AGENT_KEEPER_OPENS_MAX},
		{"control", &a_stats,
			KMSG_QUEUE_MAX - AGENT_KEEPER_OPENS_MAX - AGENT_KEEPER_GRANTS_MAX},
	};
	/* nobody reads: the socket must hold all of them */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int n = 0; n < rows[i].max; n++)
			assert_ok(rows[i].name,
				agent_keeper_request(f.k, rows[i].request, on_done, &f, err));
		assert_class(rows[i].name, ERR_NOT_READY,
			agent_keeper_request(f.k, rows[i].request, on_done, &f, err));
	}
	assert_int_equal(agent_keeper_stats(f.k).refused, 3);
	for (int i = 0; i < KMSG_QUEUE_MAX; i++) {
		const struct kmsg_request r = receive(&f);
		answer(&f,
			(struct kmsg_reply){
				.op = r.op, .seq = r.seq, .grant.sealed_len = r.op == KMSG_GRANT});
	}
	turn(&f);
	assert_int_equal(f.answered, KMSG_QUEUE_MAX);
	assert_ok("again", agent_keeper_request(f.k, &an_open, on_done, &f, err));
}

static void test_bad_requests_take_no_place(void **state)
{
	_cleanup_(fixture_done) struct fixture f = {0};
	const struct kmsg_request bad = {.op = KMSG_TERM};

	(void)state;
	fixture_begin(&f);
	assert_class("term 0", ERR_INVALID, agent_keeper_request(f.k, &bad, on_done, &f, err));
	assert_int_equal(agent_keeper_stats(f.k).out[KMSG_CONTROL], 0);
}

static void test_the_end(void **state)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t n;
	} rows[] = {
		{"end of file", NULL, 0},
		{"no reply", "\0\2\0\13\0\0\0\1\0\0\0\0", 12},
		{"empty packet", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(fixture_done) struct fixture f = {0};
		fixture_begin(&f);
		for (int n = 0; n < 5; n++)
			assert_ok("send", agent_keeper_request(f.k, &an_open, on_done, &f, err));
		for (int n = 0; n < 5; n++)
			(void)receive(&f);
		if (rows[i].bytes) {
			assert_int_equal(send(f.peer, rows[i].bytes, rows[i].n, 0), rows[i].n);
		} else {
			(void)close(f.peer);
			f.peer = -1;
		}
		turn(&f);
		assert_int_equal(f.gone, 1);
		assert_int_equal(f.refused, 5);
		assert_int_equal(f.class, ERR_NOT_READY);
		assert_class(rows[i].name, ERR_NOT_READY,
			agent_keeper_request(f.k, &an_open, on_done, &f, err));
	}
}

static void free_at_once(void *ctx, const struct kmsg_reply *reply, const struct err *err)
{
	struct fixture *f = ctx;

	(void)reply;
	(void)err;
	f->answered++;
	f->k = agent_keeper_free(f->k);
}

static void test_it_can_be_freed_from_a_callback(void **state)
{
	(void)state;
	for (int close_first = 0; close_first < 2; close_first++) {
		_cleanup_(fixture_done) struct fixture f = {0};
		fixture_begin(&f);
		for (int n = 0; n < 3; n++)
			assert_ok(
				"send", agent_keeper_request(f.k, &a_stats, free_at_once, &f, err));
		for (int n = 0; n < 3 && !close_first; n++)
			answer(&f, (struct kmsg_reply){.op = KMSG_STATS, .seq = receive(&f).seq});
		if (close_first) {
			(void)close(f.peer);
			f.peer = -1;
		}
		turn(&f);
		assert_int_equal(f.answered, 1);
		assert_int_equal(f.gone, 0);
	}
}

/* -- asking and waiting -- */

static int answer_in_a_child(struct fixture *f, const struct kmsg_reply *replies, size_t n)
{
	const pid_t pid = fork();

	if (pid)
		return pid;
	uint8_t packet[KMSG_PACKET_MAX];
	struct kmsg_request r = {0};
	if (recv(f->peer, packet, sizeof(packet), 0) <= 0)
		_exit(1);
	r.seq = (uint32_t)packet[4] << 24 | (uint32_t)packet[5] << 16 | (uint32_t)packet[6] << 8 |
		packet[7];
	for (size_t i = 0; i < n; i++) {
		struct kmsg_reply reply = replies[i];
		reply.seq += r.seq;
		answer(f, reply);
	}
	_exit(0);
}

static void test_ask_waits_for_its_answer(void **state)
{
	_cleanup_(fixture_done) struct fixture f = {0};
	const struct kmsg_request ask = {.op = KMSG_HELD};
	const struct kmsg_reply good[] = {
		{.op = KMSG_OPEN, .seq = 7}, /* of the network half before */
		{.op = KMSG_HELD, .held.incarnation = 4}};
	const struct kmsg_reply bad[] = {
		{.op = KMSG_HELD, .status = ERR_EXISTS, .message = "another"}};
	struct kmsg_reply got;

	(void)state;
	fixture_begin(&f);
	(void)answer_in_a_child(&f, good, ARRAY_LEN(good));
	assert_ok("ask", agent_keeper_ask(f.k, &ask, 20000, &got, err));
	assert_int_equal(got.held.incarnation, 4);
	assert_int_equal(agent_keeper_stats(f.k).stale, 1);
	(void)answer_in_a_child(&f, bad, ARRAY_LEN(bad));
	assert_class("refused", ERR_EXISTS, agent_keeper_ask(f.k, &ask, 20000, &got, err));
	assert_class("nobody", ERR_TRANSIENT, agent_keeper_ask(f.k, &ask, 20, &got, err));
	(void)close(f.peer);
	f.peer = -1;
	assert_class("gone", ERR_NOT_READY, agent_keeper_ask(f.k, &ask, 20000, &got, err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_find_their_requests),
		cmocka_unit_test(test_stale_answers_are_dropped),
		cmocka_unit_test(test_places_run_out_by_kind),
		cmocka_unit_test(test_bad_requests_take_no_place),
		cmocka_unit_test(test_the_end),
		cmocka_unit_test(test_it_can_be_freed_from_a_callback),
		cmocka_unit_test(test_ask_waits_for_its_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
