/* Emptying the Lease of a dead holder: one PATCH that tests the holder, or one GET and one PUT. */
#include "pkg/kube/lease_impl.h"
#include "pkg/kube/patch.h"

#include "pkg/base/alloc.h"
#include "pkg/base/text.h"

struct kube_lease_emptying {
	struct kube_client *client;
	char ns[256], name[256];
	char holder[KUBE_LEASE_HOLDER_MAX + 1];
	char *field_manager;
	void (*done)(void *ctx, const struct err *err);
	void *ctx;
	struct kube_call *call;
};

static void let_go(struct kube_lease_emptying *e)
{
	base_free(e->field_manager);
	base_free(e);
}

static void finish(struct kube_lease_emptying *e, const struct err *err)
{
	e->done(e->ctx, err);
	let_go(e);
}

static void on_written(void *ctx, const struct kube_response *resp, const struct err *err)
{
	(void)resp;
	finish(ctx, err);
}

static int start(struct kube_lease_emptying *e, struct str body, enum kube_verb verb,
	kube_done done, struct err *err)
{
	const struct kube_request r = {
		.verb = verb,
		.resource = &kube_lease_resource,
		.ns = base_str(e->ns),
		.name = base_str(e->name),
		.body = body,
		.field_manager = e->field_manager,
		.max_body = KUBE_LEASE_BODY_MAX,
	};

	return kube_start(e->client, &r, done, e, &e->call, err);
}

static int put_empty(struct kube_lease_emptying *e, struct str json, struct err *err)
{
	_cleanup_(kube_lease_put) struct json_object *doc = NULL;
	_cleanup_(base_buf_done) struct buf body = base_buf(KUBE_LEASE_BODY_MAX);
	struct kube_lease_record seen;

	TRY(kube_lease_parse(json, &doc, &seen, err));
	if (strcmp(seen.holder, e->holder) != 0)
		return FAIL(err, ERR_CONFLICT, "the Lease is held by '%s', not by '%s'",
			seen.holder, e->holder);
	const struct kube_lease_action a = {
		.record = {.duration_s = 1, .transitions = seen.transitions},
		.acquire = true,
	};
	TRY(kube_lease_body(
		doc, base_str(e->name), &a, base_wall_ns(kube_client_env(e->client)), &body, err));
	return start(e, base_buf_str(&body), KUBE_UPDATE, on_written, err);
}

static void on_got(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct kube_lease_emptying *e = ctx;
	struct err why = {0};

	e->call = NULL;
	if (err)
		finish(e, err);
	else if (put_empty(e, resp->body, &why) < 0)
		finish(e, &why);
}

static int patch_empty(struct kube_lease_emptying *e, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(KUBE_LEASE_BODY_MAX);
	struct kube_patch p = kube_patch(&body);
	char now[BASE_TIME_LEN];

	base_time_format_micro(base_wall_ns(kube_client_env(e->client)), now);
	TRY(kube_patch_test_text(&p, "/spec/holderIdentity", base_str(e->holder), err));
	TRY(kube_patch_add_text(&p, "/spec/holderIdentity", STR(""), err));
	TRY(kube_patch_add_int(&p, "/spec/leaseDurationSeconds", 1, err));
	TRY(kube_patch_add_text(&p, "/spec/renewTime", base_str(now), err));
	TRY(kube_patch_add_text(&p, "/spec/acquireTime", base_str(now), err));
	TRY(kube_patch_end(&p, err));
	return start(e, base_buf_str(&body), KUBE_PATCH_JSON, on_written, err);
}

static int fill(struct kube_lease_emptying *e, const struct kube_lease_dead *dead, struct err *err)
{
	const char *manager = dead->field_manager;

	if (!dead->holder.n)
		return FAIL(err, ERR_INVALID, "nobody is no holder to release");
	TRY(base_str_copy(dead->lease.ns, e->ns, sizeof(e->ns), "namespace", err));
	TRY(base_str_copy(dead->lease.name, e->name, sizeof(e->name), "name", err));
	TRY(base_str_copy(dead->holder, e->holder, sizeof(e->holder), "holder", err));
	if (manager && !(e->field_manager = base_strndup(manager, strlen(manager))))
		return FAIL(err, ERR_NOMEM, "lease");
	return dead->may_patch ? patch_empty(e, err) : start(e, STR_NULL, KUBE_GET, on_got, err);
}

int kube_lease_empty(struct kube_client *client, const struct kube_lease_dead *dead,
	void (*done)(void *ctx, const struct err *err), void *ctx,
	struct kube_lease_emptying **ret_emptying, struct err *err)
{
	struct kube_lease_emptying *e = base_alloc(1, sizeof(*e));

	if (!e)
		return FAIL(err, ERR_NOMEM, "lease");
	e->client = client;
	e->done = done;
	e->ctx = ctx;
	const int r = fill(e, dead, err);
	if (r < 0) {
		let_go(e);
		return r;
	}
	if (ret_emptying)
		*ret_emptying = e;
	return 0;
}

void kube_lease_empty_cancel(struct kube_lease_emptying *emptying)
{
	if (!emptying)
		return;
	kube_cancel(emptying->call);
	let_go(emptying);
}
