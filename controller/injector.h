/* The admission webhook of this replica: its server, its certificates, and the description of the
 * agent. Layer: controller.
 *
 * Every replica serves, also a standby; what it answers comes from its caches alone. The active
 * replica keeps the certificates: it rotates what the Secret holds (certs.h) and tells the API
 * servers whom to trust (caBundle of the MutatingWebhookConfiguration). Every replica serves with
 * what the Secret holds as soon as it sees it, whoever wrote it.
 */
#ifndef CONTROLLER_INJECTOR_H
#define CONTROLLER_INJECTOR_H

#include "controller/core.h"
#include "controller/options.h"

/* Objects of manifests/webhook. */
#define CONTROLLER_WEBHOOK_SECRET        "functionkey-webhook"
#define CONTROLLER_WEBHOOK_SERVICE       "functionkey-webhook"
#define CONTROLLER_WEBHOOK_CONFIGURATION "functionkey-inject"

struct controller_injector;

/* options.webhook_address is set. Listens and fills its caches. INVALID, TERMINAL, NOMEM. */
int controller_injector_new(struct controller_core *core, const struct controller_options *options,
	struct controller_injector **ret_injector, struct err *err) must_check;
/* NULL is fine. Returns NULL. */
struct controller_injector *controller_injector_free(struct controller_injector *i);
CLEANUP_FREE(struct controller_injector, controller_injector_free);

/* Whether this replica keeps the certificates. */
void controller_injector_activate(struct controller_injector *i, bool active);

/* From now on connections end with their next answer. */
void controller_injector_drain(struct controller_injector *i);

/* The caches are filled, and the certificate that is there is served. That there is none yet is no
 * reason to wait: a replica that acts without a webhook, from before an upgrade, makes none and is
 * replaced only once this one is ready. */
bool controller_injector_ready(const struct controller_injector *i);

/* Brings the metrics up to date: before each scrape. */
void controller_injector_collect(const struct controller_injector *i);

#endif
