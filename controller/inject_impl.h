/* Inside of controller/inject. Layer: controller. */
#ifndef CONTROLLER_INJECT_IMPL_H
#define CONTROLLER_INJECT_IMPL_H

#include "controller/inject.h"
#include "crds/pod.h"
#include "pkg/base/arena.h"
#include "pkg/base/map.h"

#define INJECT_VOLUMES_MAX  16 /* of the template */
#define INJECT_WARNINGS_MAX 8
#define INJECT_METRICS_PORT                                                  \
	STR("9464") /* what annotation functionkey.dev/metrics: "true" means \
		     */
#define INJECT_MOUNT_PATH "/run/functionkey"
#define INJECT_ANNOUNCE   "FUNCTIONKEY_ANNOUNCE"

/* What containers are given: name and where its value comes from (inject.c). */
#define INJECT_VARIABLES(X)                     \
	X(SOCKET, "FUNCTIONKEY_SOCKET")         \
	X(URL, "FUNCTIONKEY_URL")               \
	X(REVISION, "FUNCTIONKEY_REVISION")     \
	X(FUNCTION, "FUNCTIONKEY_FUNCTION")     \
	X(LEADER_URL, "FUNCTIONKEY_LEADER_URL") \
	X(NEXT, "FUNCTIONKEY_NEXT")
enum controller_inject_variable {
#define INJECT_ENUM(name, text) INJECT_##name,
	INJECT_VARIABLES(INJECT_ENUM)
#undef INJECT_ENUM
		INJECT_VARIABLE_COUNT
};
extern const char *const controller_inject_variables[INJECT_VARIABLE_COUNT];

/* Where new active keys are announced, and what goes with it: K_SINK, K_CE_OVERRIDES and K_CA_CERTS
 * of a container, as Knative's SinkBinding sets them. Empty: not set, not literal, or of no use. */
struct controller_inject_sink {
	struct str url, overrides, ca;
};

/* A container of the pod, as far as it matters. */
struct controller_inject_container {
	struct str name;
	uint32_t set; /* bit i: the user set controller_inject_variables[i] */
	struct controller_inject_sink sink;
	bool announces; /* has FUNCTIONKEY_ANNOUNCE, as our agent has that announces */
	bool has_env, has_mounts;
	uint32_t mounts; /* how many */
	uint32_t mount;  /* which one is at INJECT_MOUNT_PATH; mounts: none */
};

struct controller_inject_containers {
	bool there;
	struct controller_inject_container *items; /* in the arena */
	size_t n, cap;
};

struct controller_inject_template {
	struct str agent; /* JSON */
	bool has_env;
	struct str volumes[INJECT_VOLUMES_MAX]; /* JSON */
	struct str volume_names[INJECT_VOLUMES_MAX];
	size_t volumes_len;
};

/* Texts point into the review or the arena. */
struct controller_inject_review {
	struct arena *arena;
	const struct controller_inject_template *template;
	struct str uid, ns, operation, resource, subresource;
	/* the pod, as crds_pod_revision and crds_pod_function read it */
	struct crds_pod pod;
	struct str generate_name;
	struct str inject; /* label */
	bool has_labels, has_revision_label, owned;
	struct str containers_note, next_note;
	struct str announce_note, metrics_note;  /* p is NULL without one */
	struct str unknown[INJECT_WARNINGS_MAX]; /* annotations of ours that nothing reads */
	size_t unknown_len;
	bool has_volumes, host_network;
	uint32_t volumes; /* bit i: the pod has a volume by the name of the template's i-th */
	struct controller_inject_containers init, main;
};

/* Both fill what is zero but for arena and template. INVALID, TOO_LARGE, NOMEM. */
int controller_inject_read_template(const struct controller_template *from, struct arena *arena,
	struct controller_inject_template *t, struct err *err) must_check;
int controller_inject_read_review(
	struct str text, struct controller_inject_review *review, struct err *err) must_check;

/* -- inject_options.c: annotations whose values matter -- */

/* Takes a literal variable of a container, if it is one of a sink's and of use; the first counts.
 */
void controller_inject_take_sink(
	struct controller_inject_sink *sink, struct str name, struct str value);

/* What the agent shall announce to; url is empty: nothing. Borrows from the review. */
struct controller_inject_sink controller_inject_sink(const struct controller_inject_review *r);

/* Whether a container was given its sink after the agent had been injected: by a webhook after us.
 */
bool controller_inject_late_sink(const struct controller_inject_review *r);

/* The port that metrics are served on; empty: none. */
struct str controller_inject_metrics(const struct controller_inject_review *r);

/* What is wrong with those annotations, for a warning; NULL: nothing. */
const char *controller_inject_announce_advice(const struct controller_inject_review *r);
const char *controller_inject_metrics_advice(const struct controller_inject_review *r);

/* Appends the JSON patch for a pod without the agent in first place, or with one that has no
 * sink yet. TOO_LARGE, INVALID (texts that
 * are not UTF-8), NOMEM. */
int controller_inject_patch(
	const struct controller_inject_review *r, struct buf *patch, struct err *err) must_check;

#endif
