/* Actions that end in one write to the API server. */
#include "agent/patches.h"
#include "agent/replica_internal.h"

#include "crds/pod.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/base/text.h"
#include "pkg/kube/event.h"

#include <stdarg.h>

/* To go on asking it would replace the key each time. */
static void see_forgetful(const struct agent_job *job, const struct crds_functionkey *fk)
{
	struct agent_replica *r = job->r;

	if (!job->tells_revocations || fk->revocations_len || r->forgetful)
		return;
	r->forgetful = true;
	log_write(r->core->log, LOG_WARN,
		"the API server drops status.revocations: its definition of functionkeys is older "
		"than this agent");
}

static void take_answer(const struct agent_job *job, struct str body)
{
	struct crds_functionkey *fk = NULL;
	struct err err = {0};

	if (crds_functionkey_decode(body, &fk, &err) < 0) {
		log_write(job->r->core->log, LOG_WARN,
			"the API server's answer is not a FunctionKey", LOG_ERR("error", &err));
		return;
	}
	see_forgetful(job, fk);
	agent_records_put(job->r->records, fk);
}

/* The row that was made is in the record now, or another row of its number is. */
static void made_is_written(struct agent_replica *r)
{
	const struct crds_functionkey *leader = agent_records_leader(r->records);

	if (r->keeper.has_made && leader && crds_key_find(leader, r->keeper.made.epoch))
		r->keeper.has_made = false;
}

base_printf_like(5, 6) static void say(struct agent_replica *r, bool warning, const char *reason,
	const char *action, const char *fmt, ...)
{
	char note[200];
	va_list args;

	va_start(args, fmt);
	const int n = vsnprintf(note, sizeof(note), fmt, args);
	va_end(args);
	const size_t len = n < 0 ? 0 : (size_t)n;
	agent_replica_tell(r, warning, reason, action,
		base_str_n(note, len < sizeof(note) ? len : sizeof(note) - 1));
}

/* Which pod; of several the first one, as it is one event. */
static void tell_revoked(struct agent_replica *r, const struct agent_job *job)
{
	_cleanup_(base_buf_done) struct buf note = base_buf(KUBE_EVENT_NOTE_MAX);
	const struct protocol_action *a = &job->action;
	const struct kube_ref pod = {
		.ns = r->core->self.ns, .name = base_str(job->pod), .uid = base_str(job->pod_uid)};
	const bool lost = base_str_eq(base_str(a->reason), STR("KeyLost"));
	struct err err = {0};
	int e = base_buf_addf(&note, &err,
		"epoch %lld is active; epoch %lld is revoked: ", (long long)a->epoch,
		(long long)a->previous);

	/* Of a pod that is gone there is the UID alone. */
	if (e == 0 && !job->pod[0])
		e = base_buf_addf(&note, &err, "%zu of spec.revoked may have it", a->members);
	else if (e == 0 && a->members > 1)
		e = base_buf_addf(&note, &err, "pod %s and %zu more of spec.revoked have it",
			job->pod, a->members - 1);
	else if (e == 0)
		e = base_buf_addf(&note, &err, "pod %s of spec.revoked has it", job->pod);
	if (e == 0 && lost)
		e = base_buf_addf(&note, &err, ", and nobody else (KeyLost)");
	if (e == 0)
		agent_replica_tell_of(r, job->pod[0] ? &pod : NULL, lost ? "KeyLost" : "KeyRevoked",
			lost ? "Activate" : "Revoke", base_buf_str(&note));
}

static void tell_active(struct agent_replica *r, const struct agent_job *job)
{
	const struct protocol_action *a = &job->action;
	const long long epoch = a->epoch, before = a->previous;

	if (before == 0)
		say(r, false, "KeyActivated", "Activate", "epoch %lld is active, the first", epoch);
	else if (a->state == CRDS_REVOKED)
		tell_revoked(r, job);
	else if (base_str_eq(base_str(a->reason), STR("KeyLost")))
		say(r, true, "KeyLost", "Activate",
			"epoch %lld is active; nobody could open epoch %lld any more (KeyLost)",
			epoch, before);
	else
		/* The cause is the action: events that differ in their note alone are counted as
		 * one, and a rotation is not to be shown as one more change of leader. */
		say(r, false, "KeyActivated", a->reason,
			"epoch %lld is active; epoch %lld was before (%s)", epoch, before,
			a->reason);
}

static void told(const struct agent_job *job)
{
	const struct protocol_action *a = &job->action;

	if (job->kind == PROTOCOL_TAKE_TERM)
		say(job->r, false, "LeaderElected", "Elect", "%.*s leads in term %lld",
			STR_FMT(job->r->core->self.pod), (long long)a->term);
	else if (job->kind == PROTOCOL_PRUNE)
		say(job->r, false, "KeyErased", "Erase", "epoch %lld is erased: %s",
			(long long)a->epoch, a->reason);
	else if (job->kind == PROTOCOL_ACTIVATE)
		tell_active(job->r, job);
}

static void written(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct agent_job *job = ctx;
	struct agent_replica *r = job->r;

	if (err && err->class == ERR_NOT_FOUND)
		agent_records_forget(r->records, base_str(job->subject));
	if (!err) {
		take_answer(job, resp->body);
		made_is_written(r);
		told(job);
		if (job->kind == PROTOCOL_GRANT)
			agent_job_certified(job);
		if (job->kind == PROTOCOL_RECORD_UPDATE)
			agent_replica_kick_leader(r);
	}
	agent_job_end(job, err);
}

int agent_job_write(struct agent_job *job, enum kube_verb verb, struct str name,
	struct str subresource, struct str body, struct err *err)
{
	const struct agent_core *core = job->r->core;
	const struct kube_request request = {.verb = verb,
		.resource = &crds_functionkeys,
		.ns = core->self.ns,
		.name = name,
		.subresource = subresource,
		.body = body,
		.class = KUBE_CLASS_API,
		.field_manager = AGENT_FIELD_MANAGER};

	TRY(base_str_copy(name, job->subject, sizeof(job->subject), "record name", err));
	return kube_start(core->client, &request, written, job, NULL, err);
}

/* -- our own Member record -- */

static void got_own(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct agent_job *job = ctx;

	if (!err) {
		take_answer(job, resp->body);
		agent_replica_kick_leader(job->r);
	}
	agent_job_end(job, err);
}

/* The record is there already: an earlier network half of this pod made it. */
static void created(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct agent_job *job = ctx;
	struct agent_core *core = job->r->core;
	const struct kube_request get = {.verb = KUBE_GET,
		.resource = &crds_functionkeys,
		.ns = core->self.ns,
		.name = core->self.member,
		.class = KUBE_CLASS_API};

	if (err && err->class == ERR_EXISTS &&
		kube_start(core->client, &get, got_own, job, NULL, NULL) == 0)
		return;
	got_own(job, resp, err);
}

static int create_record(struct agent_job *job, const struct protocol_view *v, struct err *err)
{
	const struct agent_core *core = job->r->core;
	_cleanup_(base_buf_done) struct buf b = base_buf(AGENT_PATCH_MAX);
	const struct crds_functionkey member = {.ns = v->ns,
		.name = core->self.member,
		.role = CRDS_MEMBER,
		.revision = v->revision,
		.pod = v->pod,
		.pod_uid = v->pod_uid,
		.incarnation = v->incarnation,
		.receiving = v->keeper.receiving,
		.inbox = v->keeper.inbox,
		.identity = v->keeper.identity,
		.proof = v->keeper.proof};

	TRY(crds_member_json(&member, v->pod_uid, &b, err));
	const struct kube_request request = {.verb = KUBE_CREATE,
		.resource = &crds_functionkeys,
		.ns = v->ns,
		.body = base_buf_str(&b),
		.class = KUBE_CLASS_API,
		.field_manager = AGENT_FIELD_MANAGER};
	TRY(base_str_copy(core->self.member, job->subject, sizeof(job->subject), "name", err));
	return kube_start(core->client, &request, created, job, NULL, err);
}

int agent_start_record(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(AGENT_PATCH_MAX);

	if (action->kind == PROTOCOL_RECORD_CREATE)
		return create_record(job, v, err);
	if (action->kind == PROTOCOL_RECORD_UPDATE) {
		TRY(agent_patch_keys(v, &b, err));
		return agent_job_write(
			job, KUBE_PATCH_MERGE, v->own->name, STR_NULL, base_buf_str(&b), err);
	}
	TRY(agent_patch_opened(v, &b, err));
	return agent_job_write(
		job, KUBE_PATCH_MERGE, v->own->name, STR("status"), base_buf_str(&b), err);
}

/* -- the Leader record -- */

static int take_term(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(AGENT_PATCH_MAX);
	char since[BASE_TIME_LEN];
	const struct crds_leader me = {.pod = v->pod,
		.pod_uid = v->pod_uid,
		.endpoint = v->endpoint,
		.since = base_str(since),
		.incarnation = v->incarnation,
		.term = action->term,
		.verifying = v->keeper.verifying,
		.identity = v->keeper.identity,
		.signature = v->keeper.term_signature};

	base_time_format(v->wall_ns, since);
	if (action->key) {
		TRY(agent_patch_prepare(v->leader, &me, action->key, &b, err));
		return agent_job_write(job, KUBE_PATCH_JSON, v->leader->name, STR("status"),
			base_buf_str(&b), err);
	}
	TRY(agent_patch_take_term(&me, &b, err));
	return agent_job_write(
		job, KUBE_PATCH_MERGE, v->leader->name, STR("status"), base_buf_str(&b), err);
}

int agent_start_write(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(AGENT_PATCH_MAX);

	/* The fence, at the last moment: the Lease may have run out since the view was made. */
	if (!kube_lease_may_write(job->r->lease))
		return FAIL(err, ERR_CANCELLED, "the lease is not ours any more");
	job->tells_revocations = v->leader->revoked_len > 0 &&
				 (action->kind == PROTOCOL_PREPARE ||
					 (action->kind == PROTOCOL_TAKE_TERM && action->key));
	if (action->kind == PROTOCOL_TAKE_TERM)
		return take_term(job, action, v, err);
	if (action->kind == PROTOCOL_PREPARE)
		TRY(agent_patch_prepare(v->leader, NULL, action->key, &b, err));
	else if (action->kind == PROTOCOL_ACTIVATE)
		TRY(agent_patch_activate(v->leader, action, v->wall_ns, &b, err));
	else
		TRY(agent_patch_prune(v->leader, action->epoch, &b, err));
	return agent_job_write(
		job, KUBE_PATCH_JSON, v->leader->name, STR("status"), base_buf_str(&b), err);
}

static void emit(struct agent_replica *r, struct kube_event event)
{
	const struct crds_functionkey *leader = agent_records_leader(r->records);
	char leadership[CRDS_LEADERSHIP_MAX];

	log_write(r->core->log, event.type == KUBE_EVENT_WARNING ? LOG_WARN : LOG_INFO,
		"told by an event", LOG_STR("leadership", agent_replica_leadership(r, leadership)),
		LOG_STR("reason", base_str(event.reason)), LOG_STR("note", event.note));
	if (!leader)
		return;
	event.resource = &crds_functionkeys;
	event.regarding =
		(struct kube_ref){.ns = leader->ns, .name = leader->name, .uid = leader->uid};
	kube_event_emit(r->core->events, &event);
}

void agent_replica_tell(struct agent_replica *r, bool warning, const char *reason,
	const char *action, struct str note)
{
	emit(r, (struct kube_event){.type = warning ? KUBE_EVENT_WARNING : KUBE_EVENT_NORMAL,
			.reason = reason,
			.action = action,
			.note = note});
}

void agent_replica_tell_of(struct agent_replica *r, const struct kube_ref *pod, const char *reason,
	const char *action, struct str note)
{
	struct kube_event event = {
		.type = KUBE_EVENT_WARNING, .reason = reason, .action = action, .note = note};

	if (pod) {
		event.related_resource = &crds_pods;
		event.related = *pod;
	}
	emit(r, event);
}
