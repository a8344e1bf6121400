/* Asking the agent of a pod, by a command in its container: functionkey-network ask. Layer: cli.
 *
 * Who may do that (pods/exec) may read what the function reads: the same right starts a shell in
 * the function's own container.
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "cli/channel.h"
#include "cli/records.h"

#define CLI_REMOTE_SAYS_MAX 4096

struct cli_remote {
	struct str ns, pod;
	const char *what;  /* "status", "decrypt" */
	struct str before; /* as struct cli_channel */
	int in;
	/* The agent's answer; below 0 ends it with that class. */
	int (*take)(void *ctx, struct str bytes, struct err *err);
	void *ctx;
};

/* Asks, and ends well only if all of the answer was taken. Else as cli_channel_run, or what the
 * agent says: TAMPERED: altered or cut, TERMINAL: refused, NOT_READY: it does not answer. */
int cli_remote_ask(struct cli_session *s, const struct cli_remote *remote, struct err *err)
	must_check;

/* Whom a message is for: "namespace/revision" and the epoch of its key. */
struct cli_recipient {
	struct str name;
	int64_t epoch;
};

/* A pod of that namespace that says that it is ready and opens one of these; *ret_pod borrows from
 * the records. NOT_FOUND: none of them is of this namespace; NOT_READY: no replica opens it. */
int cli_remote_choose(const struct cli_records *r, struct str ns,
	const struct cli_recipient *recipients, size_t n, struct str *ret_pod, struct err *err)
	must_check;

#endif
