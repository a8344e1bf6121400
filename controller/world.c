#include "controller/world.h"

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/kube/informer.h"

enum cache { PODS, RECORDS, LEASES, NAMESPACES, SERVICES, SLICES, ROLEBINDINGS, CACHES };

struct slot {
	struct controller_world *w;
	struct kube_informer *informer;
	size_t by_revision; /* index */
};

struct controller_world {
	struct controller_core *core;
	struct controller_world_handler handler;
	void *ctx;
	struct slot slots[CACHES];
	uint64_t changes[CACHES];
	bool said_synced;
	const struct crds_pod **pods;
	const struct controller_record **members;
	size_t pods_cap, members_cap;
};

/* -- which revision an object concerns -- */

static bool join(struct str ns, struct str revision, char dst[static 512])
{
	if (revision.n == 0 || ns.n + revision.n > 510)
		return false;
	if (ns.n)
		memcpy(dst, ns.p, ns.n);
	dst[ns.n] = '/';
	memcpy(dst + ns.n + 1, revision.p, revision.n);
	dst[ns.n + 1 + revision.n] = 0;
	return true;
}

static bool pod_key(const struct crds_pod *pod, char dst[static 512])
{
	char revision[CRDS_REVISION_MAX + 1];

	return crds_pod_revision(pod, revision, NULL) == 0 &&
	       join(pod->ns, base_str(revision), dst);
}

static bool is_of(const struct crds_pod *pod, struct str ns, struct str revision)
{
	char name[CRDS_REVISION_MAX + 1];

	return base_str_eq(pod->ns, ns) && crds_pod_revision(pod, name, NULL) == 0 &&
	       base_str_eq(base_str(name), revision);
}

static bool key_of(enum cache cache, const void *object, char dst[static 512])
{
	const struct controller_record *r = object;
	const struct controller_lease *l = object;
	const struct controller_owned *o = object;
	const struct controller_slice *s = object;

	switch (cache) {
	case PODS:
		return pod_key(object, dst);
	case RECORDS:
		return join(r->meta.ns, r->revision, dst);
	case LEASES:
		return join(l->meta.ns, l->revision, dst);
	case SERVICES:
		return join(o->meta.ns, o->revision, dst);
	case SLICES:
		return join(s->meta.ns, s->revision, dst);
	case NAMESPACES:
	case ROLEBINDINGS:
	case CACHES:
		break;
	}
	return false;
}

/* Index functions: a pod's or record's revision; namespaces are compared when looked up. */
static size_t record_revision(const void *object, struct str *keys)
{
	keys[0] = ((const struct controller_record *)object)->revision;
	return 1;
}

static size_t lease_revision(const void *object, struct str *keys)
{
	keys[0] = ((const struct controller_lease *)object)->revision;
	return 1;
}

/* Almost every pod has the label; the few that have not are looked through: the revision of a pod
 * without an owner and with an odd name hangs on its UID. */
#define UNLABELLED STR("/")

static size_t pod_revision(const void *object, struct str *keys)
{
	const struct crds_pod *pod = object;

	keys[0] = pod->revision.n ? pod->revision : UNLABELLED;
	return 1;
}

/* -- events -- */

static void tell(struct slot *slot, enum cache cache, const void *object)
{
	char key[512];
	struct controller_world *w = slot->w;

	if (cache == NAMESPACES) {
		w->handler.ns(w->ctx, ((const struct controller_namespace *)object)->meta.name);
	} else if (cache == ROLEBINDINGS) {
		w->handler.ns(w->ctx, ((const struct controller_owned *)object)->meta.ns);
	} else if (key_of(cache, object, key)) {
		w->handler.revision(w->ctx, base_str(key));
	}
}

static bool same_lease(const struct controller_lease *a, const struct controller_lease *b)
{
	return base_str_eq(a->holder, b->holder) && base_str_eq(a->revision, b->revision) &&
	       a->transitions == b->transitions && a->owners == b->owners;
}

/* A version that says nothing new: a renewed Lease, an annotation of a pod. Most events of a
 * cluster at work are such. */
static bool says_nothing(enum cache cache, const void *old, const void *cur)
{
	if (!old || !cur)
		return false;
	if (cache == PODS)
		return crds_pod_same(old, cur);
	return cache == LEASES && same_lease(old, cur);
}

static void on_change(void *ctx, enum kube_change change, const void *old, const void *cur)
{
	struct slot *slot = ctx;
	const enum cache cache = (enum cache)(slot - slot->w->slots);

	(void)change;
	if (says_nothing(cache, old, cur))
		return;
	slot->w->changes[cache]++;
	if (old)
		tell(slot, cache, old);
	if (cur)
		tell(slot, cache, cur);
}

static bool all_synced(const struct controller_world *w)
{
	for (size_t i = 0; i < CACHES; i++)
		if (!kube_informer_synced(w->slots[i].informer))
			return false;
	return true;
}

static void on_synced(void *ctx)
{
	struct controller_world *w = ((struct slot *)ctx)->w;

	if (w->said_synced || !all_synced(w))
		return;
	w->said_synced = true;
	w->handler.synced(w->ctx);
}

static void on_trouble(void *ctx, const struct err *err)
{
	const struct slot *slot = ctx;
	static const char *const names[CACHES] = {"pods", "functionkeys", "leases", "namespaces",
		"services", "endpointslices", "rolebindings"};

	log_write(slot->w->core->log, LOG_WARN, "cannot watch",
		LOG_STR("resource", base_str(names[slot - slot->w->slots])), LOG_ERR("error", err));
}

/* -- the caches, as a table -- */

static const struct {
	const struct kube_resource *resource;
	const struct kube_kind *kind;
	const char *labels;
	kube_index_fn index;
} caches[CACHES] = {
	[PODS] = {&crds_pods, &controller_pod_kind, CRDS_LABEL_INJECT "=true", pod_revision},
	[RECORDS] = {&crds_functionkeys, &controller_record_kind, "", record_revision},
	[LEASES] = {&controller_leases, &controller_lease_kind, CRDS_LABEL_REVISION,
		lease_revision},
	[NAMESPACES] = {&controller_namespaces, &controller_namespace_kind,
		CRDS_LABEL_INJECT "=enabled", NULL},
	[SERVICES] = {&controller_services, &controller_service_kind,
		"app.kubernetes.io/managed-by=functionkey-controller", NULL},
	[SLICES] = {&controller_slices, &controller_slice_kind,
		"endpointslice.kubernetes.io/managed-by=functionkey-controller", NULL},
	[ROLEBINDINGS] = {&controller_rolebindings, &controller_rolebinding_kind,
		"app.kubernetes.io/managed-by=functionkey-controller", NULL},
};

static int open_cache(struct controller_world *w, size_t i, struct err *err)
{
	static const struct kube_handler handler = {
		.on = on_change, .synced = on_synced, .trouble = on_trouble};
	const struct kube_informer_spec spec = {.resource = caches[i].resource,
		.label_selector = base_str(caches[i].labels),
		.kind = caches[i].kind};
	struct slot *slot = &w->slots[i];

	slot->w = w;
	TRY(kube_informer_new(w->core->client, &spec, &handler, slot, &slot->informer, err));
	if (caches[i].index)
		TRY(kube_informer_add_index(
			slot->informer, caches[i].index, &slot->by_revision, err));
	return 0;
}

int controller_world_new(struct controller_core *core,
	const struct controller_world_handler *handler, void *ctx,
	struct controller_world **ret_world, struct err *err)
{
	_cleanup_(controller_world_free) struct controller_world *w = base_alloc(1, sizeof(*w));

	if (!w)
		return FAIL(err, ERR_NOMEM, "world");
	w->core = core;
	w->handler = *handler;
	w->ctx = ctx;
	for (size_t i = 0; i < CACHES; i++)
		TRY(open_cache(w, i, err));
	*ret_world = STEAL(w);
	return 0;
}

struct controller_world *controller_world_free(struct controller_world *w)
{
	if (!w)
		return NULL;
	for (size_t i = 0; i < CACHES; i++)
		kube_informer_free(w->slots[i].informer);
	base_free(w->pods);
	base_free(w->members);
	return base_free(w);
}

void controller_world_replay(struct controller_world *w)
{
	for (size_t i = 0; i < CACHES; i++) {
		const struct kube_store *store = kube_informer_store(w->slots[i].informer);
		const void *object = NULL;
		for (size_t at = 0; (object = kube_store_each(store, &at));)
			tell(&w->slots[i], (enum cache)i, object);
	}
}

/* -- looking -- */

static int room(void *list, size_t *cap, size_t n, struct err *err)
{
	void **p = list;

	if (n <= *cap)
		return 0;
	void *grown = base_realloc(*p, (n + 16) * sizeof(void *));
	if (!grown)
		return FAIL(err, ERR_NOMEM, "list of %zu", n);
	*p = grown;
	*cap = n + 16;
	return 0;
}

static int look_pods(struct controller_world *w, struct str ns, struct str revision,
	struct controller_view *v, struct err *err)
{
	const struct str keys[] = {revision, UNLABELLED};
	size_t kept = 0;

	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		const void *const *found = NULL;
		const size_t n = kube_store_by_index(kube_informer_store(w->slots[PODS].informer),
			w->slots[PODS].by_revision, keys[k], &found);
		TRY(room(&w->pods, &w->pods_cap, kept + n, err));
		for (size_t i = 0; i < n; i++)
			if (is_of(found[i], ns, revision))
				w->pods[kept++] = found[i];
	}
	v->pods = w->pods;
	v->pods_len = kept;
	return 0;
}

static int look_records(struct controller_world *w, struct str ns, struct str revision,
	struct controller_view *v, struct err *err)
{
	const void *const *found = NULL;
	const size_t n = kube_store_by_index(kube_informer_store(w->slots[RECORDS].informer),
		w->slots[RECORDS].by_revision, revision, &found);
	size_t kept = 0;

	TRY(room(&w->members, &w->members_cap, n, err));
	for (size_t i = 0; i < n; i++) {
		const struct controller_record *r = found[i];
		if (!base_str_eq(r->meta.ns, ns))
			continue;
		if (r->role == CRDS_LEADER)
			v->leader = r;
		else
			w->members[kept++] = r;
	}
	v->members = w->members;
	v->members_len = kept;
	return 0;
}

int controller_world_look(
	struct controller_world *w, struct str key, struct controller_view *v, struct err *err)
{
	const size_t slash = base_str_find(key, '/', 0);
	const struct str ns = base_str_sub(key, 0, slash);
	const struct str revision = base_str_sub(key, slash + 1, key.n);
	char name[300];
	const struct controller_namespace *space = controller_world_namespace(w, ns);

	v->ns = ns;
	v->revision = revision;
	v->opted_in = space && !space->deleting;
	TRY(look_pods(w, ns, revision, v, err));
	TRY(look_records(w, ns, revision, v, err));
	(void)snprintf(name, sizeof(name), CRDS_LEASE_PREFIX "%.*s", STR_FMT(revision));
	v->lease = kube_store_get(w->slots[LEASES].informer, ns, base_str(name));
	(void)snprintf(name, sizeof(name), "%.*s-leader", STR_FMT(revision));
	v->has_service = kube_store_get(w->slots[SERVICES].informer, ns, base_str(name)) != NULL;
	v->slice = kube_store_get(w->slots[SLICES].informer, ns, base_str(name));
	return 0;
}

const struct controller_namespace *controller_world_namespace(
	const struct controller_world *w, struct str name)
{
	return kube_store_get(w->slots[NAMESPACES].informer, STR_NULL, name);
}

const struct controller_owned *controller_world_rolebinding(
	const struct controller_world *w, struct str ns, struct str name)
{
	return kube_store_get(w->slots[ROLEBINDINGS].informer, ns, name);
}

const struct crds_pod *controller_world_each_pod(const struct controller_world *w, size_t *at)
{
	return kube_store_each(kube_informer_store(w->slots[PODS].informer), at);
}

uint64_t controller_world_pod_changes(const struct controller_world *w)
{
	return w->changes[PODS] + w->changes[NAMESPACES];
}

struct controller_world_counts controller_world_counts(const struct controller_world *w)
{
	return (struct controller_world_counts){
		.pods = kube_store_len(kube_informer_store(w->slots[PODS].informer)),
		.records = kube_store_len(kube_informer_store(w->slots[RECORDS].informer)),
		.leases = kube_store_len(kube_informer_store(w->slots[LEASES].informer)),
		.namespaces = kube_store_len(kube_informer_store(w->slots[NAMESPACES].informer)),
	};
}
