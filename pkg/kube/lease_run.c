/* The driver of an election: requests, watch, timer. The rules stand in lease.c. */
#include "pkg/kube/lease_impl.h"

#include "pkg/base/alloc.h"

#define SEND_AGAIN_NS    (1 * NS_PER_S)
#define TROUBLE_FAILURES 3

int64_t kube_lease_now(const struct kube_lease *l)
{
	return base_boot_ns(kube_client_env(l->client));
}

static void on_timer(uv_timer_t *timer);

static void wake_at(struct kube_lease *l, int64_t at)
{
	const int64_t now = kube_lease_now(l);
	const int64_t ms = at <= now ? 0 : (at - now) / NS_PER_MS + 1;

	if (l->closing)
		return;
	if (at == INT64_MAX)
		(void)uv_timer_stop(&l->timer);
	else
		(void)uv_timer_start(&l->timer, on_timer, (uint64_t)ms, 0);
}

/* The nearest of what the rules, the watch and a release wait for. */
void kube_lease_rearm(struct kube_lease *l)
{
	int64_t at = l->at_ns;

	if (!l->watch && l->watch_at_ns < at)
		at = l->watch_at_ns;
	if (l->released && l->release_until_ns < at)
		at = l->release_until_ns;
	wake_at(l, at);
}

static void tell_holder(struct kube_lease *l)
{
	const char *holder = l->state.have ? l->state.seen.holder : "";
	const int32_t transitions = l->state.have ? l->state.seen.transitions : 0;

	if (l->closing || !l->handler.on_holder || !l->state.known)
		return;
	if (l->holder_told && !strcmp(holder, l->holder) && transitions == l->holder_transitions)
		return;
	memcpy(l->holder, holder, strlen(holder) + 1);
	l->holder_transitions = transitions;
	l->holder_told = true;
	l->handler.on_holder(l->ctx, base_str(l->holder), transitions);
}

static void trouble(struct kube_lease *l, const struct err *err)
{
	l->stats.failed++;
	if (l->handler.on_trouble && (l->state.failures + 1 >= TROUBLE_FAILURES ||
					     err->class == ERR_DENIED || err->class == ERR_INVALID))
		l->handler.on_trouble(l->ctx, err);
}

static void failed(struct kube_lease *l, const struct err *err)
{
	trouble(l, err);
	if (!l->closing)
		kube_lease_feed(l, (struct kube_lease_event){.input = KUBE_LEASE_FAILED,
					   .class = err->class,
					   .sent_boot_ns = l->sent_ns});
}

void kube_lease_set_doc(struct kube_lease *l, struct json_object *doc)
{
	json_object_put(l->doc);
	l->doc = doc;
}

static void on_done(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct kube_lease *l = ctx;
	const enum kube_lease_do did = l->state.doing;
	struct kube_lease_record record;
	struct json_object *doc = NULL;
	struct err why = {0};

	l->call = NULL;
	if (err && did == KUBE_LEASE_GET && err->class == ERR_NOT_FOUND) {
		kube_lease_set_doc(l, NULL);
		kube_lease_feed(l, (struct kube_lease_event){.input = KUBE_LEASE_SEEN});
		return;
	}
	if (err || kube_lease_parse(resp->body, &doc, &record, &why) < 0) {
		failed(l, err ? err : &why);
		return;
	}
	kube_lease_set_doc(l, doc);
	if (did == KUBE_LEASE_UPDATE) {
		l->stats.renewed++;
		l->stats.last_renewal_ns = kube_lease_now(l) - l->sent_ns;
	}
	kube_lease_feed(
		l, (struct kube_lease_event){
			   .input = did == KUBE_LEASE_GET ? KUBE_LEASE_SEEN : KUBE_LEASE_WRITTEN,
			   .record = &record,
			   .sent_boot_ns = l->sent_ns});
}

static int send_request(struct kube_lease *l, const struct kube_lease_action *a, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(KUBE_LEASE_BODY_MAX);
	static const enum kube_verb verbs[] = {
		[KUBE_LEASE_GET] = KUBE_GET,
		[KUBE_LEASE_CREATE] = KUBE_CREATE,
		[KUBE_LEASE_UPDATE] = KUBE_UPDATE,
		[KUBE_LEASE_RELEASE] = KUBE_UPDATE,
	};
	const bool create = a->act == KUBE_LEASE_CREATE;
	struct kube_request r = {
		.verb = verbs[a->act],
		.resource = &kube_lease_resource,
		.ns = base_str(l->ns),
		.name = create ? STR_NULL : base_str(l->name),
		.class = KUBE_CLASS_LEASE,
		.timeout_ms = l->timeout_ms,
		.field_manager = l->field_manager,
		.max_body = KUBE_LEASE_BODY_MAX,
	};

	if (a->act != KUBE_LEASE_GET) {
		if (!create && !l->doc)
			return FAIL(err, ERR_NOT_FOUND, "the Lease is gone");
		TRY(kube_lease_body(create ? NULL : l->doc, base_str(l->name), a,
			base_wall_ns(kube_client_env(l->client)), &body, err));
		r.body = base_buf_str(&body);
	}
	l->sent_ns = kube_lease_now(l);
	return kube_start(l->client, &r, on_done, l, &l->call, err);
}

static void report(struct kube_lease *l, const struct kube_lease_action *a)
{
	if (l->closing)
		return;
	const bool takes = a->act == KUBE_LEASE_UPDATE || a->act == KUBE_LEASE_CREATE;
	if (takes && a->acquire && l->handler.on_try)
		l->handler.on_try(l->ctx);
	if (a->change == KUBE_LEASE_WON) {
		l->stats.won++;
		l->handler.on_won(l->ctx, l->state.seen.transitions);
	} else if (a->change == KUBE_LEASE_LOST) {
		l->stats.lost++;
		l->handler.on_lost(l->ctx, a->reason);
	}
}

/* Whoever waits for a release is told once nothing of ours is left to do, or time is up. */
static void finish_release(struct kube_lease *l)
{
	const bool over = !l->state.held && !l->state.busy && !l->state.releasing &&
			  !kube_lease_state_ours(&l->rules, &l->state);

	if (l->closing || !l->released || !l->state.stopping ||
		(!over && kube_lease_now(l) < l->release_until_ns))
		return;
	void (*released)(void *ctx) = l->released;
	l->released = NULL;
	released(l->released_ctx);
}

/* One step of the rules, and what it asks for. */
void kube_lease_feed(struct kube_lease *l, struct kube_lease_event event)
{
	const struct env *env = kube_client_env(l->client);
	struct err err = {0};

	event.boot_ns = base_boot_ns(env);
	event.watching = l->watching;
	event.random = (uint32_t)base_jitter(env, 0, UINT32_MAX);
	const struct kube_lease_action a = kube_lease_step(&l->rules, &l->state, &event);
	l->at_ns = a.at_boot_ns;
	if (a.act != KUBE_LEASE_WAIT && send_request(l, &a, &err) < 0) {
		/* Not at once: the failure is an event of its own. */
		trouble(l, &err);
		l->state.busy = false;
		l->state.stale = true;
		l->state.next_boot_ns = event.boot_ns + SEND_AGAIN_NS;
		l->at_ns = l->state.next_boot_ns;
	}
	report(l, &a);
	tell_holder(l);
	const bool seen = event.input == KUBE_LEASE_SEEN || event.input == KUBE_LEASE_WRITTEN;
	if (l->handler.on_seen && l->doc && seen && !l->closing)
		l->handler.on_seen(l->ctx);
	finish_release(l);
	kube_lease_rearm(l);
}

static void take_wishes(struct kube_lease *l)
{
	if (l->will_wanted) {
		l->will_wanted = false;
		l->state.will = l->will;
	}
	if (l->stop_wanted && !l->state.stopping) {
		kube_cancel(l->watch);
		l->watch = NULL;
		l->watching = false;
		l->watch_at_ns = INT64_MAX;
		kube_lease_feed(l, (struct kube_lease_event){.input = KUBE_LEASE_STOP});
	} else {
		kube_lease_feed(l, (struct kube_lease_event){.input = KUBE_LEASE_TICK});
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct kube_lease *l = container_of(timer, struct kube_lease, timer);

	if (!l->stop_wanted)
		kube_lease_watch(l);
	take_wishes(l);
}

static int fill(struct kube_lease *l, const struct kube_lease_options *o, struct err *err)
{
	TRY(base_str_copy(o->ns, l->ns, sizeof(l->ns), "namespace", err));
	TRY(base_str_copy(o->name, l->name, sizeof(l->name), "name", err));
	TRY(base_str_copy(
		o->identity, l->rules.identity, sizeof(l->rules.identity), "identity", err));
	if (!l->ns[0] || !l->name[0])
		return FAIL(err, ERR_INVALID, "a Lease needs a namespace and a name");
	if (o->field_manager &&
		!(l->field_manager = base_strndup(o->field_manager, strlen(o->field_manager))))
		return FAIL(err, ERR_NOMEM, "lease");
	l->rules.times = o->times;
	l->rules.may_create = o->may_create;
	TRY(kube_lease_rules_check(&l->rules, err));
	const int64_t half_ms = l->rules.times.renew_deadline_ns / 2 / NS_PER_MS;
	l->timeout_ms = half_ms < 1000 ? 1000 : (uint32_t)half_ms;
	l->state.will = o->will;
	return 0;
}

static void let_go(struct kube_lease *l)
{
	kube_frame_done(&l->frame);
	json_object_put(l->doc);
	base_free(l->field_manager);
	base_free(l);
}

int kube_lease_run(struct kube_client *client, const struct kube_lease_options *options,
	const struct kube_lease_handler *handler, void *ctx, struct kube_lease **ret_lease,
	struct err *err)
{
	struct kube_lease *l = base_alloc(1, sizeof(*l));

	if (!l)
		return FAIL(err, ERR_NOMEM, "lease");
	kube_frame_init(&l->frame, KUBE_FRAME_EVENTS);
	l->client = client;
	l->handler = *handler;
	l->ctx = ctx;
	const int r = fill(l, options, err);
	if (r < 0) {
		let_go(l);
		return r;
	}
	(void)uv_timer_init(kube_client_loop(client), &l->timer);
	wake_at(l, 0);
	*ret_lease = l;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	let_go(container_of((uv_timer_t *)(void *)handle, struct kube_lease, timer));
}

struct kube_lease *kube_lease_free(struct kube_lease *lease)
{
	if (!lease || lease->closing)
		return NULL;
	lease->closing = true;
	kube_cancel(lease->call);
	kube_cancel(lease->watch);
	uv_close((uv_handle_t *)&lease->timer, on_closed);
	return NULL;
}

void kube_lease_release(struct kube_lease *lease, void (*released)(void *ctx), void *ctx)
{
	lease->stop_wanted = true;
	lease->released = released;
	lease->released_ctx = ctx;
	lease->release_until_ns = kube_lease_now(lease) + lease->rules.times.renew_deadline_ns;
	wake_at(lease, 0);
}

void kube_lease_set_will(struct kube_lease *lease, enum kube_lease_will will)
{
	if (lease->will_wanted ? lease->will == will : lease->state.will == will)
		return;
	lease->will = will;
	lease->will_wanted = true;
	wake_at(lease, 0);
}

struct str kube_lease_annotation(const struct kube_lease *lease, const char *key)
{
	return kube_lease_meta(lease->doc, "annotations", key);
}

struct str kube_lease_uid(const struct kube_lease *lease)
{
	return kube_lease_meta(lease->doc, NULL, "uid");
}

bool kube_lease_may_write(const struct kube_lease *lease)
{
	return !lease->stop_wanted && !(lease->will_wanted && lease->will == KUBE_LEASE_ABSTAIN) &&
	       kube_lease_state_may_write(&lease->rules, &lease->state, kube_lease_now(lease));
}

bool kube_lease_held(const struct kube_lease *lease)
{
	return lease->state.held;
}

struct str kube_lease_holder(const struct kube_lease *lease)
{
	return lease->state.have ? base_str(lease->state.seen.holder) : STR_NULL;
}

int32_t kube_lease_transitions(const struct kube_lease *lease)
{
	return lease->state.have ? lease->state.seen.transitions : 0;
}

int64_t kube_lease_unheld_since(const struct kube_lease *lease)
{
	return kube_lease_state_unheld_since(&lease->rules, &lease->state, kube_lease_now(lease));
}

int64_t kube_lease_expiry(const struct kube_lease *lease)
{
	return kube_lease_state_expiry(&lease->rules, &lease->state);
}

const struct kube_lease_stats *kube_lease_stats(const struct kube_lease *lease)
{
	return &lease->stats;
}
