/* Proxy mode: for functions that know nothing of envelopes. Layer: agent.
 *
 *	function → agent/outbound → sealed Binary HTTP → agent/inbound → function
 *
 * Outbound takes plain HTTP/1.1 on loopback for functions of a list, seals each request to all live
 * revisions of its function, and opens the answer. Inbound takes sealed requests on a port of its
 * own, hands them to the function on loopback, and seals its answers under the request's key.
 * Method, target, headers, body and trailers travel inside; what a carrier sees is sizes and times.
 *
 * Bodies of known length that fit into a whole message (and their answers) are held, verified, then
 * handed on, and their connections stay open. All others are streams in constant memory: they are
 * released in verified segments of 64 KiB, and what fails midway is cut, never ended cleanly.
 */
#ifndef AGENT_PROXY_H
#define AGENT_PROXY_H

#include "agent/app.h"
#include "agent/outbound_targets.h"
#include "agent/pending.h"
#include "agent/proxy_fields.h"
#include "pkg/http/client.h"

#define AGENT_BHTTP         "message/bhttp" /* media type inside of envelopes */
#define AGENT_INBOUND_PATH  "/v1/requests"
#define AGENT_PROXY_CONNECT (3 * NS_PER_S)
#define AGENT_PROXY_IDLE    (60 * NS_PER_S) /* without a byte in either direction */
/* Content that surely fits into a whole message with its head. */
#define AGENT_PROXY_WHOLE (ENVELOPE_WHOLE_MAX - BHTTP_HEAD_MAX - BHTTP_TRAILERS_MAX)
/* Bytes that wait for the other side before this side is held up. */
#define AGENT_PROXY_PENDING (128u << 10)
#define AGENT_PROXY_PIECE   ENVELOPE_SEGMENT

/* A request that waits for newer keys than those that its recipient refused. */
struct agent_refresh {
	void (*look)(void *ctx); /* from the loop, now and then */
	void *ctx;
	bool waiting;
	TAILQ_ENTRY(agent_refresh) link;
};

struct agent_exposed;

struct agent_proxy {
	struct agent_app *app;
	struct http_client *client;
	struct agent_targets targets;
	uint16_t inbound_port; /* of the function; 0: no inbound */
	struct http_server *inbound;
	struct http_route routes[2];
	char inbound_address[64];
	struct agent_exposed *exposed;
	uv_timer_t timer; /* of those that refresh */
	bool timer_open;
	TAILQ_HEAD(, agent_refresh) refreshing;
};

/* Listens where the options ask for inbound. *ret_proxy stays NULL if they ask for neither
 * direction. app outlives it. INVALID, and as http_server_new. */
int agent_proxy_new(struct agent_app *app, struct agent_proxy **ret_proxy, struct err *err)
	must_check;
/* Ends all inbound requests; outbound ones ended before, with the local face. NULL is fine. Returns
 * NULL. Memory goes when the loop runs on. */
struct agent_proxy *agent_proxy_free(struct agent_proxy *proxy);
CLEANUP_FREE(struct agent_proxy, agent_proxy_free);

/* No new inbound connections; what runs goes on. Outbound drains with the local face. NULL is fine
 * for both. */
void agent_proxy_drain(struct agent_proxy *proxy);
/* No inbound request runs. */
bool agent_proxy_idle(const struct agent_proxy *proxy);

/* look is called soon, once. The second takes it back. */
void agent_proxy_refresh(struct agent_proxy *proxy, struct agent_refresh *refresh);
void agent_proxy_no_refresh(struct agent_proxy *proxy, struct agent_refresh *refresh);

#endif
