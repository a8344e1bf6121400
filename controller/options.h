/* The controller's options. Layer: controller. */
#ifndef CONTROLLER_OPTIONS_H
#define CONTROLLER_OPTIONS_H

#include "pkg/base/env.h"
#include "pkg/base/options.h"

struct controller_options {
	char pod[254], ns[64], pod_uid[64];
	char kubeconfig[4096], context[256];
	char address[128]; /* of metrics and probes */
	int64_t lease_duration_ns, lease_deadline_ns, lease_retry_ns;
	int log_level, log_format;
	bool alone; /* no election: for tests and for trying things */
};

extern const struct options controller_options;

#endif
