#include "cli/check.h"
#include "pkg/base/test.h"

#include <glob.h>

#define NOW (1000000 * NS_PER_S)

static void expect(
	const char *row, const struct cli_report *r, enum cli_verdict verdict, const char *says)
{
	if (r->n != 1 || r->lines[0].verdict != verdict || !strstr(r->lines[0].says.p, says))
		fail_msg("%s: %zu lines, '%s'", row, r->n, r->n ? r->lines[0].says.p : "");
	if (verdict == CLI_WRONG && !r->lines[0].fix.n)
		fail_msg("%s: says what is wrong but not what to do", row);
}

static void test_versions(void **state)
{
	static const struct {
		const char *major, *minor;
		enum cli_verdict verdict;
		int64_t means;
	} rows[] = {
		{"1", "36", CLI_GOOD, 36},
		{"1", "30", CLI_GOOD, 30},
		{"1", "31+", CLI_GOOD, 31},
		{"1", "29", CLI_WRONG, 29},
		{"2", "0", CLI_DOUBT, 0},
		{"1", "", CLI_DOUBT, 0},
		{"", "36", CLI_DOUBT, 0},
		{"1", "3x6", CLI_DOUBT, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_arena_free) struct arena *arena = NULL;
		const struct cli_version v = {.text = STR("v1"),
			.major = base_str(rows[i].major),
			.minor = base_str(rows[i].minor)};
		int64_t minor = -1;
		assert_ok("arena", base_arena_new(65536, &arena, err));
		struct cli_report report = {.arena = arena};
		assert_ok("check", cli_check_version(&v, &report, &minor, err));
		expect(rows[i].minor, &report, rows[i].verdict, "v1");
		assert_int_equal(minor, rows[i].means);
	}
}

static void test_leases(void **state)
{
	static const struct {
		const char *holder;
		int64_t ago_s;
		enum cli_verdict verdict;
		const char *says;
	} rows[] = {
		{"a_b_1", 5, CLI_GOOD, "is active"},
		{"a_b_1", 30, CLI_GOOD, "is active"},
		{"a_b_1", 31, CLI_WRONG, "31s ago"},
		{"", 1, CLI_WRONG, "nobody"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_arena_free) struct arena *arena = NULL;
		const struct cli_lease lease = {.holder = base_str(rows[i].holder),
			.duration_s = 15,
			.renewed_ns = NOW - rows[i].ago_s * NS_PER_S};
		assert_ok("arena", base_arena_new(65536, &arena, err));
		struct cli_report report = {.arena = arena};
		assert_ok("check", cli_check_lease(&lease, NOW, &report, err));
		expect(rows[i].says, &report, rows[i].verdict, rows[i].says);
	}
}

static void test_many_lines(void **state)
{
	_cleanup_(base_arena_free) struct arena *arena = NULL;

	(void)state;
	assert_ok("arena", base_arena_new(1u << 20, &arena, err));
	struct cli_report report = {.arena = arena};
	for (size_t i = 0; i < CLI_LINES_MAX; i++)
		assert_ok("line", cli_report_add(&report, CLI_WRONG, "x", NULL, err, "y"));
	assert_class(
		"one more", ERR_TOO_LARGE, cli_report_add(&report, CLI_WRONG, "x", NULL, err, "y"));
	assert_int_equal(cli_report_wrong(&report), CLI_LINES_MAX);
}

static void test_report(void **state)
{
	_cleanup_(base_arena_free) struct arena *arena = NULL;
	_cleanup_(base_buf_done) struct buf text = base_buf(4096);
	_cleanup_(base_buf_done) struct buf json = base_buf(4096);

	(void)state;
	assert_ok("arena", base_arena_new(65536, &arena, err));
	struct cli_report report = {.arena = arena};
	assert_ok("line", cli_report_add(&report, CLI_GOOD, "a", NULL, err, "fine"));
	assert_ok("line", cli_report_add(&report, CLI_WRONG, "b", "mend it", err, "%s\n", "bad"));
	assert_ok("text", cli_report_text(&report, &text, err));
	assert_string_equal((char *)text.data, "ok    a: fine\nFAIL  b: bad?\n      -> mend it\n");
	assert_ok("json", cli_report_json(&report, &json, err));
	assert_string_equal((char *)json.data,
		"{\"ok\":false,\"lines\":[{\"verdict\":\"ok\",\"what\":\"a\",\"says\":\"fine\"},"
		"{\"verdict\":\"fail\",\"what\":\"b\",\"says\":\"bad\\u000a\",\"fix\":\"mend "
		"it\"}]}");
	assert_string_equal(cli_report_first_wrong(&report)->what.p, "b");
}

static bool is_listed(const char *name)
{
	for (size_t i = 0; cli_check_policies[i].name; i++)
		if (strcmp(cli_check_policies[i].name, name) == 0)
			return true;
	return false;
}

/* The names of the policies that a manifest installs. */
static size_t compare(const char *path)
{
	char line[4096], name[254] = "";
	bool policy = false;
	size_t n = 0;
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "kind: ", 6) == 0)
			policy = strcmp(line, "kind: ValidatingAdmissionPolicy\n") == 0;
		if (!policy || sscanf(line, "  name: %253s", name) != 1)
			continue;
		if (!is_listed(name))
			fail_msg("%s: check does not know policy %s", path, name);
		policy = false;
		n++;
	}
	(void)fclose(f);
	return n;
}

static void test_policies_are_those_of_the_manifests(void **state)
{
	glob_t files = {0};
	size_t found = 0, listed = 0;

	(void)state;
	while (cli_check_policies[listed].name)
		listed++;
	assert_int_equal(glob("manifests/base/*.yaml", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		found += compare(files.gl_pathv[i]);
	globfree(&files);
	assert_int_equal(found, listed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_leases),
		cmocka_unit_test(test_many_lines),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_policies_are_those_of_the_manifests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
