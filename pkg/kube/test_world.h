/* A client, its loop and a scripted server (kube/test_server.h), for tests of what uses the client.
 * Tests only. */
#ifndef KUBE_TEST_WORLD_H
#define KUBE_TEST_WORLD_H

#include "pkg/base/test.h"
#include "pkg/kube/client.h"
#include "pkg/kube/test_server.h"

#include <fcntl.h>
#include <unistd.h>

struct test_world {
	uv_loop_t loop;
	struct env env;
	struct kube_config *config;
	struct kube_client *client;
	struct test_server server;
	char token_path[64];
};

static inline void test_write_file(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* token NULL: no credentials. Then start the server of w->server and call test_world_connect. */
static inline void test_world_connect(
	struct test_world *w, const char *token, const struct kube_client_options *options)
{
	char path[64];
	char text[512];

	(void)snprintf(w->token_path, sizeof(w->token_path), "/tmp/kube-token-%d", (int)getpid());
	(void)snprintf(path, sizeof(path), "/tmp/kube-config-%d", (int)getpid());
	if (token)
		test_write_file(w->token_path, token);
	(void)snprintf(text, sizeof(text),
		"clusters: [{name: c, cluster: {server: 'http://127.0.0.1:%d/prefix/'}}]\n"
		"users: [{name: u, user: {tokenFile: '%s'}}]\n"
		"contexts: [{name: x, context: {cluster: c, user: %s}}]\ncurrent-context: x\n",
		w->server.port, w->token_path, token ? "u" : "''");
	test_write_file(path, text);
	assert_ok("config", kube_config_load(path, NULL, &w->config, err));
	unlink(path);
	assert_ok(
		"client", kube_client_new(&w->loop, &w->env, w->config, options, &w->client, err));
}

static inline void test_world_start(struct test_world *w, const struct test_answer *answers,
	size_t n, const char *token, const struct kube_client_options *options)
{
	*w = (struct test_world){.env = base_env_system()};
	(void)uv_loop_init(&w->loop);
	test_server_start(&w->server, &w->loop, answers, n);
	test_world_connect(w, token, options);
}

/* Everything of the client's user goes before. Nothing may be left, on the loop or in memory. */
static inline void test_world_stop(struct test_world *w)
{
	w->client = kube_client_free(w->client);
	test_server_stop(&w->server);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	w->config = kube_config_free(w->config);
	unlink(w->token_path);
	assert_int_equal(base_alloc_live(), 0);
}

/* One turn. Not UV_RUN_ONCE: that waits for sockets although a timer did what the test waits for.
 */
static inline void test_world_turn(struct test_world *w)
{
	(void)usleep(200);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
}

static inline void test_world_until(struct test_world *w, const unsigned *counter, unsigned want)
{
	const int64_t limit = base_boot_ns(&w->env) + 20 * NS_PER_S;

	while (*counter < want) {
		test_world_turn(w);
		assert_true(base_boot_ns(&w->env) < limit);
	}
}

static inline void test_world_for(struct test_world *w, int ms)
{
	const int64_t end = base_boot_ns(&w->env) + ms * NS_PER_MS;

	while (base_boot_ns(&w->env) < end)
		test_world_turn(w);
}

#endif
