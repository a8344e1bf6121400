/* PID 1 of the sidecar: starts the keeper and the network half, and keeps both running. Holds no
 * secrets and speaks to nobody. Layer: agent, of base only what needs libc alone, so that
 * PID 1 has no libraries (their relocations alone are over 1 MiB of private memory).
 *
 * Keeper and network half share a SOCK_SEQPACKET pair, as descriptor 3 of each. The supervisor
 * keeps the network half's end: when the network half dies, the next one gets the same keeper
 * with all its keys. When the keeper dies, its keys are lost: the network half sees the end of
 * file and ends, or is ended, and both begin again with the next incarnation. Keepers that die
 * too often end the supervisor, so that the kubelet shows it and backs off.
 */
#ifndef AGENT_SUPERVISOR_H
#define AGENT_SUPERVISOR_H

#include "pkg/base/env.h"

/* The network half finds which keeper of this supervisor it speaks to (1, 2, …) in this variable.
 * It is part of the replica's incarnation, not all of it: the pod may have had supervisors before.
 */
#define AGENT_INCARNATION_ENV "FUNCTIONKEY_INCARNATION"

enum agent_supervisor_exit {
	AGENT_SUPERVISOR_FAILED = 1,   /* something of the system failed */
	AGENT_SUPERVISOR_USAGE = 64,   /* the network half refuses its options; also its status */
	AGENT_SUPERVISOR_KEEPERS = 70, /* keepers die too often */
};

struct agent_supervisor {
	const char *keeper_path; /* opened once, at the start */
	char *const *keeper_argv;
	const char *network_path;
	char *const *network_argv;
	char *const *network_env; /* the keeper gets none */
	struct clock clock;
	/* One line about what happened; NULL: silent. */
	void (*say)(const char *line);
	/* Times in milliseconds. */
	int64_t backoff_first, backoff_max; /* of the network half; doubled each time */
	int64_t backoff_reset;              /* forgotten after it ran this long */
	int64_t grace;                      /* for the half that shall end, before SIGKILL */
	int64_t deaths_window;              /* this many keepers may not die in this time */
	int deaths_max;                     /* 1 … AGENT_DEATHS_MAX */
};

#define AGENT_DEATHS_MAX 8

/* 0.1 s doubled up to 5 s, forgotten after 10 s; 5 s of grace; 3 keepers in 60 s. */
struct agent_supervisor agent_supervisor_defaults(void);

/* Runs until SIGTERM, SIGINT or SIGQUIT were passed on and the network half has ended (its exit
 * status, or 128 + signal), until it refuses its options, or until keepers die too often.
 * SIGHUP, SIGUSR1 and SIGUSR2 are passed on. Reaps every child, its own or not. Returns the exit
 * status for the process; signals stay blocked. */
int agent_supervise(const struct agent_supervisor *config);

#endif
