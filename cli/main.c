/* kubectl functionkey: what a person asks of FunctionKey. */
#include "cli/ask.h"
#include "cli/check.h"
#include "cli/complete.h"
#include "cli/decrypt.h"
#include "cli/encrypt.h"
#include "cli/status.h"
#include "cli/why.h"

#include <signal.h>
#include <unistd.h>

#define T struct cli_options
#define COMMON_ROWS                                                                               \
	OPTION_STR(T, kubeconfig, "kubeconfig", NULL, "",                                         \
		"Only this kubeconfig file. Empty: those of $KUBECONFIG, else ~/.kube/config."),  \
		OPTION_STR(T, context, "context", NULL, "", "Context of the kubeconfig."),        \
		OPTION_STR(T, cluster, "cluster", NULL, "", "Cluster instead of the context's."), \
		OPTION_STR(T, user, "user", NULL, "", "User instead of the context's."),          \
		OPTION_STR(T, ns, "namespace", NULL, "",                                          \
			"Namespace instead of the context's; short -n."),                         \
		OPTION_DURATION(T, timeout_ns, "request-timeout", NULL, "30s", NS_PER_S,          \
			3600 * NS_PER_S, "How long the command may take.")
#define OUTPUT_ROW                                            \
	OPTION_ENUM(T, format, "output", NULL, "text", forms, \
		"Text for people, or a document for programs; short -o.")

static const char *const forms[] = {"text", "json", "yaml", NULL};
static const char *const dry_runs[] = {"none", "client", "server", NULL};

static const struct option_def status_rows[] = {COMMON_ROWS, OUTPUT_ROW,
	OPTION_BOOL(T, everywhere, "all-namespaces", NULL, "false",
		"Revisions of all namespaces; short -A.")};
static const struct option_def check_rows[] = {COMMON_ROWS, OUTPUT_ROW,
	OPTION_BOOL(T, before, "pre", NULL, "false",
		"Whether FunctionKey can be installed, before it is.")};
static const struct option_def why_rows[] = {COMMON_ROWS, OUTPUT_ROW};
static const struct option_def encrypt_rows[] = {COMMON_ROWS,
	OPTION_STR(T, to, "to", NULL, NULL, "Whom to encrypt to: [NAMESPACE/]FUNCTION."),
	OPTION_STR(
		T, type, "type", NULL, "application/octet-stream", "Media type of the plaintext."),
	OPTION_STR(T, expect, "expect", NULL, "",
		"Refuse any key but the one with this fingerprint, in hex.")};
static const struct option_def decrypt_rows[] = {COMMON_ROWS,
	OPTION_STR(T, via, "via", NULL, "",
		"The pod whose agent opens it. Empty: a replica that the message is for.")};
static const struct option_def ask_rows[] = {COMMON_ROWS,
	OPTION_ENUM(T, dry_run, "dry-run", NULL, "none", dry_runs,
		"client: change nothing, ask nobody. server: let the API server check it."),
	OPTION_BOOL(T, wait, "wait", NULL, "false",
		"Wait until it is done, at most for the request timeout.")};
static const struct option_def retire_rows[] = {COMMON_ROWS,
	OPTION_INT(T, epoch, "epoch", NULL, "0", 0, INT32_MAX,
		"The epoch whose key is to be erased; those before it are, too. Needed."),
	OPTION_ENUM(T, dry_run, "dry-run", NULL, "none", dry_runs,
		"client: change nothing, ask nobody. server: let the API server check it."),
	OPTION_BOOL(T, wait, "wait", NULL, "false",
		"Wait until it is done, at most for the request timeout.")};
#undef T

#define COMMAND(name_, summary_, arguments_, rows, min, max, completes_, run_)                    \
	{                                                                                         \
		.name = (name_),                                                                  \
		.options = {.program = "kubectl functionkey " name_,                              \
			.version = FUNCTIONKEY_VERSION,                                           \
			.summary = (summary_),                                                    \
			.arguments = (arguments_),                                                \
			.defs = (rows),                                                           \
			.n = ARRAY_LEN(rows)},                                                    \
		.names_min = (min), .names_max = (max), .completes = (completes_), .run = (run_), \
	}

static const struct cli_command commands[] = {
	COMMAND("status",
		"Shows revisions: their keys, leader and replicas. With a NAME, of a revision or a "
		"function, everything about it. Exit code 1: one is not ready.",
		"[NAME]", status_rows, 0, 1, CLI_COMPLETES_REVISIONS, cli_status),
	COMMAND("check",
		"Checks that FunctionKey is installed as it should be and that the namespace can "
		"use it; says what to do about what is wrong. Exit code 1: something is.",
		"", check_rows, 0, 0, CLI_COMPLETES_NOTHING, cli_check),
	COMMAND("why",
		"Explains why a replica is not ready, station by station. Exit code 1: it is not.",
		"POD", why_rows, 1, 1, CLI_COMPLETES_PODS, cli_why),
	COMMAND("encrypt",
		"Encrypts FILE, or standard input, to a function: any replica of its revisions can "
		"open it. Exit code 4: a key is not signed as it must be, or not the expected one.",
		"[FILE]", encrypt_rows, 0, 1, CLI_COMPLETES_FILES, cli_encrypt),
	COMMAND("decrypt",
		"Has the agent of a replica open FILE, or standard input, and writes the plaintext "
		"to standard output. Needs to create pods/exec. Exit code 4: the message was "
		"altered or cut; what was written is not all of it.",
		"[FILE]", decrypt_rows, 0, 1, CLI_COMPLETES_FILES, cli_decrypt),
	COMMAND("renew",
		"Asks for a new key of a revision, or of all revisions of a function. Messages to "
		"the old one are opened through the retention.",
		"NAME", ask_rows, 1, 1, CLI_COMPLETES_REVISIONS, cli_renew),
	COMMAND("retire",
		"Asks for the end of an epoch that is over, and of those before it, before their "
		"retention is: the replicas erase their keys, and nobody opens what was sealed "
		"to them any more.",
		"NAME", retire_rows, 1, 1, CLI_COMPLETES_REVISIONS, cli_retire),
	COMMAND("revoke",
		"Takes a replica out: it gets no key any more, and its revision gets a new one. "
		"What it could open before stays open to it.",
		"POD", ask_rows, 1, 1, CLI_COMPLETES_PODS, cli_revoke),
};

static const struct cli_commands all = {commands, ARRAY_LEN(commands)};

/* Whether an earlier command has an option of that name: what it means is the same. */
static bool is_told(size_t command, const char *name)
{
	for (size_t i = 0; i < command; i++)
		for (size_t k = 0; k < commands[i].options.n; k++)
			if (strcmp(commands[i].options.defs[k].name, name) == 0)
				return true;
	return false;
}

static int usage(FILE *to, int code)
{
	(void)fprintf(to, "Usage: kubectl functionkey COMMAND [options]\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)fprintf(to, "  %s%s%s\n        %s\n", commands[i].name,
			commands[i].options.arguments[0] ? " " : "", commands[i].options.arguments,
			commands[i].options.summary);
	(void)fprintf(to, "\nOptions (kubectl functionkey COMMAND --help tells which it takes):\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		for (size_t k = 0; k < commands[i].options.n; k++) {
			const struct option_def *d = &commands[i].options.defs[k];
			if (!is_told(i, d->name))
				(void)fprintf(to, "  --%s\n        %s\n", d->name, d->help);
		}
	(void)fprintf(to,
		"\nExit codes: 0 good, 1 not ready or failed, 2 wrong usage, 3 the cluster "
		"cannot be reached,\n4 a signature does not hold, 124 timeout.\n");
	return code;
}

/* Messages have words of the cluster, and of messages, in them. */
static void say(const struct err *err)
{
	_cleanup_(base_buf_done) struct buf text = base_buf(4 * sizeof(err->msg));

	if (cli_page_text(&text, base_str(err->msg), NULL) == 0)
		(void)fprintf(stderr, "error: %.*s\n", STR_FMT(base_buf_str(&text)));
}

static int wrong_usage(const struct err *err)
{
	say(err);
	return CLI_USAGE;
}

static int count_names(
	const struct cli_command *c, int argc, char **argv, struct cli_options *o, struct err *err)
{
	if ((size_t)argc < c->names_min)
		return FAIL(
			err, ERR_INVALID, "%s needs %s", c->options.program, c->options.arguments);
	if ((size_t)argc > c->names_max)
		return FAIL(err, ERR_INVALID,
			"'%.60s' is one word too many; --help shows the usage", argv[c->names_max]);
	for (int i = 0; i < argc; i++)
		o->names[o->names_len++] = argv[i];
	return 0;
}

static int run(const struct cli_command *c, int argc, char **argv)
{
	char *words[CLI_WORDS_MAX + 1] = {0};
	struct cli_options o = {0};
	struct err err = {0};
	int count = 0, first = 0, code = 0;

	if (cli_options_arrange(&c->options, argc, argv, words, &count, &err) < 0)
		return wrong_usage(&err);
	if (!base_options_start(&c->options, count, words, &o, &first, &code))
		return code;
	if (count_names(c, count - first, words + first, &o, &err) < 0)
		return wrong_usage(&err);
	const int r = c->run(&o, &err);
	if (r >= 0)
		return r;
	say(&err);
	return cli_exit_of(&err);
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');

	(void)signal(SIGPIPE, SIG_IGN);
	if (strcmp(slash ? slash + 1 : argv[0], CLI_COMPLETE_PROGRAM) == 0)
		return cli_complete(&all, argc, argv, NULL) < 0;
	if (argc < 2)
		return usage(stderr, CLI_USAGE);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0)
		return usage(stdout, CLI_OK);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0)
		return printf("kubectl-functionkey %s\n", FUNCTIONKEY_VERSION) < 0;
	const struct cli_command *c = cli_command_find(&all, argv[1]);
	if (!c) {
		(void)fprintf(stderr, "error: '%.60s' is no command\n", argv[1]);
		return usage(stderr, CLI_USAGE);
	}
	return run(c, argc - 1, argv + 1);
}
