#include "controller/objects.h"

#include "controller/access.h"
#include "crds/condense.h"
#include "pkg/base/text.h"

#define LABEL_REVISION   "/metadata/labels/functionkey.dev~1revision"
#define NOTE_SENDERS     "/metadata/annotations/functionkey.dev~1senders"
#define REVOKED_MAX      ((size_t)CRDS_REVOKED_MAX * (CRDS_UID_LEN + 1))
#define NOTE_FINGERPRINT "/metadata/annotations/functionkey.dev~1fingerprint"

const struct kube_resource controller_leases = {
	"coordination.k8s.io", "v1", "leases", "Lease", true};
const struct kube_resource controller_namespaces = {"", "v1", "namespaces", "Namespace", false};
const struct kube_resource controller_services = {"", "v1", "services", "Service", true};
const struct kube_resource controller_slices = {
	"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true};
const struct kube_resource controller_rolebindings = {
	"rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true};
const struct kube_resource controller_clusterroles = {
	"rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false};
const struct kube_resource controller_replicasets = {
	"apps", "v1", "replicasets", "ReplicaSet", true};
const struct kube_resource controller_controllerrevisions = {
	"apps", "v1", "controllerrevisions", "ControllerRevision", true};
const struct kube_resource controller_jobs = {"batch", "v1", "jobs", "Job", true};
const struct kube_resource controller_knative_revisions = {
	"serving.knative.dev", "v1", "revisions", "Revision", true};

const char *controller_condition_name(enum controller_condition c)
{
	static const char *const names[] = {
#define CONTROLLER_CONDITION_NAME(name, text) text,
		CONTROLLER_CONDITIONS(CONTROLLER_CONDITION_NAME)
#undef CONTROLLER_CONDITION_NAME
	};
	return (unsigned)c < CONTROLLER_CONDITION_COUNT ? names[c] : "Unknown";
}

bool controller_opens(const struct controller_record *member, int64_t epoch)
{
	if (epoch <= 0 || member->opened_incarnation != member->incarnation)
		return false;
	for (size_t i = 0; i < member->opened_len; i++)
		if (member->opened[i] == epoch)
			return true;
	return false;
}

bool controller_revoked(const struct controller_record *leader, struct str pod_uid)
{
	for (size_t at = 0; at + CRDS_UID_LEN <= leader->revoked.n; at += CRDS_UID_LEN + 1)
		if (base_str_eq(base_str_sub(leader->revoked, at, at + CRDS_UID_LEN), pod_uid))
			return true;
	return false;
}

/* -- FunctionKeys: decoded wholly, then condensed into one block -- */

#define AT(member)                 offsetof(struct controller_record, member)
#define CONDITION_TEXT(name, text) AT(conditions[CONTROLLER_##name].reason),
static const size_t texts[] = {AT(meta.ns), AT(meta.name), AT(meta.uid), AT(meta.rv), AT(revision),
	AT(leader_pod), AT(leader_uid), AT(endpoint), AT(revoked), AT(pod), AT(pod_uid),
	CONTROLLER_CONDITIONS(CONDITION_TEXT)};
#undef CONDITION_TEXT
#undef AT

static void read_conditions(const struct crds_functionkey *fk, struct controller_record *r)
{
	for (size_t i = 0; i < CONTROLLER_CONDITION_COUNT; i++) {
		const struct crds_condition *c = crds_condition_find(
			fk, base_str(controller_condition_name((enum controller_condition)i)));
		struct controller_condition_state *s = &r->conditions[i];
		if (!c)
			continue;
		s->set = true;
		s->status = c->status;
		s->reason = c->reason;
		if (base_time_parse(c->last_transition, &s->since_ns, NULL) < 0)
			s->since_ns = 0;
	}
}

static void read_leader(const struct crds_functionkey *fk, struct controller_record *r)
{
	const struct crds_key *active = crds_key_active(fk);

	r->active_epoch = active ? active->epoch : 0;
	r->active_term = active ? active->term : 0;
	if (active)
		r->active_fingerprint = active->fingerprint;
	r->inherits = fk->on_leader_change == CRDS_INHERIT;
	if (fk->has_leader) {
		r->leader_pod = fk->leader.pod;
		r->leader_uid = fk->leader.pod_uid;
		r->endpoint = fk->leader.endpoint;
		r->term = fk->leader.term;
		r->leader_incarnation = fk->leader.incarnation;
	}
	r->members_total = fk->members_total;
	r->members_ready = fk->members_ready;
	r->observed_epoch = fk->observed_epoch;
	for (size_t i = 0; i < fk->keys_len; i++)
		r->history_lost |= base_str_eq(fk->keys[i].reason, STR("KeyLost"));
	read_conditions(fk, r);
}

static struct str read_revoked(const struct crds_functionkey *fk, char dst[static REVOKED_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < fk->revoked_len && n + CRDS_UID_LEN + 1 <= REVOKED_MAX; i++) {
		memcpy(dst + n, fk->revoked[i].p, CRDS_UID_LEN);
		dst[n + CRDS_UID_LEN] = ' ';
		n += CRDS_UID_LEN + 1;
	}
	return base_str_n(dst, n);
}

static int record_decode(struct str doc, void **ret_object, struct err *err)
{
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = NULL;
	char revoked[REVOKED_MAX];

	TRY(crds_functionkey_decode(doc, &fk, err));
	struct controller_record r = {
		.meta = {.ns = fk->ns,
			.name = fk->name,
			.uid = fk->uid,
			.rv = fk->resource_version},
		.role = fk->role,
		.deleting = fk->deleting,
		.orphan = fk->owner_uid.n == 0,
		.revision = fk->revision,
		.generation = fk->generation,
		.pod = fk->owner_uid.n == 0 ? fk->pod : STR_NULL,
		.pod_uid = fk->pod_uid,
		.revoked = read_revoked(fk, revoked),
		.incarnation = fk->incarnation,
		.opened_incarnation = fk->opened_incarnation,
		.opened_len = fk->opened_len < CRDS_KEYS_MAX ? fk->opened_len : CRDS_KEYS_MAX,
	};
	for (size_t i = 0; i < r.opened_len; i++)
		r.opened[i] = fk->opened[i].epoch;
	if (fk->role == CRDS_LEADER)
		read_leader(fk, &r);
	return crds_condense(&r, sizeof(r), texts, ARRAY_LEN(texts), ret_object, err);
}

const struct kube_kind controller_record_kind = {.decode = record_decode};

/* -- Pods -- */

static int pod_decode(struct str doc, void **ret_object, struct err *err)
{
	struct crds_pod *pod = NULL;

	TRY(crds_pod_decode(doc, &pod, err));
	*ret_object = pod;
	return 0;
}

static struct kube_meta pod_meta(const void *object)
{
	const struct crds_pod *pod = object;

	return (struct kube_meta){
		.ns = pod->ns, .name = pod->name, .uid = pod->uid, .rv = pod->resource_version};
}

const struct kube_kind controller_pod_kind = {.decode = pod_decode, .meta = pod_meta};

/* -- the rest: projections -- */

static const struct kube_field lease_fields[] = {
	KUBE_META_FIELDS(struct controller_lease, meta),
	{"/spec/holderIdentity", KUBE_FIELD_TEXT, 512, offsetof(struct controller_lease, holder)},
	{LABEL_REVISION, KUBE_FIELD_TEXT, 63, offsetof(struct controller_lease, revision)},
	{"/spec/leaseTransitions", KUBE_FIELD_INT, 0,
		offsetof(struct controller_lease, transitions)},
	{"/metadata/ownerReferences", KUBE_FIELD_COUNT, 0,
		offsetof(struct controller_lease, owners)},
};
static const struct kube_projection lease_projection = {
	lease_fields, ARRAY_LEN(lease_fields), sizeof(struct controller_lease)};
const struct kube_kind controller_lease_kind = {.projection = &lease_projection};

static const struct kube_field namespace_fields[] = {
	KUBE_META_FIELDS(struct controller_namespace, meta),
	{NOTE_SENDERS, KUBE_FIELD_TEXT, 4096, offsetof(struct controller_namespace, senders)},
	{"/metadata/deletionTimestamp", KUBE_FIELD_PRESENT, 0,
		offsetof(struct controller_namespace, deleting)},
};
static const struct kube_projection namespace_projection = {
	namespace_fields, ARRAY_LEN(namespace_fields), sizeof(struct controller_namespace)};
const struct kube_kind controller_namespace_kind = {.projection = &namespace_projection};

static const struct kube_field slice_fields[] = {
	KUBE_META_FIELDS(struct controller_slice, meta),
	{LABEL_REVISION, KUBE_FIELD_TEXT, 63, offsetof(struct controller_slice, revision)},
	{NOTE_FINGERPRINT, KUBE_FIELD_TEXT, 63, offsetof(struct controller_slice, fingerprint)},
	{"/metadata/annotations/functionkey.dev~1endpoint", KUBE_FIELD_TEXT, 300,
		offsetof(struct controller_slice, address)},
};
static const struct kube_projection slice_projection = {
	slice_fields, ARRAY_LEN(slice_fields), sizeof(struct controller_slice)};
const struct kube_kind controller_slice_kind = {.projection = &slice_projection};

static const struct kube_field service_fields[] = {
	KUBE_META_FIELDS(struct controller_owned, meta),
	{LABEL_REVISION, KUBE_FIELD_TEXT, 63, offsetof(struct controller_owned, revision)},
};
static const struct kube_projection service_projection = {
	service_fields, ARRAY_LEN(service_fields), sizeof(struct controller_owned)};
const struct kube_kind controller_service_kind = {.projection = &service_projection};

static const struct kube_field rolebinding_fields[] = {
	KUBE_META_FIELDS(struct controller_owned, meta),
	{"/metadata/annotations/functionkey.dev~1subjects", KUBE_FIELD_TEXT, CONTROLLER_GROUPS_MAX,
		offsetof(struct controller_owned, subjects)},
	{"/metadata/ownerReferences", KUBE_FIELD_COUNT, 0,
		offsetof(struct controller_owned, owners)},
};
static const struct kube_projection rolebinding_projection = {
	rolebinding_fields, ARRAY_LEN(rolebinding_fields), sizeof(struct controller_owned)};
const struct kube_kind controller_rolebinding_kind = {.projection = &rolebinding_projection};

struct described {
	struct kube_meta meta;
};

static const struct kube_field meta_fields[] = {KUBE_META_FIELDS(struct described, meta)};
static const struct kube_projection meta_projection = {
	meta_fields, ARRAY_LEN(meta_fields), sizeof(struct described)};
const struct kube_kind controller_meta_kind = {.projection = &meta_projection};
