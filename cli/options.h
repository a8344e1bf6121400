/* The command line of kubectl functionkey: which command, its options, its names. Layer: cli.
 *
 * Options are declared as those of the other programs (pkg/base/options.h), one table a command.
 * Words may stand in any order, as with kubectl, and -n, -o, -A, -h are short for --namespace,
 * --output, --all-namespaces, --help.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "pkg/base/options.h"

#define CLI_NAMES_MAX 8
#define CLI_WORDS_MAX 256

/* Exit codes: the user's script reads them. */
enum cli_exit {
	CLI_OK = 0,
	CLI_NOT_READY = 1,   /* a check failed, something is not ready, or was refused */
	CLI_USAGE = 2,       /* the command line or the kubeconfig is wrong */
	CLI_UNREACHABLE = 3, /* no answer of the API server, or it does not know us */
	CLI_UNVERIFIED = 4,  /* a signature or a pinned key does not hold */
	CLI_TIMEOUT = 124,
};

enum cli_format { CLI_TEXT, CLI_JSON, CLI_YAML };
enum cli_dry_run { CLI_DRY_NONE, CLI_DRY_CLIENT, CLI_DRY_SERVER };

/* What any command may be told; a command fills those that its table has. */
struct cli_options {
	char kubeconfig[1024], context[254], cluster[254], user[254], ns[64];
	int64_t timeout_ns;
	int format;  /* enum cli_format */
	int dry_run; /* enum cli_dry_run */
	bool everywhere, before, wait;
	char to[160], type[256], expect[33], via[254];
	int64_t epoch;
	const char *names[CLI_NAMES_MAX]; /* what is no option; borrowed from argv */
	size_t names_len;
};

/* What the shell completes a name with. */
enum cli_completes {
	CLI_COMPLETES_NOTHING,
	CLI_COMPLETES_REVISIONS,
	CLI_COMPLETES_PODS,
	CLI_COMPLETES_FILES
};

struct cli_command;
typedef int (*cli_run)(const struct cli_options *o, struct err *err);

struct cli_command {
	const char *name;
	struct options options; /* program: "kubectl functionkey NAME" */
	size_t names_min, names_max;
	enum cli_completes completes;
	cli_run run; /* returns an enum cli_exit, or an error class below 0 */
};

/* Puts options first, then "--", then names; short options become long ones. argv has argc words
 * of which the first is kept; ret_argv gets at most CLI_WORDS_MAX words and a NULL, borrowed from
 * argv or static. INVALID: a short option that is none; TOO_LARGE. */
int cli_options_arrange(const struct options *o, int argc, char *const *argv,
	char *ret_argv[static CLI_WORDS_MAX + 1], int *ret_argc, struct err *err) must_check;

#endif
