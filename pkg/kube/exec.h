/* Credentials from a program: the exec plugins of a kubeconfig (client.authentication.k8s.io v1 and
 * v1beta1). Layer: kube (base, kube/projection.h).
 *
 * For programs that a person runs: it waits for the plugin, at most KUBE_EXEC_TIMEOUT_MS, and does
 * nothing else meanwhile. What the plugin gave is kept until it expires (30 s early) or the API
 * server refuses it. A plugin's output never stands in a message of ours. kubernetes.md 1.1.2.
 */
#ifndef KUBE_EXEC_H
#define KUBE_EXEC_H

#include "pkg/base/cleanup.h"
#include "pkg/base/env.h"
#include "pkg/kube/projection.h"

#define KUBE_EXEC_ARGS_MAX   64 /* arguments, and variables, each */
#define KUBE_EXEC_OUTPUT_MAX (1u << 20)
#define KUBE_EXEC_INFO_MAX   (120u << 10) /* what fits one variable of the environment */
#define KUBE_EXEC_TIMEOUT_MS 60000u
#define KUBE_EXEC_EARLY_NS   (30 * NS_PER_S)

/* Whether the plugin wants the terminal (interactiveMode). */
enum kube_exec_mode { KUBE_EXEC_NEVER, KUBE_EXEC_IF_AVAILABLE, KUBE_EXEC_ALWAYS };

/* How to run it; borrowed, outlives the kube_exec. */
struct kube_exec_spec {
	struct str command; /* NUL-terminated as all texts here; without '/': looked for in $PATH */
	struct str version; /* apiVersion, whole */
	struct str hint;    /* installHint; may be empty */
	struct str args[KUBE_EXEC_ARGS_MAX];
	size_t args_len;
	struct kube_pair env[KUBE_EXEC_ARGS_MAX];
	size_t env_len;
	enum kube_exec_mode mode;
	bool terminal;       /* standard input is a terminal that nobody else reads */
	struct str cluster;  /* JSON of spec.cluster; empty: it is not provided */
	uint32_t timeout_ms; /* 0: KUBE_EXEC_TIMEOUT_MS */
};

/* What proves who we are; borrowed. Certificate and key come together. */
struct kube_credential {
	struct str token, cert_pem, key_pem;
};

struct kube_exec;

/* Runs nothing yet. INVALID: an apiVersion that is not known here, a plugin that needs a terminal
 * where there is none. */
int kube_exec_new(const struct kube_exec_spec *spec, struct kube_exec **ret_exec, struct err *err)
	must_check;
/* Wipes. NULL is fine. Returns NULL. */
struct kube_exec *kube_exec_free(struct kube_exec *exec);
CLEANUP_FREE(struct kube_exec, kube_exec_free);

/* The credential for a request that is started at boot_ns, borrowed until the next call; runs the
 * plugin where there is none or it has expired. DENIED: it cannot be run (with the installHint),
 * fails, takes too long or gives nothing of use; what was there before is then gone if it had
 * expired. NOMEM. */
int kube_exec_get(struct kube_exec *exec, const struct env *env, int64_t boot_ns,
	struct kube_credential *ret, struct err *err) must_check;

/* A request that was started at started_boot_ns was refused with 401: forget the credential if the
 * plugin gave it before that. True if the next get runs the plugin again. */
bool kube_exec_refused(struct kube_exec *exec, int64_t started_boot_ns);

#endif
