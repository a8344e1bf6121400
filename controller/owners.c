#include "controller/owners.h"

#include "controller/objects.h"

#include <stdio.h>

static bool is(const struct crds_pod *pod, const char *kind)
{
	return base_str_eq(pod->owner_kind, base_str(kind));
}

static struct controller_owner revision_of(
	const struct crds_pod *pod, char dst[static CONTROLLER_OWNER_NAME])
{
	struct controller_owner o = {
		STR("apps/v1"), STR("ControllerRevision"), pod->controller_revision_hash, STR_NULL};

	if (is(pod, "StatefulSet"))
		return o;
	(void)snprintf(dst, CONTROLLER_OWNER_NAME, "%.*s-%.*s", STR_FMT(pod->owner_name),
		STR_FMT(pod->controller_revision_hash));
	o.name = base_str(dst);
	return o;
}

struct controller_owner controller_owner_of(const struct crds_pod *pod,
	char dst[static CONTROLLER_OWNER_NAME], const struct kube_resource **ret_resource)
{
	*ret_resource = NULL;
	if (pod->owner_uid.n == 0)
		return (struct controller_owner){STR("v1"), STR("Pod"), pod->name, pod->uid};
	if (pod->controller_revision_hash.n && (is(pod, "StatefulSet") || is(pod, "DaemonSet"))) {
		*ret_resource = &controller_controllerrevisions;
		return revision_of(pod, dst);
	}
	if (is(pod, "ReplicaSet") && pod->knative_revision.n) {
		*ret_resource = &controller_knative_revisions;
		return (struct controller_owner){STR("serving.knative.dev/v1"), STR("Revision"),
			pod->knative_revision, STR_NULL};
	}
	if (is(pod, "ReplicaSet"))
		*ret_resource = &controller_replicasets;
	else if (is(pod, "Job"))
		*ret_resource = &controller_jobs;
	return (struct controller_owner){
		pod->owner_api_version, pod->owner_kind, pod->owner_name, pod->owner_uid};
}
