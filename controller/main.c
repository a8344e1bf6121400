/* functionkey-controller: wiring. One loop, one client, one election, one runner. */
#include "controller/faces.h"
#include "controller/injector.h"
#include "controller/metrics.h"
#include "controller/options.h"
#include "controller/runner.h"
#include "controller/uninjected.h"
#include "pkg/base/log.h"
#include "pkg/kube/client.h"
#include "pkg/kube/event.h"
#include "pkg/kube/lease.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define STOP_MS   5000
#define FILES_MAX 66000 /* CONTROLLER_REVISIONS_MAX leaders, and what else there is */
#define DRAIN_MS  5000  /* in which API servers learn that this replica goes */

/* Fairness is the API server's: it has a priority level for us (manifests/base/flow.yaml), and
 * there are never more than the client's eight calls at once. This bounds what a loop of ours could
 * cost, and lets 500 revisions from nothing pass without waiting. */
#define REQUESTS_A_SECOND 500
#define REQUESTS_AT_ONCE  2500

struct program {
	struct controller_options options;
	struct controller_core core;
	struct kube_config *config;
	struct controller_runner *runner;
	struct controller_injector *injector; /* NULL: no webhook */
	struct controller_uninjected *uninjected;
	struct controller_faces *faces;
	uv_loop_t loop;
	uv_signal_t term, interrupt;
	uv_timer_t limit;
	bool stopping;
};

static void act(struct program *p, bool active)
{
	if (active)
		controller_runner_activate(p->runner);
	else
		controller_runner_deactivate(p->runner);
	controller_uninjected_activate(p->uninjected, active);
	if (p->injector)
		controller_injector_activate(p->injector, active);
}

static void won(void *ctx, int32_t transitions)
{
	struct program *p = ctx;

	log_write(p->core.log, LOG_INFO, "acting", LOG_INT("transitions", transitions));
	act(p, true);
}

static void lost(void *ctx, const char *reason)
{
	struct program *p = ctx;

	log_write(p->core.log, LOG_WARN, "no longer acting", LOG_STR("reason", base_str(reason)));
	act(p, false);
	kube_client_recheck_writes(p->core.client);
}

static void trouble(void *ctx, const struct err *err)
{
	struct program *p = ctx;

	log_write(p->core.log, LOG_WARN, "our lease cannot be read or written",
		LOG_ERR("error", err));
}

/* Every act is a compare-and-swap or the same again; the guard keeps a paused controller from
 * sending what was decided long ago. */
static bool may_write(void *ctx, const struct kube_request *request)
{
	struct program *p = ctx;

	(void)request;
	return !p->core.lease || kube_lease_may_write(p->core.lease);
}

static void warned(void *ctx, struct str text)
{
	struct program *p = ctx;

	log_write(p->core.log, LOG_WARN, "the API server warns", LOG_STR("text", text));
}

static int run_election(struct program *p, struct err *err)
{
	static const struct kube_lease_handler handler = {
		.on_won = won, .on_lost = lost, .on_trouble = trouble};
	_cleanup_(base_buf_done) struct buf identity = base_buf(KUBE_LEASE_HOLDER_MAX);

	if (p->options.alone) {
		won(p, 0);
		return 0;
	}
	TRY(kube_lease_identity(&identity, p->core.pod, base_str(p->options.pod_uid),
		(uint64_t)(p->core.env.clock.wall_ns(p->core.env.clock.ctx) / NS_PER_S), err));
	const struct kube_lease_options options = {.ns = p->core.ns,
		.name = STR(CONTROLLER_LEASE),
		.identity = base_buf_str(&identity),
		.times = {.duration_ns = p->options.lease_duration_ns,
			.renew_deadline_ns = p->options.lease_deadline_ns,
			.retry_ns = p->options.lease_retry_ns},
		.field_manager = CONTROLLER_FIELD_MANAGER,
		.will = KUBE_LEASE_CONTEND,
		.may_create = true};
	TRY(kube_lease_run(p->core.client, &options, &handler, p, &p->core.lease, err));
	kube_client_set_write_guard(p->core.client, may_write, p);
	return 0;
}

static void too_long(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* Another replica acts now; reviews come here for a moment yet. */
static void released(void *ctx)
{
	struct program *p = ctx;

	if (p->injector)
		(void)uv_timer_start(&p->limit, too_long, DRAIN_MS, 0);
	else
		uv_stop(&p->loop);
}

static void asked_to_stop(uv_signal_t *handle, int number)
{
	struct program *p = handle->data;

	(void)number;
	if (p->stopping)
		return;
	p->stopping = true;
	log_write(p->core.log, LOG_INFO, "stopping");
	act(p, false);
	if (p->injector)
		controller_injector_drain(p->injector);
	(void)uv_timer_start(&p->limit, too_long, STOP_MS, 0);
	if (p->core.lease)
		kube_lease_release(p->core.lease, released, p);
	else
		released(p);
}

static int listen_to_signals(struct program *p, struct err *err)
{
	(void)signal(SIGPIPE, SIG_IGN);
	p->term.data = p->interrupt.data = p;
	if (uv_timer_init(&p->loop, &p->limit) != 0 || uv_signal_init(&p->loop, &p->term) != 0 ||
		uv_signal_init(&p->loop, &p->interrupt) != 0 ||
		uv_signal_start(&p->term, asked_to_stop, SIGTERM) != 0 ||
		uv_signal_start(&p->interrupt, asked_to_stop, SIGINT) != 0)
		return FAIL(err, ERR_TERMINAL, "cannot listen to signals");
	return 0;
}

static int connect_to_server(struct program *p, struct err *err)
{
	const struct kube_client_options options = {
		.program = "functionkey-controller/" FUNCTIONKEY_VERSION,
		.rate = REQUESTS_A_SECOND,
		.burst = REQUESTS_AT_ONCE,
		.on_warning = warned,
		.ctx = p};
	const struct kube_events_options events = {
		.controller = "functionkey.dev/controller", .instance = p->core.pod};
	const char *file = p->options.kubeconfig;

	if (file[0])
		TRY(kube_config_load(file, p->options.context, &p->config, err));
	else
		TRY(kube_config_in_cluster("", &p->config, err));
	TRY(kube_client_new(&p->loop, &p->core.env, p->config, &options, &p->core.client, err));
	return kube_events_new(p->core.client, &events, &p->core.events, err);
}

static int start(struct program *p, struct err *err)
{
	const struct log_config log = {.program = "functionkey-controller",
		.level = (enum log_level)p->options.log_level,
		.format = (enum log_format)p->options.log_format,
		.clock = p->core.env.clock};

	TRY(base_log_new(&log, &p->core.log, err));
	if (uv_loop_init(&p->loop) != 0)
		return FAIL(err, ERR_TERMINAL, "no event loop");
	p->core.loop = &p->loop;
	TRY(listen_to_signals(p, err));
	TRY(controller_metrics_new(&p->core.metrics, err));
	TRY(connect_to_server(p, err));
	TRY(controller_runner_new(&p->core, &p->runner, err));
	TRY(controller_uninjected_new(&p->core, controller_runner_world(p->runner),
		p->options.evict_every_ns, &p->uninjected, err));
	if (p->options.webhook_address[0])
		TRY(controller_injector_new(&p->core, &p->options, &p->injector, err));
	TRY(controller_faces_new(
		&p->core, p->runner, p->injector, p->options.address, &p->faces, err));
	log_write(p->core.log, LOG_INFO, "started", LOG_STR("version", STR(FUNCTIONKEY_VERSION)),
		LOG_STR("server", p->config->server));
	return run_election(p, err);
}

static void stop(struct program *p)
{
	controller_faces_free(p->faces);
	controller_injector_free(p->injector);
	controller_uninjected_free(p->uninjected);
	controller_runner_free(p->runner);
	kube_lease_free(p->core.lease);
	kube_events_free(p->core.events);
	kube_client_free(p->core.client);
	kube_config_free(p->config);
	base_metrics_free(p->core.metrics);
	base_log_free(p->core.log);
}

/* Each leader takes a connection, and what a container is given at first may be 1,024 files. */
static void allow_connections(void)
{
	struct rlimit limit = {0};

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	static struct program p;
	struct err err = {0};
	int first = 0;
	int code = 0;

	if (!base_options_start(&controller_options, argc, argv, &p.options, &first, &code))
		return code;
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the token is as good as the controller */
	allow_connections();
	p.core.env = base_env_system();
	p.core.ns = base_str(p.options.ns);
	p.core.pod = base_str(p.options.pod);
	if (start(&p, &err) < 0) {
		(void)fprintf(stderr, "functionkey-controller: %s: %s\n",
			base_err_class_name(err.class), err.msg);
		stop(&p);
		return 1;
	}
	(void)uv_run(&p.loop, UV_RUN_DEFAULT);
	stop(&p);
	return 0;
}
