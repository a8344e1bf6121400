/* Who reaches a socket that listens: a table of addresses, with and without IPv6 in the kernel. */
#include "pkg/base/listen.h"

#include "pkg/base/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_storage address(const char *text, uint16_t port)
{
	struct sockaddr_storage a = {0};
	struct sockaddr_in *four = (struct sockaddr_in *)&a;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a;

	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
	}
	return a;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 a = {0};
	socklen_t n = sizeof(a);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	/* at the same place in a sockaddr_in */
	return ntohs(a.sin6_port);
}

static bool reaches(const char *text, uint16_t port)
{
	const struct sockaddr_storage a = address(text, port);
	const int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const bool reached =
		fd >= 0 && connect(fd, (const struct sockaddr *)&a,
				   a.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							   : sizeof(struct sockaddr_in)) == 0;

	if (fd >= 0)
		(void)close(fd);
	return reached;
}

static const struct {
	const char *at;
	bool four, six; /* who reaches it, by loopback */
} rows[] = {
	{"::", true, true},
	{"::1", false, true},
	{"0.0.0.0", true, false},
	{"127.0.0.1", true, false},
};

static void test_who_reaches(void **state)
{
	(void)state;
	if (!base_has_ipv6())
		skip();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct sockaddr_storage a = address(rows[i].at, 0);
		int fd = -1;
		assert_ok(rows[i].at, base_listen(&a, 8, &fd, err));
		const uint16_t port = port_of(fd);
		if (reaches("127.0.0.1", port) != rows[i].four ||
			reaches("::1", port) != rows[i].six)
			fail_msg("%s", rows[i].at);
		(void)close(fd);
	}
}

static void test_taken(void **state)
{
	static const char *const ours[] = {"127.0.0.1", "::"};
	struct sockaddr_storage a = address("127.0.0.1", 0);
	int fd = -1;
	int other = -2;

	(void)state;
	assert_ok("first", base_listen(&a, 8, &fd, err));
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		struct err why = {0};
		a = address(ours[i], port_of(fd));
		assert_int_equal(base_listen(&a, 8, &other, &why), -(int)ERR_TERMINAL);
		assert_int_equal(other, -2);
	}
	(void)close(fd);
}

/* From now on socket(AF_INET6, …) fails as on a kernel that was built without it. */
static bool without_ipv6(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {ARRAY_LEN(code), code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static int try_without_ipv6(void)
{
	struct sockaddr_storage a = address("::", 0);
	int fd = -1;

	if (!without_ipv6())
		return 1;
	if (base_has_ipv6() || base_listen(&a, 8, &fd, NULL) < 0)
		return 2;
	if (!reaches("127.0.0.1", port_of(fd)))
		return 3;
	a = address("::1", 0);
	return base_listen(&a, 8, &fd, NULL) == -(int)ERR_TERMINAL ? 0 : 4;
}

static void test_kernel_without_ipv6(void **state)
{
	int status = -1;
	const pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(try_without_ipv6());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_reaches),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_kernel_without_ipv6),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
