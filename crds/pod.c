#include "crds/pod.h"

#include "crds/condense.h"
#include "pkg/base/alloc.h"
#include "pkg/kube/projection.h"

const struct kube_resource crds_pods = {
	.group = "", .version = "v1", .plural = "pods", .kind = "Pod", .namespaced = true};

/* What the API server says, before it is condensed. */
struct owner {
	struct str api_version, kind, name, uid;
	bool controller;
};

struct container {
	struct str name;
	bool ready, terminated;
	int64_t restarts;
};

struct condition {
	struct str type, status;
};

struct raw {
	struct kube_meta meta;
	struct str ip, phase;
	bool deleting;
	struct kube_pairs labels;
	struct kube_list owners, init_containers, init_statuses, conditions;
};

static const struct kube_field owner_fields[] = {
	{"/apiVersion", KUBE_FIELD_TEXT, 253, offsetof(struct owner, api_version)},
	{"/kind", KUBE_FIELD_TEXT, 63, offsetof(struct owner, kind)},
	{"/name", KUBE_FIELD_TEXT, 253, offsetof(struct owner, name)},
	{"/uid", KUBE_FIELD_TEXT, 128, offsetof(struct owner, uid)},
	{"/controller", KUBE_FIELD_BOOL, 0, offsetof(struct owner, controller)},
};
static const struct kube_projection owner_projection = {
	owner_fields, ARRAY_LEN(owner_fields), sizeof(struct owner)};

static const struct kube_field name_fields[] = {
	{"/name", KUBE_FIELD_TEXT, 253, offsetof(struct container, name)},
};
static const struct kube_projection name_projection = {
	name_fields, ARRAY_LEN(name_fields), sizeof(struct container)};

static const struct kube_field status_fields[] = {
	{"/name", KUBE_FIELD_TEXT, 253, offsetof(struct container, name)},
	{"/ready", KUBE_FIELD_BOOL, 0, offsetof(struct container, ready)},
	{"/restartCount", KUBE_FIELD_INT, 0, offsetof(struct container, restarts)},
	{"/state/terminated", KUBE_FIELD_PRESENT, 0, offsetof(struct container, terminated)},
};
static const struct kube_projection status_projection = {
	status_fields, ARRAY_LEN(status_fields), sizeof(struct container)};

static const struct kube_field condition_fields[] = {
	{"/type", KUBE_FIELD_TEXT, 316, offsetof(struct condition, type)},
	{"/status", KUBE_FIELD_TEXT, 16, offsetof(struct condition, status)},
};
static const struct kube_projection condition_projection = {
	condition_fields, ARRAY_LEN(condition_fields), sizeof(struct condition)};

static const struct kube_field raw_fields[] = {
	KUBE_META_FIELDS(struct raw, meta),
	{"/metadata/deletionTimestamp", KUBE_FIELD_PRESENT, 0, offsetof(struct raw, deleting)},
	{"/metadata/labels", KUBE_FIELD_PAIRS, 256, offsetof(struct raw, labels)},
	{"/metadata/ownerReferences", KUBE_FIELD_LIST, 64, offsetof(struct raw, owners),
		&owner_projection},
	{"/spec/initContainers", KUBE_FIELD_LIST, 1024, offsetof(struct raw, init_containers),
		&name_projection},
	{"/status/podIP", KUBE_FIELD_TEXT, 64, offsetof(struct raw, ip)},
	{"/status/phase", KUBE_FIELD_TEXT, 32, offsetof(struct raw, phase)},
	{"/status/initContainerStatuses", KUBE_FIELD_LIST, 1024,
		offsetof(struct raw, init_statuses), &status_projection},
	{"/status/conditions", KUBE_FIELD_LIST, 64, offsetof(struct raw, conditions),
		&condition_projection},
};
static const struct kube_projection raw_projection = {
	raw_fields, ARRAY_LEN(raw_fields), sizeof(struct raw)};

static enum crds_pod_phase phase_of(struct str s)
{
	static const char *const names[] = {NULL, "Pending", "Running", "Succeeded", "Failed"};

	for (size_t i = 1; i < ARRAY_LEN(names); i++)
		if (base_str_eq(s, base_str(names[i])))
			return (enum crds_pod_phase)i;
	return CRDS_POD_UNKNOWN;
}

static void read_owner(const struct raw *raw, struct crds_pod *pod)
{
	const struct owner *owners = raw->owners.items;

	for (size_t i = 0; i < raw->owners.n; i++) {
		if (!owners[i].controller)
			continue;
		pod->owner_api_version = owners[i].api_version;
		pod->owner_kind = owners[i].kind;
		pod->owner_name = owners[i].name;
		pod->owner_uid = owners[i].uid;
	}
}

static void read_labels(const struct raw *raw, struct crds_pod *pod)
{
	pod->revision = kube_pairs_get(&raw->labels, CRDS_LABEL_REVISION);
	pod->function = kube_pairs_get(&raw->labels, CRDS_LABEL_FUNCTION);
	pod->controller_revision_hash = kube_pairs_get(&raw->labels, "controller-revision-hash");
	pod->pod_template_hash = kube_pairs_get(&raw->labels, "pod-template-hash");
	pod->knative_revision = kube_pairs_get(&raw->labels, "serving.knative.dev/revision");
	pod->knative_service = kube_pairs_get(&raw->labels, "serving.knative.dev/service");
}

static void read_status(const struct raw *raw, struct crds_pod *pod)
{
	const struct container *inits = raw->init_containers.items;
	const struct container *statuses = raw->init_statuses.items;
	const struct condition *conditions = raw->conditions.items;

	for (size_t i = 0; i < raw->init_containers.n; i++)
		pod->injected |= base_str_eq(inits[i].name, STR(CRDS_AGENT_NAME));
	for (size_t i = 0; i < raw->init_statuses.n; i++) {
		if (!base_str_eq(statuses[i].name, STR(CRDS_AGENT_NAME)))
			continue;
		pod->agent_ready = statuses[i].ready;
		pod->agent_terminated = statuses[i].terminated;
		pod->agent_restarts = statuses[i].restarts;
	}
	for (size_t i = 0; i < raw->conditions.n; i++)
		if (base_str_eq(conditions[i].type, STR("Ready")))
			pod->ready = base_str_eq(conditions[i].status, STR("True"));
}

#define AT(member) offsetof(struct crds_pod, member)
static const size_t texts[] = {AT(ns), AT(name), AT(uid), AT(resource_version),
	AT(owner_api_version), AT(owner_kind), AT(owner_name), AT(owner_uid), AT(revision),
	AT(function), AT(controller_revision_hash), AT(pod_template_hash), AT(knative_revision),
	AT(knative_service), AT(ip)};
#undef AT

static void *drop(void *p)
{
	return base_free(p);
}
CLEANUP_FREE(void, drop);

int crds_pod_decode(struct str json, struct crds_pod **ret_pod, struct err *err)
{
	_cleanup_(drop) void *object = NULL;

	if (json.n > CRDS_POD_MAX)
		return FAIL(err, ERR_TOO_LARGE, "a Pod of %zu bytes", json.n);
	TRY(kube_project(&raw_projection, json, &object, err));
	const struct raw *raw = object;
	struct crds_pod pod = {.ns = raw->meta.ns,
		.name = raw->meta.name,
		.uid = raw->meta.uid,
		.resource_version = raw->meta.rv,
		.ip = raw->ip,
		.phase = phase_of(raw->phase),
		.deleting = raw->deleting};
	if (pod.name.n == 0 || pod.uid.n == 0)
		return FAIL(err, ERR_INVALID, "a Pod without name or UID");
	read_owner(raw, &pod);
	read_labels(raw, &pod);
	read_status(raw, &pod);
	void *condensed = NULL;
	TRY(crds_condense(&pod, sizeof(pod), texts, ARRAY_LEN(texts), &condensed, err));
	*ret_pod = condensed;
	return 0;
}

static struct str text_at(const struct crds_pod *pod, size_t offset)
{
	struct str s;

	memcpy(&s, (const char *)pod + offset, sizeof(s));
	return s;
}

bool crds_pod_same(const struct crds_pod *a, const struct crds_pod *b)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i] != offsetof(struct crds_pod, resource_version) &&
			!base_str_eq(text_at(a, texts[i]), text_at(b, texts[i])))
			return false;
	return a->phase == b->phase && a->deleting == b->deleting && a->injected == b->injected &&
	       a->ready == b->ready && a->agent_ready == b->agent_ready &&
	       a->agent_terminated == b->agent_terminated && a->agent_restarts == b->agent_restarts;
}

struct crds_pod *crds_pod_free(struct crds_pod *pod)
{
	return base_free(pod);
}
