#include "pkg/base/test.h"

#include "crds/functionkey.h"

#include <stdio.h>

#define UID "3f9a1c07-1111-4222-8333-444455556666"
#define A50 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
#define A240                                                             \
	"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee" A50 A50 A50 \
	"0123456789012345678901234567890123456789"

/* The rows of a file that e2e/api also gives to the API server, whose CEL must answer the same. */
#define REVISIONS_FILE "crds/testdata/revisions.tsv"

static void check_revision_row(struct str line)
{
	char got[CRDS_REVISION_MAX + 1];
	char name[256];
	const size_t tab = base_str_find(line, '\t', 0);

	assert_ok(
		"name", base_str_copy(base_str_sub(line, 0, tab), name, sizeof(name), "name", err));
	assert_ok(name, crds_revision_key(base_str(name), STR(UID), got, err));
	if (!base_str_eq(base_str(got), base_str_sub(line, tab + 1, line.n)))
		fail_msg("%s: got %s", name, got);
	assert_true(strlen(got) <= CRDS_REVISION_MAX);
}

static void test_revision_key(void **state)
{
	char line[512];
	size_t rows = 0;
	FILE *f = fopen(REVISIONS_FILE, "re");
	(void)state;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		check_revision_row(base_str_trim(base_str(line)));
		rows++;
	}
	(void)fclose(f);
	assert_true(rows >= 10);
}

static void test_revision_key_refused(void **state)
{
	static const char *const names[] = {"", "-a", "A", "a/b", "a_b", "a.", ".."};
	char got[CRDS_REVISION_MAX + 1] = "untouched";
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_class(names[i], ERR_INVALID,
			crds_revision_key(base_str(names[i]), STR(UID), got, err));
		assert_string_equal(got, "untouched");
	}
	assert_class("bad UID", ERR_INVALID, crds_revision_key(STR("a.b"), STR("x"), got, err));
	/* a short name needs no UID */
	assert_ok("no UID", crds_revision_key(STR("a-b"), STR_NULL, got, err));
	assert_string_equal(got, "a-b");
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

static void test_leadership(void **state)
{
	char got[CRDS_LEADERSHIP_MAX];
	(void)state;

	crds_leadership(STR("shop"), STR("orders-1"), 7, got);
	assert_string_equal(got, "shop/orders-1@7");
	/* the longest there can be, and what is longer than that */
	crds_leadership(STR(A50 "1234567890123"), STR(A50 "12"), INT64_MAX, got);
	assert_string_equal(got, A50 "1234567890123/" A50 "12@9223372036854775807");
	crds_leadership(STR(A240), STR(A240), INT64_MIN, got);
	assert_true(strlen(got) < CRDS_LEADERSHIP_MAX);
	assert_true(base_str_ends(base_str(got), STR("@-9223372036854775808")));
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
		cmocka_unit_test(test_revision_key_refused),
		cmocka_unit_test(test_member_name),
		cmocka_unit_test(test_function_key),
		cmocka_unit_test(test_leadership),
		cmocka_unit_test(test_state_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
