#include "cli/remote.h"
#include "pkg/base/test.h"

static struct crds_condition yes = {.type = STR("Ready"), .status = CRDS_TRUE};
static struct crds_condition no = {.type = STR("Ready"), .status = CRDS_FALSE};
static struct crds_opened_epoch both[] = {{.epoch = 1}, {.epoch = 2}};

static struct crds_functionkey member(
	const char *pod, const char *revision, struct crds_condition *ready, size_t opened)
{
	return (struct crds_functionkey){.role = CRDS_MEMBER,
		.pod = base_str(pod),
		.revision = base_str(revision),
		.conditions = ready,
		.conditions_len = ready ? 1 : 0,
		.opened = both,
		.opened_len = opened};
}

static void test_choose(void **state)
{
	struct crds_functionkey leader = {.role = CRDS_LEADER, .revision = STR("b-1")};
	struct crds_functionkey unready = member("b-1-a", "b-1", &no, 2);
	struct crds_functionkey new = member("b-1-b", "b-1", NULL, 0);
	struct crds_functionkey behind = member("b-1-c", "b-1", &yes, 1);
	struct crds_functionkey good = member("b-1-d", "b-1", &yes, 2);
	struct crds_functionkey next = member("b-2-a", "b-2", &yes, 1);
	struct crds_functionkey *v[] = {&leader, &unready, &new, &behind, &good, &next};
	const struct cli_records r = {.v = v, .n = ARRAY_LEN(v)};
	static const struct {
		const char *name, *ns;
		struct cli_recipient to[2];
		size_t n;
		enum err_class class;
		const char *pod;
	} rows[] = {
		{"a replica that opens it", "shop", {{STR("shop/b-1"), 2}}, 1, 0, "b-1-d"},
		{"any, for an older epoch", "shop", {{STR("shop/b-1"), 1}}, 1, 0, "b-1-c"},
		{"the second revision of a function", "shop",
			{{STR("shop/b-9"), 1}, {STR("shop/b-2"), 1}}, 2, 0, "b-2-a"},
		{"an epoch that nobody opens", "shop", {{STR("shop/b-1"), 3}}, 1, ERR_NOT_READY,
			NULL},
		{"another namespace", "shop", {{STR("bank/b-1"), 2}}, 1, ERR_NOT_FOUND, NULL},
		{"a namespace that begins alike", "sho", {{STR("shop/b-1"), 2}}, 1, ERR_NOT_FOUND,
			NULL},
		{"a name without a namespace", "shop", {{STR("b-1"), 2}}, 1, ERR_NOT_FOUND, NULL},
		{"nobody", "shop", {{STR_NULL, 0}}, 0, ERR_NOT_FOUND, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str pod = STR_NULL;
		struct err why = {0};
		const int e = cli_remote_choose(
			&r, base_str(rows[i].ns), rows[i].to, rows[i].n, &pod, &why);
		if (e != -(int)rows[i].class || !base_str_eq(pod, base_str(rows[i].pod)))
			fail_msg("%s: %d, %.*s, %s", rows[i].name, e, STR_FMT(pod), why.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_choose)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
