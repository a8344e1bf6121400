/* The supervisor with children of ours: this program, run again under other names. Each start of
 * the network half does the next letter of a script; what happens is written to a log. */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/supervisor.h"
#include "pkg/base/test.h"

#define LOG_MAX   4096
#define LINKS     400 /* variables of Services: more than fifty of them */
#define LAST_LINK "SVC399_SERVICE_HOST"
#define LINK_MAX  40

/* -- the children -- */

static void write_log(const char *path, const char *line)
{
	const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	const size_t n = strlen(line);

	if (fd < 0 || write(fd, line, n) != (ssize_t)n)
		_exit(90);
	(void)close(fd);
}

static int open_descriptors(void)
{
	int n = 0;

	for (int i = 3; i < 64; i++)
		if (fcntl(i, F_GETFD) >= 0)
			n++;
	return n;
}

/* Counts what it is asked; 'd' makes it die. */
static int fake_keeper(const char *log)
{
	int count = 0;
	char byte;
	char line[64];

	(void)snprintf(line, sizeof(line), "keeper fds=%d env=%d\n", open_descriptors(),
		environ[0] != NULL);
	write_log(log, line);
	while (read(3, &byte, 1) == 1) {
		if (byte == 'd')
			return 3;
		count++;
		if (write(3, &count, sizeof(count)) != sizeof(count))
			return 4;
	}
	write_log(log, "keeper eof\n");
	return 0;
}

/* How many lines of the log begin with "network". */
static int starts(const char *log)
{
	char text[LOG_MAX] = {0};
	const int fd = open(log, O_RDONLY | O_CLOEXEC);
	int n = 0;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		_exit(91);
	(void)close(fd);
	for (const char *p = text; (p = strstr(p, "network ")); p++)
		n++;
	return n;
}

static volatile sig_atomic_t got_term;

static void on_term(int number)
{
	(void)number;
	got_term = 1;
}

static int wait_for_term(int status)
{
	sigset_t none;

	(void)sigemptyset(&none);
	while (!got_term) /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
		(void)sigsuspend(&none);
	return status;
}

static int make_keeper_die(bool linger)
{
	char byte = 'd';

	if (write(3, &byte, 1) != 1 || read(3, &byte, 1) != 0)
		return 92;
	if (linger)
		(void)pause();
	return 0;
}

/* A grandchild that nobody waits for but PID 1. */
static int leave_an_orphan(const char *log)
{
	const pid_t child = fork();

	if (child == 0) {
		if (fork() == 0) {
			(void)usleep(3000);
			_exit(0);
		}
		write_log(log, "orphan\n");
		_exit(0);
	}
	return waitpid(child, NULL, 0) == child ? 1 : 93;
}

static int fake_network(const char *log, const char *script)
{
	/* One thread: NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *incarnation = getenv(AGENT_INCARNATION_ENV);
	char letter = script[starts(log)];
	int count = 0;
	char line[100];
	sigset_t term;

	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &term, NULL);
	(void)signal(SIGTERM, on_term);
	if (write(3, "c", 1) != 1 || read(3, &count, sizeof(count)) != sizeof(count))
		return 94;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe) */
	if (!getenv("SVC0_SERVICE_HOST") || !getenv(LAST_LINK))
		return 97;
	(void)snprintf(line, sizeof(line), "network %c incarnation=%s count=%d fds=%d\n", letter,
		incarnation ? incarnation : "none", count, open_descriptors());
	write_log(log, line);
	switch (letter) {
	case 'x':
		return 1;
	case 'u':
		return AGENT_SUPERVISOR_USAGE;
	case 'k':
		return make_keeper_die(false);
	case 'h':
		return make_keeper_die(true);
	case 'o':
		return leave_an_orphan(log);
	case 't': /* the kubelet stops the container; orphans had their time */
		(void)usleep(20000);
		(void)kill(getppid(), SIGTERM);
		return wait_for_term(0);
	case '5':
		(void)kill(getppid(), SIGTERM);
		return wait_for_term(5);
	default:
		return 95;
	}
}

/* -- the tests -- */

/* What Kubernetes gives to a pod in a namespace of many Services, and an incarnation that is not
 * ours amid it. */
static void service_links(char (*ret_text)[LINK_MAX], char **ret_env)
{
	for (int i = 0; i < LINKS; i++) {
		(void)snprintf(ret_text[i], LINK_MAX, "SVC%d_SERVICE_HOST=10.0.0.1", i);
		ret_env[i] = ret_text[i];
	}
	(void)snprintf(ret_text[LINKS / 2], LINK_MAX, "%s=99", AGENT_INCARNATION_ENV);
	ret_env[LINKS] = NULL;
}

static char self[] = "/proc/self/exe";

struct run {
	int status;
	char log[LOG_MAX];
};

static void supervise(
	const char *script, const char *network_path, const char *keeper_path, struct run *ret)
{
	char log[] = "/tmp/supervisor_test.XXXXXX";
	const int fd = mkostemp(log, O_CLOEXEC);
	char text[64];
	(void)snprintf(text, sizeof(text), "%s", script);
	char *const keeper_argv[] = {
		(char[]){"supervisor_test"}, (char[]){"fake-keeper"}, log, NULL};
	char *const network_argv[] = {
		(char[]){"supervisor_test"}, (char[]){"fake-network"}, log, text, NULL};
	char links[LINKS][LINK_MAX];
	char *env[LINKS + 1];
	struct agent_supervisor config = agent_supervisor_defaults();
	int status = 0;

	assert_true(fd >= 0);
	service_links(links, env);
	config.keeper_path = keeper_path;
	config.network_path = network_path;
	config.keeper_argv = keeper_argv;
	config.network_argv = network_argv;
	config.network_env = env;
	config.clock = base_env_system().clock;
	config.backoff_first = 5;
	config.backoff_max = 20;
	config.grace = 300;
	(void)fflush(NULL);
	const pid_t pid = fork();
	if (pid == 0) {
		/* as in a container: the first descriptor that is free is 3 */
		(void)close_range(3, ~0U, 0);
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
		const int r = agent_supervise(&config);
		/* whoever is left is a zombie or a lost child */
		_exit(waitpid(-1, NULL, WNOHANG) == -1 ? r : 96);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
	const ssize_t n = read(fd, ret->log, sizeof(ret->log) - 1);
	ret->log[n > 0 ? n : 0] = 0;
	(void)close(fd);
	(void)unlink(log);
}

#define KEEPER "keeper fds=1 env=0\n"

static void test_scripts(void **state)
{
	static const struct {
		const char *name, *script;
		int status;
		const char *log;
	} rows[] = {
		{"stopped", "t", 0, KEEPER "network t incarnation=1 count=1 fds=1\nkeeper eof\n"},
		{"stopped, with a status", "5", 5,
			KEEPER "network 5 incarnation=1 count=1 fds=1\nkeeper eof\n"},
		{"the network half dies: same keeper", "xxxt", 0,
			KEEPER "network x incarnation=1 count=1 fds=1\n"
			       "network x incarnation=1 count=2 fds=1\n"
			       "network x incarnation=1 count=3 fds=1\n"
			       "network t incarnation=1 count=4 fds=1\nkeeper eof\n"},
		{"the keeper dies: both anew", "kt", 0,
			KEEPER "network k incarnation=1 count=1 fds=1\n" KEEPER
			       "network t incarnation=2 count=1 fds=1\nkeeper eof\n"},
		{"the network half lingers", "ht", 0,
			KEEPER "network h incarnation=1 count=1 fds=1\n" KEEPER
			       "network t incarnation=2 count=1 fds=1\nkeeper eof\n"},
		{"keepers die too often", "kkkt", AGENT_SUPERVISOR_KEEPERS,
			KEEPER "network k incarnation=1 count=1 fds=1\n" KEEPER
			       "network k incarnation=2 count=1 fds=1\n" KEEPER
			       "network k incarnation=3 count=1 fds=1\n"},
		{"wrong options", "u", AGENT_SUPERVISOR_USAGE,
			KEEPER "network u incarnation=1 count=1 fds=1\nkeeper eof\n"},
		{"orphans are reaped", "ot", 0,
			KEEPER "network o incarnation=1 count=1 fds=1\norphan\n"
			       "network t incarnation=1 count=2 fds=1\nkeeper eof\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct run run = {0};
		supervise(rows[i].script, self, self, &run);
		if (run.status != rows[i].status || strcmp(run.log, rows[i].log) != 0)
			fail_msg("%s: status %d, log:\n%s", rows[i].name, run.status, run.log);
	}
}

static void test_programs_that_do_not_start(void **state)
{
	struct run run = {0};

	(void)state;
	supervise("t", "/proc/self/no-such-thing", self, &run);
	assert_int_equal(run.status, AGENT_SUPERVISOR_FAILED);
	supervise("t", "/dev/null", self, &run);
	assert_int_equal(run.status, 127);
	/* its end of the pair closes without a keeper behind it */
	supervise("kkk", self, "/dev/null", &run);
	assert_int_equal(run.status, AGENT_SUPERVISOR_KEEPERS);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_programs_that_do_not_start),
	};

	if (argc == 3 && strcmp(argv[1], "fake-keeper") == 0)
		return fake_keeper(argv[2]);
	if (argc == 4 && strcmp(argv[1], "fake-network") == 0)
		return fake_network(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
