/* What annotations ask for, hostile ones included. */
#include "controller/access.h"

#include "pkg/base/test.h"

#define G   "system:serviceaccounts"
#define A63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123"

static const struct {
	const char *name, *senders, *groups;
} rows[] = {
	{"nobody", "", ""},
	{"one", "shop", G ":shop"},
	{"two", "shop,far", G ":shop " G ":far"},
	{"with blanks", " shop ,\tfar ", G ":shop " G ":far"},
	{"with holes", ",shop,,far,", G ":shop " G ":far"},
	{"digits and dashes", "0-9,a--b", G ":0-9 " G ":a--b"},
	{"the longest", A63, G ":" A63},
	{"everybody", "*", G},
	{"everybody and one", "shop, *", G},
	{"one and everybody", "*,shop", G},
	{"twice", "shop,shop", G ":shop " G ":shop"},
	{"only what is a name", "Shop,far", G ":far"},
	{"a longer one", A63 "4,far", G ":far"},
	{"no pattern", "sho*,*shop,**", ""},
	{"no second group", "shop system:masters", ""},
	{"no other group", "system:masters", ""},
	{"no user", "shop:default,kube-system:", ""},
	{"nothing that ends the name", "shop\n,far\r\n,a\"b,a\\b", G ":shop " G ":far"},
	{"no dots", "a.b", ""},
	{"no dashes at the ends", "-a,a-,-", ""},
	{"no other letters", "shöp,\xff,\xc3", ""},
	{"other separators", "shop;far|x", ""},
};

static void test_groups(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_GROUPS_MAX);
		assert_ok(
			rows[i].name, controller_access_groups(base_str(rows[i].senders), &b, err));
		if (!base_str_eq(base_buf_str(&b), base_str(rows[i].groups)))
			fail_msg("%s: \"%.*s\"", rows[i].name, STR_FMT(base_buf_str(&b)));
	}
}

static void test_nul_is_no_name(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_GROUPS_MAX);

	(void)state;
	assert_ok("NUL", controller_access_groups(STR("shop\0,fa\0r"), &b, err));
	assert_int_equal(b.len, 0);
}

static void add_names(struct buf *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_ok("name", base_buf_addf(b, err, "%.58s-%04u,", A63, i));
}

static void test_how_many(void **state)
{
	_cleanup_(base_buf_done) struct buf senders = base_buf(CONTROLLER_GROUPS_MAX);
	_cleanup_(base_buf_done) struct buf b = base_buf(CONTROLLER_GROUPS_MAX);
	struct err why = {0};

	(void)state;
	add_names(&senders, CONTROLLER_SENDERS_MAX);
	assert_ok("most", controller_access_groups(base_buf_str(&senders), &b, err));
	base_buf_clear(&b);
	assert_ok("one more", base_buf_add_str(&senders, STR("x"), err));
	assert_int_equal(
		controller_access_groups(base_buf_str(&senders), &b, &why), -(int)ERR_TOO_LARGE);
	base_buf_clear(&b);
}

static const struct {
	const char *name;
	bool is;
	struct controller_owned binding;
	const char *groups;
	enum controller_access want;
} steps[] = {
	{"not there, not wanted", false, {.owners = 0}, "", CONTROLLER_ACCESS_FINE},
	{"not there", false, {.owners = 0}, G ":a", CONTROLLER_ACCESS_BIND},
	{"as it should be", true, {.subjects = STR(G ":a"), .owners = 1}, G ":a",
		CONTROLLER_ACCESS_FINE},
	{"with an owner of somebody else beside ours", true, {.subjects = STR(G ":a"), .owners = 2},
		G ":a", CONTROLLER_ACCESS_FINE},
	{"of a version that gave it no owner", true, {.subjects = STR(G ":a")}, G ":a",
		CONTROLLER_ACCESS_BIND},
	{"for others", true, {.subjects = STR(G ":b"), .owners = 1}, G ":a",
		CONTROLLER_ACCESS_BIND},
	{"for fewer", true, {.subjects = STR(G ":a"), .owners = 1}, G ":a " G ":b",
		CONTROLLER_ACCESS_BIND},
	{"without a note of whom it is for", true, {.owners = 1}, G ":a", CONTROLLER_ACCESS_BIND},
	{"not wanted any more", true, {.subjects = STR(G ":a"), .owners = 1}, "",
		CONTROLLER_ACCESS_UNBIND},
	{"not wanted, and without an owner", true, {.owners = 0}, "", CONTROLLER_ACCESS_UNBIND},
};

static void test_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		const enum controller_access have = controller_access_step(
			steps[i].is ? &steps[i].binding : NULL, base_str(steps[i].groups));
		if (have != steps[i].want)
			fail_msg("%s: %d", steps[i].name, have);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_nul_is_no_name),
		cmocka_unit_test(test_how_many),
		cmocka_unit_test(test_steps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
