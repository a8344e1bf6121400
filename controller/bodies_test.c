/* What is sent: exact texts, what the caches read of them again, and what hostile names do to them.
 */
#include "controller/bodies.h"

#include "pkg/base/test.h"
#include "pkg/kube/json.h"

#define UID_A "aaaaaaaa-0000-0000-0000-000000000001"
#define UID_R "cccccccc-0000-0000-0000-000000000003"

struct scene {
	struct controller_record leader;
	struct controller_view v;
	struct controller_plan plan;
	struct controller_owner owner;
	struct str function, groups;
	bool empty;
};

static void fill(struct scene *s)
{
	*s = (struct scene){
		.leader = {.meta = {.ns = STR("shop"), .name = STR("billing-1"), .uid = STR(UID_R)},
			.role = CRDS_LEADER,
			.leader_pod = STR("billing-a"),
			.leader_uid = STR(UID_A),
			.endpoint = STR("10.0.0.1:9471"),
			.active_epoch = 3,
			.generation = 7},
		.v = {.ns = STR("shop"),
			.revision = STR("billing-1"),
			.wall_ns = 1000 * NS_PER_S,
			.leader = &s->leader},
		.plan = {.members_total = 3, .members_ready = 2},
		.owner = {STR("apps/v1"), STR("ReplicaSet"), STR("billing-1"), STR(UID_A)},
		.function = STR("billing"),
		.groups = STR("system:serviceaccounts:far system:serviceaccounts:shop")};
	for (unsigned c = 0; c < CONTROLLER_CONDITION_COUNT; c++)
		s->plan.conditions[c] = (struct controller_condition_wanted){
			CRDS_TRUE, "AsItIs", "It is as it is."};
	for (unsigned i = 0; i < sizeof(s->leader.active_fingerprint.b); i++)
		s->leader.active_fingerprint.b[i] = (uint8_t)i;
}

/* -- the bodies, as a table -- */

static int record(const struct scene *s, struct buf *b, struct err *err)
{
	return controller_body_record(&s->v, s->function, &s->owner, b, err);
}

static int lease(const struct scene *s, struct buf *b, struct err *err)
{
	return controller_body_lease(&s->v, &s->owner, b, err);
}

static int owner(const struct scene *s, struct buf *b, struct err *err)
{
	return controller_body_owner(&s->owner, STR("42"), b, err);
}

static int leaving(const struct scene *s, struct buf *b, struct err *err)
{
	(void)s;
	return controller_body_leaving(STR(UID_A), b, err);
}

static int status(const struct scene *s, struct buf *b, struct err *err)
{
	return controller_body_status(&s->v, &s->plan, b, err);
}

static int service(const struct scene *s, struct buf *b, struct err *err)
{
	return controller_body_service(&s->v, b, err);
}

static int slice(const struct scene *s, struct buf *b, struct err *err)
{
	return controller_body_slice(&s->v, s->empty, b, err);
}

static int rolebinding(const struct scene *s, struct buf *b, struct err *err)
{
	return controller_body_rolebinding(s->v.ns, STR("functionkey-senders"),
		STR("functionkey-reader"), s->groups, &s->owner, b, err);
}

static int ownerless(const struct scene *s, struct buf *b, struct err *err)
{
	return controller_body_rolebinding(
		s->v.ns, STR("b"), STR("r"), STR("system:serviceaccounts:far"), NULL, b, err);
}

#define OWNER                                                                                \
	"\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":" \
	"\"billing-1\",\"uid\":\"" UID_A "\"}]"
#define OF_RECORD                                                                              \
	"\"metadata\":{\"name\":\"billing-1-leader\",\"namespace\":\"shop\",\"ownerReferences" \
	"\":[{\"apiVersion\":\"functionkey.dev/v1alpha1\",\"kind\":\"FunctionKey\",\"name\":"  \
	"\"billing-1\",\"uid\":\"" UID_R "\"}],\"labels\":{\"functionkey.dev/revision\":"      \
	"\"billing-1\",\"app.kubernetes.io/managed-by\":\"functionkey-controller\""
#define PORTS "\"ports\":[{\"name\":\"peer\",\"port\":9471,\"protocol\":\"TCP\"}]"
#define SUBJECT(name) \
	"{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"Group\",\"name\":\"" name "\"}"
#define CONDITION(name)                                                                 \
	"{\"type\":\"" name "\",\"status\":\"True\",\"reason\":\"AsItIs\",\"message\":" \
	"\"It is as it is.\",\"lastTransitionTime\":\"1970-01-01T00:16:40Z\","          \
	"\"observedGeneration\":7}"

static const struct body {
	const char *name;
	int (*write)(const struct scene *s, struct buf *b, struct err *err);
	const struct kube_kind *kind; /* that reads it again; NULL: a patch */
	const char *text;
} bodies[] = {
	{"record", record, &controller_record_kind,
		"{\"apiVersion\":\"functionkey.dev/"
		"v1alpha1\",\"kind\":\"FunctionKey\",\"metadata\":"
		"{\"namespace\":\"shop\",\"name\":\"billing-1\",\"labels\":{\"functionkey.dev/"
		"for\":"
		"\"billing-1\",\"functionkey.dev/revision\":\"billing-1\",\"functionkey.dev/role\":"
		"\"leader\",\"functionkey.dev/function\":\"billing\"}," OWNER
		"},\"spec\":{\"role\":"
		"\"Leader\",\"revision\":\"billing-1\",\"function\":\"billing\",\"scheme\":"
		"\"umbral-secp256k1\"}}"},
	{"lease", lease, &controller_lease_kind,
		"{\"apiVersion\":\"coordination.k8s.io/"
		"v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":"
		"\"fk-billing-1\",\"namespace\":\"shop\",\"labels\":{\"functionkey.dev/revision\":"
		"\"billing-1\",\"app.kubernetes.io/managed-by\":\"functionkey-controller\"}," OWNER
		"},\"spec\":{\"leaseDurationSeconds\":30,\"leaseTransitions\":0}}"},
	{"owner", owner, NULL, "{\"metadata\":{\"resourceVersion\":\"42\"," OWNER "}}"},
	{"leaving", leaving, NULL,
		"{\"metadata\":{\"annotations\":{\"functionkey.dev/leaving\":\"" UID_A "\"}}}"},
	{"status", status, NULL,
		"{\"status\":{\"observedGeneration\":7,\"observedEpoch\":3,\"members\":{\"total\":"
		"3,\"ready\":2,"
		"\"summary\":\"2/3\"},\"conditions\":[" CONDITION("Ready") "," CONDITION(
			"LeaderEle"
			"cted") "," CONDITION("KeyPublished") "," CONDITION("MembersReady") "," CONDITION("NoHolder") "," CONDITION("HistoryLost") "]}}"},
	{"service", service, &controller_service_kind,
		"{\"apiVersion\":\"v1\",\"kind\":\"Service\"," OF_RECORD
		"}},\"spec\":{\"clusterIP\":\"None\"," PORTS "}}"},
	{"slice", slice, &controller_slice_kind,
		"{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\"," OF_RECORD
		",\"kubernetes.io/service-name\":\"billing-1-leader\","
		"\"endpointslice.kubernetes.io/managed-by\":\"functionkey-controller\"},"
		"\"annotations\":{\"functionkey.dev/fingerprint\":"
		"\"000102030405060708090a0b0c0d0e0f\",\"functionkey.dev/"
		"endpoint\":\"10.0.0.1:9471\"}},"
		"\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[\"10.0.0.1\"],"
		"\"conditions\":"
		"{\"ready\":true},\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"shop\",\"name\":"
		"\"billing-a\",\"uid\":\"" UID_A "\"}}]," PORTS "}"},
	{"rolebinding", rolebinding, &controller_rolebinding_kind,
		"{\"apiVersion\":\"rbac.authorization.k8s.io/"
		"v1\",\"kind\":\"RoleBinding\",\"metadata\":"
		"{\"name\":\"functionkey-senders\",\"namespace\":\"shop\"," OWNER ",\"labels\":"
		"{\"app.kubernetes.io/managed-by\":\"functionkey-controller\"},\"annotations\":"
		"{\"functionkey.dev/subjects\":\"system:serviceaccounts:far "
		"system:serviceaccounts:shop\"}},\"roleRef\":{\"apiGroup\":"
		"\"rbac.authorization.k8s.io\",\"kind\":\"ClusterRole\",\"name\":"
		"\"functionkey-reader\"},\"subjects\":[" SUBJECT(
			"system:serviceaccounts:far") "," SUBJECT("system:serviceaccounts:shop") "]"
												 "}"},
	{"rolebinding without an owner", ownerless, &controller_rolebinding_kind,
		"{\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"kind\":\"RoleBinding\","
		"\"metadata\":{\"name\":\"b\",\"namespace\":\"shop\",\"labels\":"
		"{\"app.kubernetes.io/managed-by\":\"functionkey-controller\"},\"annotations\":"
		"{\"functionkey.dev/subjects\":\"system:serviceaccounts:far\"}},\"roleRef\":"
		"{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"ClusterRole\",\"name\":"
		"\"r\"},\"subjects\":[" SUBJECT("system:serviceaccounts:far") "]}"},
};

static void test_texts(void **state)
{
	static struct scene s;

	(void)state;
	fill(&s);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);
		assert_ok(bodies[i].name, bodies[i].write(&s, &b, err));
		if (!base_str_eq(base_buf_str(&b), base_str(bodies[i].text)))
			fail_msg("%s:\n%.*s\n%s", bodies[i].name, STR_FMT(base_buf_str(&b)),
				bodies[i].text);
	}
}

/* One document and nothing else, as the strict reader sees it. */
static void is_json(const char *name, struct str text)
{
	struct kube_json r;

	assert_ok(name, kube_json_init(&r, text, err));
	assert_ok(name, kube_json_skip(&r, err));
	assert_ok(name, kube_json_end(&r, err));
}

static void set_all(struct scene *s, struct str text)
{
	struct str *const texts[] = {&s->leader.meta.name, &s->leader.leader_pod, &s->v.ns,
		&s->v.revision, &s->owner.kind, &s->owner.name, &s->owner.uid, &s->function,
		&s->groups};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = text;
}

/* Names come from the API server; whatever they are, they stay within their quotes. */
static void test_hostile_names(void **state)
{
	static const struct {
		struct str text;
		bool taken;
	} names[] = {
		{STR("\",\"verbs\":[\"*\"],\"x\":\""), true},
		{STR("}]}\n{"), true},
		{STR("\\"), true},
		{STR("a\0b"), true},
		{STR("\x01\x1f\x7f"), true},
		{STR("%s%n"), true},
		{STR("\xc3\xa4"), true},
		{STR("\xff"), false},
		{STR("\xed\xa0\x80"), false},
		{STR("\xc0\xaf"), false},
	};
	static struct scene s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies) * ARRAY_LEN(names); i++) {
		const struct body *body = &bodies[i % ARRAY_LEN(bodies)];
		_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);
		struct err why = {0};
		fill(&s);
		set_all(&s, names[i / ARRAY_LEN(bodies)].text);
		const int r = body->write(&s, &b, &why);
		if (body->write == status || body->write == leaving) /* they have no names */
			assert_int_equal(r, 0);
		else if ((r == 0) != names[i / ARRAY_LEN(bodies)].taken)
			fail_msg("%s of %zu: %s", body->name, i / ARRAY_LEN(bodies),
				r < 0 ? why.msg : "taken");
		if (r == 0)
			is_json(body->name, base_buf_str(&b));
	}
}

static void test_no_room(void **state)
{
	static struct scene s;

	(void)state;
	fill(&s);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		for (size_t room = 0; room < strlen(bodies[i].text); room++) {
			_cleanup_(base_buf_done) struct buf b = base_buf(room);
			assert_class(bodies[i].name, ERR_TOO_LARGE, bodies[i].write(&s, &b, err));
		}
}

/* -- what caches read of what we write -- */

static void *read_again(const struct body *body, const struct scene *s)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);
	void *object = NULL;

	assert_ok(body->name, body->write(s, &b, err));
	assert_ok(body->name, kube_kind_decode(body->kind, base_buf_str(&b), &object, err));
	return object;
}

static void test_read_again(void **state)
{
	static struct scene s;

	(void)state;
	fill(&s);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		if (!bodies[i].kind)
			continue;
		void *object = read_again(&bodies[i], &s);
		const struct kube_meta meta = kube_kind_meta(bodies[i].kind, object);
		assert_true(base_str_eq(meta.ns, s.v.ns));
		if (bodies[i].write == lease)
			assert_int_equal(((struct controller_lease *)object)->owners, 1);
		if (bodies[i].write == record)
			assert_false(((struct controller_record *)object)->orphan);
		if (bodies[i].write == slice)
			assert_true(base_str_eq(
				((struct controller_slice *)object)->address, s.leader.endpoint));
		if (bodies[i].write == rolebinding) {
			const struct controller_owned *owned = object;
			assert_true(base_str_eq(owned->subjects, s.groups));
			assert_int_equal(owned->owners, 1);
		}
		kube_kind_free(bodies[i].kind, object);
	}
}

static void check_slice(struct str endpoint, bool empty, const char *has)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);
	static struct scene s;

	fill(&s);
	s.leader.endpoint = endpoint;
	s.empty = empty;
	assert_ok(has, slice(&s, &b, err));
	if (!memmem(b.data, b.len, has, strlen(has)))
		fail_msg("no %s in %.*s", has, STR_FMT(base_buf_str(&b)));
}

/* The record no longer says of which family its slice was. */
static void six_is_emptied(void)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);
	static const char six[] = "\"addressType\":\"IPv6\"";
	static const struct controller_slice stored = {.address = STR("[fd00::1]:9471")};
	static struct scene s;

	fill(&s);
	s.v.slice = &stored;
	s.leader.endpoint = STR("nowhere");
	s.empty = true;
	assert_ok("emptied", slice(&s, &b, err));
	assert_non_null(memmem(b.data, b.len, six, sizeof(six) - 1));
}

static void test_slices(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);
	static struct scene s;
	struct err why = {0};

	(void)state;
	check_slice(STR("[fd00::1]:9471"), false, "\"addressType\":\"IPv6\"");
	check_slice(STR("[fd00::1]:9471"), false, "\"addresses\":[\"fd00::1\"]");
	check_slice(STR("10.0.0.1:9471"), true, "\"endpoints\":[]");
	check_slice(STR("10.0.0.1:9471"), true, "\"functionkey.dev/endpoint\":\"\"");
	check_slice(STR_NULL, true, "\"endpoints\":[]");
	check_slice(STR("nowhere"), true, "\"addressType\":\"IPv4\"");
	six_is_emptied();
	fill(&s);
	s.leader.endpoint = STR("nowhere");
	assert_int_equal(slice(&s, &b, &why), -(int)ERR_INVALID);
}

/* A condition that stays as it was keeps its time. */
static void test_transition_times(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_BODY_MAX);
	static struct scene s;
	unsigned old = 0;

	(void)state;
	fill(&s);
	s.leader.conditions[CONTROLLER_KEY] = (struct controller_condition_state){
		.set = true, .status = CRDS_TRUE, .since_ns = 5 * NS_PER_S};
	s.leader.conditions[CONTROLLER_LEADER] = (struct controller_condition_state){
		.set = true, .status = CRDS_FALSE, .since_ns = 5 * NS_PER_S};
	assert_ok("status", status(&s, &b, err));
	for (size_t at = 0; at + 20 <= b.len; at++)
		old += memcmp(b.data + at, "1970-01-01T00:00:05Z", 20) == 0;
	assert_int_equal(old, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_read_again),
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_transition_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
