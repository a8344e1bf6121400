#include "agent/senders_internal.h"

#include "agent/kind.h"
#include "agent/problem.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"

#include <stdio.h>

struct agent_sender_watch *agent_senders_watch_find(
	const struct agent_senders *s, struct str ns, struct str function)
{
	char text[AGENT_SENDER_KEY];
	struct agent_sender_watch *wide =
		base_map_get(s->watches, agent_sender_key(ns, STR_NULL, text));

	if (wide && kube_informer_synced(wide->informer))
		return wide;
	struct agent_sender_watch *narrow =
		base_map_get(s->watches, agent_sender_key(ns, function, text));
	return narrow ? narrow : wide;
}

size_t agent_sender_watch_records(const struct agent_sender_watch *w, struct str function,
	const struct crds_functionkey *const **ret_records)
{
	const void *const *objects = NULL;
	const size_t n = kube_store_by_index(
		kube_informer_store(w->informer), w->by_function, function, &objects);

	*ret_records = (const struct crds_functionkey *const *)objects;
	return n;
}

static size_t function_of(const void *object, struct str *keys)
{
	const struct crds_functionkey *fk = object;

	keys[0] = fk->function;
	return 1;
}

static void on_change(void *ctx, enum kube_change change, const void *old, const void *cur)
{
	const struct agent_sender_watch *w = ctx;
	const struct crds_functionkey *before = old;
	const struct crds_functionkey *now = cur;

	(void)change;
	if (before)
		agent_senders_changed(w->s, before->ns, before->function);
	if (now && (!before || !base_str_eq(before->function, now->function)))
		agent_senders_changed(w->s, now->ns, now->function);
	if (w->s->waiting > 0)
		agent_senders_wake(w->s);
}

static void on_synced(void *ctx)
{
	struct agent_sender_watch *w = ctx;

	w->trouble = (struct err){0};
	agent_senders_wake(w->s);
}

static void on_trouble(void *ctx, const struct err *err)
{
	struct agent_sender_watch *w = ctx;

	w->trouble = *err;
	log_write(w->s->core->log, LOG_WARN, "cannot watch the keys of recipients",
		LOG_STR("namespace", base_str(w->ns)), LOG_STR("function", base_str(w->function)),
		LOG_ERR("error", err));
	agent_senders_wake(w->s);
}

static int start(struct agent_sender_watch *w, struct err *err)
{
	static const struct kube_handler handler = {
		.on = on_change, .synced = on_synced, .trouble = on_trouble};
	_cleanup_(base_buf_done) struct buf selector = base_buf(256);

	TRY(base_buf_addf(&selector, err, CRDS_LABEL_ROLE "=leader"));
	if (w->function[0])
		TRY(base_buf_addf(&selector, err, "," CRDS_LABEL_FUNCTION "=%s", w->function));
	const struct kube_informer_spec spec = {.resource = &crds_functionkeys,
		.ns = base_str(w->ns),
		.label_selector = base_buf_str(&selector),
		.kind = &agent_functionkey_kind};
	TRY(kube_informer_new(w->s->core->client, &spec, &handler, w, &w->informer, err));
	return kube_informer_add_index(w->informer, function_of, &w->by_function, err);
}

static struct agent_sender_watch *watch_free(struct agent_sender_watch *w)
{
	kube_informer_free(w->informer);
	return base_free(w);
}
CLEANUP_FREE(struct agent_sender_watch, watch_free);

void agent_sender_watch_remove(struct agent_senders *s, struct agent_sender_watch *w)
{
	char text[AGENT_SENDER_KEY];

	(void)base_map_remove(
		s->watches, agent_sender_key(base_str(w->ns), base_str(w->function), text));
	(void)watch_free(w);
}

/* Makes room by ending the watch that was not used for longest, if that is a while. */
static int make_room(struct agent_senders *s, struct err *err)
{
	struct agent_sender_watch *oldest = NULL;
	struct str key = STR_NULL;
	void *value = NULL;

	if (base_map_len(s->watches) < AGENT_SENDERS_WATCHES_MAX)
		return 0;
	for (size_t at = 0; base_map_next(s->watches, &at, &key, &value);) {
		struct agent_sender_watch *w = value;
		if (!oldest || w->used_ns < oldest->used_ns)
			oldest = w;
	}
	if (!oldest || base_boot_ns(&s->core->env) - oldest->used_ns < 10 * NS_PER_S)
		return REFUSE_AS(
			err, NOT_READY, "messages go to too many namespaces and functions at once");
	agent_sender_watch_remove(s, oldest);
	return 0;
}

static int add(struct agent_senders *s, struct str ns, struct str function,
	struct agent_sender_watch **ret_watch, struct err *err)
{
	char text[AGENT_SENDER_KEY];

	TRY(make_room(s, err));
	_cleanup_(watch_free) struct agent_sender_watch *w = base_alloc(1, sizeof(*w));
	if (!w)
		return FAIL(err, ERR_NOMEM, "watch");
	w->s = s;
	TRY(base_str_copy(ns, w->ns, sizeof(w->ns), "namespace", err));
	TRY(base_str_copy(function, w->function, sizeof(w->function), "function", err));
	TRY(start(w, err));
	TRY(base_map_put(s->watches, agent_sender_key(ns, function, text), w, NULL, err));
	*ret_watch = STEAL(w);
	return 0;
}

static size_t narrow_of(const struct agent_senders *s, struct str ns)
{
	struct str key = STR_NULL;
	void *value = NULL;
	size_t n = 0;

	for (size_t at = 0; base_map_next(s->watches, &at, &key, &value);) {
		const struct agent_sender_watch *w = value;
		n += w->function[0] && base_str_eq(base_str(w->ns), ns);
	}
	return n;
}

int agent_senders_watch(struct agent_senders *s, struct str ns, struct str function,
	struct agent_sender_watch **ret_watch, struct err *err)
{
	struct agent_sender_watch *w = agent_senders_watch_find(s, ns, function);

	if (!w) {
		const bool wide = narrow_of(s, ns) >= AGENT_SENDERS_NARROW_MAX;
		TRY(add(s, ns, wide ? STR("") : function, &w, err));
	}
	w->used_ns = base_boot_ns(&s->core->env);
	w->voucher = false;
	*ret_watch = w;
	return 0;
}

/* The place of the voucher that was not used for longest, if that is a while. */
static int make_voucher_room(struct agent_senders *s, struct err *err)
{
	struct agent_sender_watch *oldest = NULL;
	struct str key = STR_NULL;
	void *value = NULL;
	size_t n = 0;

	for (size_t at = 0; base_map_next(s->watches, &at, &key, &value);) {
		struct agent_sender_watch *w = value;
		n += w->voucher;
		if (w->voucher && (!oldest || w->used_ns < oldest->used_ns))
			oldest = w;
	}
	if (n < AGENT_SENDERS_VOUCHERS_MAX)
		return 0;
	if (base_boot_ns(&s->core->env) - oldest->used_ns < 10 * NS_PER_S)
		return REFUSE_AS(err, NOT_READY, "too many functions send at once");
	agent_sender_watch_remove(s, oldest);
	return 0;
}

int agent_senders_voucher(struct agent_senders *s, struct str ns, struct str function,
	struct agent_sender_watch **ret_watch, struct err *err)
{
	struct agent_sender_watch *w = agent_senders_watch_find(s, ns, function);

	if (!w) {
		TRY(make_voucher_room(s, err));
		const bool wide = narrow_of(s, ns) >= AGENT_SENDERS_NARROW_MAX;
		TRY(add(s, ns, wide ? STR("") : function, &w, err));
		w->voucher = true;
	}
	w->used_ns = base_boot_ns(&s->core->env);
	*ret_watch = w;
	return 0;
}

static bool serves(const struct agent_sender_watch *w, const struct agent_sender_function *f)
{
	return base_str_eq(base_str(w->ns), f->ns) &&
	       (!w->function[0] || base_str_eq(base_str(w->function), f->function));
}

static void end_windows(struct agent_senders *s, const struct agent_sender_watch *w)
{
	struct str key = STR_NULL;
	void *value = NULL;

	for (size_t at = 0; base_map_next(s->functions, &at, &key, &value);)
		if (serves(w, value))
			agent_sender_end_windows(s, value);
}

static void tend_loss(struct agent_senders *s, struct agent_sender_watch *w, int64_t now)
{
	if (!kube_informer_synced(w->informer))
		return;
	if (kube_informer_state(w->informer) == KUBE_WATCH_WATCHING) {
		w->lost_ns = 0;
		return;
	}
	if (w->lost_ns == 0)
		w->lost_ns = now;
	if (now - w->lost_ns > AGENT_SENDERS_LOST_NS)
		end_windows(s, w);
}

static bool replaced(const struct agent_senders *s, const struct agent_sender_watch *w)
{
	char text[AGENT_SENDER_KEY];
	const struct agent_sender_watch *wide =
		base_map_get(s->watches, agent_sender_key(base_str(w->ns), STR_NULL, text));

	return w->function[0] && wide && kube_informer_synced(wide->informer);
}

void agent_senders_tend_watches(struct agent_senders *s, int64_t now)
{
	struct str key = STR_NULL;
	void *value = NULL;

	for (size_t at = 0; base_map_next(s->watches, &at, &key, &value);) {
		struct agent_sender_watch *w = value;
		tend_loss(s, w, now);
		if (replaced(s, w) || now - w->used_ns > AGENT_SENDERS_IDLE_NS)
			agent_sender_watch_remove(s, w);
	}
}
