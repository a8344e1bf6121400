#include "crds/pod.h"

static bool same(struct str a, struct str b)
{
	return a.n > 0 && base_str_eq(a, b);
}

/* "<name>-<hash>", as the controller revisions of a DaemonSet are named. */
static bool is_joined(struct str whole, struct str name, struct str hash)
{
	return whole.n == name.n + 1 + hash.n && base_str_starts(whole, name) &&
	       whole.p[name.n] == '-' && base_str_ends(whole, hash);
}

static bool by_controller_revision(
	const struct crds_pod *pod, const struct crds_functionkey *leader)
{
	const struct str hash = pod->controller_revision_hash;

	if (hash.n == 0)
		return false;
	if (base_str_eq(pod->owner_kind, STR("StatefulSet")))
		return same(hash, leader->owner_name) &&
		       base_str_starts(leader->owner_name, pod->owner_name);
	return base_str_eq(pod->owner_kind, STR("DaemonSet")) &&
	       is_joined(leader->owner_name, pod->owner_name, hash);
}

static bool owner_fits(const struct crds_pod *pod, const struct crds_functionkey *leader)
{
	if (same(pod->owner_uid, leader->owner_uid))
		return true;
	if (base_str_eq(leader->owner_kind, STR("Pod")))
		return pod->owner_uid.n == 0 && same(pod->uid, leader->owner_uid);
	if (base_str_eq(leader->owner_kind, STR("ControllerRevision")))
		return by_controller_revision(pod, leader);
	return base_str_eq(leader->owner_kind, STR("Revision")) &&
	       same(pod->knative_revision, leader->owner_name);
}

int crds_pod_fits(
	const struct crds_pod *pod, const struct crds_functionkey *leader, struct err *err)
{
	if (pod->revision.n && !base_str_eq(pod->revision, leader->revision))
		return FAIL(err, ERR_DENIED, "pod %.*s is labelled as of revision %.*s, not %.*s",
			STR_FMT(pod->name), STR_FMT(pod->revision), STR_FMT(leader->revision));
	if (!owner_fits(pod, leader))
		return FAIL(err, ERR_DENIED,
			"pod %.*s is owned by %.*s %.*s, revision %.*s by %.*s %.*s",
			STR_FMT(pod->name), STR_FMT(pod->owner_kind), STR_FMT(pod->owner_name),
			STR_FMT(leader->revision), STR_FMT(leader->owner_kind),
			STR_FMT(leader->owner_name));
	if (pod->phase == CRDS_POD_SUCCEEDED || pod->phase == CRDS_POD_FAILED)
		return FAIL(err, ERR_DENIED, "pod %.*s has ended", STR_FMT(pod->name));
	return 0;
}

int crds_pod_is(const struct crds_pod *pod, struct str name, struct str uid, struct err *err)
{
	if (!base_str_eq(pod->name, name) || !same(pod->uid, uid))
		return FAIL(err, ERR_DENIED, "pod %.*s has UID %.*s now, the record is of %.*s",
			STR_FMT(pod->name), STR_FMT(pod->uid), STR_FMT(uid));
	return 0;
}

static int derived_name(const struct crds_pod *pod, char *dst, size_t cap, struct err *err)
{
	const struct str hash = pod->controller_revision_hash;
	struct str name = pod->owner_name;

	if (pod->knative_revision.n)
		name = pod->knative_revision;
	else if (base_str_eq(pod->owner_kind, STR("StatefulSet")) && hash.n)
		name = hash;
	else if (base_str_eq(pod->owner_kind, STR("DaemonSet")) && hash.n) {
		const int n =
			snprintf(dst, cap, "%.*s-%.*s", STR_FMT(pod->owner_name), STR_FMT(hash));
		if (n < 0 || (size_t)n >= cap)
			return FAIL(err, ERR_TOO_LARGE, "revision name of pod %.*s",
				STR_FMT(pod->name));
		return 0;
	} else if (pod->owner_uid.n == 0)
		name = pod->name;
	return base_str_copy(name, dst, cap, "revision name", err);
}

int crds_pod_revision(
	const struct crds_pod *pod, char dst[static CRDS_REVISION_MAX + 1], struct err *err)
{
	char name[600];

	if (pod->revision.n)
		return base_str_copy(pod->revision, dst, CRDS_REVISION_MAX + 1,
			"label " CRDS_LABEL_REVISION, err);
	TRY(derived_name(pod, name, sizeof(name), err));
	return crds_revision_key(
		base_str(name), pod->owner_uid.n ? pod->owner_uid : pod->uid, dst, err);
}

int crds_pod_function(const struct crds_pod *pod, char dst[static 64], struct err *err)
{
	struct str name = pod->owner_uid.n ? pod->owner_name : pod->name;

	if (pod->function.n)
		name = pod->function;
	else if (pod->knative_service.n)
		name = pod->knative_service;
	else if (base_str_eq(pod->owner_kind, STR("ReplicaSet")) && pod->pod_template_hash.n &&
		 is_joined(pod->owner_name,
			 base_str_sub(pod->owner_name, 0,
				 pod->owner_name.n > pod->pod_template_hash.n
					 ? pod->owner_name.n - pod->pod_template_hash.n - 1
					 : 0),
			 pod->pod_template_hash))
		name = base_str_sub(
			pod->owner_name, 0, pod->owner_name.n - pod->pod_template_hash.n - 1);
	if (name.n > CRDS_FUNCTION_MAX)
		return crds_function_key(name, dst, err);
	return base_str_copy(name, dst, CRDS_FUNCTION_MAX + 1, "function name", err);
}
