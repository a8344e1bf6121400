#include "pkg/kube/request.h"
#include "pkg/kube/watch_impl.h"

#include <inttypes.h>

#define DELAY_NS      (800 * NS_PER_MS)
#define DELAY_MAX_NS  (8 * NS_PER_S) /* with jitter twice that: who waits has stale keys */
#define LONG_NS       (2 * NS_PER_S)
#define LONG_MAX_NS   (30 * NS_PER_S) /* somebody installs or repairs, and looks */
#define CALM_NS       (120 * NS_PER_S)
#define TIMEOUT_MIN_S 300
#define TIMEOUT_MAX_S 600
#define OVERTIME_S    30
#define PAGE          500
#define EXPIRED_MAX   3 /* relists at once, in a row */

void kube_watch_again(struct kube_watch *w, enum kube_watch_plan plan)
{
	w->plan = plan;
	w->start_ns = base_boot_ns(w->env);
}

/* The next delay: doubled from the last one, unless that is long over. */
static int64_t next_delay(struct kube_watch *w, int64_t first, int64_t most)
{
	const int64_t now = base_boot_ns(w->env);

	if (w->delay_ns == 0 || now - w->delay_till_ns > CALM_NS)
		w->delay_ns = first;
	else
		w->delay_ns *= 2;
	if (w->delay_ns < first)
		w->delay_ns = first;
	if (w->delay_ns > most)
		w->delay_ns = most;
	return w->delay_ns;
}

static void wait_for(struct kube_watch *w, int64_t delay)
{
	w->start_ns = base_boot_ns(w->env) + delay;
	w->delay_till_ns = w->start_ns;
}

/* After back-off, or what the server asked for if that is longer. */
static void again_later(struct kube_watch *w, uint32_t retry_after_s)
{
	const int64_t d = next_delay(w, DELAY_NS, DELAY_MAX_NS);
	const int64_t asked = retry_after_s * NS_PER_S, jitter = base_jitter(w->env, d, 2 * d);

	w->state = KUBE_WATCH_RETRYING;
	wait_for(w, asked > d ? asked + jitter - d : jitter);
}

static void much_later(struct kube_watch *w, enum kube_watch_state state)
{
	const int64_t d = next_delay(w, LONG_NS, LONG_MAX_NS);

	w->state = state;
	wait_for(w, base_jitter(w->env, d, d + d / 5));
}

/* Failing that, one after the other: without pages, at the most recent version. */
static void on_expired(struct kube_watch *w, bool paging, bool set, uint32_t retry_after_s)
{
	if (paging)
		w->unpaged = true;
	else if (set)
		w->newest = true;
	w->plan = KUBE_WATCH_PLAN_SET;
	if (++w->expired > EXPIRED_MAX)
		again_later(w, retry_after_s);
	else
		w->start_ns = base_boot_ns(w->env);
}

/* The server calls the request wrong. */
static void on_refused(struct kube_watch *w, bool watch_list)
{
	if (watch_list) {
		w->refused = true;
		w->do_trouble = false;
		w->stats.fallbacks++;
		w->start_ns = base_boot_ns(w->env);
		return;
	}
	w->plan = KUBE_WATCH_PLAN_SET;
	w->newest = true;
	much_later(w, KUBE_WATCH_RETRYING);
}

static void on_absent(struct kube_watch *w)
{
	w->plan = KUBE_WATCH_PLAN_SET;
	w->newest = true;
	much_later(w, KUBE_WATCH_ABSENT);
}

/* The stream is gone. A set that was not whole goes with it. */
static void drop_stream(struct kube_watch *w, const struct err *err)
{
	w->phase = KUBE_WATCH_IDLE;
	w->reading = false;
	w->err = *err;
	w->do_trouble = true;
	w->stats.errors++;
	if (w->in_set) {
		w->in_set = false;
		w->do_abandon = true;
		w->plan = KUBE_WATCH_PLAN_SET;
	}
	base_buf_clear(&w->token);
}

void kube_watch_failed(struct kube_watch *w, const struct err *err)
{
	const bool set = w->in_set, paging = w->plan == KUBE_WATCH_PLAN_PAGE,
		   watch_list = w->phase == KUBE_WATCH_WATCH_LIST;

	drop_stream(w, err);
	switch (err->class) {
	case ERR_EXPIRED:
		on_expired(w, paging, set, err->retry_after);
		return;
	case ERR_DENIED:
		much_later(w, KUBE_WATCH_DENIED);
		return;
	case ERR_NOT_FOUND:
		on_absent(w);
		return;
	case ERR_INVALID:
	case ERR_TOO_LARGE:
	case ERR_TERMINAL:
		on_refused(w, watch_list);
		return;
	case ERR_OK:
	case ERR_TRANSIENT:
	case ERR_CONFLICT:
	case ERR_EXISTS:
	case ERR_TAMPERED:
	case ERR_NO_KEY:
	case ERR_NOT_READY:
	case ERR_CANCELLED:
	case ERR_NOMEM:
	case ERR_BUG:
	case ERR_CLASS_COUNT:
		break;
	}
	again_later(w, err->retry_after);
}

void kube_watch_break(struct kube_watch *w, const struct err *err)
{
	w->do_stop = true;
	kube_watch_failed(w, err);
}

void kube_watch_garbage(struct kube_watch *w, const struct err *err)
{
	w->do_stop = true;
	drop_stream(w, err);
	again_later(w, 0);
}

void kube_watch_set_rv(struct kube_watch *w, struct str rv)
{
	if (rv.n == 0 || rv.n > KUBE_RV_MAX)
		return;
	memcpy(w->rv, rv.p, rv.n);
	w->rv[rv.n] = 0;
}

void kube_watch_complete(struct kube_watch *w, struct str rv)
{
	kube_watch_set_rv(w, rv);
	w->in_set = false;
	w->whole = true;
	w->newest = w->refused = w->unpaged = false;
}

/* ---- queries ---- */

static int add_int(struct kube_watch *w, const char *name, int64_t n, struct err *err)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, n);
	return kube_query_add(&w->query, name, base_str(text), err);
}

static int add_watch(struct kube_watch *w, struct err *err)
{
	const int64_t timeout_s = base_jitter(w->env, TIMEOUT_MIN_S, TIMEOUT_MAX_S);

	TRY(kube_query_add(&w->query, "watch", STR("true"), err));
	TRY(kube_query_add(&w->query, "allowWatchBookmarks", STR("true"), err));
	TRY(add_int(w, "timeoutSeconds", timeout_s, err));
	w->hard_ns = base_boot_ns(w->env) + (timeout_s + OVERTIME_S) * NS_PER_S;
	return 0;
}

static int add_rv(struct kube_watch *w, struct err *err)
{
	return kube_query_add(&w->query, "resourceVersion", base_str(w->rv), err);
}

static bool has_rv(const struct kube_watch *w)
{
	return w->rv[0] && !w->newest;
}

static int resume_query(struct kube_watch *w, struct err *err)
{
	w->phase = KUBE_WATCH_WATCH;
	w->stats.restarts++;
	TRY(add_watch(w, err));
	return add_rv(w, err);
}

static int watch_list_query(struct kube_watch *w, struct err *err)
{
	w->phase = KUBE_WATCH_WATCH_LIST;
	TRY(add_watch(w, err));
	TRY(kube_query_add(&w->query, "sendInitialEvents", STR("true"), err));
	TRY(kube_query_add(&w->query, "resourceVersionMatch", STR("NotOlderThan"), err));
	return has_rv(w) ? add_rv(w, err) : 0;
}

/* At a version the server's cache can answer, in one piece; it ignores a limit at "0". */
static int list_query(struct kube_watch *w, struct err *err)
{
	const bool page = w->plan == KUBE_WATCH_PLAN_PAGE;

	w->phase = KUBE_WATCH_LIST;
	w->hard_ns = INT64_MAX;
	w->list_over = false;
	if (page)
		TRY(kube_query_add(&w->query, "continue", base_buf_str(&w->token), err));
	else if (has_rv(w)) {
		TRY(add_rv(w, err));
		TRY(kube_query_add(&w->query, "resourceVersionMatch", STR("NotOlderThan"), err));
	} else if (!w->newest)
		TRY(kube_query_add(&w->query, "resourceVersion", STR("0"), err));
	if (page || (!has_rv(w) && !w->unpaged))
		TRY(add_int(w, "limit", w->spec.page ? w->spec.page : PAGE, err));
	base_buf_clear(&w->token);
	if (!page)
		w->list_rv[0] = 0;
	return 0;
}

int kube_watch_begin(struct kube_watch *w, struct err *err)
{
	base_buf_clear(&w->query);
	if (w->plan == KUBE_WATCH_PLAN_RESUME)
		TRY(resume_query(w, err));
	else if (w->plan == KUBE_WATCH_PLAN_PAGE || w->spec.no_watch_list || w->refused)
		TRY(list_query(w, err));
	else
		TRY(watch_list_query(w, err));
	TRY(base_buf_add_str(&w->query, base_buf_str(&w->selectors), err));
	kube_frame_clear(
		&w->frame, w->phase == KUBE_WATCH_LIST ? KUBE_FRAME_LIST : KUBE_FRAME_EVENTS);
	w->started_ns = w->byte_ns = base_boot_ns(w->env);
	w->answered = w->reading = false;
	w->in_stream = 0;
	return 0;
}
