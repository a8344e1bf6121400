#include "cli/check.h"

#include "crds/functionkey.h"
#include "pkg/base/alloc.h"
#include "pkg/kube/patch.h"

#define DEFINITION  "functionkeys." CRDS_GROUP
#define INSTALL     "kubectl apply -k manifests/default"
#define FLOW_SCHEMA "functionkey-records"

const struct cli_check_policy cli_check_policies[] = {
	{"functionkey-records", "Deny", false},
	{"functionkey-keys", "Deny", false},
	{"functionkey-leases", "Deny", false},
	{"functionkey-foreign-leases", "Deny", false},
	{"functionkey-leader-delete", "Deny", false},
	{"functionkey-revoked", "Deny", false},
	{"functionkey-injected", "Deny", false},
	{"functionkey-running", "Deny", false},
	{"functionkey-advice", "Warn", true},
	{NULL, NULL, false},
};

static int check_definition(struct cli_checking *c, struct err *err)
{
	_cleanup_(cli_object_done) struct cli_object object = {0};
	const struct cli_wanted w = {.what = "definition",
		.resource = &cli_definitions,
		.name = DEFINITION,
		.projection = &cli_definition_fields,
		.fix = INSTALL};

	const int r = cli_check_look(c, &w, &object, err);
	if (r <= 0)
		return r;
	const struct cli_definition *d = object.p;
	const struct cli_named *version = cli_named_find(&d->versions, CRDS_VERSION);
	const struct cli_named *established = cli_named_find(&d->conditions, "Established");
	if (!version || !version->served)
		return cli_report_add(c->report, CLI_WRONG, w.what, INSTALL, err,
			"version " CRDS_VERSION " of FunctionKey is not served");
	if (!established || !base_str_eq(established->status, STR("True")))
		return cli_report_add(c->report, CLI_WRONG, w.what,
			"kubectl describe crd " DEFINITION, err, "FunctionKey is not established");
	return cli_report_add(
		c->report, CLI_GOOD, w.what, NULL, err, "FunctionKey " CRDS_VERSION " is served");
}

static bool acts(const struct cli_binding *b, const char *action)
{
	const struct str *actions = b->actions.items;

	for (size_t i = 0; i < b->actions.n; i++)
		if (base_str_eq(actions[i], base_str(action)))
			return true;
	return false;
}

/* 1: it is there and acts; 0: told. */
static int check_binding(
	struct cli_checking *c, const struct cli_check_policy *policy, struct err *err)
{
	_cleanup_(cli_object_done) struct cli_object object = {0};
	const struct cli_wanted w = {.what = "policies",
		.resource = &cli_bindings,
		.name = policy->name,
		.projection = &cli_binding_fields,
		.fix = "without it the policy does nothing: " INSTALL};

	const int r = cli_check_look(c, &w, &object, err);
	if (r <= 0)
		return r;
	if (acts(object.p, policy->action))
		return 1;
	TRY(cli_report_add(c->report, CLI_WRONG, w.what, w.fix, err,
		"the binding of %s has no action %s", policy->name, policy->action));
	return 0;
}

static int check_policy(
	struct cli_checking *c, const struct cli_check_policy *wanted, struct err *err)
{
	_cleanup_(cli_object_done) struct cli_object object = {0};
	const struct cli_wanted w = {.what = "policies",
		.resource = &cli_policies,
		.name = wanted->name,
		.projection = &cli_policy_fields,
		.fix = "what it refuses is allowed now: " INSTALL};

	int r = cli_check_look(c, &w, &object, err);
	if (r <= 0)
		return r;
	const struct cli_policy *policy = object.p;
	if (policy->warnings)
		TRY(cli_report_add(c->report, CLI_DOUBT, w.what,
			"kubectl get validatingadmissionpolicy -o yaml", err,
			"the API server's type check of %s has %lld warnings", wanted->name,
			(long long)policy->warnings));
	r = check_binding(c, wanted, err);
	return r;
}

static int exists(struct cli_checking *c, const struct kube_resource *resource, const char *name,
	bool *ret, struct err *err)
{
	_cleanup_(cli_object_done) struct cli_object object = {0};
	struct err why = {0};
	const int r = cli_get(c->s, resource, (struct kube_ref){.name = base_str(name)},
		&cli_any_fields, &object, &why);

	*ret = r == 0;
	if (r == 0 || r == -ERR_NOT_FOUND || (r == -ERR_DENIED && why.detail == 403))
		return 0;
	if (err)
		*err = why;
	return r;
}

static int check_policies(struct cli_checking *c, struct err *err)
{
	size_t n = 0, good = 0;
	bool by_policy = false;

	TRY(exists(c, &cli_mutations, CLI_INJECTION, &by_policy, err));
	for (const struct cli_check_policy *p = cli_check_policies; p->name; p++) {
		if (p->with_policy && !by_policy)
			continue;
		const int r = check_policy(c, p, err);
		if (r < 0)
			return r;
		n++;
		good += r == 1;
	}
	if (good == n)
		return cli_report_add(c->report, CLI_GOOD, "policies", NULL, err,
			"all %zu are installed and bound", n);
	return 0;
}

static int check_injection(struct cli_checking *c, struct err *err)
{
	bool policy = false, binding = false, webhook = false;

	TRY(exists(c, &cli_mutations, CLI_INJECTION, &policy, err));
	TRY(exists(c, &cli_mutation_bindings, CLI_INJECTION, &binding, err));
	TRY(exists(c, &cli_webhooks, CLI_INJECTION, &webhook, err));
	if (policy && !binding && !webhook)
		return cli_report_add(c->report, CLI_WRONG, "injection", INSTALL, err,
			"the policy " CLI_INJECTION " is not bound");
	if (!policy && !webhook)
		return cli_report_add(c->report, CLI_WRONG, "injection", INSTALL, err,
			"neither a MutatingAdmissionPolicy nor a webhook " CLI_INJECTION
			" is there: opted-in pods are refused");
	return cli_report_add(c->report, CLI_GOOD, "injection", NULL, err, "by %s",
		policy && webhook ? "policy and webhook"
		: policy          ? "policy"
				  : "webhook");
}

static int check_template(struct cli_checking *c, struct err *err)
{
	_cleanup_(cli_object_done) struct cli_object object = {0};
	const struct cli_wanted w = {.what = "injection",
		.resource = &cli_pod_templates,
		.ns = CLI_SYSTEM,
		.name = CLI_AGENT,
		.projection = &cli_any_fields,
		.fix = INSTALL};

	const int r = cli_check_look(c, &w, &object, err);
	return r < 0 ? r : 0;
}

static int check_controller(struct cli_checking *c, struct err *err)
{
	_cleanup_(cli_object_done) struct cli_object object = {0};
	const struct cli_wanted w = {.what = "controller",
		.resource = &cli_deployments,
		.ns = CLI_SYSTEM,
		.name = CLI_CONTROLLER,
		.projection = &cli_deployment_fields,
		.fix = INSTALL};

	const int r = cli_check_look(c, &w, &object, err);
	if (r <= 0)
		return r;
	const struct cli_deployment *d = object.p;
	if (!d->available)
		return cli_report_add(c->report, CLI_WRONG, w.what,
			"kubectl -n " CLI_SYSTEM " describe deploy/" CLI_CONTROLLER, err,
			"none of its %lld replicas is available", (long long)d->wanted);
	if (d->available < d->wanted)
		return cli_report_add(c->report, CLI_DOUBT, w.what,
			"kubectl -n " CLI_SYSTEM " describe deploy/" CLI_CONTROLLER, err,
			"%lld of %lld replicas are available", (long long)d->available,
			(long long)d->wanted);
	return cli_report_add(c->report, CLI_GOOD, w.what, NULL, err,
		"%lld of %lld replicas are available", (long long)d->available,
		(long long)d->wanted);
}

static int check_controller_lease(struct cli_checking *c, struct err *err)
{
	_cleanup_(cli_object_done) struct cli_object object = {0};
	const struct cli_wanted w = {.what = "controller",
		.resource = &cli_leases,
		.ns = CLI_SYSTEM,
		.name = CLI_CONTROLLER,
		.projection = &cli_lease_fields,
		.fix = "it makes one when it starts: kubectl -n " CLI_SYSTEM
		       " logs deploy/" CLI_CONTROLLER};

	const int r = cli_check_look(c, &w, &object, err);
	if (r <= 0)
		return r;
	return cli_check_lease(object.p, base_wall_ns(&c->s->env), c->report, err);
}

int cli_check_installed(struct cli_checking *c, struct err *err)
{
	bool flow = false;

	TRY(check_definition(c, err));
	TRY(check_policies(c, err));
	TRY(check_injection(c, err));
	TRY(check_template(c, err));
	TRY(check_controller(c, err));
	TRY(check_controller_lease(c, err));
	TRY(exists(c, &cli_flow_schemas, FLOW_SCHEMA, &flow, err));
	return flow ? cli_report_add(c->report, CLI_GOOD, "priority", NULL, err,
			      "election traffic has a priority level of its own")
		    : cli_report_add(c->report, CLI_DOUBT, "priority", INSTALL, err,
			      "FlowSchema " FLOW_SCHEMA
			      " is missing: a busy API server delays elections");
}

/* -- before an installation -- */

/* Whoever installs creates these. */
static const struct {
	const struct kube_resource *resource;
	const char *ns;
	int64_t from_minor; /* what older clusters do not have is not needed there */
} made[] = {
	{&cli_namespaces, "", 0},
	{&cli_definitions, "", 0},
	{&cli_policies, "", 0},
	{&cli_bindings, "", 0},
	{&cli_mutations, "", CLI_MINOR_POLICY},
	{&cli_mutation_bindings, "", CLI_MINOR_POLICY},
	{&cli_flow_schemas, "", 0},
	{&cli_deployments, CLI_SYSTEM, 0},
	{&cli_pod_templates, CLI_SYSTEM, 0},
};

static int review_json(
	const struct kube_resource *r, const char *ns, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_text(&w, "apiVersion", STR("authorization.k8s.io/v1"), err));
	TRY(kube_write_key_text(&w, "kind", STR("SelfSubjectAccessReview"), err));
	TRY(kube_write_key_object(&w, "spec", err));
	TRY(kube_write_key_object(&w, "resourceAttributes", err));
	TRY(kube_write_key_text(&w, "verb", STR("create"), err));
	TRY(kube_write_key_text(&w, "group", base_str(r->group), err));
	TRY(kube_write_key_text(&w, "version", base_str(r->version), err));
	TRY(kube_write_key_text(&w, "resource", base_str(r->plural), err));
	TRY(kube_write_key_text(&w, "namespace", base_str(ns), err));
	TRY(kube_write_end(&w, err));
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

static int may_create(struct cli_checking *c, const struct kube_resource *r, const char *ns,
	bool *ret, struct err *err)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(4096);
	_cleanup_(base_buf_done) struct buf answer = base_buf(65536);
	_cleanup_(cli_object_done) struct cli_object object = {0};

	TRY(review_json(r, ns, &body, err));
	const struct kube_request request = {
		.verb = KUBE_CREATE, .resource = &cli_access_reviews, .body = base_buf_str(&body)};
	TRY(cli_ask(c->s, &request, &answer, err));
	TRY(kube_project(&cli_review_fields, base_buf_str(&answer), &object.p, err));
	*ret = ((const struct cli_review *)object.p)->allowed;
	return 0;
}

static int check_permissions(struct cli_checking *c, struct err *err)
{
	bool all = true;

	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		bool may = false;
		if (c->minor && c->minor < made[i].from_minor)
			continue;
		TRY(may_create(c, made[i].resource, made[i].ns, &may, err));
		if (may)
			continue;
		all = false;
		TRY(cli_report_add(c->report, CLI_WRONG, "permissions",
			"install as an administrator of the cluster", err, "you may not create %s",
			made[i].resource->plural));
	}
	return all ? cli_report_add(c->report, CLI_GOOD, "permissions", NULL, err,
			     "you may create what is installed")
		   : 0;
}

static int nothing(void *ctx, struct str doc, struct err *err)
{
	(void)ctx;
	(void)doc;
	(void)err;
	return 0;
}

/* An API that is not served answers 404 to a LIST. */
static int check_served(struct cli_checking *c, const struct kube_resource *r,
	enum cli_verdict without, const char *fix, struct err *err)
{
	const struct cli_query q = {.resource = r, .on = nothing};
	struct err why = {0};
	const int e = cli_list(c->s, &q, &why);

	if (e == 0 || (e == -ERR_DENIED && why.detail == 403))
		return cli_report_add(
			c->report, CLI_GOOD, "admission", NULL, err, "%s are served", r->plural);
	if (e == -ERR_NOT_FOUND)
		return cli_report_add(
			c->report, without, "admission", fix, err, "%s are not served", r->plural);
	if (err)
		*err = why;
	return e;
}

int cli_check_before(struct cli_checking *c, struct err *err)
{
	bool there = false;

	TRY(check_served(c, &cli_policies, CLI_WRONG,
		"the API server needs admissionregistration.k8s.io/v1 and the plugin "
		"ValidatingAdmissionPolicy",
		err));
	TRY(check_served(c, &cli_mutations, CLI_DOUBT,
		"pods are then injected by the webhook; from Kubernetes 1.36 on a policy does it",
		err));
	TRY(check_permissions(c, err));
	TRY(exists(c, &cli_definitions, DEFINITION, &there, err));
	if (there)
		return cli_report_add(c->report, CLI_NOTE, "definition", NULL, err,
			"FunctionKey is there already: this would be an upgrade");
	return 0;
}
