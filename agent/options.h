/* The agent's options: one table for command line, environment, --help and --check. Layer: agent.
 */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H

#include "crds/functionkey.h"
#include "pkg/base/options.h"

#define AGENT_SOCKET_PATH      "/run/functionkey/agent.sock"
#define AGENT_PEER_PORT        9471
#define AGENT_OUTBOUND_ADDRESS "127.0.0.1:9470"
#define AGENT_PEER_FD_ENV      "FUNCTIONKEY_PEER_FD"

enum agent_continuity { AGENT_CONTINUITY_WARN, AGENT_CONTINUITY_REFUSE };

struct agent_options {
	char pod[CRDS_NAME_MAX], ns[64], pod_uid[CRDS_UID_LEN + 1], pod_ip[64];
	char revision[CRDS_REVISION_MAX + 1], function[64];
	char owner_kind[64], owner_name[CRDS_NAME_MAX], owner_uid[CRDS_UID_LEN + 1];
	char socket[100];
	char peer_address[64];
	int64_t peer_fd;          /* listens there already; 0: none */
	char local_address[64];   /* empty: no TCP on loopback */
	char inbound[8];          /* the function's port; empty: no inbound */
	char inbound_address[64]; /* where sealed requests come in */
	char outbound[4096];      /* functions that may be called; empty: none */
	char next[1024];     /* what follows in the chain, as the user wrote it; may be empty */
	char host_ip[64];    /* of the node; empty: not known */
	char announce[1024]; /* URL that new active keys are announced to; empty: none */
	char announce_overrides[2048];
	char announce_ca[8192];
	int64_t metrics_port; /* on the pod's address; 0: none */
	int64_t lease_duration_ns, lease_deadline_ns, lease_retry_ns;
	int log_level, log_format;
	int continuity;
	int sender, require_sender; /* enum envelope_sender_level */
	int64_t replay_window_ns;   /* 0: none */
	char allow_senders[4096];   /* functions whose messages are opened; empty: all */
	bool reuse_keys;
	char kubeconfig[512]; /* empty: the Pod's own files */
};

/* Rows of pkg/base/options.h for the network half. Static. */
extern const struct options agent_options_network;
/* For `probe` and `drain`: the socket only. */
extern const struct options agent_options_probe;

/* The function's port, if the options ask for inbound; else 0. */
uint16_t agent_options_inbound(const struct agent_options *o);

/* What was not given but follows: revision and function of a pod without an owner, the loopback
 * address of outbound. INVALID. */
int agent_options_complete(struct agent_options *o, struct err *err) must_check;

/* Reads the command line and completes it. False: what there is to say is said, and *ret_status is
 * the status to exit with, AGENT_SUPERVISOR_USAGE for what is wrong. */
bool agent_options_read(int argc, char **argv, struct agent_options *o, int *ret_status);

#endif
