#include "controller/options.h"

#include "pkg/base/log.h"

static const char *const certificates[] = {"own", "given", NULL};
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
	OPTION_STR(T, address, "address", NULL, "[::]:9090",
		"Where /metrics, /healthz and /readyz are served."),
	OPTION_DURATION(T, lease_duration_ns, "lease-duration", NULL, "15s", 1 * NS_PER_S,
		3600 * NS_PER_S, "How long our own Lease is good without renewal."),
	OPTION_DURATION(T, lease_deadline_ns, "lease-renew-deadline", NULL, "10s", 1 * NS_PER_S,
		3600 * NS_PER_S, "How long we try to renew it before we stop acting."),
	OPTION_DURATION(T, lease_retry_ns, "lease-retry", NULL, "5s", 1 * NS_PER_S, 3600 * NS_PER_S,
		"Time between renewals, and between tries."),
	OPTION_STR(T, webhook_address, "webhook-address", NULL, "",
		"Where the admission webhook is served over TLS. Empty: it is not; pods are then "
		"injected by the MutatingAdmissionPolicy."),
	OPTION_STR(T, webhook_names, "webhook-names", NULL, "",
		"DNS names and IP addresses of the webhook, with commas between. Empty: those of "
		"its Service."),
	OPTION_ENUM(T, webhook_certificates, "webhook-certificates", NULL, "own", certificates,
		"Who keeps its certificates in its Secret: the controller, or somebody else "
		"(cert-manager)."),
	OPTION_DURATION(T, webhook_ca_life_ns, "webhook-ca-lifetime", NULL, "43800h", 20 * NS_PER_S,
		876000 * (3600 * NS_PER_S),
		"How long a certificate authority of the controller is good; it is replaced after "
		"two thirds of that."),
	OPTION_DURATION(T, webhook_certificate_life_ns, "webhook-certificate-lifetime", NULL,
		"2160h", 5 * NS_PER_S, 87600 * (3600 * NS_PER_S),
		"The same of the certificate that it signs."),
	OPTION_DURATION(T, evict_every_ns, "evict-uninjected", "FUNCTIONKEY_EVICT_UNINJECTED", "0s",
		0, 24 * 3600 * NS_PER_S,
		"Evict pods that opted in and run without an agent, at most one in this time, so "
		"that their owners make new ones. 0: none."),
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
	if (o->evict_every_ns > 0 && o->evict_every_ns < 10 * NS_PER_S)
		return FAIL(err, ERR_INVALID, "--evict-uninjected must be 0 or at least 10s");
	if (o->webhook_certificate_life_ns > o->webhook_ca_life_ns / 4)
		return FAIL(err, ERR_INVALID,
			"--webhook-certificate-lifetime must be at most a quarter of "
			"--webhook-ca-lifetime");
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
