/* Clients that do not read while their request's body waits for that. */
#include "pkg/http/test_client.h"

#include <fcntl.h>

#define STALL_NS (NS_PER_S)

/* Writes until nothing more is taken for a while; how much was. */
static size_t stuff(int fd)
{
	static const char piece[16384];
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	size_t n = 0;

	while (poll(&p, 1, 300) == 1) {
		const ssize_t r = send(fd, piece, sizeof(piece), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	return n;
}

static struct served start(int64_t stall_ns)
{
	return serve_start(
		(struct http_config){.limits = {.idle_ns = 60 * NS_PER_S, .stall_ns = stall_ns}});
}

#define BACK "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 100000000\r\n\r\n"

static void test_who_does_not_read_is_cut(void **state)
{
	struct served s = start(STALL_NS);
	char out[4096];
	bool end = false;
	const int fd = dial(&s);

	(void)state;
	put(fd, STR(BACK));
	assert_true(stuff(fd) > 0);
	assert_true(reaches(&s.shared->gones, 1));
	assert_int_equal(s.shared->stalls, 1);
	/* It sees that: nothing more is taken, and the answer is cut. */
	assert_true(send(fd, "x", 1, MSG_NOSIGNAL) < 0);
	while (!end)
		(void)get(fd, out, sizeof(out), 1000, &end);
	assert_null(strstr(out, "\r\n0\r\n"));
	(void)close(fd);
	serve_stop(&s);
}

/* Slowly is not never, and to be idle with nothing to read is no stall. */
static void test_others_are_left_alone(void **state)
{
	struct served s = start(STALL_NS);
	char out[8192];
	bool end = false;
	const int slow = dial(&s), idle = dial(&s);

	(void)state;
	put(slow, STR(BACK));
	put(idle, STR(BACK "abc"));
	assert_true(stuff(slow) > 0);
	for (int i = 0; i < 8; i++) {
		(void)usleep(300000);
		for (int j = 0; j < 16; j++)
			(void)get(slow, out, sizeof(out), 0, &end);
		assert_false(end);
	}
	(void)get(idle, out, sizeof(out), 200, &end);
	assert_false(end);
	assert_int_equal(s.shared->gones, 0);
	(void)close(slow);
	(void)close(idle);
	assert_true(reaches(&s.shared->gones, 2));
	assert_int_equal(s.shared->stalls, 0);
	serve_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_does_not_read_is_cut),
		cmocka_unit_test(test_others_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
