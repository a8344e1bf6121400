#include "pkg/base/test.h"
#include "pkg/kube/lease_impl.h"

#define META                                                                                      \
	"\"kind\":\"Lease\",\"metadata\":{\"name\":\"l\",\"resourceVersion\":\"7\",\"x\":{\"y\":" \
	"1}}"

static void test_documents(void **state)
{
	static const struct {
		const char *name, *json, *holder;
		int32_t duration, transitions;
		bool ok;
	} rows[] = {
		{"whole",
			"{" META ",\"spec\":{\"holderIdentity\":\"h\",\"leaseDurationSeconds\":15,"
			"\"leaseTransitions\":3,\"renewTime\":\"2026-11-21T09:00:00.123456Z\"}}",
			"h", 15, 3, true},
		{"no spec", "{" META "}", "", 0, 0, true},
		{"spec null", "{" META ",\"spec\":null}", "", 0, 0, true},
		{"holder null", "{" META ",\"spec\":{\"holderIdentity\":null}}", "", 0, 0, true},
		{"holder a number", "{" META ",\"spec\":{\"holderIdentity\":7}}", "", 0, 0, false},
		{"duration negative", "{" META ",\"spec\":{\"leaseDurationSeconds\":-1}}", "", 0, 0,
			true},
		{"transitions huge",
			"{" META ",\"spec\":{\"leaseTransitions\":99999999999999999999}}", "", 0, 0,
			true},
		{"renewTime nonsense", "{" META ",\"spec\":{\"renewTime\":\"yesterday\"}}", "", 0,
			0, true},
		{"no version", "{\"kind\":\"Lease\",\"metadata\":{}}", "", 0, 0, false},
		{"another kind", "{\"kind\":\"Status\"}", "", 0, 0, false},
		{"a list", "[]", "", 0, 0, false},
		{"cut", "{" META, "", 0, 0, false},
		{"nothing", "", "", 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(kube_lease_put) struct json_object *doc = NULL;
		struct kube_lease_record r = {0};
		const int got = kube_lease_parse(base_str(rows[i].json), &doc, &r, NULL);
		if ((got == 0) != rows[i].ok || strcmp(r.holder, rows[i].holder) != 0 ||
			r.duration_s != rows[i].duration || r.transitions != rows[i].transitions)
			fail_msg("%s: %d, '%s' %d %d", rows[i].name, got, r.holder, r.duration_s,
				r.transitions);
	}
}

static void test_bodies(void **state)
{
	_cleanup_(kube_lease_put) struct json_object *doc = NULL;
	_cleanup_(base_buf_done) struct buf b = base_buf(KUBE_LEASE_BODY_MAX);
	struct kube_lease_action a = {
		.record = {.holder = "me", .duration_s = 30, .transitions = 4}};
	struct kube_lease_record r;

	(void)state;
	assert_ok("parse",
		kube_lease_parse(
			STR("{" META ",\"spec\":{\"strategy\":\"s\","
			    "\"acquireTime\":\"old\",\"holderIdentity\":\"h\"},\"more\":[1]}"),
			&doc, &r, err));
	assert_ok("renew", kube_lease_body(doc, STR("l"), &a, 1500 * NS_PER_MS, &b, err));
	assert_string_equal((const char *)b.data,
		"{" META ",\"spec\":{\"strategy\":\"s\",\"acquireTime\":\"old\","
		"\"holderIdentity\":\"me\",\"leaseDurationSeconds\":30,\"leaseTransitions\":4,"
		"\"renewTime\":\"1970-01-01T00:00:01.500000Z\"},\"more\":[1]}");
	base_buf_clear(&b);
	a.acquire = true;
	assert_ok("create", kube_lease_body(NULL, STR("l"), &a, 0, &b, err));
	assert_string_equal((const char *)b.data,
		"{\"apiVersion\":\"coordination.k8s.io/"
		"v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":"
		"\"l\"},\"spec\":{\"holderIdentity\":\"me\",\"leaseDurationSeconds\":30,"
		"\"leaseTransitions\":4,\"renewTime\":\"1970-01-01T00:00:00.000000Z\","
		"\"acquireTime\":\"1970-01-01T00:00:00.000000Z\"}}");
	base_buf_clear(&b);
	assert_ok("identity", kube_lease_identity(&b, STR("p"), STR("u"), 3, err));
	assert_string_equal((const char *)b.data, "p_u_3");
	assert_class("no uid", ERR_INVALID, kube_lease_identity(&b, STR("p"), STR(""), 3, err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
