#include "pkg/base/alloc.h"
#include "pkg/http/impl.h"

void *http_on_target(void *cls, const char *target, struct MHD_Connection *c)
{
	struct http_server *s = cls;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_conn *conn = info->socket_context;
	const size_t n = target ? strnlen(target, HTTP_TARGET_MAX + 1) : 0;
	struct http_request *r = conn ? base_alloc(1, sizeof(*r) + n) : NULL;

	if (!r)
		return NULL;
	if (n)
		memcpy(r->raw_text, target, n);
	r->raw = base_str_n(r->raw_text, n);
	r->raw_end = target ? target + n : NULL;
	r->conn = conn;
	r->mhd = c;
	r->begun_ns = http_now(s);
	r->headers.text = base_buf(HTTP_OWN_MAX);
	r->trailers.text = base_buf(HTTP_OWN_MAX);
	conn->request = r;
	return r;
}

static void suspend(struct http_request *r)
{
	MHD_suspend_connection(r->mhd);
	r->suspended = true;
	if (r->wake)
		http_wake(r);
}

void http_wake(struct http_request *r)
{
	r->wake = !r->suspended;
	if (!r->suspended)
		return;
	r->suspended = false;
	MHD_resume_connection(r->mhd);
	/* It does not tell its own epoll. */
	http_run_soon(r->conn->s);
}

void http_resume(struct http_request *r)
{
	http_wake(r);
}

void http_abort(struct http_request *r)
{
	r->aborted = true;
	(void)shutdown(r->conn->fd, SHUT_RDWR);
	http_wake(r);
}

/* The header as bytes: from behind the version to its end, see head.h. */
static enum http_refusal read_head(struct http_request *r, const char *method, const char *version)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	const char *from = version + strlen("HTTP/1.1");

	if (strcmp(version, "HTTP/1.1") != 0)
		return HTTP_REFUSE_VERSION;
	if (!info || info->header_size > r->conn->s->limits.header_max)
		return HTTP_REFUSE_MANY;
	/* A NUL within the target, or anything between it and the version. */
	if (!r->raw_end || r->raw_end + 1 != version || from > method + info->header_size)
		return HTTP_REFUSE_TARGET;
	const enum http_refusal refusal =
		http_head_read(from, (size_t)(method + info->header_size - from), &r->head);
	if (refusal != HTTP_FINE)
		return refusal;
	/* Both readers must have seen the same lines. */
	if (MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, NULL, NULL) != (int)r->head.n)
		return HTTP_REFUSE_LINES;
	return http_head_check(&r->head, r->conn->s->config.hosts);
}

static enum http_refusal find_route(struct http_request *r, const char *method)
{
	const struct http_config *config = &r->conn->s->config;
	enum http_refusal refusal = HTTP_REFUSE_ROUTE;

	for (size_t i = 0; i < config->routes_n; i++) {
		const struct http_route *route = &config->routes[i];
		if (!http_match(route->path, r->target.path, &r->params))
			continue;
		if (route->method[0] == '*' || strcmp(route->method, method) == 0) {
			r->route = route;
			break;
		}
		refusal = HTTP_REFUSE_METHOD;
		if (http_add_header(r, "Allow", base_str(route->method), NULL) < 0)
			break;
	}
	if (!r->route)
		return refusal;
	if ((r->head.has_length && r->head.length > r->route->body_max) ||
		(r->head.chunked && r->route->body_max == 0))
		return HTTP_REFUSE_BODY;
	return HTTP_FINE;
}

/* Everything that is refused before a handler. */
static enum http_refusal judge(struct http_request *r, const char *method, const char *version)
{
	struct http_server *s = r->conn->s;

	if (base_str_copy(base_str(method), r->method, sizeof(r->method), "method", NULL) < 0)
		return HTTP_REFUSE_METHOD;
	if (r->raw.n > HTTP_TARGET_MAX)
		return HTTP_REFUSE_TARGET_LONG;
	const enum http_refusal refusal = read_head(r, method, version);
	if (refusal != HTTP_FINE)
		return refusal;
	if (http_target_parse(r->raw, &r->target, NULL) < 0)
		return HTTP_REFUSE_TARGET;
	if (s->draining)
		return HTTP_REFUSE_DRAINING;
	if (!http_source_take(s, r->conn->source))
		return HTTP_REFUSE_RATE;
	return find_route(r, method);
}

static enum MHD_Result first_call(struct http_request *r, const char *method, const char *version)
{
	const enum http_refusal refusal = judge(r, method, version);
	struct err err = {0};

	if (refusal != HTTP_FINE) {
		r->route = NULL;
		http_refuse(r, refusal);
		r->phase = HTTP_BODY;
		return MHD_YES;
	}
	r->began = true;
	r->conn->s->busy++;
	if (r->route->ops->begin && r->route->ops->begin(r->route->ctx, r, &err) < 0)
		http_fail(r, &err);
	r->phase = HTTP_BODY;
	return r->aborted ? MHD_NO : MHD_YES;
}

/* Whether the handler still wants the body: an early answer ends that, a streamed one at its end.
 */
static bool wanted(const struct http_request *r)
{
	return !r->replied || (r->stream && !http_stream_ended(r));
}

static enum MHD_Result discard(struct http_request *r, size_t *size)
{
	r->discarded += *size;
	*size = 0;
	return r->discarded > HTTP_DISCARD_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result body_call(struct http_request *r, const char *data, size_t *size)
{
	const struct http_ops *ops = r->route->ops;
	struct err err = {0};
	size_t taken = *size;

	http_stream_go(r);
	if (r->aborted)
		return MHD_NO;
	if (!wanted(r))
		return discard(r, size);
	if (*size > r->route->body_max - r->taken)
		(void)FAIL(&err, ERR_TOO_LARGE, "the body is larger than allowed");
	else if (ops->body)
		(void)ops->body(r->route->ctx, r, (const uint8_t *)data, *size, &taken, &err);
	if (err.class != ERR_OK)
		http_fail(r, &err);
	if (r->aborted)
		return MHD_NO;
	if (!wanted(r))
		return discard(r, size);
	base_assert(taken <= *size);
	r->taken += taken;
	*size -= taken;
	if (*size > 0)
		suspend(r);
	return MHD_YES;
}

static enum MHD_Result last_call(struct http_request *r)
{
	struct err err = {0};

	if (r->phase != HTTP_END) {
		r->phase = HTTP_END;
		http_stream_go(r);
		if (!r->aborted && wanted(r) && r->route->ops->end(r->route->ctx, r, &err) < 0)
			http_fail(r, &err);
	}
	if (r->aborted || (r->stream && http_stream_done(r)))
		return MHD_NO;
	if (!r->replied || r->stream)
		suspend(r);
	return MHD_YES;
}

/* The signature is libmicrohttpd's. NOLINTNEXTLINE(readability-function-size) */
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **con_cls)
{
	struct http_request *r = *con_cls;

	(void)cls;
	(void)c;
	(void)url;
	if (!r || r->aborted)
		return MHD_NO;
	if (r->phase == HTTP_HEAD)
		return first_call(r, method, version);
	if (*size > 0)
		return body_call(r, data, size);
	return last_call(r);
}

/* The status that the client got; 0: the answer was cut, or there was none. */
static unsigned final_status(const struct http_request *r, enum MHD_RequestTerminationCode why)
{
	if (r->stream)
		return http_stream_done(r) && !r->aborted ? r->status : 0;
	return why == MHD_REQUEST_TERMINATED_COMPLETED_OK ? r->status : 0;
}

void http_on_completed(
	void *cls, struct MHD_Connection *c, void **con_cls, enum MHD_RequestTerminationCode why)
{
	struct http_server *s = cls;
	struct http_request *r = *con_cls;

	if (!r)
		return;
	*con_cls = NULL;
	r->conn->request = NULL;
	r->conn->quiet_ns = http_now(s);
	if (r->phase == HTTP_HEAD && MHD_get_connection_info(c, MHD_CONNECTION_INFO_HTTP_STATUS))
		http_count_refusal(s, "malformed");
	if (r->began) {
		http_count_request(r, final_status(r, why));
		r->route->ops->gone(r->route->ctx, r);
		s->busy--;
	}
	http_stream_free(r);
	base_buf_done(&r->headers.text);
	base_buf_done(&r->trailers.text);
	base_free(r);
}

bool http_stalled(const struct http_request *r)
{
	return r->stalled;
}

void http_set_state(struct http_request *r, void *state)
{
	r->state = state;
}

void *http_state(const struct http_request *r)
{
	return r->state;
}

struct str http_method(const struct http_request *r)
{
	return base_str(r->method);
}

struct str http_path(const struct http_request *r)
{
	return r->target.path;
}

struct str http_param(const struct http_request *r, size_t i)
{
	return i < r->params.n ? r->params.v[i] : STR_NULL;
}

int http_query(const struct http_request *r, const char *name, char *dst, size_t cap,
	struct str *ret_value, struct err *err)
{
	return http_query_get(r->target.query, base_str(name), dst, cap, ret_value, err);
}

struct str http_raw_query(const struct http_request *r)
{
	const struct str path = r->target.path;

	/* Nothing behind '?' is something else than no '?'. */
	return path.n < r->raw.n ? base_str_n(path.p + path.n + 1, r->target.query.n) : STR_NULL;
}

struct str http_rest(const struct http_request *r)
{
	const struct str path = r->target.path;
	size_t at = 0;

	/* As many segments as stand before the route's last one. */
	for (const char *p = strchr(r->route->path + 1, '/'); p; p = strchr(p + 1, '/'))
		at = base_str_find(path, '/', at + 1);
	return base_str_sub(path, at, path.n);
}

struct trailer_search {
	size_t i;
	struct str *name, *value;
	bool found;
};

/* The signature is libmicrohttpd's. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result trailer_found(void *cls, enum MHD_ValueKind kind, const char *key,
	size_t key_size, const char *value, size_t value_size)
{
	struct trailer_search *search = cls;

	(void)kind;
	if (search->i-- > 0)
		return MHD_YES;
	*search->name = base_str_n(key, key_size);
	*search->value = base_str_n(value, value ? value_size : 0);
	search->found = true;
	return MHD_NO;
}

bool http_trailer_at(
	const struct http_request *r, size_t i, struct str *ret_name, struct str *ret_value)
{
	struct trailer_search search = {.i = i, .name = ret_name, .value = ret_value};

	(void)MHD_get_connection_values_n(r->mhd, MHD_FOOTER_KIND, trailer_found, &search);
	return search.found;
}

size_t http_header(const struct http_request *r, const char *name, struct str *ret_value)
{
	return http_head_find(&r->head, name, ret_value);
}

bool http_header_at(
	const struct http_request *r, size_t i, struct str *ret_name, struct str *ret_value)
{
	if (i >= r->head.n)
		return false;
	*ret_name = r->head.h[i].name;
	*ret_value = r->head.h[i].value;
	return true;
}

bool http_length(const struct http_request *r, uint64_t *ret_n)
{
	if (r->head.has_length)
		*ret_n = r->head.length;
	return r->head.has_length;
}
