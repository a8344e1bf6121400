/* What lies between a network half and the API server: calls and watches. These definitions take
 * the place of pkg/kube/client*.c, pkg/kube/informer.c and pkg/kube/event.c. */
#include "sim/world.h"

#include "pkg/base/alloc.h"
#include "pkg/kube/event.h"
#include "pkg/kube/frame.h"

#define BODY_MAX   (4u << 20)
#define TIMEOUT_NS (10 * NS_PER_S)
#define WATCH_LATE 100 /* once in so many, a watch lags by seconds */

struct kube_call {
	struct kube_client *half;
	struct kube_request request;
	struct buf sent, answer;
	char name[CRDS_NAME_MAX];
	kube_done done;
	void *ctx;
	struct sim_watch *watch; /* of a stream */
	struct kube_stream_handler handler;
	bool arrived, over, taken;
	struct err err;
	struct kube_call *next;
};

struct kube_informer {
	struct sim_watch *watch;
	struct kube_informer_spec spec;
	struct kube_handler handler;
	void *ctx;
	struct kube_store *store;
	bool synced;
};

static bool is_cut(const struct kube_client *half)
{
	const struct sim_world *w = half->world;

	return half->replica->cut_until > w->now || w->trouble_until > w->now;
}

static int64_t delay(struct kube_client *half)
{
	struct sim_world *w = half->world;

	if (w->options.round_trip_ns)
		return w->options.round_trip_ns / 2;
	if (half->replica->slow_until > w->now && sim_once_in(w, 2))
		return sim_between(w, NS_PER_S, 70 * NS_PER_S);
	if (w->faulty && sim_once_in(w, 60))
		return sim_between(w, NS_PER_S, 45 * NS_PER_S);
	return sim_between(w, NS_PER_MS / 2, 8 * NS_PER_MS);
}

const struct env *kube_client_env(const struct kube_client *client)
{
	return &client->env;
}

uv_loop_t *kube_client_loop(const struct kube_client *client)
{
	return &((struct kube_client *)(uintptr_t)client)->loop;
}

/* -- calls -- */

static void give_up(void *ctx);
static void reply(void *ctx);

/* Told at most once, whatever comes first. */
static void finish(struct kube_call *c, const struct err *err)
{
	const struct kube_response resp = {.status = 200, .body = base_buf_str(&c->answer)};

	if (c->over)
		return;
	c->over = true;
	sim_forget(c->half->world, give_up, c);
	sim_forget(c->half->world, reply, c);
	c->done(c->ctx, err ? NULL : &resp, err);
}

static void give_up(void *ctx)
{
	struct kube_call *c = ctx;
	struct err err = {0};

	(void)FAIL(&err, ERR_TRANSIENT, "no answer in time");
	finish(c, &err);
}

static void reply(void *ctx)
{
	struct kube_call *c = ctx;

	finish(c, c->err.class ? &c->err : NULL);
}

/* What has left a program arrives, even if the program died meanwhile. */
static void arrive(void *ctx)
{
	struct kube_call *c = ctx;
	struct sim_world *w = c->half->world;

	c->arrived = true;
	if (is_cut(c->half)) {
		w->stats.lost++;
		return;
	}
	const int r = sim_serve(w, c->half->replica, &c->request, &c->answer, &c->err);
	base_assert(r == 0 || c->err.class);
	if (c->over)
		return;
	if (w->faulty && sim_once_in(w, 60)) {
		w->stats.lost++;
		return;
	}
	sim_after(w, c->half,
		w->options.round_trip_ns ? w->options.round_trip_ns / 2
					 : sim_between(w, NS_PER_MS / 2, 4 * NS_PER_MS),
		reply, c);
}

static struct kube_call *new_call(struct kube_client *client, const struct kube_request *request)
{
	struct kube_call *c = base_alloc(1, sizeof(*c));
	struct err err = {0};

	base_assert(c);
	c->half = client;
	c->request = *request;
	c->sent = base_buf(BODY_MAX);
	c->answer = base_buf(BODY_MAX);
	base_assert(base_buf_add_str(&c->sent, request->body, &err) == 0);
	base_assert(base_str_copy(request->name, c->name, sizeof(c->name), "name", &err) == 0);
	c->request.body = base_buf_str(&c->sent);
	c->request.name = base_str(c->name);
	c->request.query = STR_NULL;
	c->next = client->world->calls;
	client->world->calls = c;
	return c;
}

int kube_start(struct kube_client *client, const struct kube_request *request, kube_done done,
	void *ctx, struct kube_call **ret_call, struct err *err)
{
	struct sim_world *w = client->world;

	if (client->dead)
		return FAIL(err, ERR_CANCELLED, "the program is dead");
	struct kube_call *c = new_call(client, request);
	c->done = done;
	c->ctx = ctx;
	/* The bytes of a subresource and of a resource are static. */
	sim_after(w, NULL, delay(client), arrive, c);
	sim_after(w, client, request->timeout_ms ? request->timeout_ms * NS_PER_MS : TIMEOUT_NS,
		give_up, c);
	if (ret_call)
		*ret_call = c;
	return 0;
}

static void close_watch(struct sim_watch *watch);

void kube_cancel(struct kube_call *call)
{
	if (!call || call->over)
		return;
	call->over = true;
	sim_forget(call->half->world, give_up, call);
	sim_forget(call->half->world, reply, call);
	if (call->watch)
		close_watch(call->watch);
}

/* -- watches -- */

static void deliver(void *ctx)
{
	struct sim_watch *watch = ctx;
	struct sim_world *w = watch->half->world;

	watch->pending = false;
	if (is_cut(watch->half)) {
		watch->pending = true;
		sim_after(w, watch->half, NS_PER_S / 2, deliver, watch);
		return;
	}
	const int64_t most = w->options.round_trip_ns ? INT64_MAX : sim_between(w, 1, 4);
	for (int64_t n = most; n > 0 && watch->cursor < w->log_len; n--) {
		const struct sim_version *v = &w->log[watch->cursor++];
		if (watch->closed)
			return;
		if (w->options.plant == SIM_LOST_EVENT && sim_once_in(w, 5))
			continue;
		if (v->lease == watch->lease)
			watch->deliver(watch, v);
	}
	sim_watch_tell(w);
}

/* How much later a watch tells. */
static int64_t lag(struct sim_world *w)
{
	if (w->options.round_trip_ns)
		return w->options.round_trip_ns / 2;
	if (w->faulty && sim_once_in(w, WATCH_LATE))
		return sim_between(w, NS_PER_S, 20 * NS_PER_S);
	return sim_between(w, NS_PER_MS / 2, 20 * NS_PER_MS);
}

void sim_watch_tell(struct sim_world *w)
{
	for (struct sim_watch *watch = w->watches; watch; watch = watch->next) {
		if (watch->closed || watch->pending || watch->cursor >= w->log_len)
			continue;
		watch->pending = true;
		sim_after(w, watch->half, lag(w), deliver, watch);
	}
}

static struct sim_watch *new_watch(struct kube_client *half, bool lease)
{
	struct sim_watch *watch = base_alloc(1, sizeof(*watch));

	base_assert(watch);
	*watch = (struct sim_watch){.half = half,
		.lease = lease,
		.cursor = half->world->log_len,
		.next = half->world->watches};
	half->world->watches = watch;
	return watch;
}

static void close_watch(struct sim_watch *watch)
{
	watch->closed = true;
	sim_forget(watch->half->world, deliver, watch);
}

/* -- the stream of the Lease -- */

static void deliver_lease(struct sim_watch *watch, const struct sim_version *v)
{
	struct kube_call *c = watch->owner;
	_cleanup_(base_buf_done) struct buf b = base_buf(BODY_MAX);
	struct err err = {0};

	if (!c->taken)
		(void)c->handler.on_status(c->ctx, 200);
	c->taken = true;
	base_assert(
		base_buf_addf(&b, &err, "{\"type\":\"MODIFIED\",\"object\":%s}\n", v->json) == 0);
	if (c->handler.on_bytes(c->ctx, b.data, b.len) < 0)
		sim_fail(watch->half->world, "an event of the Lease is refused");
}

int kube_stream_start(struct kube_client *client, const struct kube_request *request,
	const struct kube_stream_handler *handler, void *ctx, struct kube_call **ret_call,
	struct err *err)
{
	struct sim_world *w = client->world;

	if (client->dead)
		return FAIL(err, ERR_CANCELLED, "the program is dead");
	struct kube_call *c = new_call(client, request);
	c->arrived = true;
	c->ctx = ctx;
	c->handler = *handler;
	c->watch = new_watch(client, true);
	c->watch->owner = c;
	c->watch->deliver = deliver_lease;
	/* It begins with what is there now. */
	while (c->watch->cursor > 0 && !w->log[--c->watch->cursor].lease)
		;
	sim_watch_tell(w);
	*ret_call = c;
	return 0;
}

/* -- informers -- */

static bool selects(const struct kube_informer *i, const struct sim_version *v)
{
	if (v->lease)
		return false;
	if (!i->watch->pair)
		return v->member;
	return !v->member || strcmp(v->name, i->watch->half->replica->member) == 0;
}

static void take(struct kube_informer *i, const char *json)
{
	struct sim_world *w = i->watch->half->world;
	struct err err = {0};
	void *object = NULL;
	void *old = NULL;

	if (kube_kind_decode(i->spec.kind, base_str(json), &object, &err) < 0) {
		sim_fail(w, "a watch refuses a record: %s", err.msg);
		return;
	}
	base_assert(kube_store_put(i->store, object, &old, &err) == 0);
	i->handler.on(i->ctx, old ? KUBE_MODIFIED : KUBE_ADDED, old, object);
	kube_kind_free(i->spec.kind, old);
}

static void deliver_record(struct sim_watch *watch, const struct sim_version *v)
{
	struct kube_informer *i = watch->owner;

	if (!selects(i, v))
		return;
	if (!v->deleted) {
		take(i, v->json);
		return;
	}
	void *old = kube_store_take(i->store, STR(SIM_NS), base_str(v->name));
	if (old)
		i->handler.on(i->ctx, KUBE_DELETED, old, NULL);
	kube_kind_free(i->spec.kind, old);
}

static void list_first(void *ctx)
{
	struct kube_informer *i = ctx;
	struct kube_client *half = i->watch->half;
	struct sim_world *w = half->world;

	if (is_cut(half)) {
		sim_after(w, half, NS_PER_S / 2, list_first, i);
		return;
	}
	for (size_t n = 0; n < SIM_OBJECTS_MAX; n++) {
		const struct sim_object *o = &w->objects[n];
		const struct sim_version v = {.lease = o->lease, .member = strchr(o->name, '.')};
		struct sim_version named = v;
		memcpy(named.name, o->name, sizeof(named.name));
		if (o->there && selects(i, &named))
			take(i, json_object_to_json_string_ext(o->doc, JSON_C_TO_STRING_PLAIN));
	}
	i->watch->cursor = w->log_len;
	i->watch->closed = false;
	i->synced = true;
	if (i->handler.synced)
		i->handler.synced(i->ctx);
}

int kube_informer_new(struct kube_client *client, const struct kube_informer_spec *spec,
	const struct kube_handler *handler, void *ctx, struct kube_informer **ret_informer,
	struct err *err)
{
	struct kube_informer *i = base_alloc(1, sizeof(*i));
	const bool pair = base_str_starts(spec->label_selector, STR(CRDS_LABEL_FOR " in "));

	base_assert(i);
	*i = (struct kube_informer){.spec = *spec, .handler = *handler, .ctx = ctx};
	TRY(kube_store_new(spec->kind, &i->store, err));
	i->watch = new_watch(client, false);
	i->watch->closed = true; /* until the list */
	i->watch->pair = pair;
	i->watch->owner = i;
	i->watch->deliver = deliver_record;
	const int64_t trip = client->world->options.round_trip_ns;
	sim_after(client->world, client,
		trip ? trip : sim_between(client->world, NS_PER_MS, 20 * NS_PER_MS), list_first, i);
	*ret_informer = i;
	return 0;
}

struct kube_informer *kube_informer_free(struct kube_informer *i)
{
	if (!i)
		return NULL;
	close_watch(i->watch);
	sim_forget(i->watch->half->world, list_first, i);
	kube_store_free(i->store);
	return base_free(i);
}

bool kube_informer_synced(const struct kube_informer *i)
{
	return i->synced;
}

const void *kube_store_get(const struct kube_informer *i, struct str ns, struct str name)
{
	return i ? kube_store_find(i->store, ns, name) : NULL;
}

const struct kube_store *kube_informer_store(const struct kube_informer *i)
{
	return i->store;
}

void kube_event_emit(struct kube_events *events, const struct kube_event *event)
{
	(void)events;
	(void)event;
}

/* -- ends -- */

void sim_link_end(struct kube_client *half)
{
	struct sim_world *w = half->world;
	struct err err = {0};

	half->dead = true;
	(void)FAIL(&err, ERR_CANCELLED, "the program dies");
	for (struct kube_call *c = w->calls; c; c = c->next)
		if (c->half == half && !c->over && c->done)
			finish(c, &err);
}

void sim_link_free(struct sim_world *w)
{
	sim_link_drop(w, NULL);
	for (struct kube_call *c = w->calls, *next = NULL; c; c = next) {
		next = c->next;
		base_buf_done(&c->sent);
		base_buf_done(&c->answer);
		base_free(c);
	}
	for (struct sim_watch *x = w->watches, *next = NULL; x; x = next) {
		next = x->next;
		base_free(x);
	}
}
