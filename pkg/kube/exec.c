#include "pkg/kube/exec.h"

#include "pkg/base/alloc.h"
#include "pkg/kube/config_impl.h"
#include "pkg/kube/exec_impl.h"
#include "pkg/kube/patch.h"

#include <unistd.h>

static const char *const versions[] = {
	"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"};

/* What the plugin prints. */
struct given {
	struct str kind, version, token, cert, key;
	int64_t expires_ns; /* wall time; 0: never */
};

static const struct kube_field given_fields[] = {
	{"/kind", KUBE_FIELD_TEXT, 64, offsetof(struct given, kind)},
	{"/apiVersion", KUBE_FIELD_TEXT, 64, offsetof(struct given, version)},
	{"/status/token", KUBE_FIELD_TEXT, 65536, offsetof(struct given, token)},
	{"/status/clientCertificateData", KUBE_FIELD_TEXT, KUBE_CREDENTIAL_MAX,
		offsetof(struct given, cert)},
	{"/status/clientKeyData", KUBE_FIELD_TEXT, KUBE_CREDENTIAL_MAX,
		offsetof(struct given, key)},
	{"/status/expirationTimestamp", KUBE_FIELD_TIME, 0, offsetof(struct given, expires_ns)},
};
static const struct kube_projection given_projection = {
	given_fields, ARRAY_LEN(given_fields), sizeof(struct given)};

struct kube_exec {
	struct kube_exec_spec spec;
	struct given *given; /* NULL: none at hand */
	int64_t got_boot_ns;
};

static void wipe_text(struct str s)
{
	/* Our own block's bytes, seen through a const. */
	const union {
		const char *text;
		void *bytes;
	} at = {.text = s.p};

	if (s.n)
		base_wipe(at.bytes, s.n);
}

static struct given *given_free(struct given *g)
{
	if (g) {
		wipe_text(g->token);
		wipe_text(g->key);
	}
	return base_free(g);
}
CLEANUP_FREE(struct given, given_free);

int kube_exec_new(const struct kube_exec_spec *spec, struct kube_exec **ret_exec, struct err *err)
{
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++)
		known = known || base_str_eq(spec->version, base_str(versions[i]));
	if (!known)
		return FAIL(err, ERR_INVALID, "exec plugin %.*s: apiVersion '%.*s' is not known",
			STR_FMT(spec->command), STR_FMT(spec->version));
	if (spec->mode == KUBE_EXEC_ALWAYS && !spec->terminal)
		return FAIL(err, ERR_INVALID,
			"exec plugin %.*s asks questions (interactiveMode Always), and standard "
			"input is no terminal or taken",
			STR_FMT(spec->command));
	struct kube_exec *e = base_alloc(1, sizeof(*e));
	if (!e)
		return FAIL(err, ERR_NOMEM, "exec plugin");
	e->spec = *spec;
	if (!e->spec.timeout_ms)
		e->spec.timeout_ms = KUBE_EXEC_TIMEOUT_MS;
	*ret_exec = e;
	return 0;
}

struct kube_exec *kube_exec_free(struct kube_exec *exec)
{
	if (exec)
		given_free(exec->given);
	return base_free(exec);
}

/* The value of KUBERNETES_EXEC_INFO. */
static int write_info(const struct kube_exec_spec *spec, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "apiVersion", spec->version, err));
	TRY(kube_write_key_text(&w, "kind", STR("ExecCredential"), err));
	TRY(kube_write_key_object(&w, "spec", err));
	if (spec->cluster.n) {
		TRY(kube_write_key(&w, STR("cluster"), err));
		TRY(kube_write_json(&w, spec->cluster, err));
	}
	TRY(kube_write_key_bool(
		&w, "interactive", spec->mode != KUBE_EXEC_NEVER && spec->terminal, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

static int check_given(const struct kube_exec_spec *spec, const struct given *g, struct err *err)
{
	const struct str name = spec->command;

	if (!base_str_eq(g->kind, STR("ExecCredential")) || !base_str_eq(g->version, spec->version))
		return FAIL(err, ERR_DENIED, "exec plugin %.*s printed no ExecCredential of %.*s",
			STR_FMT(name), STR_FMT(spec->version));
	if (!g->token.n && !g->cert.n && !g->key.n)
		return FAIL(err, ERR_DENIED, "exec plugin %.*s gave neither token nor certificate",
			STR_FMT(name));
	if (!g->cert.n != !g->key.n)
		return FAIL(err, ERR_DENIED,
			"exec plugin %.*s gave a certificate without its key, or a key alone",
			STR_FMT(name));
	for (size_t i = 0; i < g->token.n; i++)
		if (g->token.p[i] <= 0x20 || g->token.p[i] >= 0x7f)
			return FAIL(err, ERR_DENIED,
				"exec plugin %.*s gave a token with byte %zu that no token has",
				STR_FMT(name), i);
	if (g->cert.n && (kube_pem_check(g->cert, "CERTIFICATE", "", NULL) < 0 ||
				 kube_pem_check(g->key, "PRIVATE KEY", "", NULL) < 0))
		return FAIL(err, ERR_DENIED, "exec plugin %.*s gave no PEM certificate and key",
			STR_FMT(name));
	return 0;
}

static int read_given(const struct kube_exec_spec *spec, struct str text, struct given **ret_given,
	struct err *err)
{
	_cleanup_(given_free) struct given *g = NULL;
	void *object = NULL;

	const int r = kube_project(&given_projection, base_str_trim(text), &object, NULL);
	if (r == -ERR_NOMEM)
		return FAIL(err, ERR_NOMEM, "exec plugin");
	if (r < 0)
		return FAIL(err, ERR_DENIED, "exec plugin %.*s printed what is no ExecCredential",
			STR_FMT(spec->command));
	g = object;
	TRY(check_given(spec, g, err));
	*ret_given = STEAL(g);
	return 0;
}

static int run(struct kube_exec *e, const struct env *env, int64_t boot_ns, struct err *err)
{
	_cleanup_(base_buf_done) struct buf info = base_buf(KUBE_EXEC_INFO_MAX);
	_cleanup_(base_buf_wipe) struct buf out = base_buf(KUBE_EXEC_OUTPUT_MAX);
	struct given *g = NULL;

	e->given = given_free(e->given);
	if (write_info(&e->spec, &info, err) < 0)
		return FAIL(err, ERR_DENIED,
			"exec plugin %.*s: its cluster information is too large",
			STR_FMT(e->spec.command));
	TRY(kube_exec_run(&e->spec, base_buf_str(&info), env, &out, err));
	TRY(read_given(&e->spec, base_buf_str(&out), &g, err));
	e->given = g;
	e->got_boot_ns = boot_ns;
	return 0;
}

int kube_exec_get(struct kube_exec *exec, const struct env *env, int64_t boot_ns,
	struct kube_credential *ret, struct err *err)
{
	const struct given *g = exec->given;

	if (!g || (g->expires_ns && base_wall_ns(env) >= g->expires_ns - KUBE_EXEC_EARLY_NS))
		TRY(run(exec, env, boot_ns, err));
	g = exec->given;
	base_assert(g);
	*ret = (struct kube_credential){.token = g->token, .cert_pem = g->cert, .key_pem = g->key};
	return 0;
}

bool kube_exec_refused(struct kube_exec *exec, int64_t started_boot_ns)
{
	if (exec->given && exec->got_boot_ns <= started_boot_ns)
		exec->given = given_free(exec->given);
	return true;
}
