/* What the parts of the server share. Layer: http, for its own files.
 *
 *	server.c   the daemon of libmicrohttpd under the loop, its clock tick, start and stop
 *	listen.c   listening sockets
 *	accept.c   new connections: limits, sources; TCP sockets are handed to libmicrohttpd
 *	request.c  the callbacks of libmicrohttpd: phases of a request
 *	reply.c    whole answers, problems, added headers
 *	stream.c   answers that we write to the socket ourselves
 *	head.c, target.c   what came, parsed and judged (pure)
 *
 * Who writes to the socket: libmicrohttpd where the answer is whole and the request is too, or its
 * header has just come. It cannot answer while a body arrives, so stream.c writes everything else,
 * while libmicrohttpd goes on to decode the request; such a connection is closed at the end.
 */
#ifndef HTTP_IMPL_H
#define HTTP_IMPL_H

#include "pkg/http/head.h"
#include "pkg/http/http.h"
#include "pkg/http/target.h"

#include <microhttpd.h>
#include <sys/socket.h>

#define HTTP_POOL        (32 * 1024) /* of libmicrohttpd, per connection: cleared for each request */
#define HTTP_DISCARD_MAX (1 << 20)   /* of a body that is read after the answer */
#define HTTP_OWN_MAX     8192        /* bytes of added headers */
#define HTTP_TICK_MS     1000
#define HTTP_SPARE       8 /* connections above the limit, to be told so */

/* Connections and requests of one address. */
struct http_source {
	uint8_t address[16]; /* IPv4 mapped */
	unsigned connections;
	unsigned tokens;
	int64_t filled_ns;
	int64_t last_ns; /* 0: free */
};

struct http_conn {
	struct http_server *s;
	struct http_conn *next, *prev;
	struct http_request *request; /* NULL between requests */
	struct http_source *source;   /* NULL: unix socket */
	int fd;
	int64_t quiet_ns; /* since when there is no request */
	struct sockaddr_storage address;
};

struct http_server {
	struct http_config config;
	struct http_limits limits;
	struct MHD_Daemon *mhd;
	uv_poll_t listen_poll, mhd_poll;
	uv_idle_t again; /* libmicrohttpd has more to do */
	uv_timer_t tick;
	unsigned closing; /* handles that are open */
	int listen_fd;
	uint64_t socket_ino; /* of unix_path: what to remove */
	bool ticking, draining;
	bool running; /* within libmicrohttpd */
	bool woken;   /* a request since its last run began: its time-out does not tell */
	bool paused;  /* not listening until the next tick */
	unsigned connections, busy;
	struct http_conn *conns;
	struct http_conn *adding; /* handed to libmicrohttpd just now */
	struct http_source *sources;
	size_t sources_n;
};

enum http_phase {
	HTTP_HEAD, /* the first callback has not returned */
	HTTP_BODY,
	HTTP_END, /* the last callback has begun */
};

struct http_own {
	size_t n;
	struct buf text; /* name NUL value NUL … */
};

struct http_request {
	struct http_conn *conn;
	struct MHD_Connection *mhd;
	const struct http_route *route; /* NULL: refused before a handler */
	void *state;
	enum http_phase phase;
	bool began, suspended, wake, aborted, replied, may_send, stalled;
	unsigned status;
	int64_t begun_ns;
	uint64_t taken;     /* bytes of the body that the handler used */
	uint64_t discarded; /* and that nobody wanted */
	struct http_stream *stream;
	struct http_own headers, trailers;
	struct http_head head;
	struct http_target target;
	struct http_params params;
	char method[HTTP_METHOD_MAX + 1];
	const char *raw_end; /* behind the target, in libmicrohttpd's memory */
	struct str raw;
	char raw_text[]; /* raw, which libmicrohttpd decodes in place */
};

/* server.c */
int64_t http_now(const struct http_server *s);
void http_start_ticking(struct http_server *s);
void http_pause_listening(struct http_server *s);
/* Lets libmicrohttpd work in the next round of the loop. */
void http_run_soon(struct http_server *s);

/* listen.c: a listening socket by the config; *ret_ino is that of the unix socket. */
int http_listen(const struct http_config *config, int *ret_fd, uint64_t *ret_ino, struct err *err)
	must_check;
/* Removes the unix socket if it is still ours. */
void http_unlisten(const struct http_config *config, uint64_t ino);

/* accept.c */
void http_on_connect(uv_poll_t *poll, int status, int events);
/* Takes one request from its source's allowance; false if there is none. */
bool http_source_take(struct http_server *s, struct http_source *source);
void http_on_notify(void *cls, struct MHD_Connection *c, void **socket_context,
	enum MHD_ConnectionNotificationCode what);

/* request.c */
void *http_on_target(void *cls, const char *target, struct MHD_Connection *c);
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **con_cls);
void http_on_completed(
	void *cls, struct MHD_Connection *c, void **con_cls, enum MHD_RequestTerminationCode why);
/* Wakes a request that sleeps in libmicrohttpd. */
void http_wake(struct http_request *r);
/* Answers with the problem of an error of a handler. */
void http_fail(struct http_request *r, const struct err *err);

/* reply.c: whether the method is HEAD, whose answers have no body. */
bool http_is_head(const struct http_request *r);
/* Answers with a problem and closes the connection. */
void http_refuse(struct http_request *r, enum http_refusal refusal);
/* The i-th added header or trailer. */
bool http_own_at(
	const struct http_own *own, size_t *at, const char **ret_name, const char **ret_value);

/* stream.c */
/* A whole answer while the body still arrives. */
void http_stream_reply(
	struct http_request *r, unsigned status, const char *content_type, struct str body);
/* From now on bytes may go out (libmicrohttpd has nothing to send any more). */
void http_stream_go(struct http_request *r);
/* The handler has ended it. */
bool http_stream_ended(const struct http_request *r);
/* Everything was handed to the kernel, or nothing ever will be. */
bool http_stream_done(const struct http_request *r);
/* No byte went out for that long. */
bool http_stream_stuck(struct http_request *r, int64_t now, int64_t limit);
/* With the request: the handle closes later. */
void http_stream_free(struct http_request *r);

/* metrics.c */
int http_metrics_declare(struct metrics *m, struct err *err) must_check;
void http_count_refusal(const struct http_server *s, const char *label);
void http_count_request(const struct http_request *r, unsigned status);
void http_count_connections(const struct http_server *s);

#endif
