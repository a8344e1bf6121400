#include "pkg/kube/json.h"

#include "pkg/base/buf.h"
#include "pkg/base/test.h"

#define OK  ERR_OK
#define BAD ERR_INVALID
#define S(lit)                          \
	{                               \
		"" lit, sizeof(lit) - 1 \
	}

/* Whole documents, read by skip: RFC 8259 corner by corner. */
static const struct {
	struct str doc;
	enum err_class want;
} documents[] = {
	/* structure */
	{S("{}"), OK},
	{S("[]"), OK},
	{S(" \t\r\n{ } \n"), OK},
	{S("[[],[[]],{}]"), OK},
	{S("{\"a\":{\"b\":[1,2,{\"c\":null}]},\"d\":\"\"}"), OK},
	{S("{\"a\":1,\"a\":2}"), OK},
	{S("{\"\":0}"), OK},
	{S(""), BAD},
	{S("   "), BAD},
	{S("{"), BAD},
	{S("["), BAD},
	{S("}"), BAD},
	{S("]"), BAD},
	{S("{]"), BAD},
	{S("[}"), BAD},
	{S("[1}"), BAD},
	{S("{\"a\":1]"), BAD},
	{S("[1,]"), BAD},
	{S("[,1]"), BAD},
	{S("[,]"), BAD},
	{S("[1 2]"), BAD},
	{S("[1,,2]"), BAD},
	{S("[1 22]"), BAD},
	{S("[1;2]"), BAD},
	{S("{\"a\":1;\"b\":2}"), BAD},
	{S("{\"a\":1,}"), BAD},
	{S("{,\"a\":1}"), BAD},
	{S("{\"a\"}"), BAD},
	{S("{\"a\":}"), BAD},
	{S("{\"a\" 1}"), BAD},
	{S("{\"a\":1 \"b\":2}"), BAD},
	{S("{a:1}"), BAD},
	{S("{'a':1}"), BAD},
	{S("{1:1}"), BAD},
	{S("{null:1}"), BAD},
	{S("{} {}"), BAD},
	{S("{}x"), BAD},
	{S("[]]"), BAD},
	{S("{}\0"), BAD},
	{S("\xef\xbb\xbf{}"), BAD},
	{S("// c\n{}"), BAD},
	{S("/* c */{}"), BAD},
	{S("\f{}"), BAD},
	{S("\xc2\xa0{}"), BAD},
	/* words */
	{S("true"), OK},
	{S("false"), OK},
	{S("null"), OK},
	{S("True"), BAD},
	{S("tru"), BAD},
	{S("truex"), BAD},
	{S("nul"), BAD},
	{S("NULL"), BAD},
	{S("NaN"), BAD},
	{S("Infinity"), BAD},
	{S("-Infinity"), BAD},
	{S("undefined"), BAD},
	/* numbers */
	{S("0"), OK},
	{S("-0"), OK},
	{S("0.0"), OK},
	{S("1e5"), OK},
	{S("1E+5"), OK},
	{S("1e-5"), OK},
	{S("-1.25e400"), OK},
	{S("123456789012345678901234567890"), OK},
	{S("00"), BAD},
	{S("01"), BAD},
	{S("-01"), BAD},
	{S("-"), BAD},
	{S("+1"), BAD},
	{S(".5"), BAD},
	{S("1."), BAD},
	{S("1.e1"), BAD},
	{S("1e"), BAD},
	{S("1e+"), BAD},
	{S("1e1.5"), BAD},
	{S("0x10"), BAD},
	{S("1_000"), BAD},
	{S("--1"), BAD},
	{S("1 1"), BAD},
	/* strings */
	{S("\"\""), OK},
	{S("\"a b\""), OK},
	{S("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), OK},
	{S("\"\\u0000\""), OK},
	{S("\"\\uD83D\\uDE00\""), OK},
	{S("\"\\uaBcD\""), OK},
	{S("\"\x7f\""), OK},
	{S("\"12345678901234567890\""), OK},
	{S("\""), BAD},
	{S("\"abc"), BAD},
	{S("\"abc\\\""), BAD},
	{S("\"\\\""), BAD},
	{S("\"\\a\""), BAD},
	{S("\"\\v\""), BAD},
	{S("\"\\0\""), BAD},
	{S("\"\\x41\""), BAD},
	{S("\"\\'\""), BAD},
	{S("\"\\U0041\""), BAD},
	{S("\"\\u\""), BAD},
	{S("\"\\u004\""), BAD},
	{S("\"\\u004g\""), BAD},
	{S("\"\\u 041\""), BAD},
	{S("\"\\u+041\""), BAD},
	{S("\"\\ud800\""), BAD},
	{S("\"\\ud800x\""), BAD},
	{S("\"\\ud800\\n\""), BAD},
	{S("\"\\ud800\\u0041\""), BAD},
	{S("\"\\ud800\\ud800\""), BAD},
	{S("\"\\udc00\""), BAD},
	{S("\"\\udc00\\ud800\""), BAD},
	{S("\"\\udc00\\udc00\""), BAD},
	{S("\"a\nb\""), BAD},
	{S("\"a\tb\""), BAD},
	{S("\"a\0b\""), BAD},
	{S("\"\x1f\""), BAD},
	{S("\"1234567\x1f\""), BAD},
	{S("\"12345678\x01\""), BAD},
	/* UTF-8, RFC 3629: the edges of each row */
	{S("\"\xc2\x80\xdf\xbf\""), OK},
	{S("\"\xe0\xa0\x80\xec\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\""), OK},
	{S("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""), OK},
	{S("\"\x80\""), BAD},
	{S("\"\xbf\""), BAD},
	{S("\"\xc0\x80\""), BAD},
	{S("\"\xc1\xbf\""), BAD},
	{S("\"\xc2\""), BAD},
	{S("\"\xc2\x7f\""), BAD},
	{S("\"\xc2\xc0\""), BAD},
	{S("\"\xe0\x9f\xbf\""), BAD},
	{S("\"\xe0\xa0\""), BAD},
	{S("\"\xe1\x80\x41\""), BAD},
	{S("\"\xed\xa0\x80\""), BAD},
	{S("\"\xed\xbf\xbf\""), BAD},
	{S("\"\xf0\x8f\xbf\xbf\""), BAD},
	{S("\"\xf0\x90\x80\""), BAD},
	{S("\"\xf4\x90\x80\x80\""), BAD},
	{S("\"\xf5\x80\x80\x80\""), BAD},
	{S("\"\xff\""), BAD},
	{S("\"\xfe\""), BAD},
	{S("{\"\xc3\x28\":1}"), BAD},
};

static int skip_all(struct str doc, struct err *err)
{
	struct kube_json r;

	TRY(kube_json_init(&r, doc, err));
	TRY(kube_json_skip(&r, err));
	return kube_json_end(&r, err);
}

static void test_documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		/* A copy of just the size: reading past the end is seen by the sanitizer. */
		const struct str doc = documents[i].doc;
		_cleanup_(base_free) char *copy = base_alloc(doc.n, 1);
		memcpy(copy, doc.p, doc.n);
		const struct str exact = base_str_n(copy, doc.n);
		if (documents[i].want == OK)
			assert_ok(doc.p, skip_all(exact, err));
		else
			assert_class(doc.p, documents[i].want, skip_all(exact, err));
	}
}

/* Each byte at each place of a string that is read eight bytes at a time. */
static void test_each_byte(void **state)
{
	(void)state;
	for (size_t at = 1; at < 25; at++)
		for (int c = 0; c < 256; c++) {
			char doc[26];
			memset(doc, 'x', sizeof(doc));
			doc[0] = doc[25] = '"';
			doc[at] = (char)c;
			const bool plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
			if (plain)
				assert_ok("plain", skip_all(base_str_n(doc, sizeof(doc)), err));
			else
				assert_class("not plain", BAD,
					skip_all(base_str_n(doc, sizeof(doc)), err));
		}
}

/* A valid object is invalid wherever it is cut. */
static void test_cut(void **state)
{
	static const char doc[] = "{\"a\": [1, -2.5e3, true, false, null, \"x\\u00e9\\n\xc3\xa9\"],"
				  " \"b\\\\\": {\"c\": {}, \"d\": [[], \"\\ud83d\\ude00\"]}}";

	(void)state;
	for (size_t n = 0; n < sizeof(doc) - 1; n++) {
		_cleanup_(base_free) char *copy = base_alloc(n, 1);
		memcpy(copy, doc, n);
		assert_class(doc + n, BAD, skip_all(base_str_n(copy, n), err));
	}
	assert_ok("whole", skip_all(base_str(doc), err));
}

static void nest(struct buf *b, const char *open, const char *close, int n)
{
	base_buf_clear(b);
	for (int i = 0; i < n; i++)
		assert_ok("open", base_buf_add_str(b, base_str(open), err));
	assert_ok("core", base_buf_add_str(b, STR("0"), err));
	for (int i = 0; i < n; i++)
		assert_ok("close", base_buf_add_str(b, base_str(close), err));
}

static void test_depth(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(4096);

	(void)state;
	nest(&b, "[", "]", KUBE_JSON_DEPTH_MAX);
	assert_ok("arrays", skip_all(base_buf_str(&b), err));
	nest(&b, "{\"a\":", "}", KUBE_JSON_DEPTH_MAX);
	assert_ok("objects", skip_all(base_buf_str(&b), err));
	nest(&b, "[", "]", KUBE_JSON_DEPTH_MAX + 1);
	assert_class("arrays", ERR_TOO_LARGE, skip_all(base_buf_str(&b), err));
	nest(&b, "{\"a\":", "}", KUBE_JSON_DEPTH_MAX + 1);
	assert_class("objects", ERR_TOO_LARGE, skip_all(base_buf_str(&b), err));
}

static void test_size(void **state)
{
	_cleanup_(base_free) char *p = base_alloc(KUBE_JSON_MAX + 1, 1);

	(void)state;
	memset(p, ' ', KUBE_JSON_MAX + 1);
	p[0] = '1';
	assert_ok("most", skip_all(base_str_n(p, KUBE_JSON_MAX), err));
	assert_class("more", ERR_TOO_LARGE, skip_all(base_str_n(p, KUBE_JSON_MAX + 1), err));
}

static const struct {
	struct str doc, text;
} strings[] = {
	{S("\"\""), S("")},
	{S("\"plain\""), S("plain")},
	{S("\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\""), S("A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")},
	{S("\"\\b\\f\\n\\r\\t\\\"\\\\\\/\""), S("\b\f\n\r\t\"\\/")},
	{S("\"a\\u0000b\""), S("a\0b")},
	{S("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\""),
		S("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf")},
	{S("\"\\udbff\\udfff\""), S("\xf4\x8f\xbf\xbf")},
	{S("\"\xc3\xa9\\u003c\""), S("\xc3\xa9<")},
};

static void test_strings(void **state)
{
	struct arena *a = NULL;
	struct kube_json r;
	struct str s;

	(void)state;
	assert_ok("arena", base_arena_new(4096, &a, err));
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		assert_ok(strings[i].doc.p, kube_json_init(&r, strings[i].doc, err));
		assert_ok(strings[i].doc.p, kube_json_string(&r, a, &s, err));
		assert_true(base_str_eq(s, strings[i].text));
		assert_ok(strings[i].doc.p, kube_json_end(&r, err));
	}
	assert_ok("escaped", kube_json_init(&r, STR("\"\\n\""), err));
	s = STR("untouched");
	assert_class("escaped", BAD, kube_json_string(&r, NULL, &s, err));
	assert_true(base_str_eq(s, STR("untouched")));
	base_arena_free(a);
}

static const struct {
	const char *doc;
	int64_t want;
	enum err_class class;
} numbers[] = {
	{"0", 0, OK},
	{"-0", 0, OK},
	{" 42 ", 42, OK},
	{"9223372036854775807", INT64_MAX, OK},
	{"-9223372036854775808", INT64_MIN, OK},
	{"9223372036854775808", 0, BAD},
	{"-9223372036854775809", 0, BAD},
	{"99999999999999999999999999", 0, BAD},
	{"1.0", 0, BAD},
	{"1e3", 0, BAD},
	{"\"1\"", 0, BAD},
	{"null", 0, BAD},
	{"[1]", 0, BAD},
	{"", 0, BAD},
	{"-", 0, BAD},
};

static void test_numbers(void **state)
{
	struct kube_json r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		int64_t n = 77;
		assert_ok(numbers[i].doc, kube_json_init(&r, base_str(numbers[i].doc), err));
		if (numbers[i].class == OK) {
			assert_ok(numbers[i].doc, kube_json_int64(&r, &n, err));
			assert_int_equal(n, numbers[i].want);
		} else {
			assert_class(numbers[i].doc, BAD, kube_json_int64(&r, &n, err));
			assert_int_equal(n, 77);
		}
	}
}

/* The reader as callers use it, and its refusal of calls out of turn. */
static void test_pull(void **state)
{
	static const char doc[] =
		"{\"k\\u0065y\": [true, false, null, {\"x\": 1}], \"raw\" : { \"a\" : 1 } ,"
		"\"last\":\"a\",\"last\":\"b\"}";
	struct kube_json r;
	struct str key, text = STR_NULL, last = STR_NULL;
	enum kube_json_type type;
	bool more, b, null;
	int seen = 0;

	(void)state;
	assert_ok("init", kube_json_init(&r, base_str(doc), err));
	assert_class("early", ERR_BUG, kube_json_next_key(&r, &key, &more, err));
	assert_class("early", ERR_BUG, kube_json_end(&r, err));
	assert_ok("peek", kube_json_peek(&r, &type, err));
	assert_int_equal(type, KUBE_JSON_OBJECT);
	assert_ok("begin", kube_json_object_begin(&r, err));
	assert_class("no value", ERR_BUG, kube_json_skip(&r, err));
	assert_class("no array", ERR_BUG, kube_json_array_next(&r, &more, err));
	for (;;) {
		assert_ok("key", kube_json_next_key(&r, &key, &more, err));
		if (!more)
			break;
		seen++;
		if (base_str_eq(key, STR("key"))) {
			assert_class(
				"a value first", ERR_BUG, kube_json_next_key(&r, &key, &more, err));
			assert_ok("array", kube_json_array_begin(&r, err));
			assert_class("in array", ERR_BUG, kube_json_next_key(&r, &key, &more, err));
			for (int i = 0; i < 2; i++) {
				assert_ok("next", kube_json_array_next(&r, &more, err));
				assert_true(more);
				assert_ok("null", kube_json_null(&r, &null, err));
				assert_false(null);
				assert_ok("bool", kube_json_bool(&r, &b, err));
				assert_int_equal(b, i == 0);
			}
			assert_ok("next", kube_json_array_next(&r, &more, err));
			assert_ok("null", kube_json_null(&r, &null, err));
			assert_true(null);
			assert_ok("next", kube_json_array_next(&r, &more, err));
			assert_ok("skip", kube_json_skip(&r, err));
			assert_ok("next", kube_json_array_next(&r, &more, err));
			assert_false(more);
		} else if (base_str_eq(key, STR("raw"))) {
			assert_ok("raw", kube_json_raw(&r, &text, err));
		} else {
			assert_ok("last", kube_json_string(&r, NULL, &last, err));
		}
	}
	assert_ok("end", kube_json_end(&r, err));
	assert_int_equal(seen, 4);
	assert_true(base_str_eq(text, STR("{ \"a\" : 1 }")));
	assert_true(base_str_eq(last, STR("b")));
}

static void test_long_key(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(4096);
	struct kube_json r;
	struct str key;
	bool more;

	(void)state;
	for (int extra = 0; extra < 2; extra++) {
		base_buf_clear(&b);
		assert_ok("doc", base_buf_addf(&b, err, "{\"\\n%0*d\":1}",
					 KUBE_JSON_KEY_MAX - 2 + extra, 0));
		assert_ok("init", kube_json_init(&r, base_buf_str(&b), err));
		assert_ok("begin", kube_json_object_begin(&r, err));
		if (extra) {
			assert_class(
				"key", ERR_TOO_LARGE, kube_json_next_key(&r, &key, &more, err));
			continue;
		}
		assert_ok("key", kube_json_next_key(&r, &key, &more, err));
		assert_int_equal(key.n, KUBE_JSON_KEY_MAX - 1);
		assert_int_equal(key.p[0], '\n');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_each_byte),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_pull),
		cmocka_unit_test(test_long_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
