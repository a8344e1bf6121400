/* functionkey-supervisor: PID 1 of the sidecar. Runs functionkey-keeper and functionkey-agent,
 * which lie beside it, and passes its own arguments on to the latter. */
#include "agent/supervisor.h"

#include <sys/prctl.h>
#include <unistd.h>

#include "pkg/base/str.h"

#define PATH_MAX_HERE 4096
#define ARGUMENTS_MAX 64

static const char help[] =
	"Usage: functionkey-supervisor [ARGUMENT...]\n"
	"First process of the FunctionKey sidecar: runs functionkey-keeper and\n"
	"\"functionkey-agent network ARGUMENT...\", which lie beside it, and restarts them.\n"
	"\n"
	"  --help     this text\n"
	"  --version  version\n";

static void say(const char *line)
{
	(void)fprintf(stderr, "functionkey-supervisor: %s\n", line);
}

static int64_t boot_ns(void *ctx)
{
	struct timespec t = {0};

	(void)ctx;
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static bool beside(const char *folder, const char *name, char *ret_path)
{
	const int n = snprintf(ret_path, PATH_MAX_HERE, "%s/%s", folder, name);

	return n > 0 && n < PATH_MAX_HERE;
}

static int run(int argc, char **argv)
{
	char self[PATH_MAX_HERE], keeper[PATH_MAX_HERE], network[PATH_MAX_HERE];
	char *network_argv[ARGUMENTS_MAX + 3] = {
		(char[]){"functionkey-agent"}, (char[]){"network"}};
	char *const keeper_argv[] = {(char[]){"functionkey-keeper"}, NULL};
	struct agent_supervisor config = agent_supervisor_defaults();
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0 || argc > ARGUMENTS_MAX) {
		say(n <= 0 ? "cannot find itself" : "too many arguments");
		return AGENT_SUPERVISOR_USAGE;
	}
	self[n] = 0;
	*strrchr(self, '/') = 0;
	if (!beside(self, "functionkey-keeper", keeper) ||
		!beside(self, "functionkey-agent", network))
		return AGENT_SUPERVISOR_USAGE;
	for (int i = 1; i < argc; i++)
		network_argv[1 + i] = argv[i];
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	config.keeper_path = keeper;
	config.keeper_argv = keeper_argv;
	config.network_path = network;
	config.network_argv = network_argv;
	config.network_env = environ;
	config.clock.boot_ns = boot_ns;
	config.say = say;
	return agent_supervise(&config);
}

int main(int argc, char **argv)
{
	const struct str option = argc == 2 ? base_str(argv[1]) : STR_NULL;

	if (base_str_eq(option, STR("--help")))
		return fputs(help, stdout) < 0;
	if (base_str_eq(option, STR("--version")))
		return printf("functionkey-supervisor %s\n", FUNCTIONKEY_VERSION) < 0;
	return run(argc, argv);
}
