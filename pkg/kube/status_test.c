#include "pkg/base/test.h"
#include "pkg/kube/status.h"

#define ST(rest)      "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\"," rest "}"
#define CAUSE(reason) "\"details\":{\"causes\":[{\"reason\":\"" reason "\"}]}"

static const struct {
	const char *name;
	enum kube_verb verb;
	int http;
	uint32_t header;
	const char *body;
	enum err_class class;
	int detail;
	uint32_t retry_after;
} rows[] = {
	/* The reason decides, whatever the code says. */
	{"reason over code", KUBE_GET, 500, 0, ST("\"reason\":\"NotFound\",\"code\":404"),
		ERR_NOT_FOUND, 500, 0},
	{"conflict", KUBE_UPDATE, 409, 0, ST("\"reason\":\"Conflict\""), ERR_CONFLICT, 409, 0},
	{"exists", KUBE_CREATE, 409, 0, ST("\"reason\":\"AlreadyExists\""), ERR_EXISTS, 409, 0},
	{"expired", KUBE_LIST, 410, 0, ST("\"reason\":\"Expired\""), ERR_EXPIRED, 410, 0},
	{"gone", KUBE_LIST, 410, 0, ST("\"reason\":\"Gone\""), ERR_EXPIRED, 410, 0},
	{"forbidden", KUBE_GET, 403, 0, ST("\"reason\":\"Forbidden\""), ERR_DENIED, 403, 0},
	{"invalid", KUBE_APPLY, 422, 0, ST("\"reason\":\"Invalid\""), ERR_INVALID, 422, 0},
	{"too many", KUBE_GET, 429, 3, ST("\"reason\":\"TooManyRequests\""), ERR_TRANSIENT, 429, 3},
	{"wait as the body says", KUBE_GET, 500, 0,
		ST("\"reason\":\"ServerTimeout\",\"details\":{\"retryAfterSeconds\":7}"),
		ERR_TRANSIENT, 500, 7},
	{"the header first", KUBE_GET, 500, 2,
		ST("\"reason\":\"ServerTimeout\",\"details\":{\"retryAfterSeconds\":7}"),
		ERR_TRANSIENT, 500, 2},
	{"a version to come", KUBE_LIST, 504, 1,
		ST("\"reason\":\"Timeout\"," CAUSE("ResourceVersionTooLarge")), ERR_EXPIRED, 504,
		1},
	{"another manager's fields", KUBE_APPLY, 409, 0,
		ST("\"reason\":\"Conflict\"," CAUSE("FieldManagerConflict")), ERR_INVALID, 409, 0},
	{"a namespace that goes", KUBE_CREATE, 403, 0,
		ST("\"reason\":\"Forbidden\"," CAUSE("NamespaceTerminating")), ERR_TERMINAL, 403,
		0},
	{"a failed test of a JSON patch", KUBE_PATCH_JSON, 422, 0,
		ST("\"reason\":\"Invalid\",\"message\":\"the server rejected our request due to an "
		   "error in our request\""),
		ERR_CONFLICT, 422, 0},
	{"the same of a merge patch", KUBE_PATCH_MERGE, 422, 0,
		ST("\"reason\":\"Invalid\",\"message\":\"the server rejected our request due to an "
		   "error in our request\""),
		ERR_INVALID, 422, 0},
	{"what CEL refuses", KUBE_PATCH_JSON, 422, 0,
		ST("\"reason\":\"Invalid\",\"message\":\"FunctionKey \\\"x\\\" is invalid\""),
		ERR_INVALID, 422, 0},
	/* Without a reason, or without a Status. */
	{"unknown reason", KUBE_GET, 404, 0, ST("\"reason\":\"Unheard\""), ERR_NOT_FOUND, 404, 0},
	{"no reason", KUBE_GET, 410, 0, ST("\"code\":410"), ERR_EXPIRED, 410, 0},
	{"a proxy's page", KUBE_GET, 502, 0, "<html>\r\n<b>Bad\x01 gateway</b>", ERR_TRANSIENT, 502,
		0},
	{"a page of 404", KUBE_GET, 404, 0, "<html>", ERR_NOT_FOUND, 404, 0},
	{"nothing", KUBE_GET, 401, 0, "", ERR_DENIED, 401, 0},
	{"409 of a create", KUBE_CREATE, 409, 0, "", ERR_EXISTS, 409, 0},
	{"409 of a patch", KUBE_PATCH_MERGE, 409, 0, "", ERR_CONFLICT, 409, 0},
	{"413", KUBE_CREATE, 413, 0, "", ERR_TOO_LARGE, 413, 0},
	{"415", KUBE_APPLY, 415, 0, "", ERR_INVALID, 415, 0},
	{"418", KUBE_GET, 418, 0, "", ERR_INVALID, 418, 0},
	{"500", KUBE_GET, 500, 0, "", ERR_TRANSIENT, 500, 0},
	{"a redirect", KUBE_GET, 302, 0, "", ERR_TRANSIENT, 302, 0},
	/* 200 that says Failure; the code is the body's. */
	{"failure with 200", KUBE_DELETE, 200, 0, ST("\"reason\":\"Conflict\",\"code\":409"),
		ERR_CONFLICT, 409, 0},
	/* Hostile bodies. */
	{"kind is no text", KUBE_GET, 403, 0, "{\"kind\":7,\"reason\":\"NotFound\"}", ERR_DENIED,
		403, 0},
	{"another kind", KUBE_GET, 403, 0, "{\"kind\":\"Pod\",\"reason\":\"NotFound\"}", ERR_DENIED,
		403, 0},
	{"causes are no list", KUBE_GET, 404, 0,
		ST("\"reason\":\"NotFound\",\"details\":{\"causes\":{\"a\":1}}"), ERR_NOT_FOUND,
		404, 0},
	{"causes of anything", KUBE_GET, 404, 0,
		ST("\"reason\":\"NotFound\",\"details\":{\"causes\":[1,null,[],\"x\"]}"),
		ERR_NOT_FOUND, 404, 0},
	{"a negative wait", KUBE_GET, 500, 0, ST("\"details\":{\"retryAfterSeconds\":-7}"),
		ERR_TRANSIENT, 500, 0},
	{"a code that is none", KUBE_GET, 404, 0, ST("\"code\":99999999999"), ERR_NOT_FOUND, 404,
		0},
	{"cut", KUBE_GET, 404, 0, "{\"kind\":\"Status\",\"reason\":\"Conf", ERR_NOT_FOUND, 404, 0},
	{"a list", KUBE_GET, 404, 0, "[]", ERR_NOT_FOUND, 404, 0},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = {0};
		const int r = kube_status_error(
			rows[i].verb, rows[i].http, rows[i].header, base_str(rows[i].body), &err);
		if (r != -(int)rows[i].class || err.class != rows[i].class ||
			err.detail != rows[i].detail || err.retry_after != rows[i].retry_after)
			fail_msg("%s: %s, detail %d, after %u: %s", rows[i].name,
				base_err_class_name(err.class), err.detail, err.retry_after,
				err.msg);
		for (const char *p = err.msg; *p; p++)
			if ((unsigned char)*p < 0x20)
				fail_msg("%s: the message holds a control character", rows[i].name);
		assert_int_equal(kube_status_error(rows[i].verb, rows[i].http, 0,
					 base_str(rows[i].body), NULL),
			r);
	}
}

static void test_messages(void **state)
{
	struct err err = {0};

	(void)state;
	(void)kube_status_error(KUBE_UPDATE, 409, 0,
		base_str(ST("\"reason\":\"Conflict\",\"message\":\"the object changed\"")), &err);
	assert_string_equal(err.msg, "update: HTTP 409 Conflict: the object changed");
	(void)kube_status_error(KUBE_GET, 502, 0, STR("<html>\r\n\r\n  <b>Bad\x01 gateway"), &err);
	assert_string_equal(err.msg, "get: HTTP 502: <html> <b>Bad gateway");
}

static void test_failure_in_success(void **state)
{
	(void)state;
	assert_true(kube_status_is_failure(base_str(ST("\"code\":1"))));
	assert_false(kube_status_is_failure(STR("{\"kind\":\"Status\",\"status\":\"Success\"}")));
	assert_false(kube_status_is_failure(STR("{\"kind\":\"Pod\",\"x\":\"Status\"}")));
	assert_false(kube_status_is_failure(STR("\"Status\"")));
	assert_false(kube_status_is_failure(STR_NULL));
}

static void test_watch_errors(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(
		kube_status_watch_error(base_str(ST("\"reason\":\"Expired\",\"code\":410")), &err),
		-ERR_EXPIRED);
	assert_int_equal(err.detail, 410);
	assert_int_equal(kube_status_watch_error(base_str(ST("\"code\":410")), &err), -ERR_EXPIRED);
	assert_int_equal(
		kube_status_watch_error(base_str(ST("\"code\":429")), &err), -ERR_TRANSIENT);
	assert_int_equal(kube_status_watch_error(STR("nonsense"), &err), -ERR_TRANSIENT);
}

static void test_retry_after(void **state)
{
	static const struct {
		const char *text;
		uint32_t want;
	} waits[] = {{"1", 1}, {" 30 ", 30}, {"0", 0}, {"-1", 0}, {"1.5", 0}, {"", 0},
		{"Wed, 21 Oct 2015 07:28:00 GMT", 0}, {"99999999999999999999", 0}, {"4000", 3600}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(waits); i++)
		if (kube_retry_after(base_str(waits[i].text)) != waits[i].want)
			fail_msg("'%s'", waits[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_failure_in_success),
		cmocka_unit_test(test_watch_errors),
		cmocka_unit_test(test_retry_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
