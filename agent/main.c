/* functionkey-agent: PID 1 of the sidecar, which runs functionkey-keeper and functionkey-network;
 * and the probes and the drain, which ask it. Links libc alone (make lint asks): kubelet starts it
 * every few seconds, and as PID 1 it stays, where relocations of libraries would take a MiB. */
#include "agent/options.h"
#include "agent/probe.h"
#include "agent/supervisor.h"
#include "crds/endpoint.h"
#include "pkg/base/listen.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG       128
#define ARGUMENTS_MAX 64

/* The supervisor's process listens on the peer port, not the network half: as long as the container
 * lives, connections wait instead of being refused. So a refusal is proof that the replica is gone
 * (docs/adr/0003), and a network half that restarts loses neither its Lease nor its key. Where it
 * fails, the network half tries by itself and says why. */
static void hold_peer_port(const char *address)
{
	struct sockaddr_storage a;
	char number[16];
	int fd = -1;

	if (crds_endpoint_parse(base_str(address), &a, NULL) < 0 ||
		base_listen(&a, BACKLOG, &fd, NULL) < 0)
		return;
	/* Above those that the supervisor gives to its children. */
	const int kept = fcntl(fd, F_DUPFD, 10);
	(void)close(fd);
	if (kept < 0)
		return;
	(void)snprintf(number, sizeof(number), "%d", kept);
	(void)setenv(AGENT_PEER_FD_ENV, number, 1);
}

static void say(const char *line)
{
	(void)fprintf(stderr, "functionkey-agent: %s\n", line);
}

/* The programs that lie beside this one. */
struct programs {
	char folder[PATH_MAX], keeper[PATH_MAX + 32], network[PATH_MAX + 32];
};

static bool find_programs(struct programs *p)
{
	const ssize_t n = readlink("/proc/self/exe", p->folder, sizeof(p->folder) - 1);

	if (n <= 0)
		return false;
	p->folder[n] = 0;
	*strrchr(p->folder, '/') = 0;
	(void)snprintf(p->keeper, sizeof(p->keeper), "%s/functionkey-keeper", p->folder);
	(void)snprintf(p->network, sizeof(p->network), "%s/functionkey-network", p->folder);
	return true;
}

/* The network half gets our arguments, which were checked, and our environment. */
static int supervise(int argc, char **argv)
{
	char *const keeper_argv[] = {(char[]){"functionkey-keeper"}, NULL};
	char *network_argv[ARGUMENTS_MAX + 2] = {(char[]){"functionkey-network"}};
	struct agent_supervisor config = agent_supervisor_defaults();
	struct programs programs;

	if (argc > ARGUMENTS_MAX || !find_programs(&programs)) {
		say(argc > ARGUMENTS_MAX ? "too many arguments" : "cannot find itself");
		return AGENT_SUPERVISOR_USAGE;
	}
	for (int i = 1; i < argc; i++)
		network_argv[i] = argv[i];
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	config.keeper_path = programs.keeper;
	config.keeper_argv = keeper_argv;
	config.network_path = programs.network;
	config.network_argv = network_argv;
	config.network_env = environ;
	config.clock = base_env_system().clock;
	config.say = say;
	return agent_supervise(&config);
}

/* Apart: options take 22 KiB of the stack, which supervising can use again. */
static __attribute__((noinline)) bool prepare(int argc, char **argv, int *ret_status)
{
	struct agent_options options = {0};

	if (!agent_options_read(argc, argv, &options, ret_status))
		return false;
	if (options.peer_fd == 0)
		hold_peer_port(options.peer_address);
	return true;
}

static int run_all(int argc, char **argv)
{
	int status = 0;

	return prepare(argc, argv, &status) ? supervise(argc, argv) : status;
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
		return run_all(argc, argv);
	argv[1] = argv[0];
	if (base_str_eq(command, STR("run")))
		return run_all(argc - 1, argv + 1);
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
