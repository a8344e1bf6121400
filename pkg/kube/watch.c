#include "pkg/base/alloc.h"
#include "pkg/kube/request.h"
#include "pkg/kube/watch_impl.h"

#define STATUS_NS    (30 * NS_PER_S)
#define SET_IDLE_NS  (30 * NS_PER_S)
#define IDLE_NS      (150 * NS_PER_S)
#define SHORT_NS     NS_PER_S
#define QUERY_MAX    (48u << 10)
#define SELECTOR_MAX (8u << 10)

const char *kube_watch_state_name(enum kube_watch_state state)
{
	static const char *const names[] = {
#define STATE_NAME(name, text) [KUBE_WATCH_##name] = text,
		KUBE_WATCH_STATES(STATE_NAME)
#undef STATE_NAME
	};

	return state < ARRAY_LEN(names) ? names[state] : "unknown";
}

static int add_selector(struct kube_watch *w, const char *name, struct str text, struct err *err)
{
	if (text.n == 0)
		return 0;
	if (text.n > SELECTOR_MAX)
		return FAIL(err, ERR_TOO_LARGE, "%s of %zu bytes", name, text.n);
	TRY(base_buf_addf(&w->selectors, err, "&%s=", name));
	return kube_encode_add(&w->selectors, text, err);
}

int kube_watch_new(const struct env *env, const struct kube_watch_spec *spec,
	struct kube_watch **ret_watch, struct err *err)
{
	_cleanup_(kube_watch_free) struct kube_watch *w = base_alloc(1, sizeof(*w));

	if (!w)
		return FAIL(err, ERR_NOMEM, "watch");
	w->env = env;
	w->spec = *spec;
	w->spec.label_selector = w->spec.field_selector = STR_NULL;
	w->query = base_buf(QUERY_MAX);
	w->selectors = base_buf(QUERY_MAX);
	w->token = base_buf(KUBE_CONTINUE_MAX);
	kube_frame_init(&w->frame, KUBE_FRAME_EVENTS);
	TRY(add_selector(w, "labelSelector", spec->label_selector, err));
	TRY(add_selector(w, "fieldSelector", spec->field_selector, err));
	kube_watch_again(w, KUBE_WATCH_PLAN_SET);
	*ret_watch = STEAL(w);
	return 0;
}

struct kube_watch *kube_watch_free(struct kube_watch *w)
{
	if (!w)
		return NULL;
	kube_frame_done(&w->frame);
	base_buf_done(&w->query);
	base_buf_done(&w->selectors);
	base_buf_done(&w->token);
	return base_free(w);
}

/* ---- inputs ---- */

void kube_watch_status(struct kube_watch *w)
{
	if (w->phase == KUBE_WATCH_IDLE)
		return;
	w->answered = true;
	w->byte_ns = base_boot_ns(w->env);
	w->state = w->phase == KUBE_WATCH_WATCH ? KUBE_WATCH_WATCHING : KUBE_WATCH_LISTING;
}

void kube_watch_bytes(struct kube_watch *w, const void *p, size_t n)
{
	if (w->phase == KUBE_WATCH_IDLE)
		return;
	w->byte_ns = base_boot_ns(w->env);
	kube_frame_feed(&w->frame, p, n);
	w->reading = true;
}

static void list_ended(struct kube_watch *w)
{
	w->phase = KUBE_WATCH_IDLE;
	if (w->token.len > 0) {
		kube_watch_again(w, KUBE_WATCH_PLAN_PAGE);
		return;
	}
	kube_watch_complete(w, base_str(w->list_rv));
	w->do_done = true;
	kube_watch_again(w, KUBE_WATCH_PLAN_RESUME);
}

/* A clean end: of a stream that was good for something, nothing to worry about. */
static void watch_ended(struct kube_watch *w)
{
	struct err err = {0};

	if (w->phase == KUBE_WATCH_WATCH &&
		(w->in_stream > 0 || base_boot_ns(w->env) - w->started_ns >= SHORT_NS)) {
		w->phase = KUBE_WATCH_IDLE;
		w->expired = 0;
		kube_watch_again(w, KUBE_WATCH_PLAN_RESUME);
		return;
	}
	(void)FAIL(&err, ERR_TRANSIENT, "%s",
		w->phase == KUBE_WATCH_WATCH ? "watch: it ended at once"
					     : "the stream ended before all objects came");
	kube_watch_failed(w, &err);
}

void kube_watch_end(struct kube_watch *w, const struct err *err)
{
	if (w->phase == KUBE_WATCH_IDLE)
		return;
	if (w->phase == KUBE_WATCH_LIST && w->list_over)
		list_ended(w);
	else if (err)
		kube_watch_failed(w, err);
	else
		watch_ended(w);
}

void kube_watch_lost(struct kube_watch *w, const struct err *err)
{
	struct err why = *err;

	why.class = ERR_TRANSIENT;
	w->do_stop = w->do_stop || w->phase != KUBE_WATCH_IDLE;
	kube_watch_failed(w, &why);
	w->err.class = err->class;
	w->plan = KUBE_WATCH_PLAN_SET;
}

/* ---- actions ---- */

static bool due(struct kube_watch *w, struct kube_watch_action *action)
{
	if (w->do_stop) {
		w->do_stop = false;
		action->act = KUBE_WATCH_STOP;
	} else if (w->do_abandon) {
		w->do_abandon = false;
		action->act = KUBE_WATCH_ABANDON;
	} else if (w->do_trouble) {
		w->do_trouble = false;
		action->act = KUBE_WATCH_TROUBLE;
		action->err = &w->err;
	} else if (w->do_done) {
		w->do_done = false;
		action->act = KUBE_WATCH_INIT_DONE;
		action->rv = base_str(w->rv);
	} else {
		return false;
	}
	return true;
}

/* When the stream has been silent for too long, or lived too long. */
static int64_t deadline(const struct kube_watch *w)
{
	int64_t silence = INT64_MAX;

	if (!w->answered)
		silence = w->started_ns + STATUS_NS;
	else if (w->phase != KUBE_WATCH_WATCH)
		silence = w->byte_ns + SET_IDLE_NS;
	else if (w->bookmarks)
		silence = w->byte_ns + IDLE_NS;
	return silence < w->hard_ns ? silence : w->hard_ns;
}

static void kill_silent(struct kube_watch *w)
{
	const int64_t now = base_boot_ns(w->env);
	const bool resume = w->phase == KUBE_WATCH_WATCH && w->answered;
	struct err err = {0};

	(void)FAIL(&err, ERR_TRANSIENT, "watch: nothing came for %lld s",
		(long long)((now - w->byte_ns) / NS_PER_S));
	w->stats.idle_kills++;
	kube_watch_break(w, &err);
	if (resume)
		kube_watch_again(w, KUBE_WATCH_PLAN_RESUME);
}

static void start(struct kube_watch *w, struct kube_watch_action *action)
{
	struct err err = {0};

	if (w->plan == KUBE_WATCH_PLAN_SET && !w->in_set) {
		w->in_set = true;
		w->stats.relists += w->whole;
		action->act = KUBE_WATCH_INIT;
		return;
	}
	if (kube_watch_begin(w, &err) < 0) {
		kube_watch_failed(w, &err);
		(void)due(w, action);
		return;
	}
	action->act = KUBE_WATCH_START;
	action->query = base_buf_str(&w->query);
}

void kube_watch_next(struct kube_watch *w, struct kube_watch_action *ret_action)
{
	const int64_t now = base_boot_ns(w->env);
	struct kube_watch_action action = {.act = KUBE_WATCH_WAIT};
	bool given = due(w, &action);

	while (!given && w->reading)
		given = kube_watch_read(w, &action) || due(w, &action);
	if (!given && w->phase != KUBE_WATCH_IDLE && now >= deadline(w)) {
		kill_silent(w);
		given = due(w, &action);
	}
	if (!given && w->phase == KUBE_WATCH_IDLE && now >= w->start_ns) {
		start(w, &action);
		given = true;
	}
	if (!given)
		action.at_boot_ns = w->phase == KUBE_WATCH_IDLE ? w->start_ns : deadline(w);
	*ret_action = action;
}

enum kube_watch_state kube_watch_state(const struct kube_watch *w)
{
	return w->state;
}

struct str kube_watch_rv(const struct kube_watch *w)
{
	return base_str(w->rv);
}

const struct kube_watch_stats *kube_watch_stats(const struct kube_watch *w)
{
	return &w->stats;
}
