#include "agent/event.h"
#include "agent/problem.h"
#include "pkg/base/test.h"

#define CORE "\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\""

struct media {
	const char *type;
	bool want;
};

static void the_media_type_is_known(void **state)
{
	static const struct media rows[] = {
		{"application/cloudevents+json", true},
		{"Application/CloudEvents+JSON", true},
		{"application/cloudevents+json; charset=utf-8", true},
		{"application/cloudevents+json ;x", true},
		{"application/cloudevents-batch+json", false},
		{"application/cloudevents+jsonx", false},
		{"application/cloudevents+avro", false},
		{"application/json", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (agent_event_is_json(base_str(rows[i].type)) != rows[i].want)
			fail_msg("%s", rows[i].type);
}

struct document {
	const char *name, *doc;
	bool want;
};

static const struct document documents[] = {
	{"least", "{" CORE "}", true},
	{"white space", " { " CORE " } ", true},
	{"all",
		"{" CORE ",\"subject\":\"x\",\"time\":\"2026-01-02T03:04:05Z\",\"dataschema\":"
		"\"urn:x:y\",\"datacontenttype\":\"text/plain\",\"data\":\"hi\"}",
		true},
	{"data object", "{" CORE ",\"data\":{\"a\":[1,2,{}]}}", true},
	{"data null", "{" CORE ",\"data\":null}", true},
	{"extensions", "{" CORE ",\"a\":\"x\",\"b2\":true,\"c\":-2147483648,\"d\":null}", true},
	{"subject null", "{" CORE ",\"subject\":null}", true},
	{"source with an escape",
		"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"\\/s\","
		"\"type\":\"t\"}",
		true},
	{"time with an offset", "{" CORE ",\"time\":\"2026-01-02T03:04:05.5+02:30\"}", true},

	{"nothing", "", false},
	{"no object", "[]", false},
	{"a batch", "[{" CORE "}]", false},
	{"empty object", "{}", false},
	{"no id", "{\"specversion\":\"1.0\",\"source\":\"/s\",\"type\":\"t\"}", false},
	{"null id", "{\"specversion\":\"1.0\",\"id\":null,\"source\":\"/s\",\"type\":\"t\"}",
		false},
	{"empty id", "{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"/s\",\"type\":\"t\"}",
		false},
	{"number as id", "{\"specversion\":\"1.0\",\"id\":1,\"source\":\"/s\",\"type\":\"t\"}",
		false},
	{"version", "{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}",
		false},
	{"space in source",
		"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/ s\",\"type\":\"t\"}", false},
	{"cut escape in source",
		"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/%2\",\"type\":\"t\"}", false},
	{"control character",
		"{\"specversion\":\"1.0\",\"id\":\"a\\nb\",\"source\":\"/s\","
		"\"type\":\"t\"}",
		false},
	{"NUL", "{\"specversion\":\"1.0\",\"id\":\"a\\u0000b\",\"source\":\"/s\",\"type\":\"t\"}",
		false},
	{"id twice", "{" CORE ",\"id\":\"2\"}", false},
	{"empty subject", "{" CORE ",\"subject\":\"\"}", false},
	{"no time", "{" CORE ",\"time\":\"yesterday\"}", false},
	{"no such offset", "{" CORE ",\"time\":\"2026-01-02T03:04:05+24:00\"}", false},
	{"long time",
		"{" CORE ",\"time\":\"2026-01-02T03:04:05.0000000000000000000000000000000000000"
		"00000000000000000000000000+02:30\"}",
		false},
	{"offset alone", "{" CORE ",\"time\":\"+02:30\"}", false},
	{"relative dataschema", "{" CORE ",\"dataschema\":\"x/y\"}", false},
	{"data twice", "{" CORE ",\"data\":1,\"data\":2}", false},
	{"both forms of data", "{" CORE ",\"data\":1,\"data_base64\":\"\"}", false},
	{"base64 that is no string", "{" CORE ",\"data_base64\":1}", false},
	{"upper-case name", "{" CORE ",\"Ext\":\"x\"}", false},
	{"name with an underscore", "{" CORE ",\"my_ext\":\"x\"}", false},
	{"empty name", "{" CORE ",\"\":\"x\"}", false},
	{"object as extension", "{" CORE ",\"ext\":{}}", false},
	{"fraction as extension", "{" CORE ",\"ext\":1.5}", false},
	{"large number as extension", "{" CORE ",\"ext\":2147483648}", false},
	{"behind it", "{" CORE "}x", false},
	{"cut", "{" CORE, false},
	{"wrong UTF-8", "{" CORE ",\"ext\":\"\xff\"}", false},
};

static void events_are_read_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		const struct document *row = &documents[i];
		_cleanup_(agent_attributes_done) struct agent_attributes a = agent_attributes();
		struct err why = {0};
		const int r = agent_event_read(base_str(row->doc), &a, NULL, &why);
		if (row->want != (r == 0))
			fail_msg("%s: %d %s", row->name, r, why.msg);
		if (r < 0 && agent_problem_of(&why) != AGENT_PROBLEM_MALFORMED)
			fail_msg("%s: problem %d", row->name, (int)agent_problem_of(&why));
	}
}

static void bounds_are_kept(void **state)
{
	_cleanup_(base_buf_done) struct buf doc = base_buf(64u << 10);
	_cleanup_(base_buf_done) struct buf most = base_buf(64u << 10);
	_cleanup_(agent_attributes_done) struct agent_attributes a = agent_attributes();
	_cleanup_(agent_attributes_done) struct agent_attributes b = agent_attributes();
	struct err why = {0};

	(void)state;
	assert_ok("begin", base_buf_addf(&doc, err, "{%s", CORE));
	for (int i = 4; i < AGENT_EVENT_MEMBERS; i++)
		assert_ok("extension", base_buf_addf(&doc, err, ",\"x%d\":1", i));
	assert_ok("copy", base_buf_add_str(&most, base_buf_str(&doc), err));
	assert_ok("end", base_buf_add_str(&most, STR("}"), err));
	assert_ok("most", agent_event_read(base_buf_str(&most), &a, NULL, err));
	assert_ok("one more", base_buf_add_str(&doc, STR(",\"y\":1}"), err));
	assert_true(agent_event_read(base_buf_str(&doc), &b, NULL, &why) < 0);
	assert_int_equal(agent_problem_of(&why), AGENT_PROBLEM_MALFORMED);

	_cleanup_(base_buf_done) struct buf long_id = base_buf(64u << 10);
	_cleanup_(agent_attributes_done) struct agent_attributes c = agent_attributes();
	assert_ok("id", base_buf_add_str(&long_id, STR("{\"id\":\""), err));
	for (int i = 0; i <= 6 * ENVELOPE_ATTRIBUTE_MAX; i++)
		assert_ok("x", base_buf_add_byte(&long_id, 'x', err));
	assert_ok("end", base_buf_add_str(&long_id, STR("\"}"), err));
	assert_true(agent_event_read(base_buf_str(&long_id), &c, NULL, &why) < 0);
	assert_int_equal(agent_problem_of(&why), AGENT_PROBLEM_MALFORMED);
}

static void sealed_data_is_base64(void **state)
{
	static const struct document rows[] = {
		{"plain", "{" CORE ",\"data_base64\":\"/+8=\"}", true},
		{"with an escape", "{" CORE ",\"data_base64\":\"\\/+8=\"}", true},
		{"none", "{" CORE "}", false},
		{"data", "{" CORE ",\"data\":\"/+8=\"}", false},
		{"no base64", "{" CORE ",\"data_base64\":\"/+8\"}", false},
		{"URL-safe", "{" CORE ",\"data_base64\":\"_-8=\"}", false},
		{"white space", "{" CORE ",\"data_base64\":\"/+8=\\n\"}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(agent_attributes_done) struct agent_attributes a = agent_attributes();
		_cleanup_(base_buf_done) struct buf data = base_buf(16);
		struct err why = {0};
		const int r = agent_event_read(base_str(rows[i].doc), &a, &data, &why);
		if (rows[i].want != (r == 0))
			fail_msg("%s: %d %s", rows[i].name, r, why.msg);
		if (r == 0 && !base_str_eq(base_buf_str(&data), STR("\xff\xef")))
			fail_msg("%s: other data", rows[i].name);
		if (r < 0 && agent_problem_of(&why) != AGENT_PROBLEM_MALFORMED)
			fail_msg("%s: problem %d", rows[i].name, (int)agent_problem_of(&why));
	}
}

static void what_is_written_can_be_read(void **state)
{
	const struct str list[ENVELOPE_ATTRIBUTE_COUNT] = {
		[ENVELOPE_CE_ID] = STR("\"caf\xc3\xa9\" \\"),
		[ENVELOPE_CE_TIME] = STR("2026-01-02T03:04:05Z"),
		[ENVELOPE_CE_TYPE] = STR("t"),
		[ENVELOPE_CE_SOURCE] = STR("/s"),
		[ENVELOPE_CE_SPECVERSION] = STR("1.0"),
		[ENVELOPE_CE_DATACONTENTTYPE] = STR("not this"),
	};
	_cleanup_(agent_attributes_done) struct agent_attributes a = agent_attributes();
	_cleanup_(base_buf_done) struct buf doc = base_buf(1024), data = base_buf(16);
	struct str have[ENVELOPE_ATTRIBUTE_COUNT];

	(void)state;
	assert_ok("write",
		agent_event_write(list, STR("text/x"), base_str_n("\0\1\2\3", 4), &doc, err));
	assert_ok("read", agent_event_read(base_buf_str(&doc), &a, &data, err));
	agent_attributes_list(&a, have);
	for (int i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++) {
		const struct str want = i == ENVELOPE_CE_DATACONTENTTYPE ? STR("text/x") : list[i];
		if (!base_str_eq(have[i], want) || !have[i].p != !want.p)
			fail_msg("%s", envelope_attribute_name((enum envelope_attribute)i));
	}
	assert_true(base_str_eq(base_buf_str(&data), base_str_n("\0\1\2\3", 4)));
}

struct change {
	const char *name;
	enum envelope_attribute which;
	const char *outer; /* NULL: absent */
	bool want;
};

static const struct str sealed[ENVELOPE_ATTRIBUTE_COUNT] = {
	[ENVELOPE_CE_ID] = STR("1"),
	[ENVELOPE_CE_TIME] = STR("2026-01-02T03:04:05Z"),
	[ENVELOPE_CE_TYPE] = STR("t"),
	[ENVELOPE_CE_SOURCE] = STR("/s"),
	[ENVELOPE_CE_DATASCHEMA] = STR("urn:x:y"),
	[ENVELOPE_CE_SPECVERSION] = STR("1.0"),
	[ENVELOPE_CE_DATACONTENTTYPE] = STR("text/plain"),
};

static void the_event_outside_is_the_one_inside(void **state)
{
	static const struct change rows[] = {
		{"the same", ENVELOPE_CE_ID, "1", true},
		{"another id", ENVELOPE_CE_ID, "2", false},
		{"no id", ENVELOPE_CE_ID, NULL, false},
		{"another source", ENVELOPE_CE_SOURCE, "/S", false},
		{"another type", ENVELOPE_CE_TYPE, "tt", false},
		{"another version", ENVELOPE_CE_SPECVERSION, "1.1", false},
		{"a subject", ENVELOPE_CE_SUBJECT, "x", false},
		{"an empty subject", ENVELOPE_CE_SUBJECT, "", false},
		{"no time", ENVELOPE_CE_TIME, NULL, false},
		{"another time", ENVELOPE_CE_TIME, "2026-01-02T03:04:05.1Z", false},
		{"the time with a fraction", ENVELOPE_CE_TIME, "2026-01-02T03:04:05.000Z", true},
		{"the time elsewhere", ENVELOPE_CE_TIME, "2026-01-02T05:34:05+02:30", true},
		{"the time to the west", ENVELOPE_CE_TIME, "2026-01-01T19:04:05-08:00", true},
		{"the offset turned", ENVELOPE_CE_TIME, "2026-01-02T05:34:05-02:30", false},
		{"what is no time", ENVELOPE_CE_TIME, "x", false},
		{"no dataschema", ENVELOPE_CE_DATASCHEMA, NULL, true},
		{"another dataschema", ENVELOPE_CE_DATASCHEMA, "urn:x:z", false},
		{"the envelope's type", ENVELOPE_CE_DATACONTENTTYPE, "application/x", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str outer[ENVELOPE_ATTRIBUTE_COUNT];
		struct err why = {0};
		memcpy(outer, sealed, sizeof(outer));
		outer[rows[i].which] = base_str(rows[i].outer);
		const int r = agent_event_outside(outer, sealed, &why);
		if (rows[i].want != (r == 0))
			fail_msg("%s: %d", rows[i].name, r);
		if (r < 0 && agent_problem_of(&why) != AGENT_PROBLEM_TAMPERED)
			fail_msg("%s: problem %d", rows[i].name, (int)agent_problem_of(&why));
	}
}

static void the_document_inside_is_what_the_header_says(void **state)
{
	const char *const good = "{" CORE ",\"time\":\"2026-01-02T03:04:05Z\",\"dataschema\":"
				 "\"urn:x:y\",\"datacontenttype\":\"text/plain\",\"data\":\"x\"}";
	const char *const other = "{" CORE ",\"time\":\"2026-01-02T03:04:05Z\",\"dataschema\":"
				  "\"urn:x:y\",\"datacontenttype\":\"text/html\",\"data\":\"x\"}";
	struct err why = {0};

	(void)state;
	assert_ok("same", agent_event_inside(base_str(good), sealed, err));
	assert_true(agent_event_inside(base_str(other), sealed, &why) < 0);
	assert_int_equal(agent_problem_of(&why), AGENT_PROBLEM_TAMPERED);
	assert_true(agent_event_inside(STR("{" CORE "}"), sealed, &why) < 0);
	assert_int_equal(agent_problem_of(&why), AGENT_PROBLEM_TAMPERED);
	assert_true(agent_event_inside(STR("hello"), sealed, &why) < 0);
	assert_int_equal(agent_problem_of(&why), AGENT_PROBLEM_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_media_type_is_known),
		cmocka_unit_test(events_are_read_or_refused),
		cmocka_unit_test(bounds_are_kept),
		cmocka_unit_test(sealed_data_is_base64),
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(the_event_outside_is_the_one_inside),
		cmocka_unit_test(the_document_inside_is_what_the_header_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
