#include "pkg/base/alloc.h"
#include "pkg/kube/informer_impl.h"

struct kube_informer {
	struct kube_informer_io io;
	const struct kube_resource *resource;
	const struct kube_kind *kind;
	char *ns;
	struct kube_handler handler;
	void *ctx; /* of handler */
	struct kube_watch *watch;
	struct kube_call *call;   /* the running stream, or NULL */
	struct kube_store *store; /* what callers see */
	struct kube_store *set;   /* the one that is being collected, or NULL */
	char synced_rv[KUBE_RV_MAX + 1];
	bool synced;
	uint64_t stale;
};

int kube_informer_new_on(const struct kube_informer_io *io, const struct kube_informer_spec *spec,
	const struct kube_handler *handler, void *ctx, struct kube_informer **ret_informer,
	struct err *err)
{
	const struct kube_watch_spec watch = {.label_selector = spec->label_selector,
		.field_selector = spec->field_selector,
		.kind = spec->kind,
		.no_watch_list = spec->no_watch_list};
	_cleanup_(kube_informer_free) struct kube_informer *i = base_alloc(1, sizeof(*i));

	if (!i)
		return FAIL(err, ERR_NOMEM, "informer");
	i->resource = spec->resource;
	i->kind = spec->kind;
	i->handler = *handler;
	i->ctx = ctx;
	i->ns = base_strndup(spec->ns.p ? spec->ns.p : "", spec->ns.n);
	if (!i->ns)
		return FAIL(err, ERR_NOMEM, "informer");
	TRY(kube_watch_new(io->env, &watch, &i->watch, err));
	TRY(kube_store_new(spec->kind, &i->store, err));
	i->io = *io;
	i->io.arm(i->io.ctx, base_boot_ns(io->env));
	*ret_informer = STEAL(i);
	return 0;
}

struct kube_informer *kube_informer_free(struct kube_informer *i)
{
	if (!i)
		return NULL;
	if (i->call)
		i->io.cancel(i->io.ctx, i->call);
	if (i->io.close)
		i->io.close(i->io.ctx);
	kube_watch_free(i->watch);
	kube_store_free(i->store);
	kube_store_free(i->set);
	base_free(i->ns);
	return base_free(i);
}

/* ---- changes ---- */

static void tell(struct kube_informer *i, enum kube_change change, const void *old, const void *cur)
{
	i->handler.on(i->ctx, change, old, cur);
}

/* Is b the same object as a, and not newer? Versions without an order count as newer. */
static bool not_newer(struct kube_meta a, struct kube_meta b)
{
	int cmp = 0;

	if (!base_str_eq(a.uid, b.uid))
		return false;
	if (kube_rv_cmp(b.rv, a.rv, &cmp, NULL) < 0)
		return base_str_eq(a.rv, b.rv);
	return cmp <= 0;
}

/* One name, before and now. */
static void tell_change(struct kube_informer *i, const void *old, const void *cur)
{
	if (!old) {
		tell(i, KUBE_ADDED, NULL, cur);
		return;
	}
	if (base_str_eq(kube_kind_meta(i->kind, old).uid, kube_kind_meta(i->kind, cur).uid)) {
		tell(i, KUBE_MODIFIED, old, cur);
		return;
	}
	tell(i, KUBE_DELETED, old, NULL);
	tell(i, KUBE_ADDED, NULL, cur);
}

static void set_synced_rv(struct kube_informer *i, struct str rv)
{
	if (rv.n > KUBE_RV_MAX)
		return;
	if (rv.n)
		memcpy(i->synced_rv, rv.p, rv.n);
	i->synced_rv[rv.n] = 0;
}

/* The object could not be kept: without it the store would lie, so all is fetched again. */
static void lost(struct kube_informer *i, void *object, const struct err *err)
{
	kube_kind_free(i->kind, object);
	kube_watch_lost(i->watch, err);
}

static void collect(struct kube_informer *i, void *object)
{
	struct err err = {0};
	void *old = NULL;

	if (kube_store_put(i->set, object, &old, &err) < 0)
		lost(i, object, &err);
	else
		kube_kind_free(i->kind, old);
}

static void apply(struct kube_informer *i, void *object, struct str rv)
{
	const struct kube_meta meta = kube_kind_meta(i->kind, object);
	const void *seen = kube_store_find(i->store, meta.ns, meta.name);
	struct err err = {0};
	void *old = NULL;

	if (seen && not_newer(kube_kind_meta(i->kind, seen), meta)) {
		i->stale++;
		kube_kind_free(i->kind, object);
		set_synced_rv(i, rv);
		return;
	}
	if (kube_store_put(i->store, object, &old, &err) < 0) {
		lost(i, object, &err);
		return;
	}
	set_synced_rv(i, rv);
	tell_change(i, old, object);
	kube_kind_free(i->kind, old);
}

static void drop(struct kube_informer *i, void *object, struct str rv)
{
	const struct kube_meta meta = kube_kind_meta(i->kind, object);
	const void *seen = kube_store_find(i->store, meta.ns, meta.name);

	set_synced_rv(i, rv);
	if (seen && base_str_eq(kube_kind_meta(i->kind, seen).uid, meta.uid)) {
		void *old = kube_store_take(i->store, meta.ns, meta.name);
		tell(i, KUBE_DELETED, object, NULL);
		kube_kind_free(i->kind, old);
	} else if (seen) {
		i->stale++;
	}
	kube_kind_free(i->kind, object);
}

static void uncollect(struct kube_informer *i, void *object)
{
	const struct kube_meta meta = kube_kind_meta(i->kind, object);

	kube_kind_free(i->kind, kube_store_take(i->set, meta.ns, meta.name));
	kube_kind_free(i->kind, object);
}

static bool same_version(const struct kube_informer *i, const void *a, const void *b)
{
	const struct kube_meta x = kube_kind_meta(i->kind, a), y = kube_kind_meta(i->kind, b);

	return base_str_eq(x.uid, y.uid) && base_str_eq(x.rv, y.rv);
}

/* The store is replaced wholly, then handlers learn what has changed. */
static void replace(struct kube_informer *i, struct str rv)
{
	struct kube_store *before = i->store;
	const void *object = NULL;

	i->store = STEAL(i->set);
	set_synced_rv(i, rv);
	kube_store_keep(i->store, before);
	for (size_t at = 0; (object = kube_store_each(i->store, &at));) {
		const struct kube_meta meta = kube_kind_meta(i->kind, object);
		const void *old = kube_store_find(before, meta.ns, meta.name);
		if (old && !same_version(i, old, object))
			tell_change(i, old, object);
		else if (!old)
			tell(i, KUBE_ADDED, NULL, object);
	}
	for (size_t at = 0; (object = kube_store_each(before, &at));) {
		const struct kube_meta meta = kube_kind_meta(i->kind, object);
		if (!kube_store_find(i->store, meta.ns, meta.name))
			tell(i, KUBE_DELETED, object, NULL);
	}
	kube_store_free(before);
	if (i->synced)
		return;
	i->synced = true;
	if (i->handler.synced)
		i->handler.synced(i->ctx);
}

static void begin_set(struct kube_informer *i)
{
	struct err err = {0};

	i->set = kube_store_free(i->set);
	if (kube_store_like(i->store, &i->set, &err) < 0)
		kube_watch_lost(i->watch, &err);
}

/* ---- the stream ---- */

static int on_status(void *ctx, int http_status)
{
	struct kube_informer *i = ctx;

	(void)http_status;
	kube_watch_status(i->watch);
	return 0;
}

static void pump(struct kube_informer *i);

static int on_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct kube_informer *i = ctx;

	kube_watch_bytes(i->watch, p, n);
	pump(i);
	return 0;
}

/* What follows an end starts from the loop, not from inside the client's callback. */
static void on_end(void *ctx, const struct err *err)
{
	struct kube_informer *i = ctx;

	i->call = NULL;
	kube_watch_end(i->watch, err);
	i->io.arm(i->io.ctx, base_boot_ns(i->io.env));
}

static void start(struct kube_informer *i, struct str query)
{
	static const struct kube_stream_handler handler = {
		.on_status = on_status, .on_bytes = on_bytes, .on_end = on_end};
	const struct kube_request request = {.verb = KUBE_LIST,
		.resource = i->resource,
		.ns = base_str(i->ns),
		.query = query,
		.class = KUBE_CLASS_WATCH};
	struct err err = {0};

	if (i->io.start(i->io.ctx, &request, &handler, i, &i->call, &err) < 0) {
		i->call = NULL;
		kube_watch_end(i->watch, &err);
	}
}

static void stop(struct kube_informer *i)
{
	if (i->call)
		i->io.cancel(i->io.ctx, i->call);
	i->call = NULL;
}

static void act_object(struct kube_informer *i, const struct kube_watch_action *a)
{
	const bool put = a->act == KUBE_WATCH_APPLY;

	if (i->set)
		put ? collect(i, a->object) : uncollect(i, a->object);
	else
		put ? apply(i, a->object, a->rv) : drop(i, a->object, a->rv);
}

static void act(struct kube_informer *i, const struct kube_watch_action *a)
{
	switch (a->act) {
	case KUBE_WATCH_WAIT:
		i->io.arm(i->io.ctx, a->at_boot_ns);
		break;
	case KUBE_WATCH_START:
		start(i, a->query);
		break;
	case KUBE_WATCH_STOP:
		stop(i);
		break;
	case KUBE_WATCH_INIT:
		begin_set(i);
		break;
	case KUBE_WATCH_ABANDON:
		i->set = kube_store_free(i->set);
		break;
	case KUBE_WATCH_APPLY:
	case KUBE_WATCH_DELETE:
		act_object(i, a);
		break;
	case KUBE_WATCH_INIT_DONE:
		replace(i, a->rv);
		break;
	case KUBE_WATCH_BOOKMARK:
		set_synced_rv(i, a->rv);
		break;
	case KUBE_WATCH_TROUBLE:
		if (i->handler.trouble)
			i->handler.trouble(i->ctx, a->err);
		break;
	}
}

/* Until there is nothing to do, or the stream was stopped: what follows then is for the next tick,
 * since this may be a callback of that stream. */
static void pump(struct kube_informer *i)
{
	struct kube_watch_action a = {.act = KUBE_WATCH_TROUBLE};

	while (a.act != KUBE_WATCH_WAIT && a.act != KUBE_WATCH_STOP) {
		kube_watch_next(i->watch, &a);
		act(i, &a);
	}
	if (a.act == KUBE_WATCH_STOP)
		i->io.arm(i->io.ctx, base_boot_ns(i->io.env));
}

void kube_informer_tick(struct kube_informer *i)
{
	pump(i);
}

/* ---- what callers ask ---- */

bool kube_informer_synced(const struct kube_informer *i)
{
	return i->synced;
}

struct str kube_informer_synced_rv(const struct kube_informer *i)
{
	return base_str(i->synced_rv);
}

const void *kube_store_get(const struct kube_informer *i, struct str ns, struct str name)
{
	return kube_store_find(i->store, ns, name);
}

const struct kube_store *kube_informer_store(const struct kube_informer *i)
{
	return i->store;
}

int kube_informer_add_index(
	struct kube_informer *i, kube_index_fn keys, size_t *ret_index, struct err *err)
{
	struct err why = {0};
	size_t index = 0;

	TRY(kube_store_index(i->store, keys, &index, err));
	*ret_index = index;
	/* The set being collected has the same indexes, or begins anew. */
	if (i->set && kube_store_index(i->set, keys, &index, &why) < 0) {
		kube_watch_lost(i->watch, &why);
		i->io.arm(i->io.ctx, base_boot_ns(i->io.env));
	}
	return 0;
}

enum kube_watch_state kube_informer_state(const struct kube_informer *i)
{
	return kube_watch_state(i->watch);
}

struct kube_informer_stats kube_informer_stats(const struct kube_informer *i)
{
	return (struct kube_informer_stats){.watch = *kube_watch_stats(i->watch),
		.stale = i->stale,
		.objects = kube_store_len(i->store)};
}
