/* ANY /to/{namespace}/{function}/{path}: a plain request of our function to another one, sealed on
 * its way. Layer: agent. See agent/proxy.h.
 *
 * Only to functions of the list; where they are is never taken from the request. A request that the
 * recipient refuses as sealed to an old key is sealed once more, when our own watch has shown newer
 * keys, and never to more recipients than before. One that certainly reached no function is sent as
 * it is to the revision before.
 */
#ifndef AGENT_OUTBOUND_H
#define AGENT_OUTBOUND_H

#include "agent/proxy.h"

#define AGENT_OUTBOUND_PATH "/to/{namespace}/{function}/*"

/* For a route; its ctx is the struct agent_app, whose proxy is there. */
extern const struct http_ops agent_outbound_ops;

#endif
