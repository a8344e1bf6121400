#include "agent/attributes.h"
#include "agent/problem.h"
#include "pkg/base/test.h"

struct row {
	const char *name, *header, *value;
	const char *want; /* NULL: refused; "-": ignored */
};

static const struct row rows[] = {
	{"plain", "ce-id", "abc", "abc"},
	{"any case", "Ce-ID", "abc", "abc"},
	{"empty", "ce-id", "", ""},
	{"encoded space", "ce-id", "a%20b", "a b"},
	{"encoded UTF-8", "ce-id", "%E2%82%AC", "\xe2\x82\xac"},
	{"lower-case digits", "ce-id", "%e2%82%ac", "\xe2\x82\xac"},
	{"encoded percent", "ce-id", "100%25", "100%"},
	{"cut escape", "ce-id", "a%2", NULL},
	{"cut escape at the end", "ce-id", "a%", NULL},
	{"no digits", "ce-id", "%zz", NULL},
	{"control character", "ce-id", "a%0Ab", NULL},
	{"NUL", "ce-id", "a%00b", NULL},
	{"wrong UTF-8", "ce-id", "%ff", NULL},
	{"extension", "ce-traceparent", "00-1", "-"},
	{"other header", "content-type", "x", "-"},
	{"short name", "ce-", "x", "-"},
};

static void each_value_is_decoded_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		_cleanup_(agent_attributes_done) struct agent_attributes a = agent_attributes();
		struct envelope_header h = {0};
		struct err why = {0};
		const int r = agent_attributes_take(
			&a, base_str(row->header), base_str(row->value), &why);
		if (!row->want) {
			if (r == 0 || agent_problem_of(&why) != AGENT_PROBLEM_MALFORMED)
				fail_msg("%s: taken", row->name);
			continue;
		}
		agent_attributes_give(&a, &h);
		const struct str have = h.attributes[ENVELOPE_CE_ID];
		if (r < 0)
			fail_msg("%s: %s", row->name, why.msg);
		if (row->want[0] == '-' ? have.p != NULL
					: !have.p || !base_str_eq(have, base_str(row->want)))
			fail_msg("%s: \"%.*s\"", row->name, STR_FMT(have));
	}
}

static void what_comes_back_is_what_went_in(void **state)
{
	_cleanup_(base_buf_done) struct buf text = base_buf(4096);
	_cleanup_(agent_attributes_done) struct agent_attributes a = agent_attributes();
	const struct str value = STR("caf\xc3\xa9 \"100%\" ~!");
	struct envelope_header h = {0};

	(void)state;
	assert_ok("encode", agent_attribute_encode(value, &text, err));
	assert_true(base_str_eq(base_buf_str(&text), STR("caf%C3%A9%20%22100%25%22%20~!")));
	assert_ok("take", agent_attributes_take(&a, STR("Ce-Subject"), base_buf_str(&text), err));
	agent_attributes_give(&a, &h);
	assert_true(base_str_eq(h.attributes[ENVELOPE_CE_SUBJECT], value));
}

static void bounds_are_kept(void **state)
{
	static char longest[ENVELOPE_ATTRIBUTE_MAX + 2];
	_cleanup_(agent_attributes_done) struct agent_attributes a = agent_attributes();
	struct err why = {0};

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_ok("longest", agent_attributes_take(&a, STR("ce-id"),
				     base_str_n(longest, ENVELOPE_ATTRIBUTE_MAX), err));
	assert_true(agent_attributes_take(&a, STR("ce-id"), STR("twice"), &why) < 0);
	assert_true(agent_attributes_take(&a, STR("ce-type"),
			    base_str_n(longest, ENVELOPE_ATTRIBUTE_MAX + 1), &why) < 0);
	assert_true(agent_attributes_set(&a, ENVELOPE_CE_ID, STR("again"), &why) < 0);
	assert_ok("set", agent_attributes_set(&a, ENVELOPE_CE_SOURCE, STR("a%20b"), err));
	struct envelope_header h = {0};
	agent_attributes_give(&a, &h);
	assert_true(base_str_eq(h.attributes[ENVELOPE_CE_SOURCE], STR("a%20b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value_is_decoded_or_refused),
		cmocka_unit_test(what_comes_back_is_what_went_in),
		cmocka_unit_test(bounds_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
