#include "pkg/base/alloc.h"
#include "pkg/kube/status.h"
#include "pkg/kube/watch_impl.h"

/* What the machine itself reads of an object. */
struct seen {
	struct kube_meta meta;
	struct str initial_end;
};
static const struct kube_field seen_fields[] = {
	KUBE_META_FIELDS(struct seen, meta),
	{"/metadata/annotations/k8s.io~1initial-events-end", KUBE_FIELD_TEXT, 16,
		offsetof(struct seen, initial_end)},
};
static const struct kube_projection seen_projection = {
	seen_fields, ARRAY_LEN(seen_fields), sizeof(struct seen)};

/* Versions only move forward where they can be compared; initial objects are in no order. */
static void adopt(struct kube_watch *w, struct str rv)
{
	int cmp = 0;

	if (w->in_set || rv.n == 0)
		return;
	if (kube_rv_cmp(rv, base_str(w->rv), &cmp, NULL) == 0 && cmp < 0)
		return;
	kube_watch_set_rv(w, rv);
}

/* An object that the kind cannot decode is told and left out, if at least its name is known. */
static bool leave_out(struct kube_watch *w, struct str doc, struct err *why)
{
	struct seen *seen = NULL;
	void *p = NULL;
	struct err err = {0};

	if (kube_project(&seen_projection, doc, &p, &err) < 0) {
		kube_watch_garbage(w, &err);
		return false;
	}
	seen = p;
	base_err_wrap(why, "%.*s/%.*s cannot be read and is left out", STR_FMT(seen->meta.ns),
		STR_FMT(seen->meta.name));
	adopt(w, seen->meta.rv);
	base_free(seen);
	w->stats.undecodable++;
	w->err = *why;
	w->do_trouble = true;
	return false;
}

static bool give_object(struct kube_watch *w, enum kube_watch_do act, struct str doc,
	struct kube_watch_action *action)
{
	struct err err = {0};
	void *object = NULL;
	const int r = kube_kind_decode(w->spec.kind, doc, &object, &err);

	w->stats.events++;
	w->stats.last_event_boot_ns = w->byte_ns;
	if (r == -(int)ERR_NOMEM) {
		kube_watch_lost(w, &err);
		return false;
	}
	if (r < 0)
		return leave_out(w, doc, &err);
	adopt(w, kube_kind_meta(w->spec.kind, object).rv);
	action->act = act;
	action->object = object;
	action->rv = base_str(w->rv);
	return true;
}

static bool give_bookmark(struct kube_watch *w, struct str doc, struct kube_watch_action *action)
{
	struct err err = {0};
	void *p = NULL;

	if (kube_project(&seen_projection, doc, &p, &err) < 0) {
		kube_watch_garbage(w, &err);
		return false;
	}
	const struct seen *seen = p;
	const bool end = w->in_set && base_str_eq(seen->initial_end, STR("true"));
	w->stats.bookmarks++;
	w->bookmarks = true;
	if (end) {
		kube_watch_complete(w, seen->meta.rv);
		w->phase = KUBE_WATCH_WATCH;
		w->plan = KUBE_WATCH_PLAN_RESUME;
		w->state = KUBE_WATCH_WATCHING;
	} else {
		adopt(w, seen->meta.rv);
	}
	base_free(p);
	if (w->in_set)
		return false;
	action->act = end ? KUBE_WATCH_INIT_DONE : KUBE_WATCH_BOOKMARK;
	action->rv = base_str(w->rv);
	return true;
}

static bool on_error(struct kube_watch *w, struct str status)
{
	struct err err = {0};

	(void)kube_status_watch_error(status, &err);
	kube_watch_break(w, &err);
	return false;
}

static int read_type(struct str head, struct str *ret_type, bool *ret_status, struct err *err)
{
	struct kube_json r;
	struct str key, text;
	bool more = false;

	TRY(kube_json_init(&r, head, err));
	TRY(kube_json_object_begin(&r, err));
	for (;;) {
		TRY(kube_json_next_key(&r, &key, &more, err));
		if (!more)
			return kube_json_end(&r, err);
		const bool type = base_str_eq(key, STR("type"));
		if (!type && !base_str_eq(key, STR("kind"))) {
			TRY(kube_json_skip(&r, err));
			continue;
		}
		TRY(kube_json_string(&r, NULL, &text, err));
		if (type)
			*ret_type = text;
		else
			*ret_status = base_str_eq(text, STR("Status"));
	}
}

static const struct {
	struct str type;
	enum kube_watch_do act;
} types[] = {
	{{"ADDED", 5}, KUBE_WATCH_APPLY},
	{{"MODIFIED", 8}, KUBE_WATCH_APPLY},
	{{"DELETED", 7}, KUBE_WATCH_DELETE},
	{{"BOOKMARK", 8}, KUBE_WATCH_BOOKMARK},
	{{"ERROR", 5}, KUBE_WATCH_TROUBLE},
};

static bool on_event(
	struct kube_watch *w, const struct kube_frame_doc *doc, struct kube_watch_action *action)
{
	struct str type = STR_NULL;
	struct err err = {0};
	bool status = false;

	if (read_type(doc->head, &type, &status, &err) < 0) {
		kube_watch_garbage(w, &err);
		return false;
	}
	if (status && type.n == 0)
		return on_error(w, doc->head);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (!base_str_eq(type, types[i].type) || doc->object.n == 0)
			continue;
		if (types[i].act == KUBE_WATCH_TROUBLE)
			return on_error(w, doc->object);
		w->in_stream++;
		w->expired = 0;
		if (types[i].act == KUBE_WATCH_BOOKMARK)
			return give_bookmark(w, doc->object, action);
		return give_object(w, types[i].act, doc->object, action);
	}
	(void)FAIL(&err, ERR_INVALID, "watch: event of type '%.*s'%s", STR_FMT(type),
		doc->object.n ? "" : " without an object");
	kube_watch_garbage(w, &err);
	return false;
}

/* The LIST is over; its connection is not yet. */
static bool on_list_head(struct kube_watch *w, struct str text)
{
	struct kube_list_head head;
	struct err err = {0};

	if (kube_list_head_read(text, &head, &err) < 0) {
		kube_watch_garbage(w, &err);
		return false;
	}
	if (base_str_eq(head.kind, STR("Status")))
		return on_error(w, text);
	int r = 0;
	if (!w->list_rv[0])
		r = base_str_copy(head.rv, w->list_rv, sizeof(w->list_rv), "resourceVersion", &err);
	if (r == 0 && !w->list_rv[0])
		r = FAIL(&err, ERR_INVALID, "LIST without a resourceVersion");
	if (r == 0)
		r = base_buf_add_str(&w->token, head.continue_token, &err);
	if (r < 0)
		kube_watch_garbage(w, &err);
	else
		w->list_over = true;
	return false;
}

bool kube_watch_read(struct kube_watch *w, struct kube_watch_action *action)
{
	struct kube_frame_doc doc = {.head = STR_NULL};
	struct err err = {0};
	bool more = false;

	if (kube_frame_next(&w->frame, &doc, &more, &err) < 0) {
		kube_watch_garbage(w, &err);
		return false;
	}
	w->reading = more;
	if (!more)
		return false;
	if (w->phase != KUBE_WATCH_LIST)
		return on_event(w, &doc, action);
	if (doc.object.n == 0)
		return on_list_head(w, doc.head);
	return give_object(w, KUBE_WATCH_APPLY, doc.object, action);
}
