/* functionkey-agent: dispatches to the supervisor, the network half, probes, and the drain. */
#include "agent/network.h"
#include "agent/options.h"
#include "agent/probe.h"
#include "agent/supervisor.h"
#include "crds/endpoint.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SUPERVISOR "functionkey-supervisor"
#define BACKLOG    128

/* The supervisor's process listens on the peer port, not the network half: as long as the container
 * lives, connections wait instead of being refused. So a refusal is proof that the replica is gone
 * (docs/adr/0003), and a network half that restarts loses neither its Lease nor its key. Where it
 * fails, the network half tries by itself and says why. */
static void hold_peer_port(const char *address)
{
	struct sockaddr_storage a;
	char number[16];
	const int on = 1;

	if (crds_endpoint_parse(base_str(address), &a, NULL) < 0)
		return;
	const socklen_t n =
		a.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	const int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Above those that the supervisor gives to its children. */
	const int kept = bind(fd, (const struct sockaddr *)&a, n) == 0 && listen(fd, BACKLOG) == 0
				 ? fcntl(fd, F_DUPFD, 10)
				 : -1;
	(void)close(fd);
	if (kept < 0)
		return;
	(void)snprintf(number, sizeof(number), "%d", kept);
	(void)setenv(AGENT_PEER_FD_ENV, number, 1);
}

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
	if (!supervised)
		return agent_network_run(&options);
	if (options.peer_fd == 0)
		hold_peer_port(options.peer_address);
	return become_supervisor(argc, argv);
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
