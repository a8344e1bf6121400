#include "agent/options.h"

#include "agent/outbound_targets.h"
#include "agent/report.h"
#include "agent/supervisor.h"
#include "crds/endpoint.h"
#include "pkg/base/env.h"
#include "pkg/base/log.h"
#include "pkg/base/text.h"

#include <netinet/in.h>
#include <stdio.h>

static const char *const continuities[] = {"warn", "refuse", NULL};
static const char *const formats[] = {"auto", "text", "json", NULL};

#define T struct agent_options
#define SOCKET_ROW                                                               \
	OPTION_STR(T, socket, "socket", "FUNCTIONKEY_SOCKET", AGENT_SOCKET_PATH, \
		"Unix socket of the local API.")

static const struct option_def network_rows[] = {
	OPTION_STR(T, pod, "pod", "POD_NAME", NULL, "Name of our pod."),
	OPTION_STR(T, ns, "namespace", "POD_NAMESPACE", NULL, "Namespace of our pod."),
	OPTION_STR(T, pod_uid, "pod-uid", "POD_UID", NULL, "UID of our pod."),
	OPTION_STR(T, pod_ip, "pod-ip", "POD_IP", NULL,
		"IP address of our pod, at which peers reach the peer port."),
	OPTION_STR(T, revision, "revision", "FUNCTIONKEY_REVISION", "",
		"Revision of the function. Empty: the pod itself is the revision."),
	OPTION_STR(T, function, "function", "FUNCTIONKEY_FUNCTION", "",
		"Name of the function. Empty: the pod's name."),
	OPTION_STR(T, owner_kind, "owner-kind", "FUNCTIONKEY_OWNER_KIND", "",
		"Kind of the pod's controlling owner; for logs."),
	OPTION_STR(T, owner_name, "owner-name", "FUNCTIONKEY_OWNER_NAME", "",
		"Name of the pod's controlling owner; for logs."),
	OPTION_STR(T, owner_uid, "owner-uid", "FUNCTIONKEY_OWNER_UID", "",
		"UID of the pod's controlling owner; for logs."),
	SOCKET_ROW,
	OPTION_STR(T, peer_address, "peer-address", "FUNCTIONKEY_PEER_ADDRESS", "[::]:9471",
		"Where other agents and the controller reach us."),
	OPTION_INT(T, peer_fd, "peer-fd", AGENT_PEER_FD_ENV, "0", 0, 1024,
		"Descriptor of a socket that listens there already; the supervisor sets it. "
		"0: none."),
	OPTION_STR(T, local_address, "local-address", "FUNCTIONKEY_LOCAL_ADDRESS", "",
		"Loopback address for the local API without decrypt, as in 127.0.0.1:9470. "
		"Empty: none."),
	OPTION_INT(T, metrics_port, "metrics-port", "FUNCTIONKEY_METRICS_PORT", "0", 0, UINT16_MAX,
		"Port of the pod's address at which /metrics, and nothing else, is served. 0: "
		"none."),
	OPTION_STR(T, inbound, "inbound", "FUNCTIONKEY_INBOUND", "",
		"Port at which the function takes plain HTTP on loopback: sealed requests that "
		"other agents send are opened and handed to it. Empty: none are taken."),
	OPTION_STR(T, inbound_address, "inbound-address", "FUNCTIONKEY_INBOUND_ADDRESS",
		"[::]:9472", "Where sealed requests come in, with --inbound."),
	OPTION_STR(T, outbound, "outbound", "FUNCTIONKEY_OUTBOUND", "",
		"Functions that our function may call at http://127.0.0.1:9470/to/<namespace>/"
		"<function>/<path>: [namespace/]function[=host:port], separated by commas. "
		"Empty: none."),
	OPTION_STR(T, next, "next", "FUNCTIONKEY_NEXT", "",
		"The next function of the chain, as the pod's annotation functionkey.dev/next "
		"says it: told to the function in endpoints.json."),
	OPTION_STR(T, host_ip, "host-ip", "HOST_IP", "",
		"IP address of our node. If it is that of our pod, the whole node shares our "
		"loopback, and --outbound is refused."),
	OPTION_STR(T, announce, "announce", "FUNCTIONKEY_ANNOUNCE", "",
		"URL to which, while we lead, each new active key is announced by a CloudEvent. "
		"Empty: none are."),
	OPTION_STR(T, announce_overrides, "announce-overrides", "FUNCTIONKEY_ANNOUNCE_OVERRIDES",
		"",
		"Extensions of these events, as Knative's K_CE_OVERRIDES has them: "
		"{\"extensions\":{\"name\":\"value\"}}."),
	OPTION_STR(T, announce_ca, "announce-ca", "FUNCTIONKEY_ANNOUNCE_CA", "",
		"Certificates (PEM) of the authorities that an https URL is trusted by. Empty: "
		"those of the system, which the agent's image does not have."),
	OPTION_DURATION(T, lease_duration_ns, "lease-duration", "FUNCTIONKEY_LEASE_DURATION", "30s",
		1 * NS_PER_S, 3600 * NS_PER_S, "How long a Lease is good without renewal."),
	OPTION_DURATION(T, lease_deadline_ns, "lease-renew-deadline",
		"FUNCTIONKEY_LEASE_RENEW_DEADLINE", "20s", 1 * NS_PER_S, 3600 * NS_PER_S,
		"How long a leader tries to renew before it stops to lead."),
	OPTION_DURATION(T, lease_retry_ns, "lease-retry", "FUNCTIONKEY_LEASE_RETRY", "10s",
		1 * NS_PER_S, 3600 * NS_PER_S, "Time between renewals, and between tries."),
	OPTION_ENUM(T, continuity, "continuity", "FUNCTIONKEY_CONTINUITY", "warn", continuities,
		"What to do with a recipient's key that does not continue the one before."),
	OPTION_ENUM(T, sender, "sender", "FUNCTIONKEY_SENDER", "none", agent_sender_levels,
		"How messages are signed: not at all; once for each recipient and minute; each."),
	OPTION_ENUM(T, require_sender, "require-sender", "FUNCTIONKEY_REQUIRE_SENDER", "none",
		agent_sender_levels,
		"How messages must be signed, by a sender who was verified, to be opened."),
	OPTION_STR(T, allow_senders, "allow-senders", "FUNCTIONKEY_ALLOW_SENDERS", "",
		"Functions whose messages are opened, if they are signed by a sender who was "
		"verified: [namespace/]function, separated by commas. Empty: all."),
	OPTION_DURATION(T, replay_window_ns, "replay-window", "FUNCTIONKEY_REPLAY_WINDOW", "0s", 0,
		24 * 3600 * NS_PER_S,
		"How long this replica refuses a message that it has delivered before; older ones "
		"are refused as well. 0s: neither."),
	OPTION_BOOL(T, reuse_keys, "reuse-keys", "FUNCTIONKEY_REUSE_KEYS", "true",
		"Whether messages to the same recipients share a content secret for up to 60 s "
		"(each has a key of its own from it). Without, each message costs a "
		"key encapsulation here and at its receiver."),
	OPTION_ENUM(T, log_level, "log-level", "FUNCTIONKEY_LOG_LEVEL", "info", base_log_levels,
		"What is logged at least."),
	OPTION_ENUM(T, log_format, "log-format", "FUNCTIONKEY_LOG_FORMAT", "auto", formats,
		"How it is written."),
	OPTION_STR(T, kubeconfig, "kubeconfig", "FUNCTIONKEY_KUBECONFIG", "",
		"Configuration of the API client. Empty: the files that the pod is given."),
};

static const struct option_def probe_rows[] = {SOCKET_ROW};
#undef T

static int check_address(const char *what, const char *address, struct err *err)
{
	struct sockaddr_storage parsed;

	if (!address[0])
		return 0;
	if (crds_endpoint_parse(base_str(address), &parsed, err) < 0)
		return FAIL(
			err, ERR_INVALID, "--%s: \"%s\" is not <IP address>:<port>", what, address);
	return 0;
}

static bool is_loopback(const char *address)
{
	return base_str_starts(base_str(address), STR("127.")) ||
	       base_str_starts(base_str(address), STR("[::1]:"));
}

static int check_proxy(const struct agent_options *o, struct err *err)
{
	struct agent_targets targets;

	TRY(check_address("inbound-address", o->inbound_address, err));
	if (o->inbound[0] && agent_options_inbound(o) == 0)
		return FAIL(err, ERR_INVALID, "--inbound: \"%s\" is no port", o->inbound);
	if (o->inbound[0] && !o->inbound_address[0])
		return FAIL(err, ERR_INVALID, "--inbound needs an --inbound-address");
	if (o->outbound[0] && strcmp(o->host_ip, o->pod_ip) == 0)
		return FAIL(err, ERR_INVALID,
			"--outbound is not for pods on the host's network, whose loopback all "
			"share");
	if (agent_targets_parse(base_str(o->outbound), base_str(o->ns), &targets, err) < 0) {
		base_err_wrap(err, "--outbound");
		return -(int)ERR_INVALID;
	}
	return 0;
}

static int check_senders(const struct agent_options *o, struct err *err)
{
	struct agent_targets allowed;

	if (agent_targets_parse(base_str(o->allow_senders), base_str(o->ns), &allowed, err) < 0) {
		base_err_wrap(err, "--allow-senders");
		return -(int)ERR_INVALID;
	}
	for (size_t i = 0; i < allowed.n; i++)
		if (allowed.v[i].address[0])
			return FAIL(err, ERR_INVALID, "--allow-senders takes no addresses");
	return 0;
}

static int check(const void *config, struct err *err)
{
	const struct agent_options *o = config;

	if (o->lease_duration_ns <= o->lease_deadline_ns)
		return FAIL(err, ERR_INVALID,
			"--lease-duration must be longer than --lease-renew-deadline");
	if (o->lease_deadline_ns * 10 <= o->lease_retry_ns * 12)
		return FAIL(err, ERR_INVALID,
			"--lease-renew-deadline must be longer than 1.2 times --lease-retry");
	TRY(check_address("peer-address", o->peer_address, err));
	TRY(check_address("local-address", o->local_address, err));
	if (o->local_address[0] && !is_loopback(o->local_address))
		return FAIL(err, ERR_INVALID, "--local-address must be a loopback address");
	TRY(check_senders(o, err));
	return check_proxy(o, err);
}

const struct options agent_options_network = {
	.program = "functionkey-agent",
	.version = FUNCTIONKEY_VERSION,
	.summary =
		"The FunctionKey sidecar: encrypts to functions, opens what is sent to this one.\n"
		"\n"
		"  functionkey-agent [run] [OPTION...]     runs functionkey-keeper and "
		"functionkey-network\n"
		"  functionkey-agent probe startup|ready|live [--socket PATH]\n"
		"  functionkey-agent drain [--socket PATH] hands the leadership over",
	.defs = network_rows,
	.n = ARRAY_LEN(network_rows),
	.check = check,
};

const struct options agent_options_probe = {
	.program = "functionkey-agent",
	.version = FUNCTIONKEY_VERSION,
	.summary = "Asks the agent of this pod, for the kubelet.",
	.arguments = "[startup|ready|live]",
	.defs = probe_rows,
	.n = ARRAY_LEN(probe_rows),
};

uint16_t agent_options_inbound(const struct agent_options *o)
{
	uint64_t port = 0;

	if (base_parse_u64(base_str(o->inbound), UINT16_MAX, &port, NULL) < 0)
		return 0;
	return (uint16_t)port;
}

int agent_options_complete(struct agent_options *o, struct err *err)
{
	if (o->outbound[0] && !o->local_address[0])
		(void)snprintf(o->local_address, sizeof(o->local_address), AGENT_OUTBOUND_ADDRESS);
	if (!o->revision[0])
		TRY(crds_revision_key(base_str(o->pod), base_str(o->pod_uid), o->revision, err));
	if (!o->function[0])
		TRY(crds_function_key(base_str(o->pod), o->function, err));
	return 0;
}

bool agent_options_read(int argc, char **argv, struct agent_options *o, int *ret_status)
{
	struct err err = {0};
	int first = 0;

	if (!base_options_start(&agent_options_network, argc, argv, o, &first, ret_status)) {
		*ret_status = *ret_status == 2 ? AGENT_SUPERVISOR_USAGE : *ret_status;
		return false;
	}
	if (agent_options_complete(o, &err) == 0)
		return true;
	(void)fprintf(stderr, "%s: %s\n", agent_options_network.program, err.msg);
	*ret_status = AGENT_SUPERVISOR_USAGE;
	return false;
}
