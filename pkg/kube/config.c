#include "pkg/kube/config_impl.h"

#include "pkg/base/alloc.h"
#include "pkg/base/text.h"
#include "pkg/kube/exec.h"
#include "pkg/kube/token.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CONFIG_ARENA_MAX ((size_t)8 * KUBE_CREDENTIAL_MAX)
#define CA_AGAIN_NS      (60 * NS_PER_S)

/* Programs here change their environment only before they start anything. */
static const char *environment(const char *name)
{
	return getenv(name); /* NOLINT(concurrency-mt-unsafe) */
}

int kube_read_file(const char *path, struct buf *b, struct err *err)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return FAIL(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INVALID, "%s: %m", path);
	for (;;) {
		uint8_t *to = NULL;
		const size_t left = b->max - b->len;
		const size_t want = left < 16384 ? left : 16384;
		r = base_buf_room(b, want, &to, err);
		if (r < 0)
			break;
		const ssize_t got = want ? read(fd, to, want) : read(fd, &(char){0}, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			r = FAIL(err, ERR_INVALID, "%s: %m", path);
		else if (got > 0 && !want)
			r = FAIL(err, ERR_TOO_LARGE, "%s: more than %zu bytes", path, b->max);
		if (got <= 0 || r < 0)
			break;
		base_buf_added(b, (size_t)got);
	}
	close(fd);
	return r;
}

static int new_config(struct kube_config **ret_config, struct err *err)
{
	_cleanup_(kube_config_free) struct kube_config *c = base_alloc(1, sizeof(*c));

	if (!c)
		return FAIL(err, ERR_NOMEM, "configuration");
	c->ca = base_buf(KUBE_CREDENTIAL_MAX);
	TRY(base_arena_new(CONFIG_ARENA_MAX, &c->arena, err));
	*ret_config = STEAL(c);
	return 0;
}

struct kube_config *kube_config_free(struct kube_config *config)
{
	if (config) {
		/* The arena's own bytes, seen through a const. */
		const union {
			const char *text;
			void *bytes;
		} key = {.text = config->key_pem.p};
		if (config->key_pem.n)
			base_wipe(key.bytes, config->key_pem.n);
		kube_token_free(config->token);
		kube_exec_free(config->exec);
		base_buf_done(&config->ca);
		base_arena_free(config->arena);
		base_free(config);
	}
	return NULL;
}

static int unpack(struct str base64, struct buf *text, struct buf *der, struct err *err)
{
	for (size_t i = 0; i < base64.n; i++)
		if (!strchr(" \t\r\n", base64.p[i]))
			TRY(base_buf_add_byte(text, (uint8_t)base64.p[i], err));
	return base_unbase64_add(der, base_buf_str(text), err);
}

/* NOMEM alone is an error: what does not decode is no DER. */
static int is_der_block(struct str base64, bool *ret, struct err *err)
{
	_cleanup_(base_buf_wipe) struct buf text = base_buf(KUBE_CREDENTIAL_MAX);
	_cleanup_(base_buf_wipe) struct buf der = base_buf(KUBE_CREDENTIAL_MAX);

	const int r = unpack(base64, &text, &der, err);
	*ret = r == 0 && der.len > 2 && der.data[0] == 0x30;
	return r == -ERR_NOMEM ? r : 0;
}

static const char *find(struct str s, const char *what)
{
	return s.n ? memmem(s.p, s.n, what, strlen(what)) : NULL;
}

int kube_pem_check(struct str pem, const char *kind, const char *what, struct err *err)
{
	char end[64];

	(void)snprintf(end, sizeof(end), "%s-----", kind);
	for (struct str rest = pem; rest.n;) {
		const char *begin = find(rest, "-----BEGIN ");
		if (!begin)
			break;
		rest = base_str_sub(rest, (size_t)(begin - rest.p) + 11, rest.n);
		const char *head = find(rest, "-----");
		const char *tail = find(rest, "-----END ");
		if (!head || !tail || head + 5 > tail)
			break;
		const struct str title = base_str_n(rest.p, (size_t)(head - rest.p) + 5);
		const struct str base64 = base_str_n(head + 5, (size_t)(tail - head) - 5);
		bool der = false;
		TRY(is_der_block(base64, &der, err));
		if (der && base_str_ends(title, base_str(end)))
			return 0;
		rest = base_str_sub(rest, (size_t)(tail - rest.p) + 9, rest.n);
	}
	return FAIL(err, ERR_INVALID, "%s: no %s in PEM form", what, kind);
}

int kube_config_ca(
	struct kube_config *config, int64_t boot_ns, struct str *ret_pem, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_CREDENTIAL_MAX);
	const struct str path = config->ca_file;

	if (path.n && boot_ns - config->ca_read_boot_ns >= CA_AGAIN_NS) {
		config->ca_read_boot_ns = boot_ns;
		/* Whatever cannot be read or is none: the old one stays. */
		if (kube_read_file(path.p, &b, NULL) == 0 &&
			!base_str_eq(base_buf_str(&b), base_buf_str(&config->ca)) &&
			kube_pem_check(base_buf_str(&b), "CERTIFICATE", path.p, NULL) == 0) {
			base_buf_clear(&config->ca);
			TRY(base_buf_add_str(&config->ca, base_buf_str(&b), err));
		}
	}
	*ret_pem = base_buf_str(&config->ca);
	return 0;
}

static int in_cluster_server(struct kube_config *c, struct err *err)
{
	const char *host = environment("KUBERNETES_SERVICE_HOST");
	const char *port = environment("KUBERNETES_SERVICE_PORT");
	uint64_t n = 0;

	if (!host || !*host || !port || !*port)
		return FAIL(err, ERR_NOT_FOUND,
			"not in a cluster: KUBERNETES_SERVICE_HOST and _PORT are not set");
	if (base_parse_u64(base_str(port), 65535, &n, NULL) < 0 || strpbrk(host, "/ @#?%\r\n"))
		return FAIL(err, ERR_INVALID, "KUBERNETES_SERVICE_HOST or _PORT is no address");
	const bool v6 = strchr(host, ':') != NULL;
	return base_arena_printf(c->arena, &c->server, err, "https://%s%s%s:%s", v6 ? "[" : "",
		host, v6 ? "]" : "", port);
}

/* $POD_NAMESPACE, else the file, else "default". */
static int in_cluster_namespace(struct kube_config *c, const char *root, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(1024);
	struct str path = STR_NULL;
	struct str ns = base_str(environment("POD_NAMESPACE"));

	TRY(base_arena_printf(c->arena, &path, err, "%s%s/namespace", root, KUBE_SERVICE_ACCOUNT));
	if (!ns.n && kube_read_file(path.p, &b, NULL) == 0)
		ns = base_str_trim(base_buf_str(&b));
	return base_arena_str(c->arena, ns.n ? ns : STR("default"), &c->ns, err);
}

int kube_config_in_cluster(const char *root, struct kube_config **ret_config, struct err *err)
{
	_cleanup_(kube_config_free) struct kube_config *c = NULL;
	struct str token = STR_NULL;

	TRY(new_config(&c, err));
	base_assert(c);
	TRY(in_cluster_server(c, err));
	TRY(base_arena_printf(c->arena, &token, err, "%s%s/token", root, KUBE_SERVICE_ACCOUNT));
	if (access(token.p, R_OK) != 0)
		return FAIL(err, ERR_NOT_FOUND, "%s: %m", token.p);
	TRY(kube_token_new(token.p, STR_NULL, &c->token, err));
	TRY(base_arena_printf(
		c->arena, &c->ca_file, err, "%s%s/ca.crt", root, KUBE_SERVICE_ACCOUNT));
	TRY(in_cluster_namespace(c, root, err));
	c->in_cluster = true;
	c->ca_read_boot_ns = -CA_AGAIN_NS;
	*ret_config = STEAL(c);
	return 0;
}

/* Reads the files of a list that exist. */
static int load_list(char *list, struct kube_file **files, size_t *n, struct err *err)
{
	for (char *at = list; at;) {
		_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_CONFIG_FILE_MAX);
		struct err why = {0};
		char *path = at;
		at = strchr(at, ':');
		if (at)
			*at++ = 0;
		if (!*path)
			continue;
		const int r = kube_read_file(path, &b, &why);
		if (r == -ERR_NOT_FOUND)
			continue;
		if (r < 0)
			return FAIL(err, why.class, "%s", why.msg);
		if (*n == KUBE_CONFIG_FILES_MAX)
			return FAIL(err, ERR_TOO_LARGE, "KUBECONFIG names more than %d files",
				KUBE_CONFIG_FILES_MAX);
		TRY(kube_file_parse(path, base_buf_str(&b), &files[*n], err));
		(*n)++;
	}
	return 0;
}

static int resolve(char *list, const struct kube_choice *choice, struct kube_config **ret_config,
	struct err *err)
{
	struct kube_file *files[KUBE_CONFIG_FILES_MAX] = {0};
	_cleanup_(kube_config_free) struct kube_config *c = NULL;
	size_t n = 0;

	int r = new_config(&c, err);
	if (r == 0)
		r = load_list(list, files, &n, err);
	if (r == 0 && !n)
		r = FAIL(err, ERR_NOT_FOUND, "no kubeconfig");
	if (r == 0)
		r = kube_files_resolve(files, n, choice, c, err);
	for (size_t i = 0; i < n; i++)
		kube_file_free(files[i]);
	if (r == 0)
		*ret_config = STEAL(c);
	return r;
}

static int load_one(
	const struct kube_choice *choice, struct kube_config **ret_config, struct err *err)
{
	/* A colon in an explicit path is part of it. */
	_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_CONFIG_FILE_MAX);
	_cleanup_(kube_file_free) struct kube_file *file = NULL;
	_cleanup_(kube_config_free) struct kube_config *c = NULL;

	TRY(kube_read_file(choice->path, &b, err));
	TRY(kube_file_parse(choice->path, base_buf_str(&b), &file, err));
	TRY(new_config(&c, err));
	TRY(kube_files_resolve(&file, 1, choice, c, err));
	*ret_config = STEAL(c);
	return 0;
}

/* The Pod's own files; a namespace that was chosen goes before theirs. */
static int load_in_cluster(const struct kube_choice *choice, struct kube_config **ret_config)
{
	_cleanup_(kube_config_free) struct kube_config *c = NULL;

	TRY(kube_config_in_cluster("", &c, NULL));
	if (choice->ns && *choice->ns)
		TRY(base_arena_str(c->arena, base_str(choice->ns), &c->ns, NULL));
	*ret_config = STEAL(c);
	return 0;
}

int kube_config_choose(
	const struct kube_choice *choice, struct kube_config **ret_config, struct err *err)
{
	_cleanup_(base_buf_done) struct buf list = base_buf(65536);
	const char *env = environment("KUBECONFIG");
	const char *home = environment("HOME");
	struct err why = {0};

	if (choice->path && *choice->path)
		return load_one(choice, ret_config, err);
	if (env && *env)
		TRY(base_buf_addf(&list, err, "%s", env));
	else if (home && *home)
		TRY(base_buf_addf(&list, err, "%s/.kube/config", home));
	else
		TRY(base_buf_addf(&list, err, "%s", ""));
	const int r = resolve((char *)list.data, choice, ret_config, &why);
	if (r != -ERR_NOT_FOUND) {
		if (r < 0 && err)
			*err = why;
		return r;
	}
	if (load_in_cluster(choice, ret_config) == 0)
		return 0;
	return FAIL(err, ERR_NOT_FOUND,
		"no kubeconfig ($KUBECONFIG, ~/.kube/config), and not in a cluster");
}

int kube_config_load(
	const char *path, const char *context, struct kube_config **ret_config, struct err *err)
{
	const struct kube_choice choice = {.path = path, .context = context};

	return kube_config_choose(&choice, ret_config, err);
}

int kube_config_credential(struct kube_config *config, const struct env *env, int64_t boot_ns,
	struct kube_credential *ret, struct err *err)
{
	struct kube_credential own = {.cert_pem = config->cert_pem, .key_pem = config->key_pem};
	struct kube_credential given = {0};

	if (config->token)
		TRY(kube_token_get(config->token, boot_ns, &own.token, err));
	/* Whoever has proof of its own needs none of a plugin. */
	if (config->exec && !own.token.n && !own.cert_pem.n) {
		TRY(kube_exec_get(config->exec, env, boot_ns, &given, err));
		own = given;
	}
	*ret = own;
	return 0;
}

bool kube_config_refused(struct kube_config *config, int64_t started_boot_ns)
{
	if (config->token)
		return kube_token_refused(config->token, started_boot_ns);
	return config->exec && !config->cert_pem.n &&
	       kube_exec_refused(config->exec, started_boot_ns);
}
