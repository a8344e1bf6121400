#include "agent/records.h"

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/base/map.h"
#include "pkg/kube/informer.h"

struct agent_records {
	struct agent_core *core;
	struct agent_records_handler handler;
	void *ctx;
	struct kube_informer *pair;    /* Leader and own Member record */
	struct kube_informer *members; /* while leading; NULL else */
	struct map *newer; /* by name: struct crds_functionkey that no watch has shown yet */
	const struct crds_functionkey **list;
	size_t list_cap;
};

static int decode(struct str doc, void **ret_object, struct err *err)
{
	struct crds_functionkey *fk = NULL;

	TRY(crds_functionkey_decode(doc, &fk, err));
	*ret_object = fk;
	return 0;
}

static struct kube_meta meta(const void *object)
{
	const struct crds_functionkey *fk = object;

	return (struct kube_meta){
		.ns = fk->ns, .name = fk->name, .uid = fk->uid, .rv = fk->resource_version};
}

static const struct kube_kind kind = {.decode = decode, .meta = meta};

/* True if a is as new as b or newer. What cannot be compared counts as newer: the watch is right.
 */
static bool as_new(const struct crds_functionkey *a, const struct crds_functionkey *b)
{
	int order = 0;

	if (!base_str_eq(a->uid, b->uid))
		return true;
	return kube_rv_cmp(a->resource_version, b->resource_version, &order, NULL) < 0 ||
	       order >= 0;
}

static void drop_newer(struct agent_records *r, struct str name)
{
	crds_functionkey_free(base_map_remove(r->newer, name));
}

/* What nobody will tell us of from now on. */
static void drop_members(struct agent_records *r)
{
	struct str key = STR_NULL;
	void *value = NULL;

	for (size_t at = 0; base_map_next(r->newer, &at, &key, &value);) {
		const struct crds_functionkey *fk = value;
		if (fk->role == CRDS_MEMBER && !base_str_eq(fk->name, r->core->self.member))
			drop_newer(r, fk->name);
	}
}

static void on_change(void *ctx, enum kube_change change, const void *old, const void *cur)
{
	struct agent_records *r = ctx;
	const struct crds_functionkey *seen = change == KUBE_DELETED ? old : cur;
	const struct crds_functionkey *newer = base_map_get(r->newer, seen->name);

	/* While we lead, both watches show our own record; it is read from the first. */
	if (newer && change != KUBE_DELETED && base_str_eq(newer->name, r->core->self.member))
		seen = kube_store_get(r->pair, newer->ns, newer->name);
	/* What is gone is gone, whatever version its last word had. */
	if (newer && seen &&
		(as_new(seen, newer) ||
			(change == KUBE_DELETED && base_str_eq(seen->uid, newer->uid))))
		drop_newer(r, seen->name);
	r->handler.changed(r->ctx);
}

static void on_synced(void *ctx)
{
	struct agent_records *r = ctx;

	r->handler.changed(r->ctx);
}

static void on_trouble(void *ctx, const struct err *err)
{
	struct agent_records *r = ctx;

	log_write(r->core->log, LOG_WARN, "cannot watch the FunctionKeys", LOG_ERR("error", err));
	r->handler.trouble(r->ctx, err);
}

static int inform(struct agent_records *r, struct str selector, struct kube_informer **ret_informer,
	struct err *err)
{
	static const struct kube_handler handler = {
		.on = on_change, .synced = on_synced, .trouble = on_trouble};
	const struct kube_informer_spec spec = {.resource = &crds_functionkeys,
		.ns = r->core->self.ns,
		.label_selector = selector,
		.kind = &kind};

	return kube_informer_new(r->core->client, &spec, &handler, r, ret_informer, err);
}

int agent_records_new(struct agent_core *core, const struct agent_records_handler *handler,
	void *ctx, struct agent_records **ret_records, struct err *err)
{
	_cleanup_(agent_records_free) struct agent_records *r = base_alloc(1, sizeof(*r));
	_cleanup_(base_buf_done) struct buf selector = base_buf(512);

	if (!r)
		return FAIL(err, ERR_NOMEM, "records");
	r->core = core;
	r->handler = *handler;
	r->ctx = ctx;
	TRY(base_map_new(AGENT_MEMBERS_MAX, &r->newer, err));
	TRY(base_buf_addf(&selector, err, CRDS_LABEL_FOR " in (%.*s,%.*s)",
		STR_FMT(core->self.revision), STR_FMT(core->self.pod_uid)));
	TRY(inform(r, base_buf_str(&selector), &r->pair, err));
	*ret_records = STEAL(r);
	return 0;
}

struct agent_records *agent_records_free(struct agent_records *r)
{
	struct str key = STR_NULL;
	void *value = NULL;

	if (!r)
		return NULL;
	kube_informer_free(r->pair);
	kube_informer_free(r->members);
	for (size_t at = 0; r->newer && base_map_next(r->newer, &at, &key, &value);)
		crds_functionkey_free(value);
	base_map_free(r->newer);
	base_free(r->list);
	return base_free(r);
}

bool agent_records_synced(const struct agent_records *r)
{
	return kube_informer_synced(r->pair);
}

static const struct crds_functionkey *newest(
	struct agent_records *r, const struct kube_informer *informer, struct str name)
{
	const struct crds_functionkey *seen = kube_store_get(informer, r->core->self.ns, name);
	const struct crds_functionkey *newer = base_map_get(r->newer, name);

	if (!newer || (seen && as_new(seen, newer)))
		return seen;
	return newer;
}

const struct crds_functionkey *agent_records_leader(struct agent_records *r)
{
	const struct crds_functionkey *fk = newest(r, r->pair, r->core->self.revision);

	return fk && fk->role == CRDS_LEADER ? fk : NULL;
}

const struct crds_functionkey *agent_records_own(struct agent_records *r)
{
	const struct crds_functionkey *fk = newest(r, r->pair, r->core->self.member);

	return fk && fk->role == CRDS_MEMBER ? fk : NULL;
}

int agent_records_follow_members(struct agent_records *r, bool follow, struct err *err)
{
	_cleanup_(base_buf_done) struct buf selector = base_buf(512);

	if (!follow) {
		drop_members(r);
		r->members = kube_informer_free(r->members);
		return 0;
	}
	if (r->members)
		return 0;
	TRY(base_buf_addf(&selector, err, CRDS_LABEL_REVISION "=%.*s," CRDS_LABEL_ROLE "=member",
		STR_FMT(r->core->self.revision)));
	return inform(r, base_buf_str(&selector), &r->members, err);
}

bool agent_records_members_synced(const struct agent_records *r)
{
	return r->members && kube_informer_synced(r->members);
}

static int add_member(
	struct agent_records *r, const struct crds_functionkey *fk, size_t *n, struct err *err)
{
	if (*n == r->list_cap) {
		const size_t cap = r->list_cap ? r->list_cap * 2 : 16;
		const struct crds_functionkey **grown =
			base_realloc(r->list, cap * sizeof(const struct crds_functionkey *));
		if (!grown)
			return FAIL(err, ERR_NOMEM, "list of %zu members", cap);
		r->list = grown;
		r->list_cap = cap;
	}
	r->list[(*n)++] = fk;
	return 0;
}

/* A member that only a kick or a write has shown so far. */
static bool only_newer(const struct agent_records *r, const struct crds_functionkey *fk)
{
	return fk->role == CRDS_MEMBER && base_str_eq(fk->revision, r->core->self.revision) &&
	       !base_str_eq(fk->name, r->core->self.member) &&
	       !kube_store_get(r->members, r->core->self.ns, fk->name);
}

int agent_records_members(struct agent_records *r, const struct crds_functionkey *const **ret_list,
	size_t *ret_n, struct err *err)
{
	const struct crds_functionkey *fk = NULL;
	struct str key = STR_NULL;
	void *value = NULL;
	size_t n = 0;

	if (r->members) {
		const struct kube_store *store = kube_informer_store(r->members);
		for (size_t at = 0; (fk = kube_store_each(store, &at));)
			if (fk->role == CRDS_MEMBER && !base_str_eq(fk->name, r->core->self.member))
				TRY(add_member(r, newest(r, r->members, fk->name), &n, err));
		for (size_t at = 0; base_map_next(r->newer, &at, &key, &value);)
			if (only_newer(r, value))
				TRY(add_member(r, value, &n, err));
	}
	*ret_list = r->list;
	*ret_n = n;
	return 0;
}

/* Whether a watch of ours will show it, or that it is gone: anybody can kick us with any name. */
static bool is_watched(const struct agent_records *r, const struct crds_functionkey *fk)
{
	const struct agent_self *self = &r->core->self;

	if (!base_str_eq(fk->ns, self->ns) || !base_str_eq(fk->revision, self->revision))
		return false;
	return base_str_eq(fk->name, self->revision) || base_str_eq(fk->name, self->member) ||
	       (r->members && fk->role == CRDS_MEMBER);
}

void agent_records_put(struct agent_records *r, struct crds_functionkey *fk)
{
	const struct crds_functionkey *have = base_map_get(r->newer, fk->name);
	const struct crds_functionkey *seen = kube_store_get(r->pair, fk->ns, fk->name);
	void *old = NULL;

	if (!seen && r->members)
		seen = kube_store_get(r->members, fk->ns, fk->name);
	if (!is_watched(r, fk) || (have && !as_new(fk, have)) || (seen && as_new(seen, fk)) ||
		base_map_put(r->newer, fk->name, fk, &old, NULL) < 0) {
		crds_functionkey_free(fk);
		return;
	}
	crds_functionkey_free(old);
	r->handler.changed(r->ctx);
}

void agent_records_forget(struct agent_records *r, struct str name)
{
	drop_newer(r, name);
	r->handler.changed(r->ctx);
}
