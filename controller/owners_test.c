#include "controller/objects.h"
#include "controller/owners.h"
#include "pkg/base/test.h"

#define POD_UID   "11111111-1111-4111-8111-111111111111"
#define OWNER_UID "22222222-2222-4222-8222-222222222222"
#define OWNED(version, kind_, name_)                                                           \
	.owner_api_version = STR(version), .owner_kind = STR(kind_), .owner_name = STR(name_), \
	.owner_uid = STR(OWNER_UID)

static const struct row {
	const char *name;
	struct crds_pod pod;
	const char *want; /* apiVersion, kind, name, UID */
	const struct kube_resource *resource;
} rows[] = {
	{"bare", {.revision = STR("x")}, "v1 Pod pod " POD_UID, NULL},
	{"Deployment", {OWNED("apps/v1", "ReplicaSet", "a-1")}, "apps/v1 ReplicaSet a-1 " OWNER_UID,
		&controller_replicasets},
	{"Job", {OWNED("batch/v1", "Job", "j")}, "batch/v1 Job j " OWNER_UID, &controller_jobs},
	{"StatefulSet",
		{OWNED("apps/v1", "StatefulSet", "s"), .controller_revision_hash = STR("s-5d")},
		"apps/v1 ControllerRevision s-5d ", &controller_controllerrevisions},
	{"DaemonSet", {OWNED("apps/v1", "DaemonSet", "d"), .controller_revision_hash = STR("5d")},
		"apps/v1 ControllerRevision d-5d ", &controller_controllerrevisions},
	{"Knative",
		{OWNED("apps/v1", "ReplicaSet", "h-1-deployment-7c"),
			.knative_revision = STR("h-1")},
		"serving.knative.dev/v1 Revision h-1 ", &controller_knative_revisions},
	{"somebody's own", {OWNED("x.io/v1", "Thing", "t")}, "x.io/v1 Thing t " OWNER_UID, NULL},
	{"somebody's own, labelled",
		{OWNED("x.io/v1", "Thing", "t"), .controller_revision_hash = STR("h"),
			.knative_revision = STR("h-1")},
		"x.io/v1 Thing t " OWNER_UID, NULL},
};

static void test_owners(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct crds_pod pod = rows[i].pod;
		const struct kube_resource *resource = &controller_leases;
		char dst[CONTROLLER_OWNER_NAME];
		char got[300];
		pod.name = STR("pod");
		pod.uid = STR(POD_UID);
		const struct controller_owner o = controller_owner_of(&pod, dst, &resource);
		(void)snprintf(got, sizeof(got), "%.*s %.*s %.*s %.*s", STR_FMT(o.api_version),
			STR_FMT(o.kind), STR_FMT(o.name), STR_FMT(o.uid));
		if (strcmp(got, rows[i].want) != 0 || resource != rows[i].resource)
			fail_msg("%s: %s", rows[i].name, got);
	}
}

/* Knative was upgraded: the revision's Deployment has another ReplicaSet. */
static void test_pods_of_another_replicaset_fit(void **state)
{
	struct crds_pod pod = {.name = STR("pod"),
		.uid = STR(POD_UID),
		.revision = STR("h-1"),
		.knative_revision = STR("h-1"),
		OWNED("apps/v1", "ReplicaSet", "h-1-deployment-7c")};
	const struct kube_resource *resource = NULL;
	char dst[CONTROLLER_OWNER_NAME];
	const struct controller_owner o = controller_owner_of(&pod, dst, &resource);
	const struct crds_functionkey leader = {.revision = STR("h-1"),
		.owner_kind = o.kind,
		.owner_name = o.name,
		.owner_uid = STR("33333333-3333-4333-8333-333333333333")};

	(void)state;
	pod.owner_name = STR("h-1-deployment-84");
	pod.owner_uid = STR("44444444-4444-4444-8444-444444444444");
	assert_ok("another ReplicaSet", crds_pod_fits(&pod, &leader, err));
	pod.knative_revision = STR("h-2");
	assert_class("another revision", ERR_DENIED, crds_pod_fits(&pod, &leader, err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_pods_of_another_replicaset_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
