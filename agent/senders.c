#include "agent/senders_internal.h"

#include "agent/problem.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/kube/event.h"

#include <stdio.h>

#define TICK_MS        1000
#define SWEEP_FUNCS_NS (30 * NS_PER_S)

struct str agent_sender_key(struct str ns, struct str function, char dst[static AGENT_SENDER_KEY])
{
	size_t n = ns.n < AGENT_NS_MAX ? ns.n : AGENT_NS_MAX;
	const size_t m = function.n < AGENT_FN_MAX ? function.n : AGENT_FN_MAX;

	memcpy(dst, ns.p, n);
	if (m > 0) {
		dst[n++] = '/';
		memcpy(dst + n, function.p, m);
	}
	return base_str_n(dst, n + m);
}

/* -- changes -- */

void agent_sender_end_windows(struct agent_senders *s, const struct agent_sender_function *f)
{
	for (size_t i = 0; s->windows && f->to && i < f->to->n; i++)
		envelope_window_drop(s->windows, &f->to->v[i].key);
}

static void tell_changed(const struct agent_senders *s)
{
	if (s->changed)
		s->changed(s->changed_ctx);
}

void agent_senders_changed(struct agent_senders *s, struct str ns, struct str function)
{
	char text[AGENT_SENDER_KEY];
	struct agent_sender_function *f = NULL;

	if (ns.n == 0 || ns.n > AGENT_NS_MAX || function.n == 0 || function.n > AGENT_FN_MAX)
		return;
	f = base_map_get(s->functions, agent_sender_key(ns, function, text));
	if (!f)
		return;
	agent_sender_end_windows(s, f);
	f->to = agent_recipients_free(f->to);
	tell_changed(s);
}

static void wake(uv_timer_t *timer)
{
	struct agent_senders *s = timer->data;
	size_t n = s->waiting;

	/* Who waits again stands at the end and is not asked twice in one turn. */
	while (n-- > 0 && !TAILQ_EMPTY(&s->waiters)) {
		struct agent_senders_waiter *w = TAILQ_FIRST(&s->waiters);
		agent_senders_cancel(s, w);
		w->again(w->ctx);
	}
}

void agent_senders_wake(struct agent_senders *s)
{
	if (s->waiting > 0)
		(void)uv_timer_start(&s->wake, wake, 0, 0);
}

/* -- time -- */

static void wake_late(struct agent_senders *s, int64_t now)
{
	struct agent_senders_waiter *w = NULL;

	TAILQ_FOREACH(w, &s->waiters, link)
	if (w->until_ns <= now)
		agent_senders_wake(s);
}

static void forget(struct agent_senders *s, struct agent_sender_function *f)
{
	char text[AGENT_SENDER_KEY];

	agent_sender_end_windows(s, f);
	(void)base_map_remove(s->functions, agent_sender_key(f->ns, f->function, text));
	agent_recipients_free(f->to);
	base_free(f);
	tell_changed(s);
}

static void sweep_functions(struct agent_senders *s, int64_t now)
{
	struct str key = STR_NULL;
	void *value = NULL;

	if (now - s->swept_ns < SWEEP_FUNCS_NS)
		return;
	s->swept_ns = now;
	for (size_t at = 0; base_map_next(s->functions, &at, &key, &value);) {
		struct agent_sender_function *f = value;
		if (now - f->used_ns > AGENT_SENDERS_IDLE_NS)
			forget(s, f);
	}
}

static void tick(uv_timer_t *timer)
{
	struct agent_senders *s = timer->data;
	const int64_t now = base_boot_ns(&s->core->env);

	if (s->windows)
		envelope_windows_sweep(s->windows);
	agent_senders_tend_watches(s, now);
	sweep_functions(s, now);
	wake_late(s, now);
	if (base_map_len(s->watches) == 0 && base_map_len(s->functions) == 0 && s->waiting == 0) {
		s->ticking = false;
		(void)uv_timer_stop(&s->timer);
	}
}

void agent_senders_keep_ticking(struct agent_senders *s)
{
	if (s->ticking)
		return;
	s->ticking = true;
	(void)uv_timer_start(&s->timer, tick, TICK_MS, TICK_MS);
}

/* -- finding recipients -- */

static bool is_name(struct str s, size_t max, bool dns)
{
	if (s.n == 0 || s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		const bool inner = c == '-' || (!dns && (c == '_' || c == '.'));
		const bool upper = !dns && c >= 'A' && c <= 'Z';
		if (!plain && !upper && (!inner || i == 0 || i + 1 == s.n))
			return false;
	}
	return true;
}

bool agent_senders_names(struct str ns, struct str function)
{
	return is_name(ns, AGENT_NS_MAX, true) && is_name(function, AGENT_FN_MAX, false);
}

static int function_of(struct agent_senders *s, struct str ns, struct str function,
	struct agent_sender_function **ret_f, struct err *err)
{
	char text[AGENT_SENDER_KEY];
	const struct str key = agent_sender_key(ns, function, text);
	struct agent_sender_function *f = base_map_get(s->functions, key);

	if (!f) {
		if (base_map_len(s->functions) >= AGENT_SENDERS_FUNCTIONS_MAX)
			return REFUSE_AS(err, NOT_READY, "messages go to too many functions");
		f = base_alloc(1, sizeof(*f) + ns.n + function.n);
		if (!f)
			return FAIL(err, ERR_NOMEM, "function");
		memcpy(f->text, ns.p, ns.n);
		memcpy(f->text + ns.n, function.p, function.n);
		f->ns = base_str_n(f->text, ns.n);
		f->function = base_str_n(f->text + ns.n, function.n);
		if (base_map_put(s->functions, key, f, NULL, err) < 0) {
			base_free(f);
			return FAIL(err, ERR_NOMEM, "function");
		}
	}
	*ret_f = f;
	return 0;
}

static void tell_doubt(
	void *ctx, enum agent_doubt doubt, const struct crds_functionkey *record, const char *why)
{
	static const char *const reasons[AGENT_DOUBT_COUNT] = {
		[AGENT_DOUBT_SIGNATURE] = "KeyNotGenuine",
		[AGENT_DOUBT_CONTINUITY] = "ContinuityBroken",
	};
	struct agent_senders *s = ctx;

	s->doubts[doubt]++;
	log_write(s->core->log, LOG_WARN, "a recipient's record is doubtful",
		LOG_STR("reason", base_str(reasons[doubt])), LOG_STR("namespace", record->ns),
		LOG_STR("record", record->name), LOG_STR("why", base_str(why)));
	if (!s->core->events || !base_str_eq(record->ns, s->core->self.ns))
		return;
	kube_event_emit(s->core->events,
		&(struct kube_event){.resource = &crds_functionkeys,
			.regarding = {.ns = record->ns, .name = record->name, .uid = record->uid},
			.type = KUBE_EVENT_WARNING,
			.reason = reasons[doubt],
			.action = "Encrypt",
			.note = base_str(why)});
}

static int choose(struct agent_senders *s, const struct agent_sender_watch *w,
	struct agent_sender_function *f, struct err *err)
{
	const struct crds_functionkey *const *records = NULL;
	const struct agent_chooser chooser = {.pins = s->pins,
		.pre = s->core->pre,
		.refuse_broken = s->options.refuse_broken,
		.doubts = {.tell = tell_doubt, .ctx = s}};
	const size_t n = agent_sender_watch_records(w, f->function, &records);

	return agent_recipients_choose(&chooser, records, n, f->function, &f->to, err);
}

int agent_senders_wait(struct agent_senders *s, struct agent_senders_waiter *w, struct err *err)
{
	if (s->waiting >= AGENT_SENDERS_WAITING_MAX)
		return REFUSE_AS(err, NOT_READY, "too many messages wait for keys");
	w->waiting = true;
	s->waiting++;
	TAILQ_INSERT_TAIL(&s->waiters, w, link);
	return AGENT_SENDERS_WAIT;
}

static int not_synced(struct agent_senders *s, const struct agent_sender_watch *w,
	struct agent_senders_waiter *waiter, struct err *err)
{
	const int64_t now = base_boot_ns(&s->core->env);

	if (w->trouble.class == ERR_DENIED) {
		const int r = REFUSE_AS(err, NOT_READY,
			"the agent may not read the FunctionKeys of namespace %s (annotation "
			"functionkey.dev/senders there lets it)",
			w->ns);
		if (err)
			err->retry_after = 30;
		return r;
	}
	if (waiter->until_ns == 0)
		waiter->until_ns = now + AGENT_SENDERS_WAIT_NS;
	if (now >= waiter->until_ns)
		return REFUSE_AS(err, NOT_READY, "the keys of namespace %s are not known yet: %s",
			w->ns, w->trouble.class ? w->trouble.msg : "no answer of the API server");
	return agent_senders_wait(s, waiter, err);
}

int agent_senders_find(struct agent_senders *s, struct str ns, struct str function,
	struct agent_senders_waiter *w, const struct agent_recipients **ret, struct err *err)
{
	struct agent_sender_watch *watch = NULL;
	struct agent_sender_function *f = NULL;

	if (!agent_senders_names(ns, function))
		return REFUSE_AS(err, MALFORMED, "a function is named [namespace/]function");
	TRY(agent_senders_watch(s, ns, function, &watch, err));
	agent_senders_keep_ticking(s);
	if (!kube_informer_synced(watch->informer))
		return not_synced(s, watch, w, err);
	TRY(function_of(s, ns, function, &f, err));
	f->used_ns = watch->used_ns;
	if (!f->to) {
		const int r = choose(s, watch, f, err);
		/* A name that nobody has is not remembered: it may be anybody's guess. */
		if (r < 0) {
			forget(s, f);
			return r;
		}
		tell_changed(s);
	}
	*ret = f->to;
	return 0;
}

void agent_senders_cancel(struct agent_senders *s, struct agent_senders_waiter *w)
{
	if (!w->waiting)
		return;
	w->waiting = false;
	s->waiting--;
	TAILQ_REMOVE(&s->waiters, w, link);
}

int agent_senders_window(struct agent_senders *s, const struct agent_recipients *to,
	struct envelope_header *h, const struct secret **ret_k, struct err *err)
{
	const struct envelope_targets targets = {.v = to->v, .n = to->n};

	if (!s->windows)
		TRY(envelope_windows_new(
			&s->core->env, s->core->pre, AGENT_SENDERS_WINDOWS_MAX, &s->windows, err));
	if (s->options.no_windows)
		envelope_window_drop_all(s->windows);
	return envelope_window_use(s->windows, targets, h, ret_k, err);
}

const struct pre_signature *agent_senders_origin(
	const struct agent_senders *s, const uint8_t cert_hash[static ENVELOPE_HASH_LEN])
{
	return s->windows ? envelope_window_origin(s->windows, cert_hash) : NULL;
}

int agent_senders_origin_signing(struct agent_senders *s, struct envelope_context *envelope,
	const uint8_t cert_hash[static ENVELOPE_HASH_LEN], struct envelope_signing *ret,
	struct err *err)
{
	return envelope_window_origin_signing(s->windows, envelope, cert_hash, ret, err);
}

void agent_senders_set_origin(struct agent_senders *s, const struct envelope_signing *signing,
	const struct pre_signature *signature)
{
	if (s->windows)
		(void)envelope_window_set_origin(s->windows, signing, signature);
}

/* -- what is shown -- */

struct agent_senders_stats agent_senders_stats(const struct agent_senders *s)
{
	struct agent_senders_stats stats = {.functions = base_map_len(s->functions),
		.watches = base_map_len(s->watches),
		.waiting = s->waiting,
		.pins = agent_pins_len(s->pins)};

	if (s->windows)
		stats.windows = envelope_windows_stats(s->windows);
	memcpy(stats.doubts, s->doubts, sizeof(stats.doubts));
	return stats;
}

bool agent_senders_next(const struct agent_senders *s, size_t *at, struct agent_sender_row *ret)
{
	struct str key = STR_NULL;
	void *value = NULL;

	if (!base_map_next(s->functions, at, &key, &value))
		return false;
	const struct agent_sender_function *f = value;
	const struct agent_sender_watch *w = agent_senders_watch_find(s, f->ns, f->function);
	*ret = (struct agent_sender_row){.ns = f->ns,
		.function = f->function,
		.to = f->to,
		.used_ns = f->used_ns,
		.watch = w ? kube_watch_state_name(kube_informer_state(w->informer)) : "none"};
	return true;
}

void agent_senders_choose(struct agent_senders *s, struct agent_sender_row *row)
{
	char text[AGENT_SENDER_KEY];
	struct agent_sender_function *f =
		base_map_get(s->functions, agent_sender_key(row->ns, row->function, text));
	const struct agent_sender_watch *w = agent_senders_watch_find(s, row->ns, row->function);
	struct err why = {0};

	if (!f || f->to || !w || !kube_informer_synced(w->informer))
		return;
	if (choose(s, w, f, &why) == 0)
		row->to = f->to;
}

void agent_senders_tell(struct agent_senders *s, void (*changed)(void *ctx), void *ctx)
{
	s->changed = changed;
	s->changed_ctx = ctx;
}

void agent_senders_records(const struct agent_senders *s, struct str ns, struct str function,
	void (*fn)(void *ctx, const struct crds_functionkey *record), void *ctx)
{
	const struct crds_functionkey *const *records = NULL;
	const struct agent_sender_watch *w = agent_senders_watch_find(s, ns, function);

	if (!w)
		return;
	const size_t n = agent_sender_watch_records(w, function, &records);
	for (size_t i = 0; i < n; i++)
		fn(ctx, records[i]);
}

/* -- life -- */

int agent_senders_new(struct agent_core *core, const struct agent_senders_options *options,
	struct agent_senders **ret_senders, struct err *err)
{
	_cleanup_(agent_senders_free) struct agent_senders *s = base_alloc(1, sizeof(*s));

	if (!s)
		return FAIL(err, ERR_NOMEM, "senders");
	s->core = core;
	s->options = *options;
	TAILQ_INIT(&s->waiters);
	TRY(base_map_new(AGENT_SENDERS_WATCHES_MAX, &s->watches, err));
	TRY(base_map_new(AGENT_SENDERS_FUNCTIONS_MAX, &s->functions, err));
	TRY(agent_pins_new(&s->pins, err));
	if (uv_timer_init(core->loop, &s->timer) != 0 || uv_timer_init(core->loop, &s->wake) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	s->timer.data = s;
	s->wake.data = s;
	s->open_timers = 2;
	*ret_senders = STEAL(s);
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	struct agent_senders *s = handle->data;

	if (--s->open_timers == 0)
		base_free(s);
}

static void free_entries(struct agent_senders *s)
{
	struct str key = STR_NULL;
	void *value = NULL;

	for (size_t at = 0; s->watches && base_map_next(s->watches, &at, &key, &value);)
		agent_sender_watch_remove(s, value);
	for (size_t at = 0; s->functions && base_map_next(s->functions, &at, &key, &value);) {
		struct agent_sender_function *f = value;
		agent_recipients_free(f->to);
		base_free(f);
	}
	s->watches = base_map_free(s->watches);
	s->functions = base_map_free(s->functions);
}

struct agent_senders *agent_senders_free(struct agent_senders *s)
{
	if (!s)
		return NULL;
	free_entries(s);
	s->pins = agent_pins_free(s->pins);
	s->windows = envelope_windows_free(s->windows);
	if (s->open_timers == 0)
		return base_free(s);
	uv_close((uv_handle_t *)&s->timer, timer_closed);
	uv_close((uv_handle_t *)&s->wake, timer_closed);
	return NULL;
}
