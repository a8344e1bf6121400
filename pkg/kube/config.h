/* Where the API server is and who we are there. Layer: kube (libyaml, base).
 *
 * From kubeconfig files by kubectl's rules, or from the files that a Pod is given. A kube_config is
 * immutable but for what rotates on disk: the bearer token (kube/token.h) and, in a cluster, the
 * CA. Fields are read-only for everybody else. Facts: shared/reference/kubernetes.md 1.1.
 *
 * Not supported, and refused with a clear text where a kubeconfig asks for it: auth-provider, basic
 * authentication, impersonation; exec plugins (kube/exec.h) in programs that nobody sits at.
 */
#ifndef KUBE_CONFIG_H
#define KUBE_CONFIG_H

#include "pkg/base/arena.h"
#include "pkg/base/buf.h"
#include "pkg/base/env.h"

#define KUBE_CONFIG_FILE_MAX  (16u << 20)
#define KUBE_CONFIG_DEPTH_MAX 64
#define KUBE_CONFIG_FILES_MAX 16
#define KUBE_CONFIG_NAMED_MAX 1024 /* clusters, users and contexts, each, in one file */
#define KUBE_CREDENTIAL_MAX   (1u << 20)
#define KUBE_SERVICE_ACCOUNT  "/var/run/secrets/kubernetes.io/serviceaccount"

struct kube_token;
struct kube_exec;
struct kube_credential;

struct kube_config {
	struct arena *arena;    /* owns every str below */
	struct str server;      /* "https://host:port[/prefix]", without a final slash */
	struct str server_name; /* name to verify instead of the host's; empty: the host's */
	struct str ns;          /* of the context, never empty */
	struct str
		ca_file; /* in a cluster: read again as it changes (kube_config_ca); else empty */
	struct str cert_pem, key_pem; /* client certificate; both or neither */
	struct str proxy_url;         /* empty: the environment's ($https_proxy, $no_proxy) */
	struct kube_token *token;     /* NULL: no bearer token */
	struct kube_exec *exec;       /* NULL: no plugin */
	struct buf ca;                /* PEM; use kube_config_ca */
	int64_t ca_read_boot_ns;
	bool insecure; /* do not verify the server */
	bool in_cluster;
};

/* Who runs exec plugins, and with which standard input. */
enum kube_exec_policy {
	KUBE_EXEC_REFUSED,  /* a service: nobody is there, and nothing may wait */
	KUBE_EXEC_NO_STDIN, /* a person's program that reads standard input itself */
	KUBE_EXEC_STDIN,    /* a person's program: the plugin may ask where that is a terminal */
};

/* What to take of the kubeconfig files. Empty or NULL: what they say themselves. */
struct kube_choice {
	const char *path; /* only that file, which must exist */
	const char *context, *cluster, *user, *ns;
	enum kube_exec_policy exec;
};

/* As kube_config_load, with more to choose. NOT_FOUND, INVALID. The caller owns *ret_config. */
int kube_config_choose(const struct kube_choice *choice, struct kube_config **ret_config,
	struct err *err) must_check;

/* path: only that file, which must exist; NULL: $KUBECONFIG (a list), else ~/.kube/config, else the
 * Pod's own files. context: NULL or "" is the current context. NOT_FOUND: nowhere a configuration;
 * INVALID: unreadable or contradictory, with the file's name in the message. The caller owns
 * *ret_config. */
int kube_config_load(const char *path, const char *context, struct kube_config **ret_config,
	struct err *err) must_check;

/* From $KUBERNETES_SERVICE_HOST and _PORT and the files under root + KUBE_SERVICE_ACCOUNT. root is
 * "" but for tests. NOT_FOUND where the variables or the token are missing. */
int kube_config_in_cluster(const char *root, struct kube_config **ret_config, struct err *err)
	must_check;

/* The certificate authority to trust now; empty: the system's roots. In a cluster its file is read
 * again once a minute; one that is missing or no PEM leaves the old one. Borrowed until the next
 * call. */
int kube_config_ca(struct kube_config *config, int64_t boot_ns, struct str *ret_pem,
	struct err *err) must_check;

/* Who we are, for one request that is started at boot_ns: a token of a file or fixed goes before a
 * plugin's, as does a client certificate. May run a plugin (kube/exec.h). Borrowed until the next
 * call. DENIED, NOMEM. */
int kube_config_credential(struct kube_config *config, const struct env *env, int64_t boot_ns,
	struct kube_credential *ret, struct err *err) must_check;

/* A request that was started at started_boot_ns was refused with 401. True if the next credential
 * may be another. */
bool kube_config_refused(struct kube_config *config, int64_t started_boot_ns);

/* NULL is fine; wipes credentials. Returns NULL. No client may use it any more. */
struct kube_config *kube_config_free(struct kube_config *config);
CLEANUP_FREE(struct kube_config, kube_config_free);

#endif
