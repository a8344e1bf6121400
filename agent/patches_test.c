/* Bodies of the agent's writes, as text: what is in them, what tests stand before, what is left. */
#include "agent/patches.h"

#include "pkg/base/test.h"

#define UID   "3f9a1c07-0000-4000-8000-000000000001"
#define UID_2 "4f1b3f0e-1111-4111-8111-000000000002"

static struct crds_key row(int64_t epoch, enum crds_key_state state)
{
	return (struct crds_key){.epoch = epoch, .state = state};
}

struct rows {
	struct crds_key keys[CRDS_KEYS_MAX];
	struct crds_functionkey leader;
};

static void two_keys(struct rows *r)
{
	*r = (struct rows){0};
	r->keys[0] = row(1, CRDS_ACTIVE);
	r->keys[1] = row(2, CRDS_PREPARED);
	r->leader = (struct crds_functionkey){.role = CRDS_LEADER,
		.epoch = 2,
		.has_leader = true,
		.leader = {.term = 4, .pod_uid = STR(UID)},
		.keys = r->keys,
		.keys_len = 2};
}

#define BEGIN                                                              \
	"[{\"op\":\"test\",\"path\":\"/status/leader/term\",\"value\":4}," \
	"{\"op\":\"test\",\"path\":\"/status/leader/podUID\",\"value\":\"" UID "\"},"
#define EPOCH_2 "{\"op\":\"test\",\"path\":\"/status/epoch\",\"value\":2},"
#define ROW_0                                                              \
	"{\"op\":\"test\",\"path\":\"/status/keys/0/epoch\",\"value\":1}," \
	"{\"op\":\"test\",\"path\":\"/status/keys/0/state\",\"value\":\"Active\"},"
#define ROW_1                                                              \
	"{\"op\":\"test\",\"path\":\"/status/keys/1/epoch\",\"value\":2}," \
	"{\"op\":\"test\",\"path\":\"/status/keys/1/state\",\"value\":\"Prepared\"},"

static void assert_body(const char *name, const struct buf *b, const char *want)
{
	if (!base_str_eq(base_buf_str(b), base_str(want)))
		fail_msg("%s:\n%.*s\nwanted:\n%s", name, STR_FMT(base_buf_str(b)), want);
}

static void test_take_term(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(AGENT_PATCH_MAX);
	const struct crds_leader me = {.pod = STR("p"),
		.pod_uid = STR(UID),
		.endpoint = STR("10.0.0.1:9471"),
		.since = STR("2026-11-21T10:00:00Z"),
		.incarnation = 2,
		.term = 5};

	(void)state;
	assert_ok("term", agent_patch_take_term(&me, &b, err));
	assert_body("term", &b,
		"{\"status\":{\"leader\":{\"pod\":\"p\",\"podUID\":\"" UID
		"\",\"incarnation\":2,\"term\":5,\"since\":\"2026-11-21T10:00:00Z\","
		"\"endpoint\":\"10.0.0.1:9471\"}}}");
}

static void test_prepare(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(AGENT_PATCH_MAX);
	struct rows r;
	const struct crds_key made = row(3, CRDS_ACTIVE);

	(void)state;
	two_keys(&r);
	assert_ok("orphan", agent_patch_prepare(&r.leader, NULL, &made, &b, err));
	assert_body("an orphan is abandoned in the same write", &b,
		BEGIN EPOCH_2 ROW_1
		"{\"op\":\"add\",\"path\":\"/status/keys/1/state\",\"value\":\"Abandoned\"},"
		"{\"op\":\"add\",\"path\":\"/status/keys/-\",\"value\":"
		"{\"epoch\":3,\"state\":\"Prepared\"}},"
		"{\"op\":\"add\",\"path\":\"/status/epoch\",\"value\":3}]");
	base_buf_clear(&b);
	const struct crds_leader me = {.pod = STR("p"), .pod_uid = STR(UID), .term = 9};
	assert_ok("term", agent_patch_prepare(&r.leader, &me, &made, &b, err));
	assert_body("a term is taken over the one that was", &b,
		BEGIN EPOCH_2
		"{\"op\":\"add\",\"path\":\"/status/leader\",\"value\":{\"pod\":\"p\","
		"\"podUID\":\"" UID "\",\"term\":9}}," ROW_1
		"{\"op\":\"add\",\"path\":\"/status/keys/1/state\",\"value\":\"Abandoned\"},"
		"{\"op\":\"add\",\"path\":\"/status/keys/-\",\"value\":"
		"{\"epoch\":3,\"state\":\"Prepared\"}},"
		"{\"op\":\"add\",\"path\":\"/status/epoch\",\"value\":3}]");
	base_buf_clear(&b);
	struct str revoked[] = {STR(UID), STR(UID_2)};
	struct crds_revocation before[] = {{STR(UID_2), 2}, {STR("gone from the list"), 1}};
	r.leader.revoked = revoked;
	r.leader.revoked_len = ARRAY_LEN(revoked);
	r.leader.revocations = before;
	r.leader.revocations_len = ARRAY_LEN(before);
	assert_ok("revoked", agent_patch_prepare(&r.leader, NULL, &made, &b, err));
	assert_body("who is revoked by now is noted, who was already stays", &b,
		BEGIN EPOCH_2 ROW_1
		"{\"op\":\"add\",\"path\":\"/status/keys/1/state\",\"value\":\"Abandoned\"},"
		"{\"op\":\"add\",\"path\":\"/status/keys/-\",\"value\":"
		"{\"epoch\":3,\"state\":\"Prepared\"}},"
		"{\"op\":\"add\",\"path\":\"/status/revocations\",\"value\":["
		"{\"podUID\":\"" UID "\",\"epoch\":3},{\"podUID\":\"" UID_2 "\",\"epoch\":2}]},"
		"{\"op\":\"add\",\"path\":\"/status/epoch\",\"value\":3}]");
	base_buf_clear(&b);
	r.leader.revoked_len = r.leader.revocations_len = 0;
	r.leader.keys_len = 0;
	r.leader.epoch = 0;
	assert_ok("first", agent_patch_prepare(&r.leader, NULL, &made, &b, err));
	assert_body("the first key makes the list", &b,
		BEGIN "{\"op\":\"add\",\"path\":\"/status/keys\",\"value\":[]},"
		      "{\"op\":\"add\",\"path\":\"/status/keys/-\",\"value\":"
		      "{\"epoch\":3,\"state\":\"Prepared\"}},"
		      "{\"op\":\"add\",\"path\":\"/status/epoch\",\"value\":3}]");
}

static void test_activate(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(AGENT_PATCH_MAX);
	struct rows r;
	struct protocol_action a = {.epoch = 2, .state = CRDS_REVOKED, .reason = "Revoked"};

	(void)state;
	two_keys(&r);
	assert_ok("activate", agent_patch_activate(&r.leader, &a, 1000 * NS_PER_S, &b, err));
	assert_body("both rows change in one write", &b,
		BEGIN EPOCH_2 ROW_0
		"{\"op\":\"add\",\"path\":\"/status/keys/0/state\",\"value\":\"Revoked\"},"
		"{\"op\":\"add\",\"path\":\"/status/keys/0/reason\",\"value\":\"Revoked\"},"
		"{\"op\":\"add\",\"path\":\"/status/keys/0/retiredAt\","
		"\"value\":\"1970-01-01T00:16:40Z\"}," ROW_1
		"{\"op\":\"add\",\"path\":\"/status/keys/1/state\",\"value\":\"Active\"},"
		"{\"op\":\"add\",\"path\":\"/status/keys/1/activatedAt\","
		"\"value\":\"1970-01-01T00:16:40Z\"},"
		"{\"op\":\"add\",\"path\":\"/status/activeEpoch\",\"value\":2}]");
	base_buf_clear(&b);
	struct crds_key three[] = {
		row(1, CRDS_RETIRED), row(2, CRDS_ACTIVE), row(3, CRDS_PREPARED)};
	const struct crds_functionkey all = {.has_leader = true,
		.leader = r.leader.leader,
		.epoch = 3,
		.keys = three,
		.keys_len = 3};
	const struct protocol_action exposed = {.epoch = 3,
		.state = CRDS_RETIRED,
		.reason = "Rotated",
		.epochs = {1, 2, 3},
		.epochs_len = 3};
	assert_ok("exposed", agent_patch_activate(&all, &exposed, 1000 * NS_PER_S, &b, err));
	assert_non_null(strstr((const char *)b.data,
		"{\"op\":\"test\",\"path\":\"/status/keys/0/state\",\"value\":\"Retired\"},"
		"{\"op\":\"add\",\"path\":\"/status/keys/0/state\",\"value\":\"Revoked\"}"));
	assert_non_null(strstr((const char *)b.data, "keys/1/state\",\"value\":\"Retired\""));
	assert_non_null(strstr((const char *)b.data, "keys/2/state\",\"value\":\"Active\""));
	a.epoch = 1;
	assert_class(
		"an Active one", ERR_CONFLICT, agent_patch_activate(&r.leader, &a, 1, &b, err));
	a.epoch = 7;
	assert_class("one that is not there", ERR_CONFLICT,
		agent_patch_activate(&r.leader, &a, 1, &b, err));
}

static void test_prune(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(AGENT_PATCH_MAX);
	struct rows r;

	(void)state;
	two_keys(&r);
	r.keys[0].state = CRDS_RETIRED;
	assert_ok("prune", agent_patch_prune(&r.leader, 1, &b, err));
	assert_body("by place, tested by epoch and state", &b,
		BEGIN EPOCH_2 "{\"op\":\"test\",\"path\":\"/status/keys/0/epoch\",\"value\":1},"
			      "{\"op\":\"test\",\"path\":\"/status/keys/0/state\","
			      "\"value\":\"Retired\"},"
			      "{\"op\":\"remove\",\"path\":\"/status/keys/0\"}]");
	base_buf_clear(&b);
	assert_class("gone", ERR_CONFLICT, agent_patch_prune(&r.leader, 9, &b, err));
}

static void test_grants(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(AGENT_PATCH_MAX);
	struct crds_grant old[3] = {
		{.epoch = 1, .term = 3, .incarnation = 2, .kfrag = STR("b2xk")},
		{.epoch = 2, .term = 3, .incarnation = 2, .kfrag = STR("a2VwdA==")},
		{.epoch = 3, .term = 2, .incarnation = 1, .kfrag = STR("c3RhbGU=")},
	};
	const struct crds_functionkey member = {
		.role = CRDS_MEMBER, .incarnation = 2, .grants = old, .grants_len = 3};
	const struct crds_leader me = {
		.pod = STR("p"), .pod_uid = STR(UID), .incarnation = 1, .term = 4};
	const struct crds_grant now = {
		.epoch = 1, .term = 4, .incarnation = 2, .kfrag = STR("bmV3")};
	const struct crds_certificate certificate = {.text = STR("Y2VydA=="),
		.leader = STR("p"),
		.term = 4,
		.incarnation = 2,
		.expires_ns = 1767323045 * NS_PER_S};
	struct agent_granting granting = {.me = &me, .grants = &now, .n = 1};

	(void)state;
	assert_ok("grants", agent_patch_grants(&member, &granting, &b, err));
	assert_body("its own epoch replaced, others kept, those of a former incarnation dropped",
		&b,
		"{\"status\":{\"leader\":{\"pod\":\"p\",\"podUID\":\"" UID
		"\",\"term\":4,\"incarnation\":1},\"reEncryptionKeys\":["
		"{\"epoch\":1,\"term\":4,\"incarnation\":2,\"kfrag\":\"bmV3\"},"
		"{\"epoch\":2,\"term\":3,\"incarnation\":2,\"kfrag\":\"a2VwdA==\"}]}}");
	base_buf_clear(&b);
	granting = (struct agent_granting){.me = &me, .certificate = &certificate};
	assert_ok("certificate", agent_patch_grants(&member, &granting, &b, err));
	assert_body("a certificate alone leaves the grants as they are", &b,
		"{\"status\":{\"leader\":{\"pod\":\"p\",\"podUID\":\"" UID
		"\",\"term\":4,\"incarnation\":1},\"certificate\":{"
		"\"certificate\":\"Y2VydA==\",\"leader\":\"p\",\"term\":4,\"incarnation\":2,"
		"\"expires\":\"2026-01-02T03:04:05Z\"}}}");
}

/* The list never grows over what the CRD takes. */
static void test_grants_full(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(AGENT_PATCH_MAX);
	struct crds_grant old[CRDS_KEYS_MAX];
	struct crds_functionkey member = {
		.incarnation = 1, .grants = old, .grants_len = CRDS_KEYS_MAX};
	const struct crds_leader me = {.pod = STR("p"), .pod_uid = STR(UID), .term = 4};
	const struct crds_grant now = {.epoch = 99, .term = 4, .incarnation = 1};
	const struct agent_granting granting = {.me = &me, .grants = &now, .n = 1};
	size_t rows = 0;

	(void)state;
	for (size_t i = 0; i < CRDS_KEYS_MAX; i++)
		old[i] = (struct crds_grant){.epoch = (int64_t)i + 1, .term = 1, .incarnation = 1};
	assert_ok("grants", agent_patch_grants(&member, &granting, &b, err));
	for (const char *p = (const char *)b.data; (p = strstr(p, "\"epoch\":")); p++)
		rows++;
	assert_int_equal(rows, CRDS_KEYS_MAX);
	assert_null(strstr((const char *)b.data, "\"epoch\":1,"));
	assert_non_null(strstr((const char *)b.data, "\"epoch\":99,"));
}

static void test_keys(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(AGENT_PATCH_MAX);
	static struct protocol_view v;

	(void)state;
	v = (struct protocol_view){.incarnation = 3};
	v.keeper.receiving.b[0] = v.keeper.identity.b[0] = 2;
	v.keeper.inbox.b[0] = 0xaa;
	v.keeper.next_inbox.b[0] = 0xbb;
	v.keeper.proof.b[0] = 0xcc;
	v.keeper.next_proof.b[0] = 0xdd;
	assert_ok("keys", agent_patch_keys(&v, &b, err));
	assert_non_null(strstr((const char *)b.data, "{\"spec\":{\"incarnation\":3,"));
	assert_non_null(strstr((const char *)b.data, "\"inboxKey\":\"aa00"));
	assert_non_null(strstr((const char *)b.data, "\"proof\":\"cc00"));
	base_buf_clear(&b);
	v.keeper.has_next_inbox = true;
	assert_ok("next", agent_patch_keys(&v, &b, err));
	assert_non_null(strstr((const char *)b.data, "\"inboxKey\":\"bb00"));
	assert_non_null(strstr((const char *)b.data, "\"proof\":\"dd00"));
}

static void test_opened(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(AGENT_PATCH_MAX);
	static struct protocol_view v;
	struct crds_condition was = {.type = STR("Ready"),
		.status = CRDS_TRUE,
		.reason = STR("KeyOpened"),
		.last_transition = STR("2026-01-01T00:00:00Z")};
	struct crds_functionkey own = {.conditions = &was, .conditions_len = 1};
	struct rows r;

	(void)state;
	two_keys(&r);
	v = (struct protocol_view){.wall_ns = 1000 * NS_PER_S,
		.incarnation = 3,
		.synced = true,
		.leader = &r.leader,
		.own = &own};
	v.keeper.held_len = 1;
	v.keeper.held[0].epoch = 1;
	assert_ok("opened", agent_patch_opened(&v, &b, err));
	assert_body("a condition that stays keeps its time", &b,
		"{\"status\":{\"opened\":{\"incarnation\":3,\"epochs\":[{\"epoch\":1,"
		"\"fingerprint\":\"00000000000000000000000000000000\"}]},\"activeEpoch\":1,"
		"\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"reason\":\"KeyOpened\","
		"\"message\":\"This replica opens messages for the active key.\","
		"\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}]}}");
	base_buf_clear(&b);
	v.keeper.held_len = 0;
	assert_ok("lost", agent_patch_opened(&v, &b, err));
	assert_non_null(strstr((const char *)b.data, "\"epochs\":[]"));
	assert_non_null(strstr((const char *)b.data, "\"status\":\"False\""));
	assert_non_null(
		strstr((const char *)b.data, "\"lastTransitionTime\":\"1970-01-01T00:16:40Z\""));
	assert_null(strstr((const char *)b.data, "activeEpoch"));
	base_buf_clear(&b);
	static struct str revoked[] = {STR(UID)};
	static struct crds_functionkey out;
	out = *v.leader;
	out.revoked = revoked;
	out.revoked_len = 1;
	v.leader = &out;
	v.pod_uid = STR(UID);
	assert_ok("revoked", agent_patch_opened(&v, &b, err));
	assert_body("a revoked replica says that, and nothing else", &b,
		"{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\","
		"\"reason\":\"Revoked\",\"message\":\"This pod is on the revision's list of "
		"revoked pods.\",\"lastTransitionTime\":\"1970-01-01T00:16:40Z\"}]}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take_term),
		cmocka_unit_test(test_prepare),
		cmocka_unit_test(test_activate),
		cmocka_unit_test(test_prune),
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_grants_full),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_opened),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
