/* What a pod is given: names, and a patch. The rules and their order are those of
 * manifests/base/injection.yaml. */
#include "controller/inject_impl.h"

#include "pkg/kube/patch.h"

#define PIECE_MAX    (64UL << 10) /* one value of the patch */
#define POINTER_SIZE 128          /* bytes of a path in it */
#define NO_INDEX     SIZE_MAX

#define POINTER_REVISION "/metadata/labels/functionkey.dev~1revision"
#define POINTER_FUNCTION "/metadata/labels/functionkey.dev~1function"

/* What follows from the review. */
struct plan {
	char revision[CRDS_REVISION_MAX + 1]; /* "": the agent finds it itself */
	char function[CRDS_FUNCTION_MAX + 1];
	struct str values[INJECT_VARIABLE_COUNT]; /* empty: left out */
	struct controller_inject_sink sink;
	struct str metrics; /* the port; empty: none */
	size_t at;          /* where the agent is among the init containers; NO_INDEX: nowhere */
};

struct making {
	const struct controller_inject_review *r;
	const struct map *named; /* containers that the annotation names; NULL: there is none */
	const struct plan *plan;
	struct kube_patch patch;
	struct buf piece;
};

/* -- revision and function -- */

static struct str stem_of(const struct controller_inject_review *r)
{
	return r->pod.name.n ? r->pod.name : r->generate_name;
}

/* A revision that the user chose: through the owner's template, and one that the pod's name fits,
 * since the policies hold agents to revisions by their pods' names. */
static bool is_chosen(const struct controller_inject_review *r)
{
	const struct str label = r->pod.revision;
	const struct str stem = stem_of(r);
	char name[CRDS_REVISION_MAX + 1];

	return label.n && r->owned && crds_revision_key(label, STR_NULL, name, NULL) == 0 &&
	       base_str_starts(stem, label) && (stem.n == label.n || stem.p[label.n] == '-');
}

static struct str without_dash(struct str stem)
{
	return base_str_ends(stem, STR("-")) ? base_str_sub(stem, 0, stem.n - 1) : stem;
}

static void name_things(const struct controller_inject_review *r, struct plan *plan)
{
	struct crds_pod pod = r->pod;

	if (!is_chosen(r))
		pod.revision = STR_NULL;
	/* A pod that has no name or UID yet has no revision yet either, where they would name it.
	 */
	if (crds_pod_revision(&pod, plan->revision, NULL) < 0)
		plan->revision[0] = '\0';
	pod.name = without_dash(stem_of(r));
	if (crds_pod_function(&pod, plan->function, NULL) < 0)
		plan->function[0] = '\0';
}

static size_t find(const struct controller_inject_containers *list, struct str name)
{
	for (size_t i = 0; i < list->n; i++)
		if (base_str_eq(list->items[i].name, name))
			return i;
	return NO_INDEX;
}

static int make_plan(const struct controller_inject_review *r, struct plan *plan, struct err *err)
{
	struct str url = STR_NULL;

	name_things(r, plan);
	plan->at = find(&r->init, STR(CRDS_AGENT_NAME));
	if (plan->revision[0])
		TRY(base_arena_printf(r->arena, &url, err, "http://%s-leader.%.*s.svc:9471",
			plan->revision, STR_FMT(r->ns)));
	plan->values[INJECT_SOCKET] = STR("/run/functionkey/agent.sock");
	plan->values[INJECT_URL] = STR("http://localhost");
	plan->values[INJECT_REVISION] = base_str(plan->revision);
	plan->values[INJECT_FUNCTION] = base_str(plan->function);
	plan->values[INJECT_LEADER_URL] = url;
	plan->values[INJECT_NEXT] = r->next_note;
	plan->sink = controller_inject_sink(r);
	plan->metrics = controller_inject_metrics(r);
	return 0;
}

/* -- the patch -- */

/* What annotation functionkey.dev/containers names, "name, name"; without it the function's
 * containers are meant, and no init container. */
static int read_named(
	const struct controller_inject_review *r, struct map **ret_named, struct err *err)
{
	_cleanup_(base_map_free) struct map *named = NULL;
	const struct str list = r->containers_note;

	if (!list.p)
		return 0;
	TRY(base_map_new(CONTROLLER_CONTAINERS_MAX, &named, err));
	for (size_t at = 0; at < list.n;) {
		const size_t end = base_str_find(list, ',', at);
		const struct str name = base_str_trim(base_str_sub(list, at, end));
		if (name.n)
			TRY(base_map_put(named, name, named, NULL, err));
		at = end + 1;
	}
	*ret_named = STEAL(named);
	return 0;
}

static bool is_named(const struct making *m, struct str name, bool is_init)
{
	return m->named ? base_map_get(m->named, name) != NULL : !is_init;
}

static int variable_json(struct making *m, const char *name, struct str value, struct err *err)
{
	struct kube_writer w = kube_writer(&m->piece);

	base_buf_clear(&m->piece);
	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "name", base_str(name), err));
	TRY(kube_write_key_text(&w, "value", value, err));
	return kube_write_end(&w, err);
}

static int add_piece(struct making *m, const char *path, struct err *err)
{
	return kube_patch_add(&m->patch, path, base_buf_str(&m->piece), err);
}

static int add_variables(struct making *m, const char *at,
	const struct controller_inject_container *c, struct err *err)
{
	char path[POINTER_SIZE];
	bool there = c->has_env;

	for (size_t i = 0; i < INJECT_VARIABLE_COUNT; i++) {
		const struct str value = m->plan->values[i];
		if (value.n == 0 || (c->set & (1u << i)))
			continue;
		(void)snprintf(path, sizeof(path), "%s/env", at);
		if (!there)
			TRY(kube_patch_add(&m->patch, path, STR("[]"), err));
		there = true;
		(void)snprintf(path, sizeof(path), "%s/env/-", at);
		TRY(variable_json(m, controller_inject_variables[i], value, err));
		TRY(add_piece(m, path, err));
	}
	return 0;
}

#define MOUNT "{\"name\":\"functionkey\",\"mountPath\":\"" INJECT_MOUNT_PATH "\",\"readOnly\":true}"

static int add_mount(struct making *m, const char *at, const struct controller_inject_container *c,
	struct err *err)
{
	char path[POINTER_SIZE];

	if (c->mount < c->mounts) { /* something is mounted there: as a merge of lists does it */
		(void)snprintf(path, sizeof(path), "%s/volumeMounts/%u/name", at, c->mount);
		TRY(kube_patch_add_text(&m->patch, path, STR("functionkey"), err));
		(void)snprintf(path, sizeof(path), "%s/volumeMounts/%u/readOnly", at, c->mount);
		return kube_patch_add(&m->patch, path, STR("true"), err);
	}
	(void)snprintf(path, sizeof(path), "%s/volumeMounts%s", at, c->has_mounts ? "/-" : "");
	return kube_patch_add(
		&m->patch, path, c->has_mounts ? STR(MOUNT) : STR("[" MOUNT "]"), err);
}

/* Where the i-th init container is once the agent stands first. */
static size_t after_agent(const struct plan *plan, size_t i)
{
	return plan->at == NO_INDEX || i < plan->at ? i + 1 : i;
}

static int give_to(struct making *m, const struct controller_inject_containers *list, bool is_init,
	struct err *err)
{
	char at[POINTER_SIZE / 2];

	for (size_t i = 0; i < list->n; i++) {
		const struct controller_inject_container *c = &list->items[i];
		if (!is_named(m, c->name, is_init) || base_str_eq(c->name, STR(CRDS_AGENT_NAME)))
			continue;
		(void)snprintf(at, sizeof(at), "/spec/%s/%zu",
			is_init ? "initContainers" : "containers",
			is_init ? after_agent(m->plan, i) : i);
		TRY(add_variables(m, at, c, err));
		TRY(add_mount(m, at, c, err));
	}
	return 0;
}

static int add_labels(struct making *m, struct err *err)
{
	if (!m->r->has_labels)
		TRY(kube_patch_add(&m->patch, "/metadata/labels", STR("{}"), err));
	if (m->plan->revision[0])
		TRY(kube_patch_add_text(
			&m->patch, POINTER_REVISION, base_str(m->plan->revision), err));
	else if (m->r->has_revision_label)
		TRY(kube_patch_remove(&m->patch, POINTER_REVISION, err));
	if (m->plan->function[0])
		TRY(kube_patch_add_text(
			&m->patch, POINTER_FUNCTION, base_str(m->plan->function), err));
	return 0;
}

static int add_volumes(struct making *m, struct err *err)
{
	const struct controller_inject_template *t = m->r->template;

	if (!m->r->has_volumes)
		TRY(kube_patch_add(&m->patch, "/spec/volumes", STR("[]"), err));
	for (size_t i = 0; i < t->volumes_len; i++)
		if (!(m->r->volumes & (1u << i)))
			TRY(kube_patch_add(&m->patch, "/spec/volumes/-", t->volumes[i], err));
	return 0;
}

struct agent_variable {
	const char *name;
	struct str value; /* empty: left out */
};

static int add_agent_variables(
	struct making *m, const struct agent_variable *rows, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].value.n == 0)
			continue;
		TRY(variable_json(m, rows[i].name, rows[i].value, err));
		TRY(add_piece(m, "/spec/initContainers/0/env/-", err));
	}
	return 0;
}

static int add_sink(struct making *m, struct err *err)
{
	const struct controller_inject_sink *sink = &m->plan->sink;
	const struct agent_variable rows[] = {
		{INJECT_ANNOUNCE, sink->url},
		{INJECT_ANNOUNCE "_OVERRIDES", sink->overrides},
		{INJECT_ANNOUNCE "_CA", sink->ca},
	};

	return add_agent_variables(m, rows, ARRAY_LEN(rows), err);
}

/* Without it on the host's network: there it would be a port of the node, and two such pods would
 * not be put onto one. */
static int add_metrics_port(struct making *m, struct err *err)
{
	struct kube_writer w = kube_writer(&m->piece);

	if (m->plan->metrics.n == 0 || m->r->host_network)
		return 0;
	base_buf_clear(&m->piece);
	TRY(kube_write_list(&w, err));
	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "name", STR("fk-metrics"), err));
	TRY(kube_write_key(&w, STR("containerPort"), err));
	TRY(kube_write_json(&w, m->plan->metrics, err));
	TRY(kube_write_key_text(&w, "protocol", STR("TCP"), err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_end(&w, err));
	return add_piece(m, "/spec/initContainers/0/ports", err);
}

static int add_agent(struct making *m, struct err *err)
{
	const struct controller_inject_review *r = m->r;
	const struct crds_pod *pod = &r->pod;
	const struct agent_variable rows[] = {
		{"FUNCTIONKEY_REVISION", base_str(m->plan->revision)},
		{"FUNCTIONKEY_FUNCTION", base_str(m->plan->function)},
		{"FUNCTIONKEY_OWNER_API_VERSION", pod->owner_api_version},
		{"FUNCTIONKEY_OWNER_KIND", pod->owner_kind},
		{"FUNCTIONKEY_OWNER_NAME", pod->owner_name},
		{"FUNCTIONKEY_OWNER_UID", pod->owner_uid},
		{"FUNCTIONKEY_METRICS_PORT", m->plan->metrics},
	};

	if (!r->init.there)
		TRY(kube_patch_add(&m->patch, "/spec/initContainers", STR("[]"), err));
	TRY(kube_patch_add(&m->patch, "/spec/initContainers/0", r->template->agent, err));
	if (!r->template->has_env)
		TRY(kube_patch_add(&m->patch, "/spec/initContainers/0/env", STR("[]"), err));
	TRY(add_metrics_port(m, err));
	TRY(add_agent_variables(m, rows, ARRAY_LEN(rows), err));
	return add_sink(m, err);
}

/* Somebody else's injector pushed it away. */
static int move_agent(struct making *m, struct err *err)
{
	char from[POINTER_SIZE];

	(void)snprintf(from, sizeof(from), "/spec/initContainers/%zu", m->plan->at);
	return kube_patch_move(&m->patch, from, "/spec/initContainers/0", err);
}

static int make_patch(struct making *m, struct err *err)
{
	if (m->plan->at != NO_INDEX) {
		if (m->plan->at > 0)
			TRY(move_agent(m, err));
		if (controller_inject_late_sink(m->r))
			TRY(add_sink(m, err));
	} else {
		TRY(add_labels(m, err));
		TRY(add_volumes(m, err));
		TRY(add_agent(m, err));
	}
	TRY(give_to(m, &m->r->main, false, err));
	TRY(give_to(m, &m->r->init, true, err));
	return kube_patch_end(&m->patch, err);
}

static void making_done(struct making *m)
{
	base_buf_done(&m->piece);
}
CLEANUP_DONE(struct making, making_done);

int controller_inject_patch(
	const struct controller_inject_review *r, struct buf *patch, struct err *err)
{
	_cleanup_(base_map_free) struct map *named = NULL;
	struct plan plan = {0};
	_cleanup_(making_done) struct making m = {
		.r = r, .plan = &plan, .patch = kube_patch(patch), .piece = base_buf(PIECE_MAX)};

	TRY(make_plan(r, &plan, err));
	TRY(read_named(r, &named, err));
	m.named = named;
	return make_patch(&m, err);
}
