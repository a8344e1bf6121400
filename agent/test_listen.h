/* A peer on a unix socket, for tests of what asks an agent. Tests only. */
#ifndef AGENT_TEST_LISTEN_H
#define AGENT_TEST_LISTEN_H

#include "pkg/base/test.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A socket that listens at path, whatever was there; the caller closes it. */
static inline int test_listen(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	(void)unlink(path);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

#endif
