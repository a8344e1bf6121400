/* POST /v1/decrypt: opens the request's body. Layer: agent.
 *
 * Whole messages are answered when all of them verified, never before. Streams are released segment
 * by segment; only the last chunk, with the trailer Functionkey-Verified: true, says that what came
 * is complete: what fails is cut. Large whole messages share a bounded room and wait for it.
 *
 * An envelope may come as the data of a CloudEvent, whose attributes must then be those that were
 * sealed: event.h. The answer is what was sealed, in the mode in which it was sealed; an event that
 * was sealed in binary mode is answered structured if Accept asks for that, unless it is a stream.
 */
#ifndef AGENT_DECRYPT_H
#define AGENT_DECRYPT_H

#include "agent/app.h"
#include "pkg/http/http.h"

/* For a route; its ctx is the struct agent_app. */
extern const struct http_ops agent_decrypt_ops;

#endif
