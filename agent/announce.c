#include "agent/announce.h"

#include "agent/announce_step.h"
#include "agent/announcement.h"
#include "agent/attributes.h"
#include "agent/sink.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/http/client.h"
#include "pkg/kube/event.h"

#include <stdio.h>
#include <unistd.h>

#define CONNECT_NS     (5 * NS_PER_S)
#define IDLE_NS        (10 * NS_PER_S)
#define TRY_MS         15000 /* for all of one */
#define ANSWER_MAX     16384 /* bytes of an answer's body; its status is all that counts */
#define EXTENSIONS_MEM 8192
#define VALUE_MAX      1024 /* of a header, percent-encoded */
#define SYSTEM_CA      "/etc/ssl/certs/ca-certificates.crt"

struct agent_announcer {
	struct agent_app *app;
	struct agent_replica_watcher watcher;
	struct agent_sink sink;
	struct arena *arena;
	struct agent_extensions extensions;
	struct agent_announcing state;
	struct agent_announcement what; /* while state.waiting */
	struct http_client *client;
	struct http_call *call; /* NULL: no try is under way */
	size_t sent, answered;
	unsigned status; /* of the answer; 0: none yet */
	uint64_t retry_after;
	uv_timer_t timer; /* the next try, or the end of this one */
	bool timer_open;
};

static int64_t now(const struct agent_announcer *a)
{
	return base_boot_ns(&a->app->core.env);
}

/* -- one try -- */

static void tell_failed(struct agent_announcer *a, struct str why)
{
	const struct crds_functionkey *record = agent_replica_record(a->app->replica);
	char note[400];

	if (!record)
		return;
	(void)snprintf(note, sizeof(note), "Epoch %lld was not announced to %s: %.*s",
		(long long)a->state.settled, a->sink.host, STR_FMT(why));
	kube_event_emit(a->app->core.events,
		&(struct kube_event){.resource = &crds_functionkeys,
			.regarding = {.ns = record->ns, .name = record->name, .uid = record->uid},
			.type = KUBE_EVENT_WARNING,
			.reason = "AnnouncementFailed",
			.action = "Announce",
			.note = base_str(note)});
}

static void wait_for_next(struct agent_announcer *a);

/* The first failure of a key is logged, and how it ended. */
static void try_ended(struct agent_announcer *a, const struct err *err)
{
	const int64_t epoch = a->state.waiting;
	const unsigned tries = a->state.tries + 1;
	char why[160];

	a->call = http_call_free(a->call);
	const enum agent_announce_end end = agent_announce_answered(
		&a->state, a->status, a->retry_after, now(a), &a->app->core.env);
	agent_metrics_announced(a->app->metrics, end);
	if (a->status)
		(void)snprintf(why, sizeof(why), "the sink answers %u", a->status);
	else
		(void)snprintf(why, sizeof(why), "%.120s", err ? err->msg : "the sink is slow");
	if (end != AGENT_ANNOUNCE_RETRIED || tries == 1)
		log_write(a->app->core.log, end == AGENT_ANNOUNCE_DELIVERED ? LOG_INFO : LOG_WARN,
			end == AGENT_ANNOUNCE_DELIVERED ? "announced the active key"
			: end == AGENT_ANNOUNCE_RETRIED
				? "announcing the active key failed and is tried again"
				: "gave up announcing the active key",
			LOG_INT("epoch", epoch), LOG_INT("tries", tries),
			LOG_STR("sink", base_str(a->sink.host)), LOG_STR("why", base_str(why)));
	if (end == AGENT_ANNOUNCE_FAILED)
		tell_failed(a, base_str(why));
	wait_for_next(a);
}

static int on_send(void *ctx, uint8_t *dst, size_t cap, size_t *ret_n, struct err *err)
{
	struct agent_announcer *a = ctx;
	const size_t left = a->what.data.len - a->sent;

	(void)err;
	*ret_n = left < cap ? left : cap;
	if (*ret_n)
		memcpy(dst, a->what.data.data + a->sent, *ret_n);
	a->sent += *ret_n;
	return 0;
}

static int on_rewind(void *ctx)
{
	((struct agent_announcer *)ctx)->sent = 0;
	return 0;
}

/* Seconds only: a date would have to be believed against a clock. */
static int on_field(void *ctx, struct str name, struct str value, struct err *err)
{
	struct agent_announcer *a = ctx;

	(void)err;
	if (base_str_eq(name, STR("retry-after")))
		(void)!base_parse_u64(value, AGENT_ANNOUNCE_AFTER_S, &a->retry_after, NULL);
	return 0;
}

static int on_head(void *ctx, unsigned status, struct err *err)
{
	(void)err;
	((struct agent_announcer *)ctx)->status = status;
	return 0;
}

static int on_data(void *ctx, const uint8_t *p, size_t n, struct err *err)
{
	struct agent_announcer *a = ctx;

	(void)p;
	a->answered += n;
	return a->answered <= ANSWER_MAX ? 0 : FAIL(err, ERR_TOO_LARGE, "the answer is too long");
}

static void on_done(void *ctx, const struct err *err)
{
	try_ended(ctx, err);
}

static const struct http_call_ops call_ops = {.send = on_send,
	.rewind = on_rewind,
	.field = on_field,
	.head = on_head,
	.data = on_data,
	.done = on_done};

static int add_header(struct agent_announcer *a, const char *prefix, struct str name,
	struct str value, struct err *err)
{
	_cleanup_(base_buf_done) struct buf key = base_buf(64), text = base_buf(VALUE_MAX);

	TRY(base_buf_addf(&key, err, "%s%.*s", prefix, STR_FMT(name)));
	TRY(agent_attribute_encode(value, &text, err));
	return http_call_header(a->call, base_buf_str(&key), base_buf_str(&text), err);
}

static int add_headers(struct agent_announcer *a, struct err *err)
{
	const struct {
		const char *name;
		struct str value;
	} rows[] = {
		{"specversion", STR("1.0")},
		{"id", base_str(a->what.id)},
		{"source", base_str(a->what.source)},
		{"type", STR(AGENT_ANNOUNCEMENT_TYPE)},
		{"subject", base_str(a->what.subject)},
		{"time", base_str(a->what.time)},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		TRY(add_header(a, "Ce-", base_str(rows[i].name), rows[i].value, err));
	for (size_t i = 0; i < a->extensions.n; i++)
		TRY(add_header(a, "Ce-", a->extensions.v[i].name, a->extensions.v[i].value, err));
	return http_call_header(a->call, STR("Content-Type"), STR("application/json"), err);
}

static int begin_try(struct agent_announcer *a, struct err *err)
{
	const char *ca = a->app->options.announce_ca;
	const struct http_call_request request = {.method = "POST",
		.address = a->sink.address,
		.host = a->sink.host,
		.target = a->sink.target,
		.tls = a->sink.tls,
		.ca = ca[0] ? base_str(ca) : STR_NULL,
		.has_body = true,
		.has_length = true,
		.length = a->what.data.len,
		.connect_ns = CONNECT_NS,
		.idle_ns = IDLE_NS};

	TRY(http_call_new(a->client, &request, &call_ops, a, &a->call, err));
	TRY(add_headers(a, err));
	return http_call_start(a->call, err);
}

static void on_timer(uv_timer_t *timer)
{
	struct agent_announcer *a = timer->data;
	struct err err = {0};

	if (a->call) { /* what has not come by now does not count, but for a status */
		try_ended(a, NULL);
		return;
	}
	if (!a->state.waiting)
		return;
	a->sent = a->answered = 0;
	a->status = 0;
	a->retry_after = 0;
	(void)uv_timer_start(timer, on_timer, TRY_MS, 0);
	if (begin_try(a, &err) < 0)
		try_ended(a, &err);
}

static void wait_for_next(struct agent_announcer *a)
{
	const int64_t wait = a->state.due_ns - now(a);

	if (a->state.waiting)
		(void)uv_timer_start(
			&a->timer, on_timer, wait > 0 ? (uint64_t)(wait / NS_PER_MS + 1) : 1, 0);
	else
		(void)uv_timer_stop(&a->timer);
}

/* -- what the record says -- */

static void changed(void *ctx)
{
	struct agent_announcer *a = ctx;
	const struct agent_announce_view v = {.boot_ns = now(a),
		.leading = agent_replica_leading(a->app->replica),
		.record = agent_replica_record(a->app->replica)};
	const bool waited = a->state.waiting > 0;
	const enum agent_announce_do what = agent_announce_look(&a->state, &v, &a->app->core.env);
	struct err err = {0};

	if (what == AGENT_ANNOUNCE_NOTHING)
		return;
	a->call = http_call_free(a->call);
	if (waited)
		agent_metrics_announcement_dropped(a->app->metrics);
	if (what == AGENT_ANNOUNCE_TAKE &&
		agent_announcement_make(v.record, crds_key_active(v.record),
			base_wall_ns(&a->app->core.env), &a->what, &err) < 0) {
		/* The next change of the record asks again. */
		log_write(a->app->core.log, LOG_WARN, "cannot announce the active key",
			LOG_ERR("error", &err));
		a->state.waiting = 0;
	}
	wait_for_next(a);
}

/* -- life -- */

static int configure(struct agent_announcer *a, struct err *err)
{
	const struct agent_options *o = &a->app->options;

	TRY(agent_sink_parse(base_str(o->announce), &a->sink, err));
	TRY(base_arena_new(EXTENSIONS_MEM, &a->arena, err));
	TRY(agent_extensions_parse(base_str(o->announce_overrides), a->arena, &a->extensions, err));
	if (a->sink.tls && !o->announce_ca[0] && access(SYSTEM_CA, R_OK) != 0)
		return FAIL(err, ERR_INVALID,
			"https needs --announce-ca: there are no certificates in " SYSTEM_CA);
	return 0;
}

int agent_announcer_new(struct agent_app *app, struct agent_announcer **ret_a, struct err *err)
{
	_cleanup_(agent_announcer_free) struct agent_announcer *a = NULL;
	struct err why = {0};

	if (!app->options.announce[0])
		return 0;
	a = base_alloc(1, sizeof(*a));
	if (!a)
		return FAIL(err, ERR_NOMEM, "announcer");
	a->app = app;
	if (configure(a, &why) < 0) {
		log_write(app->core.log, LOG_WARN, "active keys are not announced",
			LOG_ERR("error", &why));
		return 0;
	}
	if (uv_timer_init(app->core.loop, &a->timer) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	a->timer.data = a;
	a->timer_open = true;
	TRY(http_client_new(app->core.loop, &a->client, err));
	a->watcher = (struct agent_replica_watcher){.changed = changed, .ctx = a};
	agent_replica_watch(app->replica, &a->watcher);
	*ret_a = STEAL(a);
	return 0;
}

static void bury(struct agent_announcer *a)
{
	agent_announcement_done(&a->what);
	base_arena_free(a->arena);
	base_free(a);
}

static void timer_closed(uv_handle_t *handle)
{
	bury(handle->data);
}

struct agent_announcer *agent_announcer_free(struct agent_announcer *a)
{
	if (!a)
		return NULL;
	if (a->watcher.changed)
		agent_replica_unwatch(a->app->replica, &a->watcher);
	a->call = http_call_free(a->call);
	a->client = http_client_free(a->client);
	if (a->timer_open)
		uv_close((uv_handle_t *)&a->timer, timer_closed);
	else
		bury(a);
	return NULL;
}
