/* POST /v1/encrypt?to=[namespace/]function: seals the request's body. Layer: agent.
 *
 * Bodies of known length up to 1 MiB are answered in one piece (large ones share a bounded room),
 * all others as they come, in constant memory: a client must read while it sends, since what it
 * does not read holds it up. What has begun and cannot go on is cut.
 *
 * A CloudEvent is answered as one, in the same mode and with the same attributes, with the envelope
 * as its data: event.h. Structured ones are held whole.
 */
#ifndef AGENT_ENCRYPT_H
#define AGENT_ENCRYPT_H

#include "agent/app.h"
#include "pkg/http/http.h"

#define AGENT_TYPE_WHOLE  "application/vnd.functionkey.v1+cbor"
#define AGENT_TYPE_STREAM "application/vnd.functionkey.v1.stream"

/* For a route; its ctx is the struct agent_app. */
extern const struct http_ops agent_encrypt_ops;

/* Splits "[namespace/]function"; the namespace is `home` if there is none. MALFORMED. */
int agent_to_parse(struct str to, struct str home, struct str *ret_ns, struct str *ret_function,
	struct err *err) must_check;

#endif
