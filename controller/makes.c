/* The acts that take more than one request: creating a revision's record and Lease, or giving them
 * an owner again, after looking at who owns its pods; and emptying a dead holder's Lease after a
 * last look. Beside the last one, telling a holder that leaves. */
#include "controller/owners.h"
#include "controller/runner_internal.h"

#include "pkg/base/log.h"

/* -- emptying a Lease -- */

static void emptied(void *ctx, const struct err *err)
{
	struct controller_job *job = ctx;
	char leadership[CRDS_LEADERSHIP_MAX];

	if (!err) {
		job->r->stats.releases[job->evidence]++;
		log_write(job->r->core->log, LOG_INFO, "released the lease of a dead leader",
			LOG_STR("leadership",
				controller_leadership(base_str(job->key), job->term, leadership)),
			LOG_STR("holder", base_str(job->holder)),
			LOG_STR("evidence", base_str(controller_evidence_name(job->evidence))));
	}
	/* Somebody else holds it now: that is what this was for. */
	controller_job_end(
		job, err && err->class != ERR_CONFLICT && err->class != ERR_NOT_FOUND ? err : NULL);
}

static int empty_lease(struct controller_job *job, struct err *err)
{
	const struct str key = base_str(job->key);
	const size_t slash = base_str_find(key, '/', 0);
	const struct str revision = base_str_sub(key, slash + 1, key.n);
	char name[300];

	(void)snprintf(name, sizeof(name), CRDS_LEASE_PREFIX "%.*s", STR_FMT(revision));
	const struct kube_lease_dead dead = {
		.lease = {.ns = base_str_sub(key, 0, slash), .name = base_str(name)},
		.holder = base_str(job->holder),
		.field_manager = CONTROLLER_FIELD_MANAGER,
		.may_patch = true,
	};
	return kube_lease_empty(job->r->core->client, &dead, emptied, job, NULL, err);
}

static void pod_looked_up(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct controller_job *job = ctx;
	_cleanup_(crds_pod_free) struct crds_pod *pod = NULL;
	struct err why = {0};

	if (err && err->class != ERR_NOT_FOUND) {
		controller_job_end(job, err);
		return;
	}
	if (!err && crds_pod_decode(resp->body, &pod, &why) < 0) {
		controller_job_end(job, &why);
		return;
	}
	if (pod && base_str_eq(pod->uid, base_str(job->pod_uid)) && pod->phase != CRDS_POD_FAILED &&
		pod->phase != CRDS_POD_SUCCEEDED) {
		/* It lives: its opt-in label was taken away, or the cache is behind. */
		controller_job_end(job, NULL);
		return;
	}
	if (empty_lease(job, &why) < 0)
		controller_job_end(job, &why);
}

int controller_start_release(struct controller_job *job, const struct controller_view *v,
	const struct controller_plan *plan, struct err *err)
{
	struct str pod = STR_NULL;
	struct str uid = STR_NULL;
	char note[160];

	TRY(base_str_copy(v->lease->holder, job->holder, sizeof(job->holder), "holder", err));
	job->evidence = plan->evidence;
	job->term = v->leader ? v->leader->term : 0;
	job->state->released_ns = v->boot_ns;
	job->state->releases++;
	if (!controller_holder_parse(base_str(job->holder), &pod, &uid))
		return 0;
	const int n = snprintf(note, sizeof(note), "released the Lease of %.*s: %s", STR_FMT(pod),
		controller_evidence_name(plan->evidence));
	controller_tell_of_pod(job->r, v, (struct kube_ref){.ns = v->ns, .name = pod, .uid = uid},
		"LeaderDead", "Release",
		base_str_n(note, n > 0 && (size_t)n < sizeof(note) ? (size_t)n : 0));
	if (!plan->confirm_gone) {
		TRY(empty_lease(job, err));
		return 1;
	}
	TRY(base_str_copy(pod, job->pod, sizeof(job->pod), "pod", err));
	TRY(base_str_copy(uid, job->pod_uid, sizeof(job->pod_uid), "uid", err));
	const struct kube_request request = {.verb = KUBE_GET,
		.resource = &crds_pods,
		.ns = v->ns,
		.name = base_str(job->pod),
		.max_body = CRDS_POD_MAX};
	TRY(kube_start(job->r->core->client, &request, pod_looked_up, job, NULL, err));
	return 1;
}

/* -- telling a leader that leaves -- */

/* By the one object that the leader watches and that is ours. */
int controller_start_seeing_off(struct controller_job *job, const struct controller_view *v,
	const struct controller_plan *plan, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);

	TRY(controller_body_leaving(plan->leaving_uid, &b, err));
	const struct kube_request request = {.verb = KUBE_PATCH_MERGE,
		.resource = &controller_leases,
		.ns = v->ns,
		.name = v->lease->meta.name,
		.body = base_buf_str(&b),
		.field_manager = CONTROLLER_FIELD_MANAGER};
	TRY(controller_job_write(job, &request, err));
	job->state->told_ns = v->boot_ns;
	job->undo_ns = &job->state->told_ns;
	log_write(job->r->core->log, LOG_INFO, "tells a leader that its pod is being deleted",
		LOG_STR("key", base_str(job->key)), LOG_STR("holder", v->lease->holder));
	return 1;
}

/* -- creating -- */

static struct controller_view job_view(const struct controller_job *job)
{
	const struct str key = base_str(job->key);

	return (struct controller_view){.ns = controller_job_ns(job),
		.revision = base_str_sub(key, base_str_find(key, '/', 0) + 1, key.n)};
}

static int create_next(struct controller_job *job, struct err *err);

static void created(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct controller_job *job = ctx;
	struct err why = {0};

	(void)resp;
	job->r->stats.writes++;
	if (err && err->class != ERR_EXISTS) {
		controller_job_end(job, err);
		return;
	}
	const int r = create_next(job, &why);
	if (r < 0)
		controller_job_end(job, &why);
	else if (r == 0)
		controller_job_end(job, NULL);
}

static int adopt(struct controller_job *job, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);
	const struct str key = base_str(job->key);

	TRY(controller_body_owner(&job->owner, base_str(job->orphan_rv), &b, err));
	const struct kube_request request = {.verb = KUBE_PATCH_MERGE,
		.resource = job->adopt == CONTROLLER_ORPHAN_LEASE ? &controller_leases
								  : &crds_functionkeys,
		.ns = base_str_sub(key, 0, base_str_find(key, '/', 0)),
		.name = base_str(job->orphan),
		.body = base_buf_str(&b),
		.field_manager = CONTROLLER_FIELD_MANAGER};
	log_write(job->r->core->log, LOG_INFO, "gave an orphan an owner",
		LOG_STR("key", base_str(job->key)), LOG_STR("orphan", base_str(job->orphan)),
		LOG_STR("kind", job->owner.kind), LOG_STR("owner", job->owner.name));
	TRY(controller_job_write(job, &request, err));
	return 1;
}

/* The record first: agents wait for it; the Lease is what they then contend for. */
static int create_next(struct controller_job *job, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);
	const struct controller_view v = job_view(job);
	const bool record = job->create_record;

	if (job->adopt != CONTROLLER_NO_ORPHAN)
		return adopt(job, err);
	if (!record && !job->create_lease)
		return 0;
	if (record)
		TRY(controller_body_record(&v, base_str(job->function), &job->owner, &b, err));
	else
		TRY(controller_body_lease(&v, &job->owner, &b, err));
	job->create_record = false;
	job->create_lease = record && job->create_lease;
	const struct kube_request request = {.verb = KUBE_CREATE,
		.resource = record ? &crds_functionkeys : &controller_leases,
		.ns = v.ns,
		.body = base_buf_str(&b),
		.field_manager = CONTROLLER_FIELD_MANAGER};
	TRY(kube_start(job->r->core->client, &request, created, job, NULL, err));
	return 1;
}

/* Its template is none of our business. */
#define METADATA_ALONE "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
/* The owner is there, and is the one that the pod names: a Leader record decides who receives a
 * function's messages, so it hangs on nothing that was made up. */
static void owner_looked_up(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct controller_job *job = ctx;
	struct err why = {0};
	void *object = NULL;
	int r = 0;

	if (err) {
		controller_job_end(job, err);
		return;
	}
	if (kube_kind_decode(&controller_meta_kind, resp->body, &object, &why) < 0) {
		controller_job_end(job, &why);
		return;
	}
	const struct kube_meta *meta = object;
	if (job->owner.uid.n && !base_str_eq(meta->uid, job->owner.uid))
		r = FAIL(&why, ERR_DENIED, "%.*s %.*s has UID %.*s now, its pod names %.*s",
			STR_FMT(job->owner.kind), STR_FMT(job->owner.name), STR_FMT(meta->uid),
			STR_FMT(job->owner.uid));
	else
		r = base_str_copy(meta->uid, job->texts[3], sizeof(job->texts[3]), "uid", &why);
	kube_kind_free(&controller_meta_kind, object);
	if (r == 0) {
		job->owner.uid = base_str(job->texts[3]);
		r = create_next(job, &why);
	}
	if (r < 0)
		controller_job_end(job, &why);
	else if (r == 0)
		controller_job_end(job, NULL);
}

static int own(struct controller_job *job, const struct controller_owner *owner, struct err *err)
{
	const struct str texts[] = {owner->api_version, owner->kind, owner->name, owner->uid};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		TRY(base_str_copy(texts[i], job->texts[i], sizeof(job->texts[i]), "owner", err));
	job->owner = (struct controller_owner){.api_version = base_str(job->texts[0]),
		.kind = base_str(job->texts[1]),
		.name = base_str(job->texts[2]),
		.uid = base_str(job->texts[3])};
	return 0;
}

/* Looks at who owns a pod, then creates or adopts. */
static int begin_with_owner(struct controller_job *job, const struct controller_view *v,
	const struct crds_pod *pod, struct err *err)
{
	const struct kube_resource *resource = NULL;
	char name[CONTROLLER_OWNER_NAME];
	const struct controller_owner owner = controller_owner_of(pod, name, &resource);

	TRY(own(job, &owner, err));
	if (!resource)
		return create_next(job, err);
	const struct kube_request request = {.verb = KUBE_GET,
		.resource = resource,
		.ns = v->ns,
		.name = job->owner.name,
		.accept = METADATA_ALONE};
	TRY(kube_start(job->r->core->client, &request, owner_looked_up, job, NULL, err));
	return 1;
}

int controller_start_create(struct controller_job *job, const struct controller_view *v,
	const struct controller_plan *plan, struct err *err)
{
	job->create_record = plan->create_record;
	job->create_lease = plan->create_lease;
	job->state->made_ns = v->boot_ns;
	TRY(crds_pod_function(plan->create_for, job->function, err));
	return begin_with_owner(job, v, plan->create_for, err);
}

int controller_start_adopt(struct controller_job *job, const struct controller_view *v,
	const struct controller_plan *plan, struct err *err)
{
	const struct kube_meta *meta = &plan->adopt_meta;

	job->adopt = plan->orphan;
	TRY(base_str_copy(meta->name, job->orphan, sizeof(job->orphan), "name", err));
	TRY(base_str_copy(meta->rv, job->orphan_rv, sizeof(job->orphan_rv), "version", err));
	if (plan->orphan != CONTROLLER_ORPHAN_MEMBER && plan->create_for)
		return begin_with_owner(job, v, plan->create_for, err);
	const struct controller_owner owner = {
		STR("v1"), STR("Pod"), plan->adopt_by.name, plan->adopt_by.uid};
	TRY(own(job, &owner, err));
	return adopt(job, err);
}
