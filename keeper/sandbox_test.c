#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "keeper/child.h"
#include "keeper/life.h"
#include "keeper/sandbox.h"

#define SURVIVED 77

static int enter(int fd)
{
	bool sandboxed = false;

	return keeper_sandbox_prepare(fd, NULL) < 0 ||
	       keeper_sandbox_enter(fd, &sandboxed, NULL) < 0 || !sandboxed;
}

#define AFTER_ENTERING(name, expr)            \
	static int name(int fd)               \
	{                                     \
		if (enter(fd))                \
			return 1;             \
		const long r = (long)(expr);  \
		return r < -1 ? 2 : SURVIVED; \
	}

static char some_bytes[16];
static _Alignas(4096) char some_page[4096];

AFTER_ENTERING(do_open, open("/dev/null", O_RDONLY))
AFTER_ENTERING(do_socket, socket(AF_INET, SOCK_STREAM, 0))
AFTER_ENTERING(do_ptrace, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
AFTER_ENTERING(do_fork, syscall(SYS_fork))
AFTER_ENTERING(do_clone, fork())
AFTER_ENTERING(do_exec, execl("/bin/true", "true", (char *)NULL))
AFTER_ENTERING(do_kill, kill(getppid(), 0))
AFTER_ENTERING(do_dup, dup(fd))
AFTER_ENTERING(do_sendmsg, sendmsg(fd, &(struct msghdr){0}, 0))
AFTER_ENTERING(do_recvmsg, recvmsg(fd, &(struct msghdr){0}, 0))
AFTER_ENTERING(do_prctl, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
AFTER_ENTERING(do_process_vm, syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0))
AFTER_ENTERING(do_write_out, write(1, some_bytes, sizeof(some_bytes)))
AFTER_ENTERING(do_read_other, read(0, some_bytes, sizeof(some_bytes)))
AFTER_ENTERING(do_io_uring, syscall(SYS_io_uring_setup, 1, NULL))
AFTER_ENTERING(do_x32, syscall(0x40000000 + SYS_getrandom, some_bytes, 1, 0))
AFTER_ENTERING(do_mmap_exec,
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == NULL)
AFTER_ENTERING(do_mprotect_exec, mprotect(some_page, sizeof(some_page), PROT_READ | PROT_EXEC))
AFTER_ENTERING(do_memory, base_free(base_alloc(1000, 1000)) != NULL)
AFTER_ENTERING(do_random, syscall(SYS_getrandom, some_bytes, sizeof(some_bytes), 0))
AFTER_ENTERING(do_write, write(fd, some_bytes, sizeof(some_bytes)))
AFTER_ENTERING(do_clock, clock_gettime(CLOCK_REALTIME, &(struct timespec){0}))

static const struct {
	const char *name;
	int (*body)(int fd);
	bool survives;
} rows[] = {
	{"open", do_open, false},
	{"socket", do_socket, false},
	{"ptrace", do_ptrace, false},
	{"fork", do_fork, false},
	{"clone", do_clone, false},
	{"exec", do_exec, false},
	{"kill", do_kill, false},
	{"dup", do_dup, false},
	{"sendmsg", do_sendmsg, false},
	{"recvmsg", do_recvmsg, false},
	{"prctl", do_prctl, false},
	{"process_vm_readv", do_process_vm, false},
	{"write to another descriptor", do_write_out, false},
	{"read from another descriptor", do_read_other, false},
	{"io_uring", do_io_uring, false},
	{"x32", do_x32, false},
	{"mmap executable", do_mmap_exec, false},
	{"mprotect executable", do_mprotect_exec, false},
	{"memory", do_memory, true},
	{"randomness", do_random, true},
	{"write", do_write, true},
	{"clock", do_clock, true},
};

static void test_system_calls(void **state)
{
	(void)state;
#ifdef BASE_SANITIZED
	skip();
#endif
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct child c;
		child_pair(&c);
		child_run(&c, rows[i].body);
		const int want = rows[i].survives ? SURVIVED : 256 + SIGSYS;
		const int got = child_end(&c);
		if (got != want)
			fail_msg("%s: wanted %d, got %d", rows[i].name, want, got);
	}
}

/* Every operation, with the filter on. */
static int live_in_it(int fd)
{
	struct env env = base_env_system();
	struct life a = {.who = life_who("r", "a")}, b = {.who = life_who("r", "b")};

	if (keeper_new(&env, &a.keeper, NULL) < 0 || keeper_new(&env, &b.keeper, NULL) < 0)
		return 1;
	bool sandboxed = false;
	if (keeper_sandbox_prepare(fd, NULL) < 0 || keeper_sandbox_enter(fd, &sandboxed, NULL) < 0)
		return 2;
	a.keys = life_get(&a, (struct kmsg_request){.op = KMSG_INIT, .init.who = a.who}).keys;
	b.keys = life_get(&b, (struct kmsg_request){.op = KMSG_INIT, .init.who = b.who}).keys;
	const struct kmsg_term_reply term = life_term(&a, 1);
	for (int64_t e = 1; e <= 20; e++) {
		const struct kmsg_epoch_reply epoch = life_epoch(&a, e, 1, e - 1);
		const struct kmsg_grant_reply g = life_get(&a, life_grant_request(&b, e, 1)).grant;
		(void)life_get(&b, life_accept_request(&a, e, 1, &epoch.key, &term.verifying, &g));
		b.keys = life_get(&b, life_plain(KMSG_INBOX_NEXT)).keys;
		(void)life_get(&b, life_plain(KMSG_INBOX_COMMIT));
		const struct kmsg_request record = {
			.op = KMSG_RECORD, .record = {.epoch = e, .term = 1, .key = epoch.key}};
		(void)life_get(&a, record);
		const struct life_message m = life_wrap(&epoch.key, 1);
		for (int i = 0; i < 20; i++)
			life_opens(&b, &m);
		(void)life_get(&b, (struct kmsg_request){.op = KMSG_ERASE, .erase.epoch = e});
	}
	life_done(&a);
	life_done(&b);
	return SURVIVED;
}

static void test_all_operations_work_inside(void **state)
{
	struct child c;

	(void)state;
	child_pair(&c);
	child_run(&c, live_in_it);
	assert_int_equal(child_end(&c), SURVIVED);
}

static int prepared(int fd)
{
	struct rlimit core;
	const int other = dup(0);

	if (keeper_sandbox_prepare(fd, NULL) < 0)
		return 1;
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
	if (getrlimit(RLIMIT_CORE, &core) != 0 || core.rlim_max != 0)
		return 3;
	for (int i = 3; i < 256; i++)
		if (i != fd && fcntl(i, F_GETFD) >= 0)
			return 4;
	if (other < 0 || fcntl(fd, F_GETFD) < 0)
		return 5;
	int signal_number = 0;
	if (prctl(PR_GET_PDEATHSIG, &signal_number, 0, 0, 0) != 0 || signal_number != SIGKILL)
		return 6;
	return SURVIVED;
}

static void test_prepared(void **state)
{
	struct child c;

	(void)state;
	child_pair(&c);
	child_run(&c, prepared);
	assert_int_equal(child_end(&c), SURVIVED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_calls),
		cmocka_unit_test(test_all_operations_work_inside),
		cmocka_unit_test(test_prepared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
