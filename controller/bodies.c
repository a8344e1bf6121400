#include "controller/bodies.h"

#include "crds/endpoint.h"
#include "pkg/base/text.h"
#include "pkg/kube/patch.h"

#define MANAGED_BY "functionkey-controller"

static int write_head(
	struct kube_writer *w, const char *api_version, const char *kind, struct err *err)
{
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_text(w, "apiVersion", base_str(api_version), err));
	return kube_write_key_text(w, "kind", base_str(kind), err);
}

static int write_owner(struct kube_writer *w, const struct controller_owner *owner, struct err *err)
{
	TRY(kube_write_key_list(w, "ownerReferences", err));
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_text(w, "apiVersion", owner->api_version, err));
	TRY(kube_write_key_text(w, "kind", owner->kind, err));
	TRY(kube_write_key_text(w, "name", owner->name, err));
	TRY(kube_write_key_text(w, "uid", owner->uid, err));
	TRY(kube_write_end(w, err));
	return kube_write_end(w, err);
}

/* "<revision>-leader" with our labels; metadata stays open. */
static int write_leader_meta(
	struct kube_writer *w, const struct controller_view *v, struct err *err)
{
	const struct controller_owner owner = {.api_version = STR(CRDS_GROUP "/" CRDS_VERSION),
		.kind = STR("FunctionKey"),
		.name = v->leader->meta.name,
		.uid = v->leader->meta.uid};
	char name[300];

	(void)snprintf(name, sizeof(name), "%.*s-leader", STR_FMT(v->revision));
	TRY(kube_write_key_object(w, "metadata", err));
	TRY(kube_write_key_text(w, "name", base_str(name), err));
	TRY(kube_write_key_text(w, "namespace", v->ns, err));
	TRY(write_owner(w, &owner, err));
	TRY(kube_write_key_object(w, "labels", err));
	TRY(kube_write_key_text(w, CRDS_LABEL_REVISION, v->revision, err));
	return kube_write_key_text(w, "app.kubernetes.io/managed-by", STR(MANAGED_BY), err);
}

static int write_ports(struct kube_writer *w, struct err *err)
{
	TRY(kube_write_key_list(w, "ports", err));
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_text(w, "name", STR("peer"), err));
	TRY(kube_write_key_int(w, "port", CRDS_PEER_PORT, err));
	TRY(kube_write_key_text(w, "protocol", STR("TCP"), err));
	TRY(kube_write_end(w, err));
	return kube_write_end(w, err);
}

int controller_body_record(const struct controller_view *v, struct str function,
	const struct controller_owner *owner, struct buf *b, struct err *err)
{
	const struct crds_functionkey record = {.ns = v->ns,
		.name = v->revision,
		.role = CRDS_LEADER,
		.revision = v->revision,
		.function = function,
		.scheme = STR("umbral-secp256k1"),
		.owner_api_version = owner->api_version,
		.owner_kind = owner->kind,
		.owner_name = owner->name,
		.owner_uid = owner->uid};

	return crds_leader_json(&record, b, err);
}

int controller_body_lease(const struct controller_view *v, const struct controller_owner *owner,
	struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);
	char name[300];

	(void)snprintf(name, sizeof(name), CRDS_LEASE_PREFIX "%.*s", STR_FMT(v->revision));
	TRY(write_head(&w, "coordination.k8s.io/v1", "Lease", err));
	TRY(kube_write_key_object(&w, "metadata", err));
	TRY(kube_write_key_text(&w, "name", base_str(name), err));
	TRY(kube_write_key_text(&w, "namespace", v->ns, err));
	TRY(kube_write_key_object(&w, "labels", err));
	TRY(kube_write_key_text(&w, CRDS_LABEL_REVISION, v->revision, err));
	TRY(kube_write_key_text(&w, "app.kubernetes.io/managed-by", STR(MANAGED_BY), err));
	TRY(kube_write_end(&w, err));
	TRY(write_owner(&w, owner, err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_key_object(&w, "spec", err));
	TRY(kube_write_key_int(&w, "leaseDurationSeconds", 30, err));
	TRY(kube_write_key_int(&w, "leaseTransitions", 0, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

int controller_body_owner(
	const struct controller_owner *owner, struct str rv, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_object(&w, "metadata", err));
	TRY(kube_write_key_text(&w, "resourceVersion", rv, err));
	TRY(write_owner(&w, owner, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

int controller_body_leaving(struct str pod_uid, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_object(&w, "metadata", err));
	TRY(kube_write_key_object(&w, "annotations", err));
	TRY(kube_write_key_text(&w, CRDS_LEAVING_NOTE, pod_uid, err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

static int write_condition(const struct controller_view *v, const struct controller_plan *plan,
	enum controller_condition c, struct kube_writer *w, struct err *err)
{
	static const char *const statuses[] = {"Unknown", "True", "False"};
	const struct controller_condition_state *was = &v->leader->conditions[c];
	const bool same = was->set && was->status == plan->conditions[c].status && was->since_ns;
	char since[BASE_TIME_LEN];

	base_time_format(same ? was->since_ns : v->wall_ns, since);
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_text(w, "type", base_str(controller_condition_name(c)), err));
	TRY(kube_write_key_text(w, "status", base_str(statuses[plan->conditions[c].status]), err));
	TRY(kube_write_key_text(w, "reason", base_str(plan->conditions[c].reason), err));
	TRY(kube_write_key_text(w, "message", base_str(plan->conditions[c].message), err));
	TRY(kube_write_key_text(w, "lastTransitionTime", base_str(since), err));
	TRY(kube_write_key_int(w, "observedGeneration", v->leader->generation, err));
	return kube_write_end(w, err);
}

int controller_body_status(const struct controller_view *v, const struct controller_plan *plan,
	struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);
	char summary[48];

	(void)snprintf(summary, sizeof(summary), "%lld/%lld", (long long)plan->members_ready,
		(long long)plan->members_total);
	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_object(&w, "status", err));
	TRY(kube_write_key_int(&w, "observedGeneration", v->leader->generation, err));
	if (v->leader->active_epoch)
		TRY(kube_write_key_int(&w, "observedEpoch", v->leader->active_epoch, err));
	TRY(kube_write_key_object(&w, "members", err));
	TRY(kube_write_key_int(&w, "total", plan->members_total, err));
	TRY(kube_write_key_int(&w, "ready", plan->members_ready, err));
	TRY(kube_write_key_text(&w, "summary", base_str(summary), err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_key_list(&w, "conditions", err));
	for (unsigned c = 0; c < CONTROLLER_CONDITION_COUNT; c++)
		TRY(write_condition(v, plan, (enum controller_condition)c, &w, err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

int controller_body_service(const struct controller_view *v, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	TRY(write_head(&w, "v1", "Service", err));
	TRY(write_leader_meta(&w, v, err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_key_object(&w, "spec", err));
	TRY(kube_write_key_text(&w, "clusterIP", STR("None"), err));
	TRY(write_ports(&w, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

static int write_slice_notes(
	const struct controller_view *v, bool empty, struct kube_writer *w, struct err *err)
{
	char fingerprint[33];
	char service[300];

	base_hex(v->leader->active_fingerprint.b, sizeof(v->leader->active_fingerprint.b),
		fingerprint);
	(void)snprintf(service, sizeof(service), "%.*s-leader", STR_FMT(v->revision));
	TRY(kube_write_key_text(w, "kubernetes.io/service-name", base_str(service), err));
	TRY(kube_write_key_text(w, "endpointslice.kubernetes.io/managed-by", STR(MANAGED_BY), err));
	TRY(kube_write_end(w, err));
	TRY(kube_write_key_object(w, "annotations", err));
	TRY(kube_write_key_text(
		w, CRDS_FINGERPRINT_NOTE, empty ? STR_NULL : base_str(fingerprint), err));
	TRY(kube_write_key_text(
		w, "functionkey.dev/endpoint", empty ? STR_NULL : v->leader->endpoint, err));
	TRY(kube_write_end(w, err));
	return kube_write_end(w, err);
}

static int write_endpoint(const struct controller_view *v, struct kube_writer *w, struct err *err)
{
	struct str address = STR_NULL;
	uint16_t port = 0; /* the Service's is the same for all */

	TRY(crds_endpoint_split(v->leader->endpoint, &address, &port, err));
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_list(w, "addresses", err));
	TRY(kube_write_text(w, address, err));
	TRY(kube_write_end(w, err));
	TRY(kube_write_key_object(w, "conditions", err));
	TRY(kube_write_key_bool(w, "ready", true, err));
	TRY(kube_write_end(w, err));
	TRY(kube_write_key_object(w, "targetRef", err));
	TRY(kube_write_key_text(w, "kind", STR("Pod"), err));
	TRY(kube_write_key_text(w, "namespace", v->ns, err));
	TRY(kube_write_key_text(w, "name", v->leader->leader_pod, err));
	TRY(kube_write_key_text(w, "uid", v->leader->leader_uid, err));
	TRY(kube_write_end(w, err));
	return kube_write_end(w, err);
}

int controller_body_slice(
	const struct controller_view *v, bool empty, struct buf *b, struct err *err)
{
	/* What is emptied stays of its family, which cannot be changed: no matter what the record
	 * says by now. */
	const struct str address = empty && v->slice ? v->slice->address : v->leader->endpoint;
	const bool six = base_str_starts(address, STR("["));
	struct kube_writer w = kube_writer(b);

	TRY(write_head(&w, "discovery.k8s.io/v1", "EndpointSlice", err));
	TRY(write_leader_meta(&w, v, err));
	TRY(write_slice_notes(v, empty, &w, err));
	TRY(kube_write_key_text(&w, "addressType", six ? STR("IPv6") : STR("IPv4"), err));
	TRY(kube_write_key_list(&w, "endpoints", err));
	if (!empty)
		TRY(write_endpoint(v, &w, err));
	TRY(kube_write_end(&w, err));
	TRY(write_ports(&w, err));
	return kube_write_end(&w, err);
}

static int write_subjects(struct kube_writer *w, struct str groups, struct err *err)
{
	TRY(kube_write_key_list(w, "subjects", err));
	for (size_t at = 0; at < groups.n;) {
		const size_t end = base_str_find(groups, ' ', at);
		TRY(kube_write_object(w, err));
		TRY(kube_write_key_text(w, "apiGroup", STR("rbac.authorization.k8s.io"), err));
		TRY(kube_write_key_text(w, "kind", STR("Group"), err));
		TRY(kube_write_key_text(w, "name", base_str_sub(groups, at, end), err));
		TRY(kube_write_end(w, err));
		at = end + 1;
	}
	return kube_write_end(w, err);
}

int controller_body_rolebinding(struct str ns, struct str name, struct str role, struct str groups,
	const struct controller_owner *owner, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	TRY(write_head(&w, "rbac.authorization.k8s.io/v1", "RoleBinding", err));
	TRY(kube_write_key_object(&w, "metadata", err));
	TRY(kube_write_key_text(&w, "name", name, err));
	TRY(kube_write_key_text(&w, "namespace", ns, err));
	if (owner)
		TRY(write_owner(&w, owner, err));
	TRY(kube_write_key_object(&w, "labels", err));
	TRY(kube_write_key_text(&w, "app.kubernetes.io/managed-by", STR(MANAGED_BY), err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_key_object(&w, "annotations", err));
	TRY(kube_write_key_text(&w, "functionkey.dev/subjects", groups, err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_key_object(&w, "roleRef", err));
	TRY(kube_write_key_text(&w, "apiGroup", STR("rbac.authorization.k8s.io"), err));
	TRY(kube_write_key_text(&w, "kind", STR("ClusterRole"), err));
	TRY(kube_write_key_text(&w, "name", role, err));
	TRY(kube_write_end(&w, err));
	TRY(write_subjects(&w, groups, err));
	return kube_write_end(&w, err);
}
