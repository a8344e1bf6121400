/* The controller's options. Layer: controller. */
#ifndef CONTROLLER_OPTIONS_H
#define CONTROLLER_OPTIONS_H

#include "pkg/base/env.h"
#include "pkg/base/options.h"

/* Who keeps the webhook's certificates. */
enum controller_certificates {
	CONTROLLER_CERTIFICATES_OWN,  /* the active replica */
	CONTROLLER_CERTIFICATES_GIVEN /* somebody else writes the Secret, as cert-manager does */
};

struct controller_options {
	char pod[254], ns[64], pod_uid[64];
	char kubeconfig[4096], context[256];
	char address[128]; /* of metrics and probes */
	int64_t lease_duration_ns, lease_deadline_ns, lease_retry_ns;
	int log_level, log_format;
	/* the admission webhook: controller/injector.h */
	char webhook_address[128]; /* empty: none */
	char webhook_names[512];
	int webhook_certificates; /* enum controller_certificates */
	int64_t webhook_ca_life_ns, webhook_certificate_life_ns;
	int64_t evict_every_ns; /* of pods without their agent; 0: none is evicted */
	bool alone;             /* no election: for tests and for trying things */
};

extern const struct options controller_options;

#endif
