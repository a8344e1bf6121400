/* /metrics, /healthz and /readyz. Layer: controller. */
#ifndef CONTROLLER_FACES_H
#define CONTROLLER_FACES_H

#include "controller/injector.h"
#include "controller/runner.h"

struct controller_faces;

/* address: "<IP>:<port>". Ready: all caches are filled (a standby is ready, too), and the webhook
 * can answer; injector NULL: there is none. */
int controller_faces_new(struct controller_core *core, struct controller_runner *runner,
	struct controller_injector *injector, const char *address,
	struct controller_faces **ret_faces, struct err *err) must_check;
/* NULL is fine. Returns NULL. */
struct controller_faces *controller_faces_free(struct controller_faces *faces);
CLEANUP_FREE(struct controller_faces, controller_faces_free);

#endif
