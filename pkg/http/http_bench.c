/* POST of 1 KiB answered with 1 KiB on a unix socket, keep-alive, one in flight: our server beside
 * libmicrohttpd with nothing around it, in the same run. Prints lines for bench/http.sh:
 * name, unit, value, low, high, runs. */
#include "pkg/base/alloc.h"
#include "pkg/base/metrics.h"
#include "pkg/http/http.h"

#include <microhttpd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define BODY   1024
#define ROUNDS 7

struct job {
	size_t n;
	uint8_t body[BODY];
};

static int begin(void *ctx, struct http_request *r, struct err *err)
{
	struct job *job = base_alloc(1, sizeof(*job));

	(void)ctx;
	if (!job)
		return FAIL(err, ERR_NOMEM, "job");
	http_set_state(r, job);
	return 0;
}

static int body(void *ctx, struct http_request *r, const uint8_t *p, size_t n, size_t *ret_taken,
	struct err *err)
{
	struct job *job = http_state(r);

	(void)ctx;
	(void)ret_taken;
	if (n > sizeof(job->body) - job->n)
		return FAIL(err, ERR_TOO_LARGE, "body");
	memcpy(job->body + job->n, p, n);
	job->n += n;
	return 0;
}

static int end(void *ctx, struct http_request *r, struct err *err)
{
	const struct job *job = http_state(r);

	(void)ctx;
	(void)err;
	http_reply(r, 200, "application/octet-stream", base_str_n(job->body, job->n));
	return 0;
}

static void gone(void *ctx, struct http_request *r)
{
	(void)ctx;
	base_free(http_state(r));
}

static void ours(const char *path)
{
	const struct http_ops ops = {.begin = begin, .body = body, .end = end, .gone = gone};
	const struct http_route routes[] = {
		{"GET", "/v1/status", &ops, NULL, 0, 0},
		{"GET", "/v1/keys/{namespace}/{name}", &ops, NULL, 0, 0},
		{"POST", "/v1/encrypt", &ops, NULL, 1 << 20, 0},
	};
	struct metrics *metrics = NULL;
	struct http_server *server = NULL;
	uv_loop_t loop;

	base_assert(uv_loop_init(&loop) == 0);
	base_assert(base_metrics_new("functionkey_", &metrics, NULL) == 0);
	const struct http_config config = {.name = "bench",
		.loop = &loop,
		.clock = base_env_system().clock,
		.metrics = metrics,
		.routes = routes,
		.routes_n = ARRAY_LEN(routes),
		.unix_path = path,
		.unix_mode = 0600};
	base_assert(http_server_new(&config, &server, NULL) == 0);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
}

/* The least that libmicrohttpd lets one do. */
/* NOLINTNEXTLINE(readability-function-size): its signature */
static enum MHD_Result bare_request(void *cls, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **con_cls)
{
	struct job *job = cls;

	(void)url;
	(void)method;
	(void)version;
	if (!*con_cls) {
		*con_cls = job;
		job->n = 0;
		return MHD_YES;
	}
	if (*size > 0) {
		memcpy(job->body + job->n, data, *size);
		job->n += *size;
		*size = 0;
		return MHD_YES;
	}
	struct MHD_Response *response =
		MHD_create_response_from_buffer(job->n, job->body, MHD_RESPMEM_MUST_COPY);
	(void)MHD_add_response_header(response, "Content-Type", "application/octet-stream");
	const enum MHD_Result r = MHD_queue_response(c, 200, response);
	MHD_destroy_response(response);
	return r;
}

static void bare_ready(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	(void)MHD_run(poll->data);
}

static void bare(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	static struct job job;
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	uv_loop_t loop;
	uv_poll_t poll;

	memcpy(a.sun_path, path, strnlen(path, sizeof(a.sun_path) - 1));
	base_assert(bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 16) == 0);
	struct MHD_Daemon *mhd = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, bare_request, &job,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_TIMEOUT, 60U, MHD_OPTION_END);
	base_assert(mhd && uv_loop_init(&loop) == 0);
	base_assert(uv_poll_init(&loop, &poll,
			    MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd) == 0);
	poll.data = mhd;
	(void)uv_poll_start(&poll, UV_READABLE, bare_ready);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts = {0};

	base_assert(clock_gettime(clock, &ts) == 0);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int dial(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(a.sun_path, path, strnlen(path, sizeof(a.sun_path) - 1));
	for (int i = 0; i < 500; i++) {
		if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
			return fd;
		(void)usleep(10000);
	}
	base_assert(!"no server");
	return -1;
}

/* One request and its answer, whose length the first one tells. */
static void one(int fd, const char *request, size_t n, size_t *answer)
{
	char buf[4096];
	size_t got = 0;

	base_assert(send(fd, request, n, 0) == (ssize_t)n);
	while (got == 0 || got < *answer) {
		const ssize_t r = recv(fd, buf + got, sizeof(buf) - got, 0);
		base_assert(r > 0);
		got += (size_t)r;
		if (*answer == 0 && memmem(buf, got, "\r\n\r\n", 4))
			*answer =
				(size_t)((char *)memmem(buf, got, "\r\n\r\n", 4) + 4 - buf) + BODY;
	}
	base_assert(got == *answer && memcmp(buf, "HTTP/1.1 200", 12) == 0);
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a;
	const double y = *(const double *)b;

	return (x > y) - (x < y);
}

struct result {
	double cpu_us[ROUNDS], p50_us[ROUNDS], rate[ROUNDS];
};

static void round_of(int fd, clockid_t server, size_t n, struct result *result, int round)
{
	static double took[1 << 20];
	char request[2048];
	size_t answer = 0;
	const int head = snprintf(request, sizeof(request),
		"POST /v1/encrypt HTTP/1.1\r\nHost: functionkey\r\nUser-Agent: bench\r\nAccept: "
		"*/*\r\n"
		"Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
		BODY);

	memset(request + head, 'x', BODY);
	one(fd, request, (size_t)head + BODY, &answer);
	const int64_t cpu = now_ns(server);
	const int64_t begun = now_ns(CLOCK_MONOTONIC);
	for (size_t i = 0; i < n; i++) {
		const int64_t from = now_ns(CLOCK_MONOTONIC);
		one(fd, request, (size_t)head + BODY, &answer);
		took[i] = (double)(now_ns(CLOCK_MONOTONIC) - from) / 1000;
	}
	const double seconds = (double)(now_ns(CLOCK_MONOTONIC) - begun) / (double)NS_PER_S;
	result->cpu_us[round] = (double)(now_ns(server) - cpu) / 1000 / (double)n;
	result->rate[round] = (double)n / seconds;
	qsort(took, n, sizeof(*took), compare);
	result->p50_us[round] = took[n / 2];
}

static void print(const char *name, const char *unit, double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	(void)printf("%s %s %.3f %.3f %.3f %d\n", name, unit, values[ROUNDS / 2], values[0],
		values[ROUNDS - 1], ROUNDS);
}

int main(int argc, char **argv)
{
	uint64_t n = 50000;
	char path[2][64];
	pid_t pid[2];
	int fd[2];
	clockid_t clock[2];
	struct result result[2];

	if (argc > 1)
		(void)sscanf(argv[1], "%lu", &n); /* NOLINT(cert-err34-c): n stays */
	n = n > 1 << 20 ? 1 << 20 : n;
	for (int i = 0; i < 2; i++) {
		(void)snprintf(
			path[i], sizeof(path[i]), "/tmp/fk-http-bench-%d-%d", (int)getpid(), i);
		pid[i] = fork();
		base_assert(pid[i] >= 0);
		if (pid[i] == 0) {
			(i ? bare : ours)(path[i]);
			_exit(0);
		}
		fd[i] = dial(path[i]);
		base_assert(clock_getcpuclockid(pid[i], &clock[i]) == 0);
	}
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < 2; i++)
			round_of(fd[i], clock[i], n, &result[i], round);
	for (int i = 0; i < 2; i++) {
		print(i ? "bare-cpu" : "cpu", "us", result[i].cpu_us);
		print(i ? "bare-p50" : "p50", "us", result[i].p50_us);
		print(i ? "bare-rate" : "rate", "1/s", result[i].rate);
		(void)kill(pid[i], SIGKILL);
		(void)waitpid(pid[i], NULL, 0);
		(void)unlink(path[i]);
	}
	return 0;
}
