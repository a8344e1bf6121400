/* The API server: objects, versions, patches, refusals, and the log that watches read. */
#include "sim/world.h"

#include "pkg/base/alloc.h"

#include <stdio.h>

#define OBJECT_JSON_MAX (1u << 20)

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return o && json_object_object_get_ex(o, key, &v) ? v : NULL;
}

static const char *text(struct json_object *o, const char *key)
{
	struct json_object *v = member(o, key);

	return v ? json_object_get_string(v) : "";
}

static struct str json_of(struct json_object *o)
{
	size_t n = 0;
	const char *p = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &n);

	return base_str_n(p, n);
}

struct sim_object *sim_object(struct sim_world *w, struct str name, bool lease)
{
	for (size_t i = 0; i < SIM_OBJECTS_MAX; i++)
		if (w->objects[i].there && w->objects[i].lease == lease &&
			base_str_eq(base_str(w->objects[i].name), name))
			return &w->objects[i];
	return NULL;
}

struct crds_functionkey *sim_record(struct sim_world *w, struct str name)
{
	const struct sim_object *o = sim_object(w, name, false);
	struct crds_functionkey *fk = NULL;
	struct err err = {0};

	if (o && crds_functionkey_decode(json_of(o->doc), &fk, &err) < 0)
		sim_fail(w, "a stored record does not decode: %s", err.msg);
	return fk;
}

/* -- versions -- */

static void append(struct sim_world *w, const struct sim_object *o, bool deleted)
{
	const struct str json = json_of(o->doc);

	if (w->log_len == w->log_cap) {
		w->log_cap = w->log_cap ? 2 * w->log_cap : 256;
		w->log = base_realloc(w->log, w->log_cap * sizeof(*w->log));
		base_assert(w->log);
	}
	struct sim_version *v = &w->log[w->log_len++];
	*v = (struct sim_version){.lease = o->lease,
		.deleted = deleted,
		.member = strchr(o->name, '.') != NULL,
		.json = base_strndup(json.p, json.n)};
	memcpy(v->name, o->name, sizeof(v->name));
	sim_watch_tell(w);
}

static void stamp(struct sim_world *w, struct json_object *doc)
{
	char version[24];

	(void)snprintf(version, sizeof(version), "%llu", (unsigned long long)++w->version);
	(void)json_object_object_add(
		member(doc, "metadata"), "resourceVersion", json_object_new_string(version));
}

static struct sim_object *keep_new(struct sim_world *w, struct json_object *doc, bool lease)
{
	char uid[64];

	for (size_t i = 0; i < SIM_OBJECTS_MAX; i++) {
		struct sim_object *o = &w->objects[i];
		if (o->there)
			continue;
		*o = (struct sim_object){.there = true, .lease = lease, .doc = doc};
		(void)snprintf(uid, sizeof(uid), "00000000-0000-4000-8000-%012llu",
			(unsigned long long)w->version);
		struct json_object *meta = member(doc, "metadata");
		(void)json_object_object_add(meta, "uid", json_object_new_string(uid));
		(void)json_object_object_add(meta, "namespace", json_object_new_string(SIM_NS));
		(void)snprintf(o->name, sizeof(o->name), "%s", text(meta, "name"));
		stamp(w, doc);
		append(w, o, false);
		return o;
	}
	base_assert(!"more objects than a world has");
	return NULL;
}

/* Takes doc over. */
static void keep(struct sim_world *w, struct sim_object *o, struct json_object *doc)
{
	if (w->options.plant == SIM_CHATTER && strchr(o->name, '.') && member(doc, "status"))
		json_object_object_del(member(doc, "status"), "conditions");
	if (json_object_equal(o->doc, doc)) {
		w->idle_writes += !o->lease;
		json_object_put(doc);
		return;
	}
	json_object_put(o->doc);
	o->doc = doc;
	stamp(w, doc);
	w->record_writes += !o->lease;
	append(w, o, false);
}

void sim_delete(struct sim_world *w, struct str name)
{
	struct sim_object *o = sim_object(w, name, false);

	if (!o)
		return;
	stamp(w, o->doc);
	append(w, o, true);
	json_object_put(o->doc);
	*o = (struct sim_object){0};
}

/* -- FunctionKeys -- */

static void count_members(void *ctx)
{
	struct sim_world *w = ctx;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *leader =
		sim_record(w, STR(SIM_REVISION));
	char patch[128];
	int64_t total = 0;
	int64_t ready = 0;

	w->counting = false;
	for (size_t i = 0; i < SIM_OBJECTS_MAX; i++) {
		if (!w->objects[i].there || !strchr(w->objects[i].name, '.'))
			continue;
		_cleanup_(crds_functionkey_free) struct crds_functionkey *m =
			sim_record(w, base_str(w->objects[i].name));
		const struct crds_condition *c = m ? crds_condition_find(m, STR("Ready")) : NULL;
		total++;
		ready += c && c->status == CRDS_TRUE;
	}
	if (!leader || (leader->members_total == total && leader->members_ready == ready))
		return;
	(void)snprintf(patch, sizeof(patch),
		"{\"status\":{\"members\":{\"total\":%lld,\"ready\":%lld,\"summary\":\"%lld/"
		"%lld\"}}}",
		(long long)total, (long long)ready, (long long)ready, (long long)total);
	sim_edit(w, SIM_REVISION, "status", patch);
}

/* The controller writes counts a second after something changed. */
static void count_soon(struct sim_world *w)
{
	if (w->counting)
		return;
	w->counting = true;
	sim_after(w, NULL, NS_PER_S, count_members, w);
}

static int check(struct sim_world *w, const struct sim_replica *by, struct json_object *before,
	struct json_object *after, struct err *err)
{
	_cleanup_(crds_functionkey_free) struct crds_functionkey *old = NULL, *new = NULL;

	if (before)
		TRY(crds_functionkey_decode(json_of(before), &old, err));
	TRY(crds_functionkey_decode(json_of(after), &new, err));
	const char *why = sim_rules_refuse(old, new, by, w->options.plant != SIM_NO_FENCE);
	if (!why && by && sim_policy_knows(w, by))
		why = sim_rules_refuse_revoked(old, new, by);
	if (why)
		return FAIL(err, ERR_INVALID, "%s", why);
	sim_check_write(w, by, old, new);
	return 0;
}

static int create(struct sim_world *w, const struct sim_replica *by, struct str json,
	struct buf *body, struct err *err)
{
	struct json_object *doc = sim_parse(json);
	const struct str name = base_str(text(member(doc, "metadata"), "name"));
	int r = 0;

	if (sim_object(w, name, false))
		r = FAIL(err, ERR_EXISTS, "%.*s exists", STR_FMT(name));
	else if (by && strcmp(name.p, by->member) != 0)
		r = FAIL(err, ERR_DENIED, "a pod makes its own record only");
	else if (by && !by->there)
		r = FAIL(err, ERR_DENIED, "the token's pod is gone");
	else if (by && sim_policy_knows(w, by))
		r = FAIL(err, ERR_DENIED, "a revoked pod writes no record");
	else
		r = check(w, by, NULL, doc, err);
	if (r < 0) {
		json_object_put(doc);
		return r;
	}
	w->record_writes++;
	count_soon(w);
	return base_buf_add_str(body, json_of(keep_new(w, doc, false)->doc), err);
}

/* A write to status changes status only, every other one all but status. */
static struct json_object *with_status_of(struct json_object *rest, struct json_object *status_from)
{
	struct json_object *out = NULL;
	struct json_object *status = member(status_from, "status");

	base_assert(json_object_deep_copy(rest, &out, NULL) == 0);
	if (status)
		(void)json_object_object_add(out, "status", json_object_get(status));
	else
		json_object_object_del(out, "status");
	return out;
}

static int patch(struct sim_world *w, const struct sim_replica *by,
	const struct kube_request *request, struct buf *body, struct err *err)
{
	struct sim_object *o = sim_object(w, request->name, false);

	if (!o)
		return FAIL(err, ERR_NOT_FOUND, "%.*s is not there", STR_FMT(request->name));
	if (by && !by->there)
		return FAIL(err, ERR_DENIED, "the token's pod is gone");
	struct json_object *p = sim_parse(request->body);
	struct json_object *all =
		request->verb == KUBE_PATCH_JSON
			? sim_patch_json(o->doc, p, w->options.plant != SIM_NO_FENCE)
			: sim_patch_merge(o->doc, p);
	json_object_put(p);
	if (!all)
		return FAIL(err, ERR_CONFLICT, "a test of the patch failed");
	struct json_object *doc =
		request->subresource.n ? with_status_of(o->doc, all) : with_status_of(all, o->doc);
	json_object_put(all);
	const int r = check(w, by, o->doc, doc, err);
	if (r < 0) {
		json_object_put(doc);
		return r;
	}
	if (w->options.trace)
		(void)fprintf(stderr, "%8lld ms %s writes %s %.*s\n",
			(long long)(w->now / NS_PER_MS), by ? by->pod : "controller", o->name,
			(int)(request->body.n < 300 ? request->body.n : 300), request->body.p);
	keep(w, o, doc);
	count_soon(w);
	return base_buf_add_str(body, json_of(o->doc), err);
}

static int list(struct sim_world *w, struct buf *body, struct err *err)
{
	bool first = true;

	TRY(base_buf_addf(body, err,
		"{\"apiVersion\":\"functionkey.dev/v1alpha1\",\"kind\":\"FunctionKeyList\","
		"\"metadata\":{\"resourceVersion\":\"%llu\"},\"items\":[",
		(unsigned long long)w->version));
	for (size_t i = 0; i < SIM_OBJECTS_MAX; i++) {
		if (!w->objects[i].there || !strchr(w->objects[i].name, '.'))
			continue;
		if (!first)
			TRY(base_buf_add_byte(body, ',', err));
		first = false;
		TRY(base_buf_add_str(body, json_of(w->objects[i].doc), err));
	}
	return base_buf_add_str(body, STR("]}"), err);
}

/* -- Pods -- */

static int get_pod(struct sim_world *w, struct str name, struct buf *body, struct err *err)
{
	for (size_t i = 0; i < w->replicas_len; i++) {
		const struct sim_replica *r = &w->replicas[i];
		if (!r->there || !base_str_eq(base_str(r->pod), name))
			continue;
		return base_buf_addf(body, err,
			"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"" SIM_NS
			"\",\"uid\":\"%s\",\"resourceVersion\":\"1\",\"labels\":{"
			"\"functionkey.dev/revision\":\"" SIM_REVISION "\"},"
			"\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\","
			"\"name\":\"" SIM_REVISION "\",\"controller\":true,"
			"\"uid\":\"11111111-1111-4111-8111-111111111111\"}]},"
			"\"status\":{\"phase\":\"Running\"}}",
			r->pod, r->uid);
	}
	return FAIL(err, ERR_NOT_FOUND, "pod %.*s is not there", STR_FMT(name));
}

/* -- the Lease -- */

/* Taking a Lease that is live is theft; the former incarnation's is one's own. */
static void check_holder(struct sim_world *w, const struct sim_replica *by, struct json_object *old,
	struct json_object *new)
{
	const char *before = text(old, "holderIdentity"), *after = text(new, "holderIdentity");
	const int64_t lasts = json_object_get_int64(member(old, "leaseDurationSeconds")) * NS_PER_S;

	if (!by || !*before || !*after || strcmp(before, after) == 0 ||
		base_str_starts(base_str(before), base_str(by->pod)))
		return;
	if (w->now < w->lease_written + lasts)
		sim_fail(w, "%s took the Lease that %s holds", by->pod, before);
}

static int put_lease(struct sim_world *w, const struct sim_replica *by,
	const struct kube_request *request, struct buf *body, struct err *err)
{
	struct sim_object *o = sim_object(w, STR(SIM_LEASE), true);
	struct json_object *doc = sim_parse(request->body);
	const char *holder = text(member(doc, "spec"), "holderIdentity");

	if (strcmp(text(member(doc, "metadata"), "resourceVersion"),
		    text(member(o->doc, "metadata"), "resourceVersion")) != 0) {
		json_object_put(doc);
		return FAIL(err, ERR_CONFLICT, "the Lease was written meanwhile");
	}
	if (by && *holder && sim_policy_knows(w, by)) {
		json_object_put(doc);
		return FAIL(err, ERR_DENIED, "a revoked pod takes no Lease");
	}
	if (by && (!by->there ||
			  (*holder && !base_str_starts(base_str(holder), base_str(by->pod))))) {
		json_object_put(doc);
		return FAIL(err, ERR_DENIED, "a Lease is taken under one's own name");
	}
	check_holder(w, by, member(o->doc, "spec"), member(doc, "spec"));
	/* What the controller notes beside a holder is no renewal. */
	if (by || !*holder)
		w->lease_written = w->now;
	if (w->options.trace)
		(void)fprintf(stderr, "%8lld ms %s writes the Lease: %s\n",
			(long long)(w->now / NS_PER_MS), by ? by->pod : "controller", holder);
	keep(w, o, doc);
	return base_buf_add_str(body, json_of(o->doc), err);
}

/* -- all -- */

static int serve_records(struct sim_world *w, const struct sim_replica *by,
	const struct kube_request *request, struct buf *body, struct err *err)
{
	const struct sim_object *o = NULL;

	if (request->verb == KUBE_CREATE)
		return create(w, by, request->body, body, err);
	if (request->verb == KUBE_LIST)
		return list(w, body, err);
	if (request->verb != KUBE_GET)
		return patch(w, by, request, body, err);
	o = sim_object(w, request->name, false);
	if (!o)
		return FAIL(err, ERR_NOT_FOUND, "%.*s is not there", STR_FMT(request->name));
	return base_buf_add_str(body, json_of(o->doc), err);
}

int sim_serve(struct sim_world *w, const struct sim_replica *by, const struct kube_request *request,
	struct buf *body, struct err *err)
{
	const char *plural = request->resource->plural;
	int r = 0;

	w->requests += by && strcmp(plural, "leases") != 0;
	if (strcmp(plural, "pods") == 0)
		return get_pod(w, request->name, body, err);
	if (strcmp(plural, "leases") == 0 && request->verb == KUBE_GET)
		return base_buf_add_str(
			body, json_of(sim_object(w, STR(SIM_LEASE), true)->doc), err);
	if (strcmp(plural, "leases") == 0)
		return put_lease(w, by, request, body, err);
	r = serve_records(w, by, request, body, err);
	w->stats.writes += kube_verb_writes(request->verb) && r == 0;
	w->stats.refused += kube_verb_writes(request->verb) && r < 0;
	return r;
}

void sim_edit(struct sim_world *w, const char *name, const char *subresource, const char *json)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(OBJECT_JSON_MAX);
	const struct kube_request request = {.verb = KUBE_PATCH_MERGE,
		.resource = &crds_functionkeys,
		.name = base_str(name),
		.subresource = base_str(subresource),
		.body = base_str(json)};
	struct err err = {0};

	if (sim_serve(w, NULL, &request, &body, &err) < 0)
		sim_fail(w, "an edit of %s is refused: %s", name, err.msg);
}

void sim_server_start(struct sim_world *w)
{
	static const char *const change[] = {"NewEpoch", "Inherit"};
	char leader[1024];

	(void)snprintf(leader, sizeof(leader),
		"{\"apiVersion\":\"functionkey.dev/v1alpha1\",\"kind\":\"FunctionKey\","
		"\"metadata\":{\"name\":\"" SIM_REVISION "\",\"labels\":{"
		"\"functionkey.dev/for\":\"" SIM_REVISION "\",\"functionkey.dev/role\":\"leader\"},"
		"\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\","
		"\"name\":\"" SIM_REVISION "\",\"uid\":\"11111111-1111-4111-8111-111111111111\"}]},"
		"\"spec\":{\"role\":\"Leader\",\"revision\":\"" SIM_REVISION "\","
		"\"function\":\"orders\",\"scheme\":\"umbral-secp256k1\",\"onLeaderChange\":\"%s\","
		"\"rotation\":{\"period\":\"%llds\"},"
		"\"retention\":{\"minAge\":\"%llds\",\"maxEpochs\":%lld}}}",
		change[sim_between(w, 0, 1)],
		(long long)(w->options.periods && sim_once_in(w, 3) ? sim_between(w, 1, 30) : 0),
		(long long)sim_between(w, 1, 60), (long long)sim_between(w, 1, 12));
	(void)keep_new(w, sim_parse(base_str(leader)), false);
	(void)keep_new(w,
		sim_parse(STR("{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
			      "\"metadata\":{\"name\":\"" SIM_LEASE "\"},\"spec\":{"
			      "\"holderIdentity\":\"\",\"leaseDurationSeconds\":30,"
			      "\"leaseTransitions\":0}}")),
		true);
}

void sim_server_end(struct sim_world *w)
{
	for (size_t i = 0; i < SIM_OBJECTS_MAX; i++)
		json_object_put(w->objects[i].doc);
	for (size_t i = 0; i < w->log_len; i++)
		base_free(w->log[i].json);
	base_free(w->log);
}
