/* The controller's metrics, in one table. Layer: controller. */
#ifndef CONTROLLER_METRICS_H
#define CONTROLLER_METRICS_H

#include "controller/inject.h"
#include "controller/runner.h"
#include "pkg/base/metrics.h"

/* A registry with the controller's table. */
int controller_metrics_new(struct metrics **ret_metrics, struct err *err) must_check;

/* From the evidence of a leader's death to the next leader's active key. */
void controller_metrics_failover(
	struct metrics *m, enum controller_evidence evidence, int64_t took_ns);

/* A review of the admission webhook, and the time that its answer took. */
void controller_metrics_review(struct metrics *m, enum controller_injection done, int64_t took_ns);

/* The webhook's connections, and when its certificates end (wall time; 0: there is none). */
void controller_metrics_webhook(struct metrics *m, unsigned connections, uint64_t turned_away,
	int64_t ca_ns, int64_t serving_ns);

/* Pods that opted in and run without an agent. */
void controller_metrics_uninjected(struct metrics *m, size_t pods);

/* Brings what is counted elsewhere up to date: before each scrape. */
void controller_metrics_collect(
	const struct controller_core *core, const struct controller_runner *runner);

#endif
