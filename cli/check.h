/* kubectl functionkey check: is FunctionKey installed as it should be, and can this namespace use
 * it; with --pre: can it be installed. Layer: cli.
 */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "cli/objects.h"
#include "cli/report.h"
#include "cli/session.h"

/* The validating policies that manifests/base installs, and what a binding has to do with what they
 * refuse; ends with a row without a name. */
struct cli_check_policy {
	const char *name, *action;
	bool with_policy; /* only where a policy injects: a webhook does by itself what it is for */
};
extern const struct cli_check_policy cli_check_policies[];

/* Oldest Kubernetes 1.x that is supported, and the first that can inject without a webhook. */
#define CLI_MINOR_OLDEST 30
#define CLI_MINOR_POLICY 36

/* Runs the command. */
int cli_check(const struct cli_options *o, struct err *err) must_check;

/* Judges the answer of /version; *ret_minor is 0 where it cannot be read. */
int cli_check_version(const struct cli_version *v, struct cli_report *report, int64_t *ret_minor,
	struct err *err) must_check;

/* Judges the controller's Lease. */
int cli_check_lease(const struct cli_lease *lease, int64_t now_wall_ns, struct cli_report *report,
	struct err *err) must_check;

/* What checks share. */
struct cli_checking {
	struct cli_session *s;
	struct cli_report *report;
	int64_t minor; /* of Kubernetes; 0: not known */
};

/* check_cluster.c: what is installed for all; the permissions and APIs that an installation needs.
 */
int cli_check_installed(struct cli_checking *c, struct err *err) must_check;
int cli_check_before(struct cli_checking *c, struct err *err) must_check;

/* check_namespace.c: what the session's namespace needs. */
int cli_check_namespace(struct cli_checking *c, struct err *err) must_check;

/* Gets an object and says so where it is missing (WRONG, with missing) or may not be read (DOUBT).
 * 1: *ret is there; 0: it was told; below 0: nothing more can be asked. */
struct cli_wanted {
	const char *what; /* the line's name */
	const struct kube_resource *resource;
	const char *ns, *name;
	const struct kube_projection *projection;
	const char *fix;
};
int cli_check_look(struct cli_checking *c, const struct cli_wanted *w, struct cli_object *ret,
	struct err *err) must_check;

#endif
