#include "controller/metrics.h"

#include "controller/world.h"
#include "pkg/kube/client.h"
#include "pkg/kube/lease.h"

static const double failover_bounds[] = {
	0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30, 60, 120, METRIC_INF};
static const char *const evidences[] = {
	"pod-gone", "pod-ended", "agent-terminated", "connection-refused", "pod-revoked", NULL};
static const double review_bounds[] = {
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1, METRIC_INF};
static const char *const injections[] = {
#define INJECTION_TEXT(name, text) text,
	CONTROLLER_INJECTIONS(INJECTION_TEXT)
#undef INJECTION_TEXT
		NULL};
static const char *const certificates[] = {"ca", "serving", NULL};
static const char *const kinds[] = {"pods", "functionkeys", "leases", "namespaces", NULL};

enum {
	FAILOVER,
	RELEASES,
	RECONCILES,
	WRITES,
	FAILURES,
	DEPTH,
	REVISIONS,
	OBJECTS,
	ACTIVE,
	BUILD,
	REVIEWS,
	REVIEW_TIME,
	CONNECTIONS,
	TURNED_AWAY,
	NOT_AFTER,
	UNINJECTED,
	METRICS
};

static const struct metric_def defs[METRICS] = {
	[FAILOVER] = {"functionkey_failover_duration_seconds",
		"From the evidence that a leader is dead to the next leader's active key.",
		METRIC_HISTOGRAM, .labels = {{"path", .values = evidences}},
		.buckets = failover_bounds},
	[RELEASES] = {"functionkey_lease_releases_total",
		"Leases of dead leaders that were emptied.", METRIC_COUNTER,
		.labels = {{"path", .values = evidences}}},
	[RECONCILES] = {"functionkey_reconciles_total", "Looks at a revision or a namespace.",
		METRIC_COUNTER},
	[WRITES] = {"functionkey_writes_total", "Writes to the API server that were answered.",
		METRIC_COUNTER},
	[FAILURES] = {"functionkey_write_failures_total", "Writes that failed and are tried again.",
		METRIC_COUNTER},
	[DEPTH] = {"functionkey_workqueue_depth", "Revisions and namespaces that wait.",
		METRIC_GAUGE},
	[REVISIONS] = {"functionkey_revisions", "Revisions that are supervised.", METRIC_GAUGE},
	[OBJECTS] = {"functionkey_cache_objects", "Objects in the caches.", METRIC_GAUGE,
		.labels = {{"kind", .values = kinds}}},
	[ACTIVE] = {"functionkey_controller_active",
		"1 if this replica holds the controller's Lease.", METRIC_GAUGE},
	[BUILD] = {"functionkey_build_info", "1; the version is a label.", METRIC_GAUGE,
		.labels = {{"version", .max = 1}}},
	[REVIEWS] = {"functionkey_webhook_reviews_total",
		"Reviews that the admission webhook answered.", METRIC_COUNTER,
		.labels = {{"result", .values = injections}}},
	[REVIEW_TIME] = {"functionkey_webhook_review_duration_seconds",
		"From a whole review to its answer.", METRIC_HISTOGRAM, .buckets = review_bounds},
	[CONNECTIONS] = {"functionkey_webhook_connections", "Connections of API servers.",
		METRIC_GAUGE},
	[TURNED_AWAY] = {"functionkey_webhook_turned_away_total",
		"Connections and reviews for which there was no room.", METRIC_COUNTER},
	[NOT_AFTER] = {"functionkey_certificate_not_after_timestamp_seconds",
		"When the webhook's certificates end, in seconds since 1970; 0: there is none.",
		METRIC_GAUGE, .labels = {{"certificate", .values = certificates}}},
	[UNINJECTED] = {"functionkey_uninjected_pods",
		"Pods that opted in and run without an agent; counted by the active replica.",
		METRIC_GAUGE},
};

int controller_metrics_new(struct metrics **ret_metrics, struct err *err)
{
	_cleanup_(base_metrics_free) struct metrics *m = NULL;

	TRY(base_metrics_new("functionkey_", &m, err));
	TRY(base_metrics_declare(m, defs, METRICS, err));
	metric_set(m, &defs[BUILD], 1, STR(FUNCTIONKEY_VERSION));
	*ret_metrics = STEAL(m);
	return 0;
}

void controller_metrics_failover(
	struct metrics *m, enum controller_evidence evidence, int64_t took_ns)
{
	metric_observe(m, &defs[FAILOVER], (double)took_ns / (double)NS_PER_S,
		base_str(controller_evidence_name(evidence)));
}

/* Brings a counter up to a number that is counted elsewhere. */
static void count_to(struct metrics *m, int metric, uint64_t n, struct str label)
{
	const size_t labels = label.n ? 1 : 0;
	const double had = base_metric_get(m, &defs[metric], &label, labels);

	base_metric_add(m, &defs[metric], (double)n - had, &label, labels);
}

void controller_metrics_review(struct metrics *m, enum controller_injection done, int64_t took_ns)
{
	metric_add(m, &defs[REVIEWS], 1, base_str(injections[done]));
	metric_observe(m, &defs[REVIEW_TIME], (double)took_ns / (double)NS_PER_S);
}

void controller_metrics_webhook(struct metrics *m, unsigned connections, uint64_t turned_away,
	int64_t ca_ns, int64_t serving_ns)
{
	const int64_t ends[] = {ca_ns, serving_ns};

	metric_set(m, &defs[CONNECTIONS], (double)connections);
	count_to(m, TURNED_AWAY, turned_away, STR_NULL);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		metric_set(m, &defs[NOT_AFTER], (double)ends[i] / (double)NS_PER_S,
			base_str(certificates[i]));
}

void controller_metrics_uninjected(struct metrics *m, size_t pods)
{
	metric_set(m, &defs[UNINJECTED], (double)pods);
}

void controller_metrics_collect(
	const struct controller_core *core, const struct controller_runner *runner)
{
	const struct controller_runner_stats stats = controller_runner_stats(runner);
	const struct controller_world_counts counts =
		controller_world_counts(controller_runner_world(runner));
	const size_t objects[] = {counts.pods, counts.records, counts.leases, counts.namespaces};

	for (unsigned e = 1; e < CONTROLLER_EVIDENCE_COUNT; e++)
		count_to(core->metrics, RELEASES, stats.releases[e],
			base_str(controller_evidence_name((enum controller_evidence)e)));
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		metric_set(core->metrics, &defs[OBJECTS], (double)objects[i], base_str(kinds[i]));
	count_to(core->metrics, RECONCILES, stats.reconciles, STR_NULL);
	count_to(core->metrics, WRITES, stats.writes, STR_NULL);
	count_to(core->metrics, FAILURES, stats.failures, STR_NULL);
	metric_set(core->metrics, &defs[DEPTH], (double)stats.queue_depth);
	metric_set(core->metrics, &defs[REVISIONS], (double)stats.revisions);
	metric_set(
		core->metrics, &defs[ACTIVE], !core->lease || kube_lease_held(core->lease) ? 1 : 0);
}
