#include "cli/ask.h"
#include "cli/encrypt.h"
#include "crds/test_records.h"
#include "pkg/base/test.h"

static void load(const char *json, struct crds_functionkey **ret)
{
	assert_ok("record", crds_functionkey_decode(base_str(json), ret, err));
}

static void test_renew(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(4096);
	_cleanup_(crds_functionkey_free) struct crds_functionkey *full = NULL;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *empty = NULL;

	(void)state;
	load(TEST_LEADER_FULL, &full);
	load(TEST_LEADER("", ""), &empty);
	assert_ok("renew", cli_ask_renew(full, &b, err));
	assert_string_equal((char *)b.data, "{\"metadata\":{\"uid\":\"" TEST_UID
					    "\"},\"spec\":{\"rotation\":{\"afterEpoch\":2}}}");
	assert_class("no key", ERR_NOT_READY, cli_ask_renew(empty, &b, err));
}

static void test_retire(void **state)
{
	static const struct {
		const char *name;
		int64_t epoch;
		enum err_class class;
	} rows[] = {
		{"over", 1, ERR_OK},
		{"active", 2, ERR_NOT_READY},
		{"prepared", 3, ERR_NOT_READY},
		{"never was", 4, ERR_NOT_FOUND},
		{"none", 0, ERR_INVALID},
	};
	_cleanup_(crds_functionkey_free) struct crds_functionkey *full = NULL;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *empty = NULL;
	_cleanup_(base_buf_done) struct buf listed = base_buf(64);

	(void)state;
	load(TEST_LEADER_FULL, &full);
	load(TEST_LEADER("", ""), &empty);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf b = base_buf(4096);
		const int r = cli_ask_retire(full, rows[i].epoch, &b, NULL);
		if (r != -(int)rows[i].class)
			fail_msg("%s: %d", rows[i].name, r);
		if (r == 0)
			assert_string_equal((char *)b.data, "{\"metadata\":{\"uid\":\"" TEST_UID
							    "\"},\"spec\":{\"eraseThrough\":1}}");
	}
	assert_class("no key", ERR_NOT_FOUND, cli_ask_retire(empty, 1, &listed, err));
	assert_ok("listed", cli_ask_listed(full, 2, &listed, err));
	assert_string_equal((char *)listed.data, "1, 2");
	base_buf_clear(&listed);
	assert_ok("none", cli_ask_listed(full, 0, &listed, err));
	assert_int_equal(listed.len, 0);
}

static void test_revoke(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(8192);
	_cleanup_(crds_functionkey_free) struct crds_functionkey *full = NULL;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *empty = NULL;
	struct str many[CRDS_REVOKED_MAX];
	const struct str other = STR("bbbbbbbb-1111-4222-8333-444455556666");

	(void)state;
	load(TEST_LEADER_FULL, &full);
	load(TEST_LEADER("", ""), &empty);
	assert_ok("another", cli_ask_revoke(full, other, &b, err));
	assert_string_equal((char *)b.data,
		"{\"metadata\":{\"uid\":\"" TEST_UID "\",\"resourceVersion\":\"77\"},"
		"\"spec\":{\"revoked\":[\"" TEST_UID "\",\"" TEST_UID2 "\","
		"\"bbbbbbbb-1111-4222-8333-444455556666\"],\"rotation\":{\"afterEpoch\":2}}}");
	base_buf_clear(&b);
	assert_ok("without a key", cli_ask_revoke(empty, other, &b, err));
	assert_string_equal((char *)b.data,
		"{\"metadata\":{\"uid\":\"" TEST_UID "\",\"resourceVersion\":\"77\"},"
		"\"spec\":{\"revoked\":[\"bbbbbbbb-1111-4222-8333-444455556666\"]}}");
	assert_class("again", ERR_EXISTS, cli_ask_revoke(full, STR(TEST_UID), &b, err));
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = STR(TEST_UID);
	const struct crds_functionkey at_most = {
		.revoked = many, .revoked_len = ARRAY_LEN(many), .revision = STR("r")};
	assert_class("one too many", ERR_TOO_LARGE, cli_ask_revoke(&at_most, other, &b, err));
}

static void test_member(void **state)
{
	struct crds_functionkey a = {
		.role = CRDS_MEMBER, .pod = STR("p-0"), .name = STR("p-0.aaaaaaaa")};
	struct crds_functionkey b = {
		.role = CRDS_MEMBER, .pod = STR("p-0"), .name = STR("p-0.bbbbbbbb")};
	struct crds_functionkey c = {
		.role = CRDS_MEMBER, .pod = STR("p-1"), .name = STR("p-1.cccccccc")};
	struct crds_functionkey l = {.role = CRDS_LEADER, .name = STR("r")};
	struct crds_functionkey *v[] = {&l, &a, &b, &c};
	const struct cli_records r = {.v = v, .n = ARRAY_LEN(v)};
	const struct crds_functionkey *found = NULL;

	(void)state;
	assert_ok("by pod", cli_ask_member(&r, STR("p-1"), &found, err));
	assert_ptr_equal(found, &c);
	assert_ok("by record", cli_ask_member(&r, STR("p-0.bbbbbbbb"), &found, err));
	assert_ptr_equal(found, &b);
	assert_class("two pods", ERR_INVALID, cli_ask_member(&r, STR("p-0"), &found, err));
	assert_class("a Leader", ERR_NOT_FOUND, cli_ask_member(&r, STR("r"), &found, err));
	assert_class("nobody", ERR_NOT_FOUND, cli_ask_member(&r, STR(""), &found, err));
}

static void test_to(void **state)
{
	static const struct {
		const char *to, *ns, *function; /* NULL: refused */
	} rows[] = {
		{"billing", "home", "billing"},
		{"shop/billing", "shop", "billing"},
		{"", NULL, NULL},
		{"/billing", NULL, NULL},
		{"shop/", NULL, NULL},
		{"a/b/c", NULL, NULL},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, NULL},
	};
	char ns[64], function[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const int r = cli_encrypt_to(base_str(rows[i].to), STR("home"), ns, function, NULL);
		if ((r == 0) != (rows[i].ns != NULL))
			fail_msg("%s: %d", rows[i].to, r);
		if (rows[i].ns && rows[i].function &&
			(strcmp(ns, rows[i].ns) != 0 || strcmp(function, rows[i].function) != 0))
			fail_msg("%s: %s/%s", rows[i].to, ns, function);
	}
}

static void test_expected(void **state)
{
	_cleanup_(crds_functionkey_free) struct crds_functionkey *full = NULL;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *empty = NULL;

	(void)state;
	load(TEST_LEADER_FULL, &full);
	load(TEST_LEADER("", ""), &empty);
	assert_ok("any", cli_encrypt_expected(full, STR(""), err));
	assert_ok("this", cli_encrypt_expected(full, STR(HEX32), err));
	assert_class("another", ERR_TAMPERED,
		cli_encrypt_expected(full, STR("1123abcd" HEX8 HEX8 HEX8), err));
	assert_class("a part of it", ERR_TAMPERED, cli_encrypt_expected(full, STR(HEX8), err));
	assert_ok("no key: nothing is sealed to it", cli_encrypt_expected(empty, STR(HEX8), err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_renew),
		cmocka_unit_test(test_retire),
		cmocka_unit_test(test_revoke),
		cmocka_unit_test(test_member),
		cmocka_unit_test(test_to),
		cmocka_unit_test(test_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
