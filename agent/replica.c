#include "agent/replica_internal.h"

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"

static const agent_start starts[PROTOCOL_KIND_COUNT] = {
	[PROTOCOL_RECORD_CREATE] = agent_start_record,
	[PROTOCOL_RECORD_UPDATE] = agent_start_record,
	[PROTOCOL_SAY_OPENED] = agent_start_record,
	[PROTOCOL_REINCARNATE] = agent_start_keeper,
	[PROTOCOL_CHECK_LEADER] = agent_start_check,
	[PROTOCOL_CHECK_MEMBER] = agent_start_check,
	[PROTOCOL_COUNT_HOLDERS] = agent_start_count,
	[PROTOCOL_ACCEPT] = agent_start_keeper,
	[PROTOCOL_INBOX_NEXT] = agent_start_keeper,
	[PROTOCOL_INBOX_COMMIT] = agent_start_keeper,
	[PROTOCOL_ERASE] = agent_start_keeper,
	[PROTOCOL_KEEPER_TERM] = agent_start_keeper,
	[PROTOCOL_KEEPER_EPOCH] = agent_start_keeper,
	[PROTOCOL_TAKE_TERM] = agent_start_write,
	[PROTOCOL_PREPARE] = agent_start_write,
	[PROTOCOL_ACTIVATE] = agent_start_write,
	[PROTOCOL_PRUNE] = agent_start_write,
	[PROTOCOL_GRANT] = agent_start_grant,
	[PROTOCOL_CERTIFY] = agent_start_certify,
};

static bool by_member(enum protocol_kind kind)
{
	return kind == PROTOCOL_GRANT || kind == PROTOCOL_CHECK_MEMBER;
}

void agent_replica_wake(struct agent_replica *r)
{
	if (r->timer_open && !r->step_due) {
		r->step_due = true;
		(void)uv_timer_start(&r->timer, r->timer.timer_cb, 0, 0);
	}
}

struct agent_peer *agent_peer_of(struct agent_replica *r, struct str pod_uid, struct err *err)
{
	struct agent_peer *p = base_map_get(r->peers, pod_uid);

	if (p)
		return p;
	p = base_alloc(1, sizeof(*p));
	if (!p) {
		(void)FAIL(err, ERR_NOMEM, "peer");
		return NULL;
	}
	if (base_map_put(r->peers, pod_uid, p, NULL, err) < 0)
		return base_free(p);
	return p;
}

static void forget_peers(struct agent_replica *r)
{
	struct str key = STR_NULL;
	void *value = NULL;

	for (size_t at = 0; base_map_next(r->peers, &at, &key, &value);) {
		if (((struct agent_peer *)value)->busy)
			continue;
		(void)base_map_remove(r->peers, key);
		base_free(value);
	}
}

static void rest_after(struct agent_replica *r, struct agent_rest *rest, const struct err *err)
{
	const unsigned shift = rest->fails < 7 ? rest->fails : 7;
	int64_t wait = AGENT_REST_FIRST_NS << shift;

	if (wait > AGENT_REST_MAX_NS)
		wait = AGENT_REST_MAX_NS;
	if (err->retry_after && (int64_t)err->retry_after * NS_PER_S > wait)
		wait = (int64_t)err->retry_after * NS_PER_S;
	rest->fails++;
	rest->until_ns = base_boot_ns(&r->core->env) + base_jitter(&r->core->env, wait / 2, wait);
}

void agent_replica_note(struct agent_replica *r, const char *what, const struct err *err)
{
	(void)snprintf(r->trouble, sizeof(r->trouble), "%s: %s: %.120s", what,
		base_err_class_name(err->class), err->msg);
}

static void note_trouble(
	struct agent_replica *r, const struct agent_job *job, const struct err *err)
{
	agent_replica_note(r, protocol_kind_name(job->kind), err);
	log_write(r->core->log, LOG_WARN, "an action failed and will be tried again",
		LOG_STR("action", base_str(protocol_kind_name(job->kind))),
		LOG_STR("subject", base_str(job->subject)), LOG_ERR("error", err));
}

void agent_job_end(struct agent_job *job, const struct err *err)
{
	struct agent_replica *r = job->r;
	struct agent_rest *rest = &r->rests[job->kind];

	if (by_member(job->kind)) {
		struct agent_peer *p = base_map_get(r->peers, base_str(job->pod_uid));
		if (p) {
			p->busy = false;
			rest = &p->rest;
		}
	}
	r->stats.actions[job->kind]++;
	if (err) {
		r->stats.failures[job->kind]++;
		rest_after(r, rest, err);
		note_trouble(r, job, err);
	} else {
		*rest = (struct agent_rest){0};
	}
	job->arena = base_arena_free(job->arena);
	job->kind = 0;
	agent_replica_wake(r);
}

static struct agent_job *free_job(struct agent_replica *r)
{
	for (size_t i = 0; i < AGENT_JOBS_MAX; i++)
		if (!r->jobs[i].kind)
			return &r->jobs[i];
	return NULL;
}

static bool under_way(const struct agent_replica *r, enum protocol_kind kind)
{
	for (size_t i = 0; i < AGENT_JOBS_MAX; i++)
		if (r->jobs[i].kind == kind)
			return true;
	return false;
}

/* Whether the action rests or is under way; then *wake_ns may be lowered. */
static bool must_wait(struct agent_replica *r, const struct protocol_action *a,
	struct agent_peer *peer, int64_t now, struct protocol_plan *plan)
{
	const struct agent_rest *rest = peer ? &peer->rest : &r->rests[a->kind];

	if (peer ? peer->busy : under_way(r, a->kind))
		return true;
	/* The keeper would look for the inbox key that it just wiped. */
	if (a->kind == PROTOCOL_ACCEPT && under_way(r, PROTOCOL_INBOX_COMMIT))
		return true;
	if (rest->until_ns <= now)
		return false;
	protocol_wake(plan, rest->until_ns);
	return true;
}

static void start(struct agent_replica *r, struct agent_job *job, const struct protocol_action *a,
	struct agent_peer *peer, const struct protocol_view *v)
{
	struct err err = {0};

	*job = (struct agent_job){.r = r, .kind = a->kind, .action = *a};
	if (a->member) {
		if (base_str_copy(a->member->name, job->subject, sizeof(job->subject), "name",
			    &err) < 0 ||
			base_str_copy(a->member->pod, job->pod, sizeof(job->pod), "pod", &err) <
				0 ||
			base_str_copy(a->member->pod_uid, job->pod_uid, sizeof(job->pod_uid),
				"pod UID", &err) < 0) {
			job->kind = 0;
			return;
		}
	}
	if (peer)
		peer->busy = true;
	if (starts[a->kind](job, a, v, &err) < 0)
		agent_job_end(job, &err);
}

static void carry_out(struct agent_replica *r, const struct protocol_view *v)
{
	for (size_t i = 0; i < r->plan.actions_len; i++) {
		const struct protocol_action *a = &r->plan.actions[i];
		struct agent_job *job = free_job(r);
		struct agent_peer *peer = NULL;
		if (!job)
			return;
		if (by_member(a->kind)) {
			peer = agent_peer_of(r, a->member->pod_uid, NULL);
			if (!peer) {
				forget_peers(r);
				continue;
			}
		}
		if (!must_wait(r, a, peer, v->boot_ns, &r->plan))
			start(r, job, a, peer, v);
	}
}

static void fill_members(struct agent_replica *r, struct protocol_view *v)
{
	const struct crds_functionkey *const *list = NULL;
	size_t n = 0;

	if (agent_records_members(r->records, &list, &n, NULL) < 0)
		return;
	if (n > r->members_cap) {
		struct protocol_member *grown =
			base_realloc(r->members, (n + 16) * sizeof(*r->members));
		if (!grown)
			return;
		r->members = grown;
		r->members_cap = n + 16;
	}
	r->stats.members = n;
	r->stats.members_refused = 0;
	for (size_t i = 0; i < n; i++) {
		const struct agent_peer *p = base_map_get(r->peers, list[i]->pod_uid);
		r->members[i] = (struct protocol_member){
			.record = list[i], .check = p ? p->check : PROTOCOL_UNCHECKED};
		r->stats.members_refused += r->members[i].check == PROTOCOL_REFUSED;
	}
	v->members = r->members;
	v->members_len = n;
	v->members_synced = agent_records_members_synced(r->records);
}

static enum protocol_check leader_check(const struct agent_replica *r, struct str pod_uid)
{
	if (base_str_eq(pod_uid, r->core->self.pod_uid))
		return PROTOCOL_CHECKED;
	for (size_t i = 0; i < ARRAY_LEN(r->leaders); i++)
		if (pod_uid.n && base_str_eq(pod_uid, base_str(r->leaders[i].uid)))
			return r->leaders[i].check;
	return PROTOCOL_UNCHECKED;
}

/* Of "<pod>_<podUID>_<incarnation>". */
static void fill_holder(const struct agent_replica *r, struct protocol_view *v)
{
	const struct str holder = kube_lease_holder(r->lease);
	const size_t pod = base_str_find(holder, '_', 0);
	const size_t uid = base_str_find(holder, '_', pod + 1);
	const struct str pod_uid = base_str_sub(holder, pod + 1, uid);

	if (uid >= holder.n || pod_uid.n == 0 || pod_uid.n > CRDS_UID_LEN ||
		base_str_eq(pod_uid, v->pod_uid))
		return;
	v->holder_pod = base_str_sub(holder, 0, pod);
	v->holder_uid = pod_uid;
	v->holder_check = leader_check(r, pod_uid);
}

static void fill_times(struct agent_replica *r, struct protocol_view *v)
{
	const struct crds_key *prepared = v->leader ? crds_key_prepared(v->leader) : NULL;

	if (!prepared) {
		r->prepared_epoch = 0;
	} else if (r->prepared_epoch != prepared->epoch) {
		r->prepared_epoch = prepared->epoch;
		r->prepared_since_ns = v->boot_ns;
	}
	v->prepared_since_ns = prepared ? r->prepared_since_ns : 0;
	v->inbox_used_ns = r->inbox_used_ns;
	v->refused = r->refused;
	v->refused_len = r->refused_len;
	v->no_certificates = v->boot_ns < r->certless_until_ns;
	v->no_revocations = r->forgetful;
	v->unheld_since_ns = kube_lease_unheld_since(r->lease);
	v->lease_expiry_ns = kube_lease_expiry(r->lease);
	if (v->unheld_since_ns == 0)
		r->count_good_ns = 0;
	if (v->unheld_since_ns == 0 || v->boot_ns >= r->count_again_ns)
		r->live_holders = -1;
	v->live_holders = r->live_holders;
	v->count_again_ns = r->count_again_ns;
}

void agent_replica_view(struct agent_replica *r, struct protocol_view *v)
{
	const struct agent_self *self = &r->core->self;

	*v = (struct protocol_view){
		.boot_ns = base_boot_ns(&r->core->env),
		.wall_ns = base_wall_ns(&r->core->env),
		.started_ns = r->core->started_ns,
		.ns = self->ns,
		.revision = self->revision,
		.pod = self->pod,
		.pod_uid = self->pod_uid,
		.incarnation = self->incarnation,
		.endpoint = self->endpoint,
		.draining = r->draining || r->leaving,
		.keeper = r->keeper,
		.synced = r->keeper_ready && agent_records_synced(r->records),
		.leader = agent_records_leader(r->records),
		.own = agent_records_own(r->records),
		.holding = kube_lease_may_write(r->lease),
		.named = base_str_eq(kube_lease_holder(r->lease), self->identity),
		.transitions = kube_lease_transitions(r->lease),
		.lease_duration_ns = r->core->lease_duration_s * NS_PER_S,
	};
	if (v->leader && v->leader->has_leader)
		v->leader_check = leader_check(r, v->leader->leader.pod_uid);
	fill_holder(r, v);
	fill_members(r, v);
	fill_times(r, v);
}

/* What watchers care for, as one number: two equal ones mean that nothing changed for them. */
static uint64_t digest(const struct agent_replica *r, const struct protocol_view *v)
{
	uint64_t d = r->plan.readiness.ready ? 1 : 2;

	d = d * 31 + (r->plan.leading ? 1 : 0);
	d = d * 31 + (uint64_t)(uintptr_t)r->plan.readiness.reason;
	if (v->leader && v->leader->has_leader)
		d = d * 31 + (uint64_t)v->leader->leader.term;
	for (size_t i = 0; i < v->keeper.held_len; i++)
		d = d * 31 + (uint64_t)v->keeper.held[i].epoch;
	for (size_t i = 0; v->leader && i < v->leader->keys_len; i++)
		d = d * 31 + (uint64_t)v->leader->keys[i].epoch * 8 + v->leader->keys[i].state;
	return d;
}

static void tell_watchers(struct agent_replica *r, const struct protocol_view *v)
{
	const uint64_t d = digest(r, v);

	if (d == r->seen_by_watchers)
		return;
	r->seen_by_watchers = d;
	for (struct agent_replica_watcher *w = r->watchers, *next = NULL; w; w = next) {
		next = w->next;
		w->changed(w->ctx);
	}
}

struct str agent_replica_leadership(
	const struct agent_replica *r, char dst[static CRDS_LEADERSHIP_MAX])
{
	const struct crds_functionkey *leader = agent_records_leader(r->records);

	return crds_leadership(r->core->self.ns, r->core->self.revision,
		leader && leader->has_leader ? leader->leader.term : 0, dst);
}

static void note_progress(struct agent_replica *r, const struct protocol_view *v, bool was_leading)
{
	const struct crds_key *active = v->leader ? crds_key_active(v->leader) : NULL;
	char leadership[CRDS_LEADERSHIP_MAX];

	if (was_leading && !r->plan.leading && protocol_revoked(v))
		agent_replica_tell(r, true, "LeaderRevoked", "Release",
			STR("the leading pod was revoked and gives up the Lease"));
	r->stats.held_epochs = (int64_t)v->keeper.held_len;
	r->stats.incarnation = v->incarnation;
	if (r->plan.leading != was_leading)
		log_write(r->core->log, LOG_INFO,
			r->plan.leading ? "leading the revision" : "no longer leading",
			LOG_STR("leadership", agent_replica_leadership(r, leadership)));
	if (r->plan.leading && active && active->term == v->keeper.term &&
		r->stats.active_ns == 0) {
		r->stats.active_ns = v->boot_ns;
		log_write(r->core->log, LOG_INFO, "key active in this term",
			LOG_STR("leadership", agent_replica_leadership(r, leadership)),
			LOG_INT("epoch", active->epoch),
			LOG_DUR("since_won", r->stats.won_ns ? v->boot_ns - r->stats.won_ns : 0));
	}
}

static void step(uv_timer_t *timer)
{
	struct agent_replica *r = timer->data;
	struct protocol_view v;
	const bool was_leading = r->plan.leading;

	r->step_due = false;
	r->stats.steps++;
	agent_replica_view(r, &v);
	protocol_step(&v, r->core->pre, &r->plan);
	/* As long as nothing is known, a Lease that our former network half held is kept: giving it
	 * up would cost a leader and an epoch for nothing. */
	if (v.synced || v.boot_ns - v.started_ns > v.lease_duration_ns)
		kube_lease_set_will(
			r->lease, r->plan.may_contend ? KUBE_LEASE_CONTEND : KUBE_LEASE_ABSTAIN);
	note_progress(r, &v, was_leading);
	carry_out(r, &v);
	tell_watchers(r, &v);
	if (!r->step_due && r->plan.wake_ns) {
		const int64_t wait = r->plan.wake_ns - base_boot_ns(&r->core->env);
		(void)uv_timer_start(
			&r->timer, step, wait > 0 ? (uint64_t)(wait / NS_PER_MS + 1) : 1, 0);
	}
}

static void records_changed(void *ctx)
{
	agent_replica_wake(ctx);
}

static void records_trouble(void *ctx, const struct err *err)
{
	agent_replica_note(ctx, "watch", err);
}

int agent_replica_new(struct agent_core *core, struct agent_replica **ret_replica, struct err *err)
{
	static const struct agent_records_handler handler = {
		.changed = records_changed, .trouble = records_trouble};
	_cleanup_(agent_replica_free) struct agent_replica *r = base_alloc(1, sizeof(*r));

	if (!r)
		return FAIL(err, ERR_NOMEM, "replica");
	r->core = core;
	r->live_holders = -1;
	TRY(base_map_new(AGENT_MEMBERS_MAX, &r->peers, err));
	if (uv_timer_init(core->loop, &r->timer) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	r->timer.data = r;
	r->timer.timer_cb = step;
	r->timer_open = true;
	TRY(agent_records_new(core, &handler, r, &r->records, err));
	TRY(agent_replica_run_lease(r, err));
	TRY(agent_replica_ask_keeper(r, err));
	*ret_replica = STEAL(r);
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	base_free(handle->data);
}

struct agent_replica *agent_replica_free(struct agent_replica *r)
{
	if (!r)
		return NULL;
	kube_lease_free(r->lease);
	agent_records_free(r->records);
	for (size_t i = 0; i < AGENT_JOBS_MAX; i++)
		base_arena_free(r->jobs[i].arena);
	if (r->peers) {
		struct str key = STR_NULL;
		void *value = NULL;
		for (size_t at = 0; base_map_next(r->peers, &at, &key, &value);)
			base_free(value);
	}
	base_map_free(r->peers);
	base_free(r->members);
	if (r->timer_open)
		uv_close((uv_handle_t *)&r->timer, timer_closed);
	else
		base_free(r);
	return NULL;
}

static void released(void *ctx)
{
	struct agent_replica *r = ctx;

	if (r->drained)
		r->drained(r->drained_ctx);
	r->drained = NULL;
}

void agent_replica_drain(struct agent_replica *r, void (*done)(void *ctx), void *ctx)
{
	r->draining = true;
	r->drained = done;
	r->drained_ctx = ctx;
	log_write(r->core->log, LOG_INFO, "draining: handing the lease over");
	kube_lease_release(r->lease, released, r);
	agent_replica_wake(r);
}
