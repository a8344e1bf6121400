#include "pkg/kube/frame.h"

#include "pkg/base/test.h"

/* Longer than what is looked at in one step. */
#define X60      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define OPEN16   "[[[[[[[[[[[[[[[["
#define CLOSE16  "]]]]]]]]]]]]]]]]"
#define A_OBJECT "{\"type\":\"A\",\"object\":"
#define A_HEAD   "{\"type\":\"A\",\"object\":null}|"

static const struct {
	const char *name;
	enum kube_frame_form form;
	const char *stream;
	const char *docs; /* "head|object\n" of each, in order */
	enum err_class next, end;
} rows[] = {
	{"one event", KUBE_FRAME_EVENTS, "{\"type\":\"ADDED\",\"object\":{\"a\":1}}\n",
		"{\"type\":\"ADDED\",\"object\":null}|{\"a\":1}\n", ERR_OK, ERR_OK},
	{"two events without a line end", KUBE_FRAME_EVENTS,
		"{\"type\":\"A\",\"object\":{}}{\"type\":\"B\",\"object\":{}}",
		"{\"type\":\"A\",\"object\":null}|{}\n{\"type\":\"B\",\"object\":null}|{}\n",
		ERR_OK, ERR_OK},
	{"white space everywhere", KUBE_FRAME_EVENTS,
		" \r\n\t{ \"type\" : \"A\" , \"object\" : { \"x\" : [ ] } } \n\n ",
		"{ \"type\" : \"A\" , \"object\" : null }|{ \"x\" : [ ] }\n", ERR_OK, ERR_OK},
	{"object first", KUBE_FRAME_EVENTS, "{\"object\":{\"a\":{\"b\":[{}]}},\"type\":\"A\"}",
		"{\"object\":null,\"type\":\"A\"}|{\"a\":{\"b\":[{}]}}\n", ERR_OK, ERR_OK},
	{"braces and quotes in strings", KUBE_FRAME_EVENTS,
		"{\"type\":\"}{\\\"\",\"object\":{\"a\":\"}]\\\\\",\"b\\\"}\":\"\\\\\\\"{\"}}",
		"{\"type\":\"}{\\\"\",\"object\":null}|{\"a\":\"}]\\\\\",\"b\\\"}\":\"\\\\\\\"{\"}"
		"\n",
		ERR_OK, ERR_OK},
	{"braces in a long string", KUBE_FRAME_EVENTS,
		A_OBJECT "{\"a\":\"" X60 "}{][" X60 "}\",\"b\":[{}]}"
			 "}" A_OBJECT "{\"z\":1}}",
		A_HEAD "{\"a\":\"" X60 "}{][" X60 "}\",\"b\":[{}]}"
		       "\n" A_HEAD "{\"z\":1}\n",
		ERR_OK, ERR_OK},
	{"a long string with an escaped quote", KUBE_FRAME_EVENTS,
		A_OBJECT "{\"a\":\"" X60 "\\\"}]" X60 "\",\"b\":{}}"
			 "}" A_OBJECT "{\"z\":1}}",
		A_HEAD "{\"a\":\"" X60 "\\\"}]" X60 "\",\"b\":{}}"
		       "\n" A_HEAD "{\"z\":1}\n",
		ERR_OK, ERR_OK},
	{"a long string that ends in a backslash", KUBE_FRAME_EVENTS,
		A_OBJECT "{\"a\":\"" X60 X60 "\\\\\",\"b\":{}}"
			 "}" A_OBJECT "{\"z\":1}}",
		A_HEAD "{\"a\":\"" X60 X60 "\\\\\",\"b\":{}}"
		       "\n" A_HEAD "{\"z\":1}\n",
		ERR_OK, ERR_OK},
	{"a long key", KUBE_FRAME_EVENTS,
		A_OBJECT "{\"" X60 "}\":{\"" X60 "{\":\"" X60 "\"}}"
			 "}" A_OBJECT "{\"z\":1}}",
		A_HEAD "{\"" X60 "}\":{\"" X60 "{\":\"" X60 "\"}}"
		       "\n" A_HEAD "{\"z\":1}\n",
		ERR_OK, ERR_OK},
	{"many brackets", KUBE_FRAME_EVENTS,
		A_OBJECT "{\"a\":" OPEN16 OPEN16 OPEN16 CLOSE16 CLOSE16 CLOSE16 ",\"b\":\"" X60
			 "\"}"
			 "}" A_OBJECT "{\"z\":1}}",
		A_HEAD "{\"a\":" OPEN16 OPEN16 OPEN16 CLOSE16 CLOSE16 CLOSE16 ",\"b\":\"" X60 "\"}"
		       "\n" A_HEAD "{\"z\":1}\n",
		ERR_OK, ERR_OK},
	{"too deep", KUBE_FRAME_EVENTS, A_OBJECT "{\"a\":" OPEN16 OPEN16 OPEN16 OPEN16 OPEN16, "",
		ERR_TOO_LARGE, ERR_INVALID},
	{"object deeper down is none", KUBE_FRAME_EVENTS,
		"{\"x\":{\"object\":{}},\"y\":[\"object\"]}",
		"{\"x\":{\"object\":{}},\"y\":[\"object\"]}|\n", ERR_OK, ERR_OK},
	{"object as a value is none", KUBE_FRAME_EVENTS, "{\"type\":\"object\",\"z\":{\"q\":1}}",
		"{\"type\":\"object\",\"z\":{\"q\":1}}|\n", ERR_OK, ERR_OK},
	{"object null", KUBE_FRAME_EVENTS, "{\"type\":\"A\",\"object\":null}",
		"{\"type\":\"A\",\"object\":null}|\n", ERR_OK, ERR_OK},
	{"a bare Status", KUBE_FRAME_EVENTS, "{\"kind\":\"Status\",\"code\":410}\n",
		"{\"kind\":\"Status\",\"code\":410}|\n", ERR_OK, ERR_OK},
	{"two objects", KUBE_FRAME_EVENTS, "{\"object\":{\"a\":1},\"object\":{\"b\":1}}", "",
		ERR_INVALID, ERR_INVALID},
	{"nothing", KUBE_FRAME_EVENTS, "", "", ERR_OK, ERR_OK},
	{"cut in an event", KUBE_FRAME_EVENTS, "{\"type\":\"A\",\"object\":{\"a\":1}", "", ERR_OK,
		ERR_INVALID},
	{"a page of HTML", KUBE_FRAME_EVENTS, "<html>", "", ERR_INVALID, ERR_INVALID},
	{"a number", KUBE_FRAME_EVENTS, "1", "", ERR_INVALID, ERR_INVALID},
	{"a string", KUBE_FRAME_EVENTS, "\"{}\"", "", ERR_INVALID, ERR_INVALID},
	{"an array", KUBE_FRAME_EVENTS, "[]", "", ERR_INVALID, ERR_INVALID},
	{"a brace too many", KUBE_FRAME_EVENTS, "{\"a\":1}}", "{\"a\":1}|\n", ERR_INVALID,
		ERR_INVALID},
	{"a comma between events", KUBE_FRAME_EVENTS, "{\"a\":1},{}", "{\"a\":1}|\n", ERR_INVALID,
		ERR_INVALID},
	{"a list", KUBE_FRAME_LIST,
		"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[{\"a\":"
		"1},"
		"{\"b\":[2]}]}\n",
		"|{\"a\":1}\n|{\"b\":[2]}\n{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":"
		"\"5\"},\"items\":[]}|\n",
		ERR_OK, ERR_OK},
	{"metadata behind the items", KUBE_FRAME_LIST,
		"{ \"items\" : [ { } , { } ] , \"metadata\" : {} }",
		"|{ }\n|{ }\n{ \"items\" : [] , \"metadata\" : {} }|\n", ERR_OK, ERR_OK},
	{"no items", KUBE_FRAME_LIST, "{\"items\":[ ],\"m\":0}", "{\"items\":[],\"m\":0}|\n",
		ERR_OK, ERR_OK},
	{"items null", KUBE_FRAME_LIST, "{\"items\":null}", "{\"items\":null}|\n", ERR_OK, ERR_OK},
	{"a Status instead", KUBE_FRAME_LIST, "{\"kind\":\"Status\",\"items2\":[{}]}",
		"{\"kind\":\"Status\",\"items2\":[{}]}|\n", ERR_OK, ERR_OK},
	{"items within items", KUBE_FRAME_LIST, "{\"items\":[{\"items\":[{\"x\":1}]}]}",
		"|{\"items\":[{\"x\":1}]}\n{\"items\":[]}|\n", ERR_OK, ERR_OK},
	{"a comma at the end", KUBE_FRAME_LIST, "{\"items\":[{},]}", "|{}\n", ERR_INVALID,
		ERR_INVALID},
	{"a comma first", KUBE_FRAME_LIST, "{\"items\":[,{}]}", "", ERR_INVALID, ERR_INVALID},
	{"no comma", KUBE_FRAME_LIST, "{\"items\":[{}{}]}", "|{}\n", ERR_INVALID, ERR_INVALID},
	{"items that are no objects", KUBE_FRAME_LIST, "{\"items\":[1]}", "", ERR_INVALID,
		ERR_INVALID},
	{"items closed by a brace", KUBE_FRAME_LIST, "{\"items\":[{}}}", "|{}\n", ERR_INVALID,
		ERR_INVALID},
	{"two lists", KUBE_FRAME_LIST, "{\"items\":[]}{\"items\":[]}", "{\"items\":[]}|\n",
		ERR_INVALID, ERR_INVALID},
	{"no list", KUBE_FRAME_LIST, "", "", ERR_OK, ERR_INVALID},
	{"a list cut", KUBE_FRAME_LIST, "{\"items\":[{}", "|{}\n", ERR_OK, ERR_INVALID},
};

/* Takes all documents of what was fed. */
static int take_all(struct kube_frame *f, struct buf *out, struct err *err)
{
	struct kube_frame_doc doc;
	bool more = true;

	while (more) {
		TRY(kube_frame_next(f, &doc, &more, err));
		if (more)
			TRY(base_buf_addf(
				out, err, "%.*s|%.*s\n", STR_FMT(doc.head), STR_FMT(doc.object)));
	}
	return 0;
}

/* Feeds a copy of each piece, which is then overwritten: nothing borrowed may be used later. */
static int feed(struct kube_frame *f, const char *p, size_t n, struct buf *out, struct err *err)
{
	_cleanup_(base_free) char *copy = base_strndup(p, n);

	kube_frame_feed(f, copy, n);
	const int r = take_all(f, out, err);
	memset(copy, '#', n);
	return r;
}

static void run(size_t i, size_t cut_a, size_t cut_b)
{
	_cleanup_(base_buf_done) struct buf out = base_buf(4096);
	_cleanup_(kube_frame_done) struct kube_frame f;
	const char *s = rows[i].stream;
	const size_t n = strlen(s);
	struct err why = {0};

	kube_frame_init(&f, rows[i].form);
	int r = feed(&f, s, cut_a, &out, &why);
	if (r == 0)
		r = feed(&f, s + cut_a, cut_b - cut_a, &out, &why);
	if (r == 0)
		r = feed(&f, s + cut_b, n - cut_b, &out, &why);
	if (r != -(int)rows[i].next)
		fail_msg("%s, cut at %zu and %zu: %d: %s", rows[i].name, cut_a, cut_b, r, why.msg);
	const struct str got = base_buf_str(&out);
	if (!base_str_eq(got, base_str(rows[i].docs)))
		fail_msg("%s, cut at %zu and %zu: got\n%.*swanted\n%s", rows[i].name, cut_a, cut_b,
			STR_FMT(got), rows[i].docs);
	assert_int_equal(kube_frame_end(&f, NULL), -(int)rows[i].end);
	if (r < 0)
		assert_class(rows[i].name, ERR_INVALID, feed(&f, "{}", 2, &out, err));
}

static void test_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		run(i, 0, strlen(rows[i].stream));
}

static void test_split_at_each_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t a = 0; a <= strlen(rows[i].stream); a++)
			for (size_t b = a; b <= strlen(rows[i].stream); b++)
				run(i, a, b);
}

static void test_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf out = base_buf(4096);
		_cleanup_(kube_frame_done) struct kube_frame f;
		int r = 0;
		kube_frame_init(&f, rows[i].form);
		for (const char *s = rows[i].stream; *s && r == 0; s++)
			r = feed(&f, s, 1, &out, NULL);
		assert_int_equal(r, -(int)rows[i].next);
		assert_true(base_str_eq(base_buf_str(&out), base_str(rows[i].docs)));
	}
}

static void test_bounds(void **state)
{
	_cleanup_(kube_frame_done) struct kube_frame f;
	_cleanup_(base_buf_done) struct buf out = base_buf(4096);
	_cleanup_(base_free) char *spaces = base_alloc(KUBE_FRAME_HEAD_MAX, 1);

	(void)state;
	memset(spaces, ' ', KUBE_FRAME_HEAD_MAX);
	kube_frame_init(&f, KUBE_FRAME_EVENTS);
	assert_ok("head", feed(&f, "{\"type\":", 8, &out, err));
	assert_class("head", ERR_TOO_LARGE, feed(&f, spaces, KUBE_FRAME_HEAD_MAX, &out, err));

	kube_frame_clear(&f, KUBE_FRAME_LIST);
	assert_ok("object", feed(&f, "{\"items\":[{\"x\":", 15, &out, err));
	int r = 0;
	size_t fed = 0;
	for (; r == 0 && fed < (size_t)2 * KUBE_JSON_MAX; fed += KUBE_FRAME_HEAD_MAX)
		r = feed(&f, spaces, KUBE_FRAME_HEAD_MAX, &out, NULL);
	assert_int_equal(r, -(int)ERR_TOO_LARGE);
	assert_true(fed <= KUBE_JSON_MAX + KUBE_FRAME_HEAD_MAX);

	kube_frame_clear(&f, KUBE_FRAME_EVENTS);
	for (int i = 0; i < KUBE_JSON_DEPTH_MAX; i++)
		assert_ok("depth", feed(&f, "{\"a\":", 5, &out, err));
	assert_class("depth", ERR_TOO_LARGE, feed(&f, "{\"a\":", 5, &out, err));
	kube_frame_clear(&f, KUBE_FRAME_EVENTS);
	assert_ok("as new", feed(&f, "{\"a\":1}", 7, &out, err));
	assert_true(base_str_eq(base_buf_str(&out), STR("{\"a\":1}|\n")));
}

/* A large object does not keep its memory. */
static void test_memory(void **state)
{
	_cleanup_(kube_frame_done) struct kube_frame f;
	_cleanup_(base_buf_done) struct buf out = base_buf(4 << 20);
	_cleanup_(base_free) char *spaces = base_alloc(1 << 20, 1);

	(void)state;
	memset(spaces, ' ', 1 << 20);
	kube_frame_init(&f, KUBE_FRAME_EVENTS);
	assert_ok("begin", feed(&f, "{\"object\":{", 11, &out, err));
	assert_ok("middle", feed(&f, spaces, 1 << 20, &out, err));
	assert_ok("end", feed(&f, "}}", 2, &out, err));
	assert_true(out.len > 1 << 20);
	assert_true(f.rest.cap <= 256 << 10);
}

static const struct {
	const char *head;
	const char *kind, *rv, *cont;
	enum err_class want;
} heads[] = {
	{"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"12\","
	 "\"continue\":\"eyJ2-_\",\"remainingItemCount\":7},\"items\":[]}",
		"PodList", "12", "eyJ2-_", ERR_OK},
	{"{\"metadata\":{\"resourceVersion\":\"12\",\"continue\":null}}", "", "12", "", ERR_OK},
	{"{}", "", "", "", ERR_OK},
	{"{\"metadata\":{\"resourceVersion\":12}}", "", "", "", ERR_INVALID},
	{"{\"metadata\":[]}", "", "", "", ERR_INVALID},
	{"{\"metadata\":{}", "", "", "", ERR_INVALID},
	{"{\"metadata\":{\"continue\":\"a\\u0041\"}}", "", "", "", ERR_INVALID},
	{"{\"items\":[}]}", "", "", "", ERR_INVALID},
	{"[]", "", "", "", ERR_INVALID},
	{"", "", "", "", ERR_INVALID},
};

static void test_list_head(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct kube_list_head h = {.kind = STR_NULL};
		if (heads[i].want != ERR_OK) {
			assert_class(heads[i].head, heads[i].want,
				kube_list_head_read(base_str(heads[i].head), &h, err));
			continue;
		}
		assert_ok(heads[i].head, kube_list_head_read(base_str(heads[i].head), &h, err));
		assert_true(base_str_eq(h.kind, base_str(heads[i].kind)));
		assert_true(base_str_eq(h.rv, base_str(heads[i].rv)));
		assert_true(base_str_eq(h.continue_token, base_str(heads[i].cont)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_split_at_each_byte),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_list_head),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
