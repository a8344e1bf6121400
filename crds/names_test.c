#include "pkg/base/test.h"

#include "crds/functionkey.h"

#define UID "3f9a1c07-1111-4222-8333-444455556666"
#define A50 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
#define A240                                                             \
	"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee" A50 A50 A50 \
	"0123456789012345678901234567890123456789"

static void test_revision_key(void **state)
{
	/* the same rows as e2e/api/testdata/revisions.tsv, where the API server's CEL answers */
	static const struct {
		const char *name, *want; /* NULL: INVALID */
	} rows[] = {
		{"orders-6c9f7d5b8", "orders-6c9f7d5b8"},
		{"a", "a"},
		{A50 "12", A50 "12"},
		{A50 "123", "aaaaaaaaaabbbbbbbbbbcccccccccc-3f9a1c0711-eeeeeee123"},
		{"web.shop-6c9f", "web-shop-6c9f-3f9a1c0711--shop-6c9f"},
		{"a.b", "a-b-3f9a1c0711-a-b"},
		{A50 "-first-5d8f7c9b6f", "aaaaaaaaaabbbbbbbbbbcccccccccc-3f9a1c0711-5d8f7c9b6f"},
		{A50 "-first-77b5c9d4f", "aaaaaaaaaabbbbbbbbbbcccccccccc-3f9a1c0711--77b5c9d4f"},
		{"", NULL},
		{"-a", NULL},
		{"A", NULL},
		{"a/b", NULL},
		{"a_b", NULL},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char got[CRDS_REVISION_MAX + 1] = "untouched";
		if (!rows[i].want) {
			assert_class(rows[i].name, ERR_INVALID,
				crds_revision_key(base_str(rows[i].name), STR(UID), got, err));
			assert_string_equal(got, "untouched");
			continue;
		}
		assert_ok(rows[i].name,
			crds_revision_key(base_str(rows[i].name), STR(UID), got, err));
		assert_string_equal(got, rows[i].want);
		assert_true(strlen(got) <= CRDS_REVISION_MAX);
	}
	char got[CRDS_REVISION_MAX + 1];
	assert_class("bad UID", ERR_INVALID, crds_revision_key(STR("a.b"), STR("x"), got, err));
	/* a short name needs no UID */
	assert_ok("no UID", crds_revision_key(STR("a-b"), STR_NULL, got, err));
}

static void test_member_name(void **state)
{
	static const struct {
		const char *pod, *uid, *want;
	} rows[] = {
		{"orders-1-b", UID, "orders-1-b.3f9a1c07"},
		{"a.b", UID, "a.b.3f9a1c07"},
		{A240 "abcd", UID, A240 "abcd.3f9a1c07"},
		{A240 "abcde", UID, A240 "abcx.3f9a1c07"},
		{A240 "ab..efghi", UID, A240 "ab.x.3f9a1c07"},
		{"", UID, NULL},
		{"a/b", UID, NULL},
		{"..", UID, NULL},
		{"a", "", NULL},
		{"a", "3f9a1c07-1111-4222-8333-44445555666", NULL},
		{"a", "3F9A1C07-1111-4222-8333-444455556666", NULL},
		{"a", "3f9a1c07x1111-4222-8333-444455556666", NULL},
		{A240 "abcdefghijklmn", UID, NULL},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char got[CRDS_NAME_MAX] = "untouched";
		const struct str pod = base_str(rows[i].pod), uid = base_str(rows[i].uid);
		if (!rows[i].want) {
			assert_class(
				rows[i].pod, ERR_INVALID, crds_member_name(pod, uid, got, err));
			assert_string_equal(got, "untouched");
			continue;
		}
		assert_ok(rows[i].pod, crds_member_name(pod, uid, got, err));
		assert_string_equal(got, rows[i].want);
		assert_true(strlen(got) < CRDS_NAME_MAX);
	}
}

static void test_function_key(void **state)
{
	char got[CRDS_FUNCTION_MAX + 1];
	(void)state;

	assert_ok("short", crds_function_key(STR("orders.v1"), got, err));
	assert_string_equal(got, "orders.v1");
	assert_ok("63", crds_function_key(STR(A50 "1234567890123"), got, err));
	assert_string_equal(got, A50 "1234567890123");
	assert_ok("64", crds_function_key(STR(A50 "12345678901-34"), got, err));
	assert_string_equal(got, A50 "12345678901-x");
	assert_class("none", ERR_INVALID, crds_function_key(STR(""), got, err));
	assert_class("odd", ERR_INVALID, crds_function_key(STR("A b"), got, err));
}

static void test_state_names(void **state)
{
	(void)state;
	assert_string_equal(crds_key_state_name(CRDS_REVOKED), "Revoked");
	assert_string_equal(crds_key_state_name((enum crds_key_state)99), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_revision_key),
		cmocka_unit_test(test_member_name),
		cmocka_unit_test(test_function_key),
		cmocka_unit_test(test_state_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
