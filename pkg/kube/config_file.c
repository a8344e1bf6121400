/* kubeconfig files, by kubectl's rules. */
#include "pkg/kube/config_impl.h"

#include "pkg/base/alloc.h"
#include "pkg/base/text.h"
#include "pkg/kube/token.h"

#include <yaml.h>

struct kube_file {
	char *path;
	size_t dir_len; /* of path, without the last '/'; 0: the working directory */
	yaml_document_t doc;
	bool loaded;
};

/* One named entry and the file that it came from: relative paths start there. */
struct entry {
	struct kube_file *file;
	yaml_node_t *node; /* a mapping; NULL: not found */
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

static yaml_node_t *node_at(struct kube_file *f, int index)
{
	return yaml_document_get_node(&f->doc, index);
}

static struct str scalar(const yaml_node_t *node)
{
	if (!node || node->type != YAML_SCALAR_NODE)
		return STR_NULL;
	const struct str s = base_str_n(node->data.scalar.value, node->data.scalar.length);
	if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		(base_str_eq(s, STR("null")) || base_str_eq(s, STR("~"))))
		return STR_NULL;
	return s;
}

static yaml_node_t *member(struct kube_file *f, const yaml_node_t *map, const char *key)
{
	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (const yaml_node_pair_t *p = map->data.mapping.pairs.start;
		p < map->data.mapping.pairs.top; p++)
		if (base_str_eq(scalar(node_at(f, p->key)), base_str(key)))
			return node_at(f, p->value);
	return NULL;
}

static struct str text_of(const struct entry *e, const char *key)
{
	return scalar(member(e->file, e->node, key));
}

static yaml_node_t *root_of(struct kube_file *f)
{
	return yaml_document_get_root_node(&f->doc);
}

static int find_in_file(struct kube_file *f, const char *list, const char *kind, struct str name,
	struct entry *e, struct err *err)
{
	const yaml_node_t *seq = member(f, root_of(f), list);

	if (!seq || seq->type != YAML_SEQUENCE_NODE)
		return 0;
	if (seq->data.sequence.items.top - seq->data.sequence.items.start > KUBE_CONFIG_NAMED_MAX)
		return FAIL(err, ERR_TOO_LARGE, "%s: more than %d %s", f->path,
			KUBE_CONFIG_NAMED_MAX, list);
	for (const yaml_node_item_t *i = seq->data.sequence.items.start;
		i < seq->data.sequence.items.top; i++) {
		const yaml_node_t *item = node_at(f, *i);
		const yaml_node_t *id = member(f, item, "name");
		if (!id || !base_str_eq(scalar(id), name))
			continue;
		if (e->node)
			return FAIL(err, ERR_INVALID, "%s: two %s are named '%.*s'", f->path, list,
				STR_FMT(name));
		yaml_node_t *value = member(f, item, kind);
		if (!value || value->type != YAML_MAPPING_NODE)
			return FAIL(err, ERR_INVALID, "%s: %s '%.*s' is empty", f->path, kind,
				STR_FMT(name));
		*e = (struct entry){.file = f, .node = value};
	}
	return 0;
}

/* The first file that defines the name wins whole. */
static int find_named(struct kube_file *const *files, size_t n, const char *kind, struct str name,
	struct entry *ret, struct err *err)
{
	char list[16];

	(void)snprintf(list, sizeof(list), "%ss", kind);
	for (size_t i = 0; i < n; i++) {
		struct entry e = {0};
		TRY(find_in_file(files[i], list, kind, name, &e, err));
		if (e.node) {
			*ret = e;
			return 0;
		}
	}
	return FAIL(
		err, ERR_INVALID, "%s: no %s is named '%.*s'", files[0]->path, kind, STR_FMT(name));
}

static int resolve_path(const struct entry *e, struct str path, struct kube_config *c,
	struct str *ret, struct err *err)
{
	if (path.p[0] == '/' || !e->file->dir_len)
		return base_arena_str(c->arena, path, ret, err);
	return base_arena_printf(c->arena, ret, err, "%.*s/%.*s", (int)e->file->dir_len,
		e->file->path, STR_FMT(path));
}

static int decode_data(
	const struct entry *e, const char *key, struct str data, struct buf *b, struct err *err)
{
	_cleanup_(base_buf_done) struct buf packed = base_buf(2 * (size_t)KUBE_CREDENTIAL_MAX);

	/* Folded scalars leave white space between the lines. */
	for (size_t i = 0; i < data.n; i++)
		if (!strchr(" \t\r\n", data.p[i]))
			TRY(base_buf_add_byte(&packed, (uint8_t)data.p[i], err));
	const int r = base_unbase64_add(b, base_buf_str(&packed), err);
	if (packed.data)
		base_wipe(packed.data, packed.len);
	if (r == -ERR_INVALID)
		return FAIL(err, ERR_INVALID, "%s: %s is not base64", e->file->path, key);
	return r;
}

/* `key`-data, which overrides the file that `key` names. Nothing is added where neither is set. */
static int pem_of(const struct entry *e, const char *key, struct kube_config *c, struct buf *b,
	struct err *err)
{
	char data_key[64];
	struct str path = STR_NULL;

	(void)snprintf(data_key, sizeof(data_key), "%s-data", key);
	const struct str data = text_of(e, data_key);
	if (data.n)
		return decode_data(e, data_key, data, b, err);
	const struct str file = text_of(e, key);
	if (!file.n)
		return 0;
	TRY(resolve_path(e, file, c, &path, err));
	const int r = kube_read_file(path.p, b, err);
	/* A file that a configuration names and that is missing is a wrong configuration. */
	return r == -ERR_NOT_FOUND ? FAIL(err, ERR_INVALID, "%s: no such file", path.p) : r;
}

static int truth_of(const struct entry *e, const char *key, bool *ret, struct err *err)
{
	const struct str s = text_of(e, key);

	*ret = base_str_eq(s, STR("true"));
	if (s.n && !*ret && !base_str_eq(s, STR("false")))
		return FAIL(
			err, ERR_INVALID, "%s: %s is neither true nor false", e->file->path, key);
	return 0;
}

static int check_url(const struct entry *e, struct str s, struct err *err)
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

static int read_cluster(const struct entry *e, struct kube_config *c, struct err *err)
{
	struct str server = text_of(e, "server");

	while (base_str_ends(server, STR("/")) && !base_str_ends(server, STR("://")))
		server.n--;
	TRY(check_url(e, server, err));
	TRY(base_arena_str(c->arena, server, &c->server, err));
	TRY(base_arena_str(c->arena, text_of(e, "tls-server-name"), &c->server_name, err));
	TRY(base_arena_str(c->arena, text_of(e, "proxy-url"), &c->proxy_url, err));
	TRY(truth_of(e, "insecure-skip-tls-verify", &c->insecure, err));
	TRY(pem_of(e, "certificate-authority", c, &c->ca, err));
	if (!c->ca.len)
		return 0;
	if (c->insecure)
		return FAIL(err, ERR_INVALID,
			"%s: insecure-skip-tls-verify beside a certificate authority",
			e->file->path);
	return kube_pem_check(base_buf_str(&c->ca), "CERTIFICATE", "certificate-authority", err);
}

static int refuse_unsupported(const struct entry *e, struct err *err)
{
	static const char *const keys[] = {"exec", "auth-provider", "username", "password",
		"act-as", "act-as-uid", "act-as-groups", "act-as-user-extra"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const yaml_node_t *node = member(e->file, e->node, keys[i]);
		if (node && (node->type != YAML_SCALAR_NODE || scalar(node).n))
			return FAIL(err, ERR_INVALID, "%s: '%s' of a user is not supported",
				e->file->path, keys[i]);
	}
	return 0;
}

static int read_pair(const struct entry *e, struct kube_config *c, struct err *err)
{
	_cleanup_(base_buf_done) struct buf cert = base_buf(KUBE_CREDENTIAL_MAX);
	_cleanup_(base_buf_done) struct buf key = base_buf(KUBE_CREDENTIAL_MAX);

	TRY(pem_of(e, "client-certificate", c, &cert, err));
	int r = pem_of(e, "client-key", c, &key, err);
	if (r == 0 && !cert.len != !key.len)
		r = FAIL(err, ERR_INVALID,
			"%s: a client certificate without its key, or a key alone", e->file->path);
	if (r == 0 && cert.len) {
		r = kube_pem_check(base_buf_str(&cert), "CERTIFICATE", "client-certificate", err);
		if (r == 0)
			r = kube_pem_check(base_buf_str(&key), "PRIVATE KEY", "client-key", err);
		if (r == 0)
			r = base_arena_str(c->arena, base_buf_str(&cert), &c->cert_pem, err);
		if (r == 0)
			r = base_arena_str(c->arena, base_buf_str(&key), &c->key_pem, err);
	}
	if (key.data)
		base_wipe(key.data, key.len);
	return r;
}

static int read_user(const struct entry *e, struct kube_config *c, struct err *err)
{
	const struct str file = text_of(e, "tokenFile");
	const struct str token = text_of(e, "token");
	struct str path = STR_NULL;

	TRY(refuse_unsupported(e, err));
	TRY(read_pair(e, c, err));
	if (file.n)
		TRY(resolve_path(e, file, c, &path, err));
	if (file.n || token.n)
		TRY(kube_token_new(path.p, token, &c->token, err));
	return 0;
}

static struct str current_context(struct kube_file *const *files, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct entry root = {.file = files[i], .node = root_of(files[i])};
		const struct str s = text_of(&root, "current-context");
		if (s.n)
			return s;
	}
	return STR_NULL;
}

int kube_files_resolve(struct kube_file *const *files, size_t n, const char *context,
	struct kube_config *config, struct err *err)
{
	const struct str name = context && *context ? base_str(context) : current_context(files, n);
	struct entry ctx = {0};
	struct entry cluster = {0};
	struct entry user = {0};

	if (!name.n)
		return FAIL(err, ERR_INVALID, "%s: no context is selected", files[0]->path);
	TRY(find_named(files, n, "context", name, &ctx, err));
	TRY(find_named(files, n, "cluster", text_of(&ctx, "cluster"), &cluster, err));
	base_assert(ctx.file && cluster.file);
	TRY(read_cluster(&cluster, config, err));
	if (text_of(&ctx, "user").n) {
		TRY(find_named(files, n, "user", text_of(&ctx, "user"), &user, err));
		base_assert(user.file);
		TRY(read_user(&user, config, err));
	}
	const struct str ns = text_of(&ctx, "namespace");
	return base_arena_str(config->arena, ns.n ? ns : STR("default"), &config->ns, err);
}
