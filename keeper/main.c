/* functionkey-keeper: holds all secret keys of one replica. Started by functionkey-agent. */
#include "keeper/run.h"
#include "keeper/sandbox.h"

#define USAGE_ERROR 64

static const char help[] =
	"Usage: functionkey-keeper\n"
	"Holds the secret keys of one replica and serves its agent over the socket on descriptor "
	"3.\n"
	"Started by functionkey-agent; it is of no use alone.\n"
	"\n"
	"  --help     this text\n"
	"  --version  version, and whether system calls are filtered\n"
	"\n"
	"Exit status: 0 the agent is gone, 1 a failure, 2 a malformed message, 64 wrong usage.\n";

int main(int argc, char **argv)
{
	if (argc == 1)
		return keeper_run(KMSG_FD);
	const struct str option = argc == 2 ? base_str(argv[1]) : STR_NULL;
	if (base_str_eq(option, STR("--help")))
		return fputs(help, stdout) < 0;
	if (base_str_eq(option, STR("--version")))
		return printf("functionkey-keeper %s, system call filter: %s\n",
			       FUNCTIONKEY_VERSION, keeper_sandbox_mode()) < 0;
	(void)fputs(help, stderr);
	return USAGE_ERROR;
}
