/* functionkey-agent: dispatches to the supervisor, the network half, probes, and the drain. */
#include "agent/network.h"
#include "agent/options.h"
#include "agent/probe.h"
#include "agent/supervisor.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SUPERVISOR "functionkey-supervisor"

/* Its arguments are ours, which base_options_start has checked already. */
static int become_supervisor(int argc, char **argv)
{
	static char name[] = SUPERVISOR;
	char self[PATH_MAX], path[PATH_MAX + sizeof(SUPERVISOR) + 1];
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	(void)argc;
	if (n <= 0)
		return AGENT_SUPERVISOR_FAILED;
	self[n] = 0;
	(void)snprintf(path, sizeof(path), "%s/" SUPERVISOR, dirname(self));
	argv[0] = name;
	(void)execv(path, argv);
	(void)fprintf(stderr, "functionkey-agent: cannot run %s: %m\n", path);
	return AGENT_SUPERVISOR_FAILED;
}

static int run_network(int argc, char **argv, bool supervised)
{
	struct agent_options options = {0};
	struct err err = {0};
	int first = 0, status = 0;

	if (!base_options_start(&agent_options_network, argc, argv, &options, &first, &status))
		return status == 2 ? AGENT_SUPERVISOR_USAGE : status;
	if (agent_options_complete(&options, &err) < 0) {
		(void)fprintf(stderr, "functionkey-agent: %s\n", err.msg);
		return AGENT_SUPERVISOR_USAGE;
	}
	return supervised ? become_supervisor(argc, argv) : agent_network_run(&options);
}

static int run_probe(int argc, char **argv, enum agent_probe probe)
{
	const struct env env = base_env_system();
	struct agent_options options = {0};
	int first = 0, status = 0;

	if (!base_options_start(&agent_options_probe, argc, argv, &options, &first, &status))
		return status == 2 ? AGENT_SUPERVISOR_USAGE : status;
	return agent_probe_run(probe, options.socket, &env);
}

static int usage(const char *what)
{
	(void)fprintf(stderr, "functionkey-agent: %s\nTry functionkey-agent --help.\n", what);
	return AGENT_SUPERVISOR_USAGE;
}

int main(int argc, char **argv)
{
	const struct str command = argc > 1 && argv[1][0] != '-' ? base_str(argv[1]) : STR_NULL;

	if (!command.p)
		return run_network(argc, argv, true);
	argv[1] = argv[0];
	if (base_str_eq(command, STR("run")))
		return run_network(argc - 1, argv + 1, true);
	if (base_str_eq(command, STR("network")))
		return run_network(argc - 1, argv + 1, false);
	if (base_str_eq(command, STR("drain")))
		return run_probe(argc - 1, argv + 1, AGENT_PROBE_DRAIN);
	if (!base_str_eq(command, STR("probe")))
		return usage("there is no such command");
	const enum agent_probe probe = agent_probe_named(argc > 2 ? base_str(argv[2]) : STR_NULL);
	if (!probe)
		return usage("probe startup, ready or live");
	argv[2] = argv[0];
	return run_probe(argc - 2, argv + 2, probe);
}
