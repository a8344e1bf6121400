#include "pkg/base/test.h"
#include "pkg/kmsg/sample.h"

static int encode_any(bool reply, enum kmsg_op op, uint8_t *p, size_t *ret_n)
{
	struct err err = {0};
	const struct kmsg_request request = sample_request(op);
	const struct kmsg_reply answer = sample_reply(op);
	const int r = reply ? kmsg_reply_encode(&answer, p, ret_n, &err)
			    : kmsg_request_encode(&request, p, ret_n, &err);

	if (r < 0)
		print_message("%s: %s\n", kmsg_op_name(op), err.msg);
	return r;
}

static int decode_any(bool reply, const uint8_t *p, size_t n, struct err *err)
{
	struct kmsg_request request;
	struct kmsg_reply answer;

	return reply ? kmsg_reply_decode(p, n, &answer, err)
		     : kmsg_request_decode(p, n, &request, err);
}

static void test_requests_round_trip(void **state)
{
	uint8_t packet[KMSG_PACKET_MAX];

	(void)state;
	for (enum kmsg_op op = KMSG_INIT; op < KMSG_OP_COUNT; op++) {
		const struct kmsg_request sent = sample_request(op);
		struct kmsg_request got;
		size_t n = 0;
		memset(&got, 0xaa, sizeof(got));
		assert_ok(kmsg_op_name(op), kmsg_request_encode(&sent, packet, &n, err));
		assert_ok(kmsg_op_name(op), kmsg_request_decode(packet, n, &got, err));
		assert_memory_equal(&sent, &got, sizeof(sent));
	}
}

static void test_replies_round_trip(void **state)
{
	uint8_t packet[KMSG_PACKET_MAX];

	(void)state;
	for (enum kmsg_op op = KMSG_INIT; op < KMSG_OP_COUNT; op++) {
		const struct kmsg_reply sent = sample_reply(op);
		struct kmsg_reply got;
		size_t n = 0;
		assert_ok(kmsg_op_name(op), kmsg_reply_encode(&sent, packet, &n, err));
		assert_ok(kmsg_op_name(op), kmsg_reply_decode(packet, n, &got, err));
		assert_memory_equal(&sent, &got, sizeof(sent));
	}
}

static void test_failures_round_trip(void **state)
{
	uint8_t packet[KMSG_PACKET_MAX];
	size_t n = 0;

	(void)state;
	for (enum kmsg_op op = KMSG_INIT; op < KMSG_OP_COUNT; op++) {
		const struct kmsg_reply sent = {
			.op = op, .seq = 5, .status = ERR_NO_KEY, .message = "epoch 3 is not held"};
		struct kmsg_reply got;
		assert_ok(kmsg_op_name(op), kmsg_reply_encode(&sent, packet, &n, err));
		assert_ok(kmsg_op_name(op), kmsg_reply_decode(packet, n, &got, err));
		assert_int_equal(got.status, ERR_NO_KEY);
		assert_string_equal(got.message, sent.message);
	}
}

/* Each length short of the whole, and each byte too many, for every message. */
static void test_lengths_are_exact(void **state)
{
	uint8_t packet[KMSG_PACKET_MAX + 1] = {0};

	(void)state;
	for (int reply = 0; reply < 2; reply++)
		for (enum kmsg_op op = KMSG_INIT; op < KMSG_OP_COUNT; op++) {
			size_t n = 0;
			assert_int_equal(encode_any(reply, op, packet, &n), 0);
			for (size_t cut = 0; cut < n; cut++)
				assert_class(kmsg_op_name(op), ERR_INVALID,
					decode_any(reply, packet, cut, err));
			/* also where the header tells the shorter length */
			for (size_t cut = 12; cut < n; cut++) {
				packet[10] = (uint8_t)((cut - 12) >> 8);
				packet[11] = (uint8_t)(cut - 12);
				assert_class(kmsg_op_name(op), ERR_INVALID,
					decode_any(reply, packet, cut, err));
			}
			packet[10] = (uint8_t)((n + 1 - 12) >> 8);
			packet[11] = (uint8_t)(n + 1 - 12);
			packet[n] = 0;
			assert_class("trailing byte", ERR_INVALID,
				decode_any(reply, packet, n + 1, err));
		}
}

static void test_hostile_headers(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t byte;
	} rows[] = {
		{"version high", 0, 1},
		{"version 2", 1, 2},
		{"version 0", 1, 0},
		{"op 0", 3, 0},
		{"op past the last", 3, KMSG_OP_COUNT},
		{"op high", 2, 1},
		{"length 2^24", 8, 1},
		{"length 2^16 and more", 9, 1},
		{"length + 256", 10, 1},
		{"length + 1", 11, 9},
	};
	uint8_t packet[KMSG_PACKET_MAX];

	(void)state;
	for (int reply = 0; reply < 2; reply++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			size_t n = 0;
			assert_int_equal(encode_any(reply, KMSG_ERASE, packet, &n), 0);
			assert_int_not_equal(packet[rows[i].at], rows[i].byte);
			packet[rows[i].at] = rows[i].byte;
			assert_class(rows[i].name, ERR_INVALID, decode_any(reply, packet, n, err));
		}
	static uint8_t big[KMSG_PACKET_MAX + 1] = {
		0, 1, 0, KMSG_STATS, 0, 0, 0, 1, 0, 0, 0x3f, 0xf5};
	assert_class("too big a packet", ERR_INVALID, decode_any(false, big, sizeof(big), err));
}

/* Bytes of the body that no encoder writes. */
static void test_hostile_bodies(void **state)
{
	static const struct {
		const char *name;
		bool reply;
		enum kmsg_op op;
		size_t at; /* from the end of the header */
		uint8_t byte;
	} rows[] = {
		{"empty name", false, KMSG_INIT, 1, 0},
		{"name over its maximum", false, KMSG_INIT, 0, 1},
		{"name runs past the end", false, KMSG_INIT, 1, 200},
		{"slash in a name", false, KMSG_INIT, 2, '/'},
		{"NUL in a name", false, KMSG_INIT, 2, 0},
		{"high bit in a name", false, KMSG_INIT, 2, 0xe4},
		{"negative term", false, KMSG_TERM, 0, 0x80},
		{"term 0", false, KMSG_TERM, 7, 0},
		{"negative previous", false, KMSG_EPOCH, 16, 0xff},
		{"empty sealed", false, KMSG_ACCEPT, 180, 0},
		{"sealed over its maximum", false, KMSG_ACCEPT, 179, 6},
		{"flag 2", true, KMSG_EPOCH, 1 + 33 + 33 + 64, 2},
		{"level 2", false, KMSG_SIGN, 0, 2},
		{"negative epoch of a certificate", false, KMSG_CERTIFY, 0, 0x80},
		{"certificate that starts at no time", false, KMSG_CERTIFY, 16, 0x80},
		{"empty certificate", true, KMSG_CERTIFY, 2, 0},
		{"certificate over its maximum", true, KMSG_CERTIFY, 1, 4},
		{"class past the last", true, KMSG_TERM, 0, ERR_CLASS_COUNT},
		{"failure with a body of success", true, KMSG_TERM, 0, ERR_BUG},
		{"65 epochs", true, KMSG_HELD, 1 + 8 + 163 + 1 + 97 + 8 + 97 + 1, 65},
		{"63 epochs, bytes of 64", true, KMSG_HELD, 1 + 8 + 163 + 1 + 97 + 8 + 97 + 1, 63},
	};
	uint8_t packet[KMSG_PACKET_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = 0;
		assert_int_equal(encode_any(rows[i].reply, rows[i].op, packet, &n), 0);
		assert_ok(rows[i].name, decode_any(rows[i].reply, packet, n, err));
		/* a sealed length has two bytes: 0x02bc */
		if (rows[i].op == KMSG_ACCEPT && rows[i].byte == 0)
			packet[12 + rows[i].at - 1] = 0;
		packet[12 + rows[i].at] = rows[i].byte;
		assert_class(rows[i].name, ERR_INVALID, decode_any(rows[i].reply, packet, n, err));
	}
}

static void test_failure_texts(void **state)
{
	uint8_t packet[KMSG_PACKET_MAX];
	struct kmsg_reply r = {.op = KMSG_OPEN, .status = ERR_TAMPERED};
	size_t n = 0;

	(void)state;
	memset(r.message, 'x', sizeof(r.message));
	assert_class("no NUL", ERR_INVALID, kmsg_reply_encode(&r, packet, &n, err));
	r.message[sizeof(r.message) - 1] = 0;
	assert_ok("full", kmsg_reply_encode(&r, packet, &n, err));
	packet[20] = '\n';
	assert_class("line feed", ERR_INVALID, decode_any(true, packet, n, err));
	assert_class("longer than the struct", ERR_INVALID, ({
		packet[13] = 0;
		packet[14] = sizeof(r.message);
		packet[11]++;
		decode_any(true, packet, n + 1, err);
	}));
}

static void test_encoders_refuse_bad_structs(void **state)
{
	uint8_t packet[KMSG_PACKET_MAX];
	size_t n = 4711;

	(void)state;
	struct kmsg_request r = sample_request(KMSG_INIT);
	r.init.who.pod.n = KMSG_NAME_MAX + 1;
	assert_class("long name", ERR_INVALID, kmsg_request_encode(&r, packet, &n, err));
	r = sample_request(KMSG_INIT);
	r.init.who.incarnation = 0;
	assert_class("incarnation 0", ERR_INVALID, kmsg_request_encode(&r, packet, &n, err));
	r = sample_request(KMSG_ACCEPT);
	r.accept.sealed_len = KMSG_SEALED_MAX + 1;
	assert_class("long sealed", ERR_INVALID, kmsg_request_encode(&r, packet, &n, err));
	r.op = KMSG_OP_COUNT;
	assert_class("no such op", ERR_INVALID, kmsg_request_encode(&r, packet, &n, err));
	r.op = (enum kmsg_op)0;
	assert_class("op 0", ERR_INVALID, kmsg_request_encode(&r, packet, &n, err));
	struct kmsg_reply held = sample_reply(KMSG_HELD);
	held.held.epochs_len = KMSG_EPOCHS_MAX + 1;
	assert_class("65 epochs", ERR_INVALID, kmsg_reply_encode(&held, packet, &n, err));
	held.status = ERR_CLASS_COUNT;
	assert_class("no class", ERR_INVALID, kmsg_reply_encode(&held, packet, &n, err));
	assert_int_equal(n, 4711);
}

static void test_failed_decode_touches_nothing(void **state)
{
	uint8_t packet[KMSG_PACKET_MAX];
	struct kmsg_reply got, before;
	size_t n = 0;

	(void)state;
	assert_int_equal(encode_any(true, KMSG_OPEN, packet, &n), 0);
	memset(&got, 0x55, sizeof(got));
	before = got;
	assert_class("short", ERR_INVALID, kmsg_reply_decode(packet, n - 1, &got, err));
	packet[11]--;
	assert_class("short body", ERR_INVALID, kmsg_reply_decode(packet, n - 1, &got, err));
	assert_memory_equal(&got, &before, sizeof(got));
}

static void test_names(void **state)
{
	struct kmsg_name name;
	char long_name[KMSG_NAME_MAX + 1];

	(void)state;
	memset(long_name, 'n', sizeof(long_name));
	assert_ok("longest", kmsg_name_set(&name, base_str_n(long_name, KMSG_NAME_MAX), err));
	assert_class("too long", ERR_INVALID,
		kmsg_name_set(&name, base_str_n(long_name, sizeof(long_name)), err));
	assert_class("empty", ERR_INVALID, kmsg_name_set(&name, STR_NULL, err));
	assert_class("space", ERR_INVALID, kmsg_name_set(&name, STR("a b"), err));
	assert_int_equal(name.n, KMSG_NAME_MAX);
	assert_ok("all kinds", kmsg_name_set(&name, STR("aZ09-._:"), err));
	assert_true(base_str_eq(kmsg_name_str(&name), STR("aZ09-._:")));
}

static void test_every_op_has_a_name_and_a_priority(void **state)
{
	(void)state;
	for (enum kmsg_op op = KMSG_INIT; op < KMSG_OP_COUNT; op++)
		assert_string_not_equal(kmsg_op_name(op), "unknown");
	assert_string_equal(kmsg_op_name(KMSG_OP_COUNT), "unknown");
	assert_string_equal(kmsg_op_name((enum kmsg_op)0), "unknown");
	assert_int_equal(kmsg_op_priority(KMSG_TERM), KMSG_CONTROL);
	assert_int_equal(kmsg_op_priority(KMSG_OPEN), KMSG_OPENS);
	assert_int_equal(kmsg_op_priority(KMSG_GRANT), KMSG_GRANTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_round_trip),
		cmocka_unit_test(test_replies_round_trip),
		cmocka_unit_test(test_failures_round_trip),
		cmocka_unit_test(test_lengths_are_exact),
		cmocka_unit_test(test_hostile_headers),
		cmocka_unit_test(test_hostile_bodies),
		cmocka_unit_test(test_failure_texts),
		cmocka_unit_test(test_encoders_refuse_bad_structs),
		cmocka_unit_test(test_failed_decode_touches_nothing),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_every_op_has_a_name_and_a_priority),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
