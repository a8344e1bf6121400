/* Who may read and write in a namespace: RoleBindings while it is opted in, none else. Agents run
 * as the service accounts of their pods; senders of other namespaces are named by the recipient's
 * annotation functionkey.dev/senders ("ns1,ns2" or "*"). */
#include "controller/runner_internal.h"

#define AGENT_BINDING  "functionkey-agent"
#define READER_BINDING "functionkey-senders"
#define GROUP_PREFIX   "system:serviceaccounts:"

/* "system:serviceaccounts:ns1 system:serviceaccounts:ns2"; entries that are no namespace names are
 * left out: what a user mistypes must not bind anybody else. */
static int groups_of(struct str senders, struct buf *b, struct err *err)
{
	for (size_t at = 0; at < senders.n;) {
		const size_t end = base_str_find(senders, ',', at);
		const struct str ns = base_str_trim(base_str_sub(senders, at, end));
		bool good = ns.n > 0 && ns.n <= 63;
		for (size_t i = 0; i < ns.n; i++)
			good = good &&
			       ((ns.p[i] >= 'a' && ns.p[i] <= 'z') ||
				       (ns.p[i] >= '0' && ns.p[i] <= '9') || ns.p[i] == '-');
		if (base_str_eq(ns, STR("*")))
			TRY(base_buf_addf(b, err, "%ssystem:serviceaccounts", b->len ? " " : ""));
		else if (good)
			TRY(base_buf_addf(
				b, err, "%s" GROUP_PREFIX "%.*s", b->len ? " " : "", STR_FMT(ns)));
		at = end + 1;
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
	_cleanup_(base_buf_done) struct buf senders = base_buf(CONTROLLER_BODY_MAX);
	const struct controller_namespace *space = controller_world_namespace(job->r->world, ns);
	char group[100] = "";

	if (space && space->deleting)
		return 0;
	if (space) {
		(void)snprintf(group, sizeof(group), GROUP_PREFIX "%.*s", STR_FMT(ns));
		TRY(groups_of(space->senders, &senders, err));
	}
	const int r =
		ensure_binding(job, ns, AGENT_BINDING, "functionkey-agent", base_str(group), err);
	if (r != 0)
		return r;
	return ensure_binding(
		job, ns, READER_BINDING, "functionkey-reader", base_buf_str(&senders), err);
}
