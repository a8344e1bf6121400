#include "cli/session.h"
#include "cli/why.h"
#include "crds/test_records.h"
#include "pkg/base/test.h"

#define NOW (1767323045LL * NS_PER_S) /* 2026-01-02T03:04:05Z */

/* Parts of a pod, put together by rows. */
#define META(labels, more)                                                                 \
	"\"metadata\":{\"name\":\"orders-1-b\",\"namespace\":\"shop\",\"uid\":\"" TEST_UID \
	"\",\"labels\":{\"functionkey.dev/revision\":\"orders-1\"" labels "}" more "}"
#define IN           ",\"functionkey.dev/inject\":\"true\""
#define SPEC(inits)  ",\"spec\":{\"nodeName\":\"n1\",\"initContainers\":[" inits "]}"
#define AGENT        "{\"name\":\"functionkey-agent\"}"
#define STATUS(rest) ",\"status\":{\"phase\":\"Running\"" rest "}"
#define RUNS         "\"state\":{\"running\":{}}"
#define AGENT_IS(ready, rest)                                                              \
	",\"initContainerStatuses\":[{\"name\":\"functionkey-agent\",\"ready\":" ready "," \
	"\"restartCount\":0," rest "}]"
#define READY(truth) ",\"conditions\":[{\"type\":\"Ready\",\"status\":\"" truth "\"}]"
#define GOOD_POD     "{" META(IN, "") SPEC(AGENT) STATUS(AGENT_IS("true", RUNS) READY("True")) "}"

#define LEADS(uid)                                                                             \
	"\"leader\":{\"pod\":\"orders-1-a\",\"podUID\":\"" uid                                 \
	"\",\"incarnation\":1,\"term\":4,\"verifyingKey\":\"" P(                               \
		"000000dd") "\",\"identityKey\":\"" P("000000ee") "\",\"signature\":\"" HEX128 \
								  "\"}"
#define ACTIVE                                               \
	"\"epoch\":2,\"activeEpoch\":2,\"keys\":[" TEST_KEY( \
		"2", "Active", ",\"activatedAt\":\"2026-01-02T03:04:05Z\"") "]"
#define GOOD_LEADER TEST_LEADER("", LEADS(TEST_UID2) "," ACTIVE)
#define OPENED \
	"\"opened\":{\"incarnation\":2,\"epochs\":[{\"epoch\":2,\"fingerprint\":\"" HEX32 "\"}]}"
#define GOOD_MEMBER TEST_MEMBER("", OPENED)

static const struct {
	const char *name, *pod, *member, *leader; /* NULL: there is none */
	const char *holder;                       /* of the Lease; NULL: no Lease */
	bool not_in;                              /* the namespace did not opt in */
	const char *says;                         /* of the first wrong line; NULL: none */
} rows[] = {
	{"ready", GOOD_POD, GOOD_MEMBER, GOOD_LEADER, "x", false, NULL},
	{"no node",
		"{" META(IN, "") ",\"status\":{\"phase\":\"Pending\",\"conditions\":[{\"type\":"
				 "\"PodScheduled\",\"status\":\"False\",\"message\":\"0/3 nodes "
				 "fit\"}]}}",
		NULL, NULL, NULL, false, "0/3 nodes fit"},
	{"deleted", "{" META(IN, ",\"deletionTimestamp\":\"2026-01-02T03:04:05Z\"") "}", NULL, NULL,
		NULL, false, "being deleted"},
	{"ended", "{" META(IN, "") SPEC("") ",\"status\":{\"phase\":\"Failed\"}}", NULL, NULL, NULL,
		false, "has ended (Failed)"},
	{"did not opt in", "{" META("", "") SPEC("") STATUS("") "}", NULL, NULL, NULL, false,
		"did not opt in"},
	{"opted out", "{" META(",\"functionkey.dev/inject\":\"false\"", "") SPEC("") STATUS("") "}",
		NULL, NULL, NULL, false, "opted out"},
	{"the namespace did not", "{" META(IN, "") SPEC("") STATUS("") "}", NULL, NULL, NULL, true,
		"namespace did not opt in"},
	{"older than the installation", "{" META(IN, "") SPEC("") STATUS("") "}", NULL, NULL, NULL,
		false, "older than the installation"},
	{"image cannot be pulled",
		"{" META(IN, "") SPEC(AGENT) STATUS(AGENT_IS(
			"false", "\"state\":{\"waiting\":{\"reason\":\"ImagePullBackOff\"}}")) "}",
		NULL, NULL, NULL, false, "ImagePullBackOff"},
	{"agent ended",
		"{" META(IN, "") SPEC(AGENT) STATUS(AGENT_IS("false",
			"\"state\":{\"terminated\":{\"exitCode\":2,\"reason\":\"Error\"}}")) "}",
		NULL, NULL, NULL, false, "exit code 2"},
	{"not started", "{" META(IN, "") SPEC(AGENT) STATUS("") "}", NULL, NULL, NULL, false,
		"not started"},
	{"no own record", GOOD_POD, NULL, GOOD_LEADER, "x", false, "not published"},
	{"no Leader record", GOOD_POD, GOOD_MEMBER, NULL, "x", false, "no Leader record orders-1"},
	{"revoked", GOOD_POD, GOOD_MEMBER,
		TEST_LEADER(",\"revoked\":[\"" TEST_UID "\"]", LEADS(TEST_UID2) "," ACTIVE), "x",
		false, "was revoked"},
	{"no Lease", GOOD_POD, GOOD_MEMBER, GOOD_LEADER, NULL, false, "fk-orders-1 is missing"},
	{"nobody holds it", GOOD_POD, GOOD_MEMBER, GOOD_LEADER, "", false, "no replica holds"},
	{"no term", GOOD_POD, GOOD_MEMBER, TEST_LEADER("", ""), "x", false, "not taken its term"},
	{"no key", GOOD_POD, GOOD_MEMBER, TEST_LEADER("", LEADS(TEST_UID2)), "x", false,
		"activated no key"},
	{"holder lost", GOOD_POD, GOOD_MEMBER,
		TEST_LEADER("",
			LEADS(TEST_UID2) ",\"conditions\":[{\"type\":\"NoHolder\",\"status\":"
					 "\"True\",\"reason\":\"LastHolderGone\",\"message\":\"the "
					 "last is "
					 "gone\",\"lastTransitionTime\":\"2026-01-02T03:04:05Z\"}"
					 "]"),
		"x", false, "the last is gone"},
	{"not granted", GOOD_POD, TEST_MEMBER("", ""), GOOD_LEADER, "x", false,
		"no re-encryption key of epoch 2"},
	{"granted, not opened", GOOD_POD,
		TEST_MEMBER("", "\"reEncryptionKeys\":[" TEST_GRANT("2") "]"), GOOD_LEADER, "x",
		false, "was granted epoch 2"},
	{"opened by an earlier incarnation", GOOD_POD,
		TEST_MEMBER("", "\"opened\":{\"incarnation\":1,\"epochs\":[{\"epoch\":2,"
				"\"fingerprint\":\"" HEX32 "\"}]}"),
		GOOD_LEADER, "x", false, "no re-encryption key of epoch 2"},
	{"leads and does not open", GOOD_POD, TEST_MEMBER("", ""),
		TEST_LEADER("", LEADS(TEST_UID) "," ACTIVE), "x", false, "this replica leads"},
	{"the function itself",
		"{" META(IN, "") SPEC(AGENT) STATUS(AGENT_IS("true",
			RUNS) ",\"containerStatuses\":[{"
			      "\"name\":\"app\",\"ready\":false,\"state\":{\"waiting\":{\"reason\":"
			      "\"CrashLoopBackOff\"}}}]") "}",
		GOOD_MEMBER, GOOD_LEADER, "x", false,
		"container app is not ready: CrashLoopBackOff"},
	{"the probe has not run", "{" META(IN, "") SPEC(AGENT) STATUS(AGENT_IS("false", RUNS)) "}",
		GOOD_MEMBER, GOOD_LEADER, "x", false, "probe"},
};

static void test_explain(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(crds_pod_free) struct crds_pod *pod = NULL;
		_cleanup_(crds_functionkey_free) struct crds_functionkey *member = NULL;
		_cleanup_(crds_functionkey_free) struct crds_functionkey *leader = NULL;
		_cleanup_(base_arena_free) struct arena *arena = NULL;
		_cleanup_(cli_object_done) struct cli_object more = {0};
		const struct cli_lease lease = {
			.holder = base_str(rows[i].holder), .duration_s = 30, .renewed_ns = NOW};
		assert_ok(rows[i].name, crds_pod_decode(base_str(rows[i].pod), &pod, err));
		assert_ok(rows[i].name,
			kube_project(&cli_pod_fields, base_str(rows[i].pod), &more.p, err));
		if (rows[i].member)
			assert_ok(rows[i].name,
				crds_functionkey_decode(base_str(rows[i].member), &member, err));
		if (rows[i].leader)
			assert_ok(rows[i].name,
				crds_functionkey_decode(base_str(rows[i].leader), &leader, err));
		assert_ok("arena", base_arena_new(65536, &arena, err));
		struct cli_report report = {.arena = arena};
		const struct cli_case c = {.pod = pod,
			.more = more.p,
			.member = member,
			.leader = leader,
			.lease = rows[i].holder ? &lease : NULL,
			.opted_in = !rows[i].not_in,
			.revision = STR("orders-1"),
			.now_wall_ns = NOW};
		assert_ok(rows[i].name, cli_why_explain(&c, &report, err));
		const struct cli_line *wrong = cli_report_first_wrong(&report);
		if (!wrong != !rows[i].says || (wrong && !strstr(wrong->says.p, rows[i].says)))
			fail_msg("%s: '%s'", rows[i].name, wrong ? wrong->says.p : "ready");
		/* It stops at the first. */
		assert_int_equal(cli_report_wrong(&report), wrong ? 1 : 0);
	}
}

static void test_agent(void **state)
{
	static const struct {
		const char *name, *status;
		enum err_class class;
		struct {
			enum cli_verdict verdict;
			const char *says;
		} lines[4];
	} answers[] = {
		{"ready",
			"{\"version\":\"v1\",\"uptimeSeconds\":300,\"self\":{},\"ready\":true,"
			"\"reason\":\"KeyOpened\",\"message\":\"m\",\"keeper\":{\"answers\":true},"
			"\"troubles\":[]}\n",
			0, {{CLI_GOOD, "version v1, up 5m: it is ready"}}},
		{"not ready, with troubles",
			"{\"version\":\"v1\",\"uptimeSeconds\":3,\"ready\":false,\"reason\":"
			"\"WaitingForGrant\",\"message\":\"no grant\",\"lastFailure\":\"403\","
			"\"keeper\":{\"answers\":false},\"troubles\":[{\"time\":"
			"\"2026-01-02T03:03:55Z\",\"what\":\"decrypt\",\"type\":\"tampered\","
			"\"aborted\":true,\"detail\":\"tag\"}]}",
			0,
			{{CLI_DOUBT, "up 3s: WaitingForGrant: no grant"},
				{CLI_DOUBT, "its keeper does not answer"},
				{CLI_NOTE, "what failed last: 403"},
				{CLI_NOTE, "10s ago, decrypt: tampered: tag"}}},
		{"signs",
			"{\"version\":\"v1\",\"uptimeSeconds\":300,\"ready\":true,\"keeper\":{"
			"\"answers\":true},\"sender\":{\"level\":\"message\",\"certificate\":{"
			"\"issuerEpoch\":7,\"issuerTerm\":2,\"notAfter\":\"2026-01-02T15:04:05Z\"}}"
			","
			"\"troubles\":[]}",
			0,
			{{CLI_GOOD, "it is ready"},
				{CLI_GOOD, "it signs at level message, under a certificate of "
					   "term 2 for another 12h"}}},
		{"cannot sign",
			"{\"version\":\"v1\",\"uptimeSeconds\":300,\"ready\":true,\"keeper\":{"
			"\"answers\":true},\"sender\":{\"level\":\"origin\",\"missing\":\"its "
			"time is over\"},\"troubles\":[]}",
			0,
			{{CLI_GOOD, "it is ready"},
				{CLI_DOUBT, "it cannot sign what it sends (level origin): its "
					    "time is over"}}},
		{"cannot sign, and need not",
			"{\"version\":\"v1\",\"uptimeSeconds\":300,\"ready\":true,\"keeper\":{"
			"\"answers\":true},\"sender\":{\"level\":\"none\",\"missing\":\"there is "
			"none\"},\"troubles\":[]}",
			0, {{CLI_GOOD, "it is ready"}, {CLI_NOTE, "(level none): there is none"}}},
		{"nothing", "", ERR_INVALID, {{0}}},
		{"no JSON", "hello", ERR_INVALID, {{0}}},
		{"cut", "{\"version\":\"v1\"", ERR_INVALID, {{0}}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		_cleanup_(base_arena_free) struct arena *arena = NULL;
		size_t n = 0;
		assert_ok("arena", base_arena_new(65536, &arena, err));
		struct cli_report report = {.arena = arena};
		const int r =
			cli_why_agent_explain(base_str(answers[i].status), NOW, &report, NULL);
		if (r != -(int)answers[i].class)
			fail_msg("%s: %d", answers[i].name, r);
		for (; n < ARRAY_LEN(answers[i].lines) && answers[i].lines[n].says; n++)
			if (n >= report.n ||
				report.lines[n].verdict != answers[i].lines[n].verdict ||
				!strstr(report.lines[n].says.p, answers[i].lines[n].says))
				fail_msg("%s: line %zu: '%s'", answers[i].name, n,
					n < report.n ? report.lines[n].says.p : "");
		if (r == 0)
			assert_int_equal(report.n, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
