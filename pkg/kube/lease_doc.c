#include "pkg/kube/lease_impl.h"

#include "pkg/base/text.h"
#include "pkg/kube/patch.h"

const struct kube_resource kube_lease_resource = {
	.group = "coordination.k8s.io",
	.version = "v1",
	.plural = "leases",
	.kind = "Lease",
	.namespaced = true,
};

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, key, &v) ? v : NULL;
}

static struct str text_of(struct json_object *o, const char *key)
{
	struct json_object *v = member(o, key);

	if (!json_object_is_type(v, json_type_string))
		return STR_NULL;
	return base_str_n(json_object_get_string(v), (size_t)json_object_get_string_len(v));
}

static int32_t number_of(struct json_object *o, const char *key)
{
	struct json_object *v = member(o, key);
	const int64_t n = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;

	return n < 0 || n > INT32_MAX ? 0 : (int32_t)n;
}

static int64_t time_of(struct json_object *o, const char *key)
{
	int64_t ns = 0;

	return base_time_parse(text_of(o, key), &ns, NULL) == 0 ? ns : 0;
}

struct str kube_lease_meta(struct json_object *doc, const char *map, const char *key)
{
	struct json_object *meta = member(doc, "metadata");

	return text_of(map ? member(meta, map) : meta, key);
}

static int parse_json(struct str json, struct json_object **ret_doc, struct err *err)
{
	struct json_tokener *tok = json_tokener_new();

	if (!tok)
		return FAIL(err, ERR_NOMEM, "Lease");
	struct json_object *o = json.n && json.n <= KUBE_LEASE_BODY_MAX
					? json_tokener_parse_ex(tok, json.p, (int)json.n)
					: NULL;
	json_tokener_free(tok);
	if (!json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		return FAIL(err, ERR_INVALID, "a Lease that is no JSON object");
	}
	*ret_doc = o;
	return 0;
}

/* A holder that is no text would read as nobody, and be taken. */
static int check_holder(struct json_object *spec, struct err *err)
{
	struct json_object *holder = member(spec, "holderIdentity");

	if (holder && !json_object_is_type(holder, json_type_string))
		return FAIL(err, ERR_INVALID, "a Lease whose holder is no text");
	return 0;
}

int kube_lease_parse(struct str json, struct json_object **ret_doc,
	struct kube_lease_record *ret_record, struct err *err)
{
	_cleanup_(kube_lease_put) struct json_object *doc = NULL;
	struct kube_lease_record r = {0};

	TRY(parse_json(json, &doc, err));
	struct json_object *spec = member(doc, "spec");
	const struct str holder = text_of(spec, "holderIdentity");
	const struct str rv = kube_lease_meta(doc, NULL, "resourceVersion");
	if (!base_str_eq(text_of(doc, "kind"), STR("Lease")) || !rv.n)
		return FAIL(err, ERR_INVALID, "a Lease without kind or resourceVersion");
	TRY(check_holder(spec, err));
	TRY(base_str_copy(rv, r.rv, sizeof(r.rv), "resourceVersion", err));
	TRY(base_str_copy(base_str_sub(holder, 0, KUBE_LEASE_HOLDER_MAX), r.holder,
		sizeof(r.holder), "holder", err));
	r.duration_s = number_of(spec, "leaseDurationSeconds");
	r.transitions = number_of(spec, "leaseTransitions");
	r.acquire_wall_ns = time_of(spec, "acquireTime");
	r.renew_wall_ns = time_of(spec, "renewTime");
	*ret_record = r;
	*ret_doc = STEAL(doc);
	return 0;
}

static int set(struct json_object *o, const char *key, struct json_object *value, struct err *err)
{
	if (!value || json_object_object_add(o, key, value) != 0) {
		json_object_put(value);
		return FAIL(err, ERR_NOMEM, "Lease");
	}
	return 0;
}

static int set_spec(struct json_object *spec, const struct kube_lease_action *a, int64_t wall_ns,
	struct err *err)
{
	char now[BASE_TIME_LEN];

	base_time_format_micro(wall_ns, now);
	TRY(set(spec, "holderIdentity", json_object_new_string(a->record.holder), err));
	TRY(set(spec, "leaseDurationSeconds", json_object_new_int(a->record.duration_s), err));
	TRY(set(spec, "leaseTransitions", json_object_new_int(a->record.transitions), err));
	TRY(set(spec, "renewTime", json_object_new_string(now), err));
	if (a->acquire)
		TRY(set(spec, "acquireTime", json_object_new_string(now), err));
	return 0;
}

static int add_json(struct json_object *o, struct buf *b, struct err *err)
{
	size_t n = 0;
	const char *text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &n);

	if (!text)
		return FAIL(err, ERR_NOMEM, "Lease");
	return base_buf_add(b, text, n, err);
}

static int new_body(struct str name, const struct kube_lease_action *action, int64_t wall_ns,
	struct buf *b, struct err *err)
{
	_cleanup_(kube_lease_put) struct json_object *spec = json_object_new_object();

	if (!spec)
		return FAIL(err, ERR_NOMEM, "Lease");
	TRY(set_spec(spec, action, wall_ns, err));
	TRY(base_buf_add_str(b,
		STR("{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
		    "\"metadata\":{\"name\":"),
		err));
	TRY(kube_quote_add(b, name, err));
	TRY(base_buf_add_str(b, STR("},\"spec\":"), err));
	TRY(add_json(spec, b, err));
	return base_buf_add_byte(b, '}', err);
}

int kube_lease_body(struct json_object *doc, struct str name,
	const struct kube_lease_action *action, int64_t wall_ns, struct buf *b, struct err *err)
{
	if (!doc)
		return new_body(name, action, wall_ns, b, err);
	if (!json_object_is_type(member(doc, "spec"), json_type_object))
		TRY(set(doc, "spec", json_object_new_object(), err));
	TRY(set_spec(member(doc, "spec"), action, wall_ns, err));
	return add_json(doc, b, err);
}
