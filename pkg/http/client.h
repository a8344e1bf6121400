/* The other side: HTTP/1.1 requests to peers, on the program's event loop. Layer: http (base,
 * libuv, libcurl under kube/transport.h).
 *
 * A client owns kept-alive connections. A call is one request and its answer; both bodies are
 * streams, at the same time if the peer likes, and what is not taken holds the sender up. Nothing
 * is followed, retried elsewhere, decoded or added: no redirects, no proxies from the environment,
 * no cookies, no credentials, no header but those that were given and the framing. The connection
 * goes to the address that was given and nowhere else; with TLS the server's certificate must be of
 * that name or address.
 *
 * A peer may answer before it has all of the request. Where it refuses (300 and above) or closes
 * the connection behind its answer, the call ends with that answer, and what the body still waits
 * for is not asked for again; nor is the body ended then, so that nobody takes it for complete. A
 * peer that closes without an answer ends the call at once, too.
 *
 * What came is checked: names must be tokens, values hold no controls, lines are not folded, there
 * is at most one Content-Length. Names are handed on in lower case.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "pkg/http/http.h"

struct http_client;
struct http_call;

#define HTTP_CALL_WAIT 1 /* nothing now: http_call_resume follows */

/* Callbacks of a call, from the loop, also from within http_call_resume; not from within
 * http_call_new. A negative class ends the call, and done tells. All but done may be NULL. */
struct http_call_ops {
	/* At most cap bytes of the request's body to dst. 0 and *ret_n == 0: it is complete. */
	int (*send)(void *ctx, uint8_t *dst, size_t cap, size_t *ret_n, struct err *err);
	/* The body has to be sent again from its start. NULL: it cannot be. */
	int (*rewind)(void *ctx);
	/* A header (before head) or a trailer (after it). */
	int (*field)(void *ctx, struct str name, struct str value, struct err *err);
	/* All headers are there. Never of an informational answer. */
	int (*head)(void *ctx, unsigned status, struct err *err);
	/* n bytes of the answer's body: all of them are taken, or none with HTTP_CALL_WAIT. */
	int (*data)(void *ctx, const uint8_t *p, size_t n, struct err *err);
	/* It is over; err NULL: the answer is complete. Free it then, or later. */
	void (*done)(void *ctx, const struct err *err);
};

struct http_call_request {
	const char *method;
	const char *address; /* "10.1.2.3:9472", "[::1]:80", "name:80"; "/path" of a unix socket */
	const char *host;    /* the header */
	const char *target;  /* "/path?query", sent as it is */
	bool tls;            /* 1.2 or newer */
	struct str ca;       /* PEM: the only authorities; empty: those of the system */
	bool has_body;       /* else neither Content-Length nor chunks are sent; not with HEAD */
	bool has_length;     /* else chunked */
	uint64_t length;
	int64_t connect_ns, idle_ns; /* limits: to connect; without a byte */
};

/* loop is borrowed and outlives it. The caller owns *ret. NOMEM. */
int http_client_new(uv_loop_t *loop, struct http_client **ret_client, struct err *err) must_check;
/* Every call was freed before. Memory goes when the loop runs on. NULL is fine. Returns NULL. */
struct http_client *http_client_free(struct http_client *client);
CLEANUP_FREE(struct http_client, http_client_free);

/* A call that has not begun. request and its texts are copied. INVALID (HEAD with a body), NOMEM.
 */
int http_call_new(struct http_client *client, const struct http_call_request *request,
	const struct http_call_ops *ops, void *ctx, struct http_call **ret_call, struct err *err)
	must_check;
/* A header of the request. INVALID (not a header, or one that frames), NOMEM. */
int http_call_header(struct http_call *call, struct str name, struct str value, struct err *err)
	must_check;
/* A trailer, any time before send says that the body is complete; chunked bodies only. As above. */
int http_call_trailer(struct http_call *call, struct str name, struct str value, struct err *err)
	must_check;
/* Begins it. NOMEM, BUG. */
int http_call_start(struct http_call *call, struct err *err) must_check;
/* send has something, or data takes something, again. */
void http_call_resume(struct http_call *call);
/* Whether the peer may have received something of the request: a connection to it stood. From done
 * on. */
bool http_call_reached(const struct http_call *call);
/* Ends it without a word, whatever it does; a request that is under way is cut. Returns NULL. Also
 * from within a callback. */
struct http_call *http_call_free(struct http_call *call);
CLEANUP_FREE(struct http_call, http_call_free);

#endif
