/* The way to the API server, as the kubeconfig describes it, for libwebsockets and OpenSSL. */
#include "cli/channel_internal.h"

#include "crds/pod.h"
#include "pkg/base/alloc.h"
#include "pkg/base/text.h"
#include "pkg/kube/exec.h"

#include <arpa/inet.h>
#include <libwebsockets.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define ARENA_MAX 65536
#define CERTS_MAX 1024 /* of an authority, of a chain */

static void free_bio(BIO **bio)
{
	BIO_free(*bio);
}
CLEANUP_DONE(BIO *, free_bio);
static void free_x509(X509 **x)
{
	X509_free(*x);
}
CLEANUP_DONE(X509 *, free_x509);
static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
CLEANUP_DONE(EVP_PKEY *, free_key);

/* A key that wants a passphrase is refused: nobody is asked. */
static int no_passphrase(char *dst, int size, int for_writing, void *ctx)
{
	(void)dst;
	(void)size;
	(void)for_writing;
	(void)ctx;
	return -1;
}

/* -- addresses -- */

struct address {
	struct str host, authority, prefix; /* host without brackets */
	int port;
	bool tls;
};

static int split(struct str server, struct address *ret, struct err *err)
{
	struct address a = {.tls = base_str_starts(server, STR("https://"))};
	const size_t from = a.tls ? sizeof("https://") - 1 : sizeof("http://") - 1;
	const size_t slash = base_str_find(server, '/', from);
	uint64_t port = a.tls ? 443 : 80;

	a.authority = base_str_sub(server, from, slash);
	a.prefix = base_str_sub(server, slash, server.n);
	const bool v6 = base_str_starts(a.authority, STR("["));
	const size_t close = v6 ? base_str_find(a.authority, ']', 0) : 0;
	const size_t colon = base_str_find(a.authority, ':', close);
	a.host = v6 ? base_str_sub(a.authority, 1, close) : base_str_sub(a.authority, 0, colon);
	if (colon < a.authority.n &&
		base_parse_u64(base_str_sub(a.authority, colon + 1, a.authority.n), UINT16_MAX,
			&port, NULL) < 0)
		return FAIL(err, ERR_INVALID, "server '%.*s': no port", STR_FMT(server));
	if (!a.host.n || !port)
		return FAIL(err, ERR_INVALID, "server '%.*s' is no address", STR_FMT(server));
	a.port = (int)port;
	*ret = a;
	return 0;
}

static int add_text(struct arena *arena, struct str s, const char **ret, struct err *err)
{
	struct str copy = STR_NULL;

	TRY(base_arena_str(arena, s, &copy, err));
	*ret = copy.p;
	return 0;
}

static int write_query(const struct cli_channel *request, struct buf *query, struct err *err)
{
	for (size_t i = 0; i < CLI_CHANNEL_WORDS_MAX && request->words[i]; i++)
		TRY(kube_query_add(query, "command", base_str(request->words[i]), err));
	TRY(kube_query_add(query, "container", request->container, err));
	if (request->in >= 0)
		TRY(kube_query_add(query, "stdin", STR("true"), err));
	TRY(kube_query_add(query, "stdout", STR("true"), err));
	return kube_query_add(query, "stderr", STR("true"), err);
}

static struct kube_request exec_of(const struct cli_channel *request, struct str query)
{
	return (struct kube_request){.verb = KUBE_GET,
		.resource = &crds_pods,
		.ns = request->ns,
		.name = request->pod,
		.subresource = STR("exec"),
		.query = query};
}

static int find_address(const struct kube_config *config, const struct cli_channel *request,
	struct cli_channel_way *way, bool *ret_tls, struct err *err)
{
	_cleanup_(base_buf_done) struct buf query = base_buf(KUBE_URL_MAX);
	_cleanup_(base_buf_done) struct buf path = base_buf(KUBE_URL_MAX);
	struct address a = {0};

	TRY(split(config->server, &a, err));
	TRY(write_query(request, &query, err));
	const struct kube_request r = exec_of(request, base_buf_str(&query));
	TRY(base_buf_add_str(&path, a.prefix, err));
	TRY(kube_request_path(&r, 0, &path, err));
	TRY(add_text(way->arena, config->server, &way->server, err));
	TRY(add_text(way->arena, a.host, &way->host, err));
	TRY(add_text(way->arena, a.authority, &way->name, err));
	TRY(add_text(way->arena, base_buf_str(&path), &way->path, err));
	TRY(base_str_copy(config->server_name.n ? config->server_name : a.host, way->verify,
		sizeof(way->verify), "server name", err));
	way->port = a.port;
	*ret_tls = a.tls;
	return 0;
}

/* -- TLS -- */

static int tls_failed(const char *what, struct err *err)
{
	char why[160] = "";

	ERR_error_string_n(ERR_get_error(), why, sizeof(why));
	ERR_clear_error();
	return FAIL(err, ERR_INVALID, "%s: %s", what, why);
}

static bool is_address(const char *host)
{
	struct in6_addr room;

	return inet_pton(AF_INET, host, &room) == 1 || inet_pton(AF_INET6, host, &room) == 1;
}

/* libwebsockets asks for the name that the Host header has. */
static void set_name(const SSL *ssl, int where, int value)
{
	struct cli_channel_way *way = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	/* OpenSSL's callback says const and means it not. */
	const union {
		const SSL *from;
		SSL *to;
	} u = {.from = ssl};

	(void)value;
	if (where & SSL_CB_HANDSHAKE_START)
		(void)SSL_set_tlsext_host_name(u.to, is_address(way->verify) ? NULL : way->verify);
}

static int trust(SSL_CTX *tls, struct str ca, struct err *err)
{
	_cleanup_(free_bio) BIO *bio = NULL;
	int n = 0;

	if (!ca.n)
		return SSL_CTX_set_default_verify_paths(tls) == 1
			       ? 0
			       : tls_failed("the system's certificate authorities", err);
	bio = BIO_new_mem_buf(ca.p, (int)ca.n);
	for (; bio && n < CERTS_MAX; n++) {
		_cleanup_(free_x509) X509 *x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
		if (!x)
			break;
		if (X509_STORE_add_cert(SSL_CTX_get_cert_store(tls), x) != 1)
			return tls_failed("certificate-authority", err);
	}
	ERR_clear_error();
	return n ? 0 : FAIL(err, ERR_INVALID, "certificate-authority: there is no certificate");
}

static int show_chain(SSL_CTX *tls, BIO *bio, struct err *err)
{
	for (int n = 0; n < CERTS_MAX; n++) {
		X509 *x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
		if (!x)
			break;
		if (SSL_CTX_add_extra_chain_cert(tls, x) != 1) {
			X509_free(x);
			return tls_failed("client-certificate", err);
		}
	}
	ERR_clear_error();
	return 0;
}

static int show(SSL_CTX *tls, const struct kube_credential *who, struct err *err)
{
	_cleanup_(free_bio) BIO *cert = BIO_new_mem_buf(who->cert_pem.p, (int)who->cert_pem.n);
	_cleanup_(free_bio) BIO *pem = BIO_new_mem_buf(who->key_pem.p, (int)who->key_pem.n);
	_cleanup_(free_x509) X509 *leaf = NULL;
	_cleanup_(free_key) EVP_PKEY *key = NULL;

	if (!cert || !pem)
		return FAIL(err, ERR_NOMEM, "certificate");
	leaf = PEM_read_bio_X509(cert, NULL, no_passphrase, NULL);
	key = PEM_read_bio_PrivateKey(pem, NULL, no_passphrase, NULL);
	if (!leaf || !key || SSL_CTX_use_certificate(tls, leaf) != 1 ||
		SSL_CTX_use_PrivateKey(tls, key) != 1)
		return tls_failed("client certificate and key", err);
	return show_chain(tls, cert, err);
}

static int expect_name(struct cli_channel_way *way, struct err *err)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(way->tls);

	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	const int set = is_address(way->verify)
				? X509_VERIFY_PARAM_set1_ip_asc(param, way->verify)
				: X509_VERIFY_PARAM_set1_host(param, way->verify, 0);
	return set == 1 ? 0 : tls_failed(way->verify, err);
}

static int set_up_tls(struct cli_session *s, const struct kube_credential *who,
	struct cli_channel_way *way, struct err *err)
{
	struct str ca = STR_NULL;

	way->tls = SSL_CTX_new(TLS_client_method());
	if (!way->tls)
		return FAIL(err, ERR_NOMEM, "TLS");
	SSL_CTX_set_app_data(way->tls, way);
	SSL_CTX_set_info_callback(way->tls, set_name);
	if (SSL_CTX_set_min_proto_version(way->tls, TLS1_2_VERSION) != 1)
		return tls_failed("TLS 1.2", err);
	/* The name is checked by what expect_name says, not by libwebsockets' idea of it. */
	way->flags = LCCSCF_USE_SSL | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
	if (who->cert_pem.n)
		TRY(show(way->tls, who, err));
	if (way->insecure) {
		way->flags |=
			LCCSCF_ALLOW_SELFSIGNED | LCCSCF_ALLOW_EXPIRED | LCCSCF_ALLOW_INSECURE;
		return 0;
	}
	SSL_CTX_set_verify(way->tls, SSL_VERIFY_PEER, NULL);
	TRY(kube_config_ca(s->config, base_boot_ns(&s->env), &ca, err));
	TRY(trust(way->tls, ca, err));
	return expect_name(way, err);
}

bool cli_channel_verified(const struct cli_channel_way *way, SSL *ssl, struct err *err)
{
	const long result = ssl ? SSL_get_verify_result(ssl) : X509_V_ERR_UNSPECIFIED;

	if (way->insecure || (result == X509_V_OK && SSL_get0_peer_certificate(ssl)))
		return true;
	(void)FAIL(err, ERR_TRANSIENT, "%s: its certificate does not hold: %s", way->server,
		X509_verify_cert_error_string(result));
	return false;
}

/* -- all of it -- */

int cli_channel_find_way(struct cli_session *s, const struct cli_channel *request,
	struct cli_channel_way *ret_way, struct err *err)
{
	struct cli_channel_way *way = ret_way;
	struct kube_credential who = {0};
	bool tls = false;

	if (s->config->proxy_url.n)
		return FAIL(err, ERR_INVALID,
			"the kubeconfig has a proxy-url: a channel to an agent goes through no "
			"proxy");
	TRY(base_arena_new(ARENA_MAX, &way->arena, err));
	way->authorization_text = base_buf(KUBE_CREDENTIAL_MAX);
	way->insecure = s->config->insecure;
	TRY(find_address(s->config, request, way, &tls, err));
	TRY(kube_config_credential(s->config, &s->env, base_boot_ns(&s->env), &who, err));
	if (who.token.n) {
		TRY(base_buf_addf(
			&way->authorization_text, err, "Bearer %.*s", STR_FMT(who.token)));
		way->authorization = base_buf_str(&way->authorization_text);
	}
	return tls ? set_up_tls(s, &who, way, err) : 0;
}

void cli_channel_way_done(struct cli_channel_way *way)
{
	SSL_CTX_free(way->tls);
	base_buf_wipe(&way->authorization_text);
	base_arena_free(way->arena);
	*way = (struct cli_channel_way){0};
}

/* -- refusals -- */

int cli_channel_explain(
	struct cli_session *s, const struct cli_channel *request, unsigned status, struct err *err)
{
	_cleanup_(base_buf_done) struct buf query = base_buf(KUBE_URL_MAX);
	static const char grant[] =
		"pods/exec needs the verbs create and get: kubectl create role NAME "
		"--verb=create,get --resource=pods/exec, and a RoleBinding";
	struct err why = {0};

	TRY(write_query(request, &query, err));
	const struct kube_request r = exec_of(request, base_buf_str(&query));
	const int e = cli_ask(s, &r, NULL, &why);
	const bool refused = e < 0 && (unsigned)why.detail == status;
	int class = -(int)ERR_TERMINAL;

	if (status == 403)
		class = FAIL(err, ERR_DENIED, "%s", grant);
	else if (refused)
		class = FAIL(err, why.class, "%s", why.msg);
	else
		class = FAIL(err, ERR_TERMINAL,
			"the API server opens no WebSocket: it answers with status %u", status);
	if (err)
		err->detail = (int)status;
	return class;
}
