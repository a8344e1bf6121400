/* The watchdog against a listener that holds, closes, refuses or says nothing. */
#include "controller/alive.h"

#include "pkg/base/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
	int listener, held;
	char endpoint[32];
	uint16_t port;
};

static void listen_on(struct peer *p, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t n = sizeof(a);
	const int on = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(p->listener, 4), 0);
	assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &n), 0);
	p->port = ntohs(a.sin_port);
	p->held = -1;
	(void)snprintf(p->endpoint, sizeof(p->endpoint), "127.0.0.1:%u", (unsigned)p->port);
}

static void answer(struct peer *p)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	char request[256];

	p->held = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(p->held >= 0);
	const ssize_t n = read(p->held, request, sizeof(request) - 1);
	assert_true(n > 0);
	request[n] = '\0';
	assert_non_null(strstr(request, "GET /v1/alive HTTP/1.1\r\n"));
	assert_int_equal(write(p->held, reply, sizeof(reply) - 1), (ssize_t)sizeof(reply) - 1);
}

static void shut(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

struct fixture {
	uv_loop_t loop;
	struct controller_core core;
	struct controller_watchdog *dog;
	struct peer peer;
	uv_timer_t limit;
	int changes;
};

static void changed(void *ctx)
{
	struct fixture *f = ctx;

	f->changes++;
}

static void over(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* Runs the loop until the state is `want`, or ms have gone by. */
static bool comes_to(struct fixture *f, enum controller_alive want, uint64_t ms)
{
	const uint64_t until = uv_now(&f->loop) + ms;

	for (;;) {
		if (controller_watchdog_state(f->dog) == want)
			return true;
		uv_update_time(&f->loop);
		if (uv_now(&f->loop) >= until)
			return false;
		(void)uv_timer_start(&f->limit, over, 10, 0);
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	}
}

/* Until somebody waits at the listener. */
static bool is_called(struct fixture *f, uint64_t ms)
{
	const uint64_t until = uv_now(&f->loop) + ms;
	struct pollfd p = {.fd = f->peer.listener, .events = POLLIN};

	for (;;) {
		if (poll(&p, 1, 0) == 1)
			return true;
		uv_update_time(&f->loop);
		if (uv_now(&f->loop) >= until)
			return false;
		(void)uv_timer_start(&f->limit, over, 10, 0);
		(void)uv_run(&f->loop, UV_RUN_ONCE);
	}
}

static void setup(struct fixture *f)
{
	*f = (struct fixture){0};
	assert_int_equal(uv_loop_init(&f->loop), 0);
	assert_int_equal(uv_timer_init(&f->loop, &f->limit), 0);
	f->core.loop = &f->loop;
	listen_on(&f->peer, 0);
	assert_ok("watchdog", controller_watchdog_new(&f->core, changed, f, &f->dog, err));
}

static void teardown(struct fixture *f)
{
	f->dog = controller_watchdog_free(f->dog);
	uv_close((uv_handle_t *)&f->limit, NULL);
	(void)uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	shut(&f->peer.held);
	shut(&f->peer.listener);
	assert_int_equal(base_alloc_live(), 0);
}

static void be_held(struct fixture *f)
{
	controller_watchdog_set(f->dog, base_str(f->peer.endpoint), 3);
	assert_true(is_called(f, 2000));
	/* The loop sends the request. */
	(void)comes_to(f, CONTROLLER_ALIVE_REFUSED, 50);
	answer(&f->peer);
	assert_true(comes_to(f, CONTROLLER_ALIVE_HELD, 2000));
	assert_int_equal(f->changes, 1);
}

static void test_held_then_dead(void **state)
{
	static struct fixture f;

	(void)state;
	setup(&f);
	be_held(&f);
	/* The process is gone: the kernel closes what it held and refuses what comes. */
	shut(&f.peer.listener);
	shut(&f.peer.held);
	assert_true(comes_to(&f, CONTROLLER_ALIVE_REFUSED, 2000));
	assert_int_equal(f.changes, 2);
	teardown(&f);
}

static void test_restarted_in_time(void **state)
{
	static struct fixture f;

	(void)state;
	setup(&f);
	be_held(&f);
	/* A network half that crashes is back before the third refusal. */
	shut(&f.peer.listener);
	shut(&f.peer.held);
	assert_false(comes_to(&f, CONTROLLER_ALIVE_REFUSED, CONTROLLER_REFUSAL_MS / 2));
	listen_on(&f.peer, f.peer.port);
	assert_true(is_called(&f, 2000));
	(void)comes_to(&f, CONTROLLER_ALIVE_REFUSED, 50);
	answer(&f.peer);
	assert_true(comes_to(&f, CONTROLLER_ALIVE_HELD, 2000));
	teardown(&f);
}

static void test_closed_is_not_dead(void **state)
{
	static struct fixture f;

	(void)state;
	setup(&f);
	be_held(&f);
	/* It closes, and still listens: nobody died. */
	shut(&f.peer.held);
	assert_false(comes_to(&f, CONTROLLER_ALIVE_REFUSED, 500));
	assert_int_equal(controller_watchdog_state(f.dog), CONTROLLER_ALIVE_UNKNOWN);
	teardown(&f);
}

static void test_closing_again_and_again(void **state)
{
	static struct fixture f;
	int calls = 0;

	(void)state;
	setup(&f);
	be_held(&f);
	shut(&f.peer.held);
	/* Whoever answers and closes at once is not called as fast as he can close. */
	for (const uint64_t until = uv_now(&f.loop) + 600; uv_now(&f.loop) < until; calls++) {
		if (!is_called(&f, 100))
			continue;
		(void)comes_to(&f, CONTROLLER_ALIVE_REFUSED, 10);
		answer(&f.peer);
		(void)comes_to(&f, CONTROLLER_ALIVE_REFUSED, 10);
		shut(&f.peer.held);
	}
	assert_true(calls <= 10);
	teardown(&f);
}

static void test_never_held_proves_nothing(void **state)
{
	static struct fixture f;

	(void)state;
	setup(&f);
	shut(&f.peer.listener);
	controller_watchdog_set(f.dog, base_str(f.peer.endpoint), 3);
	assert_false(comes_to(&f, CONTROLLER_ALIVE_REFUSED, 500));
	assert_int_equal(f.changes, 0);
	teardown(&f);
}

static void test_silence_proves_nothing(void **state)
{
	static struct fixture f;

	(void)state;
	setup(&f);
	controller_watchdog_set(f.dog, base_str(f.peer.endpoint), 3);
	assert_true(is_called(&f, 2000));
	/* Accepted by the kernel, answered by nobody. */
	assert_false(comes_to(&f, CONTROLLER_ALIVE_HELD, 300));
	assert_int_equal(controller_watchdog_state(f.dog), CONTROLLER_ALIVE_UNKNOWN);
	teardown(&f);
}

static void test_another_term_begins_anew(void **state)
{
	static struct fixture f;

	(void)state;
	setup(&f);
	be_held(&f);
	controller_watchdog_set(f.dog, base_str(f.peer.endpoint), 4);
	assert_int_equal(controller_watchdog_state(f.dog), CONTROLLER_ALIVE_UNKNOWN);
	/* What was held in the former term does not count in this one. */
	shut(&f.peer.listener);
	shut(&f.peer.held);
	assert_false(comes_to(&f, CONTROLLER_ALIVE_REFUSED, 500));
	teardown(&f);
}

static void test_hostile_endpoints(void **state)
{
	static const char *const endpoints[] = {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
		"127.0.0.1:65536", "localhost:80", "[::1", "[::1]:", ":80", "1.2.3.4:80:90",
		"\001:1"};
	static struct fixture f;

	(void)state;
	setup(&f);
	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
		controller_watchdog_set(f.dog, base_str(endpoints[i]), (int64_t)i + 1);
		if (comes_to(&f, CONTROLLER_ALIVE_HELD, 20) || f.changes)
			fail_msg("'%s'", endpoints[i]);
	}
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_then_dead),
		cmocka_unit_test(test_restarted_in_time),
		cmocka_unit_test(test_closed_is_not_dead),
		cmocka_unit_test(test_closing_again_and_again),
		cmocka_unit_test(test_never_held_proves_nothing),
		cmocka_unit_test(test_silence_proves_nothing),
		cmocka_unit_test(test_another_term_begins_anew),
		cmocka_unit_test(test_hostile_endpoints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
