#include "agent/probe.h"

#include "pkg/base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define STARTUP_MS 4500
#define PROBE_MS   1500
#define DRAIN_MS   5000
#define AGAIN_MS   20

struct fd {
	int n;
};
static void fd_close(struct fd *fd)
{
	if (fd->n >= 0)
		(void)close(fd->n);
}
CLEANUP_DONE(struct fd, fd_close);

static int set_limit(int fd, int64_t limit_ms, struct err *err)
{
	const struct timeval limit = {
		.tv_sec = limit_ms / 1000, .tv_usec = (limit_ms % 1000) * 1000};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
		return FAIL(err, ERR_TERMINAL, "time limit: %s", strerror(errno));
	return 0;
}

static int dial(const char *path, struct fd *fd, int64_t limit_ms, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	TRY(base_str_copy(base_str(path), addr.sun_path, sizeof(addr.sun_path), "socket", err));
	fd->n = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd->n < 0)
		return FAIL(err, ERR_TERMINAL, "socket: %s", strerror(errno));
	TRY(set_limit(fd->n, limit_ms, err));
	if (connect(fd->n, (const struct sockaddr *)&addr, sizeof(addr)) != 0)
		return FAIL(err, ERR_TRANSIENT, "nobody listens at %s: %s", path, strerror(errno));
	return 0;
}

static int send_all(int fd, struct str bytes, struct err *err)
{
	while (bytes.n > 0) {
		const ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return FAIL(err, ERR_TRANSIENT, "send: %s", strerror(errno));
		bytes = base_str_sub(bytes, (size_t)n, bytes.n);
	}
	return 0;
}

static int receive_all(int fd, struct buf *b, struct err *err)
{
	for (;;) {
		uint8_t *room = NULL;
		TRY(base_buf_room(b, 512, &room, err));
		const ssize_t n = recv(fd, room, 512, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FAIL(err, ERR_TRANSIENT, "no answer in time: %s", strerror(errno));
		if (n == 0)
			return 0;
		base_buf_added(b, (size_t)n);
	}
}

/* "HTTP/1.1 200 OK" and a body after an empty line. Bodies here are small and never chunked. */
static int read_answer(struct str answer, int *ret_status, struct str *ret_body, struct err *err)
{
	uint64_t status = 0;
	const char *end = answer.n ? memmem(answer.p, answer.n, "\r\n\r\n", 4) : NULL;

	if (!end || !base_str_starts(answer, STR("HTTP/1.1 ")))
		return FAIL(err, ERR_INVALID, "the answer is no HTTP");
	TRY(base_parse_u64(base_str_sub(answer, 9, 12), 999, &status, err));
	*ret_status = (int)status;
	*ret_body = base_str_sub(answer, (size_t)(end - answer.p) + 4, answer.n);
	return 0;
}

int agent_probe_ask(const char *socket_path, const char *method, const char *path, int64_t limit_ms,
	int *ret_status, struct buf *ret_body, struct err *err)
{
	_cleanup_(fd_close) struct fd fd = {.n = -1};
	_cleanup_(base_buf_done) struct buf request = base_buf(1024);
	_cleanup_(base_buf_done) struct buf answer = base_buf(AGENT_PROBE_ANSWER_MAX);
	struct str body = STR_NULL;
	int status = 0;

	TRY(dial(socket_path, &fd, limit_ms, err));
	TRY(base_buf_addf(&request, err,
		"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "
		"0\r\n\r\n",
		method, path));
	TRY(send_all(fd.n, base_buf_str(&request), err));
	TRY(receive_all(fd.n, &answer, err));
	TRY(read_answer(base_buf_str(&answer), &status, &body, err));
	TRY(base_buf_add_str(ret_body, body, err));
	*ret_status = status;
	return 0;
}

enum agent_probe agent_probe_named(struct str name)
{
	static const struct {
		const char *name;
		enum agent_probe probe;
	} rows[] = {{"startup", AGENT_PROBE_STARTUP}, {"ready", AGENT_PROBE_READY},
		{"live", AGENT_PROBE_LIVE}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (base_str_eq(name, base_str(rows[i].name)))
			return rows[i].probe;
	return AGENT_PROBE_NONE;
}

/* One question; what is wrong goes into `why`. */
static bool ask(const char *socket_path, const char *method, const char *path, int64_t limit_ms,
	struct buf *why)
{
	struct err err = {0};
	int status = 0;

	base_buf_clear(why);
	if (agent_probe_ask(socket_path, method, path, limit_ms, &status, why, &err) < 0) {
		base_buf_clear(why);
		(void)!base_buf_addf(why, NULL, "%s\n", err.msg);
		return false;
	}
	return status >= 200 && status < 300;
}

static bool ask_until(const char *socket_path, const struct env *env, struct buf *why)
{
	const int64_t end = base_boot_ns(env) + STARTUP_MS * NS_PER_MS;

	while (!ask(socket_path, "GET", "/readyz", PROBE_MS, why)) {
		if (base_boot_ns(env) >= end)
			return false;
		(void)poll(NULL, 0, AGAIN_MS);
	}
	return true;
}

int agent_probe_run(enum agent_probe probe, const char *socket_path, const struct env *env)
{
	_cleanup_(base_buf_done) struct buf why = base_buf(AGENT_PROBE_ANSWER_MAX);
	bool good = false;

	if (probe == AGENT_PROBE_STARTUP)
		good = ask_until(socket_path, env, &why);
	else if (probe == AGENT_PROBE_READY)
		good = ask(socket_path, "GET", "/readyz", PROBE_MS, &why);
	else if (probe == AGENT_PROBE_LIVE)
		good = ask(socket_path, "GET", "/healthz", PROBE_MS, &why);
	else if (probe == AGENT_PROBE_DRAIN)
		good = ask(socket_path, "POST", "/v1/drain", DRAIN_MS, &why);
	if (!good)
		(void)fwrite(why.data, 1, why.len, stdout);
	return good ? 0 : 1;
}
