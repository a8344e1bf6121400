#include "pkg/kube/status.h"

#include "pkg/base/text.h"

#include <json-c/json.h>

#define STATUS_DEPTH 32

/* All that the API server says when a JSON patch does not fit the object: its "test" failed, or a
 * path is not there. What schema, CEL or a policy refuse reads otherwise. */
#define PATCH_FAILED "the server rejected our request due to an error in our request"

static struct json_object *json_put(struct json_object *o)
{
	json_object_put(o);
	return NULL;
}
CLEANUP_FREE(struct json_object, json_put);

static const struct {
	const char *reason;
	enum err_class class;
} reasons[] = {
	{"NotFound", ERR_NOT_FOUND},
	{"AlreadyExists", ERR_EXISTS},
	{"Conflict", ERR_CONFLICT},
	{"Expired", ERR_EXPIRED},
	{"Gone", ERR_EXPIRED},
	{"Unauthorized", ERR_DENIED},
	{"Forbidden", ERR_DENIED},
	{"Invalid", ERR_INVALID},
	{"BadRequest", ERR_INVALID},
	{"MethodNotAllowed", ERR_INVALID},
	{"NotAcceptable", ERR_INVALID},
	{"UnsupportedMediaType", ERR_INVALID},
	{"RequestEntityTooLarge", ERR_TOO_LARGE},
	{"TooManyRequests", ERR_TRANSIENT},
	{"ServerTimeout", ERR_TRANSIENT},
	{"Timeout", ERR_TRANSIENT},
	{"InternalError", ERR_TRANSIENT},
	{"ServiceUnavailable", ERR_TRANSIENT},
	{"StorageReadError", ERR_TRANSIENT},
};

static const struct {
	int code;
	enum err_class class;
} codes[] = {
	{400, ERR_INVALID},
	{401, ERR_DENIED},
	{403, ERR_DENIED},
	{404, ERR_NOT_FOUND},
	{405, ERR_INVALID},
	{406, ERR_INVALID},
	{408, ERR_TRANSIENT},
	{409, ERR_CONFLICT},
	{410, ERR_EXPIRED},
	{413, ERR_TOO_LARGE},
	{415, ERR_INVALID},
	{422, ERR_INVALID},
	{429, ERR_TRANSIENT},
};

/* Causes that change what the caller does next, whatever the reason says. */
static const struct {
	const char *cause;
	enum err_class class;
} causes[] = {
	{"ResourceVersionTooLarge", ERR_EXPIRED}, /* list again, from "most recent" */
	{"FieldManagerConflict", ERR_INVALID},    /* trying again would never help */
	{"NamespaceTerminating", ERR_TERMINAL},
};

struct status {
	const char *reason, *message;
	int code;
	uint32_t retry_after;
	enum err_class class; /* ERR_OK: neither reason nor cause is known */
};

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_string))
		return "";
	return json_object_get_string(v);
}

static int64_t number_of(struct json_object *o, const char *key, int64_t max)
{
	struct json_object *v = NULL;

	if (!json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, json_type_int))
		return 0;
	const int64_t n = json_object_get_int64(v);
	return n < 0 || n > max ? 0 : n;
}

static struct json_object *parse(struct str body)
{
	if (!body.n || body.n > KUBE_STATUS_MAX)
		return NULL;
	struct json_tokener *tok = json_tokener_new_ex(STATUS_DEPTH);
	if (!tok)
		return NULL;
	struct json_object *o = json_tokener_parse_ex(tok, body.p, (int)body.n);
	json_tokener_free(tok);
	if (o && !json_object_is_type(o, json_type_object))
		o = json_put(o);
	return o;
}

static void read_causes(struct json_object *details, struct status *s)
{
	struct json_object *list = NULL;

	if (!json_object_object_get_ex(details, "causes", &list) ||
		!json_object_is_type(list, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *cause = json_object_array_get_idx(list, i);
		if (!json_object_is_type(cause, json_type_object))
			continue;
		for (size_t k = 0; k < ARRAY_LEN(causes); k++)
			if (!strcmp(text_of(cause, "reason"), causes[k].cause))
				s->class = causes[k].class;
	}
}

/* The texts are borrowed from o. False if o is no Failure. */
static bool read_status(struct json_object *o, struct status *s)
{
	struct json_object *details = NULL;

	if (!o || strcmp(text_of(o, "kind"), "Status") != 0 ||
		!strcmp(text_of(o, "status"), "Success"))
		return false;
	s->reason = text_of(o, "reason");
	s->message = text_of(o, "message");
	s->code = (int)number_of(o, "code", 999);
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (!strcmp(s->reason, reasons[i].reason))
			s->class = reasons[i].class;
	if (json_object_object_get_ex(o, "details", &details) &&
		json_object_is_type(details, json_type_object)) {
		s->retry_after = (uint32_t)number_of(details, "retryAfterSeconds", 3600);
		read_causes(details, s);
	}
	return true;
}

static enum err_class class_of_code(enum kube_verb verb, int code)
{
	if (code == 409 && verb == KUBE_CREATE)
		return ERR_EXISTS;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == code)
			return codes[i].class;
	return code >= 400 && code < 500 ? ERR_INVALID : ERR_TRANSIENT;
}

/* A piece of what is no Status, fit for one line of a log. */
static void excerpt(struct str body, char *dst, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < body.n && n + 1 < cap; i++) {
		const unsigned char c = (unsigned char)body.p[i];
		if (c > 0x20 && c < 0x7f)
			dst[n++] = (char)c;
		else if (n && dst[n - 1] != ' ')
			dst[n++] = ' ';
	}
	dst[n] = 0;
}

static int fail_with(enum kube_verb verb, int http, uint32_t retry_after, const struct status *s,
	struct err *err)
{
	const int code = http >= 300 || !s->code ? http : s->code;
	const enum err_class class = s->class ? s->class : class_of_code(verb, code);
	const int r = FAIL(err, class, "%s: HTTP %d%s%s%s%s", kube_verb_name(verb), code,
		s->reason[0] ? " " : "", s->reason, s->message[0] ? ": " : "", s->message);

	if (err) {
		err->detail = code;
		err->retry_after = retry_after ? retry_after : s->retry_after;
	}
	return r;
}

int kube_status_error(enum kube_verb verb, int http, uint32_t retry_after_header, struct str body,
	struct err *err)
{
	_cleanup_(json_put) struct json_object *o = parse(body);
	struct status s = {.reason = "", .message = ""};
	char text[128] = "";

	if (!read_status(o, &s)) {
		excerpt(body, text, sizeof(text));
		s = (struct status){.reason = "", .message = text};
	}
	if (verb == KUBE_PATCH_JSON && !strcmp(s.reason, "Invalid") &&
		!strcmp(s.message, PATCH_FAILED))
		s.class = ERR_CONFLICT;
	return fail_with(verb, http, retry_after_header, &s, err);
}

bool kube_status_is_failure(struct str body)
{
	struct status s = {.reason = "", .message = ""};

	if (!body.n || body.n > KUBE_STATUS_MAX || !memmem(body.p, body.n, "\"Status\"", 8))
		return false;
	_cleanup_(json_put) struct json_object *o = parse(body);
	return read_status(o, &s);
}

uint32_t kube_retry_after(struct str value)
{
	uint64_t n = 0;

	if (base_parse_u64(base_str_trim(value), UINT32_MAX, &n, NULL) < 0)
		return 0;
	return n > 3600 ? 3600 : (uint32_t)n;
}

int kube_status_watch_error(struct str status, struct err *err)
{
	return kube_status_error(KUBE_LIST, 0, 0, status, err);
}
