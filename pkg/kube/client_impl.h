/* Between the files of the client. Layer: kube, internal.
 *
 * A call is in exactly one list: waiting for the bucket (paced), waiting for nothing (ready),
 * waiting for a time (later), running, or dead (cancelled while libcurl was on the stack). One
 * timer, the pump, moves calls on; all libcurl handles are added and removed from the pump, from
 * ends of transfers or from callers outside of libcurl.
 */
#ifndef KUBE_CLIENT_IMPL_H
#define KUBE_CLIENT_IMPL_H

#include "pkg/base/buf.h"
#include "pkg/kube/client.h"
#include "pkg/kube/transport.h"

#include <sys/queue.h>

#define KUBE_TRIES_MAX    10
#define KUBE_WARNINGS_MAX 256

enum kube_place {
	KUBE_PLACE_NONE,
	KUBE_PLACE_READY,
	KUBE_PLACE_PACED,
	KUBE_PLACE_LATER,
	KUBE_PLACE_RUNNING,
	KUBE_PLACE_DEAD,
	KUBE_PLACE_COUNT,
};

TAILQ_HEAD(kube_calls, kube_call);

struct kube_call {
	TAILQ_ENTRY(kube_call) link;
	struct kube_client *client;
	enum kube_place place;
	struct kube_request request; /* its texts live in `texts` */
	struct buf texts;
	char *url;
	kube_done done;
	struct kube_stream_handler handler;
	void *ctx;
	bool stream;

	CURL *easy; /* NULL unless running */
	struct curl_slist *headers, *connect_to;
	char *curl_error;
	struct buf body;
	bool sent; /* in this attempt */
	int status;
	uint32_t retry_after;
	int refused; /* class with which a stream's handler ended it, or TOO_LARGE */

	int64_t created_ns, deadline_ns; /* boot clock; deadline 0: none */
	int64_t at_ns;                   /* LATER: not before */
	int64_t attempt_ns, byte_ns;     /* start of this attempt, last sign of life */
	unsigned tries;
	bool reauthorised;
	bool ended; /* the last callback is under way or done */
	bool paused, want_pause;
	int64_t queued_ns; /* since when it waits in PACED */
};

struct kube_client {
	uv_loop_t *loop;
	struct env env;
	struct kube_config *config;
	struct kube_client_options options;
	char *user_agent;
	struct kube_transport *transport[KUBE_CLASS_COUNT];
	uv_timer_t pump;
	unsigned inside; /* libcurl on the stack */
	unsigned open;   /* handles that the loop has still to close */
	bool closing, pumping, recheck;
	struct kube_calls calls[KUBE_PLACE_COUNT];
	uint32_t count, running_api;     /* calls; those of class API that run, without streams */
	int64_t tokens_milli, tokens_ns; /* the bucket, in thousandths of a request */
	kube_may_write may_write;
	void *guard_ctx;
	uint64_t warned[KUBE_WARNINGS_MAX];
	struct kube_stats stats;
};

/* Boot clock of the client's environment. */
int64_t kube_client_now(const struct kube_client *client);

/* Makes the pump run in the next turn of the loop. */
void kube_client_wake(struct kube_client *client);

/* The calls that nobody wants any more and that libcurl still had. Outside of libcurl. */
void kube_client_bury(struct kube_client *client);

/* Moves calls on: what became due, what may start, what ran out of time. */
void kube_client_pump(uv_timer_t *timer);

/* Puts a call that may be sent now where the pump takes it from. */
void kube_call_enqueue(struct kube_call *call);

/* Takes the call from libcurl. Outside of libcurl. */
void kube_call_detach(struct kube_call *call);

/* One attempt: asks the guard, takes the credentials, hands the transfer to libcurl. A call that
 * cannot be sent is ended. */
void kube_call_attempt(struct kube_call *call);

/* The transfer of a running call ended. */
void kube_call_transferred(void *owner, CURLcode code);

/* Ends the call with *err, or as a success; calls back unless it is dead, and frees it. */
void kube_call_end(struct kube_call *call, const struct err *err);

/* Takes the call from libcurl and out of its list, and frees it. Outside of libcurl. */
void kube_call_free(struct kube_call *call);

/* Builds the easy handle of an attempt. */
int kube_call_easy(struct kube_call *call, const struct kube_credential *who, struct str ca,
	CURL **ret_easy, struct err *err) must_check;

/* Error class of a transfer that libcurl gave up; fills err. */
int kube_call_curl_error(const struct kube_call *call, CURLcode code, struct err *err);

/* "https://host:port/path" of the request, and the host to connect to in its place, if any. */
int kube_call_url(const struct kube_client *client, const struct kube_request *request,
	struct buf *b, struct err *err) must_check;

/* Hands each text of a Warning header on, once per text. Counts an answer by its code. */
void kube_client_warning(struct kube_client *client, struct str header);
void kube_client_count(struct kube_client *client, const struct kube_request *request, int code);

#endif
