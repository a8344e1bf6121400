#include "agent/endpoints.h"

#include "agent/status.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_FILE  "." AGENT_ENDPOINTS_FILE ".new"
#define FILE_MODE 0644 /* containers of the pod run as other users */
#define REST_MS   100  /* between two of them */
#define AGAIN_MS  1000 /* after a failure */

struct agent_endpoints {
	struct agent_app *app;
	struct agent_replica_watcher watcher;
	uv_timer_t timer;
	bool timer_open, watching;
	bool failed;     /* the last time; told once */
	int folder;      /* -1: not open */
	struct buf text; /* of the file */
	int64_t written_ns;
};

/* -- the file -- */

static void file_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
CLEANUP_DONE(int, file_close);

static int write_all(int fd, struct str text, struct err *err)
{
	for (size_t at = 0; at < text.n;) {
		const ssize_t n = write(fd, text.p + at, text.n - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return FAIL(err, ERR_TRANSIENT, "cannot write it: %m");
		at += (size_t)n;
	}
	return 0;
}

static int write_new(int folder, struct str text, struct err *err)
{
	/* One that an agent left that was killed on the way. */
	(void)unlinkat(folder, NEW_FILE, 0);
	_cleanup_(file_close) int fd = openat(
		folder, NEW_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);

	if (fd < 0)
		return FAIL(err, ERR_TRANSIENT, "cannot make " NEW_FILE ": %m");
	if (fchmod(fd, FILE_MODE) < 0)
		return FAIL(err, ERR_TRANSIENT, "cannot open it to others: %m");
	return write_all(fd, text, err);
}

int agent_endpoints_replace(int folder, struct str text, struct err *err)
{
	int r = write_new(folder, text, err);

	if (r == 0 && renameat(folder, NEW_FILE, folder, AGENT_ENDPOINTS_FILE) < 0)
		r = FAIL(err, ERR_TRANSIENT, "cannot rename it: %m");
	if (r < 0)
		(void)unlinkat(folder, NEW_FILE, 0);
	return r;
}

/* The folder of the socket. */
static int open_folder(const char *socket, int *ret_fd, struct err *err)
{
	const struct str path = base_str(socket);
	char folder[sizeof(((struct agent_options *)NULL)->socket)];
	size_t n = path.n;

	while (n > 0 && path.p[n - 1] != '/')
		n--;
	TRY(base_str_copy(n ? base_str_sub(path, 0, n) : STR("."), folder, sizeof(folder),
		"folder of the socket", err));
	const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return FAIL(err, errno == EACCES ? ERR_DENIED : ERR_TERMINAL, "%s: %m", folder);
	*ret_fd = fd;
	return 0;
}

/* -- when -- */

static void look(uv_timer_t *timer);

static int update(struct agent_endpoints *e, struct err *err)
{
	_cleanup_(base_buf_done) struct buf text = base_buf(AGENT_ENDPOINTS_MAX);

	TRY(agent_endpoints_write(e->app, &text, err));
	if (base_str_eq(base_buf_str(&text), base_buf_str(&e->text)))
		return 0;
	TRY(agent_endpoints_replace(e->folder, base_buf_str(&text), err));
	base_buf_done(&e->text);
	e->text = text;
	text = base_buf(0);
	e->written_ns = base_boot_ns(&e->app->core.env);
	return 0;
}

static void look(uv_timer_t *timer)
{
	struct agent_endpoints *e = timer->data;
	struct err err = {0};

	if (update(e, &err) == 0) {
		e->failed = false;
		return;
	}
	if (!e->failed)
		log_write(e->app->core.log, LOG_ERROR,
			"cannot write " AGENT_ENDPOINTS_FILE "; the former one stays",
			LOG_ERR("error", &err));
	e->failed = true;
	(void)uv_timer_start(&e->timer, look, AGAIN_MS, 0);
}

void agent_endpoints_changed(struct agent_endpoints *e)
{
	const int64_t rested = base_boot_ns(&e->app->core.env) - e->written_ns;
	const int64_t rest_ms = REST_MS - rested / NS_PER_MS;

	if (uv_is_active((const uv_handle_t *)&e->timer))
		return;
	(void)uv_timer_start(
		&e->timer, look, e->written_ns && rest_ms > 0 ? (uint64_t)rest_ms : 0, 0);
}

static void changed(void *ctx)
{
	agent_endpoints_changed(ctx);
}

/* -- life -- */

int agent_endpoints_new(struct agent_app *app, struct agent_endpoints **ret_e, struct err *err)
{
	_cleanup_(agent_endpoints_free) struct agent_endpoints *e = base_alloc(1, sizeof(*e));

	if (!e)
		return FAIL(err, ERR_NOMEM, "endpoints");
	e->app = app;
	e->folder = -1;
	e->text = base_buf(AGENT_ENDPOINTS_MAX);
	e->watcher = (struct agent_replica_watcher){.changed = changed, .ctx = e};
	TRY(open_folder(app->options.socket, &e->folder, err));
	if (uv_timer_init(app->core.loop, &e->timer) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	e->timer.data = e;
	e->timer_open = true;
	agent_senders_tell(app->senders, changed, e);
	agent_endpoints_changed(e);
	*ret_e = STEAL(e);
	return 0;
}

void agent_endpoints_begin(struct agent_endpoints *e)
{
	e->watching = true;
	agent_replica_watch(e->app->replica, &e->watcher);
	agent_endpoints_changed(e);
}

static void timer_closed(uv_handle_t *handle)
{
	base_free(handle->data);
}

struct agent_endpoints *agent_endpoints_free(struct agent_endpoints *e)
{
	if (!e)
		return NULL;
	agent_senders_tell(e->app->senders, NULL, NULL);
	if (e->watching)
		agent_replica_unwatch(e->app->replica, &e->watcher);
	file_close(&e->folder);
	base_buf_done(&e->text);
	if (e->timer_open)
		uv_close((uv_handle_t *)&e->timer, timer_closed);
	else
		base_free(e);
	return NULL;
}
