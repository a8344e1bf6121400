#include "agent/network.h"

#include "agent/announce.h"
#include "agent/answer.h"
#include "agent/app.h"
#include "agent/endpoints.h"
#include "agent/keeperlink.h"
#include "agent/kick.h"
#include "agent/local.h"
#include "agent/peer.h"
#include "agent/phases.h"
#include "agent/proxy.h"
#include "agent/signer.h"
#include "agent/supervisor.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/kube/client.h"
#include "pkg/kube/event.h"
#include "pkg/kube/lease.h"
#include "pkg/pre/pre.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define KEEPER_MS       5000 /* for its first answer */
#define SETTLE_MS       3000
#define SETTLE_EVERY_MS 60000
#define STOP_MS         3000 /* after SIGTERM, for handing over and for requests that run */
#define STOP_LOOK_MS    10
#define AGAIN_MS        500
#define AGAIN_MAX_MS    8000
#define IDENTITY_MAX    512

struct network {
	struct agent_app app;
	struct agent_targets allowed; /* to send to us */
	uv_loop_t loop;
	struct kube_config *config;
	struct agent_local_face *local;
	struct agent_peer_face *peer;
	struct agent_endpoints *endpoints;
	struct agent_phases phases;
	struct agent_announcer *announcer; /* NULL: nothing is announced */
	uv_signal_t term, interrupt;
	uv_timer_t again; /* asking for our record; settling; looking whether we can stop */
	int open;         /* handles of ours */
	uint64_t again_ms;
	int64_t stop_ns; /* the limit of stopping */
	bool handed;     /* the Lease is released */
	bool loop_open;
	int status;
	char member[CRDS_NAME_MAX];
	char endpoint[128];
	struct buf identity;
	char starting[ERR_MSG_MAX];
};

struct protocol_readiness agent_app_readiness(const struct agent_app *app)
{
	if (app->stopping)
		return (struct protocol_readiness){false, "Stopping", "The agent is stopping."};
	if (app->replica)
		return agent_replica_readiness(app->replica);
	return (struct protocol_readiness){false, "Starting", app->starting};
}

void agent_app_failed(struct agent_app *app, const char *what, const struct agent_message_end *end,
	const struct err *err)
{
	agent_metrics_message(app->metrics, end);
	agent_journal_add(&app->journal, &app->core.env, what, end->aborted, err);
	log_write(app->core.log, LOG_INFO, "a message failed", LOG_STR("what", base_str(what)),
		LOG_STR("type", base_str(agent_problem_row(end->problem)->type)),
		LOG_BOOL("aborted", end->aborted), LOG_ERR("error", err));
}

void agent_app_gone(
	struct agent_app *app, const char *what, enum agent_op op, int64_t took_ns, bool stalled)
{
	const struct err why = agent_answer_not_read();
	const struct agent_message_end end = {.op = op,
		.problem = stalled ? agent_problem_of(&why) : AGENT_PROBLEM_NONE,
		.aborted = true,
		.took_ns = took_ns};

	if (stalled)
		agent_app_failed(app, what, &end, &why);
	else
		agent_metrics_message(app->metrics, &end);
}

/* -- the end -- */

static void stop_now(struct network *n)
{
	uv_stop(&n->loop);
}

static void look(uv_timer_t *timer)
{
	struct network *n = timer->data;

	const bool idle = agent_local_idle(n->local) && agent_proxy_idle(n->app.proxy);

	if ((n->handed && idle) || base_boot_ns(&n->app.core.env) >= n->stop_ns)
		stop_now(n);
}

static void handed_over(void *ctx)
{
	((struct network *)ctx)->handed = true;
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct network *n = handle->data;

	log_write(n->app.core.log, LOG_INFO, "told to stop", LOG_INT("signal", number));
	if (n->app.stopping || !n->app.replica) {
		stop_now(n);
		return;
	}
	n->app.stopping = true;
	n->stop_ns = base_boot_ns(&n->app.core.env) + STOP_MS * NS_PER_MS;
	agent_local_drain(n->local);
	agent_proxy_drain(n->app.proxy);
	agent_endpoints_changed(n->endpoints);
	/* If it is draining already, that is a request, which we wait for. */
	n->handed = agent_replica_draining(n->app.replica);
	if (!n->handed)
		agent_replica_drain(n->app.replica, handed_over, n);
	(void)uv_timer_start(&n->again, look, 0, STOP_LOOK_MS);
}

static void keeper_gone(void *ctx, const struct err *err)
{
	struct network *n = ctx;

	log_write(n->app.core.log, LOG_ERROR, "the keeper is gone, and its keys with it",
		LOG_ERR("error", err));
	n->status = AGENT_SUPERVISOR_FAILED;
	stop_now(n);
}

/* -- who we are -- */

static void set_names(struct network *n)
{
	struct agent_self *self = &n->app.core.self;
	const struct agent_options *o = &n->app.options;
	const struct str address = base_str(o->peer_address);
	size_t colon = address.n;

	while (colon > 0 && address.p[colon - 1] != ':')
		colon--;
	const bool six = strchr(o->pod_ip, ':') != NULL;
	(void)snprintf(n->endpoint, sizeof(n->endpoint), six ? "[%s]:%s" : "%s:%s", o->pod_ip,
		address.p + colon);
	*self = (struct agent_self){.ns = base_str(o->ns),
		.revision = base_str(o->revision),
		.function = base_str(o->function),
		.pod = base_str(o->pod),
		.pod_uid = base_str(o->pod_uid),
		.pod_ip = base_str(o->pod_ip),
		.endpoint = base_str(n->endpoint),
		.member = base_str(n->member)};
}

/* The start, or a burst, is over; what it took is not needed any more. */
static void settle(uv_timer_t *timer)
{
	(void)timer;
	base_alloc_trim();
}

/* From here on the replica takes part. */
static int begin_replica(struct network *n, int64_t incarnation, struct err *err)
{
	struct agent_self *self = &n->app.core.self;

	self->incarnation = incarnation;
	base_buf_clear(&n->identity);
	TRY(kube_lease_identity(
		&n->identity, self->pod, self->pod_uid, (uint64_t)incarnation, err));
	self->identity = base_buf_str(&n->identity);
	log_write(n->app.core.log, LOG_INFO, "taking part", LOG_STR("namespace", self->ns),
		LOG_STR("function", self->function), LOG_STR("revision", self->revision),
		LOG_STR("record", self->member), LOG_INT("incarnation", incarnation));
	TRY(agent_replica_new(&n->app.core, &n->app.replica, err));
	agent_phases_begin(&n->phases, &n->app);
	agent_endpoints_begin(n->endpoints);
	TRY(agent_announcer_new(&n->app, &n->announcer, err));
	(void)uv_timer_start(&n->again, settle, SETTLE_MS, SETTLE_EVERY_MS);
	TRY(agent_targets_parse(
		base_str(n->app.options.allow_senders), self->ns, &n->allowed, err));
	const struct agent_opening_policy policy = {
		.require = (enum envelope_sender_level)n->app.options.require_sender,
		.allowed = &n->allowed,
		.replay_s = n->app.options.replay_window_ns / NS_PER_S,
		.senders = n->app.senders};
	return agent_openings_new(
		&n->app.core, n->app.envelope, n->app.replica, &policy, &n->app.openings, err);
}

static void begin_or_stop(struct network *n, int64_t incarnation)
{
	struct err err = {0};

	if (begin_replica(n, incarnation, &err) == 0)
		return;
	log_write(n->app.core.log, LOG_ERROR, "cannot take part", LOG_ERR("error", &err));
	n->status = AGENT_SUPERVISOR_FAILED;
	stop_now(n);
}

static void ask_record(uv_timer_t *timer);

static void ask_again(struct network *n, const struct err *err)
{
	(void)snprintf(n->starting, sizeof(n->starting), "%s", err->msg);
	n->app.starting = n->starting;
	log_write(
		n->app.core.log, LOG_WARN, "cannot read our own record yet", LOG_ERR("error", err));
	(void)uv_timer_start(&n->again, ask_record, n->again_ms, 0);
	n->again_ms = n->again_ms * 2 < AGAIN_MAX_MS ? n->again_ms * 2 : AGAIN_MAX_MS;
}

/* A keeper is a new incarnation: above the one that our record names. */
static void got_record(void *ctx, const struct kube_response *resp, const struct err *err)
{
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = NULL;
	struct network *n = ctx;
	struct err why = {0};

	if (err && err->class != ERR_NOT_FOUND) {
		ask_again(n, err);
		return;
	}
	if (!err && crds_functionkey_decode(resp->body, &fk, &why) < 0) {
		ask_again(n, &why);
		return;
	}
	begin_or_stop(n, fk ? fk->incarnation + 1 : 1);
}

static void ask_record(uv_timer_t *timer)
{
	struct network *n = timer->data;
	const struct kube_request request = {.verb = KUBE_GET,
		.resource = &crds_functionkeys,
		.ns = n->app.core.self.ns,
		.name = n->app.core.self.member,
		.class = KUBE_CLASS_API};
	struct err err = {0};

	if (kube_start(n->app.core.client, &request, got_record, n, NULL, &err) < 0)
		ask_again(n, &err);
}

/* -- putting it together -- */

static void shut_in(void)
{
	const struct rlimit none = {0, 0};

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(SIGPIPE, SIG_IGN);
}

static int make_log(struct network *n, struct err *err)
{
	const struct log_config config = {.program = "functionkey-agent",
		.level = (enum log_level)n->app.options.log_level,
		.format = (enum log_format)n->app.options.log_format,
		.clock = n->app.core.env.clock};

	return base_log_new(&config, &n->app.core.log, err);
}

static int watch_signal(struct network *n, uv_signal_t *handle, int number, struct err *err)
{
	if (uv_signal_init(&n->loop, handle) != 0)
		return FAIL(err, ERR_TERMINAL, "signals");
	handle->data = n;
	n->open++;
	if (uv_signal_start(handle, on_signal, number) != 0)
		return FAIL(err, ERR_TERMINAL, "signals");
	return 0;
}

static int make_loop(struct network *n, struct err *err)
{
	if (uv_loop_init(&n->loop) != 0)
		return FAIL(err, ERR_TERMINAL, "event loop");
	n->loop_open = true;
	n->app.core.loop = &n->loop;
	(void)uv_timer_init(&n->loop, &n->again);
	n->again.data = n;
	n->open = 1;
	TRY(watch_signal(n, &n->term, SIGTERM, err));
	return watch_signal(n, &n->interrupt, SIGINT, err);
}

static int make_client(struct network *n, struct err *err)
{
	static const struct kube_client_options options = {
		.program = AGENT_FIELD_MANAGER "/" FUNCTIONKEY_VERSION};
	const struct kube_events_options events = {
		.controller = "functionkey.dev/agent", .instance = n->app.core.self.pod};
	const char *kubeconfig = n->app.options.kubeconfig;
	struct agent_core *core = &n->app.core;

	if (kubeconfig[0])
		TRY(kube_config_load(kubeconfig, NULL, &n->config, err));
	else
		TRY(kube_config_in_cluster("", &n->config, err));
	TRY(kube_client_new(&n->loop, &core->env, n->config, &options, &core->client, err));
	return kube_events_new(core->client, &events, &core->events, err);
}

static int make_crypto(struct network *n, struct err *err)
{
	struct agent_core *core = &n->app.core;
	const struct agent_keeper_events events = {.gone = keeper_gone, .ctx = n};

	/* Without the texts of libcrypto's errors (those of TLS stay): 50 KiB. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS, NULL) != 1)
		return FAIL(err, ERR_TERMINAL, "cannot start OpenSSL");
	TRY(pre_context_new(&core->env, &core->pre, err));
	TRY(envelope_context_new(&core->env, &n->app.envelope, err));
	return agent_keeper_new(&n->loop, KMSG_FD, &core->env, events, &core->keeper, err);
}

static int make_parts(struct network *n, struct err *err)
{
	struct agent_app *app = &n->app;
	const struct agent_senders_options sending = {
		.refuse_broken = app->options.continuity == AGENT_CONTINUITY_REFUSE,
		.no_windows = !app->options.reuse_keys};

	TRY(agent_metrics_new(&app->metrics, err));
	app->core.metrics = app->metrics;
	TRY(agent_kicks_new(&app->core, &app->core.kicks, err));
	TRY(agent_senders_new(&app->core, &sending, &app->senders, err));
	TRY(agent_signer_new(&app->core, app->envelope, &app->signer, err));
	TRY(agent_proxy_new(app, &app->proxy, err));
	TRY(agent_local_new(app, &n->local, err));
	TRY(agent_endpoints_new(app, &n->endpoints, err));
	return agent_peer_new(app, &n->peer, err);
}

static int start(struct network *n, struct err *err)
{
	const struct kmsg_request held = {.op = KMSG_HELD};
	struct kmsg_reply reply = {0};
	struct agent_core *core = &n->app.core;

	TRY(crds_member_name(
		base_str(n->app.options.pod), base_str(n->app.options.pod_uid), n->member, err));
	set_names(n);
	TRY(make_loop(n, err));
	TRY(make_crypto(n, err));
	TRY(agent_keeper_ask(core->keeper, &held, KEEPER_MS, &reply, err));
	TRY(make_client(n, err));
	TRY(make_parts(n, err));
	if (reply.held.incarnation > 0)
		return begin_replica(n, reply.held.incarnation, err);
	ask_record(&n->again);
	return 0;
}

/* -- taking it apart -- */

static void handle_closed(uv_handle_t *handle)
{
	struct network *n = handle->data;

	n->open--;
}

static void finish(struct network *n)
{
	struct agent_app *app = &n->app;

	n->local = agent_local_free(n->local);
	app->proxy = agent_proxy_free(app->proxy);
	n->peer = agent_peer_free(n->peer);
	app->openings = agent_openings_free(app->openings);
	n->endpoints = agent_endpoints_free(n->endpoints);
	app->senders = agent_senders_free(app->senders);
	app->signer = agent_signer_free(app->signer);
	agent_phases_end(&n->phases);
	n->announcer = agent_announcer_free(n->announcer);
	app->replica = agent_replica_free(app->replica);
	app->core.kicks = agent_kicks_free(app->core.kicks);
	app->core.keeper = agent_keeper_free(app->core.keeper);
	app->core.events = kube_events_free(app->core.events);
	app->core.client = kube_client_free(app->core.client);
	if (n->loop_open) {
		uv_close((uv_handle_t *)&n->again, handle_closed);
		if (n->open > 1)
			uv_close((uv_handle_t *)&n->term, handle_closed);
		if (n->open > 2)
			uv_close((uv_handle_t *)&n->interrupt, handle_closed);
		(void)uv_run(&n->loop, UV_RUN_DEFAULT);
		(void)uv_loop_close(&n->loop);
	}
	n->config = kube_config_free(n->config);
	app->envelope = envelope_context_free(app->envelope);
	app->core.pre = pre_context_free(app->core.pre);
	app->metrics = agent_metrics_free(app->metrics);
	base_buf_done(&n->identity);
	app->core.log = base_log_free(app->core.log);
}

int agent_network_run(int argc, char **argv)
{
	struct network n = {.app = {.starting = "The agent is starting."},
		.again_ms = AGAIN_MS,
		.identity = base_buf(IDENTITY_MAX)};
	const struct agent_options *options = &n.app.options;
	struct agent_core *core = &n.app.core;
	struct err err = {0};

	if (!agent_options_read(argc, argv, &n.app.options, &n.status))
		return n.status;
	shut_in();
	agent_room_init(&n.app.room, AGENT_ROOM_MAX);
	core->env = base_env_system();
	core->started_ns = base_boot_ns(&core->env);
	core->lease_duration_s = options->lease_duration_ns / NS_PER_S;
	core->lease_deadline_s = options->lease_deadline_ns / NS_PER_S;
	core->lease_retry_s = options->lease_retry_ns / NS_PER_S;
	if (make_log(&n, &err) < 0)
		return AGENT_SUPERVISOR_FAILED;
	if (start(&n, &err) == 0) {
		(void)uv_run(&n.loop, UV_RUN_DEFAULT);
	} else {
		log_write(core->log, LOG_ERROR, "cannot start", LOG_ERR("error", &err));
		n.status = AGENT_SUPERVISOR_FAILED;
	}
	finish(&n);
	return n.status;
}
