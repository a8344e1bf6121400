/* Between the files of exec plugins. Layer: kube, internal. */
#ifndef KUBE_EXEC_IMPL_H
#define KUBE_EXEC_IMPL_H

#include "pkg/base/buf.h"
#include "pkg/kube/exec.h"

/* Runs the plugin with info in KUBERNETES_EXEC_INFO and appends what it prints. DENIED: it is not
 * there, it failed, it took longer than spec->timeout_ms (it is then killed), it printed more than
 * out holds. NOMEM. */
int kube_exec_run(const struct kube_exec_spec *spec, struct str info, const struct env *env,
	struct buf *out, struct err *err) must_check;

#endif
