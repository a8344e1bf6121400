/* The HTTPS server of the admission webhook. Layer: controller (libwebsockets on the loop,
 * OpenSSL).
 *
 * What the API server needs and no more: HTTP/1.1 over TLS 1.2 or 1.3, keep-alive, POST to one path
 * with a Content-Length. Everything is bounded: connections, their time, one body, all bodies
 * together; what is over is answered at once, never kept waiting. It answers from the loop, by a
 * function that must not wait. Without a certificate handshakes fail; a new one is used by the
 * next handshake.
 */
#ifndef CONTROLLER_WEBHOOK_H
#define CONTROLLER_WEBHOOK_H

#include "pkg/base/buf.h"
#include "pkg/base/env.h"

#include <uv.h>

#define CONTROLLER_WEBHOOK_PATH        "/inject"
#define CONTROLLER_WEBHOOK_CONNECTIONS 64
#define CONTROLLER_WEBHOOK_BODIES_MAX  (24u << 20) /* bytes of all bodies that are under way */

struct controller_webhook;

/* Appends the answer to a body, in JSON. INVALID and TOO_LARGE become 400 and 413, all else 500. */
typedef int (*controller_webhook_answer)(
	void *ctx, struct str body, struct buf *answer, struct err *err);

struct controller_webhook_config {
	uv_loop_t *loop;
	struct clock clock;
	const char *address; /* "<IP>:<port>"; port 0: any free one */
	controller_webhook_answer answer;
	void *ctx;         /* of answer */
	uint64_t body_max; /* bytes of one body */
	int silence_s;     /* that a client may be silent in the middle of something; 0: 10 */
};

/* Listens. INVALID (address), TERMINAL (cannot listen), NOMEM. */
int controller_webhook_new(const struct controller_webhook_config *config,
	struct controller_webhook **ret_w, struct err *err) must_check;

/* Cuts all connections. Memory goes when the loop has closed the server's handles: run it until it
 * is empty. NULL is fine. Returns NULL. */
struct controller_webhook *controller_webhook_free(struct controller_webhook *w);
CLEANUP_FREE(struct controller_webhook, controller_webhook_free);

/* The certificate, with its chain behind it, and its key, both PEM. INVALID: they do not fit
 * together or are none; what was in use stays. */
int controller_webhook_certificate(
	struct controller_webhook *w, struct str chain, struct str key, struct err *err) must_check;

/* From now on each answer ends its connection: clients go elsewhere. */
void controller_webhook_drain(struct controller_webhook *w);

/* The port that it listens on. */
uint16_t controller_webhook_port(const struct controller_webhook *w);

struct controller_webhook_stats {
	unsigned connections; /* open now */
	unsigned busy;        /* requests under way now */
	uint64_t turned_away; /* connections and requests for which there was no room */
	uint64_t handshakes_without_certificate;
};
/* Since the start, and what is open now; a copy. */
struct controller_webhook_stats controller_webhook_stats(const struct controller_webhook *w);

#endif
