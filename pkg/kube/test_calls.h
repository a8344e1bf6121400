/* Requests for Leases, answers to them, and what became of a call: for tests of the client. Tests
 * only. */
#ifndef KUBE_TEST_CALLS_H
#define KUBE_TEST_CALLS_H

#include "pkg/kube/lease.h"
#include "pkg/kube/test_world.h"

#define NO_401 "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
#define NO_409                                                \
	"HTTP/1.1 409 Conflict\r\nContent-Length: 57\r\n\r\n" \
	"{\"kind\":\"Status\",\"reason\":\"Conflict\",\"message\":\"newer\"}  "
#define CHUNKED                                                 \
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" \
	"5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"
#define CHUNK_CUT "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, w"
#define CLOSE     .close = true

struct test_result {
	unsigned done; /* how often it was told */
	int status;
	struct err err;
	char body[256];
};

/* For kube_start; ctx is the struct test_result. */
static inline void test_done(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct test_result *got = ctx;

	got->done++;
	got->err = err ? *err : (struct err){0};
	got->status = resp ? resp->status : 0;
	if (resp)
		(void)snprintf(got->body, sizeof(got->body), "%.*s", STR_FMT(resp->body));
}

/* One that fits the verb. */
static inline struct kube_request test_request(enum kube_verb verb, uint32_t timeout_ms)
{
	return (struct kube_request){
		.verb = verb,
		.resource = &kube_lease_resource,
		.ns = STR("default"),
		.name = verb == KUBE_LIST || verb == KUBE_CREATE ? STR_NULL : STR("a/b"),
		.body = verb == KUBE_GET || verb == KUBE_LIST || verb == KUBE_DELETE
				? STR_NULL
				: STR("{\"a\":1}"),
		.timeout_ms = timeout_ms,
		.field_manager = "m",
	};
}

#endif
