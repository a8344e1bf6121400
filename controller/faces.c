#include "controller/faces.h"

#include "controller/address.h"
#include "controller/metrics.h"
#include "pkg/base/alloc.h"
#include "pkg/http/http.h"

#define METRICS_MAX (1u << 20)

struct controller_faces {
	struct controller_core *core;
	struct controller_runner *runner;
	struct controller_injector *injector; /* NULL: no webhook */
	struct http_server *server;
	struct http_ops metrics, healthz, readyz;
	struct http_route routes[3];
	struct controller_address address;
};

static int write_metrics(void *ctx, struct http_request *r, struct err *err)
{
	struct controller_faces *f = ctx;
	_cleanup_(base_buf_done) struct buf text = base_buf(METRICS_MAX);

	controller_metrics_collect(f->core, f->runner);
	if (f->injector)
		controller_injector_collect(f->injector);
	TRY(base_metrics_write(f->core->metrics, &text, err));
	http_reply_take(r, 200, METRICS_CONTENT_TYPE, &text);
	return 0;
}

static int say_alive(void *ctx, struct http_request *r, struct err *err)
{
	(void)ctx;
	(void)err;
	http_reply(r, 200, "text/plain", STR("ok\n"));
	return 0;
}

/* A standby is ready, too: its caches are warm. */
static int say_ready(void *ctx, struct http_request *r, struct err *err)
{
	const struct controller_faces *f = ctx;

	(void)err;
	if (f->injector && !controller_injector_ready(f->injector))
		http_reply_problem(r, 503, NULL, "not ready",
			STR("the webhook's certificate cannot be used, or its secret or the "
			    "agent's "
			    "podtemplate cannot be watched: see the log"),
			1);
	else if (controller_runner_synced(f->runner))
		http_reply(r, 200, "text/plain", STR("ok\n"));
	else
		http_reply_problem(r, 503, NULL, "not ready",
			STR("the caches are not filled yet: see the log for what cannot be "
			    "watched"),
			1);
	return 0;
}

static void gone(void *ctx, struct http_request *r)
{
	(void)ctx;
	(void)r;
}

int controller_faces_new(struct controller_core *core, struct controller_runner *runner,
	struct controller_injector *injector, const char *address,
	struct controller_faces **ret_faces, struct err *err)
{
	_cleanup_(controller_faces_free) struct controller_faces *f = base_alloc(1, sizeof(*f));

	if (!f)
		return FAIL(err, ERR_NOMEM, "faces");
	f->core = core;
	f->runner = runner;
	f->injector = injector;
	TRY(controller_address_parse("--address", address, &f->address, err));
	f->metrics = (struct http_ops){.end = write_metrics, .gone = gone};
	f->healthz = (struct http_ops){.end = say_alive, .gone = gone};
	f->readyz = (struct http_ops){.end = say_ready, .gone = gone};
	f->routes[0] = (struct http_route){"GET", "/metrics", &f->metrics, f, 0, 0};
	f->routes[1] = (struct http_route){"GET", "/healthz", &f->healthz, f, 0, 0};
	f->routes[2] = (struct http_route){"GET", "/readyz", &f->readyz, f, 0, 0};
	const struct http_config config = {.name = "metrics",
		.loop = core->loop,
		.clock = core->env.clock,
		.routes = f->routes,
		.routes_n = ARRAY_LEN(f->routes),
		.address = f->address.host,
		.port = f->address.port,
		.limits = {.connections = 64}};
	TRY(http_server_new(&config, &f->server, err));
	*ret_faces = STEAL(f);
	return 0;
}

struct controller_faces *controller_faces_free(struct controller_faces *faces)
{
	if (faces)
		http_server_free(faces->server);
	return base_free(faces);
}
