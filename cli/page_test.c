#include "cli/page.h"
#include "cli/session.h"
#include "pkg/base/test.h"

static void check(const char *row, const struct buf *b, const char *want)
{
	if (!base_str_eq(base_buf_str(b), base_str(want)))
		fail_msg("%s: '%.*s' is not '%s'", row, STR_FMT(base_buf_str(b)), want);
}

/* What the cluster says must not move the cursor of who reads it. */
static void test_text(void **state)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{"plain, with \xc3\xbc", "plain, with \xc3\xbc"},
		{"\x1b[2Jgone", "?[2Jgone"},
		{"two\nlines\t", "two?lines?"},
		{"\x7f\xc2\x9b", "??"},
		{"\xff\xfe", "??"},
		{"right\xe2\x80\xae to left", "right? to left"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf b = base_buf(1024);
		assert_ok("text", cli_page_text(&b, base_str(rows[i].text), err));
		check("text", &b, rows[i].shown);
	}
}

static void test_table(void **state)
{
	_cleanup_(base_arena_free) struct arena *arena = NULL;
	_cleanup_(base_buf_done) struct buf b = base_buf(1024);
	static const char *const cells[] = {
		"NAME", "N", "\xc3\xbc", "", "longer", "\x1b", "x", "yy"};

	(void)state;
	assert_ok("arena", base_arena_new(65536, &arena, err));
	struct cli_table t = {.arena = arena, .columns = 2};
	for (size_t i = 0; i < ARRAY_LEN(cells); i++)
		assert_ok("cell", cli_table_cell(&t, base_str(cells[i]), err));
	assert_ok("end", cli_table_end(&t, " ", &b, err));
	check("table", &b, " NAME    N\n \xc3\xbc       -\n longer  ?\n x       yy\n");
}

static void test_age(void **state)
{
	static const struct {
		int64_t s;
		const char *shown;
	} rows[] = {{-5, "0s"}, {119, "119s"}, {120, "2m"}, {7199, "119m"}, {7200, "2h"},
		{172799, "47h"}, {172800, "2d"}};
	char age[CLI_AGE_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cli_age((1000000 + rows[i].s) * NS_PER_S, 1000000 * NS_PER_S, age);
		assert_string_equal(age, rows[i].shown);
	}
	cli_age(NS_PER_S, 0, age);
	assert_string_equal(age, "-");
}

static void test_documents(void **state)
{
	static const struct {
		const char *json, *yaml; /* NULL: refused */
	} rows[] = {
		{"{}", "{}\n"},
		{"[]", "[]\n"},
		{"{\"a\":1,\"b\":[],\"c\":{}}", "a: 1\nb: []\nc: {}\n"},
		{"{\"a\":{\"b\":[{\"c\":\"x\",\"d\":[1,null]},{}],\"e\":true}}",
			"a:\n  b:\n  - c: x\n    d:\n    - 1\n    - null\n  - {}\n  e: true\n"},
		/* What YAML would read as something else. */
		{"{\"a\":\"\",\"b\":\"1\",\"c\":\"true\",\"d\":\"a: b\",\"e\":\"- "
		 "x\",\"f\":\"no\"}",
			"a: \"\"\nb: \"1\"\nc: \"true\"\nd: \"a: b\"\ne: \"- x\"\nf: \"no\"\n"},
		{"{\"a\":\"x\\ny\",\"b\":\"x \",\"c\":\"#\",\"y\":\"x y/z\"}",
			"a: \"x\\u000ay\"\nb: \"x \"\nc: \"#\"\n\"y\": x y/z\n"},
		/* Controls that JSON lets pass: C1, DEL, and what turns text round. */
		{"{\"a\":\"x\xc2\x9b\xc2\x85y\xc3\xa9\",\"b\":\"\x7f\xe2\x80\xae\"}",
			"a: \"x\\u009b\\u0085y\xc3\xa9\"\nb: \"\\u007f\\u202e\"\n"},
		{"{\"a\":[[1]]}", NULL},
		{"{\"a\":", NULL},
		{"{} x", NULL},
		{"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf b = base_buf(4096);
		const int r = cli_page_document(&b, base_str(rows[i].json), CLI_YAML, NULL);
		if ((r == 0) != (rows[i].yaml != NULL))
			fail_msg("%s: %d", rows[i].json, r);
		if (r == 0)
			check(rows[i].json, &b, rows[i].yaml);
	}
}

static void test_json(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(4096);

	(void)state;
	assert_ok("json",
		cli_page_document(&b, STR("{\"a\":\"\xc2\x9bx\\n\xc3\xa9\xff\"}"), CLI_JSON, err));
	check("json", &b, "{\"a\":\"\\u009bx\\n\xc3\xa9\xff\"}\n");
}

static void test_exit_codes(void **state)
{
	static const struct {
		enum err_class class;
		int detail;
		enum cli_exit code;
	} rows[] = {
		{ERR_INVALID, 0, CLI_USAGE},
		{ERR_INVALID, 422, CLI_NOT_READY},
		{ERR_DENIED, 0, CLI_UNREACHABLE},
		{ERR_DENIED, 401, CLI_UNREACHABLE},
		{ERR_DENIED, 403, CLI_NOT_READY},
		{ERR_TRANSIENT, 0, CLI_UNREACHABLE},
		{ERR_TRANSIENT, 503, CLI_UNREACHABLE},
		{ERR_TAMPERED, 0, CLI_UNVERIFIED},
		{ERR_NOT_FOUND, 404, CLI_NOT_READY},
		{ERR_NOT_READY, 0, CLI_NOT_READY},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct err why = {.class = rows[i].class, .detail = rows[i].detail};
		assert_int_equal(cli_exit_of(&why), rows[i].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
