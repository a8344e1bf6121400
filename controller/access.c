/* Who may read and write in a namespace: RoleBindings while it is opted in, none else. Agents run
 * as the service accounts of their pods; senders of other namespaces are named by the recipient's
 * annotation functionkey.dev/senders ("ns1,ns2" or "*"). All of them belong to the agents'
 * ClusterRole: the garbage collector takes them when FunctionKey is uninstalled, by whatever way.
 */
#include "controller/access.h"
#include "controller/runner_internal.h"

#define AGENT_ROLE     "functionkey-agent"
#define AGENT_BINDING  "functionkey-agent"
#define READER_BINDING "functionkey-senders"
#define ALL_GROUP      "system:serviceaccounts"

static bool is_namespace(struct str name)
{
	if (name.n == 0 || name.n > 63 || name.p[0] == '-' || name.p[name.n - 1] == '-')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!(name.p[i] >= 'a' && name.p[i] <= 'z') &&
			!(name.p[i] >= '0' && name.p[i] <= '9') && name.p[i] != '-')
			return false;
	return true;
}

int controller_access_groups(struct str senders, struct buf *b, struct err *err)
{
	const size_t from = b->len;
	unsigned n = 0;

	for (size_t at = 0; at < senders.n;) {
		const size_t end = base_str_find(senders, ',', at);
		const struct str ns = base_str_trim(base_str_sub(senders, at, end));
		at = end + 1;
		if (base_str_eq(ns, STR("*"))) {
			b->len = from;
			return base_buf_add_str(b, STR(ALL_GROUP), err);
		}
		if (!is_namespace(ns))
			continue;
		if (n == CONTROLLER_SENDERS_MAX)
			return FAIL(err, ERR_TOO_LARGE,
				"functionkey.dev/senders names more than %d namespaces",
				CONTROLLER_SENDERS_MAX);
		TRY(base_buf_addf(b, err, "%s" ALL_GROUP ":%.*s", n++ ? " " : "", STR_FMT(ns)));
	}
	return 0;
}

enum controller_access controller_access_step(const struct controller_owned *is, struct str groups)
{
	if (groups.n == 0)
		return is ? CONTROLLER_ACCESS_UNBIND : CONTROLLER_ACCESS_FINE;
	return is && is->owners > 0 && base_str_eq(is->subjects, groups) ? CONTROLLER_ACCESS_FINE
									 : CONTROLLER_ACCESS_BIND;
}

static int step(struct controller_job *job, const struct str *role_uid, struct err *err);

static void role_looked_up(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct controller_job *job = ctx;
	struct err why = {0};
	void *object = NULL;
	int r = 0;

	/* Not even we may read it, as by the roles of an older version: agents come first. */
	if (err && err->class == ERR_DENIED) {
		r = step(job, &(struct str){0}, &why);
	} else if (err) {
		/* No role: somebody uninstalls, or will install. */
		controller_job_end(job, err);
		return;
	} else {
		r = kube_kind_decode(&controller_meta_kind, resp->body, &object, &why);
		if (r == 0) {
			r = step(job, &((const struct kube_meta *)object)->uid, &why);
			kube_kind_free(&controller_meta_kind, object);
		}
	}
	if (r < 0)
		controller_job_end(job, &why);
	else if (r == 0)
		controller_job_end(job, NULL);
}

static int look_up_role(struct controller_job *job, struct err *err)
{
	const struct kube_request request = {
		.verb = KUBE_GET, .resource = &controller_clusterroles, .name = STR(AGENT_ROLE)};

	TRY(kube_start(job->r->core->client, &request, role_looked_up, job, NULL, err));
	return 1;
}

static int bind_role(struct controller_job *job, struct kube_request *request, const char *role,
	struct str groups, struct str role_uid, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);
	const struct controller_owner owner = {
		STR("rbac.authorization.k8s.io/v1"), STR("ClusterRole"), STR(AGENT_ROLE), role_uid};

	TRY(controller_body_rolebinding(request->ns, request->name, base_str(role), groups,
		role_uid.n ? &owner : NULL, &b, err));
	request->verb = KUBE_APPLY;
	request->force = true;
	request->body = base_buf_str(&b);
	TRY(controller_job_write(job, request, err));
	return 1;
}

static int unbind_role(struct controller_job *job, struct kube_request *request,
	const struct controller_owned *is, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);

	TRY(kube_delete_options_add(&b, is->meta.uid, STR_NULL, NULL, err));
	request->verb = KUBE_DELETE;
	request->body = base_buf_str(&b);
	TRY(controller_job_write(job, request, err));
	return 1;
}

/* 1: a request was started; 0: it is as it should be. role_uid is NULL until it was asked for, and
 * empty where it cannot be known. */
static int ensure_binding(struct controller_job *job, const char *name, const char *role,
	struct str groups, const struct str *role_uid, struct err *err)
{
	const struct str ns = controller_job_ns(job);
	const struct controller_owned *is =
		controller_world_rolebinding(job->r->world, ns, base_str(name));
	struct kube_request request = {.resource = &controller_rolebindings,
		.ns = ns,
		.name = base_str(name),
		.field_manager = CONTROLLER_FIELD_MANAGER};

	const enum controller_access need = controller_access_step(is, groups);

	if (need == CONTROLLER_ACCESS_FINE)
		return 0;
	if (need == CONTROLLER_ACCESS_UNBIND)
		return unbind_role(job, &request, is, err);
	if (!role_uid)
		return look_up_role(job, err);
	if (!role_uid->n && is && base_str_eq(is->subjects, groups))
		return 0; /* but for the owner */
	return bind_role(job, &request, role, groups, *role_uid, err);
}

static int step(struct controller_job *job, const struct str *role_uid, struct err *err)
{
	_cleanup_(base_buf_done) struct buf senders = base_buf(CONTROLLER_GROUPS_MAX);
	const struct str ns = controller_job_ns(job);
	const struct controller_namespace *space = controller_world_namespace(job->r->world, ns);
	char group[100] = "";

	if (space && space->deleting)
		return 0;
	if (space)
		(void)snprintf(group, sizeof(group), ALL_GROUP ":%.*s", STR_FMT(ns));
	const int r =
		ensure_binding(job, AGENT_BINDING, AGENT_ROLE, base_str(group), role_uid, err);
	if (r != 0)
		return r;
	/* Afterwards: an annotation that is refused must not cost the agents their rights. */
	if (space)
		TRY(controller_access_groups(space->senders, &senders, err));
	return ensure_binding(
		job, READER_BINDING, "functionkey-reader", base_buf_str(&senders), role_uid, err);
}

int controller_start_access(struct controller_job *job, struct err *err)
{
	return step(job, NULL, err);
}
