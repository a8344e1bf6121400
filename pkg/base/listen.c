#include "pkg/base/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static int open_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

bool base_has_ipv6(void)
{
	const int fd = open_socket(AF_INET6);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static bool is_any(const struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;

	return a->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr);
}

/* The same port of 0.0.0.0. */
static struct sockaddr_storage any_v4(const struct sockaddr_storage *six)
{
	struct sockaddr_storage a = {.ss_family = AF_INET};

	((struct sockaddr_in *)&a)->sin_port = ((const struct sockaddr_in6 *)six)->sin6_port;
	return a;
}

int base_listen(const struct sockaddr_storage *a, int backlog, int *ret_fd, struct err *err)
{
	const bool any = is_any(a);
	const struct sockaddr_storage at = any && !base_has_ipv6() ? any_v4(a) : *a;
	const socklen_t n =
		at.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	const int fd = open_socket(at.ss_family);
	const int on = 1;
	const int only = !any;

	if (fd < 0)
		return FAIL(err, ERR_TERMINAL, "no socket: %s", strerrordesc_np(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	if (bind(fd, (const struct sockaddr *)&at, n) < 0 || listen(fd, backlog) < 0) {
		const int why = errno;
		(void)close(fd);
		return FAIL(err, why == EACCES || why == EPERM ? ERR_DENIED : ERR_TERMINAL,
			"cannot listen: %s", strerrordesc_np(why));
	}
	*ret_fd = fd;
	return 0;
}
