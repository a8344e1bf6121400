/* What kubectl functionkey runs in the agent's container, through the API server: standard input to
 * the local API, its answer to standard output. Layer: agent; nothing of the network half.
 *
 * Bodies are streams, in constant memory, both at once. What stands on standard output is the whole
 * plaintext if and only if the exit status is 0: of a small message nothing is written before all
 * of it is verified, a stream is written segment by segment.
 */
#ifndef AGENT_ASK_H
#define AGENT_ASK_H

#include "pkg/base/str.h"

enum agent_ask {
	AGENT_ASK_NONE,
	AGENT_ASK_STATUS, /* GET /v1/status */
	AGENT_ASK_DECRYPT /* POST /v1/decrypt */
};

/* Exit statuses; those of kubectl functionkey have the same numbers. */
enum agent_ask_exit {
	AGENT_ASK_DONE = 0,
	AGENT_ASK_REFUSED = 1,     /* the agent said why */
	AGENT_ASK_UNREACHABLE = 3, /* nobody answers at the socket */
	AGENT_ASK_UNVERIFIED = 4   /* altered, or cut: what was written is not all of it */
};

/* "status", "decrypt"; NONE for what is none. */
enum agent_ask agent_ask_named(struct str name);

/* Asks the agent behind the socket; reads `in` and writes `out`, both blocking. What went wrong
 * stands as one line, "<problem type>: <title>: <detail>", on standard error. */
enum agent_ask_exit agent_ask_run(enum agent_ask what, const char *socket_path, int in, int out);

#endif
