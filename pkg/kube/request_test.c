#include "pkg/base/test.h"
#include "pkg/kube/request.h"

static const struct kube_resource leases = {.group = "coordination.k8s.io",
	.version = "v1",
	.plural = "leases",
	.kind = "Lease",
	.namespaced = true};
static const struct kube_resource nodes = {
	.group = "", .version = "v1", .plural = "nodes", .kind = "Node"};
static const struct kube_resource document = {
	.plural = "version", .kind = "Info", .path = "/version"};

#define S(text)                                    \
	{                                          \
		.p = (text), .n = sizeof(text) - 1 \
	}

static const struct {
	const char *name;
	struct kube_request request;
	uint32_t timeout_s;
	const char *path; /* NULL: refused */
} rows[] = {
	{"get", {.verb = KUBE_GET, .resource = &leases, .ns = S("a"), .name = S("b")}, 0,
		"/apis/coordination.k8s.io/v1/namespaces/a/leases/b"},
	{"core, not namespaced", {.verb = KUBE_GET, .resource = &nodes, .name = S("b")}, 5,
		"/api/v1/nodes/b?timeout=5s"},
	{"list of all namespaces", {.verb = KUBE_LIST, .resource = &leases}, 0,
		"/apis/coordination.k8s.io/v1/leases"},
	{"watch has no timeout",
		{.verb = KUBE_LIST, .resource = &leases, .query = S("a=b&watch=true")}, 30,
		"/apis/coordination.k8s.io/v1/leases?a=b&watch=true"},
	{"a value that only looks like watch",
		{.verb = KUBE_LIST, .resource = &leases, .query = S("xwatch=true")}, 30,
		"/apis/coordination.k8s.io/v1/leases?xwatch=true&timeout=30s"},
	{"status",
		{.verb = KUBE_PATCH_MERGE,
			.resource = &leases,
			.ns = S("a"),
			.name = S("b"),
			.subresource = S("status"),
			.body = S("{}"),
			.field_manager = "m/n"},
		0, "/apis/coordination.k8s.io/v1/namespaces/a/leases/b/status?fieldManager=m%2Fn"},
	{"apply",
		{.verb = KUBE_APPLY,
			.resource = &nodes,
			.name = S("b"),
			.body = S("{}"),
			.field_manager = "m",
			.force = true},
		0, "/api/v1/nodes/b?fieldManager=m&force=true"},
	{"delete names no manager",
		{.verb = KUBE_DELETE, .resource = &nodes, .name = S("b"), .field_manager = "m"}, 0,
		"/api/v1/nodes/b"},
	{"create in a subresource",
		{.verb = KUBE_CREATE,
			.resource = &leases,
			.ns = S("a"),
			.name = S("p"),
			.subresource = S("eviction"),
			.body = S("{}")},
		0, "/apis/coordination.k8s.io/v1/namespaces/a/leases/p/eviction"},
	{"hostile names are encoded",
		{.verb = KUBE_GET,
			.resource = &leases,
			.ns = S("a/../b?x"),
			.name = S("%2e\r\n#+ \xc3\xa4")},
		0,
		"/apis/coordination.k8s.io/v1/namespaces/a%2F..%2Fb%3Fx/leases/"
		"%252e%0D%0A%23%2B%20%C3%A4"},
	{"a document", {.verb = KUBE_GET, .resource = &document}, 5, "/version?timeout=5s"},
	{"a document is not listed", {.verb = KUBE_LIST, .resource = &document}, 0, NULL},
	{"a document has no name", {.verb = KUBE_GET, .resource = &document, .name = S("b")}, 0,
		NULL},
	{"get without a name", {.verb = KUBE_GET, .resource = &leases, .ns = S("a")}, 0, NULL},
	{"delete without a name", {.verb = KUBE_DELETE, .resource = &leases, .ns = S("a")}, 0,
		NULL},
	{"update without a name",
		{.verb = KUBE_UPDATE, .resource = &leases, .ns = S("a"), .body = S("{}")}, 0, NULL},
	{"get without a namespace", {.verb = KUBE_GET, .resource = &leases, .name = S("b")}, 0,
		NULL},
	{"a namespace too many",
		{.verb = KUBE_GET, .resource = &nodes, .ns = S("a"), .name = S("b")}, 0, NULL},
	{"list with a name", {.verb = KUBE_LIST, .resource = &nodes, .name = S("b")}, 0, NULL},
	{"create with a name",
		{.verb = KUBE_CREATE, .resource = &nodes, .name = S("b"), .body = S("{}")}, 0,
		NULL},
	{"create without a body", {.verb = KUBE_CREATE, .resource = &nodes}, 0, NULL},
	{"get with a body", {.verb = KUBE_GET, .resource = &nodes, .name = S("b"), .body = S("{}")},
		0, NULL},
	{"apply without a manager",
		{.verb = KUBE_APPLY, .resource = &nodes, .name = S("b"), .body = S("{}")}, 0, NULL},
	{"dot", {.verb = KUBE_GET, .resource = &nodes, .name = S(".")}, 0, NULL},
	{"dots", {.verb = KUBE_GET, .resource = &leases, .ns = S(".."), .name = S("b")}, 0, NULL},
	{"no resource", {.verb = KUBE_GET, .name = S("b")}, 0, NULL},
	{"no verb", {.verb = KUBE_VERB_COUNT, .resource = &nodes, .name = S("b")}, 0, NULL},
};

static void test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_URL_MAX);
		if (!rows[i].path) {
			assert_class(rows[i].name, ERR_INVALID,
				kube_request_path(&rows[i].request, 0, &b, err));
			continue;
		}
		assert_ok(rows[i].name,
			kube_request_path(&rows[i].request, rows[i].timeout_s, &b, err));
		if (strcmp((const char *)b.data, rows[i].path) != 0)
			fail_msg("%s: %s", rows[i].name, (const char *)b.data);
	}
}

static void test_maxima(void **state)
{
	static char big[KUBE_BODY_MAX + 2];
	_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_URL_MAX);
	struct kube_request r = {.verb = KUBE_CREATE, .resource = &nodes};

	(void)state;
	memset(big, 'a', sizeof(big) - 1);
	r.body = base_str_n(big, KUBE_BODY_MAX);
	assert_ok("the largest", kube_request_check(&r, err));
	r.body.n++;
	assert_class("a byte more", ERR_TOO_LARGE, kube_request_check(&r, err));
	r = (struct kube_request){.verb = KUBE_GET, .resource = &nodes};
	r.name = base_str_n(big, KUBE_URL_MAX);
	assert_class("a long name", ERR_TOO_LARGE, kube_request_path(&r, 0, &b, err));
	r.verb = KUBE_DELETE;
	r.name = STR("b");
	big[KUBE_MANAGER_MAX + 1] = 0;
	r.field_manager = big;
	assert_class("a long manager", ERR_INVALID, kube_request_check(&r, err));
}

static void test_texts(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(1000);

	(void)state;
	assert_ok("one", kube_query_add(&b, "labelSelector", STR("a in (b,c)"), err));
	assert_ok("two", kube_query_add(&b, "x", STR("1"), err));
	assert_string_equal(b.data, "labelSelector=a%20in%20%28b%2Cc%29&x=1");
	base_buf_clear(&b);
	assert_ok("options", kube_delete_options_add(&b, STR("u"), STR("7"), "Orphan", err));
	assert_string_equal(b.data,
		"{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":"
		"\"Orphan\",\"preconditions\":{\"uid\":\"u\",\"resourceVersion\":\"7\"}}");
	base_buf_clear(&b);
	assert_ok("none", kube_delete_options_add(&b, STR_NULL, STR_NULL, NULL, err));
	assert_string_equal(b.data, "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\"}");
	assert_string_equal(kube_verb_name(KUBE_PATCH_JSON), "patch-json");
	assert_string_equal(kube_verb_method(KUBE_APPLY), "PATCH");
	assert_null(kube_verb_content_type(KUBE_LIST));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_maxima),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
