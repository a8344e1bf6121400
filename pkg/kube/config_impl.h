/* Between the files of configuration loading. Layer: kube, internal. */
#ifndef KUBE_CONFIG_IMPL_H
#define KUBE_CONFIG_IMPL_H

#include "pkg/base/buf.h"
#include "pkg/kube/config.h"

#include <yaml.h>

/* Appends the whole file. NOT_FOUND: it does not exist; INVALID: unreadable; TOO_LARGE. */
int kube_read_file(const char *path, struct buf *b, struct err *err) must_check;

/* INVALID unless pem holds at least one block of that kind ("CERTIFICATE", "PRIVATE KEY" with what
 * may stand before it) whose contents are base64 of DER. */
int kube_pem_check(struct str pem, const char *kind, const char *what, struct err *err) must_check;

struct kube_file;

/* A kubeconfig that was read. The text is copied where it is needed. INVALID, TOO_LARGE, NOMEM. */
int kube_file_parse(const char *path, struct str text, struct kube_file **ret_file, struct err *err)
	must_check;
struct kube_file *kube_file_free(struct kube_file *file);
CLEANUP_FREE(struct kube_file, kube_file_free);

/* One named entry and the file that it came from: relative paths start there. */
struct kube_entry {
	struct kube_file *file;
	yaml_node_t *node; /* a mapping; NULL: not found */
};

/* A node of a file by its index; a member of a mapping, NULL if it has none; the text of a scalar,
 * empty for null and for what is none. */
yaml_node_t *kube_yaml_at(struct kube_file *f, int index);
yaml_node_t *kube_yaml_member(struct kube_file *f, const yaml_node_t *map, const char *key);
struct str kube_yaml_text(const yaml_node_t *node);

/* The text of a member; true or false (absent: false), INVALID where it is neither. */
struct str kube_entry_text(const struct kube_entry *e, const char *key);
int kube_entry_truth(const struct kube_entry *e, const char *key, bool *ret, struct err *err)
	must_check;

/* A path as the entry's file means it. */
int kube_entry_path(const struct kube_entry *e, struct str path, struct kube_config *c,
	struct str *ret, struct err *err) must_check;

/* "path/of/kubeconfig" of an entry, for messages. */
const char *kube_entry_origin(const struct kube_entry *e);

/* Reads the exec plugin of a user into config->exec; cluster: what it may be told about.
 * INVALID. */
int kube_config_read_exec(const struct kube_entry *user, const struct kube_entry *cluster,
	enum kube_exec_policy policy, struct kube_config *config, struct err *err) must_check;

/* Fills what the choice says of these files; the first file that defines a name wins whole. */
int kube_files_resolve(struct kube_file *const *files, size_t n, const struct kube_choice *choice,
	struct kube_config *config, struct err *err) must_check;

#endif
