/* The watchdog of the injection: pods that opted in and run without an agent, from before the
 * installation or let in while its policies were away. They are counted, and told of once each, on
 * the pod. Layer: controller. Evicts none unless asked to: that a pod runs in plaintext is for
 * people to judge.
 */
#ifndef CONTROLLER_UNINJECTED_H
#define CONTROLLER_UNINJECTED_H

#include "controller/core.h"
#include "controller/world.h"

struct controller_uninjected;

/* evict_every_ns: for controller/evict.h; 0: none is evicted. world is borrowed. NOMEM, TERMINAL.
 * The second frees; NULL is fine; returns NULL; memory goes when the loop has closed its timer. */
int controller_uninjected_new(struct controller_core *core, const struct controller_world *world,
	int64_t evict_every_ns, struct controller_uninjected **ret_u, struct err *err) must_check;
struct controller_uninjected *controller_uninjected_free(struct controller_uninjected *u);
CLEANUP_FREE(struct controller_uninjected, controller_uninjected_free);

/* Only the active replica looks. */
void controller_uninjected_activate(struct controller_uninjected *u, bool active);

/* True for a pod that runs without the agent that it asked for; space: its namespace if that opted
 * in. Pure. */
bool controller_lacks_agent(
	const struct crds_pod *pod, const struct controller_namespace *space, struct str own_ns);

#endif
