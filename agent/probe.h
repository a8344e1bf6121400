/* What the kubelet runs in the agent's container: probes and the preStop drain, over the unix
 * socket. Layer: agent. Blocking, with time limits; no event loop, nothing of the network half.
 */
#ifndef AGENT_PROBE_H
#define AGENT_PROBE_H

#include "pkg/base/buf.h"
#include "pkg/base/env.h"

#define AGENT_PROBE_ANSWER_MAX 8192

/* One request on the socket, of at most limit_ms. *ret_body is the text of the answer, appended.
 * TRANSIENT: nobody answered in time. INVALID: what came is no HTTP. */
int agent_probe_ask(const char *socket_path, const char *method, const char *path, int64_t limit_ms,
	int *ret_status, struct buf *ret_body, struct err *err) must_check;

enum agent_probe {
	AGENT_PROBE_NONE,
	AGENT_PROBE_STARTUP, /* asks until it is ready, for up to 4.5 s: the kubelet asks seldom */
	AGENT_PROBE_READY,
	AGENT_PROBE_LIVE,
	AGENT_PROBE_DRAIN /* hands the leadership over; waits for that up to 5 s */
};

/* "startup", "ready", "live"; NONE for what is none. */
enum agent_probe agent_probe_named(struct str name);

/* Does it and says on standard output why not. Returns the exit status: 0 yes, 1 no. */
int agent_probe_run(enum agent_probe probe, const char *socket_path, const struct env *env);

#endif
