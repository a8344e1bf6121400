#include "pkg/http/client.h"

#include "pkg/base/alloc.h"
#include "pkg/http/head.h"
#include "pkg/kube/transport.h"

#include <strings.h>

#define KEPT       64 /* connections that stay open */
#define LINE_MAX_  8192
#define IDLE_MAX_S 3600

struct http_client {
	struct kube_transport *transport;
	unsigned inside; /* libcurl on the stack */
};

struct http_call {
	struct http_client *client;
	const struct http_call_ops *ops; /* NULL: freed by its owner */
	void *ctx;
	CURL *easy;
	struct curl_slist *headers, *trailers, *connect_to;
	char *url;
	bool running, resuming, paused, headed, has_body, has_length;
	unsigned busy; /* callbacks of ours on the stack */
	unsigned lengths;
	struct err why; /* class 0: nothing of ours ended it */
	char text[CURL_ERROR_SIZE];
};

/* -- life -- */

static void bury(struct http_call *call)
{
	if (call->running)
		kube_transport_remove(call->client->transport, call->easy);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	curl_slist_free_all(call->trailers);
	curl_slist_free_all(call->connect_to);
	base_free(call->url);
	base_free(call);
}

struct http_call *http_call_free(struct http_call *call)
{
	if (!call)
		return NULL;
	call->ops = NULL;
	/* Else whoever is on the stack buries it: its callbacks refuse from now on. */
	if (call->busy == 0 && !call->resuming && call->client->inside == 0)
		bury(call);
	return NULL;
}

static int refuse(struct http_call *call, int r, const struct err *err)
{
	if (r < 0 && !call->why.class) {
		call->why = *err;
		if (!call->why.class)
			call->why.class = (enum err_class) - r;
	}
	return r;
}

static enum err_class class_of(CURLcode code)
{
	static const struct {
		CURLcode code;
		enum err_class class;
	} rows[] = {
		{CURLE_OUT_OF_MEMORY, ERR_NOMEM},
		{CURLE_URL_MALFORMAT, ERR_BUG},
		{CURLE_WEIRD_SERVER_REPLY, ERR_INVALID},
		{CURLE_UNSUPPORTED_PROTOCOL, ERR_INVALID},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].code == code)
			return rows[i].class;
	return ERR_TRANSIENT;
}

static void transferred(void *owner, CURLcode code)
{
	struct http_call *call = owner;
	struct err err = call->why;

	kube_transport_remove(call->client->transport, call->easy);
	call->running = false;
	if (!call->ops) {
		bury(call);
		return;
	}
	if (!err.class && code == CURLE_OK && !call->headed)
		(void)FAIL(&err, ERR_INVALID, "an answer without a head");
	if (!err.class && code != CURLE_OK)
		(void)FAIL(&err, class_of(code), "%s",
			call->text[0] ? call->text : curl_easy_strerror(code));
	const struct http_call_ops *ops = call->ops;
	call->busy++;
	ops->done(call->ctx, err.class ? &err : NULL);
	call->busy--;
	if (!call->ops)
		bury(call);
}

/* -- what libcurl asks -- */

static size_t on_send(char *to, size_t size, size_t n, void *ctx)
{
	struct http_call *call = ctx;
	struct err err = {0};
	size_t got = 0;

	if (!call->ops)
		return CURL_READFUNC_ABORT;
	call->busy++;
	const int r =
		refuse(call, call->ops->send(call->ctx, (uint8_t *)to, size * n, &got, &err), &err);
	call->busy--;
	if (r < 0 || !call->ops)
		return CURL_READFUNC_ABORT;
	if (r == HTTP_CALL_WAIT) {
		call->paused = true;
		return CURL_READFUNC_PAUSE;
	}
	return got;
}

static int on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct http_call *call = ctx;

	if (!call->ops || !call->ops->rewind || offset != 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	return call->ops->rewind(call->ctx) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static int on_trailers(struct curl_slist **list, void *ctx)
{
	struct http_call *call = ctx;

	/* libcurl frees it. */
	*list = call->trailers;
	call->trailers = NULL;
	return CURL_TRAILERFUNC_OK;
}

static int end_head(struct http_call *call, struct err *err)
{
	long status = 0;

	(void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200) {
		call->lengths = 0;
		return 0;
	}
	call->headed = true;
	return call->ops->head ? call->ops->head(call->ctx, (unsigned)status, err) : 0;
}

static int take_field(struct http_call *call, struct str line, struct err *err)
{
	const size_t colon = base_str_find(line, ':', 0);
	const struct str name = base_str_sub(line, 0, colon);
	char lower[256];

	if (colon == line.n || !http_is_name(name) || name.n >= sizeof(lower))
		return FAIL(err, ERR_INVALID, "a header line of the answer has no proper name");
	for (size_t i = 0; i < name.n; i++)
		lower[i] =
			(char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] | 0x20 : name.p[i]);
	const struct str value = base_str_trim(base_str_sub(line, colon + 1, line.n));
	const struct str key = base_str_n(lower, name.n);
	if (!http_is_value(value))
		return FAIL(err, ERR_INVALID, "a header value of the answer holds controls");
	if (base_str_eq(key, STR("content-length")) && ++call->lengths > 1)
		return FAIL(err, ERR_INVALID, "the answer has two lengths");
	return call->ops->field ? call->ops->field(call->ctx, key, value, err) : 0;
}

static int take_line(struct http_call *call, struct str line, struct err *err)
{
	if (line.n > LINE_MAX_)
		return FAIL(err, ERR_TOO_LARGE, "a header line of %zu bytes", line.n);
	if (!call->headed && base_str_starts(line, STR("HTTP/")))
		return 0;
	if (!base_str_ends(line, STR("\r\n")))
		return FAIL(err, ERR_INVALID, "a header line of the answer has no CRLF");
	line = base_str_sub(line, 0, line.n - 2);
	if (line.n > 0)
		return take_field(call, line, err);
	return call->headed ? 0 : end_head(call, err);
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct http_call *call = ctx;
	struct err err = {0};

	if (!call->ops)
		return 0;
	call->busy++;
	const int r = refuse(call, take_line(call, base_str_n(p, size * n), &err), &err);
	call->busy--;
	return r < 0 || !call->ops ? 0 : size * n;
}

static size_t on_receive(char *p, size_t size, size_t n, void *ctx)
{
	struct http_call *call = ctx;
	struct err err = {0};
	int r = 0;

	if (!call->ops)
		return 0;
	call->busy++;
	if (call->ops->data)
		r = refuse(
			call, call->ops->data(call->ctx, (const uint8_t *)p, size * n, &err), &err);
	call->busy--;
	if (r < 0 || !call->ops)
		return 0;
	if (r == HTTP_CALL_WAIT) {
		call->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	return size * n;
}

/* -- making one -- */

static int append(struct curl_slist **list, const char *line, struct err *err)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		return FAIL(err, ERR_NOMEM, "headers");
	*list = longer;
	return 0;
}

static int add_line(struct curl_slist **list, struct str name, struct str value, struct err *err)
{
	_cleanup_(base_buf_wipe) struct buf line = base_buf(LINE_MAX_ + 512);

	if (!http_is_name(name) || !http_is_value(value))
		return FAIL(err, ERR_INVALID, "not a header");
	/* What ends in a colon libcurl takes for an order to leave its own header out. */
	TRY(base_buf_addf(
		&line, err, value.n ? "%.*s: %.*s" : "%.*s;%.*s", STR_FMT(name), STR_FMT(value)));
	return append(list, (const char *)line.data, err);
}

static bool frames(struct str name)
{
	static const char *const names[] = {
		"content-length", "transfer-encoding", "connection", "host", "expect", "upgrade"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (name.n == strlen(names[i]) && strncasecmp(name.p, names[i], name.n) == 0)
			return true;
	return false;
}

int http_call_header(struct http_call *call, struct str name, struct str value, struct err *err)
{
	if (frames(name))
		return FAIL(err, ERR_INVALID, "the client's own header");
	return add_line(&call->headers, name, value, err);
}

int http_call_trailer(struct http_call *call, struct str name, struct str value, struct err *err)
{
	if (frames(name))
		return FAIL(err, ERR_INVALID, "the client's own header");
	if (!call->has_body || call->has_length)
		return 0; /* there is no place for one */
	return add_line(&call->trailers, name, value, err);
}

/* Headers that libcurl would add by itself; those that were given come later and count. */
static int add_defaults(struct http_call *call, const char *host, struct err *err)
{
	char line[300];
	const int n = snprintf(line, sizeof(line), "Host: %s", host);

	if (n < 0 || (size_t)n >= sizeof(line) || !http_is_value(base_str(host)))
		return FAIL(err, ERR_INVALID, "not a host");
	TRY(append(&call->headers, line, err));
	TRY(append(&call->headers, "Expect:", err));
	return 0;
}

static CURLcode set_limits(CURL *easy, const struct http_call_request *r)
{
	const long idle = (long)(r->idle_ns / NS_PER_S);
	CURLcode code = CURLE_OK;

	code |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, r->tls ? "https" : "http");
	code |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	code |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
	code |= curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	code |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	code |= curl_easy_setopt(
		easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(r->connect_ns / NS_PER_MS));
	code |= curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	code |= curl_easy_setopt(
		easy, CURLOPT_LOW_SPEED_TIME, idle < IDLE_MAX_S ? idle : IDLE_MAX_S);
	code |= curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, kube_transport_sockopt);
	code |= curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 30L);
	return code;
}

static CURLcode set_tls(CURL *easy, struct str ca)
{
	struct curl_blob blob = {(void *)(uintptr_t)ca.p, ca.n, CURL_BLOB_COPY};
	CURLcode code = CURLE_OK;

	code |= curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (ca.n) {
		code |= curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
		code |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	return code;
}

static CURLcode set_functions(struct http_call *call, CURL *easy)
{
	CURLcode code = CURLE_OK;

	code |= curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	code |= curl_easy_setopt(easy, CURLOPT_URL, call->url);
	code |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->text);
	code |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	code |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	code |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_receive);
	code |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	return code;
}

static CURLcode set_body(struct http_call *call, CURL *easy, const struct http_call_request *r)
{
	CURLcode code = curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, r->target);

	if (strcmp(r->method, "HEAD") == 0) {
		code |= curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		/* What comes behind all the same must not answer the next request. */
		code |= curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	} else {
		code |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
	}
	if (!r->has_body)
		return code;
	code |= curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
	code |= curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
	code |= curl_easy_setopt(easy, CURLOPT_READDATA, call);
	code |= curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
	code |= curl_easy_setopt(easy, CURLOPT_SEEKDATA, call);
	code |= curl_easy_setopt(easy, CURLOPT_TRAILERFUNCTION, on_trailers);
	code |= curl_easy_setopt(easy, CURLOPT_TRAILERDATA, call);
	if (r->has_length)
		code |= curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->length);
	return code;
}

static int fill(struct http_call *call, const struct http_call_request *r, struct err *err)
{
	_cleanup_(base_buf_done) struct buf url = base_buf(512);

	/* libcurl would wait for a body of the answer, too. */
	if (r->has_body && strcmp(r->method, "HEAD") == 0)
		return FAIL(err, ERR_INVALID, "HEAD with a body");
	call->has_body = r->has_body;
	call->has_length = r->has_length;
	call->easy = curl_easy_init();
	if (!call->easy)
		return FAIL(err, ERR_NOMEM, "libcurl");
	const bool local = r->address[0] == '/';
	TRY(base_buf_addf(&url, err, "%s://%s/", r->tls ? "https" : "http",
		local ? "localhost" : r->address));
	call->url = base_strndup((const char *)url.data, url.len);
	if (!call->url)
		return FAIL(err, ERR_NOMEM, "address");
	TRY(add_defaults(call, r->host, err));
	CURLcode code = set_limits(call->easy, r) | set_functions(call, call->easy) |
			set_body(call, call->easy, r);
	if (r->tls)
		code |= set_tls(call->easy, r->ca);
	if (local)
		code |= curl_easy_setopt(call->easy, CURLOPT_UNIX_SOCKET_PATH, r->address);
	return code == CURLE_OK ? 0 : FAIL(err, ERR_NOMEM, "libcurl refuses an option");
}

int http_call_new(struct http_client *client, const struct http_call_request *request,
	const struct http_call_ops *ops, void *ctx, struct http_call **ret_call, struct err *err)
{
	_cleanup_(http_call_free) struct http_call *call = base_alloc(1, sizeof(*call));

	if (!call)
		return FAIL(err, ERR_NOMEM, "call");
	call->client = client;
	call->ops = ops;
	call->ctx = ctx;
	TRY(fill(call, request, err));
	*ret_call = STEAL(call);
	return 0;
}

static bool has_header(const struct http_call *call, const char *name)
{
	const size_t n = strlen(name);

	for (const struct curl_slist *h = call->headers; h; h = h->next)
		if (strncasecmp(h->data, name, n) == 0 && (h->data[n] == ':' || h->data[n] == ';'))
			return true;
	return false;
}

int http_call_start(struct http_call *call, struct err *err)
{
	if (!has_header(call, "Accept"))
		TRY(append(&call->headers, "Accept:", err));
	if (curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) != CURLE_OK)
		return FAIL(err, ERR_NOMEM, "libcurl");
	TRY(kube_transport_add(call->client->transport, call->easy, err));
	call->running = true;
	return 0;
}

/* What was refused while libcurl handed over what it had kept ends its transfer only when more
 * comes: so its time ends now, and libcurl is made to look. */
static void end_soon(struct http_call *call)
{
	(void)curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, 1L);
	(void)curl_easy_pause(call->easy, CURLPAUSE_ALL);
	(void)curl_easy_pause(call->easy, CURLPAUSE_CONT);
}

void http_call_resume(struct http_call *call)
{
	/* Within a callback the answer of that callback counts. */
	if (!call->running || !call->paused || call->resuming || call->busy > 0)
		return;
	call->resuming = true;
	call->paused = false;
	if (curl_easy_pause(call->easy, CURLPAUSE_CONT) != CURLE_OK)
		end_soon(call);
	call->resuming = false;
	if (!call->ops && call->client->inside == 0)
		bury(call);
}

/* -- the client -- */

int http_client_new(uv_loop_t *loop, struct http_client **ret_client, struct err *err)
{
	struct http_client *client = base_alloc(1, sizeof(*client));

	if (!client)
		return FAIL(err, ERR_NOMEM, "client");
	const int r = kube_transport_new(
		loop, &client->inside, KEPT, transferred, &client->transport, err);
	if (r < 0) {
		base_free(client);
		return r;
	}
	*ret_client = client;
	return 0;
}

static void closed(void *ctx)
{
	base_free(ctx);
}

struct http_client *http_client_free(struct http_client *client)
{
	if (client)
		kube_transport_close(client->transport, closed, client);
	return NULL;
}
