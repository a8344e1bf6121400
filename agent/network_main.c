/* functionkey-network: the sidecar's network half, which functionkey-agent starts beside a keeper.
 * A program of its own, so that probes, the drain and PID 1 load none of its libraries. */
#include "agent/ask.h"
#include "agent/network.h"
#include "agent/options.h"
#include "agent/supervisor.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* libcurl and libmicrohttpd load GnuTLS, which nobody here uses: TLS is OpenSSL's, our servers have
 * none. Started, it would take a millisecond, and 110 KiB for as long as we live. It asks the first
 * function whether it shall start by itself, libmicrohttpd calls the second; without either every
 * use of GnuTLS fails. */
#define INSTEAD_OF_GNUTLS __attribute__((visibility("default")))
INSTEAD_OF_GNUTLS int _gnutls_global_init_skip(void);
INSTEAD_OF_GNUTLS int gnutls_global_init(void);

int _gnutls_global_init_skip(void)
{
	return 1;
}

int gnutls_global_init(void)
{
	return 0;
}

/* `ask status|decrypt`: not the network half but who talks to it, with its libraries. */
static int run_ask(int argc, char **argv)
{
	const enum agent_ask what = agent_ask_named(argc > 2 ? base_str(argv[2]) : STR_NULL);
	struct agent_options options = {0};
	int first = 0, status = 0;

	if (!what) {
		(void)fprintf(stderr, "functionkey-network: ask status or decrypt\n");
		return AGENT_SUPERVISOR_USAGE;
	}
	argv[2] = argv[0];
	if (!base_options_start(
		    &agent_options_probe, argc - 2, argv + 2, &options, &first, &status))
		return status == 2 ? AGENT_SUPERVISOR_USAGE : status;
	(void)signal(SIGPIPE, SIG_IGN);
	return (int)agent_ask_run(what, options.socket, STDIN_FILENO, STDOUT_FILENO);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "ask") == 0)
		return run_ask(argc, argv);
	return agent_network_run(argc, argv);
}
