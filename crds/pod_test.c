/* Pods of each kind of owner: what is read of them, which revision they are of, whether they fit a
 * Leader record; and what is refused. */
#include "crds/pod.h"

#include "pkg/base/test.h"

#define UID  "3f9a1c07-0000-4000-8000-000000000001"
#define OUID "11111111-1111-4111-8111-111111111111"

static struct crds_pod *pod_of(const char *labels, const char *kind, const char *owner)
{
	char json[2048];
	char reference[512] = "";
	struct crds_pod *pod = NULL;

	if (*kind)
		(void)snprintf(reference, sizeof(reference),
			"{\"apiVersion\":\"v9\",\"kind\":\"Other\",\"name\":\"x\",\"uid\":\"y\"},"
			"{\"apiVersion\":\"apps/"
			"v1\",\"kind\":\"%s\",\"name\":\"%s\",\"uid\":\"" OUID
			"\",\"controller\":true}",
			kind, owner);
	(void)snprintf(json, sizeof(json),
		"{\"metadata\":{\"name\":\"web-0\",\"namespace\":\"shop\",\"uid\":\"" UID
		"\",\"resourceVersion\":\"7\",\"labels\":{%s},\"ownerReferences\":[%s]},"
		"\"spec\":{\"initContainers\":[{\"name\":\"other\"},"
		"{\"name\":\"functionkey-agent\"}]},"
		"\"status\":{\"phase\":\"Running\",\"podIP\":\"10.0.0.9\","
		"\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],"
		"\"initContainerStatuses\":[{\"name\":\"functionkey-agent\",\"ready\":true,"
		"\"restartCount\":2,\"state\":{\"running\":{}}}]}}",
		labels, reference);
	assert_ok("pod", crds_pod_decode(base_str(json), &pod, err));
	return pod;
}

static const struct {
	const char *name, *labels, *kind, *owner;
	const char *revision, *function;
	const char *record_kind, *record_owner; /* of the Leader record that it fits */
	bool by_uid;                            /* that owner has the pod owner's UID */
} owners[] = {
	{"ReplicaSet", "\"pod-template-hash\":\"6c9f\"", "ReplicaSet", "web-6c9f", "web-6c9f",
		"web", "ReplicaSet", "web-6c9f", true},
	{"ReplicaSet of nobody's template", "\"pod-template-hash\":\"beef\"", "ReplicaSet",
		"web-6c9f", "web-6c9f", "web-6c9f", "ReplicaSet", "web-6c9f", true},
	{"StatefulSet", "\"controller-revision-hash\":\"web-5d\"", "StatefulSet", "web", "web-5d",
		"web", "ControllerRevision", "web-5d", false},
	{"DaemonSet", "\"controller-revision-hash\":\"5d\"", "DaemonSet", "web", "web-5d", "web",
		"ControllerRevision", "web-5d", false},
	{"Job", "", "Job", "load", "load", "load", "Job", "load", true},
	{"Knative",
		"\"serving.knative.dev/revision\":\"web-00001\","
		"\"serving.knative.dev/service\":\"web\"",
		"ReplicaSet", "web-00001-deployment-6c9f", "web-00001", "web", "Revision",
		"web-00001", false},
	{"nobody", "", "", "", "web-0", "web-0", "Pod", "web-0", false},
	{"labels win",
		"\"functionkey.dev/revision\":\"mine-1\",\"functionkey.dev/function\":\"mine\"",
		"Job", "load", "mine-1", "mine", "Job", "load", true},
};

static struct crds_functionkey record_of(size_t i, struct str revision)
{
	const bool bare = strcmp(owners[i].record_kind, "Pod") == 0;

	return (struct crds_functionkey){.role = CRDS_LEADER,
		.revision = revision,
		.owner_kind = base_str(owners[i].record_kind),
		.owner_name = base_str(owners[i].record_owner),
		.owner_uid = owners[i].by_uid ? STR(OUID)
			     : bare           ? STR(UID)
					      : STR("another")};
}

static void test_owners(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		_cleanup_(crds_pod_free) struct crds_pod *pod =
			pod_of(owners[i].labels, owners[i].kind, owners[i].owner);
		char revision[CRDS_REVISION_MAX + 1];
		char function[64];
		assert_ok(owners[i].name, crds_pod_revision(pod, revision, err));
		assert_string_equal(revision, owners[i].revision);
		assert_ok(owners[i].name, crds_pod_function(pod, function, err));
		assert_string_equal(function, owners[i].function);
		struct crds_functionkey record = record_of(i, base_str(revision));
		assert_ok(owners[i].name, crds_pod_fits(pod, &record, err));
		/* Another owner of the same kind. */
		record.owner_name = STR("other");
		record.owner_uid = STR("22222222-2222-4222-8222-222222222222");
		assert_class(owners[i].name, ERR_DENIED, crds_pod_fits(pod, &record, err));
	}
}

static void test_fields(void **state)
{
	_cleanup_(crds_pod_free) struct crds_pod *pod = pod_of("", "Job", "load");

	(void)state;
	assert_true(base_str_eq(pod->ip, STR("10.0.0.9")));
	assert_true(base_str_eq(pod->owner_uid, STR(OUID)));
	assert_int_equal(pod->phase, CRDS_POD_RUNNING);
	assert_true(pod->injected && pod->ready && pod->agent_ready);
	assert_false(pod->agent_terminated || pod->deleting);
	assert_int_equal(pod->agent_restarts, 2);
	assert_ok("same", crds_pod_is(pod, STR("web-0"), STR(UID), err));
	assert_class("name", ERR_DENIED, crds_pod_is(pod, STR("web-1"), STR(UID), err));
	assert_class("uid", ERR_DENIED, crds_pod_is(pod, STR("web-0"), STR(OUID), err));
	assert_class("no uid", ERR_DENIED, crds_pod_is(pod, STR("web-0"), STR_NULL, err));
}

/* Each field says something, but for the version. */
static void test_same(void **state)
{
	static const size_t texts[] = {offsetof(struct crds_pod, ns),
		offsetof(struct crds_pod, name), offsetof(struct crds_pod, uid),
		offsetof(struct crds_pod, owner_api_version), offsetof(struct crds_pod, owner_kind),
		offsetof(struct crds_pod, owner_name), offsetof(struct crds_pod, owner_uid),
		offsetof(struct crds_pod, revision), offsetof(struct crds_pod, function),
		offsetof(struct crds_pod, controller_revision_hash),
		offsetof(struct crds_pod, pod_template_hash),
		offsetof(struct crds_pod, knative_revision),
		offsetof(struct crds_pod, knative_service), offsetof(struct crds_pod, ip)};
	static const size_t flags[] = {offsetof(struct crds_pod, deleting),
		offsetof(struct crds_pod, injected), offsetof(struct crds_pod, ready),
		offsetof(struct crds_pod, agent_ready),
		offsetof(struct crds_pod, agent_terminated)};
	const struct str other = STR("another");
	_cleanup_(crds_pod_free) struct crds_pod *pod = pod_of("", "Job", "load");
	struct crds_pod next = *pod;

	(void)state;
	next.resource_version = STR("8");
	assert_true(crds_pod_same(pod, &next));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		next = *pod;
		memcpy((char *)&next + texts[i], &other, sizeof(other));
		assert_false(crds_pod_same(pod, &next));
	}
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		next = *pod;
		((char *)&next)[flags[i]] ^= 1;
		assert_false(crds_pod_same(pod, &next));
	}
	next = *pod;
	next.phase = CRDS_POD_FAILED;
	assert_false(crds_pod_same(pod, &next));
	next = *pod;
	next.agent_restarts++;
	assert_false(crds_pod_same(pod, &next));
}

static void test_fits(void **state)
{
	_cleanup_(crds_pod_free) struct crds_pod *labelled =
		pod_of("\"functionkey.dev/revision\":\"other-1\"", "Job", "load");
	_cleanup_(crds_pod_free) struct crds_pod *ended = pod_of("", "Job", "load");
	const struct crds_functionkey record = record_of(4, STR("load"));

	(void)state;
	assert_class("labelled as of another", ERR_DENIED, crds_pod_fits(labelled, &record, err));
	assert_ok("runs", crds_pod_fits(ended, &record, err));
	ended->phase = CRDS_POD_FAILED;
	assert_class("failed", ERR_DENIED, crds_pod_fits(ended, &record, err));
	ended->phase = CRDS_POD_SUCCEEDED;
	assert_class("succeeded", ERR_DENIED, crds_pod_fits(ended, &record, err));
}

static const struct {
	const char *name, *json;
} hostile[] = {
	{"nothing", ""},
	{"no object", "[]"},
	{"cut", "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\""},
	{"no name", "{\"metadata\":{\"uid\":\"" UID "\"}}"},
	{"no UID", "{\"metadata\":{\"name\":\"a\"}}"},
	{"a number for a name", "{\"metadata\":{\"name\":7,\"uid\":\"" UID "\"}}"},
	{"an object for owners",
		"{\"metadata\":{\"name\":\"a\",\"uid\":\"" UID "\",\"ownerReferences\":{}}}"},
	{"a text for ready",
		"{\"metadata\":{\"name\":\"a\",\"uid\":\"" UID
		"\"},\"status\":{\"initContainerStatuses\":[{\"name\":\"functionkey-agent\","
		"\"ready\":\"yes\"}]}}"},
};

static void test_hostile(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		struct crds_pod *pod = NULL;
		assert_class(hostile[i].name, ERR_INVALID,
			crds_pod_decode(base_str(hostile[i].json), &pod, err));
		assert_null(pod);
	}
	assert_int_equal(base_alloc_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
