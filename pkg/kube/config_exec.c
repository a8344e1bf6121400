/* The exec plugin of a kubeconfig's user. */
#include "pkg/base/text.h"
#include "pkg/kube/config_impl.h"
#include "pkg/kube/exec.h"
#include "pkg/kube/patch.h"

#include <unistd.h>

#define EXTENSION       "client.authentication.k8s.io/exec"
#define EXTENSION_DEPTH 16

static const char *const modes[] = {
	[KUBE_EXEC_NEVER] = "Never",
	[KUBE_EXEC_IF_AVAILABLE] = "IfAvailable",
	[KUBE_EXEC_ALWAYS] = "Always",
};

static int keep(struct kube_config *c, struct str s, struct str *ret, struct err *err)
{
	if (s.n && memchr(s.p, 0, s.n))
		return FAIL(err, ERR_INVALID, "exec plugin: a text holds a NUL byte");
	return base_arena_str(c->arena, s, ret, err);
}

/* The nodes of a list; none where it is absent. */
static int list_of(const struct kube_entry *e, const char *key, const yaml_node_item_t **ret,
	size_t *ret_n, struct err *err)
{
	const yaml_node_t *seq = kube_yaml_member(e->file, e->node, key);
	const yaml_node_t *none = seq && seq->type == YAML_SCALAR_NODE ? seq : NULL;

	*ret_n = 0;
	if (!seq || (none && !kube_yaml_text(none).n))
		return 0;
	if (seq->type != YAML_SEQUENCE_NODE)
		return FAIL(err, ERR_INVALID, "%s: exec %s is no list", kube_entry_origin(e), key);
	*ret = seq->data.sequence.items.start;
	*ret_n = (size_t)(seq->data.sequence.items.top - *ret);
	if (*ret_n > KUBE_EXEC_ARGS_MAX)
		return FAIL(err, ERR_TOO_LARGE, "%s: exec %s has more than %d entries",
			kube_entry_origin(e), key, KUBE_EXEC_ARGS_MAX);
	return 0;
}

static int read_args(const struct kube_entry *e, struct kube_config *c, struct kube_exec_spec *s,
	struct err *err)
{
	const yaml_node_item_t *items = NULL;

	TRY(list_of(e, "args", &items, &s->args_len, err));
	for (size_t i = 0; i < s->args_len; i++)
		TRY(keep(c, kube_yaml_text(kube_yaml_at(e->file, items[i])), &s->args[i], err));
	return 0;
}

static int read_env(const struct kube_entry *e, struct kube_config *c, struct kube_exec_spec *s,
	struct err *err)
{
	const yaml_node_item_t *items = NULL;

	TRY(list_of(e, "env", &items, &s->env_len, err));
	for (size_t i = 0; i < s->env_len; i++) {
		const struct kube_entry one = {
			.file = e->file, .node = kube_yaml_at(e->file, items[i])};
		const struct str name = kube_entry_text(&one, "name");
		if (!name.n || memchr(name.p, '=', name.n))
			return FAIL(err, ERR_INVALID, "%s: a variable of exec env has no name",
				kube_entry_origin(e));
		TRY(keep(c, name, &s->env[i].key, err));
		TRY(keep(c, kube_entry_text(&one, "value"), &s->env[i].value, err));
	}
	return 0;
}

/* Required in v1; v1beta1 has a default. */
static int read_mode(const struct kube_entry *e, struct kube_exec_spec *s, struct err *err)
{
	const struct str mode = kube_entry_text(e, "interactiveMode");

	s->mode = KUBE_EXEC_IF_AVAILABLE;
	if (!mode.n && base_str_ends(s->version, STR("/v1beta1")))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (!base_str_eq(mode, base_str(modes[i])))
			continue;
		s->mode = (enum kube_exec_mode)i;
		return 0;
	}
	return FAIL(err, ERR_INVALID,
		"%s: interactiveMode of exec is '%.*s': write Never, IfAvailable or Always",
		kube_entry_origin(e), STR_FMT(mode));
}

static int write_node(struct kube_file *f, const yaml_node_t *node, unsigned depth,
	struct kube_writer *w, struct err *err);

/* A plain scalar is what JSON says of it; everything else is text. */
static int write_scalar(const yaml_node_t *node, struct kube_writer *w, struct err *err)
{
	const struct str s = base_str_n(node->data.scalar.value, node->data.scalar.length);
	uint64_t n = 0;

	if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return kube_write_text(w, s, err);
	if (!kube_yaml_text(node).n)
		return kube_write_null(w, err);
	if (base_str_eq(s, STR("true")) || base_str_eq(s, STR("false")) ||
		base_parse_u64(s, INT64_MAX, &n, NULL) == 0)
		return kube_write_json(w, s, err);
	return kube_write_text(w, s, err);
}

/* NOLINTNEXTLINE(misc-no-recursion): write_node counts */
static int write_map(struct kube_file *f, const yaml_node_t *node, unsigned depth,
	struct kube_writer *w, struct err *err)
{
	TRY(kube_write_object(w, err));
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
		p < node->data.mapping.pairs.top; p++) {
		TRY(kube_write_key(w, kube_yaml_text(kube_yaml_at(f, p->key)), err));
		TRY(write_node(f, kube_yaml_at(f, p->value), depth + 1, w, err));
	}
	return kube_write_end(w, err);
}

/* Aliases make graphs: depth and the size of the buffer bound what is written.
 * NOLINTNEXTLINE(misc-no-recursion) */
static int write_node(struct kube_file *f, const yaml_node_t *node, unsigned depth,
	struct kube_writer *w, struct err *err)
{
	if (depth > EXTENSION_DEPTH)
		return FAIL(err, ERR_INVALID, "extension " EXTENSION " is nested too deep");
	if (!node || node->type == YAML_NO_NODE)
		return kube_write_null(w, err);
	if (node->type == YAML_SCALAR_NODE)
		return write_scalar(node, w, err);
	if (node->type == YAML_MAPPING_NODE)
		return write_map(f, node, depth, w, err);
	TRY(kube_write_list(w, err));
	for (const yaml_node_item_t *i = node->data.sequence.items.start;
		i < node->data.sequence.items.top; i++)
		TRY(write_node(f, kube_yaml_at(f, *i), depth + 1, w, err));
	return kube_write_end(w, err);
}

/* What the cluster's entry says to plugins. */
static int write_extension(const struct kube_entry *cluster, struct kube_writer *w, struct err *err)
{
	const yaml_node_item_t *items = NULL;
	size_t n = 0;

	TRY(list_of(cluster, "extensions", &items, &n, err));
	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *item = kube_yaml_at(cluster->file, items[i]);
		const yaml_node_t *name = kube_yaml_member(cluster->file, item, "name");
		if (!name || !base_str_eq(kube_yaml_text(name), STR(EXTENSION)))
			continue;
		TRY(kube_write_key(w, STR("config"), err));
		return write_node(cluster->file, kube_yaml_member(cluster->file, item, "extension"),
			0, w, err);
	}
	return 0;
}

static int write_cluster(const struct kube_entry *cluster, const struct kube_config *c,
	struct kube_writer *w, struct err *err)
{
	_cleanup_(base_buf_done) struct buf ca = base_buf(KUBE_EXEC_INFO_MAX);
	bool plain = false;

	TRY(kube_entry_truth(cluster, "disable-compression", &plain, err));
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_text(w, "server", c->server, err));
	if (c->server_name.n)
		TRY(kube_write_key_text(w, "tls-server-name", c->server_name, err));
	if (c->insecure)
		TRY(kube_write_key_bool(w, "insecure-skip-tls-verify", true, err));
	if (c->ca.len) {
		TRY(base_base64_add(&ca, c->ca.data, c->ca.len, err));
		TRY(kube_write_key_text(w, "certificate-authority-data", base_buf_str(&ca), err));
	}
	if (c->proxy_url.n)
		TRY(kube_write_key_text(w, "proxy-url", c->proxy_url, err));
	if (plain)
		TRY(kube_write_key_bool(w, "disable-compression", true, err));
	TRY(write_extension(cluster, w, err));
	return kube_write_end(w, err);
}

static int provide_cluster(const struct kube_entry *exec, const struct kube_entry *cluster,
	struct kube_config *c, struct kube_exec_spec *s, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_EXEC_INFO_MAX);
	struct kube_writer w = kube_writer(&b);
	bool wanted = false;

	TRY(kube_entry_truth(exec, "provideClusterInfo", &wanted, err));
	if (!wanted)
		return 0;
	TRY(write_cluster(cluster, c, &w, err));
	return keep(c, base_buf_str(&b), &s->cluster, err);
}

static int read_command(const struct kube_entry *e, struct kube_config *c, struct kube_exec_spec *s,
	struct err *err)
{
	const struct str command = kube_entry_text(e, "command");

	if (!command.n)
		return FAIL(err, ERR_INVALID, "%s: exec names no command", kube_entry_origin(e));
	/* A bare name is looked for in $PATH; a relative path starts at its file. */
	if (memchr(command.p, '/', command.n))
		return kube_entry_path(e, command, c, &s->command, err);
	return keep(c, command, &s->command, err);
}

int kube_config_read_exec(const struct kube_entry *user, const struct kube_entry *cluster,
	enum kube_exec_policy policy, struct kube_config *config, struct err *err)
{
	const struct kube_entry e = {
		.file = user->file, .node = kube_yaml_member(user->file, user->node, "exec")};
	void *p = NULL;

	if (!e.node || (e.node->type == YAML_SCALAR_NODE && !kube_yaml_text(e.node).n))
		return 0;
	if (policy == KUBE_EXEC_REFUSED)
		return FAIL(err, ERR_INVALID, "%s: 'exec' of a user is for programs of people",
			kube_entry_origin(user));
	TRY(base_arena_alloc(config->arena, 1, sizeof(struct kube_exec_spec), &p, err));
	struct kube_exec_spec *s = p;
	TRY(read_command(&e, config, s, err));
	TRY(keep(config, kube_entry_text(&e, "apiVersion"), &s->version, err));
	TRY(keep(config, kube_entry_text(&e, "installHint"), &s->hint, err));
	TRY(read_args(&e, config, s, err));
	TRY(read_env(&e, config, s, err));
	TRY(read_mode(&e, s, err));
	TRY(provide_cluster(&e, cluster, config, s, err));
	s->terminal = policy == KUBE_EXEC_STDIN && isatty(STDIN_FILENO);
	return kube_exec_new(s, &config->exec, err);
}
