#include "pkg/base/options.h"
#include "pkg/base/test.h"

struct config {
	int64_t lease_ns, workers, body;
	bool pretty;
	int level;
	char pod[8], ns[16];
};

static const char *const levels[] = {"debug", "info", NULL};
static const struct option_def defs[] = {
	OPTION_DURATION(struct config, lease_ns, "lease-duration", "FK_LEASE", "30s", 5 * NS_PER_S,
		600 * NS_PER_S, "How long a Lease is good."),
	OPTION_INT(struct config, workers, "workers", NULL, "2", 1, 64, "Number of workers."),
	OPTION_SIZE(
		struct config, body, "body-max", "FK_BODY", "1Mi", 1, INT64_MAX, "Largest body."),
	OPTION_BOOL(struct config, pretty, "pretty", "FK_PRETTY", "false", "Text for people."),
	OPTION_ENUM(struct config, level, "log-level", NULL, "info", levels, "What to write."),
	OPTION_STR(struct config, pod, "pod", "POD_NAME", NULL, "Name of our pod."),
	OPTION_STR(struct config, ns, "namespace", NULL, "", "Its namespace."),
};

static int no_debug_pods(const void *config, struct err *err)
{
	const struct config *c = config;

	if (c->level == 0 && strcmp(c->pod, "prod") == 0)
		return FAIL(err, ERR_INVALID, "--log-level=debug does not go with --pod=prod");
	return 0;
}

static const struct options program = {.program = "prog",
	.version = "v1",
	.summary = "Does things.",
	.defs = defs,
	.n = ARRAY_LEN(defs),
	.check = no_debug_pods};
static const struct options with_files = {.program = "prog",
	.version = "v1",
	.summary = "Does things.",
	.arguments = "FILE...",
	.defs = defs,
	.n = ARRAY_LEN(defs)};

#define WORDS 8
static int words(const char *const *argv)
{
	int n = 0;

	while (argv[n])
		n++;
	return n;
}

/* The parser takes what main gets; it changes neither words nor environment. */
union words {
	const char *const *is;
	char *const *as;
};

static int parse(const struct options *o, const char *const *argv, const char *const *envp,
	struct config *c, struct options_result *result, struct err *err)
{
	return base_options_parse(
		o, words(argv), (union words){argv}.as, (union words){envp}.as, c, result, err);
}

static void test_defaults_environment_and_words_in_this_order(void **state)
{
	const char *const env[] = {"POD_NAME=a", "FK_LEASE=1m30s", "FK_BODY=", "FK_PRETTYX=true",
		"FK_PRETTY=true", NULL};
	struct options_result result = {0};
	struct config c;

	(void)state;
	memset(&c, 7, sizeof(c));
	const char *const one[] = {"prog", NULL};
	assert_ok("env", parse(&program, one, env, &c, &result, err));
	assert_true(c.lease_ns == 90 * NS_PER_S && c.workers == 2 && c.body == 1 << 20 && c.pretty);
	assert_int_equal(c.level, 1);
	assert_string_equal(c.pod, "a");
	assert_string_equal(c.ns, "");
	const char *const two[] = {"prog", "--lease-duration=5s", "--body-max", "64Ki",
		"--pretty=false", "--log-level=debug", "--pod=b", "--pod=c", NULL};
	assert_ok("words", parse(&program, two, env, &c, &result, err));
	assert_true(c.lease_ns == 5 * NS_PER_S && c.body == 65536 && !c.pretty && c.level == 0);
	assert_string_equal(c.pod, "c");
	assert_int_equal(result.action, OPTIONS_RUN);
	const char *const check[] = {"prog", "--check", "--pretty", NULL};
	assert_ok("check", parse(&program, check, env, &c, &result, err));
	assert_int_equal(result.action, OPTIONS_CHECK);
	assert_true(c.pretty);
}

static const struct {
	const char *name;
	const char *argv[WORDS];
	const char *env[3];
	const char *message;
} bad_rows[] = {
	{"needed", {"prog"}, {NULL}, "--pod is needed: give it, or set POD_NAME"},
	{"misspelt", {"prog", "--lease-duraton=5s"}, {"POD_NAME=a"},
		"there is no option --lease-duraton, did you mean --lease-duration?; --help lists "
		"all"},
	{"unknown", {"prog", "--zzzzzzzzzzzz"}, {"POD_NAME=a"},
		"there is no option --zzzzzzzzzzzz; --help lists all"},
	{"no unit", {"prog", "--lease-duration=5"}, {"POD_NAME=a"},
		"--lease-duration=5: '5' is not a duration: write a number and a unit, such as "
		"30s, "
		"1m30s or 250ms"},
	{"too short", {"prog"}, {"POD_NAME=a", "FK_LEASE=1s"},
		"FK_LEASE=1s: write something from 5s to 10m"},
	{"too many", {"prog", "--workers", "65"}, {"POD_NAME=a"},
		"--workers=65: write something from 1 to 64"},
	{"negative", {"prog", "--workers=-1"}, {"POD_NAME=a"},
		"--workers=-1: '-1' is not a number"},
	{"2^63", {"prog", "--body-max=8388608Ti"}, {"POD_NAME=a"},
		"--body-max=8388608Ti: too large"},
	{"not a size", {"prog", "--body-max=1KB"}, {"POD_NAME=a"},
		"--body-max=1KB: '1KB' is not a size: write bytes, or a number with Ki, Mi or Gi, "
		"such as 64Ki"},
	{"not a switch", {"prog", "--pretty=yes"}, {"POD_NAME=a"},
		"--pretty=yes: write true or false"},
	{"not a word", {"prog", "--log-level=trace"}, {"POD_NAME=a"},
		"--log-level=trace: write one of debug, info"},
	{"too long", {"prog", "--pod=12345678"}, {NULL}, "--pod=12345678: at most 7 bytes fit"},
	{"no value", {"prog", "--pod"}, {NULL}, "--pod needs a value: --pod=..."},
	{"one dash", {"prog", "-v"}, {"POD_NAME=a"},
		"'-v' is no option; long ones only, --help lists them"},
	{"argument", {"prog", "file"}, {"POD_NAME=a"},
		"'file' is one word too many; --help shows the usage"},
	{"two options", {"prog", "--pod=prod", "--log-level=debug"}, {NULL},
		"--log-level=debug does not go with --pod=prod"},
};

static void test_errors_name_the_option_and_the_fix(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
		struct options_result result = {.first = 77};
		struct config c = {0};
		struct err e = {0};
		const int r = parse(&program, bad_rows[i].argv, bad_rows[i].env, &c, &result, &e);
		if (r != -ERR_INVALID || strcmp(e.msg, bad_rows[i].message) != 0)
			fail_msg("%s: %d '%s'", bad_rows[i].name, r, e.msg);
		assert_int_equal(result.first, 77);
	}
}

static void test_help_and_version_come_first(void **state)
{
	const char *const help[] = {"prog", "--workers=nonsense", "--help", NULL};
	const char *const version[] = {"prog", "--version", NULL};
	const char *const none[] = {NULL};
	_cleanup_(base_buf_done) struct buf out = base_buf(10000);
	struct options_result result = {0};
	struct config c = {0};

	(void)state;
	assert_ok("help", parse(&program, help, none, &c, &result, err));
	assert_int_equal(result.action, OPTIONS_HELP);
	assert_ok("version", parse(&program, version, none, &c, &result, err));
	assert_int_equal(result.action, OPTIONS_VERSION);
	assert_ok("text", base_options_help(&with_files, &out, err));
	assert_non_null(strstr((char *)out.data, "Usage: prog [options] FILE...\nDoes things.\n"));
	assert_non_null(strstr((char *)out.data,
		"  --lease-duration=DURATION\n        How long a Lease is good.\n"
		"        (5s to 10m; default 30s; environment FK_LEASE)\n"));
	assert_non_null(
		strstr((char *)out.data, "(at most 7 bytes; needed; environment POD_NAME)"));
	assert_non_null(strstr((char *)out.data, "(debug, info; default info)"));
}

static void test_arguments_follow_the_options(void **state)
{
	const char *const env[] = {"POD_NAME=a", NULL};
	const char *const plain[] = {"prog", "--pretty", "x", "--y", NULL};
	const char *const dashes[] = {"prog", "--", "--help", NULL};
	const char *const stdin_too[] = {"prog", "-", NULL};
	struct options_result result = {0};
	struct config c = {0};

	(void)state;
	assert_ok("plain", parse(&with_files, plain, env, &c, &result, err));
	assert_int_equal(result.first, 2);
	assert_ok("after --", parse(&with_files, dashes, env, &c, &result, err));
	assert_int_equal(result.first, 2);
	assert_int_equal(result.action, OPTIONS_RUN);
	assert_ok("a single dash", parse(&with_files, stdin_too, env, &c, &result, err));
	assert_int_equal(result.first, 1);
}

static void test_a_wrong_default_is_a_bug(void **state)
{
	static const struct option_def wrong[] = {
		OPTION_INT(struct config, workers, "workers", NULL, "0", 1, 2, "Workers.")};
	const struct options o = {.program = "p", .defs = wrong, .n = 1};
	const char *const argv[] = {"p", NULL};
	struct options_result result = {0};
	struct config c = {0};

	(void)state;
	assert_class("default", ERR_BUG, parse(&o, argv, argv, &c, &result, err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_environment_and_words_in_this_order),
		cmocka_unit_test(test_errors_name_the_option_and_the_fix),
		cmocka_unit_test(test_help_and_version_come_first),
		cmocka_unit_test(test_arguments_follow_the_options),
		cmocka_unit_test(test_a_wrong_default_is_a_bug),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
