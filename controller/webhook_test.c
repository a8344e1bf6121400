#include "controller/test_webhook.h"
#include "pkg/base/listen.h"

/* -- scripts -- */

static void many_on_one_connection(struct client *c)
{
	c->good = client_connect(c) && SSL_version(c->ssl) == TLS1_3_VERSION;
	for (int i = 0; i < 20 && c->good; i++)
		c->good = client_post(c, "/inject", "hello", "5:hello") &&
			  strstr(c->text, "HTTP/1.1 200 OK") && strstr(c->text, "application/json");
}

static void tls_1_2(struct client *c)
{
	c->version = TLS1_2_VERSION;
	c->good = client_connect(c) && client_post(c, "/inject", "x", "1:x");
}

static void tls_1_1(struct client *c)
{
	c->version = TLS1_1_VERSION;
	c->good = !client_connect(c);
}

static void large(struct client *c)
{
	char *body = base_alloc(1, BODY_MAX + 1);

	memset(body, 'a', BODY_MAX);
	body[BODY_MAX - 1] = 'z';
	c->good = client_connect(c) && client_post(c, "/inject", body, "az") &&
		  strstr(c->text, "300000:aaa") && client_post(c, "/inject", "x", "1:x");
	base_free(body);
}

/* Records of TLS that are fuller than what is read at once, and ends of bodies at any place of
 * them: with the header before it in a record of its own, and in the same. */
static void any_length(struct client *c)
{
	char *body = base_alloc(1, BODY_MAX + 1);
	char want[32];

	c->good = client_connect(c);
	for (size_t n = 1; n < 40000 && c->good; n += 997) {
		memset(body, 'a', n);
		body[n - 1] = 'z';
		body[n] = 0;
		(void)snprintf(want, sizeof(want), "%zu:%s", n, n > 1 ? "a" : "z");
		c->good = client_post(c, "/inject", body, "z") && strstr(c->text, want);
		c->n = 0;
		client_send(c, body,
			(size_t)snprintf(body, BODY_MAX,
				"POST /inject HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%0*d", n,
				(int)n, 7));
		c->good = c->good && client_reads(c, n > 1 ? "07" : ":7");
	}
	base_free(body);
}

static void in_pieces(struct client *c)
{
	static const char text[] =
		"POST /inject HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabcdef";

	c->good = client_connect(c);
	for (size_t i = 0; c->good && i < sizeof(text) - 1; i++) {
		client_send(c, text + i, 1);
		if (i % 16 == 0)
			(void)usleep(1000);
	}
	c->good = c->good && client_reads(c, "6:abcdef");
}

static void cut_off(struct client *c)
{
	c->good = client_connect(c);
	client_send(c, "POST /inject HTTP/1.1\r\nContent-Length: 90000\r\n\r\nabc", 49);
	(void)usleep(20000);
}

static void no_tls(struct client *c)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(c->world->port)};
	const struct timeval limit = {.tv_sec = 5};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	c->good = connect(c->fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
		  send(c->fd, "GET / HTTP/1.1\r\n\r\n", 18, 0) == 18;
	const ssize_t n = c->good ? recv(c->fd, c->text, sizeof(c->text), 0) : 0;
	c->good = c->good && (n <= 0 || c->text[0] == 0x15); /* the end, or an alert */
}

/* Who asks and does not read its answer is cut: it holds up to 11 MiB of ours. */
static void does_not_read(struct client *c)
{
	static const char text[] = "POST /inject HTTP/1.1\r\nContent-Length: 4\r\n\r\nhuge";
	uint64_t n = 0;
	char piece[4096];
	int got = 0;

	c->good = client_connect(c);
	client_send(c, text, sizeof(text) - 1);
	(void)sleep(3);
	while ((got = SSL_read(c->ssl, piece, sizeof(piece))) > 0)
		n += (uint64_t)got;
	c->n = (size_t)snprintf(c->text, 100, "%llu bytes", (unsigned long long)n);
	c->good = c->good && n < HUGE_ANSWER;
}

/* How many of the sockets the server has closed. */
static size_t closed_of(const int *fds, size_t n)
{
	size_t closed = 0;
	char byte;

	for (size_t i = 0; i < n; i++) {
		const ssize_t got = recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK);
		closed += got == 0 || (got < 0 && errno != EAGAIN);
	}
	return closed;
}

static void too_many(struct client *c)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(c->world->port)};
	int fds[2 * CONTROLLER_WEBHOOK_CONNECTIONS];
	size_t closed = 0;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		(void)connect(fds[i], (const struct sockaddr *)&a, sizeof(a));
	}
	for (int i = 0; i < 500 && closed < CONTROLLER_WEBHOOK_CONNECTIONS; i++) {
		(void)usleep(10000);
		closed = closed_of(fds, ARRAY_LEN(fds));
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
	/* and then there is room again */
	for (int i = 0; i < 100 && !c->good; i++) {
		(void)usleep(10000);
		c->good = client_connect(c) && client_post(c, "/inject", "x", "1:x");
		client_close(c);
	}
	c->good = c->good && closed == CONTROLLER_WEBHOOK_CONNECTIONS;
}

/* Each is answered with that status, and the connection ends. */
static const struct refusal {
	const char *name, *request, *want;
} refusals[] = {
	{"another path", "POST /x HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", " 404 "},
	{"a GET", "GET /inject HTTP/1.1\r\n\r\n", " 405 "},
	{"no length", "POST /inject HTTP/1.1\r\n\r\n", " 411 "},
	{"chunked",
		"POST /inject HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		" 411 "},
	{"length and chunked",
		"POST /inject HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
		" 411 "},
	{"too large a body", "POST /inject HTTP/1.1\r\nContent-Length: 300001\r\n\r\nx", " 413 "},
	{"a length that is none", "POST /inject HTTP/1.1\r\nContent-Length: -1\r\n\r\nx", " 411 "},
	{"bad", "POST /inject HTTP/1.1\r\nContent-Length: 3\r\n\r\nbad", " 400 "},
	{"large", "POST /inject HTTP/1.1\r\nContent-Length: 5\r\n\r\nlarge", " 413 "},
	{"broken", "POST /inject HTTP/1.1\r\nContent-Length: 6\r\n\r\nbroken", " 500 "},
};

static void be_refused(struct client *c)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		c->n = 0;
		c->good = client_connect(c);
		client_send(c, refusals[i].request, strlen(refusals[i].request));
		c->good = c->good && client_reads(c, refusals[i].want) && client_ended(c);
		client_close(c);
		if (!c->good) {
			c->n = (size_t)snprintf(c->text, 100, "%s", refusals[i].name);
			return;
		}
	}
}

static void long_header(struct client *c)
{
	char line[200];

	c->good = client_connect(c);
	client_send(c, "POST /inject HTTP/1.1\r\n", 23);
	for (int i = 0; i < 200; i++)
		client_send(
			c, line, (size_t)snprintf(line, sizeof(line), "X-%d: %0120d\r\n", i, 0));
	c->good = c->good && client_ended(c);
}

static void test_serves(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world, 0);
	play(&world, "many on one connection", many_on_one_connection);
	assert_int_equal(world.answers, 20);
	play(&world, "TLS 1.2", tls_1_2);
	play(&world, "TLS 1.1", tls_1_1);
	play(&world, "large", large);
	play(&world, "any length", any_length);
	play(&world, "in pieces", in_pieces);
	world_end(&world);
}

static bool reaches(const struct sockaddr *a, socklen_t n)
{
	const int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const bool reached = fd >= 0 && connect(fd, a, n) == 0;

	if (fd >= 0)
		(void)close(fd);
	return reached;
}

static void test_families(void **state)
{
	static const struct {
		const char *address;
		bool four, six;
	} rows[] = {
		{"[::]:0", true, true},
		{"0.0.0.0:0", true, false},
		{"127.0.0.1:0", true, false},
		{"[::1]:0", false, true},
	};
	(void)state;

	if (!base_has_ipv6())
		skip();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world world;
		world_begin_at(&world, rows[i].address, 0);
		const struct sockaddr_in four = {.sin_family = AF_INET,
			.sin_port = htons(world.port),
			.sin_addr = {htonl(INADDR_LOOPBACK)}};
		const struct sockaddr_in6 six = {.sin6_family = AF_INET6,
			.sin6_port = htons(world.port),
			.sin6_addr = IN6ADDR_LOOPBACK_INIT};
		if (reaches((const struct sockaddr *)&four, sizeof(four)) != rows[i].four ||
			reaches((const struct sockaddr *)&six, sizeof(six)) != rows[i].six)
			fail_msg("%s", rows[i].address);
		world_end(&world);
	}
}

static void test_hostile(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world, 0);
	play(&world, "refusals", be_refused);
	play(&world, "cut off", cut_off);
	play(&world, "no TLS", no_tls);
	play(&world, "long header", long_header);
	play(&world, "too many", too_many);
	assert_true(
		controller_webhook_stats(world.w).turned_away >= CONTROLLER_WEBHOOK_CONNECTIONS);
	play(&world, "still there", many_on_one_connection);
	world_end(&world);
}

static void test_does_not_read(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world, 1);
	play(&world, "does not read", does_not_read);
	world_end(&world);
}

static void one(struct client *c)
{
	c->good = client_connect(c) && client_post(c, "/inject", "x", "1:x");
}

static void not_trusted(struct client *c)
{
	c->good = !client_connect(c);
}

/* A new certificate is used by the next handshake; what is none changes nothing. */
static void test_certificates(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world, 0);
	struct controller_certs_plan next = new_certs(&world.env);
	const struct str chain = base_buf_str(&next.texts[CONTROLLER_SERVING]);
	const struct str key = base_buf_str(&next.texts[CONTROLLER_SERVING_KEY]);
	assert_class("no key", ERR_INVALID,
		controller_webhook_certificate(world.w, chain, STR_NULL, err));
	assert_class("no certificate", ERR_INVALID,
		controller_webhook_certificate(world.w, STR("x"), key, err));
	assert_class("another's key", ERR_INVALID,
		controller_webhook_certificate(world.w, chain,
			base_buf_str(&world.certs.texts[CONTROLLER_SERVING_KEY]), err));
	play(&world, "the first", one);
	use(&world, &next);
	play(&world, "the first is not served any more", not_trusted);
	controller_certs_plan_done(&world.certs);
	world.certs = next;
	play(&world, "the second", one);
	world_end(&world);
}

static void drained(struct client *c)
{
	c->good = client_connect(c) && client_post(c, "/inject", "x", "1:x") &&
		  strstr(c->text, "connection: close") && client_ended(c);
}

static void test_drain(void **state)
{
	struct world world;
	(void)state;

	world_begin(&world, 0);
	controller_webhook_drain(world.w);
	play(&world, "drained", drained);
	world_end(&world);
}

/* A port of this machine that somebody else listens on. */
static int take_port(char address[static 32])
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t n = sizeof(a);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	(void)snprintf(address, 32, "127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
	return fd;
}

static void test_cannot_listen(void **state)
{
	static const char *const addresses[] = {
		"", "x", "1.2.3.4", "localhost:1", "1.2.3.4:99999", "[::1:1", "[1.2.3.4]:1", ":1"};
	const struct env env = base_env_system();
	struct controller_webhook *w = NULL;
	uv_loop_t loop;
	char taken[32];
	const int fd = take_port(taken);
	struct controller_webhook_config config = {.loop = &loop, .clock = env.clock};
	(void)state;

	assert_int_equal(uv_loop_init(&loop), 0);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		config.address = addresses[i];
		assert_class(addresses[i], ERR_INVALID, controller_webhook_new(&config, &w, err));
	}
	config.address = taken;
	assert_class("taken", ERR_TERMINAL, controller_webhook_new(&config, &w, err));
	assert_null(w);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_serves),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_does_not_read),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_cannot_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
