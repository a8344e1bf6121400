/* Reads of a review what the injection needs, in one pass: tables of members, one per object. */
#include "controller/inject_impl.h"

#include "pkg/kube/json.h"

#define OURS "functionkey.dev/"

const struct kube_resource controller_podtemplates = {
	"", "v1", "podtemplates", "PodTemplate", true};

static const struct kube_field template_fields[] = {
	KUBE_META_FIELDS(struct controller_template, meta),
	{"/template/spec/initContainers", KUBE_FIELD_RAW, 64u << 10,
		offsetof(struct controller_template, init_containers)},
	{"/template/spec/volumes", KUBE_FIELD_RAW, 64u << 10,
		offsetof(struct controller_template, volumes)},
};
static const struct kube_projection template_projection = {
	template_fields, ARRAY_LEN(template_fields), sizeof(struct controller_template)};
const struct kube_kind controller_template_kind = {.projection = &template_projection};

const char *const controller_inject_variables[INJECT_VARIABLE_COUNT] = {
#define INJECT_NAME(name, text) text,
	INJECT_VARIABLES(INJECT_NAME)
#undef INJECT_NAME
};

/* -- reading by tables -- */

struct reader {
	struct kube_json json;
	struct arena *arena;
};

/* Reads one value into what `into` points at. */
typedef int (*read_fn)(struct reader *r, void *into, struct err *err);

struct member {
	const char *key;
	read_fn read;
	size_t offset; /* of what it is read into */
};

/* null is as good as absent. */
static int is_null(struct reader *r, bool *ret_null, struct err *err)
{
	return kube_json_null(&r->json, ret_null, err);
}

static int read_members(
	struct reader *r, const struct member *members, size_t n, void *into, struct err *err)
{
	bool more = false;
	struct str key = STR_NULL;

	TRY(is_null(r, &more, err));
	if (more)
		return 0;
	TRY(kube_json_object_begin(&r->json, err));
	for (;;) {
		size_t i = 0;
		TRY(kube_json_next_key(&r->json, &key, &more, err));
		if (!more)
			return 0;
		while (i < n && !base_str_eq(key, base_str(members[i].key)))
			i++;
		if (i < n)
			TRY(members[i].read(r, (char *)into + members[i].offset, err));
		else
			TRY(kube_json_skip(&r->json, err));
	}
}

/* Calls read for each element with the same `into`. *ret_there: it is a list. */
static int read_list(struct reader *r, read_fn read, void *into, bool *ret_there, struct err *err)
{
	bool null = false;
	bool more = false;

	TRY(is_null(r, &null, err));
	if (null)
		return 0;
	*ret_there = true;
	TRY(kube_json_array_begin(&r->json, err));
	for (;;) {
		TRY(kube_json_array_next(&r->json, &more, err));
		if (!more)
			return 0;
		TRY(read(r, into, err));
	}
}

static int read_text(struct reader *r, void *into, struct err *err)
{
	bool null = false;

	TRY(is_null(r, &null, err));
	if (null)
		return 0;
	return kube_json_string(&r->json, r->arena, into, err);
}

static int read_bool(struct reader *r, void *into, struct err *err)
{
	bool null = false;

	TRY(is_null(r, &null, err));
	return null ? 0 : kube_json_bool(&r->json, into, err);
}

/* -- containers -- */

static int read_variable(struct reader *r, void *into, struct err *err)
{
	struct variable {
		struct str name, value;
	} v = {0};
	static const struct member members[] = {
		{"name", read_text, offsetof(struct variable, name)},
		{"value", read_text, offsetof(struct variable, value)}};
	struct controller_inject_container *c = into;

	TRY(read_members(r, members, ARRAY_LEN(members), &v, err));
	for (size_t i = 0; i < INJECT_VARIABLE_COUNT; i++)
		if (base_str_eq(v.name, base_str(controller_inject_variables[i])))
			c->set |= 1u << i;
	c->announces = c->announces || base_str_eq(v.name, STR(INJECT_ANNOUNCE));
	controller_inject_take_sink(&c->sink, v.name, v.value);
	return 0;
}

static int read_variables(struct reader *r, void *into, struct err *err)
{
	struct controller_inject_container *c = into;

	return read_list(r, read_variable, c, &c->has_env, err);
}

static int read_mount(struct reader *r, void *into, struct err *err)
{
	static const struct member members[] = {{"mountPath", read_text, 0}};
	struct controller_inject_container *c = into;
	struct str path = STR_NULL;

	TRY(read_members(r, members, ARRAY_LEN(members), &path, err));
	if (c->mount == c->mounts && !base_str_eq(path, STR(INJECT_MOUNT_PATH)))
		c->mount++;
	c->mounts++;
	return 0;
}

static int read_mounts(struct reader *r, void *into, struct err *err)
{
	struct controller_inject_container *c = into;

	return read_list(r, read_mount, c, &c->has_mounts, err);
}

static int read_name(struct reader *r, void *into, struct err *err)
{
	return read_text(r, &((struct controller_inject_container *)into)->name, err);
}

static int grow(struct reader *r, struct controller_inject_containers *list, struct err *err)
{
	void *items = NULL;
	const size_t cap = list->cap ? 4 * list->cap : 8;

	if (list->n >= CONTROLLER_CONTAINERS_MAX)
		return FAIL(
			err, ERR_TOO_LARGE, "more than %d containers", CONTROLLER_CONTAINERS_MAX);
	TRY(base_arena_alloc(r->arena, cap, sizeof(*list->items), &items, err));
	if (list->n)
		memcpy(items, list->items, list->n * sizeof(*list->items));
	list->items = items;
	list->cap = cap;
	return 0;
}

static int read_container(struct reader *r, void *into, struct err *err)
{
	static const struct member members[] = {{"name", read_name, 0}, {"env", read_variables, 0},
		{"volumeMounts", read_mounts, 0}};
	struct controller_inject_containers *list = into;

	if (list->n == list->cap)
		TRY(grow(r, list, err));
	return read_members(r, members, ARRAY_LEN(members), &list->items[list->n++], err);
}

static int read_containers(struct reader *r, void *into, struct err *err)
{
	struct controller_inject_containers *list = into;

	list->n = 0;
	return read_list(r, read_container, list, &list->there, err);
}

/* -- the rest of the pod -- */

static int read_volume(struct reader *r, void *into, struct err *err)
{
	static const struct member members[] = {{"name", read_text, 0}};
	struct controller_inject_review *review = into;
	const struct controller_inject_template *t = review->template;
	struct str name = STR_NULL;

	TRY(read_members(r, members, ARRAY_LEN(members), &name, err));
	for (size_t i = 0; i < t->volumes_len; i++)
		if (base_str_eq(name, t->volume_names[i]))
			review->volumes |= 1u << i;
	return 0;
}

static int read_volumes(struct reader *r, void *into, struct err *err)
{
	struct controller_inject_review *review = into;

	return read_list(r, read_volume, review, &review->has_volumes, err);
}

struct owner {
	struct str api_version, kind, name, uid;
	bool controller;
};

static int read_owner(struct reader *r, void *into, struct err *err)
{
	static const struct member members[] = {
		{"apiVersion", read_text, offsetof(struct owner, api_version)},
		{"kind", read_text, offsetof(struct owner, kind)},
		{"name", read_text, offsetof(struct owner, name)},
		{"uid", read_text, offsetof(struct owner, uid)},
		{"controller", read_bool, offsetof(struct owner, controller)},
	};
	struct controller_inject_review *review = into;
	struct owner o = {0};

	TRY(read_members(r, members, ARRAY_LEN(members), &o, err));
	if (!o.controller || review->owned)
		return 0;
	review->owned = true;
	review->pod.owner_api_version = o.api_version;
	review->pod.owner_kind = o.kind;
	review->pod.owner_name = o.name;
	review->pod.owner_uid = o.uid;
	return 0;
}

static int read_owners(struct reader *r, void *into, struct err *err)
{
	bool there = false;

	return read_list(r, read_owner, into, &there, err);
}

static int read_revision_label(struct reader *r, void *into, struct err *err)
{
	struct controller_inject_review *review = into;

	review->has_revision_label = true;
	return read_text(r, &review->pod.revision, err);
}

static int read_labels(struct reader *r, void *into, struct err *err)
{
#define AT(member) offsetof(struct controller_inject_review, member)
	static const struct member members[] = {
		{CRDS_LABEL_INJECT, read_text, AT(inject)},
		{CRDS_LABEL_REVISION, read_revision_label, 0},
		{CRDS_LABEL_FUNCTION, read_text, AT(pod.function)},
		{"controller-revision-hash", read_text, AT(pod.controller_revision_hash)},
		{"pod-template-hash", read_text, AT(pod.pod_template_hash)},
		{"serving.knative.dev/revision", read_text, AT(pod.knative_revision)},
		{"serving.knative.dev/service", read_text, AT(pod.knative_service)},
	};
#undef AT
	enum kube_json_type type = KUBE_JSON_NULL;
	struct controller_inject_review *review = into;

	TRY(kube_json_peek(&r->json, &type, err));
	review->has_labels = type == KUBE_JSON_OBJECT;
	return read_members(r, members, ARRAY_LEN(members), into, err);
}

/* What the agent reads by itself: manifests/base/agent.yaml. */
static bool is_agents(struct str key)
{
	static const char *const keys[] = {OURS "inbound", OURS "outbound", OURS "sender",
		OURS "require-sender", OURS "allow-senders", OURS "replay-window"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (base_str_eq(key, base_str(keys[i])))
			return true;
	return false;
}

static int note(
	struct reader *r, struct controller_inject_review *review, struct str key, struct err *err)
{
	if (base_str_eq(key, STR(OURS "containers")))
		return read_text(r, &review->containers_note, err);
	if (base_str_eq(key, STR(OURS "next")))
		return read_text(r, &review->next_note, err);
	if (base_str_eq(key, STR(OURS "announce")))
		return read_text(r, &review->announce_note, err);
	if (base_str_eq(key, STR(OURS "metrics")))
		return read_text(r, &review->metrics_note, err);
	if (is_agents(key))
		return kube_json_skip(&r->json, err);
	if (base_str_starts(key, STR(OURS)) && review->unknown_len < INJECT_WARNINGS_MAX)
		TRY(base_arena_str(r->arena, key, &review->unknown[review->unknown_len++], err));
	return kube_json_skip(&r->json, err);
}

static int read_notes(struct reader *r, void *into, struct err *err)
{
	struct str key = STR_NULL;
	bool more = false;

	TRY(is_null(r, &more, err));
	if (more)
		return 0;
	TRY(kube_json_object_begin(&r->json, err));
	for (;;) {
		TRY(kube_json_next_key(&r->json, &key, &more, err));
		if (!more)
			return 0;
		TRY(note(r, into, key, err));
	}
}

#define AT(member) offsetof(struct controller_inject_review, member)
static int read_metadata(struct reader *r, void *into, struct err *err)
{
	static const struct member members[] = {
		{"name", read_text, AT(pod.name)},
		{"generateName", read_text, AT(generate_name)},
		{"labels", read_labels, 0},
		{"annotations", read_notes, 0},
		{"ownerReferences", read_owners, 0},
	};
	return read_members(r, members, ARRAY_LEN(members), into, err);
}

static int read_spec(struct reader *r, void *into, struct err *err)
{
	static const struct member members[] = {
		{"containers", read_containers, AT(main)},
		{"initContainers", read_containers, AT(init)},
		{"volumes", read_volumes, 0},
		{"hostNetwork", read_bool, AT(host_network)},
	};
	return read_members(r, members, ARRAY_LEN(members), into, err);
}

static int read_pod(struct reader *r, void *into, struct err *err)
{
	static const struct member members[] = {
		{"metadata", read_metadata, 0}, {"spec", read_spec, 0}};

	return read_members(r, members, ARRAY_LEN(members), into, err);
}

static int read_resource(struct reader *r, void *into, struct err *err)
{
	static const struct member members[] = {{"resource", read_text, AT(resource)}};

	return read_members(r, members, ARRAY_LEN(members), into, err);
}

static int read_request(struct reader *r, void *into, struct err *err)
{
	static const struct member members[] = {
		{"uid", read_text, AT(uid)},
		{"namespace", read_text, AT(ns)},
		{"operation", read_text, AT(operation)},
		{"resource", read_resource, 0},
		{"subResource", read_text, AT(subresource)},
		{"object", read_pod, 0},
	};
	return read_members(r, members, ARRAY_LEN(members), into, err);
}
#undef AT

int controller_inject_read_review(
	struct str text, struct controller_inject_review *review, struct err *err)
{
	static const struct member members[] = {{"request", read_request, 0}};
	struct reader r = {.arena = review->arena};

	TRY(kube_json_init(&r.json, text, err));
	TRY(read_members(&r, members, ARRAY_LEN(members), review, err));
	return kube_json_end(&r.json, err);
}

/* -- the template -- */

struct named {
	struct str name;
	bool has_env;
};

static int read_env_there(struct reader *r, void *into, struct err *err)
{
	enum kube_json_type type = KUBE_JSON_NULL;

	TRY(kube_json_peek(&r->json, &type, err));
	*(bool *)into = type == KUBE_JSON_ARRAY;
	return kube_json_skip(&r->json, err);
}

/* The text of a value, and what of it matters. */
static int read_named(struct reader *r, struct str *ret_text, struct named *n, struct err *err)
{
	static const struct member members[] = {{"name", read_text, offsetof(struct named, name)},
		{"env", read_env_there, offsetof(struct named, has_env)}};
	struct reader inner = {.arena = r->arena};

	TRY(kube_json_raw(&r->json, ret_text, err));
	TRY(kube_json_init(&inner.json, *ret_text, err));
	return read_members(&inner, members, ARRAY_LEN(members), n, err);
}

static int read_agent(struct reader *r, void *into, struct err *err)
{
	struct controller_inject_template *t = into;
	struct named n = {0};
	struct str text = STR_NULL;

	TRY(read_named(r, &text, &n, err));
	if (t->agent.n)
		return 0;
	if (!base_str_eq(n.name, STR(CRDS_AGENT_NAME)))
		return FAIL(err, ERR_INVALID, "its first init container is not " CRDS_AGENT_NAME);
	t->agent = text;
	t->has_env = n.has_env;
	return 0;
}

static int read_template_volume(struct reader *r, void *into, struct err *err)
{
	struct controller_inject_template *t = into;
	struct named n = {0};

	if (t->volumes_len == INJECT_VOLUMES_MAX)
		return FAIL(err, ERR_TOO_LARGE, "more than %d volumes", INJECT_VOLUMES_MAX);
	TRY(read_named(r, &t->volumes[t->volumes_len], &n, err));
	t->volume_names[t->volumes_len++] = n.name;
	return 0;
}

int controller_inject_read_template(const struct controller_template *from, struct arena *arena,
	struct controller_inject_template *t, struct err *err)
{
	struct reader r = {.arena = arena};
	bool there = false;

	if (from->init_containers.n == 0)
		return FAIL(err, ERR_INVALID, "it has no init container");
	TRY(kube_json_init(&r.json, from->init_containers, err));
	TRY(read_list(&r, read_agent, t, &there, err));
	if (t->agent.n == 0)
		return FAIL(err, ERR_INVALID, "it has no init container");
	if (from->volumes.n == 0)
		return 0;
	TRY(kube_json_init(&r.json, from->volumes, err));
	return read_list(&r, read_template_volume, t, &there, err);
}
