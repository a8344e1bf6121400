/* /metrics, /healthz and /readyz. Layer: controller. */
#ifndef CONTROLLER_FACES_H
#define CONTROLLER_FACES_H

#include "controller/runner.h"

struct controller_faces;

/* address: "<IP>:<port>". Ready: all caches are filled (a standby is ready, too). */
int controller_faces_new(struct controller_core *core, struct controller_runner *runner,
	const char *address, struct controller_faces **ret_faces, struct err *err) must_check;
/* NULL is fine. Returns NULL. */
struct controller_faces *controller_faces_free(struct controller_faces *faces);
CLEANUP_FREE(struct controller_faces, controller_faces_free);

#endif
