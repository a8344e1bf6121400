/* kubeconfig files, by kubectl's rules. */
#include "pkg/kube/config_impl.h"

#include "pkg/base/alloc.h"
#include "pkg/base/text.h"
#include "pkg/kube/token.h"

struct kube_file {
	char *path;
	size_t dir_len; /* of path, without the last '/'; 0: the working directory */
	yaml_document_t doc;
	bool loaded;
};

struct kube_file *kube_file_free(struct kube_file *file)
{
	if (file) {
		if (file->loaded)
			yaml_document_delete(&file->doc);
		base_free(file->path);
		base_free(file);
	}
	return NULL;
}

/* Every level and every alias is counted before the document is built. */
static int check_shape(const char *path, struct str text, struct err *err)
{
	yaml_parser_t parser;
	yaml_event_t event;
	int depth = 0;
	bool end = false;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return FAIL(err, ERR_NOMEM, "YAML parser");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
	while (r == 0 && !end) {
		if (!yaml_parser_parse(&parser, &event)) {
			r = parser.error == YAML_MEMORY_ERROR
				    ? FAIL(err, ERR_NOMEM, "YAML parser")
				    : FAIL(err, ERR_INVALID, "%s:%zu: %s", path,
					      parser.problem_mark.line + 1,
					      parser.problem ? parser.problem : "not YAML");
			break;
		}
		const yaml_event_type_t type = event.type;
		yaml_event_delete(&event);
		depth += type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
		depth -= type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
		/* One document is a kubeconfig; what follows is not looked at. */
		end = type == YAML_STREAM_END_EVENT || type == YAML_DOCUMENT_END_EVENT;
		if (depth > KUBE_CONFIG_DEPTH_MAX)
			r = FAIL(err, ERR_INVALID, "%s: nested deeper than %d", path,
				KUBE_CONFIG_DEPTH_MAX);
	}
	yaml_parser_delete(&parser);
	return r;
}

int kube_file_parse(const char *path, struct str text, struct kube_file **ret_file, struct err *err)
{
	_cleanup_(kube_file_free) struct kube_file *f = base_alloc(1, sizeof(*f));
	yaml_parser_t parser;

	if (!f || !(f->path = base_strndup(path, strlen(path))))
		return FAIL(err, ERR_NOMEM, "kubeconfig");
	const char *slash = strrchr(f->path, '/');
	f->dir_len = slash ? (size_t)(slash - f->path) + (slash == f->path) : 0;
	TRY(check_shape(path, text, err));
	if (!yaml_parser_initialize(&parser))
		return FAIL(err, ERR_NOMEM, "YAML parser");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
	f->loaded = yaml_parser_load(&parser, &f->doc) == 1;
	const bool memory = parser.error == YAML_MEMORY_ERROR;
	yaml_parser_delete(&parser);
	if (!f->loaded)
		return FAIL(err, memory ? ERR_NOMEM : ERR_INVALID, "%s: not YAML", path);
	const yaml_node_t *root = yaml_document_get_root_node(&f->doc);
	if (root && root->type != YAML_MAPPING_NODE &&
		!(root->type == YAML_SCALAR_NODE && !root->data.scalar.length))
		return FAIL(err, ERR_INVALID, "%s: not a kubeconfig", path);
	*ret_file = STEAL(f);
	return 0;
}

yaml_node_t *kube_yaml_at(struct kube_file *f, int index)
{
	return yaml_document_get_node(&f->doc, index);
}

struct str kube_yaml_text(const yaml_node_t *node)
{
	if (!node || node->type != YAML_SCALAR_NODE)
		return STR_NULL;
	const struct str s = base_str_n(node->data.scalar.value, node->data.scalar.length);
	if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		(base_str_eq(s, STR("null")) || base_str_eq(s, STR("~"))))
		return STR_NULL;
	return s;
}

yaml_node_t *kube_yaml_member(struct kube_file *f, const yaml_node_t *map, const char *key)
{
	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (const yaml_node_pair_t *p = map->data.mapping.pairs.start;
		p < map->data.mapping.pairs.top; p++)
		if (base_str_eq(kube_yaml_text(kube_yaml_at(f, p->key)), base_str(key)))
			return kube_yaml_at(f, p->value);
	return NULL;
}

struct str kube_entry_text(const struct kube_entry *e, const char *key)
{
	return kube_yaml_text(kube_yaml_member(e->file, e->node, key));
}

const char *kube_entry_origin(const struct kube_entry *e)
{
	return e->file->path;
}

static yaml_node_t *root_of(struct kube_file *f)
{
	return yaml_document_get_root_node(&f->doc);
}

static int find_in_file(struct kube_file *f, const char *list, const char *kind, struct str name,
	struct kube_entry *e, struct err *err)
{
	const yaml_node_t *seq = kube_yaml_member(f, root_of(f), list);

	if (!seq || seq->type != YAML_SEQUENCE_NODE)
		return 0;
	if (seq->data.sequence.items.top - seq->data.sequence.items.start > KUBE_CONFIG_NAMED_MAX)
		return FAIL(err, ERR_TOO_LARGE, "%s: more than %d %s", f->path,
			KUBE_CONFIG_NAMED_MAX, list);
	for (const yaml_node_item_t *i = seq->data.sequence.items.start;
		i < seq->data.sequence.items.top; i++) {
		const yaml_node_t *item = kube_yaml_at(f, *i);
		const yaml_node_t *id = kube_yaml_member(f, item, "name");
		if (!id || !base_str_eq(kube_yaml_text(id), name))
			continue;
		if (e->node)
			return FAIL(err, ERR_INVALID, "%s: two %s are named '%.*s'", f->path, list,
				STR_FMT(name));
		yaml_node_t *value = kube_yaml_member(f, item, kind);
		if (!value || value->type != YAML_MAPPING_NODE)
			return FAIL(err, ERR_INVALID, "%s: %s '%.*s' is empty", f->path, kind,
				STR_FMT(name));
		*e = (struct kube_entry){.file = f, .node = value};
	}
	return 0;
}

/* The first file that defines the name wins whole. */
static int find_named(struct kube_file *const *files, size_t n, const char *kind, struct str name,
	struct kube_entry *ret, struct err *err)
{
	char list[16];

	(void)snprintf(list, sizeof(list), "%ss", kind);
	for (size_t i = 0; i < n; i++) {
		struct kube_entry e = {0};
		TRY(find_in_file(files[i], list, kind, name, &e, err));
		if (e.node) {
			*ret = e;
			return 0;
		}
	}
	return FAIL(
		err, ERR_INVALID, "%s: no %s is named '%.*s'", files[0]->path, kind, STR_FMT(name));
}

int kube_entry_path(const struct kube_entry *e, struct str path, struct kube_config *c,
	struct str *ret, struct err *err)
{
	if (path.p[0] == '/' || !e->file->dir_len)
		return base_arena_str(c->arena, path, ret, err);
	return base_arena_printf(c->arena, ret, err, "%.*s/%.*s", (int)e->file->dir_len,
		e->file->path, STR_FMT(path));
}

static int decode_data(const struct kube_entry *e, const char *key, struct str data, struct buf *b,
	struct err *err)
{
	_cleanup_(base_buf_wipe) struct buf packed = base_buf(2 * (size_t)KUBE_CREDENTIAL_MAX);

	/* Folded scalars leave white space between the lines. */
	for (size_t i = 0; i < data.n; i++)
		if (!strchr(" \t\r\n", data.p[i]))
			TRY(base_buf_add_byte(&packed, (uint8_t)data.p[i], err));
	const int r = base_unbase64_add(b, base_buf_str(&packed), err);
	if (r == -ERR_INVALID)
		return FAIL(err, ERR_INVALID, "%s: %s is not base64", e->file->path, key);
	return r;
}

/* `key`-data, which overrides the file that `key` names. Nothing is added where neither is set. */
static int pem_of(const struct kube_entry *e, const char *key, struct kube_config *c, struct buf *b,
	struct err *err)
{
	char data_key[64];
	struct str path = STR_NULL;

	(void)snprintf(data_key, sizeof(data_key), "%s-data", key);
	const struct str data = kube_entry_text(e, data_key);
	if (data.n)
		return decode_data(e, data_key, data, b, err);
	const struct str file = kube_entry_text(e, key);
	if (!file.n)
		return 0;
	TRY(kube_entry_path(e, file, c, &path, err));
	const int r = kube_read_file(path.p, b, err);
	/* A file that a configuration names and that is missing is a wrong configuration. */
	return r == -ERR_NOT_FOUND ? FAIL(err, ERR_INVALID, "%s: no such file", path.p) : r;
}

int kube_entry_truth(const struct kube_entry *e, const char *key, bool *ret, struct err *err)
{
	const struct str s = kube_entry_text(e, key);

	*ret = base_str_eq(s, STR("true"));
	if (s.n && !*ret && !base_str_eq(s, STR("false")))
		return FAIL(
			err, ERR_INVALID, "%s: %s is neither true nor false", e->file->path, key);
	return 0;
}

static int check_url(const struct kube_entry *e, struct str s, struct err *err)
{
	const bool http = base_str_starts(s, STR("https://")) || base_str_starts(s, STR("http://"));

	for (size_t i = 0; s.p && i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || strchr("?#@", s.p[i]))
			return FAIL(err, ERR_INVALID, "%s: server '%.*s' is no address",
				e->file->path, STR_FMT(s));
	if (!http || base_str_ends(s, STR("://")))
		return FAIL(err, ERR_INVALID, "%s: server '%.*s' is no http or https address",
			e->file->path, STR_FMT(s));
	return 0;
}

static int read_cluster(const struct kube_entry *e, struct kube_config *c, struct err *err)
{
	struct str server = kube_entry_text(e, "server");

	while (base_str_ends(server, STR("/")) && !base_str_ends(server, STR("://")))
		server.n--;
	TRY(check_url(e, server, err));
	TRY(base_arena_str(c->arena, server, &c->server, err));
	TRY(base_arena_str(c->arena, kube_entry_text(e, "tls-server-name"), &c->server_name, err));
	TRY(base_arena_str(c->arena, kube_entry_text(e, "proxy-url"), &c->proxy_url, err));
	TRY(kube_entry_truth(e, "insecure-skip-tls-verify", &c->insecure, err));
	TRY(pem_of(e, "certificate-authority", c, &c->ca, err));
	if (!c->ca.len)
		return 0;
	if (c->insecure)
		return FAIL(err, ERR_INVALID,
			"%s: insecure-skip-tls-verify beside a certificate authority",
			e->file->path);
	return kube_pem_check(base_buf_str(&c->ca), "CERTIFICATE", "certificate-authority", err);
}

static int refuse_unsupported(const struct kube_entry *e, struct err *err)
{
	static const char *const keys[] = {"auth-provider", "username", "password", "act-as",
		"act-as-uid", "act-as-groups", "act-as-user-extra"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const yaml_node_t *node = kube_yaml_member(e->file, e->node, keys[i]);
		if (node && (node->type != YAML_SCALAR_NODE || kube_yaml_text(node).n))
			return FAIL(err, ERR_INVALID, "%s: '%s' of a user is not supported",
				e->file->path, keys[i]);
	}
	return 0;
}

static int read_pair(const struct kube_entry *e, struct kube_config *c, struct err *err)
{
	_cleanup_(base_buf_done) struct buf cert = base_buf(KUBE_CREDENTIAL_MAX);
	_cleanup_(base_buf_wipe) struct buf key = base_buf(KUBE_CREDENTIAL_MAX);

	TRY(pem_of(e, "client-certificate", c, &cert, err));
	TRY(pem_of(e, "client-key", c, &key, err));
	if (!cert.len != !key.len)
		return FAIL(err, ERR_INVALID,
			"%s: a client certificate without its key, or a key alone", e->file->path);
	if (!cert.len)
		return 0;
	TRY(kube_pem_check(base_buf_str(&cert), "CERTIFICATE", "client-certificate", err));
	TRY(kube_pem_check(base_buf_str(&key), "PRIVATE KEY", "client-key", err));
	TRY(base_arena_str(c->arena, base_buf_str(&cert), &c->cert_pem, err));
	return base_arena_str(c->arena, base_buf_str(&key), &c->key_pem, err);
}

static int read_user(const struct kube_entry *e, struct kube_config *c, struct err *err)
{
	const struct str file = kube_entry_text(e, "tokenFile");
	const struct str token = kube_entry_text(e, "token");
	struct str path = STR_NULL;

	TRY(refuse_unsupported(e, err));
	TRY(read_pair(e, c, err));
	if (file.n)
		TRY(kube_entry_path(e, file, c, &path, err));
	if (file.n || token.n)
		TRY(kube_token_new(path.p, token, &c->token, err));
	return 0;
}

static struct str current_context(struct kube_file *const *files, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct kube_entry root = {.file = files[i], .node = root_of(files[i])};
		const struct str s = kube_entry_text(&root, "current-context");
		if (s.n)
			return s;
	}
	return STR_NULL;
}

static struct str chosen(const char *choice, struct str said)
{
	return choice && *choice ? base_str(choice) : said;
}

int kube_files_resolve(struct kube_file *const *files, size_t n, const struct kube_choice *choice,
	struct kube_config *config, struct err *err)
{
	const struct str name = chosen(choice->context, current_context(files, n));
	struct kube_entry ctx = {0};
	struct kube_entry cluster = {0};
	struct kube_entry user = {0};

	if (!name.n)
		return FAIL(err, ERR_INVALID, "%s: no context is selected", files[0]->path);
	TRY(find_named(files, n, "context", name, &ctx, err));
	const struct str cluster_name = chosen(choice->cluster, kube_entry_text(&ctx, "cluster"));
	TRY(find_named(files, n, "cluster", cluster_name, &cluster, err));
	base_assert(ctx.file && cluster.file);
	TRY(read_cluster(&cluster, config, err));
	const struct str user_name = chosen(choice->user, kube_entry_text(&ctx, "user"));
	if (user_name.n) {
		TRY(find_named(files, n, "user", user_name, &user, err));
		base_assert(user.file);
		TRY(read_user(&user, config, err));
		TRY(kube_config_read_exec(&user, &cluster, choice->exec, config, err));
	}
	const struct str ns = chosen(choice->ns, kube_entry_text(&ctx, "namespace"));
	return base_arena_str(config->arena, ns.n ? ns : STR("default"), &config->ns, err);
}
