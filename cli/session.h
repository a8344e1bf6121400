/* One conversation with the API server, a request at a time: what a command of a person needs.
 * Layer: cli (kube).
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/options.h"
#include "pkg/base/env.h"
#include "pkg/kube/client.h"
#include "pkg/kube/projection.h"

#define CLI_PAGE "500" /* objects of one answer to a LIST */

struct cli_session {
	struct env env;
	uv_loop_t loop;
	struct kube_config *config;
	struct kube_client *client;
	int64_t timeout_ns, until_boot_ns;
	bool has_loop;
};

/* Reads the kubeconfig files; asks nobody yet. INVALID, NOT_FOUND. */
int cli_session_open(const struct cli_options *o, enum kube_exec_policy exec,
	struct cli_session *ret_session, struct err *err) must_check;
/* Repeatable, fine on a zeroed struct. */
void cli_session_close(struct cli_session *s);
CLEANUP_DONE(struct cli_session, cli_session_close);

/* Sends the request and waits for its answer, at most what is left of the command's time. The body
 * is appended to ret_body, which may be NULL. Classes as kube/status.h. */
int cli_ask(struct cli_session *s, const struct kube_request *request, struct buf *ret_body,
	struct err *err) must_check;

/* Something that a projection made; zero: nothing. */
struct cli_object {
	void *p;
};
/* Frees it; repeatable. */
void cli_object_done(struct cli_object *o);
CLEANUP_DONE(struct cli_object, cli_object_done);

/* One object by a projection; *ret_object held nothing before. */
int cli_get(struct cli_session *s, const struct kube_resource *resource, struct kube_ref ref,
	const struct kube_projection *projection, struct cli_object *ret_object, struct err *err)
	must_check;

/* What to list. ns empty: all namespaces. */
struct cli_query {
	const struct kube_resource *resource;
	struct str ns, labels, fields;
	/* For each object, as JSON; below 0 ends the list with that class. */
	int (*on)(void *ctx, struct str doc, struct err *err);
	void *ctx;
};

/* All pages, one after the other. */
int cli_list(struct cli_session *s, const struct cli_query *q, struct err *err) must_check;

/* The failure to have run out of time, for which there is an exit code of its own. */
int cli_late(const char *what, struct err *err);

/* The exit code of a failure, and whether it came from running out of time. */
enum cli_exit cli_exit_of(const struct err *err);

#endif
