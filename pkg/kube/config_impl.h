/* Between the files of configuration loading. Layer: kube, internal. */
#ifndef KUBE_CONFIG_IMPL_H
#define KUBE_CONFIG_IMPL_H

#include "pkg/base/buf.h"
#include "pkg/kube/config.h"

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

/* Fills what the context of these files says; the first file that defines a name wins whole. */
int kube_files_resolve(struct kube_file *const *files, size_t n, const char *context,
	struct kube_config *config, struct err *err) must_check;

#endif
