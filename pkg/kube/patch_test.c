#include "pkg/base/test.h"
#include "pkg/kube/patch.h"

static void test_json_patch(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(1000);
	_cleanup_(base_buf_done) struct buf path = base_buf(100);
	struct kube_patch p = kube_patch(&b);

	(void)state;
	assert_class("nothing", ERR_INVALID, kube_patch_end(&p, err));
	assert_ok("test", kube_patch_test(&p, "/status/epoch", STR("7"), err));
	assert_ok("int", kube_patch_test_int(&p, "/n", INT64_MIN, err));
	assert_ok("text", kube_patch_add_text(&p, "/a/-", STR("x\"y"), err));
	assert_ok("add", kube_patch_add_int(&p, "/i", 0, err));
	assert_ok("replace", kube_patch_replace(&p, "/o", STR("{\"a\":[]}"), err));
	assert_ok("base", base_buf_add_str(&path, STR("/metadata/annotations"), err));
	assert_ok("pointer", kube_pointer_add(&path, STR("a/b~c"), err));
	assert_ok("remove", kube_patch_remove(&p, (const char *)path.data, err));
	assert_ok("move", kube_patch_move(&p, "/l/3", "/l/0", err));
	assert_ok("same", kube_patch_test_text(&p, "/s", STR(""), err));
	assert_ok("end", kube_patch_end(&p, err));
	assert_string_equal(b.data,
		"[{\"op\":\"test\",\"path\":\"/status/epoch\",\"value\":7},"
		"{\"op\":\"test\",\"path\":\"/n\",\"value\":-9223372036854775808},"
		"{\"op\":\"add\",\"path\":\"/a/-\",\"value\":\"x\\\"y\"},"
		"{\"op\":\"add\",\"path\":\"/i\",\"value\":0},"
		"{\"op\":\"replace\",\"path\":\"/o\",\"value\":{\"a\":[]}},"
		"{\"op\":\"remove\",\"path\":\"/metadata/annotations/a~1b~0c\"},"
		"{\"op\":\"move\",\"path\":\"/l/0\",\"from\":\"/l/3\"},"
		"{\"op\":\"test\",\"path\":\"/s\",\"value\":\"\"}]");
	assert_class("no pointer", ERR_INVALID, kube_patch_remove(&p, "a", err));
	assert_class("from nowhere", ERR_INVALID, kube_patch_move(&p, "a", "/b", err));
	assert_class("no value", ERR_INVALID, kube_patch_add(&p, "/a", STR_NULL, err));
	p.ops = KUBE_PATCH_OPS_MAX;
	assert_class("too many", ERR_TOO_LARGE, kube_patch_remove(&p, "/a", err));
}

static void test_quotes(void **state)
{
	static const struct {
		const char *name;
		struct str in;
		const char *out; /* NULL: refused */
	} rows[] = {
		{"empty", {.p = "", .n = 0}, "\"\""},
		{"plain", {.p = "a b/c", .n = 5}, "\"a b/c\""},
		{"escapes", {.p = "\"\\\b\f\n\r\t\x01\x1f", .n = 9},
			"\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\""},
		{"a NUL byte", {.p = "a\0b", .n = 3}, "\"a\\u0000b\""},
		{"UTF-8", {.p = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", .n = 9},
			"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"cut", {.p = "\xe2\x82", .n = 2}, NULL},
		{"overlong", {.p = "\xc0\xaf", .n = 2}, NULL},
		{"overlong, three", {.p = "\xe0\x80\xaf", .n = 3}, NULL},
		{"surrogate", {.p = "\xed\xa0\x80", .n = 3}, NULL},
		{"beyond", {.p = "\xf4\x90\x80\x80", .n = 4}, NULL},
		{"alone", {.p = "\x80", .n = 1}, NULL},
		{"ff", {.p = "\xff", .n = 1}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf b = base_buf(100);
		if (!rows[i].out) {
			assert_class(
				rows[i].name, ERR_INVALID, kube_quote_add(&b, rows[i].in, err));
			continue;
		}
		assert_ok(rows[i].name, kube_quote_add(&b, rows[i].in, err));
		if (strcmp((const char *)b.data, rows[i].out) != 0)
			fail_msg("%s: %s", rows[i].name, (const char *)b.data);
	}
}

static int write_all(struct kube_writer *w, struct err *err)
{
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_text(w, "a", STR("1"), err));
	TRY(kube_write_key_int(w, "b", -2, err));
	TRY(kube_write_key_bool(w, "c", true, err));
	TRY(kube_write_key(w, STR("d"), err));
	TRY(kube_write_null(w, err));
	TRY(kube_write_key_list(w, "e", err));
	TRY(kube_write_int(w, 1, err));
	TRY(kube_write_text(w, STR("x"), err));
	TRY(kube_write_object(w, err));
	TRY(kube_write_end(w, err));
	TRY(kube_write_list(w, err));
	TRY(kube_write_end(w, err));
	TRY(kube_write_end(w, err));
	TRY(kube_write_key_object(w, "f", err));
	TRY(kube_write_key(w, STR("g\"h"), err));
	TRY(kube_write_json(w, STR("{\"raw\":[]}"), err));
	TRY(kube_write_end(w, err));
	return kube_write_end(w, err);
}

static void test_writer(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(1000);
	struct kube_writer w = kube_writer(&b);

	(void)state;
	assert_ok("all", write_all(&w, err));
	assert_string_equal(b.data,
		"{\"a\":\"1\",\"b\":-2,\"c\":true,\"d\":null,\"e\":[1,\"x\",{},[]],"
		"\"f\":{\"g\\\"h\":{\"raw\":[]}}}");
	assert_class("a second document", ERR_BUG, kube_write_object(&w, err));
	assert_class("an end too many", ERR_BUG, kube_write_end(&w, err));
}

static void test_writer_misused(void **state)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(1000);
	struct kube_writer w = kube_writer(&b);

	(void)state;
	assert_ok("object", kube_write_object(&w, err));
	assert_class("a value without a key", ERR_BUG, kube_write_int(&w, 1, err));
	assert_ok("key", kube_write_key(&w, STR("k"), err));
	assert_class("two keys", ERR_BUG, kube_write_key(&w, STR("l"), err));
	assert_class("an end after a key", ERR_BUG, kube_write_end(&w, err));
	assert_ok("list", kube_write_list(&w, err));
	assert_class("a key in a list", ERR_BUG, kube_write_key(&w, STR("l"), err));
	for (int i = 0; i < 29; i++)
		assert_ok("deep", kube_write_list(&w, err));
	assert_class("too deep", ERR_BUG, kube_write_list(&w, err));
	struct buf tiny = base_buf(3);
	w = kube_writer(&tiny);
	assert_class("no room", ERR_TOO_LARGE, kube_write_text(&w, STR("abc"), err));
	base_buf_done(&tiny);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_patch),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_writer),
		cmocka_unit_test(test_writer_misused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
