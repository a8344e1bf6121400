/* A held connection to each leader's agent (GET /v1/alive on the peer port), so that the death of
 * a leader is noticed at once instead of when the kubelet looks. Layer: controller.
 *
 * What counts is one thing: a connection that was held is gone, and the pod's kernel refuses new
 * ones, CONTROLLER_REFUSALS times in a row, the first time at once. While a replica's supervisor
 * lives its port takes connections, also when its network half restarts; what is slow, cut or
 * silent proves nothing (docs/adr/0003-evidence-of-a-dead-leader.md).
 */
#ifndef CONTROLLER_ALIVE_H
#define CONTROLLER_ALIVE_H

#include "controller/core.h"
#include "controller/revision.h"

#define CONTROLLER_REFUSALS   3
#define CONTROLLER_REFUSAL_MS 5    /* between two tries that are refused */
#define CONTROLLER_HELD_MS    1000 /* a connection of this age is missed at once when it is cut */
#define CONTROLLER_CUT_MS     250  /* after a younger one */
#define CONTROLLER_RETRY_MS   5000

struct controller_watchdog;

/* changed(ctx) is called from the loop when controller_watchdog_state changes. NOMEM. */
int controller_watchdog_new(struct controller_core *core, void (*changed)(void *ctx), void *ctx,
	struct controller_watchdog **ret_dog, struct err *err) must_check;
/* NULL is fine. Returns NULL. Memory goes when the loop has closed its handles. */
struct controller_watchdog *controller_watchdog_free(struct controller_watchdog *dog);

/* Whom to watch: "<address>:<port>", in this term. Another one, or another term, begins anew;
 * empty: nobody. */
void controller_watchdog_set(struct controller_watchdog *dog, struct str endpoint, int64_t term);

/* Of the endpoint that was set last. */
enum controller_alive controller_watchdog_state(const struct controller_watchdog *dog);

#endif
