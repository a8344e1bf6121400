/* The client side of the tests of pkg/http: raw bytes on a socket. Tests only.
 */
#ifndef HTTP_TEST_CLIENT_H
#define HTTP_TEST_CLIENT_H

#include "pkg/http/test_handlers.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define HOST "Host: functionkey\r\n"

static inline struct sockaddr_un unix_address_of(const struct served *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memcpy(a.sun_path, s->path, strlen(s->path));
	return a;
}

static inline int dial(const struct served *s)
{
	const struct sockaddr_un a = unix_address_of(s);
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static inline void put(int fd, struct str s)
{
	while (s.n > 0) {
		const ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
		if (n <= 0)
			return; /* it may have been refused meanwhile */
		s = base_str_sub(s, (size_t)n, s.n);
	}
}

/* What comes within ms milliseconds without a byte, up to cap - 1 bytes or the end; *ret_end tells
 * whether that came. */
static inline size_t get(int fd, char *dst, size_t cap, int ms, bool *ret_end)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t n = 0;

	*ret_end = false;
	while (n + 1 < cap && poll(&p, 1, ms) == 1) {
		const ssize_t r = recv(fd, dst + n, cap - 1 - n, 0);
		*ret_end = r <= 0;
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	dst[n] = 0;
	return n;
}

/* Polls until *n is at least want; the server counts in its own time. */
static inline bool reaches(const volatile unsigned *n, unsigned want)
{
	for (int i = 0; i < 300 && *n < want; i++)
		(void)usleep(10000);
	return *n >= want;
}

#endif
