/* Completion in the shell: kubectl runs kubectl_complete-functionkey, which is a link to this
 * program, with the words so far, the last of them unfinished. Layer: cli.
 */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include "cli/records.h"

#define CLI_COMPLETE_PROGRAM "kubectl_complete-functionkey"
#define CLI_COMPLETE_NS      (3 * NS_PER_S) /* how long a person waits for a tab */

struct cli_commands {
	const struct cli_command *v;
	size_t n;
};

/* The command of that name; NULL: none. */
const struct cli_command *cli_command_find(const struct cli_commands *c, const char *name);

/* Writes what can follow to standard output, in the form that kubectl wants: a line each, then
 * ":4" (nothing else) or ":0" (file names, too). Errors complete nothing. */
int cli_complete(const struct cli_commands *c, int argc, char *const *argv, struct err *err)
	must_check;

/* Appends the commands, or a command's options, that begin with prefix. */
int cli_complete_commands(const struct cli_commands *c, struct str prefix, struct buf *page,
	struct err *err) must_check;
int cli_complete_options(const struct cli_command *command, struct str prefix, struct buf *page,
	struct err *err) must_check;

/* Appends the names of records that begin with prefix, each once: pods of Member records, or
 * revisions and functions of Leader records. */
int cli_complete_records(const struct cli_records *r, enum cli_completes what, struct str prefix,
	struct buf *page, struct err *err) must_check;

#endif
