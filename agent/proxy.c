#include "agent/proxy.h"

#include "agent/inbound.h"
#include "agent/inbound_exposed.h"
#include "crds/endpoint.h"
#include "pkg/base/alloc.h"

#define REFRESH_MS  100
#define CONNECTIONS 512

/* -- refreshing -- */

static void look(uv_timer_t *timer)
{
	struct agent_proxy *proxy = timer->data;
	struct agent_refresh *refresh = NULL;
	size_t n = 0;

	TAILQ_FOREACH(refresh, &proxy->refreshing, link)
	n++;
	/* Those that wait again stand behind them. */
	for (; n > 0 && (refresh = TAILQ_FIRST(&proxy->refreshing)); n--) {
		agent_proxy_no_refresh(proxy, refresh);
		refresh->look(refresh->ctx);
	}
}

void agent_proxy_refresh(struct agent_proxy *proxy, struct agent_refresh *refresh)
{
	if (refresh->waiting)
		return;
	refresh->waiting = true;
	TAILQ_INSERT_TAIL(&proxy->refreshing, refresh, link);
	if (!uv_is_active((uv_handle_t *)&proxy->timer))
		(void)uv_timer_start(&proxy->timer, look, REFRESH_MS, 0);
}

void agent_proxy_no_refresh(struct agent_proxy *proxy, struct agent_refresh *refresh)
{
	if (refresh->waiting)
		TAILQ_REMOVE(&proxy->refreshing, refresh, link);
	refresh->waiting = false;
}

/* -- life -- */

static int listen_inbound(struct agent_proxy *proxy, struct err *err)
{
	struct agent_app *app = proxy->app;
	struct str host = STR_NULL;
	struct http_config config = {.name = "inbound",
		.loop = app->core.loop,
		.clock = app->core.env.clock,
		.metrics = agent_metrics_registry(app->metrics),
		.routes = proxy->routes,
		.routes_n = ARRAY_LEN(proxy->routes),
		.address = proxy->inbound_address,
		/* A gateway or a busy sender is one address with many connections. */
		.limits = {.connections = CONNECTIONS, .connections_per_source = CONNECTIONS}};

	TRY(crds_endpoint_split(base_str(app->options.inbound_address), &host, &config.port, err));
	TRY(base_str_copy(
		host, proxy->inbound_address, sizeof(proxy->inbound_address), "address", err));
	agent_inbound_routes(proxy, proxy->routes);
	return http_server_new(&config, &proxy->inbound, err);
}

static int fill(struct agent_proxy *proxy, struct err *err)
{
	struct agent_app *app = proxy->app;

	TRY(agent_targets_parse(
		base_str(app->options.outbound), app->core.self.ns, &proxy->targets, err));
	if (uv_timer_init(app->core.loop, &proxy->timer) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	proxy->timer.data = proxy;
	proxy->timer_open = true;
	TRY(http_client_new(app->core.loop, &proxy->client, err));
	proxy->inbound_port = agent_options_inbound(&app->options);
	if (proxy->inbound_port == 0)
		return 0;
	TRY(listen_inbound(proxy, err));
	return agent_exposed_new(app, proxy->inbound_port, &proxy->exposed, err);
}

int agent_proxy_new(struct agent_app *app, struct agent_proxy **ret_proxy, struct err *err)
{
	if (!app->options.inbound[0] && !app->options.outbound[0])
		return 0;
	_cleanup_(agent_proxy_free) struct agent_proxy *proxy = base_alloc(1, sizeof(*proxy));
	if (!proxy)
		return FAIL(err, ERR_NOMEM, "proxy");
	proxy->app = app;
	TAILQ_INIT(&proxy->refreshing);
	TRY(fill(proxy, err));
	*ret_proxy = STEAL(proxy);
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	base_free(handle->data);
}

void agent_proxy_drain(struct agent_proxy *proxy)
{
	if (proxy && proxy->inbound)
		http_server_drain(proxy->inbound);
}

bool agent_proxy_idle(const struct agent_proxy *proxy)
{
	return !proxy || !proxy->inbound || http_server_busy(proxy->inbound) == 0;
}

struct agent_proxy *agent_proxy_free(struct agent_proxy *proxy)
{
	if (!proxy)
		return NULL;
	proxy->exposed = agent_exposed_free(proxy->exposed);
	proxy->inbound = http_server_free(proxy->inbound);
	proxy->client = http_client_free(proxy->client);
	if (!proxy->timer_open)
		return base_free(proxy);
	uv_close((uv_handle_t *)&proxy->timer, timer_closed);
	return NULL;
}
