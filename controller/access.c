/* Who may read and write in a namespace: RoleBindings while it is opted in, none else. Agents run
 * as the service accounts of their pods; senders of other namespaces are named by the recipient's
 * annotation functionkey.dev/senders ("ns1,ns2" or "*"). */
#include "controller/access.h"
#include "controller/runner_internal.h"

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

/* 1: a write was started; 0: it is as it should be. */
static int ensure_binding(struct controller_job *job, struct str ns, const char *name,
	const char *role, struct str groups, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);
	const struct controller_owned *is =
		controller_world_rolebinding(job->r->world, ns, base_str(name));
	struct kube_request request = {.resource = &controller_rolebindings,
		.ns = ns,
		.name = base_str(name),
		.field_manager = CONTROLLER_FIELD_MANAGER,
		.force = true};

	if (groups.n == 0 && !is)
		return 0;
	if (groups.n && is && base_str_eq(is->subjects, groups))
		return 0;
	if (groups.n) {
		request.verb = KUBE_APPLY;
		TRY(controller_body_rolebinding(
			ns, base_str(name), base_str(role), groups, &b, err));
	} else {
		request.verb = KUBE_DELETE;
		TRY(kube_delete_options_add(&b, is->meta.uid, STR_NULL, NULL, err));
	}
	request.body = base_buf_str(&b);
	TRY(controller_job_write(job, &request, err));
	return 1;
}

int controller_start_access(struct controller_job *job, struct str ns, struct err *err)
{
	_cleanup_(base_buf_done) struct buf senders = base_buf(CONTROLLER_GROUPS_MAX);
	const struct controller_namespace *space = controller_world_namespace(job->r->world, ns);
	char group[100] = "";

	if (space && space->deleting)
		return 0;
	if (space)
		(void)snprintf(group, sizeof(group), ALL_GROUP ":%.*s", STR_FMT(ns));
	const int r =
		ensure_binding(job, ns, AGENT_BINDING, "functionkey-agent", base_str(group), err);
	if (r != 0)
		return r;
	/* Afterwards: an annotation that is refused must not cost the agents their rights. */
	if (space)
		TRY(controller_access_groups(space->senders, &senders, err));
	return ensure_binding(
		job, ns, READER_BINDING, "functionkey-reader", base_buf_str(&senders), err);
}
