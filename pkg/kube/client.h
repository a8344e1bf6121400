/* The API client: requests and streams on one libuv loop. Layer: kube (libcurl, libuv).
 *
 * Everything happens on the loop's thread; callbacks come from the loop, never from inside the call
 * that starts something. HTTP/1.1; watches have their connections, the other classes share theirs,
 * but a Lease call waits for none. A handshake costs more than several small requests, so few calls
 * share two connections, and there is one more for each four (class API only). Paced to 50 requests
 * a second after a burst of 100 (class API only). Retried by itself, within the request's time:
 * - 429 and 5xx with Retry-After, any verb, after that time (capped) and jitter;
 * - broken connections, only GET and LIST calls: a write that met one may have been applied, so it
 *   ends with TRANSIENT and detail 0, and the caller reads before it writes again;
 * - 401 once, after reading the token again: any verb, since nothing was done.
 * Streams are retried only on 401: their reader has a state machine (kube/watch.h) that knows more.
 * kubernetes.md 1.2. The program ignores SIGPIPE.
 */
#ifndef KUBE_CLIENT_H
#define KUBE_CLIENT_H

#include "pkg/base/cleanup.h"
#include "pkg/base/env.h"
#include "pkg/kube/config.h"
#include "pkg/kube/request.h"

#include <uv.h>

struct kube_client;
struct kube_call;

struct kube_client_options {
	const char *program;  /* for the User-Agent: "name/version" */
	uint32_t rate;        /* class API, requests a second; 0: 50 */
	uint32_t burst;       /* 0: 100 */
	uint32_t connections; /* class API: calls at once, at most, and connections kept; 0: 8.
			       * Each kept one takes about 110 KiB with TLS */
	uint32_t max_calls;   /* calls and streams at once, waiting ones too; 0: 4096 */
	uint32_t connect_ms;  /* 0: 10000 */
	/* A Warning header, once per distinct text (at most 256 of them); may be NULL. */
	void (*on_warning)(void *ctx, struct str text);
	void *ctx; /* of on_warning */
};

/* config is borrowed and outlives the client. NOMEM; INVALID: credentials that do not parse. */
int kube_client_new(uv_loop_t *loop, const struct env *env, struct kube_config *config,
	const struct kube_client_options *options, struct kube_client **ret_client, struct err *err)
	must_check;

/* Cancels what is under way, without callbacks. NULL is fine. Returns NULL. Memory goes when the
 * loop has closed the client's handles: run it once more. Leases, events and informers that use
 * the client go first. */
struct kube_client *kube_client_free(struct kube_client *client);
CLEANUP_FREE(struct kube_client, kube_client_free);

/* What it was made with; borrowed. */
uv_loop_t *kube_client_loop(const struct kube_client *client);
const struct env *kube_client_env(const struct kube_client *client);

/* What came back. body is borrowed for the time of the callback. */
struct kube_response {
	int status; /* 2xx */
	struct str body;
};

/* Called exactly once, unless cancelled. err is NULL on success; else its class is the decision
 * (kube/status.h), detail the HTTP status (0: none came), retry_after what the server asked for;
 * resp is then NULL unless the server answered: its body is then the Status. */
typedef void (*kube_done)(void *ctx, const struct kube_response *resp, const struct err *err);

/* Copies what it needs of the request. ret_call may be NULL where nobody cancels; *ret_call is
 * valid until done returns. INVALID as kube_request_check; TOO_LARGE: max_calls; NOMEM. */
int kube_start(struct kube_client *client, const struct kube_request *request, kube_done done,
	void *ctx, struct kube_call **ret_call, struct err *err) must_check;

/* No callback after it; the call is then gone. NULL is fine. Also from inside its own callbacks of
 * a stream, but not from inside done or on_end. */
void kube_cancel(struct kube_call *call);

/* Bytes as they come: LIST and watch. A return below 0 (an error class) from on_status or on_bytes
 * ends the stream: on_end then gets that class.
 * on_status: once, with a 2xx status. Other statuses go to on_end alone, as a typed error.
 * on_end: exactly once unless cancelled, last; NULL: the server ended it cleanly. */
struct kube_stream_handler {
	int (*on_status)(void *ctx, int http_status); /* may be NULL */
	int (*on_bytes)(void *ctx, const uint8_t *p, size_t n);
	void (*on_end)(void *ctx, const struct err *err);
};

/* handler is copied. Otherwise as kube_start. */
int kube_stream_start(struct kube_client *client, const struct kube_request *request,
	const struct kube_stream_handler *handler, void *ctx, struct kube_call **ret_call,
	struct err *err) must_check;

/* Stops and continues the flow of bytes (TCP back-pressure). While it is paused idle_ms stands
 * still.
 */
void kube_stream_pause(struct kube_call *call);
void kube_stream_resume(struct kube_call *call);

/* Asked before each attempt of each writing call of class API, at the moment it would be sent; a
 * false ends the call with CANCELLED. NULL: nobody asks. */
typedef bool (*kube_may_write)(void *ctx, const struct kube_request *request);
void kube_client_set_write_guard(struct kube_client *client, kube_may_write may_write, void *ctx);

/* Asks the guard again about writes that are under way and ends those that it refuses: what a
 * leader does that was deposed. */
void kube_client_recheck_writes(struct kube_client *client);

/* Counters for metrics. Codes are "0" (no answer), the statuses of kube_stats_codes, "other". */
#define KUBE_CODES 24
struct kube_stats {
	uint64_t requests[KUBE_CLASS_COUNT][KUBE_VERB_COUNT][KUBE_CODES]; /* by class, verb, code */
	uint64_t retries[KUBE_CLASS_COUNT];
	uint64_t throttled;    /* calls of class API that waited, for the bucket or a connection */
	uint64_t throttled_ns; /* their sum */
	uint64_t bytes_in;
	uint64_t in_flight;
	uint64_t warnings;
};
const struct kube_stats *kube_client_stats(const struct kube_client *client);
/* "200", …; NULL where index is past the last. */
const char *kube_stats_code(size_t index);

#endif
