#include "pkg/base/test.h"

#include "controller/inject.h"
#include "controller/inject_sample.h"

#define EURO10                 "€€€€€€€€€€"
#define LONG                   "x" EURO10 EURO10 EURO10 EURO10 EURO10 EURO10 EURO10
#define APP                    "\"containers\":[{\"name\":\"app\"}]"
#define OP(op, path, value)    "{\"op\":\"" op "\",\"path\":\"" path "\",\"value\":" value "}"
#define ENV(path, name, value) OP("add", path, "{\"name\":\"" name "\",\"value\":\"" value "\"}")
#define REVISION               "/metadata/labels/functionkey.dev~1revision"
#define FUNCTION               "/metadata/labels/functionkey.dev~1function"
#define MOUNT                  "{\"name\":\"functionkey\",\"mountPath\":\"/run/functionkey\",\"readOnly\":true}"
#define VOLUMES                                                 \
	OP("add", "/spec/volumes", "[]")                        \
	"," OP("add", "/spec/volumes/-", SAMPLE_VOLUME) "," OP( \
		"add", "/spec/volumes/-", SAMPLE_TOKEN) ","
#define AGENT                                   \
	OP("add", "/spec/initContainers", "[]") \
	"," OP("add", "/spec/initContainers/0", SAMPLE_AGENT) ","
#define AGENT_ENV(name, value) ENV("/spec/initContainers/0/env/-", name, value) ","
#define OWNER_ENV(kind, name)                                 \
	AGENT_ENV("FUNCTIONKEY_OWNER_API_VERSION", "apps/v1") \
	AGENT_ENV("FUNCTIONKEY_OWNER_KIND", kind)             \
	AGENT_ENV("FUNCTIONKEY_OWNER_NAME", name)             \
	AGENT_ENV("FUNCTIONKEY_OWNER_UID", SAMPLE_OWNER)
#define NAMES(revision, function) \
	OP("add", REVISION, "\"" revision "\"") "," OP("add", FUNCTION, "\"" function "\"") ","
#define APP_ENV "/spec/containers/0/env/-"
#define GIVEN(revision, function)                                                               \
	OP("add", "/spec/containers/0/env", "[]")                                               \
	"," ENV(APP_ENV, "FUNCTIONKEY_SOCKET", "/run/functionkey/agent.sock") "," ENV(APP_ENV,  \
		"FUNCTIONKEY_URL", "http://localhost") "," ENV(APP_ENV, "FUNCTIONKEY_REVISION", \
		revision) "," ENV(APP_ENV, "FUNCTIONKEY_FUNCTION", function) "," ENV(APP_ENV,   \
		"FUNCTIONKEY_LEADER_URL",                                                       \
		"http://" revision "-leader.shop.svc:9471") "," OP("add",                       \
		"/spec/containers/0/volumeMounts", "[" MOUNT "]")
#define WHOLE(revision, function, owner)                                                        \
	"[" NAMES(revision, function) VOLUMES AGENT AGENT_ENV("FUNCTIONKEY_REVISION", revision) \
		AGENT_ENV("FUNCTIONKEY_FUNCTION", function) owner                               \
		GIVEN(revision, function) "]"

struct row {
	const char *name, *review;
	const char *patch;   /* NULL: none */
	const char *warning; /* part of the answer; NULL: no warning */
};

static const struct row rows[] = {
	{"bare", SAMPLE_POD("\"name\":\"single\"," SAMPLE_OPTED(""), APP),
		WHOLE("single", "single", ""), NULL},
	{"deployment",
		SAMPLE_POD("\"generateName\":\"orders-6c9-\"," SAMPLE_OPTED(
				   ",\"pod-template-hash\":\"6c9\"") "," SAMPLE_OWNED("ReplicaSet",
				   "orders-6c9"),
			APP),
		WHOLE("orders-6c9", "orders", OWNER_ENV("ReplicaSet", "orders-6c9")), NULL},
	{"a revision that the template chose",
		SAMPLE_POD("\"generateName\":\"orders-6c9-\"," SAMPLE_OPTED(
				   ",\"functionkey.dev/revision\":\"orders\",\"functionkey.dev/"
				   "function\":\"f\"") "," SAMPLE_OWNED("ReplicaSet", "orders-6c9"),
			APP),
		WHOLE("orders", "f", OWNER_ENV("ReplicaSet", "orders-6c9")), NULL},
	{"a foreign revision is taken away from a pod that has none",
		SAMPLE_POD("\"generateName\":\"w-\"," SAMPLE_OPTED(
				   ",\"functionkey.dev/revision\":\"billing\""),
			APP),
		"[{\"op\":\"remove\",\"path\":\"" REVISION "\"}," OP("add", FUNCTION,
			"\"w\"") "," VOLUMES AGENT AGENT_ENV("FUNCTIONKEY_FUNCTION", "w") OP("add",
			"/spec/containers/0/env", "[]") "," ENV(APP_ENV, "FUNCTIONKEY_SOCKET",
			"/run/functionkey/agent.sock") "," ENV(APP_ENV, "FUNCTIONKEY_URL",
			"http://localhost") "," ENV(APP_ENV, "FUNCTIONKEY_FUNCTION",
			"w") "," OP("add", "/spec/containers/0/volumeMounts", "[" MOUNT "]") "]",
		NULL},
	{"statefulset",
		SAMPLE_POD("\"name\":\"web-0\"," SAMPLE_OPTED(
				   ",\"controller-revision-hash\":\"web-"
				   "5d8\"") "," SAMPLE_OWNED("StatefulSet", "web"),
			APP),
		WHOLE("web-5d8", "web", OWNER_ENV("StatefulSet", "web")), NULL},
	{"daemonset",
		SAMPLE_POD("\"generateName\":\"logs-\"," SAMPLE_OPTED(
				   ",\"controller-revision-hash\":"
				   "\"77b\"") "," SAMPLE_OWNED("DaemonSet", "logs"),
			APP),
		WHOLE("logs-77b", "logs", OWNER_ENV("DaemonSet", "logs")), NULL},
	{"knative",
		SAMPLE_POD(
			"\"generateName\":\"h-1-d-\"," SAMPLE_OPTED(
				",\"serving.knative.dev/revision\":\"h-1\",\"serving.knative.dev/"
				"service\":\"h\"") "," SAMPLE_OWNED("ReplicaSet", "h-1-d"),
			APP),
		WHOLE("h-1", "h", OWNER_ENV("ReplicaSet", "h-1-d")), NULL},
	{"another owner than the controlling one",
		SAMPLE_POD("\"name\":\"single\",\"ownerReferences\":[{\"kind\":\"X\",\"name\":"
			   "\"y\",\"uid\":\"z\"}]," SAMPLE_OPTED(""),
			APP),
		WHOLE("single", "single", ""), NULL},
	{"set by the user, named containers, null lists",
		SAMPLE_POD("\"name\":\"s\",\"annotations\":{\"functionkey.dev/containers\":\" app "
			   ", prepare,,gone\",\"functionkey.dev/next\":\"n\","
			   "\"functionkey.dev/inbound\":\"80\","
			   "\"functionkey.dev/sender\":\"origin\","
			   "\"functionkey.dev/require-sender\":\"none\","
			   "\"functionkey.dev/allow-senders\":\"orders\","
			   "\"functionkey.dev/replay-window\":\"60s\","
			   "\"functionkey.dev/outbound\":\"a\"}," SAMPLE_OPTED(""),
			"\"volumes\":[{\"name\":\"functionkey-token\"},{\"name\":\"d\"}],"
			"\"initContainers\":[{\"name\":\"other\"},{\"name\":\"prepare\",\"env\":["
			"{\"name\":\"FUNCTIONKEY_SOCKET\"},{\"name\":\"FUNCTIONKEY_URL\"},{"
			"\"name\":\"FUNCTIONKEY_REVISION\"},{\"name\":\"FUNCTIONKEY_FUNCTION\"},{"
			"\"name\":\"FUNCTIONKEY_LEADER_URL\"}]}],"
			"\"containers\":[{\"name\":\"proxy\"},{\"name\":\"app\",\"env\":[{\"name\":"
			"\"A\",\"value\":\"b\"},{\"name\":\"FUNCTIONKEY_\\u004eEXT\",\"value\":"
			"\"mine\"},{\"name\":\"FUNCTIONKEY_URL\"},"
			"{\"name\":\"FUNCTIONKEY_SOCKET\"},{\"name\":\"FUNCTIONKEY_REVISION\"},{"
			"\"name\":\"FUNCTIONKEY_FUNCTION\"},{\"name\":\"FUNCTIONKEY_LEADER_URL\"}],"
			"\"volumeMounts\":[{\"name\":\"d\",\"mountPath\":\"/"
			"data\"},{\"name\":\"d\",\"mountPath\":\"/run/functionkey\"}]}]"),
		"[" NAMES("s", "s") OP("add", "/spec/volumes/-", SAMPLE_VOLUME) "," OP("add",
			"/spec/initContainers/0",
			SAMPLE_AGENT) "," AGENT_ENV("FUNCTIONKEY_REVISION",
			"s") AGENT_ENV("FUNCTIONKEY_FUNCTION", "s") OP("add",
			"/spec/containers/1/volumeMounts/1/name", "\"functionkey\"") "," OP("add",
			"/spec/containers/1/volumeMounts/1/readOnly",
			"true") "," ENV("/spec/initContainers/2/env/-", "FUNCTIONKEY_NEXT",
			"n") "," OP("add", "/spec/initContainers/2/volumeMounts",
			"[" MOUNT "]") "]",
		"containers names gone, which is no container of the pod\"]"},
	{"an agent that another injector pushed away",
		SAMPLE_POD("\"name\":\"s\",\"annotations\":{\"functionkey.dev/"
			   "containers\":\"a,b\"}," SAMPLE_OPTED(""),
			"\"containers\":[],\"initContainers\":[{\"name\":\"a\",\"env\":null,"
			"\"volumeMounts\":[{\"mountPath\":\"/run/"
			"functionkey\"}]},{\"name\":\"functionkey-agent\"},{\"name\":\"b\","
			"\"volumeMounts\":[]}]"),
		"[{\"op\":\"move\",\"path\":\"/spec/initContainers/0\",\"from\":\"/spec/"
		"initContainers/1\"}," OP("add", "/spec/initContainers/1/env", "[]") "," ENV(
			"/spec/initContainers/1/env/-", "FUNCTIONKEY_SOCKET",
			"/run/functionkey/agent.sock") "," ENV("/spec/initContainers/1/env/-",
			"FUNCTIONKEY_URL",
			"http://localhost") "," ENV("/spec/initContainers/1/env/-",
			"FUNCTIONKEY_REVISION", "s") "," ENV("/spec/initContainers/1/env/-",
			"FUNCTIONKEY_FUNCTION", "s") "," ENV("/spec/initContainers/1/env/-",
			"FUNCTIONKEY_LEADER_URL", "http://s-leader.shop.svc:9471") "," OP("add",
			"/spec/initContainers/1/volumeMounts/0/name",
			"\"functionkey\"") "," OP("add",
			"/spec/initContainers/1/volumeMounts/0/readOnly",
			"true") "," OP("add", "/spec/initContainers/2/env",
			"[]") "," ENV("/spec/initContainers/2/env/-", "FUNCTIONKEY_SOCKET",
			"/run/functionkey/agent.sock") "," ENV("/spec/initContainers/2/env/-",
			"FUNCTIONKEY_URL",
			"http://localhost") "," ENV("/spec/initContainers/2/env/-",
			"FUNCTIONKEY_REVISION", "s") "," ENV("/spec/initContainers/2/env/-",
			"FUNCTIONKEY_FUNCTION", "s") "," ENV("/spec/initContainers/2/env/-",
			"FUNCTIONKEY_LEADER_URL", "http://s-leader.shop.svc:9471") "," OP("add",
			"/spec/initContainers/2/volumeMounts/-", MOUNT) "]",
		NULL},
	{"injected already",
		SAMPLE_POD("\"name\":\"s\"," SAMPLE_OPTED(""),
			"\"initContainers\":[{\"name\":\"functionkey-agent\"}]," APP),
		NULL, NULL},
	{"false wins",
		SAMPLE_POD("\"name\":\"s\",\"labels\":{\"functionkey.dev/inject\":\"false\"}", APP),
		NULL, NULL},
	{"nonsense",
		SAMPLE_POD("\"name\":\"s\",\"labels\":{\"functionkey.dev/inject\":\"TRUE\"}", APP),
		NULL, NULL},
	{"no labels", SAMPLE_POD("\"name\":\"s\",\"labels\":null", APP), NULL, NULL},
	{"no object", SAMPLE_REVIEW("null"), NULL, NULL},
	{"annotations that nothing reads",
		SAMPLE_POD("\"name\":\"single\",\"annotations\":{\"functionkey.dev/"
			   "inject\":\"true\",\"a/b\":\"c\",\"functionkey.dev/"
			   "contaners\":\"x\"}," SAMPLE_OPTED(""),
			APP),
		WHOLE("single", "single", ""),
		"\"warnings\":[\"functionkey: annotation functionkey.dev/inject is unknown and has "
		"no effect\",\"functionkey: annotation functionkey.dev/contaners is unknown and "
		"has no effect\"]"},
	{"names of no container",
		SAMPLE_POD("\"name\":\"single\",\"annotations\":{\"functionkey.dev/"
			   "containers\":\"app,,apq , app\"}," SAMPLE_OPTED(""),
			APP),
		WHOLE("single", "single", ""),
		"\"warnings\":[\"functionkey: annotation functionkey.dev/containers names apq, "
		"which is no container of the pod\"]"},
	/* Keys are checked only after us. */
	{"a long annotation, cut before a character",
		SAMPLE_POD("\"name\":\"single\",\"annotations\":{\"functionkey.dev/" LONG
			   "\":\"x\"}," SAMPLE_OPTED(""),
			APP),
		WHOLE("single", "single", ""), "€€\"]"},
	{"an update",
		"{\"request\":{\"uid\":\"" SAMPLE_UID
		"\",\"resource\":{\"resource\":\"pods\"},\"operation\":\"UPDATE\",\"object\":{"
		"\"metadata\":{" SAMPLE_OPTED("") "},\"spec\":{" APP "}}}}",
		NULL, NULL},
	{"a subresource",
		"{\"request\":{\"uid\":\"" SAMPLE_UID
		"\",\"resource\":{\"resource\":\"pods\"},\"subResource\":\"binding\",\"operation\":"
		"\"CREATE\",\"object\":{\"metadata\":{" SAMPLE_OPTED("") "}}}}",
		NULL, NULL},
	{"something else",
		"{\"request\":{\"uid\":\"" SAMPLE_UID
		"\",\"resource\":{\"resource\":\"jobs\"},\"operation\":\"CREATE\",\"object\":{"
		"\"metadata\":{" SAMPLE_OPTED("") "}}}}",
		NULL, NULL},
	{"containers of another type",
		SAMPLE_POD("\"name\":\"s\"," SAMPLE_OPTED(""), "\"containers\":{}"), NULL,
		"functionkey: not injected: "},
	{"a name of another type", SAMPLE_POD("\"name\":7," SAMPLE_OPTED(""), APP), NULL,
		"functionkey: not injected: "},
};

static struct controller_template *new_template(const char *json)
{
	void *t = NULL;

	assert_ok("template", kube_kind_decode(&controller_template_kind, base_str(json), &t, err));
	return t;
}

/* The patch in the answer, decoded; empty: none. */
static void patch_of(struct str answer, struct buf *patch)
{
	static const char key[] = "\"patchType\":\"JSONPatch\",\"patch\":\"";
	const char *at = strstr(answer.p, key);

	base_buf_clear(patch);
	if (!at)
		return;
	at += sizeof(key) - 1;
	assert_ok("base64", base_unbase64_add(patch, base_str_n(at, strcspn(at, "\"")), err));
}

static void check_row(const struct controller_template *t, const struct row *row)
{
	_cleanup_(base_buf_done) struct buf answer = base_buf(CONTROLLER_ANSWER_MAX);
	_cleanup_(base_buf_done) struct buf patch = base_buf(CONTROLLER_ANSWER_MAX);
	enum controller_injection done = CONTROLLER_REFUSED;

	assert_ok(row->name, controller_inject(t, base_str(row->review), &answer, &done, err));
	const char *text = (const char *)answer.data;
	patch_of(base_buf_str(&answer), &patch);
	if (!strstr(text, "\"uid\":\"" SAMPLE_UID "\",\"allowed\":true"))
		fail_msg("%s: %s", row->name, text);
	const char *got = patch.len ? (const char *)patch.data : "";
	if (strcmp(got, row->patch ? row->patch : "") != 0)
		fail_msg("%s: got  %s\nwant %s", row->name, got, row->patch ? row->patch : "none");
	if (row->warning ? !strstr(text, row->warning) : strstr(text, "warnings") != NULL)
		fail_msg("%s: warnings: %s", row->name, text);
	const bool failed = row->warning && strstr(row->warning, "not injected");
	assert_int_equal(done, row->patch ? CONTROLLER_INJECTED
			       : failed   ? CONTROLLER_FAILED
					  : CONTROLLER_UNCHANGED);
}

static void test_rows(void **state)
{
	struct controller_template *t = new_template(SAMPLE_TEMPLATE);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(t, &rows[i]);
	base_free(t);
}

/* What cannot be answered is refused; the output stays untouched. */
static void test_refused(void **state)
{
	static const struct {
		const char *name, *review;
	} refused[] = {
		{"nothing", ""},
		{"no JSON", "x"},
		{"half", "{\"request\":{\"uid\":"},
		{"no request", "{}"},
		{"null", "null"},
		{"a list", "[]"},
		{"no uid", "{\"request\":{\"operation\":\"CREATE\"}}"},
		{"uid of another type", "{\"request\":{\"uid\":7}}"},
	};
	struct controller_template *t = new_template(SAMPLE_TEMPLATE);
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		_cleanup_(base_buf_done) struct buf answer = base_buf(CONTROLLER_ANSWER_MAX);
		enum controller_injection done = CONTROLLER_REFUSED;
		assert_class(refused[i].name, ERR_INVALID,
			controller_inject(t, base_str(refused[i].review), &answer, &done, err));
		assert_int_equal(done, CONTROLLER_REFUSED);
		assert_int_equal(answer.len, 0);
	}
	base_free(t);
}

/* Templates that cannot be used: the pod is answered for, and the warning says why. */
static void test_templates(void **state)
{
	static const struct {
		const char *name, *json, *warning;
	} templates[] = {
		{"none", NULL, "podtemplate functionkey-agent is not known"},
		{"no init container", "{\"metadata\":{\"name\":\"t\"},\"template\":{\"spec\":{}}}",
			"it has no init container"},
		{"an empty list",
			"{\"metadata\":{\"name\":\"t\"},\"template\":{\"spec\":{\"initContainers\":"
			"[]}}}",
			"it has no init container"},
		{"another container first",
			"{\"metadata\":{\"name\":\"t\"},\"template\":{\"spec\":{\"initContainers\":"
			"[{\"name\":\"x\"}]}}}",
			"first init container is not functionkey-agent"},
		{"no list",
			"{\"metadata\":{\"name\":\"t\"},\"template\":{\"spec\":{\"initContainers\":"
			"{}}}}",
			"podtemplate functionkey-agent: "},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
		struct controller_template *t =
			templates[i].json ? new_template(templates[i].json) : NULL;
		const struct row row = {templates[i].name, rows[0].review, NULL, NULL};
		_cleanup_(base_buf_done) struct buf answer = base_buf(CONTROLLER_ANSWER_MAX);
		enum controller_injection done = CONTROLLER_REFUSED;
		assert_ok(
			row.name, controller_inject(t, base_str(row.review), &answer, &done, err));
		assert_int_equal(done, CONTROLLER_FAILED);
		if (!strstr((const char *)answer.data, templates[i].warning))
			fail_msg("%s: %s", row.name, (const char *)answer.data);
		base_free(t);
	}
}

static void test_template_without_env(void **state)
{
	_cleanup_(base_buf_done) struct buf answer = base_buf(CONTROLLER_ANSWER_MAX);
	_cleanup_(base_buf_done) struct buf patch = base_buf(CONTROLLER_ANSWER_MAX);
	struct controller_template *t =
		new_template("{\"metadata\":{\"name\":\"t\"},\"template\":{\"spec\":{"
			     "\"initContainers\":[{\"name\":\"functionkey-agent\"}]}}}");
	enum controller_injection done = CONTROLLER_REFUSED;
	(void)state;

	assert_ok("inject", controller_inject(t, base_str(rows[0].review), &answer, &done, err));
	patch_of(base_buf_str(&answer), &patch);
	assert_non_null(strstr(patch.len ? (const char *)patch.data : "",
		OP("add", "/spec/initContainers/0/env", "[]") "," AGENT_ENV(
			"FUNCTIONKEY_REVISION", "single")));
	base_free(t);
}

/* A review with n containers, each with an environment. */
static void monster(struct buf *b, size_t n)
{
	assert_ok("head", base_buf_addf(b, err,
				  "{\"request\":{\"uid\":\"" SAMPLE_UID
				  "\",\"resource\":{\"resource\":\"pods\"},\"namespace\":\"shop\","
				  "\"operation\":\"CREATE\",\"object\":{\"metadata\":{\"name\":"
				  "\"s\"," SAMPLE_OPTED("") "},\"spec\":{\"containers\":["));
	for (size_t i = 0; i < n; i++)
		assert_ok("container", base_buf_addf(b, err,
					       "%s{\"name\":\"c%zu\",\"image\":\"i\",\"env\":[{"
					       "\"name\":\"A\",\"value\":\"b\"}]}",
					       i ? "," : "", i));
	assert_ok("tail", base_buf_addf(b, err, "]}}}}"));
}

static void test_monsters(void **state)
{
	static const struct {
		size_t containers;
		enum controller_injection done;
		const char *says;
	} monsters[] = {
		{1000, CONTROLLER_INJECTED, "JSONPatch"},
		{CONTROLLER_CONTAINERS_MAX, CONTROLLER_FAILED,
			"not injected: a patch of more than"},
		{CONTROLLER_CONTAINERS_MAX + 1, CONTROLLER_FAILED, "not injected: more than"},
	};
	struct controller_template *t = new_template(SAMPLE_TEMPLATE);
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(monsters); i++) {
		_cleanup_(base_buf_done) struct buf review = base_buf(CONTROLLER_REVIEW_MAX);
		_cleanup_(base_buf_done) struct buf answer = base_buf(CONTROLLER_ANSWER_MAX);
		enum controller_injection done = CONTROLLER_REFUSED;
		monster(&review, monsters[i].containers);
		assert_ok("monster",
			controller_inject(t, base_buf_str(&review), &answer, &done, err));
		assert_int_equal(done, monsters[i].done);
		assert_non_null(strstr((const char *)answer.data, monsters[i].says));
	}
	base_free(t);
}

/* A review that is larger than what the API server sends is not read at all. */
static void test_too_large(void **state)
{
	_cleanup_(base_buf_done) struct buf review = base_buf(CONTROLLER_REVIEW_MAX + 1024);
	_cleanup_(base_buf_done) struct buf answer = base_buf(CONTROLLER_ANSWER_MAX);
	enum controller_injection done = CONTROLLER_REFUSED;
	uint8_t *p = NULL;
	(void)state;

	assert_ok("review", base_buf_add_str(&review, base_str(rows[0].review), err));
	assert_ok("room", base_buf_room(&review, CONTROLLER_REVIEW_MAX, &p, err));
	memset(p, ' ', CONTROLLER_REVIEW_MAX);
	base_buf_added(&review, CONTROLLER_REVIEW_MAX - review.len);
	assert_ok("largest", controller_inject(NULL, base_buf_str(&review), &answer, &done, err));
	base_buf_added(&review, 1);
	base_buf_clear(&answer);
	assert_class("larger", ERR_TOO_LARGE,
		controller_inject(NULL, base_buf_str(&review), &answer, &done, err));
}

/* A list of names as long as an annotation can be costs no more than reading it. */
static void test_long_list_of_names(void **state)
{
	_cleanup_(base_buf_done) struct buf review = base_buf(CONTROLLER_REVIEW_MAX);
	_cleanup_(base_buf_done) struct buf answer = base_buf(CONTROLLER_ANSWER_MAX);
	enum controller_injection done = CONTROLLER_REFUSED;
	struct controller_template *t = new_template(SAMPLE_TEMPLATE);
	(void)state;

	assert_ok(
		"head", base_buf_addf(&review, err,
				"{\"request\":{\"uid\":\"" SAMPLE_UID
				"\",\"resource\":{\"resource\":\"pods\"},\"operation\":\"CREATE\","
				"\"object\":"
				"{\"metadata\":{\"name\":\"s\"," SAMPLE_OPTED(
					"") ",\"annotations\":{\"functionkey.dev/containers\":\""));
	for (size_t i = 0; i < 40000; i++)
		assert_ok("name", base_buf_addf(&review, err, "c%zu,", i));
	assert_ok("tail", base_buf_addf(&review, err, "\"}},\"spec\":{" APP "}}}}"));
	assert_ok("inject", controller_inject(t, base_buf_str(&review), &answer, &done, err));
	assert_int_equal(done, CONTROLLER_FAILED);
	base_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_template_without_env),
		cmocka_unit_test(test_monsters),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_long_list_of_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
