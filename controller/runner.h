/* Takes revisions and namespaces from a queue, looks, steps, and carries out one write at a time
 * per key. Layer: controller.
 *
 * Only while active (the own Lease is held): a second controller keeps its caches warm and does
 * nothing. After a write the key is looked at again; a cache that has not seen the write yet is
 * waited for (by resourceVersion for status, by a short hold for the rest).
 */
#ifndef CONTROLLER_RUNNER_H
#define CONTROLLER_RUNNER_H

#include "controller/core.h"
#include "controller/revision.h"
#include "pkg/base/cleanup.h"

struct controller_runner;

/* Fills caches from now on and acts after controller_runner_activate. NOMEM, TERMINAL. The second
 * frees; NULL is fine; returns NULL; memory goes when the loop has closed its handles. */
int controller_runner_new(struct controller_core *core, struct controller_runner **ret_runner,
	struct err *err) must_check;
struct controller_runner *controller_runner_free(struct controller_runner *r);
CLEANUP_FREE(struct controller_runner, controller_runner_free);

/* Begin and end acting. */
void controller_runner_activate(struct controller_runner *r);
void controller_runner_deactivate(struct controller_runner *r);

/* All caches are filled. */
bool controller_runner_synced(const struct controller_runner *r);

struct controller_runner_stats {
	uint64_t reconciles, writes, failures, releases[CONTROLLER_EVIDENCE_COUNT];
	size_t queue_depth, revisions;
};

/* Since the start, and the present depth of the queue; a copy. */
struct controller_runner_stats controller_runner_stats(const struct controller_runner *r);

/* For metrics: what the caches hold. */
struct controller_world;
const struct controller_world *controller_runner_world(const struct controller_runner *r);

#endif
