/* The controller's metrics, in one table. Layer: controller. */
#ifndef CONTROLLER_METRICS_H
#define CONTROLLER_METRICS_H

#include "controller/runner.h"
#include "pkg/base/metrics.h"

/* A registry with the controller's table. */
int controller_metrics_new(struct metrics **ret_metrics, struct err *err) must_check;

/* From the evidence of a leader's death to the next leader's active key. */
void controller_metrics_failover(
	struct metrics *m, enum controller_evidence evidence, int64_t took_ns);

/* Brings what is counted elsewhere up to date: before each scrape. */
void controller_metrics_collect(
	const struct controller_core *core, const struct controller_runner *runner);

#endif
