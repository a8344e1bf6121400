/* Annotations whose values matter: what the agent is given, and what is warned of. The same rows,
 * as far as they can be written there, are golden pods of e2e/api. */
#include "pkg/base/test.h"

#include "controller/inject.h"
#include "controller/inject_sample.h"

#define NOTED(notes, spec) \
	SAMPLE_POD("\"name\":\"s\",\"annotations\":{" notes "}," SAMPLE_OPTED(""), spec)
#define ANNOUNCE(value) "\"functionkey.dev/announce\":\"" value "\""
#define METRICS(value)  "\"functionkey.dev/metrics\":\"" value "\""
#define V(name, value)  "{\"name\":\"" name "\",\"value\":\"" value "\"}"
#define FROM(name)      "{\"name\":\"" name "\",\"valueFrom\":{\"fieldRef\":{}}}"
#define WITH(name, env) "{\"name\":\"" name "\",\"env\":[" env "]}"
#define APPS(...)       "\"containers\":[" __VA_ARGS__ "]"
#define BARE            APPS("{\"name\":\"app\"}")
#define AGENT(env)      "\"initContainers\":[" WITH("functionkey-agent", env) "],"
#define GIVES(name, value) \
	"{\"op\":\"add\",\"path\":\"/spec/initContainers/0/env/-\",\"value\":" V(name, value) "}"
#define PORT(n)                                                                           \
	"{\"op\":\"add\",\"path\":\"/spec/initContainers/0/ports\",\"value\":[{\"name\":" \
	"\"fk-metrics\",\"containerPort\":" n ",\"protocol\":\"TCP\"}]}"
#define TO       "FUNCTIONKEY_ANNOUNCE"
#define NO_SINK  "has a literal K_SINK"
#define NO_URL   "http or https URL: no key is announced"
#define NO_PORT  "are not served on the pod's address"
#define SINK     "http://sink/x?y=z"
#define OTHER    "https://other"
#define LONG10   "aaaaaaaaaa"
#define LONG100  LONG10 LONG10 LONG10 LONG10 LONG10 LONG10 LONG10 LONG10 LONG10 LONG10
#define LONG1000 LONG100 LONG100 LONG100 LONG100 LONG100 LONG100 LONG100 LONG100 LONG100 LONG100

static const struct {
	const char *name, *review;
	const char *gives;   /* part of the patch; NULL: no word of TO and no port in it */
	const char *warning; /* part of the answer; NULL: none */
} rows[] = {
	{"nothing asked for", NOTED("", APPS(WITH("app", V("K_SINK", SINK)))), NULL, NULL},
	{"false", NOTED(ANNOUNCE("false"), APPS(WITH("app", V("K_SINK", SINK)))), NULL, NULL},
	{"a URL", NOTED(ANNOUNCE(SINK), BARE), GIVES(TO, SINK), NULL},
	{"a URL counts before a sink, and takes nothing from it",
		NOTED(ANNOUNCE(OTHER),
			APPS(WITH("app", V("K_SINK", SINK) "," V("K_CE_OVERRIDES", "{}")))),
		GIVES(TO, OTHER) ",{\"op\":\"add\",\"path\":\"/spec/containers", NULL},
	{"true", NOTED(ANNOUNCE("true"), APPS(WITH("app", V("A", "b") "," V("K_SINK", SINK)))),
		GIVES(TO, SINK), NULL},
	{"with all that comes along",
		NOTED(ANNOUNCE("true"),
			APPS(WITH("app", V("K_CA_CERTS", "-----\\nAB\\n") "," V(
						 "K_SINK", OTHER) "," V("K_CE_OVERRIDES", "{}")))),
		GIVES(TO, OTHER) "," GIVES(TO "_OVERRIDES", "{}") "," GIVES(
			TO "_CA", "-----\\nAB\\n"),
		NULL},
	{"the first container that has one",
		NOTED(ANNOUNCE("true"),
			APPS("{\"name\":\"a\"}," WITH(
				"b", FROM("K_SINK") "," V("K_CE_OVERRIDES", "{}")) "," WITH("c",
				V("K_SINK", SINK)) "," WITH("d", V("K_SINK", OTHER)))),
		GIVES(TO, SINK) ",{\"op\":\"add\",\"path\":\"/spec/containers", NULL},
	{"the first of two in one container",
		NOTED(ANNOUNCE("true"), APPS(WITH("a", V("K_SINK", SINK) "," V("K_SINK", OTHER)))),
		GIVES(TO, SINK), NULL},
	{"not that of an init container",
		NOTED(ANNOUNCE("true"),
			"\"initContainers\":[" WITH("i", V("K_SINK", SINK)) "]," BARE),
		NULL, NO_SINK},
	{"no sink", NOTED(ANNOUNCE("true"), BARE), NULL, NO_SINK},
	{"a sink from elsewhere", NOTED(ANNOUNCE("true"), APPS(WITH("a", FROM("K_SINK")))), NULL,
		NO_SINK},
	{"an empty sink", NOTED(ANNOUNCE("true"), APPS(WITH("a", V("K_SINK", "")))), NULL, NO_SINK},
	{"a sink of another scheme",
		NOTED(ANNOUNCE("true"), APPS(WITH("a", V("K_SINK", "ftp://x")))), NULL, NO_SINK},
	{"a sink with a blank", NOTED(ANNOUNCE("true"), APPS(WITH("a", V("K_SINK", "http://a b")))),
		NULL, NO_SINK},
	{"a sink with a line end",
		NOTED(ANNOUNCE("true"), APPS(WITH("a", V("K_SINK", "http://a\\n")))), NULL,
		NO_SINK},
	{"a sink that is not ASCII",
		NOTED(ANNOUNCE("true"), APPS(WITH("a", V("K_SINK", "http://\\u00e9")))), NULL,
		NO_SINK},
	{"the longest", NOTED(ANNOUNCE("https://" LONG1000), BARE), GIVES(TO, "https://" LONG1000),
		NULL},
	{"longer", NOTED(ANNOUNCE("https://a" LONG1000), BARE), NULL, NO_URL},
	{"long overrides are left out",
		NOTED(ANNOUNCE("true"), APPS(WITH("a", V("K_SINK", SINK) "," V("K_CE_OVERRIDES",
							       LONG1000 LONG1000 "a")))),
		GIVES(TO, SINK) ",{\"op\":\"add\",\"path\":\"/spec/containers", NULL},
	{"no value", NOTED(ANNOUNCE(""), BARE), NULL, NO_URL},
	{"nonsense", NOTED(ANNOUNCE("yes"), BARE), NULL, NO_URL},
	{"a scheme alone", NOTED(ANNOUNCE("http://"), BARE), NULL, NO_URL},
	{"another scheme", NOTED(ANNOUNCE("HTTP://sink"), BARE), NULL, NO_URL},
	{"a sink that came after the agent",
		NOTED(ANNOUNCE("true"),
			AGENT(V("POD_NAME", "x")) APPS(WITH("a", V("K_SINK", SINK)))),
		"[" GIVES(TO, SINK), NULL},
	{"a sink that came after the agent, which was pushed away",
		NOTED(ANNOUNCE("true"),
			"\"initContainers\":[{\"name\":\"prepare\"}," WITH("functionkey-agent",
				V("POD_NAME", "x")) "]," APPS(WITH("a", V("K_SINK", SINK)))),
		"\"from\":\"/spec/initContainers/1\"}," GIVES(TO, SINK) ",", NULL},
	{"after an agent that announces already",
		NOTED(ANNOUNCE("true"), AGENT(V(TO, OTHER)) APPS(WITH("a", V("K_SINK", SINK)))),
		NULL, NULL},
	{"after an agent without variables, which is none of ours",
		NOTED(ANNOUNCE("true"),
			"\"initContainers\":[{\"name\":\"functionkey-agent\"}]," APPS(
				WITH("a", V("K_SINK", SINK)))),
		NULL, NULL},
	{"after the agent, to where nobody asked for it",
		NOTED("", AGENT(V("POD_NAME", "x")) APPS(WITH("a", V("K_SINK", SINK)))), NULL,
		NULL},
	{"metrics", NOTED(METRICS("true"), BARE),
		PORT("9464") "," GIVES("FUNCTIONKEY_REVISION", "s") "," GIVES(
			"FUNCTIONKEY_FUNCTION", "s") "," GIVES("FUNCTIONKEY_METRICS_PORT", "9464"),
		NULL},
	{"metrics elsewhere", NOTED(METRICS("65535"), BARE), PORT("65535"), NULL},
	{"metrics on the host's network", NOTED(METRICS("true"), "\"hostNetwork\":true," BARE),
		"\"value\":{\"name\":\"FUNCTIONKEY_FUNCTION\",\"value\":\"s\"}}," GIVES(
			"FUNCTIONKEY_METRICS_PORT", "9464"),
		NULL},
	{"no metrics", NOTED(METRICS("false"), BARE), NULL, NULL},
	{"port 0", NOTED(METRICS("0"), BARE), NULL, NO_PORT},
	{"past the last port", NOTED(METRICS("65536"), BARE), NULL, NO_PORT},
	{"a port with a zero before it", NOTED(METRICS("09464"), BARE), NULL, NO_PORT},
	{"a port with a sign", NOTED(METRICS("+9464"), BARE), NULL, NO_PORT},
	{"a long number", NOTED(METRICS("18446744073709561080"), BARE), NULL, NO_PORT},
	{"an address", NOTED(METRICS("0.0.0.0:9464"), BARE), NULL, NO_PORT},
	{"no port", NOTED(METRICS(""), BARE), NULL, NO_PORT},
};

static void patch_of(const char *answer, struct buf *patch)
{
	static const char key[] = "\"patch\":\"";
	const char *at = strstr(answer, key);

	if (!at)
		return;
	at += sizeof(key) - 1;
	assert_ok("base64", base_unbase64_add(patch, base_str_n(at, strcspn(at, "\"")), err));
}

static void test_rows(void **state)
{
	void *t = NULL;

	(void)state;
	assert_ok("template",
		kube_kind_decode(&controller_template_kind, STR(SAMPLE_TEMPLATE), &t, err));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf answer = base_buf(CONTROLLER_ANSWER_MAX);
		_cleanup_(base_buf_done) struct buf patch = base_buf(CONTROLLER_ANSWER_MAX);
		enum controller_injection done = CONTROLLER_REFUSED;
		assert_ok(rows[i].name,
			controller_inject(t, base_str(rows[i].review), &answer, &done, err));
		const char *text = (const char *)answer.data;
		patch_of(text, &patch);
		const char *got = patch.len ? (const char *)patch.data : "";
		if (rows[i].gives ? !strstr(got, rows[i].gives)
				  : strstr(got, TO) || strstr(got, "fk-metrics") ||
					    strstr(got, "METRICS"))
			fail_msg("%s: %s", rows[i].name, got);
		if (rows[i].warning ? !strstr(text, rows[i].warning)
				    : strstr(text, "warnings") != NULL)
			fail_msg("%s: %s", rows[i].name, text);
		if (strstr(rows[i].name, "host's") && strstr(got, "/ports"))
			fail_msg("%s: %s", rows[i].name, got);
	}
	base_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
