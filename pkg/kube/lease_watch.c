/* The watch of an election: tells the rules what others write, at once. */
#include "pkg/kube/lease_impl.h"

#define WATCH_IDLE_MS   150000 /* the server sends a bookmark each minute */
#define WATCH_AGAIN_NS  (1 * NS_PER_S)
#define WATCH_DENIED_NS (30 * NS_PER_S)

static void watch_over(struct kube_lease *l, int64_t again)
{
	l->watching = false;
	l->watch_at_ns =
		kube_lease_now(l) + base_jitter(kube_client_env(l->client), again, 2 * again);
	kube_lease_rearm(l);
}

static int on_watch_status(void *ctx, int status)
{
	struct kube_lease *l = ctx;

	(void)status;
	l->watching = true;
	l->stats.watches++;
	return 0;
}

static bool is_event(struct str head, const char *type)
{
	char quoted[24];

	(void)snprintf(quoted, sizeof(quoted), "\"%s\"", type);
	return head.n && memmem(head.p, head.n, quoted, strlen(quoted));
}

static int take_event(struct kube_lease *l, const struct kube_frame_doc *doc, struct err *err)
{
	struct kube_lease_record record;
	struct json_object *o = NULL;

	if (is_event(doc->head, "BOOKMARK") || !doc->object.n)
		return 0;
	if (is_event(doc->head, "ERROR"))
		return FAIL(err, ERR_EXPIRED, "the watch of the Lease ended with an error");
	TRY(kube_lease_parse(doc->object, &o, &record, err));
	const bool gone = is_event(doc->head, "DELETED");
	int cmp = 1;
	/* What is older than what we have is not what the next write starts from. */
	if (l->doc &&
		kube_rv_cmp(base_str(record.rv), kube_lease_meta(l->doc, NULL, "resourceVersion"),
			&cmp, NULL) == 0 &&
		cmp <= 0) {
		json_object_put(o);
		return 0;
	}
	if (gone)
		o = kube_lease_put(o);
	kube_lease_set_doc(l, o);
	kube_lease_feed(l, (struct kube_lease_event){.input = KUBE_LEASE_SEEN,
				   .record = gone ? NULL : &record,
				   .watched = true});
	return 0;
}

static int on_watch_bytes(void *ctx, const uint8_t *p, size_t n)
{
	struct kube_lease *l = ctx;
	struct kube_frame_doc doc;
	struct err err = {0};

	kube_frame_feed(&l->frame, p, n);
	for (bool more = true; more;) {
		TRY(kube_frame_next(&l->frame, &doc, &more, &err));
		if (more)
			TRY(take_event(l, &doc, &err));
		if (l->closing)
			return 0;
	}
	return 0;
}

static void on_watch_end(void *ctx, const struct err *err)
{
	struct kube_lease *l = ctx;

	l->watch = NULL;
	watch_over(l, err && err->class == ERR_DENIED ? WATCH_DENIED_NS : WATCH_AGAIN_NS);
	/* Without it the rules poll. */
	kube_lease_feed(l, (struct kube_lease_event){.input = KUBE_LEASE_TICK});
}

/* Without a resourceVersion: it begins with what is there now. */
static int start_watch(struct kube_lease *l, struct err *err)
{
	static const struct kube_stream_handler handler = {
		.on_status = on_watch_status, .on_bytes = on_watch_bytes, .on_end = on_watch_end};
	_cleanup_(base_buf_done) struct buf q = base_buf(1024);
	char selector[300];
	const int64_t seconds = base_jitter(kube_client_env(l->client), 300, 600);

	(void)snprintf(selector, sizeof(selector), "metadata.name=%s", l->name);
	TRY(kube_query_add(&q, "watch", STR("true"), err));
	TRY(kube_query_add(&q, "fieldSelector", base_str(selector), err));
	TRY(kube_query_add(&q, "allowWatchBookmarks", STR("true"), err));
	TRY(base_buf_addf(&q, err, "&timeoutSeconds=%d", (int)seconds));
	const struct kube_request r = {
		.verb = KUBE_LIST,
		.resource = &kube_lease_resource,
		.ns = base_str(l->ns),
		.query = base_buf_str(&q),
		.class = KUBE_CLASS_WATCH,
		.timeout_ms = (uint32_t)(seconds + 30) * 1000,
		.idle_ms = WATCH_IDLE_MS,
	};
	kube_frame_clear(&l->frame, KUBE_FRAME_EVENTS);
	return kube_stream_start(l->client, &r, &handler, l, &l->watch, err);
}

void kube_lease_watch(struct kube_lease *l)
{
	struct err err = {0};

	if (!l->watch && kube_lease_now(l) >= l->watch_at_ns && start_watch(l, &err) < 0)
		watch_over(l, WATCH_AGAIN_NS);
}
