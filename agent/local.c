#include "agent/local_internal.h"

#include "agent/answer.h"
#include "agent/encrypt.h"
#include "agent/outbound.h"
#include "crds/endpoint.h"
#include "pkg/base/alloc.h"
#include "pkg/http/http.h"

#include <stdio.h>

#define LOOPBACK_CONNECTIONS 256
#define SOCKET_MODE          0666 /* other users of the pod connect; the directory is the pod's own */

/* What is sealed can be longer than its plaintext by a head and a tag for each segment. */
#define SEALED_MAX (ENVELOPE_STREAM_MAX + ENVELOPE_STREAM_MAX / 1024 + ENVELOPE_HEAD_MAX)

static size_t info_routes(struct agent_local_face *f, struct http_route *routes)
{
	const struct http_route table[] = {
		{"GET", "/v1/keys", &agent_keys_ops, f, 0, 0},
		{"GET", "/v1/keys/{namespace}/{function}", &agent_function_keys_ops, f, 0, 0},
		{"GET", "/v1/status", &agent_status_ops, f, 0, 0},
		{"GET", "/metrics", &agent_metrics_ops, f, 0, 0},
		{"GET", "/healthz", &agent_health_ops, f, 0, 0},
		{"GET", "/readyz", &agent_ready_ops, f, 0, 0},
	};

	memcpy(routes, table, sizeof(table));
	return ARRAY_LEN(table);
}

static struct http_config config_of(struct agent_local_face *f)
{
	return (struct http_config){.loop = f->app->core.loop,
		.clock = f->app->core.env.clock,
		.metrics = agent_metrics_registry(f->app->metrics),
		.limits.stall_ns = AGENT_STALL_NS};
}

static int listen_socket(struct agent_local_face *f, struct err *err)
{
	struct http_config config = config_of(f);
	struct http_route *routes = f->socket_routes;
	size_t n = info_routes(f, routes);

	routes[n++] = (struct http_route){
		"POST", "/v1/encrypt", &agent_encrypt_ops, f->app, ENVELOPE_STREAM_MAX, HTTP_LONG};
	routes[n++] = (struct http_route){
		"POST", "/v1/decrypt", &agent_decrypt_ops, f->app, SEALED_MAX, HTTP_LONG};
	routes[n++] = (struct http_route){"POST", "/v1/drain", &agent_drain_ops, f, 0, 0};
	base_assert(n <= AGENT_LOCAL_ROUTES);
	config.name = "local";
	config.routes = routes;
	config.routes_n = n;
	config.unix_path = f->app->options.socket;
	config.unix_mode = SOCKET_MODE;
	return http_server_new(&config, &f->socket, err);
}

/* Everybody on the pod's (or, with hostNetwork, the node's) loopback reaches this: no decrypt. */
static int listen_loopback(struct agent_local_face *f, struct err *err)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", "functionkey", NULL};
	struct http_config config = config_of(f);
	struct http_route *routes = f->loopback_routes;
	size_t n = info_routes(f, routes);
	struct str host = STR_NULL;

	if (!f->app->options.local_address[0])
		return 0;
	routes[n++] = (struct http_route){
		"POST", "/v1/encrypt", &agent_encrypt_ops, f->app, ENVELOPE_STREAM_MAX, HTTP_LONG};
	if (f->app->options.outbound[0]) {
		routes[n++] = (struct http_route){"*", AGENT_OUTBOUND_PATH, &agent_outbound_ops,
			f->app, ENVELOPE_STREAM_MAX, HTTP_LONG};
		/* Everybody comes from one address. */
		config.limits.connections_per_source = LOOPBACK_CONNECTIONS;
	}
	base_assert(n <= AGENT_LOCAL_ROUTES);
	TRY(crds_endpoint_split(base_str(f->app->options.local_address), &host, &config.port, err));
	TRY(base_str_copy(host, f->loopback_address, sizeof(f->loopback_address), "address", err));
	config.name = "loopback";
	config.routes = routes;
	config.routes_n = n;
	config.address = f->loopback_address;
	config.hosts = hosts;
	return http_server_new(&config, &f->loopback, err);
}

int agent_local_new(struct agent_app *app, struct agent_local_face **ret_face, struct err *err)
{
	_cleanup_(agent_local_free) struct agent_local_face *f = base_alloc(1, sizeof(*f));

	if (!f)
		return FAIL(err, ERR_NOMEM, "local API");
	f->app = app;
	LIST_INIT(&f->draining);
	TRY(listen_socket(f, err));
	TRY(listen_loopback(f, err));
	TRY(agent_scrape_listen(f, err));
	*ret_face = STEAL(f);
	return 0;
}

void agent_local_drain(struct agent_local_face *face)
{
	http_server_drain(face->socket);
	if (face->loopback)
		http_server_drain(face->loopback);
}

bool agent_local_idle(const struct agent_local_face *face)
{
	return http_server_busy(face->socket) == 0 &&
	       (!face->loopback || http_server_busy(face->loopback) == 0);
}

static void timer_closed(uv_handle_t *handle)
{
	base_free(handle->data);
}

struct agent_local_face *agent_local_free(struct agent_local_face *face)
{
	if (!face)
		return NULL;
	face->socket = http_server_free(face->socket);
	face->loopback = http_server_free(face->loopback);
	face->scrape = http_server_free(face->scrape);
	if (!face->scrape_open)
		return base_free(face);
	uv_close((uv_handle_t *)&face->scrape_again, timer_closed);
	return NULL;
}
