/* The life of one call: start, attempts, retries, end. */
#include "pkg/kube/client_impl.h"

#include "pkg/base/alloc.h"
#include "pkg/kube/exec.h"
#include "pkg/kube/status.h"

#define BACKOFF_NS     (200 * NS_PER_MS)
#define BACKOFF_MAX_NS (5 * NS_PER_S)

/* Takes a call out of the list that it is in and appends it to that of place, if there is one. */
static void move(struct kube_call *call, enum kube_place place)
{
	struct kube_client *client = call->client;

	if (call->place != KUBE_PLACE_NONE)
		TAILQ_REMOVE(&client->calls[call->place], call, link);
	call->place = place;
	if (place != KUBE_PLACE_NONE)
		TAILQ_INSERT_TAIL(&client->calls[place], call, link);
}

void kube_call_enqueue(struct kube_call *call)
{
	call->queued_ns = kube_client_now(call->client);
	move(call, call->request.class == KUBE_CLASS_API ? KUBE_PLACE_PACED : KUBE_PLACE_READY);
	kube_client_wake(call->client);
}

static void forget_headers(struct kube_call *call)
{
	/* One of them is the token. */
	for (struct curl_slist *h = call->headers; h; h = h->next)
		base_wipe(h->data, strlen(h->data));
	curl_slist_free_all(call->headers);
	curl_slist_free_all(call->connect_to);
	call->headers = NULL;
	call->connect_to = NULL;
}

static bool takes_slot(const struct kube_call *call)
{
	return call->request.class == KUBE_CLASS_API && !call->stream;
}

void kube_call_detach(struct kube_call *call)
{
	if (!call->easy)
		return;
	kube_transport_remove(call->client->transport[call->request.class], call->easy);
	curl_easy_cleanup(call->easy);
	call->easy = NULL;
	forget_headers(call);
	call->client->stats.in_flight--;
	if (!takes_slot(call))
		return;
	call->client->running_api--;
	if (!TAILQ_EMPTY(&call->client->calls[KUBE_PLACE_PACED]))
		kube_client_wake(call->client);
}

void kube_call_free(struct kube_call *call)
{
	kube_call_detach(call);
	forget_headers(call);
	if (call->place != KUBE_PLACE_NONE)
		move(call, KUBE_PLACE_NONE);
	call->client->count--;
	base_buf_done(&call->texts);
	base_buf_done(&call->body);
	base_free(call->url);
	base_free(call->curl_error);
	base_free(call);
}

void kube_call_end(struct kube_call *call, const struct err *err)
{
	const struct kube_response resp = {
		.status = call->status, .body = base_buf_str(&call->body)};

	move(call, KUBE_PLACE_NONE);
	call->ended = true;
	if (call->stream)
		call->handler.on_end(call->ctx, err);
	else
		call->done(call->ctx, call->status ? &resp : NULL, err);
	kube_call_free(call);
}

static int may_send(struct kube_call *call, struct err *err)
{
	struct kube_client *client = call->client;
	const struct kube_request *r = &call->request;

	if (r->class == KUBE_CLASS_API && kube_verb_writes(r->verb) && client->may_write &&
		!client->may_write(client->guard_ctx, r))
		return FAIL(err, ERR_CANCELLED, "%s %s: writing is not allowed now",
			kube_verb_name(r->verb), r->resource->plural);
	if (call->deadline_ns && call->deadline_ns - call->attempt_ns < NS_PER_MS)
		return FAIL(err, ERR_TRANSIENT, "%s %s: no time left", kube_verb_name(r->verb),
			r->resource->plural);
	return 0;
}

static int send_it(struct kube_call *call, struct err *err)
{
	struct kube_client *client = call->client;
	struct kube_credential who = {0};
	struct str ca = STR_NULL;
	CURL *easy = NULL;

	TRY(may_send(call, err));
	TRY(kube_config_credential(client->config, &client->env, call->attempt_ns, &who, err));
	TRY(kube_config_ca(client->config, call->attempt_ns, &ca, err));
	TRY(kube_call_easy(call, &who, ca, &easy, err));
	if (call->deadline_ns)
		(void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
			(long)((call->deadline_ns - call->attempt_ns) / NS_PER_MS));
	const int r = kube_transport_add(client->transport[call->request.class], easy, err);
	if (r < 0) {
		curl_easy_cleanup(easy);
		return r;
	}
	call->easy = easy;
	return 0;
}

void kube_call_attempt(struct kube_call *call)
{
	struct err err = {0};

	call->attempt_ns = kube_client_now(call->client);
	call->byte_ns = call->attempt_ns;
	call->tries++;
	call->status = 0;
	base_buf_clear(&call->body);
	if (send_it(call, &err) < 0) {
		forget_headers(call);
		kube_call_end(call, &err);
		return;
	}
	call->client->stats.in_flight++;
	call->client->running_api += takes_slot(call);
	call->paused = false;
	move(call, KUBE_PLACE_RUNNING);
}

/* True if there is time and patience for another attempt after delay. */
static bool again_after(struct kube_call *call, int64_t delay)
{
	const int64_t now = kube_client_now(call->client);

	if (call->tries > KUBE_TRIES_MAX || (call->deadline_ns && now + delay >= call->deadline_ns))
		return false;
	call->client->stats.retries[call->request.class]++;
	call->at_ns = now + delay;
	move(call, KUBE_PLACE_LATER);
	kube_client_wake(call->client);
	return true;
}

static void answered(struct kube_call *call)
{
	const struct kube_client *client = call->client;
	const struct str body = base_buf_str(&call->body);
	const int status = call->status;
	struct err err = {0};

	if (status >= 200 && status < 300 && (call->stream || !kube_status_is_failure(body))) {
		kube_call_end(call, NULL);
		return;
	}
	if (status == 401 && !call->reauthorised &&
		kube_config_refused(client->config, call->attempt_ns)) {
		call->reauthorised = true;
		if (again_after(call, 0))
			return;
	}
	(void)kube_status_error(call->request.verb, status, call->retry_after, body, &err);
	/* Not what no waiting heals, such as a resourceVersion that does not exist yet. */
	if ((status == 429 || status >= 500) && call->retry_after && !call->stream &&
		err.class == ERR_TRANSIENT) {
		const int64_t wait = call->retry_after * NS_PER_S;
		if (again_after(call, wait + base_jitter(&client->env, 0, wait / 4)))
			return;
	}
	kube_call_end(call, &err);
}

/* Only where the server cannot have refused for good. */
static bool is_broken_connection(CURLcode code)
{
	static const CURLcode codes[] = {CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST,
		CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE,
		CURLE_SSL_CONNECT_ERROR, CURLE_WEIRD_SERVER_REPLY, CURLE_UNSUPPORTED_PROTOCOL};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i] == code)
			return true;
	return false;
}

static int64_t backoff(const struct kube_call *call)
{
	int64_t d = BACKOFF_NS;

	for (unsigned i = 1; i < call->tries && d < BACKOFF_MAX_NS; i++)
		d *= 2;
	d = d < BACKOFF_MAX_NS ? d : BACKOFF_MAX_NS;
	return base_jitter(&call->client->env, d, 2 * d);
}

static void broken(struct kube_call *call, CURLcode code)
{
	const enum err_class refused = (enum err_class)(-call->refused);
	struct err err = {0};

	if (!kube_verb_writes(call->request.verb) && !call->stream && !call->refused &&
		is_broken_connection(code) && again_after(call, backoff(call)))
		return;
	if (call->stream && refused)
		(void)FAIL(&err, refused, "the reader of %s ended the stream",
			call->request.resource->plural);
	else if (refused)
		(void)FAIL(&err, refused, "%s %s: an answer of more than %zu bytes",
			kube_verb_name(call->request.verb), call->request.resource->plural,
			call->body.max);
	else
		(void)kube_call_curl_error(call, code, &err);
	call->status = 0;
	kube_call_end(call, &err);
}

void kube_call_transferred(void *owner, CURLcode code)
{
	struct kube_call *call = owner;

	if (call->place == KUBE_PLACE_DEAD) {
		kube_call_free(call);
		return;
	}
	kube_call_detach(call);
	kube_client_count(call->client, &call->request, code == CURLE_OK ? call->status : 0);
	if (code == CURLE_OK)
		answered(call);
	else
		broken(call, code);
}

static struct str keep(struct buf *b, struct str s)
{
	const struct str kept = base_str_n(b->data + b->len, s.n);

	/* The room was made before: this neither fails nor moves what is there. */
	(void)!base_buf_add(b, s.p, s.n, NULL);
	(void)!base_buf_add_byte(b, 0, NULL);
	return kept;
}

static int copy_request(struct kube_call *call, const struct kube_request *request, struct err *err)
{
	struct kube_request *r = &call->request;
	const struct str accept = base_str(request->accept);
	const size_t size = request->ns.n + request->name.n + request->subresource.n +
			    request->body.n + accept.n + 5;
	uint8_t *room = NULL;

	*r = *request;
	call->texts = base_buf(size);
	TRY(base_buf_room(&call->texts, size, &room, err));
	r->ns = keep(&call->texts, request->ns);
	r->name = keep(&call->texts, request->name);
	r->subresource = keep(&call->texts, request->subresource);
	r->body = keep(&call->texts, request->body);
	r->accept = accept.n ? keep(&call->texts, accept).p : NULL;
	r->query = STR_NULL;
	r->field_manager = NULL;
	return 0;
}

static int make_call(struct kube_client *client, const struct kube_request *request, bool stream,
	struct kube_call *call, struct err *err)
{
	_cleanup_(base_buf_done) struct buf url = base_buf(KUBE_URL_MAX);
	const size_t max = request->max_body ? request->max_body : KUBE_ANSWER_MAX;
	struct kube_request timed = *request;

	if (!timed.timeout_ms && !stream)
		timed.timeout_ms = KUBE_TIMEOUT_MS;
	call->body = base_buf(stream ? KUBE_STATUS_MAX : max);
	TRY(kube_call_url(client, &timed, &url, err));
	call->url = base_strndup((const char *)url.data, url.len);
	call->curl_error = base_alloc(1, CURL_ERROR_SIZE);
	if (!call->url || !call->curl_error)
		return FAIL(err, ERR_NOMEM, "call");
	TRY(copy_request(call, &timed, err));
	call->created_ns = kube_client_now(client);
	call->deadline_ns = timed.timeout_ms ? call->created_ns + timed.timeout_ms * NS_PER_MS : 0;
	return 0;
}

/* who: done or handler, and ctx, as the call is to have them. */
static int start(struct kube_client *client, const struct kube_request *request,
	const struct kube_call *who, struct kube_call **ret_call, struct err *err)
{
	TRY(kube_request_check(request, err));
	if (client->closing)
		return FAIL(err, ERR_CANCELLED, "the client is closing");
	if (client->count >= client->options.max_calls)
		return FAIL(err, ERR_TOO_LARGE, "more than %u calls at once",
			client->options.max_calls);
	struct kube_call *call = base_alloc(1, sizeof(*call));
	if (!call)
		return FAIL(err, ERR_NOMEM, "call");
	*call = *who;
	call->client = client;
	client->count++;
	const int r = make_call(client, request, call->stream, call, err);
	if (r < 0) {
		kube_call_free(call);
		return r;
	}
	kube_call_enqueue(call);
	if (ret_call)
		*ret_call = call;
	return 0;
}

int kube_start(struct kube_client *client, const struct kube_request *request, kube_done done,
	void *ctx, struct kube_call **ret_call, struct err *err)
{
	const struct kube_call who = {.done = done, .ctx = ctx};

	return start(client, request, &who, ret_call, err);
}

int kube_stream_start(struct kube_client *client, const struct kube_request *request,
	const struct kube_stream_handler *handler, void *ctx, struct kube_call **ret_call,
	struct err *err)
{
	const struct kube_call who = {.stream = true, .handler = *handler, .ctx = ctx};

	return start(client, request, &who, ret_call, err);
}

void kube_cancel(struct kube_call *call)
{
	if (!call || call->ended)
		return;
	if (call->easy && call->client->inside) {
		move(call, KUBE_PLACE_DEAD);
		kube_client_wake(call->client);
		return;
	}
	kube_call_free(call);
}

/* The next bytes are refused, and libcurl keeps them: it stops reading after at most 16 KiB. */
void kube_stream_pause(struct kube_call *call)
{
	call->want_pause = true;
}

void kube_stream_resume(struct kube_call *call)
{
	call->want_pause = false;
	call->byte_ns = kube_client_now(call->client);
	kube_client_wake(call->client);
}
