#include "pkg/kube/request.h"

#include "pkg/kube/patch.h"

#include <ctype.h>

static const struct {
	const char *name, *method, *type;
} verbs[KUBE_VERB_COUNT] = {
#define VERB_ROW(id, name_, method_) [KUBE_##id] = {.name = (name_), .method = (method_)},
	KUBE_VERBS(VERB_ROW)
#undef VERB_ROW
};

static const char *const content_types[KUBE_VERB_COUNT] = {
	[KUBE_CREATE] = "application/json",
	[KUBE_UPDATE] = "application/json",
	[KUBE_DELETE] = "application/json",
	[KUBE_PATCH_MERGE] = "application/merge-patch+json",
	[KUBE_PATCH_JSON] = "application/json-patch+json",
	[KUBE_APPLY] = "application/apply-patch+yaml",
};

bool kube_verb_writes(enum kube_verb verb)
{
	return verb != KUBE_GET && verb != KUBE_LIST;
}

const char *kube_verb_name(enum kube_verb verb)
{
	return verb < KUBE_VERB_COUNT ? verbs[verb].name : "unknown";
}

const char *kube_verb_method(enum kube_verb verb)
{
	return verb < KUBE_VERB_COUNT ? verbs[verb].method : "GET";
}

const char *kube_verb_content_type(enum kube_verb verb)
{
	return verb < KUBE_VERB_COUNT ? content_types[verb] : NULL;
}

static int check_segment(const char *what, struct str s, struct err *err)
{
	if (base_str_eq(s, STR(".")) || base_str_eq(s, STR("..")))
		return FAIL(err, ERR_INVALID, "%s '%.*s' is no name", what, STR_FMT(s));
	return 0;
}

static int check_namespace(const struct kube_request *request, struct err *err)
{
	if (!request->resource->namespaced) {
		if (request->ns.n)
			return FAIL(err, ERR_INVALID, "%s are not namespaced",
				request->resource->plural);
		return 0;
	}
	if (!request->ns.n && request->verb != KUBE_LIST)
		return FAIL(err, ERR_INVALID, "%s %s without a namespace",
			kube_verb_name(request->verb), request->resource->plural);
	return check_segment("namespace", request->ns, err);
}

static int check_name(const struct kube_request *request, struct err *err)
{
	const bool collection = request->verb == KUBE_LIST ||
				(request->verb == KUBE_CREATE && !request->subresource.n);

	if (collection && request->name.n)
		return FAIL(err, ERR_INVALID, "%s %s with a name in the path",
			kube_verb_name(request->verb), request->resource->plural);
	if (!collection && !request->name.n)
		return FAIL(err, ERR_INVALID, "%s %s without a name", kube_verb_name(request->verb),
			request->resource->plural);
	TRY(check_segment("name", request->name, err));
	return check_segment("subresource", request->subresource, err);
}

static int check_body(const struct kube_request *request, struct err *err)
{
	const bool wants = kube_verb_writes(request->verb) && request->verb != KUBE_DELETE;

	if (wants && !request->body.n)
		return FAIL(err, ERR_INVALID, "%s %s without a body", kube_verb_name(request->verb),
			request->resource->plural);
	if (!kube_verb_writes(request->verb) && request->body.n)
		return FAIL(err, ERR_INVALID, "%s %s with a body", kube_verb_name(request->verb),
			request->resource->plural);
	if (request->body.n > KUBE_BODY_MAX)
		return FAIL(err, ERR_TOO_LARGE, "a body of %zu bytes; the API server takes %u",
			request->body.n, KUBE_BODY_MAX);
	return 0;
}

/* One document of the API server's own, which is only read. */
static int check_document(const struct kube_request *request, struct err *err)
{
	if (request->verb != KUBE_GET || request->ns.n || request->name.n ||
		request->subresource.n || request->body.n)
		return FAIL(err, ERR_INVALID, "%s is only read, as it is", request->resource->path);
	return 0;
}

int kube_request_check(const struct kube_request *request, struct err *err)
{
	if (request->verb >= KUBE_VERB_COUNT || request->class >= KUBE_CLASS_COUNT ||
		!request->resource)
		return FAIL(err, ERR_INVALID, "no such verb or class, or no resource");
	if (request->resource->path)
		return check_document(request, err);
	TRY(check_namespace(request, err));
	TRY(check_name(request, err));
	TRY(check_body(request, err));
	const size_t manager = request->field_manager ? strlen(request->field_manager) : 0;
	if (manager > KUBE_MANAGER_MAX)
		return FAIL(err, ERR_INVALID, "a field manager of %zu characters", manager);
	if (request->verb == KUBE_APPLY && !manager)
		return FAIL(err, ERR_INVALID, "apply without a field manager");
	return 0;
}

int kube_encode_add(struct buf *b, struct str s, struct err *err)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		const unsigned char c = (unsigned char)s.p[i];
		if ((c < 0x80 && isalnum(c)) || (c && strchr("-._~", c))) {
			TRY(base_buf_add_byte(b, c, err));
		} else {
			const char hex[3] = {'%', digits[c >> 4], digits[c & 15]};
			TRY(base_buf_add(b, hex, sizeof(hex), err));
		}
	}
	return 0;
}

int kube_query_add(struct buf *b, const char *name, struct str value, struct err *err)
{
	if (b->len)
		TRY(base_buf_add_byte(b, '&', err));
	TRY(kube_encode_add(b, base_str(name), err));
	TRY(base_buf_add_byte(b, '=', err));
	return kube_encode_add(b, value, err);
}

static int add_segment(struct buf *b, struct str s, struct err *err)
{
	TRY(base_buf_add_byte(b, '/', err));
	return kube_encode_add(b, s, err);
}

static bool watches(struct str query)
{
	for (size_t from = 0; from < query.n;) {
		const size_t to = base_str_find(query, '&', from);
		const struct str part = base_str_sub(query, from, to);
		if (base_str_eq(part, STR("watch=true")) || base_str_eq(part, STR("watch=1")))
			return true;
		from = to + 1;
	}
	return false;
}

static int add_query(
	const struct kube_request *request, uint32_t timeout_s, struct buf *b, struct err *err)
{
	_cleanup_(base_buf_done) struct buf q = base_buf(KUBE_URL_MAX);

	TRY(base_buf_add_str(&q, request->query, err));
	if (request->field_manager && kube_verb_writes(request->verb) &&
		request->verb != KUBE_DELETE)
		TRY(kube_query_add(&q, "fieldManager", base_str(request->field_manager), err));
	if (request->verb == KUBE_APPLY && request->force)
		TRY(kube_query_add(&q, "force", STR("true"), err));
	if (timeout_s && !watches(request->query))
		TRY(base_buf_addf(&q, err, "%stimeout=%us", q.len ? "&" : "", timeout_s));
	if (!q.len)
		return 0;
	TRY(base_buf_add_byte(b, '?', err));
	return base_buf_add_str(b, base_buf_str(&q), err);
}

int kube_request_path(
	const struct kube_request *request, uint32_t timeout_s, struct buf *b, struct err *err)
{
	TRY(kube_request_check(request, err));
	const struct kube_resource *r = request->resource;
	if (r->path) {
		TRY(base_buf_add_str(b, base_str(r->path), err));
		return add_query(request, timeout_s, b, err);
	}
	TRY(base_buf_add_str(b, r->group[0] ? STR("/apis") : STR("/api"), err));
	if (r->group[0])
		TRY(add_segment(b, base_str(r->group), err));
	TRY(add_segment(b, base_str(r->version), err));
	if (request->ns.n) {
		TRY(base_buf_add_str(b, STR("/namespaces"), err));
		TRY(add_segment(b, request->ns, err));
	}
	TRY(add_segment(b, base_str(r->plural), err));
	if (request->name.n)
		TRY(add_segment(b, request->name, err));
	if (request->subresource.n)
		TRY(add_segment(b, request->subresource, err));
	return add_query(request, timeout_s, b, err);
}

int kube_delete_options_add(
	struct buf *b, struct str uid, struct str rv, const char *propagation, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "apiVersion", STR("v1"), err));
	TRY(kube_write_key_text(&w, "kind", STR("DeleteOptions"), err));
	if (propagation)
		TRY(kube_write_key_text(&w, "propagationPolicy", base_str(propagation), err));
	if (uid.n || rv.n) {
		TRY(kube_write_key_object(&w, "preconditions", err));
		if (uid.n)
			TRY(kube_write_key_text(&w, "uid", uid, err));
		if (rv.n)
			TRY(kube_write_key_text(&w, "resourceVersion", rv, err));
		TRY(kube_write_end(&w, err));
	}
	return kube_write_end(&w, err);
}
