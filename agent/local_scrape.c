/* /metrics on the pod's address: docs/adr/0012. */
#include "agent/local_internal.h"

#include "pkg/base/log.h"
#include "pkg/http/http.h"

#define AGAIN_MS          30000
#define CONNECTIONS       16
#define CONNECTIONS_EACH  4
#define REQUESTS_A_SECOND 5
#define HEADER_MAX        4096
#define IDLE_NS           (10 * NS_PER_S)
#define TOTAL_NS          (30 * NS_PER_S)

static void try_listen(uv_timer_t *timer)
{
	struct agent_local_face *f = timer->data;
	const struct agent_app *app = f->app;
	/* Uncounted: Prometheus knows its scrapes, and four servers count already. */
	const struct http_config config = {.name = "metrics",
		.loop = app->core.loop,
		.clock = app->core.env.clock,
		.routes = &f->scrape_route,
		.routes_n = 1,
		.address = app->options.pod_ip,
		.port = (uint16_t)app->options.metrics_port,
		.limits = {.connections = CONNECTIONS,
			.connections_per_source = CONNECTIONS_EACH,
			.requests_per_second = REQUESTS_A_SECOND,
			.header_max = HEADER_MAX,
			.idle_ns = IDLE_NS,
			.total_ns = TOTAL_NS}};
	struct err err = {0};

	if (http_server_new(&config, &f->scrape, &err) == 0) {
		log_write(app->core.log, LOG_INFO, "serving metrics",
			LOG_STR("address", base_str(app->options.pod_ip)),
			LOG_INT("port", app->options.metrics_port));
		return;
	}
	if (!f->scrape_told)
		log_write(app->core.log, LOG_WARN,
			"cannot serve metrics on the pod's address; trying again now and then",
			LOG_INT("port", app->options.metrics_port), LOG_ERR("error", &err));
	f->scrape_told = true;
	(void)uv_timer_start(timer, try_listen, AGAIN_MS, 0);
}

int agent_scrape_listen(struct agent_local_face *f, struct err *err)
{
	if (f->app->options.metrics_port == 0)
		return 0;
	if (uv_timer_init(f->app->core.loop, &f->scrape_again) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	f->scrape_again.data = f;
	f->scrape_open = true;
	f->scrape_route = (struct http_route){"GET", "/metrics", &agent_scrape_ops, f, 0, 0};
	try_listen(&f->scrape_again);
	return 0;
}
