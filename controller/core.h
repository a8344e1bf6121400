/* What all reconcilers share. Layer: controller. No secret of a function passes here: the
 * controller has no verb that could give it one and links no code that could use one.
 */
#ifndef CONTROLLER_CORE_H
#define CONTROLLER_CORE_H

#include "pkg/base/env.h"
#include "pkg/base/str.h"

#include <uv.h>

struct kube_client;
struct kube_events;
struct kube_lease;
struct log;
struct metrics;

struct controller_core {
	struct env env;
	uv_loop_t *loop;
	struct log *log;
	struct metrics *metrics;
	struct kube_client *client;
	struct kube_events *events;
	struct kube_lease *lease; /* our own election; NULL: we are alone and always active */
	struct str ns, pod;       /* of ourselves */
};

#define CONTROLLER_FIELD_MANAGER "functionkey-controller"
#define CONTROLLER_LEASE         "functionkey-controller"

#endif
