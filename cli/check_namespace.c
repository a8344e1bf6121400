#include "cli/check.h"

#include "cli/records.h"
#include "crds/pod.h"
#include "pkg/base/alloc.h"

#define TOLD_MAX 20 /* revisions that are named */

struct pods {
	size_t opted_in, without_agent;
	char example[254];
};

static int check_label(struct cli_checking *c, bool *ret_in, struct err *err)
{
	_cleanup_(cli_object_done) struct cli_object object = {0};
	const struct cli_wanted w = {.what = "namespace",
		.resource = &cli_namespaces,
		.name = c->s->config->ns.p,
		.projection = &cli_namespace_fields,
		.fix = "name another with --namespace"};
	char fix[256];

	*ret_in = false;
	const int r = cli_check_look(c, &w, &object, err);
	if (r <= 0)
		return r;
	const struct cli_namespace *ns = object.p;
	*ret_in = base_str_eq(kube_pairs_get(&ns->labels, CRDS_LABEL_INJECT), STR("enabled"));
	(void)snprintf(fix, sizeof(fix),
		"to use functions of it: kubectl label namespace %.*s " CRDS_LABEL_INJECT
		"=enabled",
		STR_FMT(c->s->config->ns));
	return *ret_in ? cli_report_add(c->report, CLI_GOOD, "namespace", NULL, err,
				 "%.*s has opted in", STR_FMT(c->s->config->ns))
		       : cli_report_add(c->report, CLI_NOTE, "namespace", fix, err,
				 "%.*s has not opted in", STR_FMT(c->s->config->ns));
}

static int check_role(struct cli_checking *c, struct err *err)
{
	_cleanup_(cli_object_done) struct cli_object object = {0};
	const struct cli_wanted w = {.what = "access",
		.resource = &cli_role_bindings,
		.ns = c->s->config->ns.p,
		.name = CLI_AGENT,
		.projection = &cli_role_binding_fields,
		.fix = "the controller makes it when a namespace opts in: look at its logs"};

	const int r = cli_check_look(c, &w, &object, err);
	if (r <= 0)
		return r;
	const struct cli_role_binding *b = object.p;
	if (!base_str_eq(b->role, STR(CLI_AGENT)))
		return cli_report_add(c->report, CLI_WRONG, w.what,
			"delete it: the controller makes it anew", err,
			"RoleBinding " CLI_AGENT " gives role %.*s", STR_FMT(b->role));
	return cli_report_add(c->report, CLI_GOOD, w.what, NULL, err,
		"agents may work with records and Leases here");
}

static int count_pod(void *ctx, struct str doc, struct err *err)
{
	_cleanup_(crds_pod_free) struct crds_pod *pod = NULL;
	struct pods *n = ctx;

	TRY(crds_pod_decode(doc, &pod, err));
	if (pod->deleting || pod->phase == CRDS_POD_SUCCEEDED || pod->phase == CRDS_POD_FAILED)
		return 0;
	n->opted_in++;
	if (!pod->injected && !n->without_agent++)
		(void)!base_str_copy(pod->name, n->example, sizeof(n->example), "pod", NULL);
	return 0;
}

static int check_pods(struct cli_checking *c, struct err *err)
{
	struct pods n = {0};
	struct err why = {0};
	const struct cli_query q = {.resource = &crds_pods,
		.ns = c->s->config->ns,
		.labels = STR(CRDS_LABEL_INJECT "=true"),
		.on = count_pod,
		.ctx = &n};
	const int r = cli_list(c->s, &q, &why);

	if (r == -ERR_DENIED && why.detail == 403)
		return cli_report_add(c->report, CLI_DOUBT, "pods", NULL, err,
			"you may not list pods, so this was not checked");
	if (r < 0) {
		if (err)
			*err = why;
		return r;
	}
	if (n.without_agent)
		return cli_report_add(c->report, CLI_WRONG, "pods",
			"they are older than the installation or its policies: restart their "
			"workload",
			err, "%zu of %zu pods that opted in have no agent, as %s", n.without_agent,
			n.opted_in, n.example);
	if (!n.opted_in)
		return cli_report_add(c->report, CLI_NOTE, "pods",
			"put the label " CRDS_LABEL_INJECT ": \"true\" on a pod template", err,
			"none has opted in");
	return cli_report_add(c->report, CLI_GOOD, "pods", NULL, err,
		"all %zu that opted in have their agent", n.opted_in);
}

static int check_revisions(struct cli_checking *c, struct err *err)
{
	_cleanup_(cli_records_done) struct cli_records records = {0};
	struct cli_revision rev;
	struct err why = {0};
	size_t n = 0, good = 0, wrong = 0;

	const int r = cli_records_load(c->s, c->s->config->ns, STR_NULL, &records, &why);
	if (r == -ERR_NOT_FOUND) /* the definition is missing, which was said */
		return 0;
	if (r == -ERR_DENIED && why.detail == 403)
		return cli_report_add(c->report, CLI_DOUBT, "revisions",
			"role functionkey-reader lets you", err, "you may not list FunctionKeys");
	if (r < 0) {
		if (err)
			*err = why;
		return r;
	}
	for (size_t at = 0; cli_records_next(&records, &at, &rev); n++) {
		const struct crds_condition *ready = rev.leader ? cli_ready(rev.leader) : NULL;
		if (ready && ready->status == CRDS_TRUE) {
			good++;
			continue;
		}
		if (++wrong > TOLD_MAX)
			continue;
		TRY(cli_report_add(c->report, CLI_WRONG, "revisions",
			"kubectl functionkey status REVISION, then why POD", err,
			"%.*s is not ready: %.*s", STR_FMT(rev.revision),
			STR_FMT(ready        ? ready->message
				: rev.leader ? STR("the controller has not judged it yet")
					     : STR("it has no Leader record"))));
	}
	if (wrong > TOLD_MAX)
		return cli_report_add(c->report, CLI_NOTE, "revisions", NULL, err,
			"and %zu more are not ready", wrong - TOLD_MAX);
	if (!n || wrong)
		return 0;
	return cli_report_add(c->report, CLI_GOOD, "revisions", NULL, err, "all %zu are ready", n);
}

int cli_check_namespace(struct cli_checking *c, struct err *err)
{
	bool in = false;

	TRY(check_label(c, &in, err));
	if (!in)
		return 0;
	TRY(check_role(c, err));
	TRY(check_pods(c, err));
	return check_revisions(c, err);
}
