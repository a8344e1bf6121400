#include "pkg/base/alloc.h"
#include "pkg/kube/informer_impl.h"

/* The real outside of an informer: the client's streams and one timer. */
struct outside {
	uv_timer_t timer;
	struct kube_client *client;
	struct kube_informer *informer;
};

static void closed(uv_handle_t *handle)
{
	base_free(container_of(handle, struct outside, timer));
}

static int start(void *ctx, const struct kube_request *request,
	const struct kube_stream_handler *handler, void *handler_ctx, struct kube_call **ret_call,
	struct err *err)
{
	struct outside *o = ctx;

	return kube_stream_start(o->client, request, handler, handler_ctx, ret_call, err);
}

static void cancel(void *ctx, struct kube_call *call)
{
	(void)ctx;
	kube_cancel(call);
}

static void on_timer(uv_timer_t *timer)
{
	kube_informer_tick(container_of(timer, struct outside, timer)->informer);
}

static void arm(void *ctx, int64_t at_boot_ns)
{
	struct outside *o = ctx;
	const int64_t wait = at_boot_ns - base_boot_ns(kube_client_env(o->client));

	/* Rounded up: too early would only wait once more. */
	uv_timer_start(&o->timer, on_timer,
		wait > 0 ? (uint64_t)((wait + NS_PER_MS - 1) / NS_PER_MS) : 0, 0);
}

static void close_outside(void *ctx)
{
	struct outside *o = ctx;

	uv_close((uv_handle_t *)&o->timer, closed);
}

int kube_informer_new(struct kube_client *client, const struct kube_informer_spec *spec,
	const struct kube_handler *handler, void *ctx, struct kube_informer **ret_informer,
	struct err *err)
{
	struct outside *o = base_alloc(1, sizeof(*o));

	if (!o)
		return FAIL(err, ERR_NOMEM, "informer");
	const struct kube_informer_io io = {.start = start,
		.cancel = cancel,
		.arm = arm,
		.close = close_outside,
		.env = kube_client_env(client),
		.ctx = o};
	o->client = client;
	uv_timer_init(kube_client_loop(client), &o->timer);
	const int r = kube_informer_new_on(&io, spec, handler, ctx, &o->informer, err);
	if (r < 0) {
		close_outside(o);
		return r;
	}
	*ret_informer = o->informer;
	return 0;
}
