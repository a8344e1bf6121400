#include "agent/endpoints.h"
#include "agent/status.h"
#include "pkg/base/log.h"
#include "pkg/base/test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANGES   400
#define FOLDER    "/tmp/functionkey-endpoints-XXXXXX"
#define TEXT_MAX  (96u << 10)
#define PATIENCE  20000 /* ms */
#define FULL_DISK 64    /* bytes of a file */

/* -- what the agent would say -- */

static struct {
	unsigned said, logged;
	const char *text;
	void (*changed)(void *ctx);
	void *ctx;
} app_says;

int agent_endpoints_write(struct agent_app *app, struct buf *out, struct err *err)
{
	(void)app;
	app_says.said++;
	return base_buf_add_str(out, base_str(app_says.text), err);
}
void agent_senders_tell(struct agent_senders *s, void (*changed)(void *ctx), void *ctx)
{
	(void)s;
	app_says.changed = changed;
	app_says.ctx = ctx;
}
void agent_replica_watch(struct agent_replica *r, struct agent_replica_watcher *w)
{
	(void)r;
	(void)w;
}
void agent_replica_unwatch(struct agent_replica *r, struct agent_replica_watcher *w)
{
	(void)r;
	(void)w;
}

/* -- a folder -- */

struct place {
	char path[sizeof(FOLDER)];
	int fd;
};

static void place_begin(struct place *p)
{
	memcpy(p->path, FOLDER, sizeof(FOLDER));
	assert_non_null(mkdtemp(p->path));
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->fd >= 0);
}

static void place_end(struct place *p)
{
	(void)unlinkat(p->fd, AGENT_ENDPOINTS_FILE, 0);
	(void)close(p->fd);
	assert_int_equal(rmdir(p->path), 0); /* nothing else is left there */
}

static size_t read_file(const struct place *p, char *dst, size_t cap)
{
	const int fd = openat(p->fd, AGENT_ENDPOINTS_FILE, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got = 0;

	assert_true(fd >= 0);
	while ((got = read(fd, dst + n, cap - n)) > 0)
		n += (size_t)got;
	(void)close(fd);
	return n;
}

static void assert_text(const struct place *p, const char *want)
{
	char have[256];
	const size_t n = read_file(p, have, sizeof(have));

	assert_int_equal(n, strlen(want));
	assert_memory_equal(have, want, n);
}

/* -- whoever watches never sees a part -- */

static size_t make_text(unsigned i, char dst[static TEXT_MAX])
{
	const size_t fill = 1 + (size_t)i * 7919 % 90000;
	const int head = snprintf(dst, TEXT_MAX, "{\"n\":%u,\"fill\":\"", i);

	memset(dst + head, 'x', fill);
	memcpy(dst + head + fill, "\"}\n", 3);
	return (size_t)head + fill + 3;
}

static pid_t start_writer(const struct place *p)
{
	static char text[TEXT_MAX];
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	for (unsigned i = 1; i <= CHANGES; i++) {
		const size_t n = make_text(i, text);
		if (agent_endpoints_replace(p->fd, base_str_n(text, n), NULL) < 0)
			_exit(1);
	}
	_exit(0);
}

/* The number in the file; fails if it is no whole document. */
static unsigned read_whole(const struct place *p)
{
	static char have[TEXT_MAX], want[TEXT_MAX];
	const size_t n = read_file(p, have, sizeof(have));
	unsigned i = 0;

	assert_true(n > 6 && memcmp(have, "{\"n\":", 5) == 0);
	for (size_t at = 5; have[at] >= '0' && have[at] <= '9'; at++)
		i = i * 10 + (unsigned)(have[at] - '0');
	assert_int_equal(make_text(i, want), n);
	assert_memory_equal(have, want, n);
	return i;
}

/* Reads the file at each event of its name; returns how many there were. */
static unsigned watch(const struct place *p, int notify)
{
	char events[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
	unsigned seen = 0;
	unsigned last = 0;

	while (last < CHANGES) {
		struct pollfd ready = {.fd = notify, .events = POLLIN};
		assert_int_equal(poll(&ready, 1, PATIENCE), 1);
		const ssize_t n = read(notify, events, sizeof(events));
		assert_true(n > 0);
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(events + at);
			at += (ssize_t)(sizeof(*e) + e->len);
			assert_int_equal(e->mask & IN_Q_OVERFLOW, 0);
			if (strcmp(e->name, AGENT_ENDPOINTS_FILE) != 0)
				continue;
			/* By that name it only ever arrives whole. */
			assert_int_equal(e->mask, IN_MOVED_TO);
			const unsigned now = read_whole(p);
			assert_true(now >= last);
			last = now;
			seen++;
		}
	}
	return seen;
}

static void a_watcher_sees_whole_documents(void **state)
{
	struct place p;
	int status = 0;

	(void)state;
	place_begin(&p);
	const int notify = inotify_init1(IN_CLOEXEC);
	assert_true(notify >= 0);
	assert_true(inotify_add_watch(notify, p.path,
			    IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE) >= 0);
	const pid_t writer = start_writer(&p);
	assert_int_equal(watch(&p, notify), CHANGES);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	(void)close(notify);
	place_end(&p);
}

/* -- what may go wrong -- */

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void the_former_file_stays_when_there_is_no_room(void **state)
{
	static char large[TEXT_MAX];
	struct place p;

	(void)state;
	place_begin(&p);
	assert_ok("first", agent_endpoints_replace(p.fd, STR("{}\n"), err));
	limit_files(FULL_DISK);
	assert_class("full", ERR_TRANSIENT,
		agent_endpoints_replace(p.fd, base_str_n(large, make_text(1, large)), err));
	limit_files(RLIM_INFINITY);
	assert_text(&p, "{}\n");
	assert_ok("again", agent_endpoints_replace(p.fd, STR("{\"a\":1}\n"), err));
	assert_text(&p, "{\"a\":1}\n");
	place_end(&p);
}

static void what_stands_in_the_way_is_not_followed(void **state)
{
	struct place p;
	struct stat st;

	(void)state;
	place_begin(&p);
	assert_int_equal(symlinkat("/tmp/functionkey-endpoints-other", p.fd,
				 "." AGENT_ENDPOINTS_FILE ".new"),
		0);
	assert_ok("a link", agent_endpoints_replace(p.fd, STR("{}\n"), err));
	assert_int_equal(access("/tmp/functionkey-endpoints-other", F_OK), -1);
	assert_text(&p, "{}\n");
	assert_int_equal(fstatat(p.fd, AGENT_ENDPOINTS_FILE, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(mkdirat(p.fd, "." AGENT_ENDPOINTS_FILE ".new", 0755), 0);
	assert_class("a folder", ERR_TRANSIENT, agent_endpoints_replace(p.fd, STR("{}\n"), err));
	assert_int_equal(unlinkat(p.fd, "." AGENT_ENDPOINTS_FILE ".new", AT_REMOVEDIR), 0);
	place_end(&p);
}

/* -- when it is written -- */

struct world {
	struct place place;
	struct agent_app app;
	struct agent_endpoints *e;
	uv_loop_t loop;
};

static bool on_log(void *ctx, const char *line, size_t n)
{
	(void)ctx;
	(void)n;
	app_says.logged += strstr(line, "\"level\":\"error\"") != NULL;
	return true;
}

static void world_begin(struct world *w, const char *text)
{
	const struct log_config config = {.format = LOG_FORMAT_JSON,
		.clock = base_env_system().clock,
		.sink = {.write = on_log}};

	memset(&app_says, 0, sizeof(app_says));
	app_says.text = text;
	place_begin(&w->place);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->app = (struct agent_app){.core = {.env = base_env_system(), .loop = &w->loop}};
	(void)snprintf(w->app.options.socket, sizeof(w->app.options.socket), "%s/agent.sock",
		w->place.path);
	assert_ok("log", base_log_new(&config, &w->app.core.log, err));
	assert_ok("new", agent_endpoints_new(&w->app, &w->e, err));
}

static void world_run(struct world *w)
{
	(void)uv_run(&w->loop, UV_RUN_ONCE);
}

static void world_end(struct world *w)
{
	agent_endpoints_free(w->e);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	base_log_free(w->app.core.log);
	place_end(&w->place);
}

static void it_is_written_at_the_start_and_when_it_changes(void **state)
{
	struct world w;
	struct stat before, after;

	(void)state;
	world_begin(&w, "{\"epoch\":0}\n");
	world_run(&w);
	assert_text(&w.place, "{\"epoch\":0}\n");
	app_says.text = "{\"epoch\":1}\n";
	app_says.changed(app_says.ctx);
	app_says.changed(app_says.ctx);
	world_run(&w);
	assert_int_equal(app_says.said, 2);
	assert_text(&w.place, "{\"epoch\":1}\n");
	/* The same again is no change. */
	assert_int_equal(fstatat(w.place.fd, AGENT_ENDPOINTS_FILE, &before, 0), 0);
	agent_endpoints_changed(w.e);
	world_run(&w);
	assert_int_equal(app_says.said, 3);
	assert_int_equal(fstatat(w.place.fd, AGENT_ENDPOINTS_FILE, &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	world_end(&w);
	assert_null(app_says.changed);
}

static void a_full_disk_is_told_once(void **state)
{
	struct world w;
	static char large[TEXT_MAX];

	(void)state;
	world_begin(&w, "{}\n");
	world_run(&w);
	large[make_text(1, large)] = 0;
	app_says.text = large;
	limit_files(FULL_DISK);
	agent_endpoints_changed(w.e);
	world_run(&w);
	world_run(&w); /* tries again */
	limit_files(RLIM_INFINITY);
	assert_int_equal(app_says.said, 3);
	assert_int_equal(app_says.logged, 1);
	assert_text(&w.place, "{}\n");
	world_run(&w);
	assert_int_equal(read_whole(&w.place), 1);
	assert_int_equal(app_says.logged, 1);
	world_end(&w);
}

static void a_folder_that_is_not_there(void **state)
{
	struct agent_app app = {.core = {.env = base_env_system()}};
	struct agent_endpoints *e = NULL;

	(void)state;
	(void)snprintf(app.options.socket, sizeof(app.options.socket), "/nowhere/agent.sock");
	assert_class("new", ERR_TERMINAL, agent_endpoints_new(&app, &e, err));
	assert_null(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_watcher_sees_whole_documents),
		cmocka_unit_test(the_former_file_stays_when_there_is_no_room),
		cmocka_unit_test(what_stands_in_the_way_is_not_followed),
		cmocka_unit_test(it_is_written_at_the_start_and_when_it_changes),
		cmocka_unit_test(a_full_disk_is_told_once),
		cmocka_unit_test(a_folder_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
