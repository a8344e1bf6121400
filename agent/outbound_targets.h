/* Which functions a pod may send requests to through its agent, and where these are. Layer: agent,
 * pure (but for the records, which come from agent/senders).
 *
 * The list is written by who deploys the pod (annotation functionkey.dev/outbound), never by who
 * makes a request, so that no request can choose an address: a row is a function, of our namespace
 * where it names none, and where wanted the address of its Service. Without one, requests go to the
 * agent that leads the function's revision, as its record says.
 */
#ifndef AGENT_OUTBOUND_TARGETS_H
#define AGENT_OUTBOUND_TARGETS_H

#include "crds/functionkey.h"

#define AGENT_TARGETS_MAX    32
#define AGENT_TARGET_ADDRESS 256
#define AGENT_INBOUND_PORT   9472

struct agent_target {
	char ns[64], function[64];
	char address[AGENT_TARGET_ADDRESS]; /* "host:port"; empty: the leader's agent */
};

struct agent_targets {
	size_t n;
	struct agent_target v[AGENT_TARGETS_MAX];
};

/* "[namespace/]function[=host:port]", separated by commas or white space. INVALID, TOO_LARGE. */
int agent_targets_parse(
	struct str list, struct str home, struct agent_targets *ret, struct err *err) must_check;

/* The row of a function; NULL: it is not allowed. */
const struct agent_target *agent_targets_find(
	const struct agent_targets *t, struct str ns, struct str function);

/* Where the agent of a leader takes requests: its endpoint in the record, "<IP address>:<port>",
 * with port in the place of its own. INVALID. */
int agent_target_of_endpoint(struct str endpoint, uint16_t port,
	char ret_address[static AGENT_TARGET_ADDRESS], struct err *err) must_check;

#endif
