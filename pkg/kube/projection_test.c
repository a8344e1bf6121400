#include "pkg/kube/projection.h"

#include "pkg/base/test.h"

struct condition {
	struct str type, status;
	int64_t since_ns;
	bool has_reason;
};

struct thing {
	struct kube_meta meta;
	struct str label, phase, raw;
	int64_t generation, created_ns, containers;
	bool deleting, paused;
	struct kube_list conditions, finalizers;
	struct kube_pairs labels;
};

static const struct kube_field condition_fields[] = {
	{"/type", KUBE_FIELD_TEXT, 32, offsetof(struct condition, type)},
	{"/status", KUBE_FIELD_TEXT, 8, offsetof(struct condition, status)},
	{"/lastTransitionTime", KUBE_FIELD_TIME, 0, offsetof(struct condition, since_ns)},
	{"/detail/reason", KUBE_FIELD_PRESENT, 0, offsetof(struct condition, has_reason)},
};
static const struct kube_projection condition = {
	condition_fields, ARRAY_LEN(condition_fields), sizeof(struct condition)};

static const struct kube_field thing_fields[] = {
	KUBE_META_FIELDS(struct thing, meta),
	{"/metadata/annotations/a.b~1c~0d", KUBE_FIELD_TEXT, 8, offsetof(struct thing, label)},
	{"/metadata/generation", KUBE_FIELD_INT, 0, offsetof(struct thing, generation)},
	{"/metadata/creationTimestamp", KUBE_FIELD_TIME, 0, offsetof(struct thing, created_ns)},
	{"/metadata/deletionTimestamp", KUBE_FIELD_PRESENT, 0, offsetof(struct thing, deleting)},
	{"/metadata/finalizers", KUBE_FIELD_TEXTS, 3, offsetof(struct thing, finalizers)},
	{"/metadata/labels", KUBE_FIELD_PAIRS, 3, offsetof(struct thing, labels)},
	{"/spec/paused", KUBE_FIELD_BOOL, 0, offsetof(struct thing, paused)},
	{"/spec/containers", KUBE_FIELD_COUNT, 0, offsetof(struct thing, containers)},
	{"/status/phase", KUBE_FIELD_TEXT, 10, offsetof(struct thing, phase)},
	{"/status/conditions", KUBE_FIELD_LIST, 3, offsetof(struct thing, conditions), &condition},
	{"/status/raw", KUBE_FIELD_RAW, 16, offsetof(struct thing, raw)},
};
static const struct kube_projection thing = {
	thing_fields, ARRAY_LEN(thing_fields), sizeof(struct thing)};

static const char full[] =
	"{\"kind\":\"Thing\",\"metadata\":{\"name\":\"n\",\"namespace\":\"ns\",\"uid\":\"u\","
	"\"resourceVersion\":\"7\",\"managedFields\":[{\"f:metadata\":{\"f:name\":{}}}],"
	"\"annotations\":{\"a.b\":\"no\",\"a.b/c~d\":\"\\u00e9\\n\"},\"generation\":-3,"
	"\"creationTimestamp\":\"1970-01-01T00:00:01Z\",\"deletionTimestamp\":\"x\","
	"\"finalizers\":[\"f1\",\"f\\t2\"],\"labels\":{\"l1\":\"v1\",\"l2\":\"\"}},"
	"\"spec\":{\"paused\":true,\"containers\":[{},[],3]},"
	"\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\","
	"\"lastTransitionTime\":\"1970-01-01T00:00:02Z\",\"detail\":{\"reason\":0}},{},"
	"{\"type\":\"Other\"}],\"raw\":{\"a\": [1]}}}";

static struct thing *decode(const char *doc, struct err *err)
{
	void *object = NULL;

	/* A copy that goes: nothing of the document may be kept. */
	char *copy = base_strndup(doc, strlen(doc));
	const int r = kube_project(&thing, base_str_n(copy, strlen(doc)), &object, err);
	memset(copy, '#', strlen(doc));
	base_free(copy);
	assert_int_equal(r == 0, object != NULL);
	return object;
}

#define assert_text(got, want) assert_string_equal((got).p, (want))

static void test_full(void **state)
{
	struct err err = {0};
	struct thing *t = decode(full, &err);

	(void)state;
	if (!t)
		fail_msg("%s", err.msg);
	assert_text(t->meta.ns, "ns");
	assert_text(t->meta.name, "n");
	assert_text(t->meta.uid, "u");
	assert_text(t->meta.rv, "7");
	assert_text(t->label, "\xc3\xa9\n");
	assert_int_equal(t->label.n, 3);
	assert_int_equal(t->generation, -3);
	assert_int_equal(t->created_ns, NS_PER_S);
	assert_true(t->deleting);
	assert_true(t->paused);
	assert_int_equal(t->containers, 3);
	assert_text(t->phase, "Running");
	assert_text(t->raw, "{\"a\": [1]}");
	assert_int_equal(t->finalizers.n, 2);
	const struct str *finalizers = t->finalizers.items;
	assert_text(finalizers[0], "f1");
	assert_text(finalizers[1], "f\t2");
	assert_int_equal(t->labels.n, 2);
	assert_text(kube_pairs_get(&t->labels, "l1"), "v1");
	assert_text(kube_pairs_get(&t->labels, "l2"), "");
	assert_null(kube_pairs_get(&t->labels, "l3").p);
	assert_int_equal(t->conditions.n, 3);
	const struct condition *c = t->conditions.items;
	assert_text(c[0].type, "Ready");
	assert_text(c[0].status, "True");
	assert_int_equal(c[0].since_ns, 2 * NS_PER_S);
	assert_true(c[0].has_reason);
	assert_null(c[1].type.p);
	assert_text(c[2].type, "Other");
	assert_false(c[2].has_reason);
	base_free(t);
}

/* Of duplicates the last wins, with all that stands below. */
static const struct {
	const char *name, *doc, *uid, *phase, *rv;
	size_t conditions, labels;
} doubles[] = {
	{"nothing", "{}", NULL, NULL, NULL, 0, 0},
	{"nulls", "{\"metadata\":null,\"status\":{\"conditions\":null,\"phase\":null}}", NULL, NULL,
		NULL, 0, 0},
	{"a text", "{\"status\":{\"phase\":\"a\",\"phase\":\"b\"}}", NULL, "b", NULL, 0, 0},
	{"a text, then null", "{\"status\":{\"phase\":\"a\",\"phase\":null}}", NULL, NULL, NULL, 0,
		0},
	{"a level",
		"{\"metadata\":{\"uid\":\"a\",\"resourceVersion\":\"1\"},\"metadata\":{\"uid\":"
		"\"b\"}}",
		"b", NULL, NULL, 0, 0},
	{"a level, then null", "{\"metadata\":{\"uid\":\"a\"},\"metadata\":null}", NULL, NULL, NULL,
		0, 0},
	{"a list",
		"{\"status\":{\"conditions\":[{\"type\":\"a\"},{\"type\":\"b\"}],\"conditions\":[{}"
		"]}}",
		NULL, NULL, NULL, 1, 0},
	{"a list and behind it",
		"{\"status\":{\"conditions\":[{\"type\":\"a\"}],\"phase\":\"p\"},\"metadata\":{"
		"\"uid\":"
		"\"u\"},\"status\":{\"phase\":\"q\"}}",
		"u", "q", NULL, 0, 0},
	{"pairs", "{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"},\"labels\":{\"c\":\"3\"}}}",
		NULL, NULL, NULL, 0, 1},
	{"in an element",
		"{\"status\":{\"conditions\":[{\"type\":\"a\",\"type\":\"b\"},{\"type\":\"c\"}]}}",
		NULL, NULL, NULL, 2, 0},
	{"an escaped key", "{\"m\\u0065tadata\":{\"uid\":\"a\"}}", "a", NULL, NULL, 0, 0},
};

static void same_text(const char *row, struct str got, const char *want)
{
	if (!want ? got.p != NULL : !base_str_eq(got, base_str(want)))
		fail_msg("%s: got '%.*s'", row, STR_FMT(got));
}

static void test_doubles(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(doubles); i++) {
		struct err err = {0};
		struct thing *t = decode(doubles[i].doc, &err);
		if (!t)
			fail_msg("%s: %s", doubles[i].name, err.msg);
		same_text(doubles[i].name, t->meta.uid, doubles[i].uid);
		same_text(doubles[i].name, t->meta.rv, doubles[i].rv);
		same_text(doubles[i].name, t->phase, doubles[i].phase);
		assert_int_equal(t->conditions.n, doubles[i].conditions);
		assert_int_equal(t->labels.n, doubles[i].labels);
		base_free(t);
	}
}

static const struct {
	const char *doc;
	enum err_class want;
	const char *says;
} refused[] = {
	{"", ERR_INVALID, "no object"},
	{"[]", ERR_INVALID, "no object"},
	{"null", ERR_INVALID, "no object"},
	{"{} x", ERR_INVALID, "behind the document"},
	{"{\"metadata\":[]}", ERR_INVALID, "no object"},
	{"{\"metadata\":\"x\"}", ERR_INVALID, "no object"},
	{"{\"metadata\":{\"name\":1}}", ERR_INVALID, "/metadata/name"},
	{"{\"metadata\":{\"name\":{}}}", ERR_INVALID, "/metadata/name"},
	{"{\"metadata\":{\"generation\":\"1\"}}", ERR_INVALID, "/metadata/generation"},
	{"{\"metadata\":{\"generation\":1.5}}", ERR_INVALID, "/metadata/generation"},
	{"{\"metadata\":{\"creationTimestamp\":\"yesterday\"}}", ERR_INVALID, "/metadata/creation"},
	{"{\"spec\":{\"paused\":\"true\"}}", ERR_INVALID, "/spec/paused"},
	{"{\"spec\":{\"containers\":{}}}", ERR_INVALID, "/spec/containers"},
	{"{\"metadata\":{\"finalizers\":[1]}}", ERR_INVALID, "/metadata/finalizers"},
	{"{\"metadata\":{\"finalizers\":[null]}}", ERR_INVALID, "/metadata/finalizers"},
	{"{\"metadata\":{\"labels\":{\"a\":1}}}", ERR_INVALID, "/metadata/labels"},
	{"{\"metadata\":{\"labels\":{\"a\\u0062\":\"\"}}}", ERR_INVALID, "/metadata/labels"},
	{"{\"metadata\":{\"labels\":[]}}", ERR_INVALID, "/metadata/labels"},
	{"{\"status\":{\"conditions\":{}}}", ERR_INVALID, "/status/conditions"},
	{"{\"status\":{\"conditions\":[[]]}}", ERR_INVALID, "/status/conditions"},
	{"{\"status\":{\"conditions\":[null]}}", ERR_INVALID, "/status/conditions"},
	{"{\"status\":{\"conditions\":[{\"type\":[]}]}}", ERR_INVALID, "/type"},
	{"{\"status\":{\"phase\":\"12345678901\"}}", ERR_TOO_LARGE, "/status/phase"},
	{"{\"status\":{\"phase\":\"\\n2345678901\"}}", ERR_TOO_LARGE, "/status/phase"},
	{"{\"status\":{\"phase\":\""
	 "\\u0031\\u0031\\u0031\\u0031\\u0031\\u0031"
	 "\\u0031\\u0031\\u0031\\u0031\\u0031"
	 "\"}}",
		ERR_TOO_LARGE, "/status/phase"},
	{"{\"status\":{\"raw\":[1,2,3,4,5,6,7,8]}}", ERR_TOO_LARGE, "/status/raw"},
	{"{\"metadata\":{\"finalizers\":[\"\",\"\",\"\",\"\"]}}", ERR_TOO_LARGE, "/metadata/fin"},
	{"{\"metadata\":{\"labels\":{\"a\":\"\",\"b\":\"\",\"c\":\"\",\"d\":\"\"}}}", ERR_TOO_LARGE,
		"/metadata/labels"},
	{"{\"status\":{\"conditions\":[{},{},{},{}]}}", ERR_TOO_LARGE, "/status/conditions"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct err err = {0};
		struct thing *t = decode(refused[i].doc, &err);
		if (t || err.class != refused[i].want || !strstr(err.msg, refused[i].says))
			fail_msg("%s: %s: %s", refused[i].doc, base_err_class_name(err.class),
				err.msg);
	}
}

/* Exactly at the bounds. */
static void test_bounds(void **state)
{
	struct err err = {0};
	struct thing *t =
		decode("{\"status\":{\"phase\":\"\\u0031\\u0031\\u0031\\u0031\\u0031\\u0031"
		       "\\u0031\\u0031\\u0031\\u0031\",\"raw\":\"12345678901234\"}}",
			&err);

	(void)state;
	if (!t)
		fail_msg("%s", err.msg);
	assert_text(t->phase, "1111111111");
	assert_text(t->raw, "\"12345678901234\"");
	base_free(t);
}

static void test_cut(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(full) - 1; n++) {
		void *object = NULL;
		_cleanup_(base_free) char *copy = base_alloc(n, 1);
		memcpy(copy, full, n);
		assert_class(full + n, ERR_INVALID,
			kube_project(&thing, base_str_n(copy, n), &object, err));
		assert_null(object);
	}
}

static const struct kube_field list_in_list[] = {{"/a", KUBE_FIELD_LIST, 1, 0, &condition}};
static const struct kube_projection inner = {list_in_list, 1, sizeof(struct kube_list)};
static const struct kube_field texts_in_list[] = {{"/a", KUBE_FIELD_TEXTS, 1, 0}};
static const struct kube_projection inner_texts = {texts_in_list, 1, sizeof(struct kube_list)};

static const struct {
	const char *name;
	struct kube_field fields[2];
	const char *doc;
} bugs[] = {
	{"no slash", {{"a", KUBE_FIELD_INT, 0, 0}}, "{}"},
	{"nothing", {{"", KUBE_FIELD_INT, 0, 0}}, "{}"},
	{"too deep", {{"/1/2/3/4/5/6/7/8/9", KUBE_FIELD_INT, 0, 0}}, "{}"},
	{"list of nothing", {{"/a", KUBE_FIELD_LIST, 1, 0}}, "{}"},
	{"list in a list", {{"/l", KUBE_FIELD_LIST, 1, 0, &inner}}, "{\"l\":[{}]}"},
	{"texts in a list", {{"/l", KUBE_FIELD_LIST, 1, 0, &inner_texts}}, "{\"l\":[{}]}"},
	{"no type", {{"/a", (enum kube_field_type)99, 0, 0}}, "{\"a\":1}"},
	{"the same twice", {{"/a", KUBE_FIELD_INT, 0, 0}, {"/a", KUBE_FIELD_PRESENT, 0, 8}},
		"{\"a\":1}"},
	{"through a leaf", {{"/a", KUBE_FIELD_RAW, 9, 0}, {"/a/b", KUBE_FIELD_INT, 0, 16}},
		"{\"a\":{}}"},
};

static void test_bugs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bugs); i++) {
		const struct kube_projection p = {
			bugs[i].fields, bugs[i].fields[1].path ? 2 : 1, 64};
		void *object = NULL;
		assert_class(bugs[i].name, ERR_BUG,
			kube_project(&p, base_str(bugs[i].doc), &object, err));
	}
}

static int torture_full(void *ctx, struct err *err)
{
	void *object = NULL;

	(void)ctx;
	TRY(kube_project(&thing, base_str(full), &object, err));
	base_free(object);
	return 0;
}

static void test_torture(void **state)
{
	(void)state;
	assert_true(torture_run("project", torture_full, NULL, 1) >= 2);
}

static void test_kind(void **state)
{
	const struct kube_kind kind = {.projection = &thing};
	void *object = NULL;

	(void)state;
	assert_ok("decode", kube_kind_decode(&kind, base_str(full), &object, err));
	assert_text(kube_kind_meta(&kind, object).name, "n");
	assert_null(kube_kind_free(&kind, object));
	assert_null(kube_kind_free(&kind, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_bugs),
		cmocka_unit_test(test_torture),
		cmocka_unit_test(test_kind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
