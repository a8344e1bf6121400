/* Inside of controller/injector. Layer: controller. */
#ifndef CONTROLLER_INJECTOR_INTERNAL_H
#define CONTROLLER_INJECTOR_INTERNAL_H

#include "controller/certs.h"
#include "controller/injector.h"
#include "controller/webhook.h"
#include "pkg/kube/client.h"
#include "pkg/kube/informer.h"

/* The one object of each kind that matters, and what is kept of it. */
enum controller_injector_cache {
	INJECTOR_TEMPLATE,
	INJECTOR_SECRET,
	INJECTOR_CONFIGURATION,
	INJECTOR_CACHES
};
extern const struct kube_resource controller_secrets, controller_webhook_configurations;
extern const struct kube_kind controller_secret_kind, controller_webhook_configuration_kind;

struct controller_injector_secret {
	struct kube_meta meta;
	struct str data[CONTROLLER_CERTS_TEXTS]; /* base64 */
};

struct controller_injector_slot {
	struct controller_injector *i;
	struct kube_informer *informer;
};

struct controller_injector {
	struct controller_core *core;
	const struct controller_options *options;
	struct controller_injector_slot slots[INJECTOR_CACHES];
	struct controller_webhook *webhook;
	struct buf texts[CONTROLLER_CERTS_TEXTS]; /* what the Secret holds, decoded */
	struct str names[CONTROLLER_CERTS_NAMES]; /* to serve as */
	size_t names_len;
	char own_names[CONTROLLER_CERTS_NAMES][256];
	uv_timer_t timer;
	struct kube_call *call; /* a write under way */
	int64_t retry_ms;
	bool timer_open, active, has_certificate;
};

/* NULL: it is not there. Borrowed until the loop runs on. */
const void *controller_injector_object(
	const struct controller_injector *i, enum controller_injector_cache cache);

/* Looks at the certificates after so long, if they are this replica's to keep; also the timer's
 * callback. */
void controller_injector_look_in(struct controller_injector *i, int64_t ms);

#endif
