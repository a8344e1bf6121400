#include "keeper/child.h"
#include "keeper/life.h"
#include "keeper/queue.h"

static int run_keeper(int fd)
{
	return keeper_run(fd);
}

static struct kmsg_request numbered(struct kmsg_request r, uint32_t seq)
{
	r.seq = seq;
	return r;
}

static struct kmsg_request init_request(void)
{
	return (struct kmsg_request){.op = KMSG_INIT, .init.who = life_who("r", "p")};
}

static void test_a_keeper_answers_and_goes(void **state)
{
	struct child c;

	(void)state;
	child_pair(&c);
	child_run(&c, run_keeper);
	assert_int_equal(child_ask(&c, life_plain(KMSG_HELD)).held.incarnation, 0);
	assert_int_equal(child_ask(&c, numbered(init_request(), 7)).status, ERR_OK);
	const struct kmsg_stats_reply stats = child_ask(&c, life_plain(KMSG_STATS)).stats;
#ifdef BASE_SANITIZED
	assert_int_equal(stats.sandboxed, 0);
#else
	assert_int_equal(stats.sandboxed, 1);
#endif
	assert_int_equal(child_end(&c), KEEPER_EXIT_GONE);
}

/* All that waits is done in order of urgency, and in its own order within that. */
static void test_urgent_first(void **state)
{
	static const enum kmsg_op sent[] = {KMSG_GRANT, KMSG_GRANT, KMSG_OPEN, KMSG_TERM, KMSG_OPEN,
		KMSG_GRANT, KMSG_STATS, KMSG_OPEN};
	static const uint32_t want[] = {3, 6, 2, 4, 7, 0, 1, 5};
	struct kmsg_request of[KMSG_OP_COUNT] = {
		[KMSG_GRANT] = {.op = KMSG_GRANT,
			.grant = {.epoch = 1, .term = 1, .member = life_who("r", "p")}},
		[KMSG_OPEN] = life_plain(KMSG_OPEN),
		[KMSG_TERM] = {.op = KMSG_TERM, .term.term = 1},
		[KMSG_STATS] = life_plain(KMSG_STATS),
	};
	struct child c;

	(void)state;
	child_pair(&c);
	for (uint32_t i = 0; i < ARRAY_LEN(sent); i++)
		child_send(&c, numbered(of[sent[i]], i));
	child_run(&c, run_keeper);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(child_receive(&c).seq, want[i]);
	assert_int_equal(child_end(&c), KEEPER_EXIT_GONE);
}

/* What a network half that is gone left behind is not done for the next one. */
static void test_held_drops_what_waits(void **state)
{
	struct child c;

	(void)state;
	child_pair(&c);
	for (uint32_t i = 0; i < 20; i++)
		child_send(&c, numbered(life_plain(KMSG_OPEN), i));
	child_send(&c, numbered(life_plain(KMSG_HELD), 100));
	child_send(&c, numbered(life_plain(KMSG_OPEN), 101));
	child_run(&c, run_keeper);
	assert_int_equal(child_receive(&c).seq, 100);
	assert_int_equal(child_receive(&c).seq, 101);
	assert_int_equal(child_end(&c), KEEPER_EXIT_GONE);
}

static void test_malformed_packets_end_it(void **state)
{
	static uint8_t big[KMSG_PACKET_MAX + 1];
	static const struct {
		const char *name;
		const void *p;
		size_t n;
	} rows[] = {
		{"no bytes", "", 0},
		{"one byte", "", 1},
		{"other version", "\0\2\0\13\0\0\0\1\0\0\0", 12},
		{"unknown operation", "\0\1\0\77\0\0\0\1\0\0\0", 12},
		{"trailing byte", "\0\1\0\13\0\0\0\1\0\0\0\1", 13},
		{"oversize", big, sizeof(big)},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct child c;
		child_pair(&c);
		child_run(&c, run_keeper);
		assert_int_equal(child_ask(&c, init_request()).status, ERR_OK);
		assert_int_equal(send(c.fd, rows[i].p, rows[i].n, 0), (ssize_t)rows[i].n);
		struct pollfd p = {.fd = c.fd};
		assert_int_equal(poll(&p, 1, 20000), 1);
		assert_int_equal(child_end(&c), KEEPER_EXIT_MALFORMED);
	}
}

static int run_on_a_pipe(int fd)
{
	int fds[2];

	(void)fd;
	if (pipe(fds) != 0 || freopen("/dev/null", "w", stderr) == NULL)
		return 99;
	return keeper_run(fds[0]);
}

static void test_only_a_seqpacket_socket_is_served(void **state)
{
	struct child c;

	(void)state;
	child_pair(&c);
	child_run(&c, run_on_a_pipe);
	assert_int_equal(child_end(&c), KEEPER_EXIT_FAILED);
}

/* A peer that sends without reading gets all its answers in the end. */
static void test_a_slow_reader_loses_nothing(void **state)
{
	enum { COUNT = KMSG_QUEUE_MAX };
	uint8_t packet[KMSG_PACKET_MAX];
	struct kmsg_request held = life_plain(KMSG_HELD);
	struct child c;
	size_t n = 0;

	(void)state;
	child_pair(&c);
	child_run(&c, run_keeper);
	assert_int_equal(child_ask(&c, held).status, ERR_OK);
	for (uint32_t i = 0; i < COUNT; i++) {
		held = numbered(life_plain(KMSG_STATS), i);
		assert_ok("encode", kmsg_request_encode(&held, packet, &n, err));
		assert_int_equal(write(c.fd, packet, n), (ssize_t)n);
	}
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(child_receive(&c).seq, i);
	assert_int_equal(child_end(&c), KEEPER_EXIT_GONE);
}

static void test_the_queue_holds_what_it_says(void **state)
{
	_cleanup_(keeper_queue_done) struct keeper_queue q = {0};
	uint8_t packet[KMSG_PACKET_MAX];
	size_t n = 0;

	(void)state;
	assert_ok("init", keeper_queue_init(&q, err));
	assert_true(keeper_queue_empty(&q));
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < KMSG_QUEUE_MAX; i++) {
			const struct kmsg_request r =
				numbered(life_plain(i % 2 ? KMSG_STATS : KMSG_OPEN), i);
			assert_false(keeper_queue_full(&q));
			assert_ok("encode", kmsg_request_encode(&r, packet, &n, err));
			assert_ok("put", keeper_queue_put(&q, packet, n, err));
		}
		assert_true(keeper_queue_full(&q));
		for (uint32_t i = 0; i < KMSG_QUEUE_MAX; i++) {
			const uint32_t half = KMSG_QUEUE_MAX / 2;
			const uint32_t want = i < half ? 2 * i + 1 : 2 * (i - half);
			assert_int_equal(keeper_queue_take(&q)->seq, want);
		}
		assert_null(keeper_queue_take(&q));
	}
	assert_class("malformed", ERR_INVALID, keeper_queue_put(&q, packet, n - 1, err));
	assert_true(keeper_queue_empty(&q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_keeper_answers_and_goes),
		cmocka_unit_test(test_urgent_first),
		cmocka_unit_test(test_held_drops_what_waits),
		cmocka_unit_test(test_malformed_packets_end_it),
		cmocka_unit_test(test_only_a_seqpacket_socket_is_served),
		cmocka_unit_test(test_a_slow_reader_loses_nothing),
		cmocka_unit_test(test_the_queue_holds_what_it_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
