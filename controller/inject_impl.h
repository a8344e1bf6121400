/* Inside of controller/inject. Layer: controller. */
#ifndef CONTROLLER_INJECT_IMPL_H
#define CONTROLLER_INJECT_IMPL_H

#include "controller/inject.h"
#include "crds/pod.h"
#include "pkg/base/arena.h"
#include "pkg/base/map.h"

#define INJECT_VOLUMES_MAX  16 /* of the template */
#define INJECT_WARNINGS_MAX 8
#define INJECT_MOUNT_PATH   "/run/functionkey"

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

/* A container of the pod, as far as it matters. */
struct controller_inject_container {
	struct str name;
	uint32_t set; /* bit i: the user set controller_inject_variables[i] */
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
	struct str unknown[INJECT_WARNINGS_MAX]; /* annotations of ours that nothing reads */
	size_t unknown_len;
	bool has_volumes;
	uint32_t volumes; /* bit i: the pod has a volume by the name of the template's i-th */
	struct controller_inject_containers init, main;
};

/* Both fill what is zero but for arena and template. INVALID, TOO_LARGE, NOMEM. */
int controller_inject_read_template(const struct controller_template *from, struct arena *arena,
	struct controller_inject_template *t, struct err *err) must_check;
int controller_inject_read_review(
	struct str text, struct controller_inject_review *review, struct err *err) must_check;

/* Appends the JSON patch for a pod without the agent in first place. TOO_LARGE, INVALID (texts that
 * are not UTF-8), NOMEM. */
int controller_inject_patch(
	const struct controller_inject_review *r, struct buf *patch, struct err *err) must_check;

#endif
