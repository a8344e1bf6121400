#include "pkg/base/test.h"
#include "pkg/kmsg/sample.h"
#include "pkg/kmsg/statement.h"

static int encode_statements(void *ctx, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);
	const uint8_t key[33] = {2}, hash[32] = {3};
	const struct kmsg_replica who = {STR("n"), STR("r"), STR("p"), STR("u"), 1};

	(void)ctx;
	TRY(kmsg_member_encode(&(struct kmsg_member){who, key, key, key}, &b, err));
	TRY(kmsg_term_encode(&(struct kmsg_term){who, 1, key, key}, &b, err));
	TRY(kmsg_key_encode(
		&(struct kmsg_key){STR("n"), STR("r"), 1, 1, 0, key, key, key}, &b, err));
	TRY(kmsg_grant_signed_encode(
		&(struct kmsg_grant){who, 1, 1, key, key, key, key, key}, hash, &b, err));
	return kmsg_record_encode(
		&(struct kmsg_record){STR("n"), STR("r"), 1, 1, key, key}, &b, err);
}

/* Messages take no memory at all: nothing there can fail for want of it. */
static int messages(void *ctx, struct err *err)
{
	uint8_t packet[KMSG_PACKET_MAX];
	struct kmsg_request request;
	struct kmsg_reply reply;
	size_t n;

	(void)ctx;
	for (enum kmsg_op op = KMSG_INIT; op < KMSG_OP_COUNT; op++) {
		request = sample_request(op);
		TRY(kmsg_request_encode(&request, packet, &n, err));
		TRY(kmsg_request_decode(packet, n, &request, err));
		reply = sample_reply(op);
		TRY(kmsg_reply_encode(&reply, packet, &n, err));
		TRY(kmsg_reply_decode(packet, n, &reply, err));
	}
	return 0;
}

static void test_torture(void **state)
{
	(void)state;
	assert_true(torture_run("statements", encode_statements, NULL, 1) > 0);
	assert_int_equal(torture_run("messages", messages, NULL, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_torture)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
