/* The driver of the event recorder: memory, writes, one timer. */
#include "pkg/kube/event_impl.h"

#include "pkg/base/alloc.h"
#include "pkg/base/map.h"

#include <sys/queue.h>

#define DEFAULT_MAX       4096
#define DEFAULT_IN_FLIGHT 8
#define WRITE_TIMEOUT_MS  10000

static const struct kube_resource events_resource = {
	.group = "events.k8s.io",
	.version = "v1",
	.plural = "events",
	.kind = "Event",
	.namespaced = true,
};

/* One series, and its object on the server. */
struct entry {
	TAILQ_ENTRY(entry) link;
	struct kube_events *events;
	struct kube_series series;
	char *key, *ns, *name;
	char *body; /* of the POST, without its end */
	struct kube_call *call;
	uint64_t sent_count;
};
TAILQ_HEAD(entries, entry);

struct kube_events {
	struct kube_client *client;
	struct kube_events_options options;
	char *instance;
	char *controller;
	struct map *by_key;
	struct map *filters; /* by regarding object; of struct kube_event_filter */
	struct entries lru;  /* the last is the most recently used */
	uv_timer_t timer;
	size_t in_flight;
	bool closing;
	struct kube_events_stats stats;
};

static void on_timer(uv_timer_t *timer);

static int64_t now_of(const struct kube_events *ev)
{
	return base_boot_ns(kube_client_env(ev->client));
}

static struct entry *entry_free(struct entry *e)
{
	if (e) {
		kube_cancel(e->call);
		base_free(e->key);
		base_free(e->ns);
		base_free(e->name);
		base_free(e->body);
		base_free(e);
	}
	return NULL;
}
CLEANUP_FREE(struct entry, entry_free);

static void forget(struct kube_events *ev, struct entry *e)
{
	(void)base_map_remove(ev->by_key, base_str(e->key));
	TAILQ_REMOVE(&ev->lru, e, link);
	ev->in_flight -= e->call != NULL;
	entry_free(e);
}

static void wake(struct kube_events *ev, int64_t at)
{
	const int64_t now = now_of(ev);
	const int64_t ms = at <= now ? 0 : (at - now) / NS_PER_MS + 1;

	if (!ev->closing)
		(void)uv_timer_start(&ev->timer, on_timer, (uint64_t)ms, 0);
}

static void on_done(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct entry *e = ctx;
	struct kube_events *ev = e->events;
	const struct env *env = kube_client_env(ev->client);
	enum err_class class = err ? err->class : ERR_OK;

	(void)resp;
	e->call = NULL;
	ev->in_flight--;
	/* Ours, from a write whose answer was lost. */
	if (class == ERR_EXISTS)
		class = ERR_OK;
	kube_series_wrote(&e->series, e->sent_count, class, now_of(ev),
		(double)base_jitter(env, 0, 1000) / 1000);
	ev->stats.written += class == ERR_OK;
	ev->stats.failed += e->series.failed;
	wake(ev, 0);
}

static int write_body(struct entry *e, bool post, struct buf *b, struct err *err)
{
	const struct kube_series *s = &e->series;

	TRY(base_buf_add_str(b, post ? base_str(e->body) : STR("{"), err));
	if (s->count > 1) {
		if (post)
			TRY(base_buf_add_byte(b, ',', err));
		TRY(kube_event_series_add(b, s->count, s->last_wall_ns, err));
	}
	return base_buf_add_byte(b, '}', err);
}

static int send_it(struct entry *e, bool post, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_EVENT_BODY_MAX);

	TRY(write_body(e, post, &b, err));
	const struct kube_request r = {
		.verb = post ? KUBE_CREATE : KUBE_PATCH_MERGE,
		.resource = &events_resource,
		.ns = base_str(e->ns),
		.name = post ? STR_NULL : base_str(e->name),
		.body = base_buf_str(&b),
		.timeout_ms = WRITE_TIMEOUT_MS,
		.max_body = KUBE_EVENT_BODY_MAX,
	};
	e->sent_count = e->series.count;
	return kube_start(e->events->client, &r, on_done, e, &e->call, err);
}

static void send_entry(struct kube_events *ev, struct entry *e, bool post)
{
	struct err err = {0};

	if (send_it(e, post, &err) == 0) {
		ev->in_flight++;
		return;
	}
	kube_series_wrote(&e->series, 0, err.class, now_of(ev), 0.5);
	ev->stats.failed += e->series.failed;
}

/* Objects whose bucket is full again need no memory of it. */
static void forget_filters(struct kube_events *ev, int64_t now)
{
	struct str key = STR_NULL;
	void *value = NULL;

	for (size_t at = 0; base_map_next(ev->filters, &at, &key, &value);) {
		if (((struct kube_event_filter *)value)->spent_ns > now)
			continue;
		(void)base_map_remove(ev->filters, key);
		base_free(value);
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct kube_events *ev = container_of(timer, struct kube_events, timer);
	const int64_t now = now_of(ev);
	int64_t next = INT64_MAX;
	struct entry *e = TAILQ_FIRST(&ev->lru);

	while (e) {
		struct entry *after = TAILQ_NEXT(e, link);
		int64_t at = INT64_MAX;
		const enum kube_series_do what =
			e->call ? KUBE_SERIES_WAIT : kube_series_due(&e->series, now, &at);
		if (what == KUBE_SERIES_FORGET)
			forget(ev, e);
		/* The end of a write under way wakes us for those that wait. */
		else if (what != KUBE_SERIES_WAIT && ev->in_flight < ev->options.max_in_flight)
			send_entry(ev, e, what == KUBE_SERIES_POST);
		if (what == KUBE_SERIES_WAIT && at < next)
			next = at;
		e = after;
	}
	if (TAILQ_EMPTY(&ev->lru))
		forget_filters(ev, now);
	if (next != INT64_MAX)
		wake(ev, next);
}

static bool may_begin(struct kube_events *ev, const struct kube_event *event)
{
	char key[1024];
	const struct kube_ref *r = &event->regarding;

	(void)snprintf(key, sizeof(key), "%s/%.*s/%.*s/%.*s", event->resource->kind, STR_FMT(r->ns),
		STR_FMT(r->name), STR_FMT(r->uid));
	struct kube_event_filter *f = base_map_get(ev->filters, base_str(key));
	if (!f) {
		if (base_map_len(ev->filters) >= ev->options.max)
			forget_filters(ev, now_of(ev));
		f = base_alloc(1, sizeof(*f));
		if (!f || base_map_put(ev->filters, base_str(key), f, NULL, NULL) < 0) {
			base_free(f);
			return false;
		}
	}
	return kube_event_filter_pass(f, now_of(ev));
}

static char *text_of(const struct buf *b)
{
	return base_strndup((const char *)b->data, b->len);
}

static int fill_entry(struct kube_events *ev, struct entry *e, const struct kube_event *event,
	struct str key, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_EVENT_BODY_MAX);
	const int64_t wall = base_wall_ns(kube_client_env(ev->client));
	const struct str ns = kube_event_ns(event);

	e->events = ev;
	/* Two within one tick of the clock are told apart by their number. */
	TRY(kube_event_name_add(
		&b, event->regarding.name, (uint64_t)wall + ev->stats.emitted, err));
	e->name = text_of(&b);
	e->key = base_strndup(key.p, key.n);
	e->ns = base_strndup(ns.p, ns.n);
	if (!e->name || !e->key || !e->ns)
		return FAIL(err, ERR_NOMEM, "event");
	base_buf_clear(&b);
	TRY(kube_event_body_add(&b, &ev->options, event, base_str(e->name), wall, err));
	e->body = text_of(&b);
	return e->body ? 0 : FAIL(err, ERR_NOMEM, "event");
}

/* Makes room: the least recently used one that is not being written goes. */
static void evict(struct kube_events *ev)
{
	struct entry *e = NULL;

	if (base_map_len(ev->by_key) < ev->options.max)
		return;
	TAILQ_FOREACH(e, &ev->lru, link)
	{
		if (e->call)
			continue;
		forget(ev, e);
		return;
	}
}

static int emit_new(
	struct kube_events *ev, const struct kube_event *event, struct str key, struct err *err)
{
	_cleanup_(entry_free) struct entry *e = base_alloc(1, sizeof(*e));

	if (!e)
		return FAIL(err, ERR_NOMEM, "event");
	TRY(fill_entry(ev, e, event, key, err));
	evict(ev);
	TRY(base_map_put(ev->by_key, key, e, NULL, err));
	kube_series_add(&e->series, now_of(ev), base_wall_ns(kube_client_env(ev->client)));
	TAILQ_INSERT_TAIL(&ev->lru, e, link);
	e = NULL;
	wake(ev, 0);
	return 0;
}

static void emit_again(struct kube_events *ev, struct entry *e)
{
	const int64_t now = now_of(ev);

	ev->stats.repeated++;
	kube_series_add(&e->series, now, base_wall_ns(kube_client_env(ev->client)));
	TAILQ_REMOVE(&ev->lru, e, link);
	TAILQ_INSERT_TAIL(&ev->lru, e, link);
	/* Only the second one is due at once. */
	if (e->series.count == 2)
		wake(ev, 0);
}

void kube_event_emit(struct kube_events *events, const struct kube_event *event)
{
	_cleanup_(base_buf_done) struct buf key = base_buf(KUBE_EVENT_KEY_MAX);

	if (!events || events->closing)
		return;
	events->stats.emitted++;
	if (!event->resource || kube_event_key_add(&key, event, NULL) < 0) {
		events->stats.dropped++;
		return;
	}
	struct entry *e = base_map_get(events->by_key, base_buf_str(&key));
	if (e)
		emit_again(events, e);
	else if (!may_begin(events, event))
		events->stats.filtered++;
	else if (emit_new(events, event, base_buf_str(&key), NULL) < 0)
		events->stats.dropped++;
}

const struct kube_events_stats *kube_events_stats(const struct kube_events *events)
{
	return &events->stats;
}

static void let_go(struct kube_events *ev)
{
	struct entry *e = NULL;
	struct str key = STR_NULL;
	void *filter = NULL;

	while ((e = TAILQ_FIRST(&ev->lru)))
		forget(ev, e);
	for (size_t at = 0; ev->filters && base_map_next(ev->filters, &at, &key, &filter);)
		base_free(filter);
	base_map_free(ev->filters);
	base_map_free(ev->by_key);
	base_free(ev->instance);
	base_free(ev->controller);
}

static void on_closed(uv_handle_t *handle)
{
	base_free(container_of((uv_timer_t *)(void *)handle, struct kube_events, timer));
}

static int fill(struct kube_events *ev, const struct kube_events_options *options, struct err *err)
{
	ev->options = *options;
	if (!ev->options.max)
		ev->options.max = DEFAULT_MAX;
	if (!ev->options.max_in_flight)
		ev->options.max_in_flight = DEFAULT_IN_FLIGHT;
	if (!options->controller || !options->instance.n)
		return FAIL(err, ERR_INVALID, "events need a controller and an instance");
	ev->instance = base_strndup(options->instance.p, options->instance.n);
	ev->controller = base_strndup(options->controller, strlen(options->controller));
	if (!ev->instance || !ev->controller)
		return FAIL(err, ERR_NOMEM, "events");
	ev->options.instance = base_str(ev->instance);
	ev->options.controller = ev->controller;
	TRY(base_map_new(ev->options.max, &ev->by_key, err));
	return base_map_new(ev->options.max, &ev->filters, err);
}

int kube_events_new(struct kube_client *client, const struct kube_events_options *options,
	struct kube_events **ret_events, struct err *err)
{
	struct kube_events *ev = base_alloc(1, sizeof(*ev));

	if (!ev)
		return FAIL(err, ERR_NOMEM, "events");
	ev->client = client;
	TAILQ_INIT(&ev->lru);
	const int r = fill(ev, options, err);
	if (r < 0) {
		let_go(ev);
		base_free(ev);
		return r;
	}
	(void)uv_timer_init(kube_client_loop(client), &ev->timer);
	*ret_events = ev;
	return 0;
}

struct kube_events *kube_events_free(struct kube_events *events)
{
	if (!events || events->closing)
		return NULL;
	events->closing = true;
	let_go(events);
	uv_close((uv_handle_t *)&events->timer, on_closed);
	return NULL;
}
