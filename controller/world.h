/* What the controller sees: caches of all kinds that it reads, and which revision each object
 * concerns. Layer: controller.
 *
 * A revision is named "<namespace>/<revision>" in queues. Objects are borrowed until the loop runs
 * on.
 */
#ifndef CONTROLLER_WORLD_H
#define CONTROLLER_WORLD_H

#include "controller/core.h"
#include "controller/revision.h"

struct controller_world;

struct controller_world_handler {
	/* Something of this revision changed; not for a renewed Lease or other new versions that
	 * say the same. */
	void (*revision)(void *ctx, struct str key);
	void (*ns)(void *ctx, struct str name); /* a namespace or its access changed */
	void (*synced)(void *ctx);              /* all caches are filled */
};

/* Begins to fill the caches; the handler is called from the loop. NOMEM, TERMINAL. The second
 * frees; NULL is fine; returns NULL. */
int controller_world_new(struct controller_core *core,
	const struct controller_world_handler *handler, void *ctx,
	struct controller_world **ret_world, struct err *err) must_check;
struct controller_world *controller_world_free(struct controller_world *w);
CLEANUP_FREE(struct controller_world, controller_world_free);

/* Names all revisions and namespaces again, as if all had changed: for who becomes active. */
void controller_world_replay(struct controller_world *w);

/* Fills what is seen of a revision; times, alive and counters are the caller's. Lists live until
 * the next call. NOMEM. */
int controller_world_look(struct controller_world *w, struct str key, struct controller_view *v,
	struct err *err) must_check;

/* NULL: not opted in. */
const struct controller_namespace *controller_world_namespace(
	const struct controller_world *w, struct str name);

/* The RoleBinding of ours with this name; NULL: none. */
const struct controller_owned *controller_world_rolebinding(
	const struct controller_world *w, struct str ns, struct str name);

/* Walks the pods that opted in, in no order: start with *at = 0; NULL at the end. */
const struct crds_pod *controller_world_each_pod(const struct controller_world *w, size_t *at);

/* Grows whenever a pod comes, goes or says something new, or a namespace that opted in does. */
uint64_t controller_world_pod_changes(const struct controller_world *w);

/* For metrics. */
struct controller_world_counts {
	size_t pods, records, leases, namespaces;
};
struct controller_world_counts controller_world_counts(const struct controller_world *w);

#endif
