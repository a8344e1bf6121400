/* What senders know, with watches that are driven by hand. Tests only. */
#ifndef AGENT_SENDERS_WORLD_H
#define AGENT_SENDERS_WORLD_H

#include "agent/problem.h"
#include "agent/sample.h"
#include "agent/senders_internal.h"
#include "pkg/kube/event.h"

#define INFORMERS_MAX 80
#define RECORDS_MAX   4

struct kube_informer {
	bool used, synced;
	enum kube_watch_state state;
	char ns[64], selector[256];
	struct kube_handler handler;
	void *ctx;
	const struct crds_functionkey *records[RECORDS_MAX];
	const void *found[RECORDS_MAX];
	size_t n;
};

static struct {
	struct kube_informer informers[INFORMERS_MAX];
	unsigned started, freed;
} api;

/* Informers that are driven by hand, in the place of pkg/kube's. */
int kube_informer_new(struct kube_client *client, const struct kube_informer_spec *spec,
	const struct kube_handler *handler, void *ctx, struct kube_informer **ret_informer,
	struct err *err)
{
	(void)client;
	for (size_t i = 0; i < INFORMERS_MAX; i++) {
		struct kube_informer *f = &api.informers[i];
		if (f->used)
			continue;
		*f = (struct kube_informer){.used = true, .handler = *handler, .ctx = ctx};
		(void)snprintf(f->ns, sizeof(f->ns), "%.*s", STR_FMT(spec->ns));
		(void)snprintf(
			f->selector, sizeof(f->selector), "%.*s", STR_FMT(spec->label_selector));
		api.started++;
		*ret_informer = f;
		return 0;
	}
	return FAIL(err, ERR_TOO_LARGE, "informers");
}
/* Counts. */
struct kube_informer *kube_informer_free(struct kube_informer *i)
{
	if (i) {
		i->used = false;
		api.freed++;
	}
	return NULL;
}
/* As arrive says. */
bool kube_informer_synced(const struct kube_informer *i)
{
	return i->synced;
}
/* As arrive says. */
enum kube_watch_state kube_informer_state(const struct kube_informer *i)
{
	return i->state;
}
/* One that is told from others. */
const char *kube_watch_state_name(enum kube_watch_state state)
{
	return state == KUBE_WATCH_WATCHING ? "watching" : "other";
}
/* There is one index. */
int kube_informer_add_index(
	struct kube_informer *i, kube_index_fn keys, size_t *ret_index, struct err *err)
{
	(void)i;
	(void)keys;
	(void)err;
	*ret_index = 0;
	return 0;
}
/* The informer itself. */
const struct kube_store *kube_informer_store(const struct kube_informer *i)
{
	return (const struct kube_store *)i;
}
/* By function. */
size_t kube_store_by_index(
	const struct kube_store *s, size_t index, struct str key, const void *const **ret_objects)
{
	struct kube_informer *f = (struct kube_informer *)(uintptr_t)s;
	size_t n = 0;

	(void)index;
	for (size_t i = 0; i < f->n; i++)
		if (base_str_eq(f->records[i]->function, key))
			f->found[n++] = f->records[i];
	*ret_objects = f->found;
	return n;
}
/* Nobody listens. */
void kube_event_emit(struct kube_events *events, const struct kube_event *event)
{
	(void)events;
	(void)event;
}

/* -- the world -- */

struct world {
	struct sample sample;
	struct agent_core core;
	struct env_fake clock;
	uv_loop_t loop;
	struct agent_senders *senders;
	struct envelope_context *envelope;
	unsigned again;
	struct agent_senders_waiter waiter; /* of find(), and what that answered last */
	const struct agent_recipients *to;
	struct err why;
};

static inline void on_again(void *ctx)
{
	((struct world *)ctx)->again++;
}

static inline void world_begin(struct world *w)
{
	const struct agent_senders_options options = {.refuse_broken = true};

	memset(&api, 0, sizeof(api));
	*w = (struct world){.waiter = {.again = on_again, .ctx = w}};
	w->clock = (struct env_fake){.boot_ns = 100 * NS_PER_S, .wall_ns = NS_PER_S, .seed = 9};
	sample_begin(&w->sample, 1, "billing-1");
	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->core = (struct agent_core){
		.env = base_env_fake(&w->clock), .loop = &w->loop, .self = {.ns = STR("shop")}};
	assert_ok("pre", pre_context_new(&w->core.env, &w->core.pre, err));
	assert_ok("envelope", envelope_context_new(&w->core.env, &w->envelope, err));
	assert_ok("senders", agent_senders_new(&w->core, &options, &w->senders, err));
}

static inline void world_end(struct world *w)
{
	agent_senders_free(w->senders);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	envelope_context_free(w->envelope);
	pre_context_free(w->core.pre);
	sample_done(&w->sample);
	assert_int_equal(api.started, api.freed);
}

static inline void arrive(struct kube_informer *f, const struct crds_functionkey *record)
{
	f->synced = true;
	f->state = KUBE_WATCH_WATCHING;
	if (record) {
		f->records[f->n++] = record;
		f->handler.on(f->ctx, KUBE_ADDED, NULL, record);
	}
	f->handler.synced(f->ctx);
}

/* A second goes by: the tick runs once. */
static inline void second(struct world *w)
{
	w->clock.boot_ns += NS_PER_S;
	w->senders->timer.timer_cb(&w->senders->timer);
}

/* Whoever waits is woken. */
static inline void turn(struct world *w)
{
	if (uv_is_active((uv_handle_t *)&w->senders->wake)) {
		(void)uv_timer_stop(&w->senders->wake);
		w->senders->wake.timer_cb(&w->senders->wake);
	}
}

static inline int find(struct world *w, const char *ns, const char *function)
{
	return agent_senders_find(
		w->senders, base_str(ns), base_str(function), &w->waiter, &w->to, &w->why);
}

static inline void waits(struct world *w, const char *function)
{
	assert_int_equal(find(w, "shop", function), AGENT_SENDERS_WAIT);
}

static inline void fails(struct world *w, const char *function, enum err_class class)
{
	assert_int_equal(find(w, "shop", function), -(int)class);
}

static inline void finds(struct world *w, const char *function)
{
	if (find(w, "shop", function) != 0)
		fail_msg("%s: %s", function, w->why.msg);
	assert_int_equal(w->to->n, 1);
}

/* Somebody asked for it, and has left: it is watched. */
static inline void asked_for(struct world *w, const char *ns, const char *function)
{
	assert_int_equal(find(w, ns, function), AGENT_SENDERS_WAIT);
	agent_senders_cancel(w->senders, &w->waiter);
}

#endif
