/* Calls that have not begun, and their start. */
#include "pkg/base/alloc.h"
#include "pkg/http/client_impl.h"
#include "pkg/http/head.h"

#include <strings.h>

#define IDLE_MAX_S 3600

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
	_cleanup_(base_buf_wipe) struct buf line = base_buf(HTTP_LINE_MAX + 512);

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
	code |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_call_on_header);
	code |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	code |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_call_on_receive);
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
	code |= curl_easy_setopt(easy, CURLOPT_READFUNCTION, http_call_on_send);
	code |= curl_easy_setopt(easy, CURLOPT_READDATA, call);
	code |= curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, http_call_on_seek);
	code |= curl_easy_setopt(easy, CURLOPT_SEEKDATA, call);
	code |= curl_easy_setopt(easy, CURLOPT_TRAILERFUNCTION, http_call_on_trailers);
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
