/* Evicts pods that opted in and run without an agent, one at a time and only where somebody asked
 * for it (--evict-uninjected), so that their owners make new ones that have it. Layer: controller.
 *
 * Never a bare pod or a static one, which nobody would make again, and none of a Job, which would
 * count it as a failure (backoffLimit). PodDisruptionBudgets count: it is the API
 * server's eviction, and whose pods it refuses is tried again after all others, and later. An owner
 * whose pods without an agent do not become fewer by that, because his new ones have none either,
 * is left alone from then on: no loop.
 */
#ifndef CONTROLLER_EVICT_H
#define CONTROLLER_EVICT_H

#include "controller/core.h"
#include "controller/world.h"
#include "pkg/base/map.h"

#define CONTROLLER_EVICT_OWNERS_MAX 1024 /* remembered; more are not evicted from */

struct controller_evictor;

/* At most one eviction in `every` nanoseconds (above 0). world is borrowed. NOMEM. */
int controller_evictor_new(struct controller_core *core, const struct controller_world *world,
	int64_t every_ns, struct controller_evictor **ret_e, struct err *err) must_check;
/* NULL is fine. Returns NULL. */
struct controller_evictor *controller_evictor_free(struct controller_evictor *e);
CLEANUP_FREE(struct controller_evictor, controller_evictor_free);

/* Evicts the next one if it is time. The active replica calls it now and then. */
void controller_evictor_look(struct controller_evictor *e);

/* Pure, for look: whether its owner just makes another one in its place. */
bool controller_evict_is_replaced(const struct crds_pod *pod);

/* Pure, for look: may one of the `lacking` (1 or more) pods of this owner be evicted? Remembers in
 * `owners` how many there may be the next time. False also if it cannot. */
bool controller_evict_may(struct map *owners, struct str owner, size_t lacking);

#endif
