#include "pkg/base/test.h"

#include "crds/fields.h"
#include "crds/test_records.h"

static struct crds_functionkey *decode(const char *json)
{
	struct crds_functionkey *fk = NULL;

	assert_ok("record", crds_functionkey_decode(base_str(json), &fk, err));
	assert_non_null(fk);
	return fk;
}

#define assert_str(got, want) assert_true(base_str_eq((got), base_str(want)))

static void test_leader(void **state)
{
	(void)state;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = decode(TEST_LEADER_FULL);

	assert_int_equal(fk->role, CRDS_LEADER);
	assert_str(fk->ns, "shop");
	assert_str(fk->name, "orders-1");
	assert_str(fk->uid, TEST_UID);
	assert_str(fk->resource_version, "77");
	assert_str(fk->label_for, "orders-1");
	assert_str(fk->label_function, "orders");
	assert_str(fk->owner_kind, "ReplicaSet");
	assert_str(fk->owner_uid, TEST_UID2);
	assert_int_equal(fk->generation, 3);
	assert_false(fk->deleting);
	assert_int_equal(fk->on_leader_change, CRDS_INHERIT);
	assert_int_equal(fk->retention_min_age_s, 5400);
	assert_int_equal(fk->retention_max_epochs, 5);
	assert_int_equal(fk->rotation_period_s, 86400);
	assert_int_equal(fk->rotation_after_epoch, 7);
	assert_int_equal(fk->erase_through, 1);
	assert_int_equal(fk->revoked_len, 2);
	assert_str(fk->revoked[1], TEST_UID2);
	assert_int_equal(fk->epoch, 3);
	assert_int_equal(fk->active_epoch, 2);
	assert_true(fk->has_leader);
	assert_str(fk->leader.pod, "orders-1-a");
	assert_str(fk->leader.endpoint, "10.0.0.7:9471");
	assert_int_equal(fk->leader.term, 4);
	assert_int_equal(fk->leader.verifying.b[0], 2);
	assert_int_equal(fk->leader.signature.b[63], 0xcd);
	assert_int_equal(fk->members_total, 3);
	assert_int_equal(fk->members_ready, 2);
	assert_int_equal(fk->conditions_len, 1);
	assert_str(fk->conditions[0].message, "nobody \xc3\xbc"
					      "ber");
	assert_int_equal(fk->conditions[0].status, CRDS_FALSE);
}

static void test_keys_are_sorted_and_found(void **state)
{
	(void)state;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = decode(TEST_LEADER_FULL);

	assert_int_equal(fk->keys_len, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(fk->keys[i].epoch, (int64_t)i + 1);
	assert_ptr_equal(crds_key_find(fk, 1), &fk->keys[0]);
	assert_null(crds_key_find(fk, 4));
	assert_ptr_equal(crds_key_active(fk), &fk->keys[1]);
	assert_ptr_equal(crds_key_prepared(fk), &fk->keys[2]);
	assert_str(fk->keys[0].reason, "Rotated");
	assert_int_equal(fk->keys[0].retired_ns, 1767323046 * NS_PER_S);
	assert_int_equal(fk->keys[1].activated_ns, 1767323045 * NS_PER_S);
	assert_false(fk->keys[1].has_link);
	assert_true(fk->keys[2].has_link);
	assert_int_equal(fk->keys[2].previous, 2);
	assert_int_equal(fk->keys[2].key.b[4], 0xaa);
	assert_str(fk->keys[2].leader_pod, "orders-1-a");
}

static void test_member(void **state)
{
	(void)state;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = decode(TEST_MEMBER_FULL);

	assert_int_equal(fk->role, CRDS_MEMBER);
	assert_str(fk->pod_uid, TEST_UID);
	assert_int_equal(fk->incarnation, 2);
	assert_int_equal(fk->inbox.b[4], 2);
	assert_int_equal(fk->grants_len, 2);
	assert_int_equal(fk->grants[0].epoch, 1);
	assert_str(crds_grant_find(fk, 2)->kfrag, "c2VhbGVk");
	assert_null(crds_grant_find(fk, 3));
	assert_true(crds_opened(fk, 2));
	assert_false(crds_opened(fk, 1));
	assert_int_equal(fk->active_epoch, 2);
	assert_false(fk->has_leader);
	assert_true(fk->has_certificate);
	assert_str(fk->certificate.text, "Y2VydA==");
	assert_str(fk->certificate.leader, "orders-1-a");
	assert_int_equal(fk->certificate.issuer.b[4], 0xee);
	assert_int_equal(fk->certificate.term, 4);
	assert_int_equal(fk->certificate.incarnation, 2);
	assert_int_equal(fk->certificate.expires_ns, 1767323045 * NS_PER_S);
	assert_null(crds_condition_find(fk, STR("Ready")));
	/* what another incarnation opened does not count */
	fk->incarnation = 3;
	assert_false(crds_opened(fk, 2));
}

static void test_defaults(void **state)
{
	(void)state;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = decode(TEST_LEADER("", ""));
	_cleanup_(crds_functionkey_free) struct crds_functionkey *zero = decode(TEST_LEADER(
		",\"retention\":{\"minAge\":\"0s\"},\"later\":{\"a\":[1]}", "\"conditions\":null"));

	assert_int_equal(fk->on_leader_change, CRDS_NEW_EPOCH);
	assert_int_equal(fk->retention_min_age_s, 86400);
	assert_int_equal(fk->retention_max_epochs, 12);
	assert_int_equal(fk->rotation_period_s, 0);
	assert_int_equal(fk->epoch, 0);
	assert_int_equal(fk->keys_len, 0);
	assert_null(fk->keys);
	assert_null(crds_key_active(fk));
	assert_int_equal(zero->retention_min_age_s, 0);
}

static const struct {
	const char *name, *json;
	enum err_class want;
	const char *says;
} refused[] = {
	{"empty", "", ERR_INVALID, ""},
	{"no object", "[]", ERR_INVALID, ""},
	{"nothing", "{}", ERR_INVALID, "/metadata/namespace is missing"},
	{"cut off", "{\"metadata\":{\"name\":\"a\"", ERR_INVALID, ""},
	{"unknown role",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\"},\"spec\":{\"role\":"
		"\"King\",\"revision\":\"a\"}}",
		ERR_INVALID, "/spec/role: unknown value 'King'"},
	{"role that is the enum's zero",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\"},\"spec\":{\"role\":"
		"\"Unknown\",\"revision\":\"a\"}}",
		ERR_INVALID, "/spec/role"},
	{"Leader without function",
		"{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\"},\"spec\":{\"role\":"
		"\"Leader\",\"revision\":\"a\",\"scheme\":\"umbral-secp256k1\"}}",
		ERR_INVALID, "/spec/function is missing"},
	{"Leader named otherwise",
		"{\"metadata\":{\"name\":\"b\",\"namespace\":\"b\"},\"spec\":{\"role\":"
		"\"Leader\",\"revision\":\"a\",\"function\":\"f\",\"scheme\":\"s\"}}",
		ERR_INVALID, "record 'b' has to be named 'a'"},
	{"revision is no DNS label",
		"{\"metadata\":{\"name\":\"a/b\",\"namespace\":\"b\"},\"spec\":{\"role\":"
		"\"Leader\",\"revision\":\"a/b\",\"function\":\"f\",\"scheme\":\"s\"}}",
		ERR_INVALID, "cannot name a revision"},
	{"Member without keys",
		"{\"metadata\":{\"name\":\"orders-1-b.3f9a1c07\",\"namespace\":\"b\"},"
		"\"spec\":{\"role\":\"Member\",\"revision\":\"a\",\"pod\":\"orders-1-b\","
		"\"podUID\":\"" TEST_UID "\",\"incarnation\":1}}",
		ERR_INVALID, "/spec/receivingKey is missing"},
	{"Member of another pod", TEST_MEMBER(",\"podUID\":\"" TEST_UID2 "\"", ""), ERR_INVALID,
		"has to be named"},
	{"UID too short", TEST_MEMBER(",\"podUID\":\"3f9a1c07\"", ""), ERR_INVALID, "/spec/podUID"},
	{"key in capitals", TEST_MEMBER(",\"inboxKey\":\"02ABCDEF01" HEX32 HEX8 HEX8 HEX8 "\"", ""),
		ERR_INVALID, "/spec/inboxKey"},
	{"key too short", TEST_MEMBER(",\"inboxKey\":\"02" HEX32 "\"", ""), ERR_INVALID,
		"/spec/inboxKey"},
	{"key too long", TEST_MEMBER(",\"inboxKey\":\"02" HEX128 "\"", ""), ERR_TOO_LARGE, ""},
	{"incarnation negative", TEST_MEMBER(",\"incarnation\":-1", ""), ERR_INVALID,
		"/spec/incarnation"},
	{"incarnation too high", TEST_MEMBER(",\"incarnation\":2147483648", ""), ERR_INVALID,
		"/spec/incarnation"},
	{"incarnation a text", TEST_MEMBER(",\"incarnation\":\"2\"", ""), ERR_INVALID, ""},
	{"incarnation a fraction", TEST_MEMBER(",\"incarnation\":2.5", ""), ERR_INVALID, ""},
	{"duration without unit", TEST_LEADER(",\"retention\":{\"minAge\":\"24\"}", ""),
		ERR_INVALID, "/spec/retention/minAge"},
	{"duration of two units", TEST_LEADER(",\"retention\":{\"minAge\":\"1h30m\"}", ""),
		ERR_INVALID, "/spec/retention/minAge"},
	{"duration that is negative", TEST_LEADER(",\"rotation\":{\"period\":\"-1h\"}", ""),
		ERR_INVALID, "/spec/rotation/period"},
	{"leader without term",
		TEST_LEADER("",
			"\"leader\":{\"pod\":\"p\",\"podUID\":\"" TEST_UID "\",\"incarnation\":1}"),
		ERR_INVALID, "/status/leader"},
	{"certificate without time",
		TEST_MEMBER("",
			"\"certificate\":{\"certificate\":\"AA==\",\"leader\":\"p\",\"term\":1,"
			"\"incarnation\":1}"),
		ERR_INVALID, "/status/certificate"},
	{"key without fingerprint",
		TEST_LEADER("", "\"epoch\":1,\"keys\":[{\"epoch\":1,\"state\":\"Active\"}]"),
		ERR_INVALID, "/status/keys/publicKey is missing"},
	{"key of unknown state",
		TEST_LEADER("", "\"epoch\":1,\"keys\":[" TEST_KEY("1", "Lost", "") "]"),
		ERR_INVALID, "/status/keys/state: unknown value 'Lost'"},
	{"epoch twice",
		TEST_LEADER("", "\"epoch\":2,\"keys\":[" TEST_KEY("1", "Retired", "") "," TEST_KEY(
					"1", "Retired", "") "]"),
		ERR_INVALID, "/status/keys has epoch 1 twice"},
	{"two Active",
		TEST_LEADER("", "\"epoch\":2,\"activeEpoch\":2,\"keys\":[" TEST_KEY(
					"1", "Active", "") "," TEST_KEY("2", "Active", "") "]"),
		ERR_INVALID, "is Active"},
	{"two Prepared",
		TEST_LEADER("", "\"epoch\":2,\"keys\":[" TEST_KEY("1", "Prepared", "") "," TEST_KEY(
					"2", "Prepared", "") "]"),
		ERR_INVALID, "two keys"},
	{"Active is not activeEpoch",
		TEST_LEADER("",
			"\"epoch\":2,\"activeEpoch\":1,\"keys\":[" TEST_KEY("2", "Active", "") "]"),
		ERR_INVALID, "activeEpoch is 1"},
	{"key above epoch",
		TEST_LEADER("", "\"epoch\":1,\"keys\":[" TEST_KEY("2", "Retired", "") "]"),
		ERR_INVALID, "is above 1"},
	{"link forward",
		TEST_LEADER("", "\"epoch\":2,\"keys\":[" TEST_KEY(
					"1", "Retired", ",\"previousEpoch\":2") "]"),
		ERR_INVALID, "links forward"},
	{"time that is none",
		TEST_LEADER("", "\"epoch\":1,\"keys\":[" TEST_KEY(
					"1", "Retired", ",\"retiredAt\":\"now\"") "]"),
		ERR_INVALID, ""},
	{"grant without kfrag",
		TEST_MEMBER("", "\"reEncryptionKeys\":[{\"epoch\":1,\"term\":1,"
				"\"incarnation\":1,\"leader\":\"l\",\"from\":\"" HEX32
				"\",\"to\":\"" HEX32 "\",\"inbox\":\"" HEX32 "\"}]"),
		ERR_INVALID, "/status/reEncryptionKeys/kfrag is missing"},
	{"revoked is no UID", TEST_LEADER(",\"revoked\":[\"x\"]", ""), ERR_INVALID,
		"/spec/revoked"},
	{"revoked is empty text", TEST_LEADER(",\"revoked\":[\"\"]", ""), ERR_INVALID,
		"/spec/revoked"},
	{"revocation of no UID",
		TEST_LEADER("", "\"revocations\":[{\"podUID\":\"x\",\"epoch\":1}]"), ERR_INVALID,
		"/status/revocations/podUID"},
	{"revocation without an epoch",
		TEST_LEADER("", "\"revocations\":[{\"podUID\":\"" TEST_UID "\"}]"), ERR_INVALID,
		"/status/revocations/epoch is missing"},
	{"revocation in epoch 0",
		TEST_LEADER("", "\"revocations\":[{\"podUID\":\"" TEST_UID "\",\"epoch\":0}]"),
		ERR_INVALID, "/status/revocations/epoch"},
	{"trailing bytes", TEST_LEADER("", "") "x", ERR_INVALID, ""},
};

static void test_refused(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct crds_functionkey *fk = NULL;
		struct err err = {0};
		const int r = crds_functionkey_decode(base_str(refused[i].json), &fk, &err);
		if (r != -(int)refused[i].want || !strstr(err.msg, refused[i].says))
			fail_msg("%s: wanted %s '%s', got %s '%s'", refused[i].name,
				base_err_class_name(refused[i].want), refused[i].says,
				base_err_class_name((enum err_class) - r), err.msg);
		assert_null(fk);
	}
}

/* n copies of one element do not fit. */
static void refuse_many(const char *name, const char *head, const char *element, size_t n)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CRDS_OBJECT_MAX);
	struct crds_functionkey *fk = NULL;

	assert_ok(name, base_buf_add_str(&b, base_str(head), err));
	for (size_t i = 0; i < n; i++) {
		assert_ok(name, base_buf_add_str(&b, i ? STR(",") : STR(""), err));
		assert_ok(name, base_buf_add_str(&b, base_str(element), err));
	}
	assert_ok(name, base_buf_add_str(&b, STR("]}}"), err));
	assert_class(name, ERR_TOO_LARGE, crds_functionkey_decode(base_buf_str(&b), &fk, err));
}

static void test_too_many(void **state)
{
	(void)state;
	refuse_many(
		"keys", "{\"status\":{\"keys\":[", TEST_KEY("1", "Retired", ""), CRDS_KEYS_MAX + 1);
	refuse_many("grants", "{\"status\":{\"reEncryptionKeys\":[", TEST_GRANT("1"),
		CRDS_KEYS_MAX + 1);
	refuse_many("conditions", "{\"status\":{\"conditions\":[", "{\"type\":\"a\"}",
		CRDS_CONDITIONS_MAX + 1);
	refuse_many("revoked", "{\"x\":{\"y\":[]},\"spec\":{\"revoked\":[", "\"" TEST_UID "\"",
		CRDS_REVOKED_MAX + 1);
	refuse_many("revocations", "{\"status\":{\"revocations\":[",
		"{\"podUID\":\"" TEST_UID "\",\"epoch\":1}", CRDS_REVOKED_MAX + 1);

	_cleanup_(base_buf_done) struct buf b = base_buf(CRDS_OBJECT_MAX + 1);
	uint8_t *p = NULL;
	struct crds_functionkey *fk = NULL;
	assert_ok("big", base_buf_room(&b, CRDS_OBJECT_MAX + 1, &p, err));
	memset(p, ' ', CRDS_OBJECT_MAX + 1);
	base_buf_added(&b, CRDS_OBJECT_MAX + 1);
	assert_class("big", ERR_TOO_LARGE, crds_functionkey_decode(base_buf_str(&b), &fk, err));
}

/* A Leader object of ours, decoded, says what it was made from. */
static void test_leader_json(void **state)
{
	(void)state;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *from = decode(TEST_LEADER_FULL);
	_cleanup_(base_buf_done) struct buf b = base_buf(CRDS_OBJECT_MAX);

	assert_ok("encode", crds_leader_json(from, &b, err));
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = decode((const char *)b.data);
	assert_int_equal(fk->role, CRDS_LEADER);
	assert_str(fk->name, "orders-1");
	assert_str(fk->owner_api_version, "apps/v1");
	assert_str(fk->owner_name, "orders-1");
	assert_str(fk->label_for, "orders-1");
	assert_str(fk->label_function, "orders");
	assert_str(fk->scheme, "umbral-secp256k1");
	assert_int_equal(fk->on_leader_change, CRDS_INHERIT);
	assert_int_equal(fk->retention_min_age_s, 5400);
	assert_int_equal(fk->rotation_after_epoch, 7);
	assert_int_equal(fk->erase_through, 1);
	assert_int_equal(fk->revoked_len, 2);
	assert_int_equal(fk->keys_len, 0);
}

static void test_member_json(void **state)
{
	(void)state;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *from = decode(TEST_MEMBER_FULL);
	_cleanup_(base_buf_done) struct buf b = base_buf(CRDS_OBJECT_MAX);

	assert_ok("encode", crds_member_json(from, from->pod_uid, &b, err));
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = decode((const char *)b.data);
	assert_str(fk->owner_kind, "Pod");
	assert_str(fk->owner_uid, TEST_UID);
	assert_str(fk->label_for, TEST_UID);
	assert_int_equal(fk->incarnation, 2);
	assert_memory_equal(&fk->receiving, &from->receiving, sizeof(fk->receiving));
	assert_memory_equal(&fk->proof, &from->proof, sizeof(fk->proof));
	assert_int_equal(fk->grants_len, 0);
}

/* Pieces of a status, put into a record and decoded again. */
static void test_status_json(void **state)
{
	(void)state;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *leader = decode(TEST_LEADER_FULL);
	_cleanup_(crds_functionkey_free) struct crds_functionkey *member = decode(TEST_MEMBER_FULL);
	_cleanup_(base_buf_done) struct buf b = base_buf(CRDS_OBJECT_MAX);
	_cleanup_(base_buf_done) struct buf m = base_buf(CRDS_OBJECT_MAX);

	assert_ok(
		"head", base_buf_add_str(&b,
				STR("{\"metadata\":{\"name\":\"orders-1\",\"namespace\":\"shop\"},"
				    "\"spec\":{\"role\":\"Leader\",\"revision\":\"orders-1\","
				    "\"function\":\"f\",\"scheme\":\"s\"},\"status\":{"
				    "\"epoch\":3,\"activeEpoch\":2,\"leader\":"),
				err));
	assert_ok("leader", crds_leader_status_json(&leader->leader, &b, err));
	assert_ok("comma", base_buf_add_str(&b, STR(",\"keys\":"), err));
	assert_ok("keys", crds_keys_json(leader->keys, leader->keys_len, &b, err));
	assert_ok("end", base_buf_add_str(&b, STR("}}"), err));
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = decode((const char *)b.data);
	assert_str(fk->leader.since, "2026-01-02T03:04:05Z");
	assert_int_equal(fk->leader.incarnation, 1);
	assert_memory_equal(
		&fk->leader.signature, &leader->leader.signature, sizeof(fk->leader.signature));
	assert_int_equal(fk->keys_len, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fk->keys[i].state, leader->keys[i].state);
		assert_int_equal(fk->keys[i].retired_ns, leader->keys[i].retired_ns);
		assert_int_equal(fk->keys[i].has_link, leader->keys[i].has_link);
		assert_memory_equal(
			&fk->keys[i].link, &leader->keys[i].link, sizeof(fk->keys[i].link));
	}

	assert_ok("grant", crds_grant_json(&member->grants[0], &m, err));
	assert_string_equal((const char *)m.data, TEST_GRANT("1"));
	base_buf_clear(&m);
	assert_ok("certificate", crds_certificate_json(&member->certificate, &m, err));
	assert_string_equal((const char *)m.data, TEST_CERTIFICATE + strlen("\"certificate\":"));
	base_buf_clear(&m);
	leader->keys[2].has_link = false;
	assert_ok("key", crds_key_json(&leader->keys[2], &m, err));
	assert_null(strstr((const char *)m.data, "link"));
	assert_null(strstr((const char *)m.data, "previousEpoch"));
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {{"0s", 0}, {"1s", 1}, {"59s", 59}, {"61s", 61}, {"1m", 60}, {"90m", 5400},
		{"24h", 86400}, {"9999h", 35996400}, {"600000m", 36000000}};
	static const char *const bad[] = {"", "s", "1", "1d", "01h", "10000h", "1000000m",
		"100000000s", " 1s", "1s ", "1.5h", "-1s"};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t seconds = -1;
		char text[CRDS_DURATION_LEN];
		assert_ok(rows[i].text, crds_duration_parse(base_str(rows[i].text), &seconds, err));
		assert_int_equal(seconds, rows[i].seconds);
		assert_ok(rows[i].text, crds_duration_format(seconds, text, err));
		assert_string_equal(text, rows[i].text);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t seconds = -1;
		assert_class(
			bad[i], ERR_INVALID, crds_duration_parse(base_str(bad[i]), &seconds, err));
		assert_int_equal(seconds, -1);
	}
	char text[CRDS_DURATION_LEN];
	assert_class("negative", ERR_INVALID, crds_duration_format(-1, text, err));
	assert_class("too long", ERR_INVALID, crds_duration_format(INT64_MAX, text, err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leader),
		cmocka_unit_test(test_keys_are_sorted_and_found),
		cmocka_unit_test(test_member),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_leader_json),
		cmocka_unit_test(test_member_json),
		cmocka_unit_test(test_status_json),
		cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
