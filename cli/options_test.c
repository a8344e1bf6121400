#include "cli/complete.h"
#include "cli/options.h"
#include "pkg/base/test.h"

struct some {
	char ns[8];
	bool everywhere;
};
static const struct option_def rows_of_some[] = {
	OPTION_STR(struct some, ns, "namespace", NULL, "", "x"),
	OPTION_BOOL(struct some, everywhere, "all-namespaces", NULL, "false", "x"),
};
static const struct options some = {
	.program = "p", .arguments = "[NAME]", .defs = rows_of_some, .n = 2};

static const struct {
	const char *name, *words[8], *arranged; /* NULL: refused */
} rows[] = {
	{"nothing", {"p"}, "p --"},
	{"a name", {"p", "a"}, "p -- a"},
	{"short with a value", {"p", "-n", "x", "a"}, "p --namespace x -- a"},
	{"glued", {"p", "-nx"}, "p --namespace x --"},
	{"glued with =", {"p", "-n=x"}, "p --namespace x --"},
	{"after the name", {"p", "a", "-n", "x"}, "p --namespace x -- a"},
	{"long, after the name", {"p", "a", "--namespace", "x", "b"}, "p --namespace x -- a b"},
	{"long with =", {"p", "a", "--namespace=x"}, "p --namespace=x -- a"},
	{"a switch takes no word", {"p", "--all-namespaces", "a"}, "p --all-namespaces -- a"},
	{"a short switch", {"p", "-A", "a"}, "p --all-namespaces -- a"},
	{"a switch that is glued", {"p", "-Ax"}, NULL},
	{"a short one that is none", {"p", "-z"}, NULL},
	{"a value is missing: the table says so", {"p", "-n"}, "p --namespace --"},
	{"what is unknown stays", {"p", "--what", "a"}, "p --what -- a"},
	{"names after --", {"p", "-A", "--", "-n", "a"}, "p --all-namespaces -- -n a"},
	{"a dash is a name", {"p", "-"}, "p -- -"},
};

static void test_arrange(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf b = base_buf(1024);
		char *words[CLI_WORDS_MAX + 1] = {0}, text[8][32], *argv[9] = {0};
		int argc = 0, n = 0;
		for (; argc < 8 && rows[i].words[argc]; argc++) {
			(void)snprintf(text[argc], sizeof(text[argc]), "%s", rows[i].words[argc]);
			argv[argc] = text[argc];
		}
		const int r = cli_options_arrange(&some, argc, argv, words, &n, NULL);
		if ((r == 0) != (rows[i].arranged != NULL))
			fail_msg("%s: %d", rows[i].name, r);
		for (int k = 0; r == 0 && k < n; k++)
			assert_ok("join", base_buf_addf(&b, err, "%s%s", k ? " " : "", words[k]));
		if (r == 0 && !base_str_eq(base_buf_str(&b), base_str(rows[i].arranged)))
			fail_msg("%s: '%.*s'", rows[i].name, STR_FMT(base_buf_str(&b)));
	}
}

static void test_too_many(void **state)
{
	static char word[] = "a", option[] = "--all-namespaces";
	char *words[CLI_WORDS_MAX + 1] = {0}, *argv[CLI_WORDS_MAX + 9] = {word};
	int n = 0;

	(void)state;
	for (size_t i = 1; i <= CLI_NAMES_MAX + 1; i++)
		argv[i] = word;
	assert_class("names", ERR_TOO_LARGE,
		cli_options_arrange(&some, CLI_NAMES_MAX + 2, argv, words, &n, err));
	for (size_t i = 1; i < CLI_WORDS_MAX + 8; i++)
		argv[i] = option;
	assert_class("options", ERR_TOO_LARGE,
		cli_options_arrange(&some, CLI_WORDS_MAX + 8, argv, words, &n, err));
}

static void test_complete(void **state)
{
	static const struct cli_command commands[] = {
		{.name = "some", .options = {.program = "p", .defs = rows_of_some, .n = 2}},
		{.name = "somewhere"}, {.name = "else"}};
	static const struct cli_commands c = {commands, ARRAY_LEN(commands)};
	struct crds_functionkey leader = {
		.role = CRDS_LEADER, .revision = STR("billing-1"), .function = STR("billing")};
	struct crds_functionkey next = leader;
	struct crds_functionkey member = {.role = CRDS_MEMBER, .pod = STR("billing-1-x\n")};
	struct crds_functionkey *v[] = {&leader, &next, &member};
	const struct cli_records r = {.v = v, .n = ARRAY_LEN(v)};
	_cleanup_(base_buf_done) struct buf b = base_buf(1024);

	(void)state;
	next.revision = STR("billing-2");
	assert_ok("commands", cli_complete_commands(&c, STR("some"), &b, err));
	assert_ok("options", cli_complete_options(&commands[0], STR("--"), &b, err));
	assert_ok("one", cli_complete_options(&commands[0], STR("--al"), &b, err));
	assert_ok("revisions", cli_complete_records(&r, CLI_COMPLETES_REVISIONS, STR(""), &b, err));
	assert_ok("one",
		cli_complete_records(&r, CLI_COMPLETES_REVISIONS, STR("billing-2"), &b, err));
	assert_ok("pods", cli_complete_records(&r, CLI_COMPLETES_PODS, STR("b"), &b, err));
	assert_string_equal((char *)b.data, "some\nsomewhere\n"
					    "--namespace=\n--all-namespaces\n--all-namespaces\n"
					    "billing-1\nbilling\nbilling-2\nbilling-2\n"
					    "billing-1-x?\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arrange),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
