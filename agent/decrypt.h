/* POST /v1/decrypt: opens the request's body. Layer: agent.
 *
 * Whole messages are answered when all of them verified, never before. Streams are released segment
 * by segment; only the last chunk, with the trailer Functionkey-Verified: true, says that what came
 * is complete: what fails is cut. Large whole messages share a bounded room and wait for it.
 */
#ifndef AGENT_DECRYPT_H
#define AGENT_DECRYPT_H

#include "agent/app.h"
#include "pkg/http/http.h"

#include <sys/queue.h>

#define AGENT_DECRYPT_SMALL (64u << 10) /* whole messages up to here need no room */
#define AGENT_DECRYPT_ROOM  (16u << 20) /* for all others together */

struct agent_decrypting;

/* A route's ctx: what requests share. Zero but for app and the initialised list. */
struct agent_decrypts {
	struct agent_app *app;
	size_t used; /* of the room */
	TAILQ_HEAD(agent_decrypts_waiting, agent_decrypting) waiting;
};
void agent_decrypts_init(struct agent_decrypts *d, struct agent_app *app);

extern const struct http_ops agent_decrypt_ops;

#endif
