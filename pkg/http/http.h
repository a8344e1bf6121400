/* HTTP/1.1 servers on the program's event loop. Layer: http (base, libuv, libmicrohttpd).
 *
 * A server has one listener (a unix socket or a TCP address), a table of routes and limits. Bodies
 * are streams in both directions, at the same time if the handler likes: what is not taken yet
 * holds the sender up. Everything happens on the loop's thread; callbacks come from the loop, never
 * from within a call of a function below (but see http_stream_write).
 *
 * One function refuses, before any handler: two Content-Lengths, Content-Length with
 * Transfer-Encoding, a Transfer-Encoding other than chunked, a missing, double or malformed Host,
 * absolute-form and other targets that are no plain path, bare LF, NUL, control characters, line
 * folding, white space before a colon, HTTP versions other than 1.1. The connection is closed then.
 *
 * Life of a request: begin; body for each piece; end; and gone, always and exactly once if begin
 * was called, whatever happened between. A reply may come at any time from begin until gone, also
 * much later than end. After gone the request does not exist.
 *
 * Streamed answers (http_stream_*) are chunked, may begin while the request's body still arrives,
 * and close the connection at their end; if they are cut, the last chunk is missing, which every
 * client must take as an error.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "pkg/base/buf.h"
#include "pkg/base/env.h"
#include "pkg/base/metrics.h"

#include <uv.h>

#define HTTP_PARAMS      2    /* {params} of a route */
#define HTTP_PARAM_MAX   256  /* decoded bytes of one */
#define HTTP_TARGET_MAX  2048 /* raw bytes of path and query; longer: 414 */
#define HTTP_HEADERS     64   /* of a request; more: 431 */
#define HTTP_OWN_HEADERS 64   /* that a handler adds to an answer, and as many trailers */
#define HTTP_METHOD_MAX  32
#define HTTP_PIECE_MAX   65600 /* bytes that http_stream_write takes at once: 64 KiB and a tag */
#define HTTP_UNIX_PATH   108

struct http_server;
struct http_request;

/* What a handler does. Each function may be NULL but end and gone. Functions that return int give 0
 * or a negative error class; a failure is answered with a problem of that class (its text only to
 * clients of a unix socket), or cuts the connection if the answer has begun. */
struct http_ops {
	/* The header is there. Replying here refuses the body. */
	int (*begin)(void *ctx, struct http_request *r, struct err *err);
	/* n > 0 bytes of the body. *ret_taken (n before the call) says how many were used; with
	 * fewer the request sleeps until http_resume, and the rest comes again. NULL: the body is
	 * read and dropped. */
	int (*body)(void *ctx, struct http_request *r, const uint8_t *p, size_t n,
		size_t *ret_taken, struct err *err);
	/* The body is complete. Reply here or later. Not called after an early reply. */
	int (*end)(void *ctx, struct http_request *r, struct err *err);
	/* http_stream_write can take something again. */
	void (*writable)(void *ctx, struct http_request *r);
	/* Done or dead: free the state. Nothing of r may be used afterwards. */
	void (*gone)(void *ctx, struct http_request *r);
};

enum http_route_flags {
	HTTP_LONG = 1, /* no limit for the whole time: held open or as long as it needs */
};

/* One method and path, such as "GET", "/v1/keys/{namespace}/{name}". The path is also the metric's
 * label. Method "*": any. A last segment "*": any rest of a path, also none. body_max: bytes of a
 * request's body; 0: none. */
struct http_route {
	const char *method;
	const char *path;
	const struct http_ops *ops;
	void *ctx;
	uint64_t body_max;
	unsigned flags;
};

struct http_limits {
	unsigned connections;            /* 0: 256 */
	unsigned connections_per_source; /* TCP: per address; 0: 32 */
	unsigned requests_per_second;    /* TCP: per address, with as many at once; 0: no limit */
	size_t header_max;               /* bytes of the header; 0: 16 KiB, at most 24 KiB */
	int64_t idle_ns;                 /* without a byte; also for a whole header; 0: 60 s */
	int64_t total_ns;                /* for a request without HTTP_LONG; 0: 300 s */
	int64_t stall_ns; /* a body that waits for its client to read the answer; 0: idle_ns */
};

/* Everything is borrowed and lives as long as the server. */
struct http_config {
	const char *name; /* metric label: "local", "peer" */
	uv_loop_t *loop;
	struct clock clock;
	struct metrics *metrics; /* NULL: nobody counts */
	const struct http_route *routes;
	size_t routes_n;
	const char *unix_path; /* this, with its mode … */
	unsigned unix_mode;
	const char *address; /* … or this: an IPv4 or IPv6 address ("::" takes both: base/listen.h);
			      * port 0: any free one */
	uint16_t port;
	int listen_fd; /* a TCP socket that listens there already, ours from now on; 0: none */
	const char *const *hosts; /* names that Host may have (the port is free); NULL: any */
	struct http_limits limits;
};

/* Listens. A stale socket at unix_path is replaced in one step; EXISTS if a server answers there.
 * INVALID (config, address), DENIED, TERMINAL (cannot bind), NOMEM. */
int http_server_new(const struct http_config *config, struct http_server **ret_s, struct err *err)
	must_check;

/* Takes no new connections and no new requests on old ones; requests that run go on. */
void http_server_drain(struct http_server *s);

/* Requests that are not gone yet. */
unsigned http_server_busy(const struct http_server *s);

/* The port that a TCP server listens on. */
uint16_t http_server_port(const struct http_server *s);

/* Cuts all connections (each running request is told by gone, from within this call), removes the
 * socket. The memory is given back when the loop has run its closing callbacks. NULL is fine.
 * Returns NULL. */
struct http_server *http_server_free(struct http_server *s);
CLEANUP_FREE(struct http_server, http_server_free);

/* The request. All slices live until gone. */
struct str http_method(const struct http_request *r);
/* The path as it came, without the query. */
struct str http_path(const struct http_request *r);
/* What stands behind '?', as it came; p is NULL without one. */
struct str http_raw_query(const struct http_request *r);
/* The path from the '/' before the route's "*" on; empty if the request ends there. */
struct str http_rest(const struct http_request *r);
/* The i-th {param}, percent-decoded: no '/', no control characters, never empty, "." or "..". */
struct str http_param(const struct http_request *r, size_t i);
/* A parameter of the query, percent-decoded ('+' stays '+'), copied to dst with a final NUL.
 * NOT_FOUND; INVALID (given twice, not decodable, control characters); TOO_LARGE. */
int http_query(const struct http_request *r, const char *name, char *dst, size_t cap,
	struct str *ret_value, struct err *err) must_check;
/* How many headers have that name (any case); *ret_value (may be NULL) is the first one's value. */
size_t http_header(const struct http_request *r, const char *name, struct str *ret_value);
/* The i-th header in order; false past the last. */
bool http_header_at(
	const struct http_request *r, size_t i, struct str *ret_name, struct str *ret_value);
/* The i-th trailer of a chunked body, once it has ended; false past the last. Unlike headers they
 * are not checked: see http_is_name and http_is_value of head.h. */
bool http_trailer_at(
	const struct http_request *r, size_t i, struct str *ret_name, struct str *ret_value);
/* True and the length if the request has a Content-Length. */
bool http_length(const struct http_request *r, uint64_t *ret_n);

/* Who asks. */
struct http_peer {
	bool is_unix;
	uint32_t uid, gid; /* unix: of whoever connected */
	int32_t pid;       /* unix: 0 across PID namespaces; for logs only */
	char address[46];  /* TCP */
};
struct http_peer http_peer(const struct http_request *r);
/* The same answer as http_peer's is_unix, without asking the kernel who it is. */
bool http_is_unix(const struct http_request *r);

/* The handler's own pointer, NULL at first. */
void http_set_state(struct http_request *r, void *state);
void *http_state(const struct http_request *r);

/* Delivers the body again after a piece was not wholly taken. */
void http_resume(struct http_request *r);

/* Adds a header to the answer, before it begins. INVALID (not a header, or one that frames the
 * message), TOO_LARGE (HTTP_OWN_HEADERS). name and value are copied. */
int http_add_header(struct http_request *r, const char *name, struct str value, struct err *err)
	must_check;

/* Replies; the body is copied. Only the first reply counts: more are ignored. Cannot fail for the
 * caller: what cannot be sent cuts the connection. */
void http_reply(struct http_request *r, unsigned status, const char *content_type, struct str body);

/* As http_reply, and takes the buffer's memory instead of copying; *body is empty afterwards. */
void http_reply_take(
	struct http_request *r, unsigned status, const char *content_type, struct buf *body);

/* Answers HEAD: no body, and the Content-Length of what GET would be answered with; NULL: that is
 * not known, and the connection is closed. As http_reply otherwise. (The others answer HEAD, too,
 * with the length of a body that they do not send.) For another method the connection is cut. */
void http_reply_head(
	struct http_request *r, unsigned status, const char *content_type, const uint64_t *length);

/* Replies with an RFC 9457 problem document. type: a URI, NULL: about:blank; title, detail: NULL:
 * none; retry_after: seconds, 0: none. Texts are escaped. */
void http_reply_problem(struct http_request *r, unsigned status, const char *type,
	const char *title, struct str detail, unsigned retry_after);

/* Begins a streamed answer with the headers added before. BUG if there is an answer already, NOMEM.
 */
int http_stream_begin(struct http_request *r, unsigned status, const char *content_type,
	struct err *err) must_check;

/* Sends what it can take: *ret_taken of n bytes, all of them or a part, HTTP_PIECE_MAX at most.
 * With fewer than n, writable is called once there is room. CANCELLED: the client is gone (gone
 * follows from the loop). */
int http_stream_write(struct http_request *r, const void *p, size_t n, size_t *ret_taken,
	struct err *err) must_check;

/* A trailer for the end; announced if it is added before http_stream_begin. As http_add_header. */
int http_add_trailer(struct http_request *r, const char *name, struct str value, struct err *err)
	must_check;

/* Ends a streamed answer cleanly: last chunk and trailers. */
void http_stream_end(struct http_request *r);

/* In gone: whether the connection was cut because its client had not read a byte of the streamed
 * answer for limits.stall_ns, while the rest of its request's body waited for that. */
bool http_stalled(const struct http_request *r);

/* Cuts the connection, whatever was sent: the client sees an error. gone follows from the loop. */
void http_abort(struct http_request *r);

#endif
