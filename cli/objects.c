#include "cli/objects.h"

#include "pkg/base/cleanup.h"

#define FIELDS(type, rows)                            \
	{                                             \
		(rows), ARRAY_LEN(rows), sizeof(type) \
	}
#define TEXT_MAX 65536

const struct kube_resource cli_versions = {
	.group = "", .version = "", .plural = "version", .kind = "Info", .path = "/version"};
const struct kube_resource cli_definitions = {.group = "apiextensions.k8s.io",
	.version = "v1",
	.plural = "customresourcedefinitions",
	.kind = "CustomResourceDefinition"};
const struct kube_resource cli_policies = {.group = "admissionregistration.k8s.io",
	.version = "v1",
	.plural = "validatingadmissionpolicies",
	.kind = "ValidatingAdmissionPolicy"};
const struct kube_resource cli_bindings = {.group = "admissionregistration.k8s.io",
	.version = "v1",
	.plural = "validatingadmissionpolicybindings",
	.kind = "ValidatingAdmissionPolicyBinding"};
const struct kube_resource cli_mutations = {.group = "admissionregistration.k8s.io",
	.version = "v1",
	.plural = "mutatingadmissionpolicies",
	.kind = "MutatingAdmissionPolicy"};
const struct kube_resource cli_mutation_bindings = {.group = "admissionregistration.k8s.io",
	.version = "v1",
	.plural = "mutatingadmissionpolicybindings",
	.kind = "MutatingAdmissionPolicyBinding"};
const struct kube_resource cli_webhooks = {.group = "admissionregistration.k8s.io",
	.version = "v1",
	.plural = "mutatingwebhookconfigurations",
	.kind = "MutatingWebhookConfiguration"};
const struct kube_resource cli_deployments = {.group = "apps",
	.version = "v1",
	.plural = "deployments",
	.kind = "Deployment",
	.namespaced = true};
const struct kube_resource cli_leases = {.group = "coordination.k8s.io",
	.version = "v1",
	.plural = "leases",
	.kind = "Lease",
	.namespaced = true};
const struct kube_resource cli_namespaces = {
	.group = "", .version = "v1", .plural = "namespaces", .kind = "Namespace"};
const struct kube_resource cli_pod_templates = {.group = "",
	.version = "v1",
	.plural = "podtemplates",
	.kind = "PodTemplate",
	.namespaced = true};
const struct kube_resource cli_role_bindings = {.group = "rbac.authorization.k8s.io",
	.version = "v1",
	.plural = "rolebindings",
	.kind = "RoleBinding",
	.namespaced = true};
const struct kube_resource cli_flow_schemas = {.group = "flowcontrol.apiserver.k8s.io",
	.version = "v1",
	.plural = "flowschemas",
	.kind = "FlowSchema"};
const struct kube_resource cli_events = {
	.group = "", .version = "v1", .plural = "events", .kind = "Event", .namespaced = true};
const struct kube_resource cli_access_reviews = {.group = "authorization.k8s.io",
	.version = "v1",
	.plural = "selfsubjectaccessreviews",
	.kind = "SelfSubjectAccessReview"};

static const struct kube_field any_rows[] = {
	{"/metadata/uid", KUBE_FIELD_TEXT, 128, offsetof(struct cli_any, uid)},
};
const struct kube_projection cli_any_fields = FIELDS(struct cli_any, any_rows);

static const struct kube_field version_rows[] = {
	{"/gitVersion", KUBE_FIELD_TEXT, 128, offsetof(struct cli_version, text)},
	{"/major", KUBE_FIELD_TEXT, 16, offsetof(struct cli_version, major)},
	{"/minor", KUBE_FIELD_TEXT, 16, offsetof(struct cli_version, minor)},
};
const struct kube_projection cli_version_fields = FIELDS(struct cli_version, version_rows);

static const struct kube_field served_rows[] = {
	{"/name", KUBE_FIELD_TEXT, 64, offsetof(struct cli_named, name)},
	{"/served", KUBE_FIELD_BOOL, 0, offsetof(struct cli_named, served)},
};
static const struct kube_projection served_fields = FIELDS(struct cli_named, served_rows);
static const struct kube_field condition_rows[] = {
	{"/type", KUBE_FIELD_TEXT, 316, offsetof(struct cli_named, name)},
	{"/status", KUBE_FIELD_TEXT, 16, offsetof(struct cli_named, status)},
	{"/reason", KUBE_FIELD_TEXT, 1024, offsetof(struct cli_named, reason)},
	{"/message", KUBE_FIELD_TEXT, TEXT_MAX, offsetof(struct cli_named, message)},
};
static const struct kube_projection condition_fields = FIELDS(struct cli_named, condition_rows);

static const struct kube_field definition_rows[] = {
	{"/spec/versions", KUBE_FIELD_LIST, 32, offsetof(struct cli_definition, versions),
		&served_fields},
	{"/status/conditions", KUBE_FIELD_LIST, 32, offsetof(struct cli_definition, conditions),
		&condition_fields},
};
const struct kube_projection cli_definition_fields = FIELDS(struct cli_definition, definition_rows);

static const struct kube_field policy_rows[] = {
	{"/status/typeChecking/expressionWarnings", KUBE_FIELD_COUNT, 0,
		offsetof(struct cli_policy, warnings)},
};
const struct kube_projection cli_policy_fields = FIELDS(struct cli_policy, policy_rows);

static const struct kube_field binding_rows[] = {
	{"/spec/policyName", KUBE_FIELD_TEXT, 253, offsetof(struct cli_binding, policy)},
	{"/spec/validationActions", KUBE_FIELD_TEXTS, 8, offsetof(struct cli_binding, actions)},
};
const struct kube_projection cli_binding_fields = FIELDS(struct cli_binding, binding_rows);

static const struct kube_field deployment_rows[] = {
	{"/spec/replicas", KUBE_FIELD_INT, 0, offsetof(struct cli_deployment, wanted)},
	{"/status/availableReplicas", KUBE_FIELD_INT, 0,
		offsetof(struct cli_deployment, available)},
};
const struct kube_projection cli_deployment_fields = FIELDS(struct cli_deployment, deployment_rows);

static const struct kube_field lease_rows[] = {
	{"/spec/holderIdentity", KUBE_FIELD_TEXT, 1024, offsetof(struct cli_lease, holder)},
	{"/spec/leaseDurationSeconds", KUBE_FIELD_INT, 0, offsetof(struct cli_lease, duration_s)},
	{"/spec/leaseTransitions", KUBE_FIELD_INT, 0, offsetof(struct cli_lease, transitions)},
	{"/spec/renewTime", KUBE_FIELD_TIME, 0, offsetof(struct cli_lease, renewed_ns)},
};
const struct kube_projection cli_lease_fields = FIELDS(struct cli_lease, lease_rows);

static const struct kube_field namespace_rows[] = {
	{"/metadata/labels", KUBE_FIELD_PAIRS, 256, offsetof(struct cli_namespace, labels)},
};
const struct kube_projection cli_namespace_fields = FIELDS(struct cli_namespace, namespace_rows);

static const struct kube_field role_binding_rows[] = {
	{"/roleRef/name", KUBE_FIELD_TEXT, 253, offsetof(struct cli_role_binding, role)},
};
const struct kube_projection cli_role_binding_fields =
	FIELDS(struct cli_role_binding, role_binding_rows);

static const struct kube_field event_rows[] = {
	{"/type", KUBE_FIELD_TEXT, 64, offsetof(struct cli_event, type)},
	{"/reason", KUBE_FIELD_TEXT, 1024, offsetof(struct cli_event, reason)},
	{"/message", KUBE_FIELD_TEXT, TEXT_MAX, offsetof(struct cli_event, message)},
	{"/lastTimestamp", KUBE_FIELD_TIME, 0, offsetof(struct cli_event, last_ns)},
	{"/eventTime", KUBE_FIELD_TIME, 0, offsetof(struct cli_event, event_ns)},
};
const struct kube_projection cli_event_fields = FIELDS(struct cli_event, event_rows);

static const struct kube_field review_rows[] = {
	{"/status/allowed", KUBE_FIELD_BOOL, 0, offsetof(struct cli_review, allowed)},
};
const struct kube_projection cli_review_fields = FIELDS(struct cli_review, review_rows);

static const struct kube_field container_rows[] = {
	{"/name", KUBE_FIELD_TEXT, 253, offsetof(struct cli_named, name)},
	{"/ready", KUBE_FIELD_BOOL, 0, offsetof(struct cli_named, ready)},
	{"/restartCount", KUBE_FIELD_INT, 0, offsetof(struct cli_named, restarts)},
	{"/state/waiting/reason", KUBE_FIELD_TEXT, 1024,
		offsetof(struct cli_named, waiting_reason)},
	{"/state/waiting/message", KUBE_FIELD_TEXT, TEXT_MAX,
		offsetof(struct cli_named, waiting_message)},
	{"/state/terminated/exitCode", KUBE_FIELD_INT, 0, offsetof(struct cli_named, exit_code)},
	{"/state/terminated/reason", KUBE_FIELD_TEXT, 1024, offsetof(struct cli_named, reason)},
	{"/state/running", KUBE_FIELD_PRESENT, 0, offsetof(struct cli_named, running)},
	{"/lastState/terminated/reason", KUBE_FIELD_TEXT, 1024,
		offsetof(struct cli_named, last_reason)},
};
static const struct kube_projection container_fields = FIELDS(struct cli_named, container_rows);
static const struct kube_field name_rows[] = {
	{"/name", KUBE_FIELD_TEXT, 253, offsetof(struct cli_named, name)},
};
static const struct kube_projection name_fields = FIELDS(struct cli_named, name_rows);

static const struct kube_field pod_rows[] = {
	{"/metadata/uid", KUBE_FIELD_TEXT, 128, offsetof(struct cli_pod, uid)},
	{"/metadata/labels", KUBE_FIELD_PAIRS, 256, offsetof(struct cli_pod, labels)},
	{"/spec/nodeName", KUBE_FIELD_TEXT, 253, offsetof(struct cli_pod, node)},
	{"/spec/initContainers", KUBE_FIELD_LIST, 1024, offsetof(struct cli_pod, init_containers),
		&name_fields},
	{"/status/phase", KUBE_FIELD_TEXT, 32, offsetof(struct cli_pod, phase)},
	{"/status/conditions", KUBE_FIELD_LIST, 64, offsetof(struct cli_pod, conditions),
		&condition_fields},
	{"/status/initContainerStatuses", KUBE_FIELD_LIST, 1024,
		offsetof(struct cli_pod, init_statuses), &container_fields},
	{"/status/containerStatuses", KUBE_FIELD_LIST, 1024, offsetof(struct cli_pod, statuses),
		&container_fields},
};
const struct kube_projection cli_pod_fields = FIELDS(struct cli_pod, pod_rows);

const struct cli_named *cli_named_find(const struct kube_list *list, const char *name)
{
	const struct cli_named *v = list->items;

	for (size_t i = 0; i < list->n; i++)
		if (base_str_eq(v[i].name, base_str(name)))
			return &v[i];
	return NULL;
}
