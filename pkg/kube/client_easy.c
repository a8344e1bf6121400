/* One attempt as libcurl sees it: options, bytes out, bytes in. */
#include "pkg/kube/client_impl.h"

#include "pkg/base/alloc.h"
#include "pkg/kube/exec.h"
#include "pkg/kube/status.h"

#include <strings.h>

#define DELETE_BODY   STR("{}")
#define UPLOAD_BUFFER 16384L /* the least that libcurl takes; else 64 KiB for each request */

/* Lives as long as the call. */
static struct str body_of(const struct kube_request *r)
{
	return r->verb == KUBE_DELETE && !r->body.n ? DELETE_BODY : r->body;
}

/* When a kept connection turns out to be dead, libcurl sends the request again by itself, on a new
 * one. Not a write: it may have been applied. */
static int send_once(void *ctx, char *to_ip, char *from_ip, int to_port, int from_port)
{
	struct kube_call *call = ctx;

	(void)to_ip;
	(void)from_ip;
	(void)to_port;
	(void)from_port;
	if (call->sent)
		return CURL_PREREQFUNC_ABORT;
	call->sent = true;
	return CURL_PREREQFUNC_OK;
}

static int status_of(CURL *easy)
{
	long status = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

static bool is_good(int status)
{
	return status >= 200 && status < 300;
}

static struct str header_value(struct str line, struct str name)
{
	if (line.n <= name.n || strncasecmp(line.p, name.p, name.n) != 0 || line.p[name.n] != ':')
		return STR_NULL;
	return base_str_trim(base_str_sub(line, name.n + 1, line.n));
}

static void read_header(struct kube_call *call, struct str line)
{
	const struct str after = header_value(line, STR("retry-after"));
	const struct str warning = header_value(line, STR("warning"));

	if (base_str_starts(line, STR("HTTP/")))
		call->retry_after = 0; /* of an interim answer */
	if (after.n)
		call->retry_after = kube_retry_after(after);
	if (warning.n)
		kube_client_warning(call->client, warning);
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct kube_call *call = ctx;
	const struct str line = base_str_n(p, size * n);

	call->byte_ns = kube_client_now(call->client);
	if (call->place == KUBE_PLACE_DEAD)
		return 0;
	if (base_str_trim(line).n) {
		read_header(call, line);
		return line.n;
	}
	call->status = status_of(call->easy);
	if (call->stream && call->handler.on_status && is_good(call->status)) {
		const int r = call->handler.on_status(call->ctx, call->status);
		if (r < 0 && call->place != KUBE_PLACE_DEAD)
			call->refused = r;
		if (r < 0)
			return 0;
	}
	return line.n;
}

static int take_stream(struct kube_call *call, const uint8_t *p, size_t n)
{
	const int r = call->handler.on_bytes(call->ctx, p, n);

	if (call->place == KUBE_PLACE_DEAD)
		return -1;
	if (r < 0)
		call->refused = r;
	return r;
}

static size_t on_receive(char *p, size_t size, size_t n, void *ctx)
{
	struct kube_call *call = ctx;
	const size_t len = size * n;
	const bool good = is_good(status_of(call->easy));

	if (call->stream && call->want_pause && call->place != KUBE_PLACE_DEAD) {
		call->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	call->byte_ns = kube_client_now(call->client);
	call->client->stats.bytes_in += len;
	if (call->place == KUBE_PLACE_DEAD)
		return 0;
	if (call->stream && good)
		return take_stream(call, (const uint8_t *)p, len) < 0 ? 0 : len;
	if (!good && len > call->body.max - call->body.len)
		return len; /* enough of an error is known; the connection stays of use */
	const int r = base_buf_add(&call->body, p, len, NULL);
	if (r < 0)
		call->refused = r;
	return r < 0 ? 0 : len;
}

static int add_header(struct kube_call *call, const char *line, struct err *err)
{
	struct curl_slist *list = curl_slist_append(call->headers, line);

	if (!list)
		return FAIL(err, ERR_NOMEM, "headers");
	call->headers = list;
	return 0;
}

/* "Authorization: Bearer …" without leaving a copy of ours behind. */
static int add_token(struct kube_call *call, struct str token, struct err *err)
{
	_cleanup_(base_buf_wipe) struct buf line = base_buf(token.n + 64);

	TRY(base_buf_addf(&line, err, "Authorization: Bearer %.*s", STR_FMT(token)));
	return add_header(call, (const char *)line.data, err);
}

/* host[:port] of the server, which the Host header names when the URL names another. */
static struct str authority(struct str server)
{
	const char *at = server.n ? memmem(server.p, server.n, "://", 3) : NULL;
	const size_t from = at ? (size_t)(at - server.p) + 3 : 0;

	return base_str_sub(server, from, base_str_find(server, '/', from));
}

static int add_headers(struct kube_call *call, struct str token, struct err *err)
{
	const struct kube_request *r = &call->request;
	const struct kube_config *config = call->client->config;
	const char *type = kube_verb_content_type(r->verb);
	char line[256];

	(void)snprintf(
		line, sizeof(line), "Accept: %s", r->accept ? r->accept : "application/json");
	TRY(add_header(call, line, err));
	if (type) {
		(void)snprintf(line, sizeof(line), "Content-Type: %s", type);
		TRY(add_header(call, line, err));
	}
	/* No round trip before a big body. */
	TRY(add_header(call, "Expect:", err));
	if (config->server_name.n) {
		(void)snprintf(
			line, sizeof(line), "Host: %.*s", STR_FMT(authority(config->server)));
		TRY(add_header(call, line, err));
	}
	return token.n ? add_token(call, token, err) : 0;
}

static struct str path_prefix(struct str server)
{
	const char *at = server.n ? memmem(server.p, server.n, "://", 3) : NULL;
	const size_t from = at ? (size_t)(at - server.p) + 3 : 0;

	return base_str_sub(server, base_str_find(server, '/', from), server.n);
}

int kube_call_url(const struct kube_client *client, const struct kube_request *request,
	struct buf *b, struct err *err)
{
	const struct kube_config *c = client->config;
	const uint32_t ms = request->timeout_ms;

	if (c->server_name.n)
		TRY(base_buf_addf(b, err, "https://%.*s%.*s", STR_FMT(c->server_name),
			STR_FMT(path_prefix(c->server))));
	else
		TRY(base_buf_add_str(b, c->server, err));
	return kube_request_path(request, ms ? (ms + 999) / 1000 : 0, b, err);
}

static struct curl_blob blob(struct str s)
{
	/* libcurl copies it, though its type does not say so. */
	const union {
		const char *text;
		void *bytes;
	} data = {.text = s.p};

	return (struct curl_blob){.data = data.bytes, .len = s.n, .flags = CURL_BLOB_COPY};
}

static CURLcode set_tls(
	CURL *easy, const struct kube_config *c, struct str ca, const struct kube_credential *who)
{
	struct curl_blob ca_blob = blob(ca);
	struct curl_blob cert = blob(who->cert_pem);
	struct curl_blob key = blob(who->key_pem);
	CURLcode code = CURLE_OK;

	code |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, c->insecure ? 0L : 1L);
	code |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, c->insecure ? 0L : 2L);
	if (ca.n)
		code |= curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca_blob);
	if (who->cert_pem.n) {
		code |= curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM");
		code |= curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &cert);
		code |= curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM");
		code |= curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
	}
	return code;
}

static CURLcode set_connection(struct kube_call *call, CURL *easy)
{
	const struct kube_client *client = call->client;
	const uint32_t connect_ms = client->options.connect_ms;
	CURLcode code = CURLE_OK;

	code |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	code |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	code |= curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
	code |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	code |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	code |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 15L);
	code |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
	code |= curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, kube_transport_sockopt);
	code |= curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 118L);
	code |= curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, 600L);
	code |= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (client->config->proxy_url.n)
		code |= curl_easy_setopt(easy, CURLOPT_PROXY, client->config->proxy_url.p);
	return code;
}

static CURLcode set_exchange(struct kube_call *call, CURL *easy)
{
	const struct kube_request *r = &call->request;
	const struct str body = body_of(r);
	CURLcode code = CURLE_OK;

	code |= curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	code |= curl_easy_setopt(easy, CURLOPT_URL, call->url);
	code |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	code |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_error);
	/* libcurl copies the header of each request there, and keeps it while a watch runs. */
	code |= curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
	code |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	code |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	code |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_receive);
	code |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	if (!kube_verb_writes(r->verb))
		return code;
	/* Headers and body leave as one TLS record, and in one write to the socket. */
	code |= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
	code |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.p);
	code |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, kube_verb_method(r->verb));
	code |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, send_once);
	code |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	return code;
}

/* tls-server-name: the URL names it, so that SNI and verification use it; the connection goes to
 * where the server is. */
static int set_connect_to(
	struct kube_call *call, CURL *easy, struct curl_slist **to, struct err *err)
{
	const struct kube_config *c = call->client->config;
	struct str host = authority(c->server);
	char line[600];

	if (!c->server_name.n)
		return 0;
	const bool port = host.n && host.p[host.n - 1] != ']' && memrchr(host.p, ':', host.n);
	const int n = snprintf(line, sizeof(line), "::%.*s%s", STR_FMT(host), port ? "" : ":443");
	if (n < 0 || (size_t)n >= sizeof(line))
		return FAIL(err, ERR_INVALID, "the server's name is too long");
	*to = curl_slist_append(NULL, line);
	if (!*to || curl_easy_setopt(easy, CURLOPT_CONNECT_TO, *to) != CURLE_OK)
		return FAIL(err, ERR_NOMEM, "libcurl");
	return 0;
}

int kube_call_easy(struct kube_call *call, const struct kube_credential *who, struct str ca,
	CURL **ret_easy, struct err *err)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		return FAIL(err, ERR_NOMEM, "libcurl");
	call->sent = false;
	call->status = 0;
	call->retry_after = 0;
	call->refused = 0;
	base_buf_clear(&call->body);
	int r = add_headers(call, who->token, err);
	if (r == 0)
		r = set_connect_to(call, easy, &call->connect_to, err);
	const CURLcode code = r < 0 ? CURLE_OK
				    : set_connection(call, easy) |
					      set_tls(easy, call->client->config, ca, who) |
					      set_exchange(call, easy);
	if (code != CURLE_OK)
		r = FAIL(err, ERR_NOMEM, "libcurl refuses an option");
	if (r < 0) {
		curl_easy_cleanup(easy);
		return r;
	}
	*ret_easy = easy;
	return 0;
}

int kube_call_curl_error(const struct kube_call *call, CURLcode code, struct err *err)
{
	static const struct {
		CURLcode code;
		enum err_class class;
	} rows[] = {
		{CURLE_OUT_OF_MEMORY, ERR_NOMEM},
		{CURLE_URL_MALFORMAT, ERR_INVALID},
		{CURLE_SSL_CERTPROBLEM, ERR_INVALID},
		{CURLE_SSL_CACERT_BADFILE, ERR_INVALID},
		{CURLE_SSL_ENGINE_NOTFOUND, ERR_TERMINAL},
		{CURLE_PEER_FAILED_VERIFICATION, ERR_DENIED},
	};
	enum err_class class = ERR_TRANSIENT;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].code == code)
			class = rows[i].class;
	const char *text = code == CURLE_ABORTED_BY_CALLBACK ? "a kept connection broke"
			   : call->curl_error[0]             ? call->curl_error
							     : curl_easy_strerror(code);
	return FAIL(err, class, "%s %s: %s", kube_verb_name(call->request.verb),
		call->request.resource->plural, text);
}
