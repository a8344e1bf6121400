#include "agent/sink.h"

#include "agent/announcement.h"
#include "pkg/base/test.h"

static void urls(void **state)
{
	static const struct {
		const char *url, *address, *host, *target; /* address NULL: refused */
	} rows[] = {
		{"http://sink", "sink:80", "sink", "/"},
		{"https://sink", "sink:443", "sink", "/"},
		{"http://broker-ingress.knative-eventing.svc.cluster.local/shop/default",
			"broker-ingress.knative-eventing.svc.cluster.local:80",
			"broker-ingress.knative-eventing.svc.cluster.local", "/shop/default"},
		{"http://10.0.0.1:8080/a?b=c&d=%20", "10.0.0.1:8080", "10.0.0.1:8080",
			"/a?b=c&d=%20"},
		{"http://[fd00::1]:8080", "[fd00::1]:8080", "[fd00::1]:8080", "/"},
		{"https://[::ffff:10.0.0.1]/x", "[::ffff:10.0.0.1]:443", "[::ffff:10.0.0.1]", "/x"},
		{"http://sink?q", "sink:80", "sink", "/?q"},
		{"http://sink/?a=http://x/y@z", "sink:80", "sink", "/?a=http://x/y@z"},
		{"", NULL, NULL, NULL},
		{"true", NULL, NULL, NULL},
		{"http://", NULL, NULL, NULL},
		{"http:///path", NULL, NULL, NULL},
		{"http:/sink", NULL, NULL, NULL},
		{"HTTP://sink", NULL, NULL, NULL},
		{"ftp://sink", NULL, NULL, NULL},
		{"file:///etc/passwd", NULL, NULL, NULL},
		{"http://user:secret@sink/", NULL, NULL, NULL},
		{"http://user@sink/", NULL, NULL, NULL},
		{"http://sink:0/", NULL, NULL, NULL},
		{"http://sink:65536/", NULL, NULL, NULL},
		{"http://sink:/", NULL, NULL, NULL},
		{"http://sink:80:80/", NULL, NULL, NULL},
		{"http://sink:-1/", NULL, NULL, NULL},
		{"http://[::1/", NULL, NULL, NULL},
		{"http://::1/", NULL, NULL, NULL},
		{"http://[sink]/", NULL, NULL, NULL},
		{"http://sink/#part", NULL, NULL, NULL},
		{"http://sink/a b", NULL, NULL, NULL},
		{"http://sink/\r\nHost: other", NULL, NULL, NULL},
		{"http://sink\r\nX: y/", NULL, NULL, NULL},
		{"http://sink/\x7f", NULL, NULL, NULL},
		{"http://caf\xc3\xa9/", NULL, NULL, NULL},
		{"http://sink\\@other/", NULL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct agent_sink sink = {0};
		if (!rows[i].address) {
			assert_class(rows[i].url, ERR_INVALID,
				agent_sink_parse(base_str(rows[i].url), &sink, err));
			continue;
		}
		assert_ok(rows[i].url, agent_sink_parse(base_str(rows[i].url), &sink, err));
		assert_string_equal(sink.address, rows[i].address);
		assert_string_equal(sink.host, rows[i].host);
		assert_string_equal(sink.target, rows[i].target);
		assert_int_equal(sink.tls, rows[i].url[4] == 's');
	}
}

static void long_urls(void **state)
{
	char url[AGENT_SINK_URL_MAX + 2];
	struct agent_sink sink;

	(void)state;
	memset(url, 'a', sizeof(url));
	memcpy(url, "http://sink/", 12);
	assert_ok("longest", agent_sink_parse(base_str_n(url, AGENT_SINK_URL_MAX), &sink, err));
	assert_int_equal(strlen(sink.target), AGENT_SINK_URL_MAX - 11);
	assert_class("longer", ERR_TOO_LARGE,
		agent_sink_parse(base_str_n(url, AGENT_SINK_URL_MAX + 1), &sink, err));
	memset(url, 'a', sizeof(url));
	memcpy(url, "http://", 7);
	assert_class("long host", ERR_INVALID,
		agent_sink_parse(base_str_n(url, 7 + AGENT_SINK_HOST_MAX + 1), &sink, err));
	assert_ok("longest host",
		agent_sink_parse(base_str_n(url, 7 + AGENT_SINK_HOST_MAX), &sink, err));
	assert_int_equal(strlen(sink.host), AGENT_SINK_HOST_MAX);
}

static void extensions(void **state)
{
	static const struct {
		const char *json;
		const char *want; /* NULL: refused */
	} rows[] = {
		{"", ""},
		{"{}", ""},
		{"{\"extensions\":{}}", ""},
		{"{\"extensions\":null}", ""},
		{"{\"extensions\":{\"team\":\"pay\",\"b2\":\"caf\\u00e9 \\\"x\\\"\"},\"more\":[1]}",
			"team=pay;b2=caf\xc3\xa9 \"x\";"},
		{"{", NULL},
		{"[]", NULL},
		{"{} {}", NULL},
		{"{\"extensions\":[]}", NULL},
		{"{\"extensions\":{\"a\":1}}", NULL},
		{"{\"extensions\":{\"\":\"x\"}}", NULL},
		{"{\"extensions\":{\"Team\":\"x\"}}", NULL},
		{"{\"extensions\":{\"a-b\":\"x\"}}", NULL},
		{"{\"extensions\":{\"a\\r\\nX\":\"x\"}}", NULL},
		{"{\"extensions\":{\"abcdefghijklmnopqrstu\":\"x\"}}", NULL},
		{"{\"extensions\":{\"id\":\"x\"}}", NULL},
		{"{\"extensions\":{\"source\":\"x\"}}", NULL},
		{"{\"extensions\":{\"type\":\"x\"}}", NULL},
		{"{\"extensions\":{\"specversion\":\"x\"}}", NULL},
		{"{\"extensions\":{\"datacontenttype\":\"x\"}}", NULL},
		{"{\"extensions\":{\"data\":\"x\"}}", NULL},
		{"{\"extensions\":{\"a\":\"x\",\"a\":\"y\"}}", NULL},
		{"{\"extensions\":{\"a\":\"x\"},\"extensions\":{\"a\":\"y\"}}", NULL},
		{"{\"extensions\":{\"a\":\"1\",\"b\":\"1\",\"c\":\"1\",\"d\":\"1\",\"e\":\"1\","
		 "\"f\":\"1\",\"g\":\"1\",\"h\":\"1\",\"i\":\"1\"}}",
			NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_arena_free) struct arena *arena = NULL;
		_cleanup_(base_buf_done) struct buf have = base_buf(4096);
		struct agent_extensions x = {0};
		struct err why = {0};
		assert_ok("arena", base_arena_new(4096, &arena, err));
		const int r = agent_extensions_parse(base_str(rows[i].json), arena, &x, &why);
		if ((r < 0) != !rows[i].want)
			fail_msg("%s: %s", rows[i].json, r < 0 ? why.msg : "taken");
		for (size_t j = 0; r == 0 && j < x.n; j++)
			assert_ok(
				rows[i].json, base_buf_addf(&have, err, "%.*s=%.*s;",
						      STR_FMT(x.v[j].name), STR_FMT(x.v[j].value)));
		if (r == 0 && !base_str_eq(base_buf_str(&have), base_str(rows[i].want)))
			fail_msg("%s: %.*s", rows[i].json, STR_FMT(base_buf_str(&have)));
	}
}

static void what_is_announced(void **state)
{
	_cleanup_(agent_announcement_done) struct agent_announcement a = {0};
	const struct crds_functionkey record = {.ns = STR("shop"),
		.name = STR("billing-1"),
		.uid = STR("01234567-89ab-cdef-0123-456789abcdef"),
		.revision = STR("billing-1"),
		.function = STR("billing"),
		.scheme = STR("umbral-secp256k1")};
	struct crds_key key = {.epoch = 7,
		.state = CRDS_ACTIVE,
		.key.b = {2, 0xab},
		.fingerprint.b = {0xcd},
		.continuity.b = {3, 0xef},
		.has_link = true,
		.previous = 5,
		.activated_ns = 1700000000 * NS_PER_S};

	(void)state;
	assert_ok("make", agent_announcement_make(&record, &key, 1, &a, err));
	assert_string_equal(a.id, "01234567-89ab-cdef-0123-456789abcdef-7");
	assert_string_equal(
		a.source, "/apis/functionkey.dev/v1alpha1/namespaces/shop/functionkeys/billing-1");
	assert_string_equal(a.subject, "billing");
	assert_string_equal(a.time, "2023-11-14T22:13:20Z");
	assert_string_equal((const char *)a.data.data,
		"{\"namespace\":\"shop\",\"function\":\"billing\",\"revision\":\"billing-1\","
		"\"scheme\":\"umbral-secp256k1\",\"epoch\":7,"
		"\"fingerprint\":\"cd000000000000000000000000000000\",\"publicKey\":"
		"\"02ab00000000000000000000000000000000000000000000000000000000000000\","
		"\"continuityKey\":"
		"\"03ef00000000000000000000000000000000000000000000000000000000000000\","
		"\"previousEpoch\":5}");
	/* Again over the same one; the first key has nobody before it. */
	key.has_link = false;
	key.activated_ns = 0;
	assert_ok("again", agent_announcement_make(&record, &key, 1600000000 * NS_PER_S, &a, err));
	assert_string_equal(a.time, "2020-09-13T12:26:40Z");
	assert_null(strstr((const char *)a.data.data, "previousEpoch"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls),
		cmocka_unit_test(long_urls),
		cmocka_unit_test(extensions),
		cmocka_unit_test(what_is_announced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
