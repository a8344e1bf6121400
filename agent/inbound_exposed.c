#include "agent/inbound_exposed.h"

#include "crds/endpoint.h"
#include "crds/pod.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/kube/event.h"

#include <netinet/in.h>
#include <stdio.h>

struct agent_exposed {
	struct agent_app *app;
	struct sockaddr_storage address;
	char text[80];
	uv_timer_t timer;
	uv_tcp_t tcp;
	uv_connect_t connect;
	bool trying; /* tcp is open */
	bool found;
	bool freed;
	unsigned open; /* handles */
};

static void closed(uv_handle_t *handle)
{
	struct agent_exposed *e = handle->data;

	if (handle == (uv_handle_t *)&e->tcp)
		e->trying = false;
	e->open--;
	if (e->freed && e->open == 0)
		base_free(e);
}

static void give_up(struct agent_exposed *e)
{
	if (e->trying && !uv_is_closing((uv_handle_t *)&e->tcp))
		uv_close((uv_handle_t *)&e->tcp, closed);
}

static void tell(struct agent_exposed *e, bool found)
{
	const struct agent_self *self = &e->app->core.self;
	char note[160];

	if (found == e->found)
		return;
	e->found = found;
	agent_metrics_exposed(e->app->metrics, found);
	log_write(e->app->core.log, found ? LOG_WARN : LOG_INFO,
		"whether plain requests reach the function past the agent",
		LOG_BOOL("exposed", found), LOG_STR("address", base_str(e->text)));
	if (!found)
		return;
	(void)snprintf(note, sizeof(note),
		"The function listens on %s: plain requests reach it past the agent.", e->text);
	kube_event_emit(e->app->core.events,
		&(struct kube_event){.resource = &crds_pods,
			.regarding = {.ns = self->ns, .name = self->pod, .uid = self->pod_uid},
			.type = KUBE_EVENT_WARNING,
			.reason = "FunctionExposed",
			.action = "Check",
			.note = base_str(note)});
}

static void connected(uv_connect_t *connect, int status)
{
	struct agent_exposed *e = connect->handle->data;

	if (e->freed || status == UV_ECANCELED)
		return;
	tell(e, status == 0);
	give_up(e);
}

static void look(uv_timer_t *timer)
{
	struct agent_exposed *e = timer->data;

	/* What has not been answered in all that time goes nowhere. */
	give_up(e);
	if (e->trying || uv_tcp_init(e->app->core.loop, &e->tcp) != 0)
		return;
	e->tcp.data = e;
	e->trying = true;
	e->open++;
	if (uv_tcp_connect(&e->connect, &e->tcp, (const struct sockaddr *)&e->address, connected) !=
		0)
		give_up(e);
}

static bool is_loopback(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
	return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

int agent_exposed_new(
	struct agent_app *app, uint16_t port, struct agent_exposed **ret, struct err *err)
{
	const struct str ip = app->core.self.pod_ip;
	const bool six = base_str_find(ip, ':', 0) < ip.n;
	_cleanup_(agent_exposed_free) struct agent_exposed *e = base_alloc(1, sizeof(*e));

	if (!e)
		return FAIL(err, ERR_NOMEM, "exposure");
	e->app = app;
	(void)snprintf(e->text, sizeof(e->text), six ? "[%.*s]:%u" : "%.*s:%u", STR_FMT(ip), port);
	TRY(crds_endpoint_parse(base_str(e->text), &e->address, err));
	if (is_loopback(&e->address))
		return 0;
	if (uv_timer_init(app->core.loop, &e->timer) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	e->timer.data = e;
	e->open = 1;
	(void)uv_timer_start(&e->timer, look, AGENT_EXPOSED_FIRST_MS, AGENT_EXPOSED_EVERY_MS);
	*ret = STEAL(e);
	return 0;
}

struct agent_exposed *agent_exposed_free(struct agent_exposed *e)
{
	if (!e)
		return NULL;
	e->freed = true;
	if (e->open == 0)
		return base_free(e);
	give_up(e);
	uv_close((uv_handle_t *)&e->timer, closed);
	return NULL;
}
