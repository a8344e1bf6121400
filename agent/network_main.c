/* functionkey-network: the sidecar's network half, which functionkey-agent starts beside a keeper.
 * A program of its own, so that probes, the drain and PID 1 load none of its libraries. */
#include "agent/network.h"
#include "agent/supervisor.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	struct agent_options options = {0};
	struct err err = {0};
	int first = 0, status = 0;

	if (!base_options_start(&agent_options_network, argc, argv, &options, &first, &status))
		return status == 2 ? AGENT_SUPERVISOR_USAGE : status;
	if (agent_options_complete(&options, &err) < 0) {
		(void)fprintf(stderr, "functionkey-network: %s\n", err.msg);
		return AGENT_SUPERVISOR_USAGE;
	}
	return agent_network_run(&options);
}
