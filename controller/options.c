#include "controller/options.h"

#include "pkg/base/log.h"

static const char *const formats[] = {"auto", "text", "json", NULL};

#define T struct controller_options
static const struct option_def rows[] = {
	OPTION_STR(T, pod, "pod", "POD_NAME", "controller", "Name of our pod."),
	OPTION_STR(T, ns, "namespace", "POD_NAMESPACE", "functionkey-system",
		"Namespace of our pod and of our Lease."),
	OPTION_STR(T, pod_uid, "pod-uid", "POD_UID", "0", "UID of our pod."),
	OPTION_STR(T, kubeconfig, "kubeconfig", "KUBECONFIG", "",
		"Configuration of the API client. Empty: the files that the pod is given."),
	OPTION_STR(T, context, "context", NULL, "", "Context of that configuration."),
	OPTION_STR(T, address, "address", NULL, "0.0.0.0:9090",
		"Where /metrics, /healthz and /readyz are served."),
	OPTION_DURATION(T, lease_duration_ns, "lease-duration", NULL, "15s", 1 * NS_PER_S,
		3600 * NS_PER_S, "How long our own Lease is good without renewal."),
	OPTION_DURATION(T, lease_deadline_ns, "lease-renew-deadline", NULL, "10s", 1 * NS_PER_S,
		3600 * NS_PER_S, "How long we try to renew it before we stop acting."),
	OPTION_DURATION(T, lease_retry_ns, "lease-retry", NULL, "5s", 1 * NS_PER_S, 3600 * NS_PER_S,
		"Time between renewals, and between tries."),
	OPTION_BOOL(T, alone, "alone", NULL, "false", "Act without an election."),
	OPTION_ENUM(T, log_level, "log-level", "FUNCTIONKEY_LOG_LEVEL", "info", base_log_levels,
		"What is logged at least."),
	OPTION_ENUM(T, log_format, "log-format", "FUNCTIONKEY_LOG_FORMAT", "auto", formats,
		"How it is written."),
};
#undef T

static int check(const void *config, struct err *err)
{
	const struct controller_options *o = config;

	if (o->lease_deadline_ns >= o->lease_duration_ns)
		return FAIL(err, ERR_INVALID,
			"--lease-renew-deadline must be shorter than --lease-duration");
	if (o->lease_retry_ns * 12 / 10 >= o->lease_deadline_ns)
		return FAIL(err, ERR_INVALID,
			"--lease-retry must be shorter than --lease-renew-deadline / 1.2");
	return 0;
}

const struct options controller_options = {
	.program = "functionkey-controller",
	.version = FUNCTIONKEY_VERSION,
	.summary = "Prepares and supervises the keys of functions: Leader records, Leases, "
		   "conditions, "
		   "the leader's endpoints, and access of namespaces that opted in. It holds no "
		   "secret keys.",
	.defs = rows,
	.n = ARRAY_LEN(rows),
	.check = check,
};
