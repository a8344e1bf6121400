/* A webhook on a loop, and a client of it in another thread. Tests only. */
#ifndef CONTROLLER_TEST_WEBHOOK_H
#define CONTROLLER_TEST_WEBHOOK_H

#include "pkg/base/test.h"

#include "controller/certs.h"
#include "controller/webhook.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define BODY_MAX    300000
#define HUGE_ANSWER (20 * BODY_MAX) /* more than sockets take that nobody reads */

/* The server on the loop of this thread, a client in another one. */
struct world {
	uv_loop_t loop;
	uv_async_t done;
	struct controller_webhook *w;
	struct env env;
	struct controller_certs_plan certs;
	uint16_t port;
	unsigned answers;
};

static int answer(void *ctx, struct str body, struct buf *out, struct err *err)
{
	static const char huge[BODY_MAX] = "";
	struct world *world = ctx;

	world->answers++;
	if (base_str_starts(body, STR("bad")))
		return FAIL(err, ERR_INVALID, "bad");
	if (base_str_starts(body, STR("large")))
		return FAIL(err, ERR_TOO_LARGE, "large");
	if (base_str_starts(body, STR("broken")))
		return FAIL(err, ERR_NOMEM, "broken");
	if (base_str_starts(body, STR("huge")))
		for (size_t i = 0; i < HUGE_ANSWER / BODY_MAX; i++)
			TRY(base_buf_add(out, huge, sizeof(huge), err));
	TRY(base_buf_addf(out, err, "%zu:", body.n));
	return base_buf_add_str(out, body, err);
}

static struct controller_certs_plan new_certs(const struct env *env)
{
	struct controller_certs_view v = {.names = {STR("localhost"), STR("127.0.0.1")},
		.names_len = 2,
		.ca_life_ns = 3600 * NS_PER_S,
		.serving_life_ns = 3600 * NS_PER_S};
	struct controller_certs_plan plan;

	assert_ok("certs", controller_certs_step(&v, env, &plan, err));
	return plan;
}

static void use(struct world *world, const struct controller_certs_plan *certs)
{
	assert_ok("certificate", controller_webhook_certificate(world->w,
					 base_buf_str(&certs->texts[CONTROLLER_SERVING]),
					 base_buf_str(&certs->texts[CONTROLLER_SERVING_KEY]), err));
}

static void finished(uv_async_t *done)
{
	uv_stop(done->loop);
}

static void world_begin_at(struct world *world, const char *address, int silence_s)
{
	(void)signal(SIGPIPE, SIG_IGN);
	*world = (struct world){.env = base_env_system()};
	assert_int_equal(uv_loop_init(&world->loop), 0);
	assert_int_equal(uv_async_init(&world->loop, &world->done, finished), 0);
	const struct controller_webhook_config config = {.loop = &world->loop,
		.clock = world->env.clock,
		.address = address,
		.answer = answer,
		.ctx = world,
		.body_max = BODY_MAX,
		.silence_s = silence_s};
	assert_ok("webhook", controller_webhook_new(&config, &world->w, err));
	world->port = controller_webhook_port(world->w);
	assert_true(world->port > 0);
	world->certs = new_certs(&world->env);
	use(world, &world->certs);
}

static void world_begin(struct world *world, int silence_s)
{
	world_begin_at(world, "127.0.0.1:0", silence_s);
}

static void world_end(struct world *world)
{
	controller_webhook_free(world->w);
	controller_certs_plan_done(&world->certs);
	uv_close((uv_handle_t *)&world->done, NULL);
	(void)uv_run(&world->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&world->loop), 0);
}

/* -- the client -- */

struct client {
	struct world *world;
	void (*script)(struct client *c);
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	char text[2 * BODY_MAX];
	size_t n;
	bool good;
	int version; /* the highest of TLS; 0: any */
};

static bool client_connect(struct client *c)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(c->world->port)};
	const struct timeval limit = {.tv_sec = 5};
	const struct buf *ca = &c->world->certs.texts[CONTROLLER_CA];
	BIO *bio = BIO_new_mem_buf(ca->data, (int)ca->len);
	X509 *root = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	c->ctx = SSL_CTX_new(TLS_client_method());
	(void)X509_STORE_add_cert(SSL_CTX_get_cert_store(c->ctx), root);
	X509_free(root);
	BIO_free(bio);
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	if (c->version)
		(void)SSL_CTX_set_max_proto_version(c->ctx, c->version);
	c->ssl = SSL_new(c->ctx);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(c->fd, (const struct sockaddr *)&a, sizeof(a)) != 0)
		return false;
	(void)SSL_set_fd(c->ssl, c->fd);
	(void)SSL_set1_host(c->ssl, "localhost");
	return SSL_connect(c->ssl) == 1;
}

static void client_close(struct client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	c->ssl = NULL;
	c->ctx = NULL;
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
}

static void client_send(struct client *c, const char *p, size_t n)
{
	while (n > 0) {
		const int sent = SSL_write(c->ssl, p, n < 16384 ? (int)n : 16384);
		if (sent <= 0)
			return;
		p += sent;
		n -= (size_t)sent;
	}
}

/* Reads until the text has what is looked for, or nothing more comes. */
static bool client_reads(struct client *c, const char *what)
{
	for (;;) {
		c->text[c->n] = '\0';
		if (strstr(c->text, what))
			return true;
		const int n = SSL_read(c->ssl, c->text + c->n, (int)(sizeof(c->text) - 1 - c->n));
		if (n <= 0)
			return false;
		c->n += (size_t)n;
	}
}

static bool client_ended(struct client *c)
{
	char byte;

	return SSL_read(c->ssl, &byte, 1) <= 0;
}

static bool client_post(struct client *c, const char *path, const char *body, const char *want)
{
	char head[256];

	const int n = snprintf(head, sizeof(head),
		"POST %s?timeout=3s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
		"application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		path, strlen(body));
	c->n = 0;
	client_send(c, head, (size_t)n);
	client_send(c, body, strlen(body));
	return client_reads(c, want);
}

static void *client_main(void *ctx)
{
	struct client *c = ctx;

	c->script(c);
	client_close(c);
	(void)uv_async_send(&c->world->done);
	return NULL;
}

static void play(struct world *world, const char *name, void (*script)(struct client *c))
{
	struct client *c = base_alloc(1, sizeof(*c));
	pthread_t thread;

	*c = (struct client){.world = world, .script = script, .fd = -1};
	assert_int_equal(pthread_create(&thread, NULL, client_main, c), 0);
	(void)uv_run(&world->loop, UV_RUN_DEFAULT);
	(void)pthread_join(thread, NULL);
	if (!c->good)
		fail_msg("%s: %.*s", name, (int)(c->n < 400 ? c->n : 400), c->text);
	base_free(c);
	/* closed connections are counted when the loop has seen that */
	for (int i = 0; i < 50 && controller_webhook_stats(world->w).connections > 0; i++) {
		(void)uv_run(&world->loop, UV_RUN_NOWAIT);
		(void)usleep(1000);
	}
	assert_int_equal(controller_webhook_stats(world->w).connections, 0);
	assert_int_equal(controller_webhook_stats(world->w).busy, 0);
}

#endif
