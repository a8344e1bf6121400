/* The writer, the tap in an informer's streams, and what is compared in the end. */
#include "pkg/base/alloc.h"
#include "pkg/base/text.h"
#include "pkg/kube/informer_apitest.h"

#define WAIT_MS 20000

const struct kube_resource tap_config_maps = {"", "v1", "configmaps", "ConfigMap", true};

struct map_object {
	struct kube_meta meta;
	struct str round; /* data.round */
};
static const struct kube_field map_fields[] = {
	KUBE_META_FIELDS(struct map_object, meta),
	{"/data/round", KUBE_FIELD_TEXT, 32, offsetof(struct map_object, round)},
};
static const struct kube_projection map_projection = {
	map_fields, ARRAY_LEN(map_fields), sizeof(struct map_object)};
static const struct kube_kind map_kind = {.projection = &map_projection};

void tap_check(struct tap_test *t, const char *what, bool ok)
{
	*(ok ? &t->passed : &t->failed) += 1;
	printf("%s  %s\n", ok ? "ok    " : "FAILED", what);
	(void)fflush(stdout);
}

/* ---- the writer ---- */

static void on_done(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct tap_test *t = ctx;

	(void)resp;
	t->err = err ? *err : (struct err){0};
	t->done = true;
}

enum err_class tap_call(struct tap_test *t, const struct kube_request *request)
{
	t->done = false;
	t->err = (struct err){0};
	if (kube_start(t->writer, request, on_done, t, NULL, &t->err) < 0)
		return t->err.class;
	while (!t->done)
		(void)uv_run(&t->loop, UV_RUN_ONCE);
	return t->err.class;
}

/* Creates, updates or (round 0) deletes a map. */
void tap_write(struct tap_test *t, int map, int round)
{
	char name[16], body[256];
	const bool exists = t->wanted[map] > 0;

	(void)snprintf(name, sizeof(name), "map-%d", map);
	(void)snprintf(body, sizeof(body),
		"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\"},"
		"\"data\":{\"round\":\"%d\"}}",
		name, round);
	const struct kube_request request = {.verb = !round   ? KUBE_DELETE
						     : exists ? KUBE_UPDATE
							      : KUBE_CREATE,
		.resource = &tap_config_maps,
		.ns = base_str(t->ns),
		.name = exists ? base_str(name) : STR_NULL,
		.body = round ? base_str(body) : STR_NULL};
	if (!round && !exists)
		return;
	if (tap_call(t, &request) != ERR_OK)
		printf("        write of %s: %s\n", name, t->err.msg);
	else
		t->wanted[map] = round;
}

/* Some of everything: new, changed, deleted, made anew. */
void tap_churn(struct tap_test *t)
{
	const int round = ++t->rounds;

	for (int i = 0; i < TAP_MAPS; i++) {
		const int what = (i + round) % 5;
		if (what == 0)
			tap_write(t, i, 0);
		else if (what == 1 || t->wanted[i] == 0)
			tap_write(t, i, round);
		if (what == 3) {
			tap_write(t, i, 0);
			tap_write(t, i, round);
		}
	}
}

/* ---- the tap ---- */

static int64_t tap_boot(void *ctx)
{
	const struct tap *p = ctx;

	return base_boot_ns(&p->t->env) + p->jump_ns;
}

static int64_t tap_wall(void *ctx)
{
	return base_wall_ns(&((const struct tap *)ctx)->t->env);
}

static int tap_status(void *ctx, int http_status)
{
	struct tap *p = ctx;

	return p->mute ? 0 : p->handler.on_status(p->handler_ctx, http_status);
}

static int tap_bytes(void *ctx, const uint8_t *bytes, size_t n)
{
	struct tap *p = ctx;

	return p->mute ? 0 : p->handler.on_bytes(p->handler_ctx, bytes, n);
}

static void tap_end(void *ctx, const struct err *err)
{
	struct tap *p = ctx;

	p->call = NULL;
	p->handler.on_end(p->handler_ctx, err);
}

/* query with the first `from` replaced, if it has it. */
static struct str replaced(struct tap *p, struct str query, struct buf *b)
{
	const size_t len = p->from ? strlen(p->from) : 0;
	const char *at = len ? memmem(query.p, query.n, p->from, len) : NULL;

	if (!at)
		return query;
	const size_t i = (size_t)(at - query.p);
	size_t end = i + len;
	/* A value is replaced to its end. */
	while (p->from[len - 1] == '=' && end < query.n && query.p[end] != '&')
		end++;
	if (base_buf_add_str(b, base_str_sub(query, 0, i), NULL) < 0 ||
		base_buf_add_str(b, base_str(p->to), NULL) < 0 ||
		base_buf_add_str(b, base_str_sub(query, end, query.n), NULL) < 0)
		return query;
	p->from = NULL;
	p->replaced++;
	return base_buf_str(b);
}

static int tap_start(void *ctx, const struct kube_request *request,
	const struct kube_stream_handler *handler, void *handler_ctx, struct kube_call **ret_call,
	struct err *err)
{
	static const struct kube_stream_handler mine = {
		.on_status = tap_status, .on_bytes = tap_bytes, .on_end = tap_end};
	_cleanup_(base_buf_done) struct buf b = base_buf(4096);
	struct tap *p = ctx;
	struct kube_request r = *request;

	p->handler = *handler;
	p->handler_ctx = handler_ctx;
	p->mute = false;
	p->starts++;
	r.query = replaced(p, request->query, &b);
	TRY(kube_stream_start(p->t->reader, &r, &mine, p, &p->call, err));
	*ret_call = p->call;
	return 0;
}

static void tap_cancel(void *ctx, struct kube_call *call)
{
	((struct tap *)ctx)->call = NULL;
	kube_cancel(call);
}

static void tap_tick(uv_timer_t *timer)
{
	kube_informer_tick(container_of(timer, struct tap, timer)->informer);
}

static void tap_arm(void *ctx, int64_t at_boot_ns)
{
	struct tap *p = ctx;
	const int64_t wait = at_boot_ns - base_boot_ns(&p->env);

	uv_timer_start(&p->timer, tap_tick, wait > 0 ? (uint64_t)(wait / NS_PER_MS + 1) : 0, 0);
}

static void tap_closed(uv_handle_t *handle)
{
	base_free(container_of(handle, struct tap, timer));
}

static void tap_close(void *ctx)
{
	uv_close((uv_handle_t *)&((struct tap *)ctx)->timer, tap_closed);
}

/* Handlers must be told what agrees with itself. */
static void on_change(void *ctx, enum kube_change change, const void *old, const void *cur)
{
	struct tap *p = ctx;
	const struct map_object *o = cur ? cur : old;
	uint64_t map = 0, round = 0;

	if (!base_str_starts(o->meta.name, STR("map-")))
		return;
	if (base_parse_u64(
		    base_str_sub(o->meta.name, 4, o->meta.name.n), TAP_MAPS - 1, &map, NULL) < 0 ||
		base_parse_u64(o->round, 1000000, &round, NULL) < 0 ||
		p->told[map] != (change != KUBE_ADDED))
		p->wrong++;
	p->told[map] = change != KUBE_DELETED;
	p->told_round[map] = cur ? (int)round : 0;
}

static void on_synced(void *ctx)
{
	((struct tap *)ctx)->synced++;
}

static void on_trouble(void *ctx, const struct err *err)
{
	struct tap *p = ctx;

	p->troubles[err->class]++;
	printf("        told: %s: %s\n", base_err_class_name(err->class), err->msg);
}

struct tap *tap_open(struct tap_test *t, const struct kube_resource *resource, bool no_watch_list,
	const char *from, const char *to)
{
	static const struct kube_handler handler = {
		.on = on_change, .synced = on_synced, .trouble = on_trouble};
	struct tap *p = base_alloc(1, sizeof(*p));
	struct err err = {0};

	base_assert(p);
	p->t = t;
	p->from = from;
	p->to = to;
	p->env = t->env;
	p->env.clock = (struct clock){.ctx = p, .boot_ns = tap_boot, .wall_ns = tap_wall};
	uv_timer_init(&t->loop, &p->timer);
	const struct kube_informer_io io = {.start = tap_start,
		.cancel = tap_cancel,
		.arm = tap_arm,
		.close = tap_close,
		.env = &p->env,
		.ctx = p};
	const struct kube_informer_spec spec = {.resource = resource,
		.ns = base_str(t->ns),
		.kind = &map_kind,
		.no_watch_list = no_watch_list};
	if (kube_informer_new_on(&io, &spec, &handler, p, &p->informer, &err) < 0)
		printf("informer: %s\n", err.msg);
	base_assert(p->informer);
	return p;
}

struct kube_watch_stats tap_stats(const struct tap *p)
{
	return kube_informer_stats(p->informer).watch;
}

void tap_wake(struct tap *p)
{
	uv_timer_start(&p->timer, tap_tick, 0, 0);
}

void tap_cut(struct tap *p)
{
	const struct err err = {.class = ERR_TRANSIENT, .msg = "cut by the test"};

	if (!p->call)
		return;
	kube_cancel(p->call);
	tap_end(p, &err);
}

/* ---- waiting ---- */

static void on_wake(uv_timer_t *timer)
{
	(void)timer;
}

static bool same(const struct tap *p)
{
	for (int i = 0; i < TAP_MAPS; i++) {
		char name[16], round[16];
		(void)snprintf(name, sizeof(name), "map-%d", i);
		(void)snprintf(round, sizeof(round), "%d", p->t->wanted[i]);
		const struct map_object *o =
			kube_store_get(p->informer, base_str(p->t->ns), base_str(name));
		if ((o != NULL) != (p->t->wanted[i] > 0))
			return false;
		if (o && !base_str_eq(o->round, base_str(round)))
			return false;
		if (p->told_round[i] != p->t->wanted[i])
			return false;
	}
	return p->wrong == 0;
}

bool tap_is_synced(const struct tap *p)
{
	return kube_informer_synced(p->informer) && same(p);
}

bool tap_is_watching(const struct tap *p)
{
	return kube_informer_state(p->informer) == KUBE_WATCH_WATCHING && same(p);
}

bool tap_is_relisted(const struct tap *p)
{
	return tap_stats(p).relists > 0 && tap_is_watching(p);
}

bool tap_is_absent(const struct tap *p)
{
	return kube_informer_state(p->informer) == KUBE_WATCH_ABSENT;
}

bool tap_is_killed(const struct tap *p)
{
	return tap_stats(p).idle_kills > 0 && tap_is_watching(p);
}

bool tap_wait(struct tap *p, bool (*cond)(const struct tap *p))
{
	const int64_t end = base_boot_ns(&p->t->env) + WAIT_MS * NS_PER_MS;

	uv_timer_start(&p->t->wake, on_wake, 20, 20);
	while (!cond(p) && base_boot_ns(&p->t->env) < end)
		(void)uv_run(&p->t->loop, UV_RUN_ONCE);
	uv_timer_stop(&p->t->wake);
	return cond(p);
}
