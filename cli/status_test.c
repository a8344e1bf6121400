#include "cli/status.h"
#include "crds/test_records.h"
#include "pkg/base/test.h"

#define NOW (1767323345LL * NS_PER_S) /* five minutes after what the records say */

static void load(struct cli_records *r, struct crds_functionkey **v)
{
	assert_ok("leader", crds_functionkey_decode(STR(TEST_LEADER_FULL), &v[0], err));
	assert_ok("member", crds_functionkey_decode(STR(TEST_MEMBER_FULL), &v[1], err));
	*r = (struct cli_records){.v = v, .n = 2};
}

static void unload(struct cli_records *r)
{
	for (size_t i = 0; i < r->n; i++)
		crds_functionkey_free(r->v[i]);
}

static void show(struct cli_status_view v, const char *want, size_t want_shown)
{
	_cleanup_(base_buf_done) struct buf page = base_buf(CLI_PAGE_MAX);
	struct crds_functionkey *records[2] = {0};
	struct cli_records r = {0};
	size_t shown = 0, unready = 0;

	load(&r, records);
	v.now_wall_ns = NOW;
	assert_ok("text", cli_status_text(&v, &r, &page, &shown, &unready, err));
	unload(&r);
	assert_int_equal(shown, want_shown);
	assert_int_equal(unready, want_shown);
	if (!base_str_eq(base_buf_str(&page), base_str(want)))
		fail_msg("shows:\n%.*s", STR_FMT(base_buf_str(&page)));
}

static void test_lines(void **state)
{
	(void)state;
	show((struct cli_status_view){0},
		"REVISION  FUNCTION  EPOCH  KEY AGE  LEADER      TERM  MEMBERS  READY  REASON\n"
		"orders-1  orders    2      5m       orders-1-a  4     2/3      False  NoHolder\n",
		1);
	show((struct cli_status_view){.everywhere = true},
		"NAMESPACE  REVISION  FUNCTION  EPOCH  KEY AGE  LEADER      TERM  MEMBERS  READY  "
		"REASON\n"
		"shop       orders-1  orders    2      5m       orders-1-a  4     2/3      False  "
		"NoHolder\n",
		1);
	show((struct cli_status_view){.name = STR("nothing")}, "", 0);
}

#define WHOLE                                                                                   \
	"shop/orders-1, function orders\n"                                                      \
	"  leader orders-1-a, term 4, since 5m; replicas ready 2 of 3\n"                        \
	"  revoked pods: 2\n"                                                                   \
	"\n"                                                                                    \
	"  EPOCH  STATE     ACTIVATED  RETIRED  FINGERPRINT                       MADE BY     " \
	"REASON\n"                                                                              \
	"  3      Prepared  -          -        " HEX32 "  orders-1-a  -\n"                     \
	"  2      Active    5m         -        " HEX32 "  orders-1-a  -\n"                     \
	"  1      Retired   -          4m       " HEX32 "  orders-1-a  Rotated\n"               \
	"\n"                                                                                    \
	"  REPLICA     ROLE    INCARNATION  OPENS EPOCHS  READY    REASON\n"                    \
	"  orders-1-b  leader  2            2             Unknown  -\n"                         \
	"\n"                                                                                    \
	"  CONDITION  STATUS  SINCE  REASON    MESSAGE\n"                                       \
	"  Ready      False   5m     NoHolder  nobody \xc3\xbc"                                 \
	"ber\n"

static void test_whole(void **state)
{
	(void)state;
	show((struct cli_status_view){.name = STR("orders")}, WHOLE, 1);
	show((struct cli_status_view){.name = STR("orders-1")}, WHOLE, 1);
}

static void test_json(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CLI_PAGE_MAX);
	_cleanup_(base_buf_done) struct buf yaml = base_buf(CLI_PAGE_MAX);
	struct crds_functionkey *records[2] = {0};
	struct cli_records r = {0};
	const struct cli_status_view v = {.now_wall_ns = NOW};

	(void)state;
	load(&r, records);
	assert_ok("json", cli_status_json(&v, &r, &b, err));
	unload(&r);
	static const char *const parts[] = {"\"revision\":\"orders-1\",\"ready\":false",
		"\"activeEpoch\":2,\"leader\":{\"pod\":\"orders-1-a\"",
		"{\"epoch\":2,\"state\":\"Active\"", "\"opened\":[2]",
		"\"members\":{\"total\":3,\"ready\":2}", "\"revoked\":[\"" TEST_UID "\""};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!strstr((char *)b.data, parts[i]))
			fail_msg("%s is not in %s", parts[i], (char *)b.data);
	assert_ok("yaml", cli_page_document(&yaml, base_buf_str(&b), CLI_YAML, err));
	assert_non_null(strstr((char *)yaml.data, "  keys:\n  - epoch: 1\n    state: Retired\n"));
}

/* Members without a Leader record are a revision, too. */
static void test_groups(void **state)
{
	struct crds_functionkey a = {.ns = STR("a"), .revision = STR("r"), .role = CRDS_LEADER};
	struct crds_functionkey b = {.ns = STR("a"), .revision = STR("r"), .role = CRDS_MEMBER};
	struct crds_functionkey c = {.ns = STR("a"), .revision = STR("s"), .role = CRDS_MEMBER};
	struct crds_functionkey d = {.ns = STR("b"), .revision = STR("s"), .role = CRDS_MEMBER};
	struct crds_functionkey *v[] = {&a, &b, &b, &c, &d};
	const struct cli_records r = {.v = v, .n = ARRAY_LEN(v)};
	static const size_t members[] = {2, 1, 1};
	struct cli_revision rev = {0};
	size_t n = 0;

	(void)state;
	for (size_t at = 0; cli_records_next(&r, &at, &rev); n++) {
		if (n == ARRAY_LEN(members))
			break;
		assert_int_equal(rev.members_len, members[n]);
		assert_true((rev.leader != NULL) == (n == 0));
	}
	assert_int_equal(n, ARRAY_LEN(members));
	assert_false(cli_records_next(&r, &(size_t){r.n}, &rev));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
