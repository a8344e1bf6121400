#include "pkg/base/alloc.h"
#include "pkg/base/text.h"
#include "pkg/http/impl.h"

#include <strings.h>

#define PROBLEM_MAX 8192
#define DETAIL_MAX  1000

static int own_add(struct http_own *own, const char *name, struct str value, struct err *err)
{
	static const char *const framing[] = {"connection", "content-length", "transfer-encoding",
		"trailer", "date", "content-type", "upgrade", "te", "keep-alive"};

	if (!http_is_name(base_str(name)) || !http_is_value(value))
		return FAIL(err, ERR_INVALID, "'%.40s' is no header", name);
	for (size_t i = 0; i < ARRAY_LEN(framing); i++)
		if ((name[0] | 0x20) == framing[i][0] && strcasecmp(name, framing[i]) == 0)
			return FAIL(err, ERR_INVALID, "%s is the server's own header", name);
	if (own->n == HTTP_OWN_HEADERS)
		return FAIL(err, ERR_TOO_LARGE, "more than %d headers", HTTP_OWN_HEADERS);
	const size_t before = own->text.len;
	int r = base_buf_add(&own->text, name, strlen(name) + 1, err);
	if (r == 0)
		r = base_buf_add_str(&own->text, value, err);
	if (r == 0)
		r = base_buf_add_byte(&own->text, 0, err);
	if (r < 0)
		own->text.len = before;
	else
		own->n++;
	return r;
}

bool http_own_at(
	const struct http_own *own, size_t *at, const char **ret_name, const char **ret_value)
{
	if (*at >= own->text.len)
		return false;
	*ret_name = (const char *)own->text.data + *at;
	*at += strlen(*ret_name) + 1;
	*ret_value = (const char *)own->text.data + *at;
	*at += strlen(*ret_value) + 1;
	return true;
}

int http_add_header(struct http_request *r, const char *name, struct str value, struct err *err)
{
	return own_add(&r->headers, name, value, err);
}

int http_add_trailer(struct http_request *r, const char *name, struct str value, struct err *err)
{
	return own_add(&r->trailers, name, value, err);
}

static bool decorate(
	const struct http_request *r, struct MHD_Response *response, const char *content_type)
{
	const char *name = NULL;
	const char *value = NULL;
	enum MHD_Result ok = MHD_YES;

	if (content_type)
		ok &= MHD_add_response_header(response, "Content-Type", content_type);
	/* What was refused may not be what the client thinks it was: nothing more from there. */
	if (!r->route || r->conn->s->draining)
		ok &= MHD_add_response_header(response, "Connection", "close");
	for (size_t at = 0; http_own_at(&r->headers, &at, &name, &value);)
		ok &= MHD_add_response_header(response, name, value);
	return ok == MHD_YES;
}

bool http_is_head(const struct http_request *r)
{
	return strcmp(r->method, "HEAD") == 0;
}

/* Gives an answer, which may be NULL, to libmicrohttpd. */
static void queue(struct http_request *r, unsigned status, const char *content_type,
	struct MHD_Response *response)
{
	r->replied = true;
	r->status = status;
	if (!response || !decorate(r, response, content_type) ||
		MHD_queue_response(r->mhd, status, response) != MHD_YES)
		http_abort(r);
	if (response)
		MHD_destroy_response(response);
	if (r->suspended)
		http_wake(r);
}

/* libmicrohttpd only reads the bytes that it shall send. */
union sent {
	const char *is;
	void *as;
};

void http_reply(struct http_request *r, unsigned status, const char *content_type, struct str body)
{
	if (r->replied || r->aborted)
		return;
	if (r->phase == HTTP_BODY) {
		http_stream_reply(r, status, content_type, body);
		return;
	}
	queue(r, status, content_type,
		MHD_create_response_from_buffer(body.n, (union sent){body.n ? body.p : ""}.as,
			body.n ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT));
}

/* Nobody reads the body of an answer to HEAD. */
static ssize_t no_body(void *cls, uint64_t pos, char *buf, size_t max)
{
	(void)cls;
	(void)pos;
	(void)buf;
	(void)max;
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

void http_reply_head(
	struct http_request *r, unsigned status, const char *content_type, const uint64_t *length)
{
	if (r->replied || r->aborted)
		return;
	if (!http_is_head(r)) {
		http_abort(r);
		return;
	}
	if (status == 204 || status == 304) { /* never a body, and never a length from us */
		http_reply(r, status, content_type, STR_NULL);
		return;
	}
	/* libmicrohttpd would say chunked, and send a last chunk, which is the next answer's first
	 * line then. */
	if (!length || r->phase == HTTP_BODY) {
		http_stream_reply(r, status, content_type, STR_NULL);
		return;
	}
	queue(r, status, content_type,
		MHD_create_response_from_callback(*length, 1, no_body, NULL, NULL));
}

static void free_body(void *p)
{
	base_free(p);
}

void http_reply_take(
	struct http_request *r, unsigned status, const char *content_type, struct buf *body)
{
	if (r->replied || r->aborted || r->phase == HTTP_BODY || body->len == 0) {
		http_reply(r, status, content_type, base_buf_str(body));
		base_buf_done(body);
		return;
	}
	const size_t n = body->len;
	uint8_t *p = STEAL(body->data);
	*body = base_buf(body->max);
	struct MHD_Response *response =
		MHD_create_response_from_buffer_with_free_callback(n, p, free_body);
	if (!response)
		base_free(p);
	queue(r, status, content_type, response);
}

static int problem(struct buf *b, unsigned status, const char *type, const char *title,
	struct str detail, struct err *err)
{
	TRY(base_buf_add_str(b, STR("{\"type\":"), err));
	TRY(base_json_str_add(b, base_str(type ? type : "about:blank"), err));
	if (title) {
		TRY(base_buf_add_str(b, STR(",\"title\":"), err));
		TRY(base_json_str_add(b, base_str(title), err));
	}
	TRY(base_buf_addf(b, err, ",\"status\":%u", status));
	if (detail.n) {
		TRY(base_buf_add_str(b, STR(",\"detail\":"), err));
		TRY(base_json_str_add(b, base_str_sub(detail, 0, DETAIL_MAX), err));
	}
	return base_buf_add_str(b, STR("}\n"), err);
}

void http_reply_problem(struct http_request *r, unsigned status, const char *type,
	const char *title, struct str detail, unsigned retry_after)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(PROBLEM_MAX);
	char seconds[16];

	if (r->replied || r->aborted)
		return;
	const int n = snprintf(seconds, sizeof(seconds), "%u", retry_after);
	if (problem(&b, status, type, title, detail, NULL) < 0 ||
		(retry_after && http_add_header(r, "Retry-After", base_str_n(seconds, (size_t)n),
					NULL) < 0)) {
		http_abort(r);
		return;
	}
	http_reply(r, status, "application/problem+json", base_buf_str(&b));
}

void http_refuse(struct http_request *r, enum http_refusal refusal)
{
	const struct http_refusal_row *row = http_refusal_row(refusal);
	const bool later = refusal == HTTP_REFUSE_RATE || refusal == HTTP_REFUSE_DRAINING;

	http_count_refusal(r->conn->s, row->label);
	/* about:blank: the title is that of the status (RFC 9457 4.2.1). */
	http_reply_problem(r, row->status, NULL, MHD_get_reason_phrase_for(row->status),
		base_str(row->text), later ? 1 : 0);
}

void http_fail(struct http_request *r, const struct err *err)
{
	static const struct {
		unsigned status;
		const char *title;
	} rows[ERR_CLASS_COUNT] = {
		[ERR_TRANSIENT] = {503, "Try again"},
		[ERR_CONFLICT] = {409, "Conflict"},
		[ERR_EXPIRED] = {409, "Expired"},
		[ERR_NOT_FOUND] = {404, "Not found"},
		[ERR_EXISTS] = {409, "Exists"},
		[ERR_DENIED] = {403, "Not allowed"},
		[ERR_INVALID] = {400, "Not well-formed"},
		[ERR_TAMPERED] = {422, "Altered"},
		[ERR_NO_KEY] = {410, "No key"},
		[ERR_TOO_LARGE] = {413, "Too large"},
		[ERR_NOT_READY] = {503, "Not yet"},
		[ERR_NOMEM] = {503, "No memory"},
	};
	const bool known = (unsigned)err->class < ERR_CLASS_COUNT && rows[err->class].status;
	const unsigned status = known ? rows[err->class].status : 500;
	const bool local = r->conn->address.ss_family == AF_UNIX;

	if (r->replied) {
		http_abort(r);
		return;
	}
	http_reply_problem(r, status, NULL, known ? rows[err->class].title : "Failed",
		local ? base_str_n(err->msg, strnlen(err->msg, sizeof(err->msg))) : STR_NULL,
		status == 503 ? 1 : 0);
}
