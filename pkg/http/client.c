#include "pkg/base/alloc.h"
#include "pkg/http/client_impl.h"
#include "pkg/http/head.h"

#include <strings.h>

#define KEPT 64 /* connections that stay open */

/* -- life -- */

static void bury(struct http_call *call)
{
	http_early_forget(call);
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

bool http_call_reached(const struct http_call *call)
{
	curl_off_t us = 0;

	/* Of a connection that was kept, too: the time to connect is 0 then. */
	return curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &us) != CURLE_OK ||
	       us > 0;
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

size_t http_call_on_send(char *to, size_t size, size_t n, void *ctx)
{
	struct http_call *call = ctx;
	struct err err = {0};
	size_t got = 0;

	if (!call->ops)
		return CURL_READFUNC_ABORT;
	if (call->gone) {
		(void)refuse(call,
			FAIL(&err, ERR_TRANSIENT, "the peer closed the connection in a request"),
			&err);
		return CURL_READFUNC_ABORT;
	}
	call->busy++;
	const int r =
		refuse(call, call->ops->send(call->ctx, (uint8_t *)to, size * n, &got, &err), &err);
	call->busy--;
	if (r < 0 || !call->ops)
		return CURL_READFUNC_ABORT;
	if (r == HTTP_CALL_WAIT) {
		call->send_paused = true;
		return CURL_READFUNC_PAUSE;
	}
	return got;
}

int http_call_on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct http_call *call = ctx;

	if (!call->ops || !call->ops->rewind || offset != 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	return call->ops->rewind(call->ctx) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

int http_call_on_trailers(struct curl_slist **list, void *ctx)
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
	call->last = status >= 300 || call->closes;
	return call->ops->head ? call->ops->head(call->ctx, (unsigned)status, err) : 0;
}

/* Whether "close" is in the list. */
static bool says_close(struct str list)
{
	static const char word[] = "close";

	for (size_t at = 0; at < list.n;) {
		const size_t end = base_str_find(list, ',', at);
		const struct str item = base_str_trim(base_str_sub(list, at, end));
		if (item.n == sizeof(word) - 1 && strncasecmp(item.p, word, item.n) == 0)
			return true;
		at = end + 1;
	}
	return false;
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
	if (!call->headed && base_str_eq(key, STR("connection")))
		call->closes = call->closes || says_close(value);
	return call->ops->field ? call->ops->field(call->ctx, key, value, err) : 0;
}

static int take_line(struct http_call *call, struct str line, struct err *err)
{
	if (line.n > HTTP_LINE_MAX)
		return FAIL(err, ERR_TOO_LARGE, "a header line of %zu bytes", line.n);
	if (!call->headed && base_str_starts(line, STR("HTTP/"))) {
		call->closes = base_str_starts(line, STR("HTTP/1.0 "));
		return 0;
	}
	if (!base_str_ends(line, STR("\r\n")))
		return FAIL(err, ERR_INVALID, "a header line of the answer has no CRLF");
	line = base_str_sub(line, 0, line.n - 2);
	if (line.n > 0)
		return take_field(call, line, err);
	return call->headed ? 0 : end_head(call, err);
}

size_t http_call_on_header(char *p, size_t size, size_t n, void *ctx)
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

size_t http_call_on_receive(char *p, size_t size, size_t n, void *ctx)
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
		call->receive_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	return size * n;
}

/* -- going on -- */

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
	if (!call->running || call->resuming || call->busy > 0 ||
		(!call->send_paused && !call->receive_paused))
		return;
	call->resuming = true;
	call->send_paused = call->receive_paused = false;
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
	kube_transport_tell_unwatched(client->transport, http_early_unwatched);
	http_early_open(loop, client);
	*ret_client = client;
	return 0;
}

static void early_closed(uv_handle_t *early)
{
	base_free(container_of((uv_timer_t *)(void *)early, struct http_client, early));
}

static void transport_closed(void *ctx)
{
	http_early_close(ctx, early_closed);
}

struct http_client *http_client_free(struct http_client *client)
{
	if (client)
		kube_transport_close(client->transport, transport_closed, client);
	return NULL;
}
