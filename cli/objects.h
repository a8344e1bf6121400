/* What commands read of the cluster's own objects. Layer: cli (kube). */
#ifndef CLI_OBJECTS_H
#define CLI_OBJECTS_H

#include "pkg/kube/projection.h"

#define CLI_SYSTEM     "functionkey-system" /* where the controller runs */
#define CLI_CONTROLLER "functionkey-controller"
#define CLI_INJECTION  "functionkey-inject"
#define CLI_AGENT      "functionkey-agent"

extern const struct kube_resource cli_versions, cli_definitions, cli_policies, cli_bindings,
	cli_mutations, cli_mutation_bindings, cli_webhooks, cli_deployments, cli_leases,
	cli_namespaces, cli_pod_templates, cli_role_bindings, cli_flow_schemas, cli_events,
	cli_access_reviews;

struct cli_any { /* only whether it is there */
	struct str uid;
};
struct cli_version {
	struct str text, major, minor;
};
struct cli_named { /* elements: a version of a definition, a condition, a container */
	struct str name, status, reason, message;
	int64_t restarts, exit_code;
	bool served, ready, running;
	struct str waiting_reason, waiting_message, last_reason;
};
struct cli_definition {
	struct kube_list versions, conditions;
};
struct cli_policy {
	int64_t warnings; /* of its type check */
};
struct cli_binding {
	struct str policy;
	struct kube_list actions;
};
struct cli_deployment {
	int64_t wanted, available;
};
struct cli_lease {
	struct str holder;
	int64_t duration_s, renewed_ns, transitions;
};
struct cli_namespace {
	struct kube_pairs labels;
};
struct cli_role_binding {
	struct str role;
};
struct cli_event {
	struct str type, reason, message;
	int64_t last_ns, event_ns;
};
struct cli_review {
	bool allowed;
};
struct cli_pod {
	struct str uid, node, phase;
	struct kube_pairs labels;
	struct kube_list conditions, init_statuses, statuses, init_containers;
};

extern const struct kube_projection cli_any_fields, cli_version_fields, cli_definition_fields,
	cli_policy_fields, cli_binding_fields, cli_deployment_fields, cli_lease_fields,
	cli_namespace_fields, cli_role_binding_fields, cli_event_fields, cli_review_fields,
	cli_pod_fields;

/* The element with that name; NULL: none. */
const struct cli_named *cli_named_find(const struct kube_list *list, const char *name);

#endif
