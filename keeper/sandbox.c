#include "keeper/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pkg/base/cleanup.h"

#ifdef BASE_SANITIZED
#define SANITIZED true
#else
#define SANITIZED false
#endif

static int close_others(int keep, struct err *err)
{
	if ((keep > 3 && close_range(3, (unsigned)keep - 1, 0) != 0) ||
		close_range((unsigned)keep + 1, ~0U, 0) != 0)
		return FAIL(err, ERR_TERMINAL, "cannot close descriptors: errno %d", errno);
	return 0;
}

int keeper_sandbox_prepare(int keep, struct err *err)
{
	const struct rlimit no_core = {0, 0};

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
		setrlimit(RLIMIT_CORE, &no_core) != 0)
		return FAIL(err, ERR_TERMINAL, "cannot harden the process: errno %d", errno);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return FAIL(err, ERR_TERMINAL, "cannot ignore SIGPIPE: errno %d", errno);
	return close_others(keep, err);
}

/* An allowed system call. With `arg`, only where (argument & mask) == value; a negative value
 * stands for the socket's descriptor. */
struct allowed {
	int call;
	bool conditional;
	unsigned arg;
	uint64_t mask;
	int64_t value;
};

#define ANY(name)                      \
	{                              \
		.call = SCMP_SYS(name) \
	}
#define ON_SOCKET(name)                                                                      \
	{                                                                                    \
		.call = SCMP_SYS(name), .conditional = true, .mask = UINT32_MAX, .value = -1 \
	}
#define NOT_EXECUTABLE(name)                                                             \
	{                                                                                \
		.call = SCMP_SYS(name), .conditional = true, .arg = 2, .mask = PROT_EXEC \
	}

static const struct allowed allowed[] = {
	ON_SOCKET(read),
	ON_SOCKET(write),
	ANY(poll),
	ANY(ppoll),
	ANY(getrandom),
	ANY(futex),
	ANY(brk),
	NOT_EXECUTABLE(mmap),
	NOT_EXECUTABLE(mprotect),
	ANY(mremap),
	ANY(munmap),
	ANY(madvise),
	ANY(clock_gettime),
	ANY(clock_nanosleep),
	ANY(restart_syscall),
	ANY(rt_sigreturn),
	ANY(rt_sigprocmask),
	ANY(sigaltstack),
	ANY(exit),
	ANY(exit_group),
};

static int allow(scmp_filter_ctx filter, const struct allowed *a, int fd)
{
	const scmp_datum_t value = (scmp_datum_t)(a->value < 0 ? fd : a->value);

	if (!a->conditional)
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, a->call, 0);
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, a->call, 1,
		SCMP_CMP64(a->arg, SCMP_CMP_MASKED_EQ, a->mask, value));
}

static void release(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}
CLEANUP_DONE(scmp_filter_ctx, release);

/* The library checks the architecture, and refuses the x32 numbers of x86-64. */
static int load_filter(int fd, struct err *err)
{
	_cleanup_(release) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = filter ? 0 : -ENOMEM;

	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; i < ARRAY_LEN(allowed) && r == 0; i++)
		r = allow(filter, &allowed[i], fd);
	if (r == 0)
		r = seccomp_load(filter);
	if (r != 0)
		return FAIL(err, ERR_TERMINAL, "cannot load the system call filter: errno %d", -r);
	return 0;
}

static int quiet(struct err *err)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return FAIL(err, ERR_TERMINAL, "cannot open /dev/null: errno %d", errno);
	bool ok = true;
	for (int i = 0; i < 3; i++)
		ok = dup2(null, i) == i && ok;
	if (null > 2 && close(null) != 0)
		ok = false;
	return ok ? 0 : FAIL(err, ERR_TERMINAL, "cannot point descriptors at /dev/null");
}

int keeper_sandbox_enter(int fd, bool *ret_sandboxed, struct err *err)
{
	TRY(quiet(err));
	if (!SANITIZED)
		TRY(load_filter(fd, err));
	*ret_sandboxed = !SANITIZED;
	return 0;
}

const char *keeper_sandbox_mode(void)
{
	return SANITIZED ? "none: a sanitizer build" : "enforced";
}
