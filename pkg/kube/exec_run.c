/* The process of an exec plugin: its arguments and environment, its output, its end. */
#include "pkg/kube/exec_impl.h"

#include "pkg/base/alloc.h"
#include "pkg/base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define INFO_VARIABLE "KUBERNETES_EXEC_INFO"
#define PIECE         16384

struct vectors {
	struct arena *arena;
	char **argv, **envp;
};

struct plugin {
	pid_t pid; /* 0: not started, or waited for */
	int pipe, process;
};

static void plugin_end(struct plugin *p)
{
	if (p->pid > 0) {
		(void)kill(p->pid, SIGKILL);
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR) {
		}
	}
	if (p->pipe >= 0)
		close(p->pipe);
	if (p->process >= 0)
		close(p->process);
	*p = (struct plugin){.pipe = -1, .process = -1};
}
CLEANUP_DONE(struct plugin, plugin_end);

/* A copy that may be handed to execve, whose type is not const. */
static int copy(struct arena *a, struct str s, char **ret, struct err *err)
{
	void *p = NULL;

	TRY(base_arena_alloc(a, s.n + 1, 1, &p, err));
	if (s.n)
		memcpy(p, s.p, s.n);
	*ret = p;
	return 0;
}

static int assignment(
	struct arena *a, struct str name, struct str value, char **ret, struct err *err)
{
	struct str line = STR_NULL;

	TRY(base_arena_printf(a, &line, err, "%.*s=%.*s", STR_FMT(name), STR_FMT(value)));
	return copy(a, line, ret, err);
}

/* Where a bare name is in $PATH. As in Go, a program that a relative entry leads to is refused: it
 * would be another one in each folder. */
static int find_program(
	struct arena *a, const struct kube_exec_spec *spec, struct str *ret_path, struct err *err)
{
	/* One thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *list = getenv("PATH");
	const struct str path = list ? base_str(list) : STR("/usr/local/bin:/usr/bin:/bin");

	for (size_t at = 0; at <= path.n;) {
		const size_t end = base_str_find(path, ':', at);
		const struct str folder = base_str_sub(path, at, end);
		struct str file = STR_NULL;
		struct stat st;
		at = end + 1;
		TRY(base_arena_printf(a, &file, err, "%.*s%s%.*s", STR_FMT(folder),
			folder.n ? "/" : "", STR_FMT(spec->command)));
		if (stat(file.p, &st) != 0 || S_ISDIR(st.st_mode) || access(file.p, X_OK) != 0)
			continue;
		if (file.p[0] != '/')
			return FAIL(err, ERR_DENIED,
				"exec plugin %.*s: $PATH leads to it by a relative entry: write "
				"its path",
				STR_FMT(spec->command));
		*ret_path = file;
		return 0;
	}
	return FAIL(err, ERR_DENIED, "exec plugin %.*s: not found in $PATH%s%.*s",
		STR_FMT(spec->command), spec->hint.n ? "; " : "", STR_FMT(spec->hint));
}

/* Names that the plugin's own environment or we set. */
static bool is_replaced(const struct kube_exec_spec *spec, const char *line)
{
	const struct str name =
		base_str_sub(base_str(line), 0, base_str_find(base_str(line), '=', 0));

	if (base_str_eq(name, STR(INFO_VARIABLE)))
		return true;
	for (size_t i = 0; i < spec->env_len; i++)
		if (base_str_eq(name, spec->env[i].key))
			return true;
	return false;
}

static int make_vectors(
	const struct kube_exec_spec *spec, struct str info, struct vectors *v, struct err *err)
{
	size_t inherited = 0, n = 0;
	void *p = NULL;

	while (environ[inherited])
		inherited++;
	TRY(base_arena_alloc(v->arena, spec->args_len + 2, sizeof(char *), &p, err));
	v->argv = p;
	TRY(copy(v->arena, spec->command, &v->argv[0], err));
	for (size_t i = 0; i < spec->args_len; i++)
		TRY(copy(v->arena, spec->args[i], &v->argv[i + 1], err));
	TRY(base_arena_alloc(v->arena, inherited + spec->env_len + 2, sizeof(char *), &p, err));
	v->envp = p;
	for (size_t i = 0; i < inherited; i++)
		if (!is_replaced(spec, environ[i]))
			v->envp[n++] = environ[i];
	for (size_t i = 0; i < spec->env_len; i++)
		TRY(assignment(v->arena, spec->env[i].key, spec->env[i].value, &v->envp[n++], err));
	return assignment(v->arena, STR(INFO_VARIABLE), info, &v->envp[n], err);
}

/* What the plugin gets as file 0, 1 and 2, and that signals which we ignore are not ignored there.
 */
static int spawn(const struct kube_exec_spec *spec, struct str program, const struct vectors *v,
	int out, pid_t *ret_pid)
{
	const bool terminal = spec->mode != KUBE_EXEC_NEVER && spec->terminal;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t all, none;

	if (posix_spawn_file_actions_init(&files) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		(void)posix_spawn_file_actions_destroy(&files);
		return ENOMEM;
	}
	(void)sigfillset(&all);
	(void)sigemptyset(&none);
	int r = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	if (r == 0 && !terminal)
		r = posix_spawn_file_actions_addopen(
			&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	if (r == 0)
		r = posix_spawn(ret_pid, program.p, &files, &attributes, v->argv, v->envp);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&files);
	return r;
}

static int start(
	const struct kube_exec_spec *spec, struct str info, struct plugin *p, struct err *err)
{
	_cleanup_(base_arena_free) struct arena *arena = NULL;
	int ends[2] = {-1, -1};

	TRY(base_arena_new(4u << 20, &arena, err));
	struct vectors v = {.arena = arena};
	if (make_vectors(spec, info, &v, err) < 0)
		return FAIL(err, ERR_NOMEM, "exec plugin: arguments");
	struct str program = spec->command;
	if (!memchr(program.p, '/', program.n))
		TRY(find_program(arena, spec, &program, err));
	if (pipe2(ends, O_CLOEXEC) != 0)
		return FAIL(err, ERR_TRANSIENT, "pipe: %m");
	p->pipe = ends[0];
	const int r = spawn(spec, program, &v, ends[1], &p->pid);
	close(ends[1]);
	if (r != 0) {
		p->pid = 0;
		errno = r;
		return FAIL(err, ERR_DENIED, "exec plugin %.*s: %m%s%.*s", STR_FMT(spec->command),
			spec->hint.n ? "; " : "", STR_FMT(spec->hint));
	}
	p->process = (int)syscall(SYS_pidfd_open, p->pid, 0);
	(void)fcntl(p->pipe, F_SETFL, O_NONBLOCK);
	return p->process >= 0 ? 0 : FAIL(err, ERR_TRANSIENT, "pidfd_open: %m");
}

/* Takes what is in the pipe. *ret_open: more may come. */
static int drain(const struct kube_exec_spec *spec, struct plugin *p, struct buf *out,
	bool *ret_open, struct err *err)
{
	char piece[PIECE];
	int r = 0;

	for (;;) {
		const ssize_t n = read(p->pipe, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		*ret_open = n < 0 && errno == EAGAIN;
		if (n <= 0)
			break;
		r = base_buf_add(out, piece, (size_t)n, err);
		if (r < 0)
			break;
	}
	base_wipe(piece, sizeof(piece));
	return r == -ERR_TOO_LARGE ? FAIL(err, ERR_DENIED, "exec plugin %.*s printed too much",
					     STR_FMT(spec->command))
				   : r;
}

static int ended(const struct kube_exec_spec *spec, struct plugin *p, struct err *err)
{
	int status = 0;

	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR) {
	}
	p->pid = 0;
	if (WIFSIGNALED(status))
		return FAIL(err, ERR_DENIED, "exec plugin %.*s ended by signal %d",
			STR_FMT(spec->command), WTERMSIG(status));
	if (WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == 126)
		return FAIL(err, ERR_DENIED,
			"exec plugin %.*s cannot be run (exit status %d)%s%.*s",
			STR_FMT(spec->command), WEXITSTATUS(status), spec->hint.n ? "; " : "",
			STR_FMT(spec->hint));
	if (WEXITSTATUS(status) != 0)
		return FAIL(err, ERR_DENIED, "exec plugin %.*s failed with exit status %d",
			STR_FMT(spec->command), WEXITSTATUS(status));
	return 0;
}

int kube_exec_run(const struct kube_exec_spec *spec, struct str info, const struct env *env,
	struct buf *out, struct err *err)
{
	_cleanup_(plugin_end) struct plugin p = {.pipe = -1, .process = -1};
	const int64_t until = base_boot_ns(env) + spec->timeout_ms * NS_PER_MS;
	bool open = true, over = false;

	TRY(start(spec, info, &p, err));
	/* The end of the process counts, not that of its output: a child of its own may keep that.
	 */
	while (!over) {
		struct pollfd fds[] = {{.fd = p.process, .events = POLLIN},
			{.fd = open ? p.pipe : -1, .events = POLLIN}};
		const int64_t left = (until - base_boot_ns(env)) / NS_PER_MS;
		if (left <= 0)
			return FAIL(err, ERR_DENIED, "exec plugin %.*s did not end within %u ms",
				STR_FMT(spec->command), spec->timeout_ms);
		if (poll(fds, ARRAY_LEN(fds), (int)left) < 0 && errno != EINTR)
			return FAIL(err, ERR_TRANSIENT, "poll: %m");
		over = fds[0].revents != 0;
		if (open)
			TRY(drain(spec, &p, out, &open, err));
	}
	return ended(spec, &p, err);
}
