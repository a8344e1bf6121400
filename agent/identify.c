#include "agent/identify.h"

#include "agent/keeperlink.h"
#include "crds/functionkey.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/kube/lease.h"

#define KEEPER_MS     5000
#define RETRY_MIN_MS  100
#define RETRY_MAX_MS  5000
#define IDENTITY_SIZE (KUBE_LEASE_HOLDER_MAX + 1)

struct identify {
	struct agent_core *core;
	void (*done)(void *ctx);
	void *ctx;
	uv_timer_t timer;
	uint64_t wait_ms;
	int64_t incarnation; /* 0: not known yet */
	char *identity;      /* goes into core->self and stays */
};

static void closed(uv_handle_t *handle)
{
	struct identify *id = handle->data;
	void (*const done)(void *ctx) = id->done;
	void *const ctx = id->ctx;

	base_free(id);
	done(ctx);
}

static void finish(struct identify *id)
{
	struct agent_self *self = &id->core->self;
	const int n = snprintf(id->identity, IDENTITY_SIZE, "%.*s_%.*s_%lld", STR_FMT(self->pod),
		STR_FMT(self->pod_uid), (long long)id->incarnation);

	self->incarnation = id->incarnation;
	self->identity = base_str_n(id->identity, n > 0 ? (size_t)n : 0);
	log_write(id->core->log, LOG_INFO, "incarnation known",
		LOG_INT("incarnation", id->incarnation));
	uv_close((uv_handle_t *)&id->timer, closed);
}

static void ask_server(uv_timer_t *timer);

static void later(struct identify *id, const struct err *err)
{
	log_write(id->core->log, LOG_WARN, "cannot read our own record; trying again",
		LOG_STR("record", id->core->self.member), LOG_ERR("error", err));
	(void)uv_timer_start(&id->timer, ask_server, id->wait_ms, 0);
	id->wait_ms = id->wait_ms * 2 < RETRY_MAX_MS ? id->wait_ms * 2 : RETRY_MAX_MS;
}

static void answered(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct identify *id = ctx;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = NULL;
	struct err why = {0};

	if (err && err->class == ERR_NOT_FOUND) {
		id->incarnation = 1;
	} else if (err) {
		later(id, err);
		return;
	} else if (crds_functionkey_decode(resp->body, &fk, &why) < 0) {
		later(id, &why);
		return;
	} else {
		id->incarnation = fk->incarnation + 1;
	}
	finish(id);
}

static void ask_server(uv_timer_t *timer)
{
	struct identify *id = timer->data;
	const struct kube_request request = {.verb = KUBE_GET,
		.resource = &crds_functionkeys,
		.ns = id->core->self.ns,
		.name = id->core->self.member,
		.class = KUBE_CLASS_API};
	struct err err = {0};

	if (id->incarnation > 0)
		finish(id);
	else if (kube_start(id->core->client, &request, answered, id, NULL, &err) < 0)
		later(id, &err);
}

int agent_identify(struct agent_core *core, void (*done)(void *ctx), void *ctx, struct err *err)
{
	const struct kmsg_request held = {.op = KMSG_HELD};
	struct kmsg_reply reply = {0};

	TRY(agent_keeper_ask(core->keeper, &held, KEEPER_MS, &reply, err));
	struct identify *id = base_alloc(1, sizeof(*id));
	char *identity = base_alloc(1, IDENTITY_SIZE);
	if (!id || !identity || uv_timer_init(core->loop, &id->timer) != 0) {
		base_free(id);
		base_free(identity);
		return FAIL(err, ERR_NOMEM, "identity");
	}
	*id = (struct identify){.core = core,
		.done = done,
		.ctx = ctx,
		.timer = id->timer,
		.wait_ms = RETRY_MIN_MS,
		.incarnation = reply.held.incarnation,
		.identity = identity};
	id->timer.data = id;
	(void)uv_timer_start(&id->timer, ask_server, 0, 0);
	return 0;
}
