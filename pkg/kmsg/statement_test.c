#include "pkg/base/test.h"
#include "pkg/kmsg/statement.h"

static const uint8_t key_a[33] = {2, 0xaa}, key_b[33] = {3, 0xbb}, key_c[33] = {2, 0xcc},
		     key_d[33] = {3, 0xdd}, key_e[33] = {2, 0xee};

static struct kmsg_replica replica(void)
{
	return (struct kmsg_replica){.ns = STR("n"),
		.revision = STR("r"),
		.pod = STR("p"),
		.pod_uid = STR("u"),
		.incarnation = 258};
}

#define REPLICA_HEX \
	"00016e"    \
	"000172"    \
	"000170"    \
	"000175"    \
	"0008"      \
	"0000000000000102"
#define ZEROES_31 "00000000000000000000000000000000000000000000000000000000000000"
#define HEX_A     "002102aa" ZEROES_31
#define HEX_B     "002103bb" ZEROES_31
#define HEX_C     "002102cc" ZEROES_31
#define HEX_D     "002103dd" ZEROES_31
#define HEX_E     "002102ee" ZEROES_31
#define NUMBER_HEX(n) \
	"0008"        \
	"00000000000000" n

static int add_member(struct buf *b, struct err *err)
{
	return kmsg_member_encode(&(struct kmsg_member){replica(), key_a, key_b, key_c}, b, err);
}

static int add_term(struct buf *b, struct err *err)
{
	return kmsg_term_encode(&(struct kmsg_term){replica(), 4, key_a, key_b}, b, err);
}

static int add_key(struct buf *b, struct err *err)
{
	return kmsg_key_encode(
		&(struct kmsg_key){STR("n"), STR("r"), 2, 4, 1, key_a, key_b, key_c}, b, err);
}

static const struct kmsg_grant grant = {.member = {STR("n"), STR("r"), STR("p"), STR("u"), 258},
	.epoch = 2,
	.term = 4,
	.from = key_a,
	.receiving = key_b,
	.inbox = key_c,
	.verifying = key_d,
	.identity = key_e};

static int add_grant(struct buf *b, struct err *err)
{
	return kmsg_grant_encode(&grant, b, err);
}

static int add_signed_grant(struct buf *b, struct err *err)
{
	const uint8_t hash[32] = {1, 2, 3};

	return kmsg_grant_signed_encode(&grant, hash, b, err);
}

static int add_record(struct buf *b, struct err *err)
{
	return kmsg_record_encode(
		&(struct kmsg_record){STR("n"), STR("r"), 2, 4, key_a, key_b}, b, err);
}

/* The bytes are frozen: signatures that lie in records depend on them. */
static const struct {
	const char *name;
	int (*add)(struct buf *b, struct err *err);
	const char *hex;
} rows[] = {
	{"member", add_member, REPLICA_HEX HEX_A HEX_B HEX_C},
	{"term", add_term, REPLICA_HEX NUMBER_HEX("04") HEX_A HEX_B},
	{"key", add_key,
		"00016e"
		"000172" NUMBER_HEX("02") NUMBER_HEX("04") NUMBER_HEX("01") HEX_A HEX_B HEX_C},
	{"grant", add_grant,
		REPLICA_HEX NUMBER_HEX("02") NUMBER_HEX("04") HEX_A HEX_B HEX_C HEX_D HEX_E},
	{"signed grant", add_signed_grant,
		REPLICA_HEX NUMBER_HEX("02") NUMBER_HEX("04") HEX_A HEX_B HEX_C HEX_D HEX_E
		"010203"
		"0000000000000000000000000000000000000000000000000000000000"},
	{"record", add_record,
		"00016e"
		"000172" NUMBER_HEX("02") NUMBER_HEX("04") HEX_A HEX_B},
};

static void test_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);
		char hex[2 * KMSG_STATEMENT_MAX + 1];
		assert_ok(rows[i].name, rows[i].add(&b, err));
		base_hex(b.data, b.len, hex);
		assert_string_equal(hex, rows[i].hex);
	}
}

/* Moving a byte over the border of two fields makes another statement. */
static void test_borders_count(void **state)
{
	_cleanup_(base_buf_done) struct buf one = base_buf(KMSG_STATEMENT_MAX);
	_cleanup_(base_buf_done) struct buf two = base_buf(KMSG_STATEMENT_MAX);
	struct kmsg_record r = {STR("ab"), STR("c"), 1, 1, key_a, key_b};

	(void)state;
	assert_ok("ab c", kmsg_record_encode(&r, &one, err));
	r.ns = STR("a");
	r.revision = STR("bc");
	assert_ok("a bc", kmsg_record_encode(&r, &two, err));
	assert_false(base_str_eq(base_buf_str(&one), base_buf_str(&two)));
}

static void test_hostile(void **state)
{
	static char long_text[513];
	static const struct {
		const char *name;
		struct kmsg_record r;
	} bad[] = {
		{"no namespace", {STR_NULL, STR("r"), 1, 1, key_a, key_b}},
		{"long revision", {STR("n"), {long_text, 513}, 1, 1, key_a, key_b}},
		{"negative epoch", {STR("n"), STR("r"), -1, 1, key_a, key_b}},
		{"negative term", {STR("n"), STR("r"), 1, INT64_MIN, key_a, key_b}},
		{"no key", {STR("n"), STR("r"), 1, 1, NULL, key_b}},
		{"no identity", {STR("n"), STR("r"), 1, 1, key_a, NULL}},
	};
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);

	(void)state;
	assert_ok("before", base_buf_add_str(&b, STR("before"), err));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_class(bad[i].name, ERR_INVALID, kmsg_record_encode(&bad[i].r, &b, err));
		assert_true(base_str_eq(base_buf_str(&b), STR("before")));
	}
	struct kmsg_record longest = {STR("n"), {long_text, 512}, 1, 1, key_a, key_b};
	assert_ok("512 bytes", kmsg_record_encode(&longest, &b, err));
}

static void test_a_full_buffer_keeps_its_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const size_t whole = strlen(rows[i].hex) / 2;
		for (size_t max = 0; max < whole; max++) {
			_cleanup_(base_buf_done) struct buf b = base_buf(max);
			assert_class(rows[i].name, ERR_TOO_LARGE, rows[i].add(&b, err));
			assert_int_equal(b.len, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_borders_count),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_a_full_buffer_keeps_its_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
