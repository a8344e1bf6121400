/* A keeper's process behind a socketpair, without its own program. Tests and benchmarks only. */
#ifndef KEEPER_CHILD_H
#define KEEPER_CHILD_H

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/run.h"
#include "pkg/base/test.h"

struct child {
	pid_t pid;
	int fd;       /* our end */
	int their_fd; /* until the child runs: what is sent before waits there */
};

static inline void child_pair(struct child *c)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	*c = (struct child){.fd = fds[0], .their_fd = fds[1]};
}

/* Runs `body` in a child of its own; its value is the exit status. */
static inline void child_run(struct child *c, int (*body)(int fd))
{
	(void)fflush(NULL);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		(void)close(c->fd);
		_exit(body(c->their_fd));
	}
	(void)close(c->their_fd);
}

/* Its exit status; 256 + n for signal n. */
static inline int child_end(struct child *c)
{
	int status = 0;

	if (c->fd >= 0)
		(void)close(c->fd);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static inline void child_send(struct child *c, struct kmsg_request request)
{
	uint8_t packet[KMSG_PACKET_MAX];
	size_t n = 0;

	assert_ok("encode", kmsg_request_encode(&request, packet, &n, err));
	assert_int_equal(write(c->fd, packet, n), (ssize_t)n);
}

static inline struct kmsg_reply child_receive(struct child *c)
{
	uint8_t packet[KMSG_PACKET_MAX];
	struct kmsg_reply reply;
	struct pollfd p = {.fd = c->fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 20000), 1);
	const ssize_t n = read(c->fd, packet, sizeof(packet));
	assert_true(n > 0);
	assert_ok("decode", kmsg_reply_decode(packet, (size_t)n, &reply, err));
	return reply;
}

static inline struct kmsg_reply child_ask(struct child *c, struct kmsg_request request)
{
	child_send(c, request);
	const struct kmsg_reply reply = child_receive(c);
	assert_int_equal(reply.op, request.op);
	assert_int_equal(reply.seq, request.seq);
	return reply;
}

#endif
