/* What the local API tells: status, keys, metrics, readiness; and the drain. */
#include "agent/local_internal.h"

#include "agent/answer.h"
#include "agent/keeperlink.h"
#include "agent/status.h"
#include "pkg/base/alloc.h"
#include "pkg/http/http.h"

#define JSON    "application/json"
#define TEXT    "text/plain; charset=utf-8"
#define OUT_MAX (1u << 20)

static void gone_nothing(void *ctx, struct http_request *r)
{
	(void)ctx;
	(void)r;
}

static void reply_or_problem(struct http_request *r, unsigned status, const char *type,
	struct buf *out, int made, const struct err *err)
{
	if (made < 0)
		agent_answer_problem(r, err);
	else
		http_reply_take(r, status, type, out);
}

/* -- at once -- */

static int on_health(void *ctx, struct http_request *r, struct err *err)
{
	(void)ctx;
	(void)err;
	http_reply(r, 200, TEXT, STR("alive\n"));
	return 0;
}
const struct http_ops agent_health_ops = {.end = on_health, .gone = gone_nothing};

static int on_ready(void *ctx, struct http_request *r, struct err *err)
{
	const struct agent_local_face *f = ctx;
	_cleanup_(base_buf_done) struct buf out = base_buf(1024);
	const bool ready = agent_app_readiness(f->app).ready;

	TRY(agent_ready_write(f->app, &out, err));
	http_reply_take(r, ready ? 200 : 503, TEXT, &out);
	return 0;
}
const struct http_ops agent_ready_ops = {.end = on_ready, .gone = gone_nothing};

static int on_keys(void *ctx, struct http_request *r, struct err *err)
{
	const struct agent_local_face *f = ctx;
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);

	TRY(agent_answer_allowed(r, err));
	TRY(agent_keys_write(f->app, &out, err));
	http_reply_take(r, 200, JSON, &out);
	return 0;
}
const struct http_ops agent_keys_ops = {.end = on_keys, .gone = gone_nothing};

/* -- later -- */

static int asking_new(struct agent_local_face *f, struct http_request *r,
	struct agent_asking **ret_a, struct err *err)
{
	struct agent_asking *a = base_alloc(1, sizeof(*a));

	if (!a)
		return FAIL(err, ERR_NOMEM, "request");
	a->face = f;
	a->r = r;
	http_set_state(r, a);
	*ret_a = a;
	return 0;
}

static void on_asking_gone(void *ctx, struct http_request *r)
{
	struct agent_asking *a = http_state(r);

	(void)ctx;
	if (!a)
		return;
	a->r = NULL;
	agent_senders_cancel(a->face->app->senders, &a->waiter);
	if (a->draining)
		LIST_REMOVE(a, link);
	if (!a->in_keeper)
		base_free(a);
}

/* -- the keeper's counters -- */

static void write_answer(struct agent_asking *a, const struct kmsg_stats_reply *keeper)
{
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	struct err err = {0};
	const int made = a->write(a->face->app, keeper, &out, &err);

	reply_or_problem(a->r, 200, a->type, &out, made, &err);
}

static void got_stats(void *ctx, const struct kmsg_reply *reply, const struct err *err)
{
	struct agent_asking *a = ctx;

	a->in_keeper = false;
	if (a->r)
		write_answer(a, err ? NULL : &reply->stats);
	else
		base_free(a);
}

static int ask_stats(struct agent_local_face *f, struct http_request *r, const char *type,
	int (*write)(struct agent_app *app, const struct kmsg_stats_reply *keeper, struct buf *out,
		struct err *err),
	struct err *err)
{
	const struct kmsg_request request = {.op = KMSG_STATS};
	struct agent_asking *a = NULL;

	TRY(asking_new(f, r, &a, err));
	a->type = type;
	a->write = write;
	if (agent_keeper_request(f->app->core.keeper, &request, got_stats, a, NULL) == 0)
		a->in_keeper = true;
	else
		write_answer(a, NULL);
	return 0;
}

static int write_metrics(struct agent_app *app, const struct kmsg_stats_reply *keeper,
	struct buf *out, struct err *err)
{
	return agent_metrics_write(app, keeper, out, err);
}

static int on_status(void *ctx, struct http_request *r, struct err *err)
{
	TRY(agent_answer_allowed(r, err));
	return ask_stats(ctx, r, JSON, agent_status_write, err);
}
const struct http_ops agent_status_ops = {.end = on_status, .gone = on_asking_gone};

static int on_scrape(void *ctx, struct http_request *r, struct err *err)
{
	return ask_stats(ctx, r, METRICS_CONTENT_TYPE, write_metrics, err);
}
const struct http_ops agent_scrape_ops = {.end = on_scrape, .gone = on_asking_gone};

static int on_metrics(void *ctx, struct http_request *r, struct err *err)
{
	TRY(agent_answer_allowed(r, err));
	return on_scrape(ctx, r, err);
}
const struct http_ops agent_metrics_ops = {.end = on_metrics, .gone = on_asking_gone};

/* -- keys of a function -- */

static void find_keys(void *ctx)
{
	struct agent_asking *a = ctx;
	const struct str ns = http_param(a->r, 0), function = http_param(a->r, 1);
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	const struct agent_recipients *to = NULL;
	struct err err = {0};
	int r = agent_senders_find(a->face->app->senders, ns, function, &a->waiter, &to, &err);

	if (r == AGENT_SENDERS_WAIT)
		return;
	if (r == 0)
		r = agent_function_keys_write(ns, function, to, &out, &err);
	reply_or_problem(a->r, 200, JSON, &out, r, &err);
}

static int on_function_keys(void *ctx, struct http_request *r, struct err *err)
{
	struct agent_asking *a = NULL;

	TRY(agent_answer_allowed(r, err));
	TRY(asking_new(ctx, r, &a, err));
	a->waiter = (struct agent_senders_waiter){.again = find_keys, .ctx = a};
	find_keys(a);
	return 0;
}
const struct http_ops agent_function_keys_ops = {.end = on_function_keys, .gone = on_asking_gone};

/* -- drain -- */

static void drained(void *ctx)
{
	struct agent_local_face *f = ctx;
	struct agent_asking *a = NULL;

	f->drained = true;
	while ((a = LIST_FIRST(&f->draining))) {
		LIST_REMOVE(a, link);
		a->draining = false;
		http_reply(a->r, 204, NULL, STR_NULL);
	}
}

static int on_drain(void *ctx, struct http_request *r, struct err *err)
{
	struct agent_local_face *f = ctx;
	struct agent_asking *a = NULL;

	if (!f->app->replica || f->drained) {
		http_reply(r, 204, NULL, STR_NULL);
		return 0;
	}
	TRY(asking_new(f, r, &a, err));
	a->draining = true;
	LIST_INSERT_HEAD(&f->draining, a, link);
	if (!agent_replica_draining(f->app->replica))
		agent_replica_drain(f->app->replica, drained, f);
	return 0;
}
const struct http_ops agent_drain_ops = {.end = on_drain, .gone = on_asking_gone};
