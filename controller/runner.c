#include "controller/metrics.h"
#include "controller/runner_internal.h"

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"

#define JOBS_MAX      32             /* writes at once */
#define STATUS_LAG_NS (5 * NS_PER_S) /* how long a cache may be behind our own write */

static void run(uv_timer_t *timer);

static void arm(struct controller_runner *r)
{
	const int64_t at = r->active && r->synced ? kube_queue_next_boot_ns(r->queue) : INT64_MAX;
	const int64_t wait = at - base_boot_ns(&r->core->env);

	if (at == INT64_MAX || r->jobs >= JOBS_MAX)
		return;
	(void)uv_timer_start(&r->timer, run, wait > 0 ? (uint64_t)(wait / NS_PER_MS + 1) : 0, 0);
}

static void enqueue(struct controller_runner *r, struct str key)
{
	struct err err = {0};

	if (kube_queue_add(r->queue, key, &err) < 0)
		log_write(r->core->log, LOG_ERROR, "the work queue is full; will list again later",
			LOG_STR("key", key), LOG_ERR("error", &err));
	arm(r);
}

/* -- what is remembered of a revision -- */

static void dog_changed(void *ctx)
{
	struct controller_state *s = ctx;

	enqueue(s->r, base_str(s->key));
}

static struct controller_state *state_of(
	struct controller_runner *r, struct str key, struct err *err)
{
	struct controller_state *s = base_map_get(r->states, key);

	if (s)
		return s;
	s = base_alloc(1, sizeof(*s));
	if (!s) {
		(void)FAIL(err, ERR_NOMEM, "state");
		return NULL;
	}
	s->r = r;
	if (base_str_copy(key, s->key, sizeof(s->key), "key", err) < 0 ||
		controller_watchdog_new(r->core, dog_changed, s, &s->dog, err) < 0)
		return base_free(s);
	if (base_map_put(r->states, key, s, NULL, err) < 0) {
		controller_watchdog_free(s->dog);
		return base_free(s);
	}
	return s;
}

static void forget_state(struct controller_runner *r, struct controller_state *s)
{
	(void)base_map_remove(r->states, base_str(s->key));
	controller_watchdog_free(s->dog);
	base_free(s);
}

/* -- writes -- */

void controller_job_end(struct controller_job *job, const struct err *err)
{
	struct controller_runner *r = job->r;
	const struct str key = base_str(job->key);

	r->jobs--;
	if (err) {
		r->stats.failures++;
		log_write(r->core->log, LOG_WARN, "a write failed and will be tried again",
			LOG_STR("key", key), LOG_ERR("error", err));
		if (kube_queue_retry(r->queue, key, NULL) < 0)
			log_write(r->core->log, LOG_ERROR, "the work queue is full");
	} else {
		kube_queue_forget(r->queue, key);
		if (kube_queue_add(r->queue, key, NULL) < 0)
			log_write(r->core->log, LOG_ERROR, "the work queue is full");
	}
	kube_queue_done(r->queue, key);
	base_free(job);
	arm(r);
}

static void written(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct controller_job *job = ctx;
	void *object = NULL;

	job->r->stats.writes++;
	if (!err && job->state && job->state->status_ns != 0 && job->state->status_rv[0] == '?' &&
		kube_kind_decode(&controller_meta_kind, resp->body, &object, NULL) == 0) {
		const struct kube_meta *meta = object;
		if (base_str_copy(meta->rv, job->state->status_rv, sizeof(job->state->status_rv),
			    "rv", NULL) < 0)
			job->state->status_rv[0] = 0;
		kube_kind_free(&controller_meta_kind, object);
	}
	/* Nobody writes at the same time: an answer that is still awaited is this one. */
	if (err && job->state && job->state->status_rv[0] == '?')
		job->state->status_rv[0] = 0;
	/* Gone meanwhile: the caches will tell. */
	if (err && err->class == ERR_NOT_FOUND)
		err = NULL;
	if (err && job->undo_ns)
		*job->undo_ns = 0;
	controller_job_end(job, err);
}

struct str controller_job_ns(const struct controller_job *job)
{
	const struct str key = base_str(job->key);

	return base_str_sub(key, 0, base_str_find(key, '/', 0));
}

int controller_job_write(
	struct controller_job *job, const struct kube_request *request, struct err *err)
{
	return kube_start(job->r->core->client, request, written, job, NULL, err);
}

static int write_status(struct controller_job *job, const struct controller_view *v,
	const struct controller_plan *plan, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);

	TRY(controller_body_status(v, plan, &b, err));
	const struct kube_request request = {.verb = KUBE_PATCH_MERGE,
		.resource = &crds_functionkeys,
		.ns = v->ns,
		.name = v->leader->meta.name,
		.subresource = STR("status"),
		.body = base_buf_str(&b),
		.field_manager = CONTROLLER_FIELD_MANAGER};
	job->state->status_ns = v->boot_ns;
	memcpy(job->state->status_rv, "?", 2);
	return controller_job_write(job, &request, err);
}

/* The Service is created, never taken over: one of this name without our label is a user's. */
static int write_endpoints(struct controller_job *job, const struct controller_view *v,
	const struct controller_plan *plan, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);
	char name[300], said[CONTROLLER_SAID_MAX];

	(void)snprintf(name, sizeof(name), "%.*s-leader", STR_FMT(v->revision));
	if (plan->create_service)
		TRY(controller_body_service(v, &b, err));
	else
		TRY(controller_body_slice(v, plan->remove_endpoints, &b, err));
	struct kube_request request = {.verb = KUBE_APPLY,
		.resource = &controller_slices,
		.ns = v->ns,
		.name = base_str(name),
		.body = base_buf_str(&b),
		.field_manager = CONTROLLER_FIELD_MANAGER,
		.force = true};
	if (plan->create_service) {
		request.verb = KUBE_CREATE;
		request.resource = &controller_services;
		request.name = STR_NULL;
		request.force = false;
	}
	job->state->endpoints_ns = v->boot_ns;
	if (!plan->create_service) {
		const struct str text = controller_slice_said(v, plan->remove_endpoints, said);
		TRY(base_str_copy(text, job->state->slice_said, sizeof(said), "slice", err));
		job->state->slice_ns = v->boot_ns;
		job->undo_ns = &job->state->slice_ns;
	}
	return controller_job_write(job, &request, err);
}

/* -- one key -- */

/* The cache has not seen our last status write yet. */
static bool status_lags(const struct controller_state *s, const struct controller_view *v)
{
	int order = 0;

	if (!s->status_rv[0] || v->boot_ns - s->status_ns >= STATUS_LAG_NS)
		return false;
	return s->status_rv[0] == '?' ||
	       (kube_rv_cmp(v->leader->meta.rv, base_str(s->status_rv), &order, NULL) == 0 &&
		       order < 0);
}

static int start_endpoints(struct controller_job *job, const struct controller_view *v,
	const struct controller_plan *plan, int64_t *wake_ns, struct err *err)
{
	const struct controller_state *s = job->state;
	const int64_t at = s->endpoints_ns + CONTROLLER_HOLD_NS;

	if (s->endpoints_ns != 0 && v->boot_ns < at && plan->create_service) {
		*wake_ns = at;
		return 0;
	}
	const int r = write_endpoints(job, v, plan, err);
	return r < 0 ? r : 1;
}

static int start(struct controller_job *job, const struct controller_view *v,
	const struct controller_plan *plan, int64_t *wake_ns, struct err *err)
{
	struct controller_state *s = job->state;
	const int64_t made = s->made_ns + CONTROLLER_HOLD_NS;

	if (plan->release)
		return controller_start_release(job, v, plan, err);
	if (plan->tell_leaving)
		return controller_start_seeing_off(job, v, plan, err);
	if (plan->create_record || plan->create_lease) {
		if (s->made_ns == 0 || v->boot_ns >= made)
			return controller_start_create(job, v, plan, err);
		*wake_ns = made;
		return 0;
	}
	if (plan->write_status && !status_lags(s, v)) {
		const int r = write_status(job, v, plan, err);
		return r < 0 ? r : 1;
	}
	if (plan->write_status)
		*wake_ns = s->status_ns + STATUS_LAG_NS;
	if (plan->create_service || plan->write_slice)
		return start_endpoints(job, v, plan, wake_ns, err);
	return plan->adopt ? controller_start_adopt(job, v, plan, err) : 0;
}

struct str controller_leadership(struct str key, int64_t term, char dst[static CRDS_LEADERSHIP_MAX])
{
	const size_t slash = base_str_find(key, '/', 0);

	return crds_leadership(
		base_str_sub(key, 0, slash), base_str_sub(key, slash + 1, key.n), term, dst);
}

/* Times a failover from the first evidence to the next leader's active key. */
static void watch_failover(struct controller_runner *r, struct controller_state *s,
	const struct controller_view *v, const struct controller_plan *plan)
{
	if (plan->evidence != CONTROLLER_NO_EVIDENCE && s->failed_ns == 0 && v->leader &&
		v->leader->active_epoch > 0) {
		s->failed_ns = v->boot_ns;
		s->failed_term = v->leader->term;
		s->failed_by = plan->evidence;
	}
	if (s->failed_ns == 0 || !v->leader || v->leader->term <= s->failed_term ||
		v->leader->active_epoch == 0 ||
		(!v->leader->inherits && v->leader->active_term < v->leader->term))
		return;
	char leadership[CRDS_LEADERSHIP_MAX], former[CRDS_LEADERSHIP_MAX];
	const int64_t took = v->boot_ns - s->failed_ns;
	controller_metrics_failover(r->core->metrics, s->failed_by, took);
	s->failed_ns = 0;
	s->releases = 0;
	log_write(r->core->log, LOG_INFO, "a new leader's key is active",
		LOG_STR("leadership",
			controller_leadership(base_str(s->key), v->leader->term, leadership)),
		LOG_STR("former", controller_leadership(base_str(s->key), s->failed_term, former)),
		LOG_INT("epoch", v->leader->active_epoch),
		LOG_STR("evidence", base_str(controller_evidence_name(s->failed_by))),
		LOG_DUR("took", took));
}

static void note_since(bool is, int64_t now, int64_t *since_ns)
{
	if (!is)
		*since_ns = 0;
	else if (*since_ns == 0)
		*since_ns = now;
}

static int reconcile(struct controller_job *job, struct str key, struct err *err)
{
	struct controller_runner *r = job->r;
	struct controller_view v = {
		.boot_ns = base_boot_ns(&r->core->env), .wall_ns = base_wall_ns(&r->core->env)};
	struct controller_plan plan;
	struct controller_state *s = job->state;
	int64_t wake_ns = 0;

	TRY(controller_world_look(r->world, key, &v, err));
	v.released_ns = s->released_ns;
	v.told_ns = s->told_ns;
	v.status_ns = s->status_ns;
	v.made_ns = s->made_ns;
	v.orphan_ns = s->orphan_ns;
	v.changing_ns = s->changing_ns;
	v.releases = s->releases;
	v.slice_ns = s->slice_ns;
	v.slice_said = base_str(s->slice_said);
	if (!v.leader && v.pods_len == 0 && v.members_len == 0 && !v.lease) {
		forget_state(r, s);
		job->state = NULL;
		return 0;
	}
	controller_watchdog_set(
		s->dog, v.leader ? v.leader->endpoint : STR_NULL, v.leader ? v.leader->term : 0);
	/* Only now: what was seen of the leader before says nothing of this one. */
	v.alive = controller_watchdog_state(s->dog);
	controller_revision_step(&v, &plan);
	watch_failover(r, s, &v, &plan);
	note_since(plan.orphan != CONTROLLER_NO_ORPHAN, v.boot_ns, &s->orphan_ns);
	note_since(plan.changing, v.boot_ns, &s->changing_ns);
	const int started = start(job, &v, &plan, &wake_ns, err);
	if (started != 0)
		return started;
	if (plan.wake_ns && (wake_ns == 0 || plan.wake_ns < wake_ns))
		wake_ns = plan.wake_ns;
	if (wake_ns)
		TRY(kube_queue_add_after(r->queue, key, wake_ns - v.boot_ns, err));
	return 0;
}

static int begin(struct controller_job *job, struct str key, struct err *err)
{
	const size_t slash = base_str_find(key, '/', 0);

	if (slash + 1 >= key.n)
		return controller_start_access(job, err);
	job->state = state_of(job->r, key, err);
	return job->state ? reconcile(job, key, err) : -ERR_NOMEM;
}

static void take(struct controller_runner *r, struct str key)
{
	struct err err = {0};
	struct controller_job *job = base_alloc(1, sizeof(*job));

	r->stats.reconciles++;
	if (!job || base_str_copy(key, job->key, sizeof(job->key), "key", NULL) < 0) {
		base_free(job);
		if (kube_queue_retry(r->queue, key, NULL) < 0)
			log_write(r->core->log, LOG_ERROR, "the work queue is full");
		kube_queue_done(r->queue, key);
		return;
	}
	job->r = r;
	r->jobs++;
	const int started = begin(job, key, &err);
	if (started > 0)
		return;
	if (started < 0) {
		controller_job_end(job, &err);
		return;
	}
	kube_queue_forget(r->queue, key);
	kube_queue_done(r->queue, key);
	r->jobs--;
	base_free(job);
}

static void run(uv_timer_t *timer)
{
	struct controller_runner *r = timer->data;
	struct str key = STR_NULL;

	while (r->active && r->jobs < JOBS_MAX && kube_queue_get(r->queue, &key))
		take(r, key);
	arm(r);
}

/* -- life -- */

static void revision_changed(void *ctx, struct str key)
{
	enqueue(ctx, key);
}

static void namespace_changed(void *ctx, struct str name)
{
	char key[CONTROLLER_KEY_MAX];

	(void)snprintf(key, sizeof(key), "%.*s/", STR_FMT(name));
	enqueue(ctx, base_str(key));
}

static void world_synced(void *ctx)
{
	struct controller_runner *r = ctx;

	r->synced = true;
	log_write(r->core->log, LOG_INFO, "all caches are filled");
	arm(r);
}

int controller_runner_new(
	struct controller_core *core, struct controller_runner **ret_runner, struct err *err)
{
	static const struct controller_world_handler handler = {
		.revision = revision_changed, .ns = namespace_changed, .synced = world_synced};
	static const struct kube_queue_options options = {.max = CONTROLLER_REVISIONS_MAX,
		.retry_ns = 20 * NS_PER_MS,
		.retry_max_ns = 60 * NS_PER_S};
	_cleanup_(controller_runner_free) struct controller_runner *r = base_alloc(1, sizeof(*r));

	if (!r)
		return FAIL(err, ERR_NOMEM, "runner");
	r->core = core;
	TRY(kube_queue_new(&core->env, &options, &r->queue, err));
	TRY(base_map_new(CONTROLLER_REVISIONS_MAX, &r->states, err));
	if (uv_timer_init(core->loop, &r->timer) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	r->timer.data = r;
	r->timer_open = true;
	TRY(controller_world_new(core, &handler, r, &r->world, err));
	*ret_runner = STEAL(r);
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	base_free(handle->data);
}

struct controller_runner *controller_runner_free(struct controller_runner *r)
{
	struct str key = STR_NULL;
	void *value = NULL;

	if (!r)
		return NULL;
	controller_world_free(r->world);
	for (size_t at = 0; r->states && base_map_next(r->states, &at, &key, &value);)
		forget_state(r, value);
	base_map_free(r->states);
	kube_queue_free(r->queue);
	if (r->timer_open)
		uv_close((uv_handle_t *)&r->timer, timer_closed);
	else
		base_free(r);
	return NULL;
}

void controller_runner_activate(struct controller_runner *r)
{
	r->active = true;
	controller_world_replay(r->world);
	arm(r);
}

void controller_runner_deactivate(struct controller_runner *r)
{
	r->active = false;
}

bool controller_runner_synced(const struct controller_runner *r)
{
	return r->synced;
}

struct controller_runner_stats controller_runner_stats(const struct controller_runner *r)
{
	struct controller_runner_stats stats = r->stats;

	stats.queue_depth = kube_queue_stats(r->queue)->depth;
	stats.revisions = base_map_len(r->states);
	return stats;
}

const struct controller_world *controller_runner_world(const struct controller_runner *r)
{
	return r->world;
}

void controller_tell_of_pod(struct controller_runner *r, const struct controller_view *v,
	struct kube_ref pod, const char *reason, const char *action, struct str note)
{
	if (!v->leader)
		return;
	const struct kube_event event = {.resource = &crds_functionkeys,
		.regarding = {.ns = v->ns,
			.name = v->leader->meta.name,
			.uid = v->leader->meta.uid},
		.related_resource = &crds_pods,
		.related = pod,
		.type = KUBE_EVENT_WARNING,
		.reason = reason,
		.action = action,
		.note = note};
	kube_event_emit(r->core->events, &event);
}
