/* Load on an agent's socket: agent_bench SOCKET PATH CONNECTIONS SECONDS FILE
 *
 * SOCKET is a path, or <IP address>:<port>. FILE holds bodies, each after its length as a be32;
 * they are sent in turn on keep-alive connections, one request in flight on each. SECONDS 0: each
 * body once. Prints one line: requests, failures, seconds, median and 99th percentile in
 * microseconds. With a further argument, answers' bodies are written to that file in the same form.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "crds/endpoint.h"
#include "pkg/base/alloc.h"
#include "pkg/base/buf.h"
#include "pkg/base/env.h"
#include "pkg/base/text.h"

#define CONNECTIONS_MAX 256
#define ANSWER_MAX      (1u << 21)
#define SAMPLES_MAX     (1u << 22)

struct connection {
	int fd;
	int64_t sent_ns;
	size_t request_at; /* bytes of the request that were sent */
	struct buf request, answer;
};

struct load {
	const char *path;
	struct sockaddr_storage address;
	socklen_t address_n;
	const uint8_t *bodies, *next, *end;
	bool once, over;
	int64_t until_ns;
	struct env env;
	int epoll;
	size_t open;
	struct connection connections[CONNECTIONS_MAX];
	uint32_t *samples; /* tenths of a microsecond */
	size_t n, failed;
	FILE *answers;
};

static uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "agent_bench: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void next_request(struct load *l, struct connection *c)
{
	if (l->next == l->end) {
		l->over |= l->once;
		l->next = l->bodies;
	}
	l->over |= !l->once && base_boot_ns(&l->env) >= l->until_ns;
	if (l->over) {
		(void)close(c->fd);
		c->fd = -1;
		l->open--;
		return;
	}
	const uint32_t n = get_be32(l->next);
	base_buf_clear(&c->request);
	base_buf_clear(&c->answer);
	if (base_buf_addf(&c->request, NULL,
		    "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
		    "application/octet-stream\r\nContent-Length: %u\r\n\r\n",
		    l->path, n) < 0 ||
		base_buf_add(&c->request, l->next + 4, n, NULL) < 0)
		die("request");
	l->next += 4 + n;
	c->request_at = 0;
	c->sent_ns = base_boot_ns(&l->env);
}

/* True if the answer is complete. */
static bool read_answer(struct connection *c, unsigned *ret_status, struct str *ret_body)
{
	const char *head = (const char *)c->answer.data;
	const char *end = c->answer.len ? memmem(head, c->answer.len, "\r\n\r\n", 4) : NULL;
	const char *length =
		end ? memmem(head, (size_t)(end - head), "Content-Length: ", 16) : NULL;
	uint64_t n = 0;

	if (!length)
		return false;
	length += 16;
	const char *line = memchr(length, '\r', (size_t)(end + 1 - length));
	if (!line || base_parse_u64(
			     base_str_n(length, (size_t)(line - length)), ANSWER_MAX, &n, NULL) < 0)
		die("Content-Length");
	*ret_status = (unsigned)(head[9] - '0');
	*ret_body = base_str_n(end + 4, n);
	return c->answer.len >= (size_t)(end + 4 - head) + n;
}

static void keep_answer(struct load *l, struct str body)
{
	const uint32_t n = (uint32_t)body.n;
	const uint8_t be[4] = {
		(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

	if (fwrite(be, 1, 4, l->answers) != 4 || fwrite(body.p, 1, n, l->answers) != n)
		die("answers");
}

static void on_readable(struct load *l, struct connection *c)
{
	uint8_t *room = NULL;
	unsigned status = 0;
	struct str body = STR_NULL;

	if (base_buf_room(&c->answer, 65536, &room, NULL) < 0)
		die("answer");
	const ssize_t n = recv(c->fd, room, 65536, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		die("the agent closed a connection");
	base_buf_added(&c->answer, (size_t)n);
	if (!read_answer(c, &status, &body))
		return;
	if (l->n < SAMPLES_MAX)
		l->samples[l->n++] = (uint32_t)((base_boot_ns(&l->env) - c->sent_ns) / 100);
	l->failed += status != 2;
	if (l->answers)
		keep_answer(l, body);
	next_request(l, c);
}

static void on_writable(struct connection *c)
{
	const ssize_t n = send(c->fd, c->request.data + c->request_at,
		c->request.len - c->request_at, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		die("send");
	c->request_at += n > 0 ? (size_t)n : 0;
}

static void step(struct load *l)
{
	struct epoll_event events[64];
	const int n = epoll_wait(l->epoll, events, ARRAY_LEN(events), 5000);

	if (n <= 0)
		die("no answer in 5 s");
	for (int i = 0; i < n; i++) {
		struct connection *c = events[i].data.ptr;
		if (events[i].events & EPOLLIN)
			on_readable(l, c);
		while (c->fd >= 0 && c->request_at < c->request.len)
			on_writable(c);
	}
}

static void dial(struct load *l, struct connection *c)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	c->request = base_buf(ANSWER_MAX);
	c->answer = base_buf(ANSWER_MAX);
	c->fd = socket(l->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&l->address, l->address_n) != 0)
		die("connect");
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
		die("epoll");
	l->open++;
	next_request(l, c);
	while (c->fd >= 0 && c->request_at < c->request.len)
		on_writable(c);
}

static int compare(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void read_bodies(struct load *l, const char *file)
{
	struct stat st;
	const int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
		die(file);
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		die(file);
	l->bodies = l->next = p;
	l->end = l->bodies + st.st_size;
	(void)close(fd);
}

static void find_address(struct load *l, const char *socket)
{
	struct sockaddr_un path = {.sun_family = AF_UNIX};

	l->address_n = sizeof(l->address);
	if (crds_endpoint_parse(base_str(socket), &l->address, NULL) == 0)
		return;
	(void)snprintf(path.sun_path, sizeof(path.sun_path), "%s", socket);
	memcpy(&l->address, &path, sizeof(path));
	l->address_n = sizeof(path);
}

int main(int argc, char **argv)
{
	static struct load l;
	uint64_t connections = 0, seconds = 0;

	if (argc < 6 ||
		base_parse_u64(base_str(argv[3]), CONNECTIONS_MAX, &connections, NULL) < 0 ||
		base_parse_u64(base_str(argv[4]), 3600, &seconds, NULL) < 0) {
		(void)fprintf(stderr, "usage: agent_bench SOCKET PATH CONNECTIONS SECONDS FILE "
				      "[ANSWERS]\n");
		return 2;
	}
	l.env = base_env_system();
	l.path = argv[2];
	find_address(&l, argv[1]);
	read_bodies(&l, argv[5]);
	l.answers = argc > 6 ? fopen(argv[6], "wbe") : NULL;
	l.samples = base_alloc(SAMPLES_MAX, sizeof(*l.samples));
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!l.samples || l.epoll < 0)
		die("start");
	const int64_t begun = base_boot_ns(&l.env);
	l.once = seconds == 0;
	l.until_ns = begun + (int64_t)seconds * NS_PER_S;
	for (size_t i = 0; i < connections; i++)
		dial(&l, &l.connections[i]);
	while (l.open > 0)
		step(&l);
	const double took = (double)(base_boot_ns(&l.env) - begun) / 1e9;
	qsort(l.samples, l.n, sizeof(*l.samples), compare);
	if (l.answers)
		(void)fclose(l.answers);
	(void)printf("%zu %zu %.6f %.1f %.1f\n", l.n, l.failed, took,
		l.n ? l.samples[l.n / 2] / 10.0 : 0, l.n ? l.samples[l.n * 99 / 100] / 10.0 : 0);
	return l.failed > 0;
}
