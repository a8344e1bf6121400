#include "agent/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/str.h"

#define CHILD_FD    3
#define EXEC_FAILED 127

struct supervisor {
	const struct agent_supervisor *config;
	int keeper_exe, network_exe;
	char **env;                 /* of the network half; the incarnation is its first */
	int link;                   /* the network half's end; -1: there is no keeper */
	pid_t keeper, network;      /* 0: does not run */
	int64_t incarnation;        /* keepers started */
	int64_t network_started_ns; /* of the last one */
	int64_t backoff_ns;
	int64_t start_at_ns; /* the network half, not before */
	int64_t kill_at_ns;  /* what shall end; 0: nothing shall */
	int64_t deaths_ns[AGENT_DEATHS_MAX];
	int64_t deaths;
	bool stopping, done;
	int status;
	sigset_t signals, before;
};

static int64_t now(const struct supervisor *s)
{
	return s->config->clock.boot_ns(s->config->clock.ctx);
}

base_printf_like(2, 3) static void say(const struct supervisor *s, const char *fmt, ...)
{
	char line[200];
	va_list ap;

	if (!s->config->say)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	s->config->say(line);
}

/* -- children -- */

/* The environment with a place for the incarnation, and without any that stands there. As long as
 * it comes: Kubernetes puts seven variables of each Service of the namespace into it. */
static bool copy_environment(struct supervisor *s)
{
	static const char name[] = AGENT_INCARNATION_ENV "=";
	char *const *from = s->config->network_env;
	size_t n = 0;

	while (from && from[n])
		n++;
	s->env = base_alloc(n + 2, sizeof(char *));
	if (!s->env) {
		say(s, "cannot keep an environment of %zu variables", n);
		return false;
	}
	char **to = s->env + 1;
	for (size_t i = 0; i < n; i++)
		if (strncmp(from[i], name, sizeof(name) - 1) != 0)
			*to++ = from[i];
	return true;
}

/* In the child: never returns. */
static _Noreturn void become(
	const struct supervisor *s, int exe, int fd, char *const *argv, char *const *env)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)pthread_sigmask(SIG_SETMASK, &s->before, NULL);
	/* dup2 of a descriptor onto itself would leave its close-on-exec. */
	const int moved = fd == CHILD_FD ? fcntl(fd, F_SETFD, 0) : dup2(fd, CHILD_FD);
	if (moved >= 0)
		(void)fexecve(exe, argv, env);
	_exit(EXEC_FAILED);
}

static pid_t start_keeper_process(struct supervisor *s, int fd)
{
	char *const none[] = {NULL};
	const pid_t pid = fork();

	if (pid == 0) {
		/* What we inherited is for the network half alone. */
		(void)close_range(CHILD_FD + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
		become(s, s->keeper_exe, fd, s->config->keeper_argv, none);
	}
	return pid;
}

static void fail(struct supervisor *s, const char *what)
{
	say(s, "cannot %s: errno %d", what, errno);
	s->status = AGENT_SUPERVISOR_FAILED;
	s->stopping = true;
}

static void start_keeper(struct supervisor *s)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
		fail(s, "make a socketpair");
		return;
	}
	const pid_t pid = start_keeper_process(s, fds[1]);
	(void)close(fds[1]);
	if (pid < 0) {
		(void)close(fds[0]);
		fail(s, "start the keeper");
		return;
	}
	s->link = fds[0];
	s->keeper = pid;
	s->incarnation++;
}

static void start_network(struct supervisor *s)
{
	char incarnation[sizeof(AGENT_INCARNATION_ENV) + 24];

	(void)snprintf(incarnation, sizeof(incarnation), AGENT_INCARNATION_ENV "=%lld",
		(long long)s->incarnation);
	s->env[0] = incarnation;
	const pid_t pid = fork();
	if (pid == 0)
		become(s, s->network_exe, s->link, s->config->network_argv, s->env);
	s->env[0] = NULL;
	if (pid < 0) {
		fail(s, "start the network half");
		return;
	}
	s->network = pid;
	s->network_started_ns = now(s);
}

/* -- what happened -- */

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void end_later(struct supervisor *s)
{
	s->kill_at_ns = now(s) + s->config->grace * NS_PER_MS;
}

/* Whether this death is one too many. */
static bool too_many_deaths(struct supervisor *s)
{
	const int64_t max = s->config->deaths_max;
	int64_t *slot = &s->deaths_ns[s->deaths % max];
	const int64_t at = now(s);

	*slot = at;
	s->deaths++;
	const int64_t oldest = s->deaths_ns[s->deaths % max];
	return s->deaths >= max && at - oldest <= s->config->deaths_window * NS_PER_MS;
}

static void keeper_died(struct supervisor *s, int status)
{
	s->keeper = 0;
	(void)close(s->link);
	s->link = -1;
	if (s->stopping)
		return;
	say(s, "keeper %lld ended with %d: its keys are lost", (long long)s->incarnation,
		exit_status(status));
	if (too_many_deaths(s)) {
		say(s, "%d keepers ended within %lld s", s->config->deaths_max,
			(long long)(s->config->deaths_window / 1000));
		s->status = AGENT_SUPERVISOR_KEEPERS;
		s->stopping = true;
		if (s->network)
			(void)kill(s->network, SIGTERM);
	}
	/* The network half reads the end of file; it has this long to release its Lease. */
	if (s->network)
		end_later(s);
	s->start_at_ns = 0;
}

static void network_died(struct supervisor *s, int status)
{
	const int64_t at = now(s);
	const int code = exit_status(status);

	s->network = 0;
	s->kill_at_ns = 0;
	if (code == AGENT_SUPERVISOR_USAGE || code == EXEC_FAILED)
		s->stopping = true;
	if (s->stopping) {
		s->status = s->status ? s->status : code;
		return;
	}
	if (!s->keeper)
		return;
	if (at - s->network_started_ns >= s->config->backoff_reset * NS_PER_MS)
		s->backoff_ns = 0;
	s->backoff_ns = s->backoff_ns ? s->backoff_ns * 2 : s->config->backoff_first * NS_PER_MS;
	if (s->backoff_ns > s->config->backoff_max * NS_PER_MS)
		s->backoff_ns = s->config->backoff_max * NS_PER_MS;
	s->start_at_ns = at + s->backoff_ns;
	say(s, "network half ended with %d: again in %lld ms", code,
		(long long)(s->backoff_ns / NS_PER_MS));
}

static void reap(struct supervisor *s)
{
	int status = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->keeper)
			keeper_died(s, status);
		else if (pid == s->network)
			network_died(s, status);
	}
}

static void on_signal(struct supervisor *s, int number)
{
	if (number == SIGCHLD) {
		reap(s);
		return;
	}
	if (number == SIGTERM || number == SIGINT || number == SIGQUIT) {
		s->stopping = true;
		number = SIGTERM;
	}
	if (s->network)
		(void)kill(s->network, number);
}

/* -- what to do next -- */

static void kill_what_lingers(struct supervisor *s)
{
	if (s->kill_at_ns == 0 || now(s) < s->kill_at_ns)
		return;
	s->kill_at_ns = 0;
	if (s->network)
		(void)kill(s->network, SIGKILL);
	else if (s->keeper)
		(void)kill(s->keeper, SIGKILL);
}

/* The network half first; the keeper then reads the end of file. */
static void wind_down(struct supervisor *s)
{
	if (s->network)
		return;
	if (!s->keeper) {
		s->done = true;
		return;
	}
	if (s->link >= 0) {
		(void)close(s->link);
		s->link = -1;
		end_later(s);
	}
}

static void step(struct supervisor *s)
{
	kill_what_lingers(s);
	if (!s->stopping && !s->keeper && !s->network)
		start_keeper(s);
	if (!s->stopping && s->keeper && !s->network && now(s) >= s->start_at_ns)
		start_network(s);
	if (s->stopping)
		wind_down(s);
}

/* Nanoseconds until there is something to do without a signal. */
static int64_t patience(const struct supervisor *s)
{
	int64_t at = now(s) + 3600 * NS_PER_S;

	if (s->kill_at_ns && s->kill_at_ns < at)
		at = s->kill_at_ns;
	if (!s->stopping && s->keeper && !s->network && s->start_at_ns < at)
		at = s->start_at_ns;
	const int64_t left = at - now(s);
	return left > 0 ? left : 0;
}

static void await(struct supervisor *s)
{
	const int64_t left = patience(s);
	const struct timespec t = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
	const int number = sigtimedwait(&s->signals, NULL, &t);

	if (number > 0)
		on_signal(s, number);
}

/* -- */

static void block_signals(struct supervisor *s)
{
	static const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};

	(void)sigemptyset(&s->signals);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		(void)sigaddset(&s->signals, numbers[i]);
	(void)pthread_sigmask(SIG_BLOCK, &s->signals, &s->before);
}

/* Above the descriptor that children get, which would else replace it. */
static int open_program(const struct supervisor *s, const char *path)
{
	const int fd = open(path, O_PATH | O_CLOEXEC);
	const int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FD + 1);

	if (high < 0)
		say(s, "cannot open %s: errno %d", path, errno);
	if (fd >= 0)
		(void)close(fd);
	return high;
}

static bool open_programs(struct supervisor *s)
{
	s->keeper_exe = open_program(s, s->config->keeper_path);
	s->network_exe = open_program(s, s->config->network_path);
	return s->keeper_exe >= 0 && s->network_exe >= 0;
}

struct agent_supervisor agent_supervisor_defaults(void)
{
	return (struct agent_supervisor){
		.backoff_first = 100,
		.backoff_max = 5000,
		.backoff_reset = 10000,
		.grace = 5000,
		.deaths_window = 60000,
		.deaths_max = 3,
	};
}

int agent_supervise(const struct agent_supervisor *config)
{
	struct supervisor s = {.config = config, .link = -1};

	base_assert(config->deaths_max > 0 && config->deaths_max <= AGENT_DEATHS_MAX);
	if (!open_programs(&s) || !copy_environment(&s))
		return AGENT_SUPERVISOR_FAILED;
	block_signals(&s);
	while (!s.done) {
		step(&s);
		if (!s.done)
			await(&s);
	}
	(void)close(s.keeper_exe);
	(void)close(s.network_exe);
	base_free(s.env);
	return s.status;
}
