#include "pkg/base/test.h"
#include "pkg/bhttp/bhttp.h"

#include <string.h>

#define MAX 4096

/* An answer to HEAD says how long GET's would be, and brings nothing. */
static void test_answers_to_head(void **state)
{
	static const struct {
		const char *name;
		bool to_head, states, known;
		uint64_t content;
		bool good;
	} rows[] = {
		{"to HEAD", true, true, true, 0, true},
		{"to HEAD, as a stream", true, true, false, 0, true},
		{"to HEAD, no length", true, false, true, 0, true},
		{"to HEAD, with content", true, true, true, 10, false},
		{"to HEAD, with content as a stream", true, true, false, 10, false},
		{"to GET", false, true, true, 10, true},
		{"to GET, nothing comes", false, true, true, 0, false},
		{"to GET, nothing comes as a stream", false, true, false, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf out = base_buf(MAX);
		_cleanup_(base_buf_done) struct buf content = base_buf(MAX);
		_cleanup_(bhttp_decoder_done) struct bhttp_decoder d = bhttp_decoder(true);
		/* 200, a field content-length: 10 or none, content, no trailers. */
		static const uint8_t field[] = "\x0e"
					       "content-length\x02"
					       "10";
		const size_t n = rows[i].states ? sizeof(field) - 1 : 0;
		int r = 0;
		assert_ok("head", base_buf_add(&out, rows[i].known ? "\x01" : "\x03", 1, err));
		assert_ok("status", base_buf_add(&out, "\x40\xc8", 2, err));
		if (rows[i].known)
			assert_ok("size", base_buf_add_byte(&out, (uint8_t)n, err));
		assert_ok("field", base_buf_add(&out, field, n, err));
		if (!rows[i].known)
			assert_ok("end", base_buf_add_byte(&out, 0, err));
		if (rows[i].known || rows[i].content)
			assert_ok("length", base_buf_add_byte(&out, (uint8_t)rows[i].content, err));
		assert_ok("content", base_buf_add(&out, "0123456789", rows[i].content, err));
		if (!rows[i].known)
			assert_ok("end", base_buf_add_byte(&out, 0, err));
		assert_ok("trailers", base_buf_add_byte(&out, 0, err));
		d.to_head = rows[i].to_head;
		r = bhttp_decode(&d, base_buf_str(&out), &content, NULL);
		if (r == 0)
			r = bhttp_decode_end(&d, NULL);
		if (r != (rows[i].good ? 0 : -(int)ERR_INVALID))
			fail_msg("%s: %d", rows[i].name, r);
	}
	struct bhttp_head h = {
		.response = true, .to_head = true, .status = 200, .has_length = true};
	struct bhttp_encoder e = {0};
	_cleanup_(base_buf_done) struct buf out = base_buf(MAX);
	assert_ok("field", bhttp_fields_add(&h.fields, STR("content-length"), STR("10"), err));
	assert_ok("written", bhttp_encode_head(&e, &h, &out, err));
	h.length = 10;
	assert_class("content", ERR_INVALID, bhttp_encode_head(&e, &h, &out, err));
	h.length = 0;
	h.to_head = false;
	assert_class("not HEAD", ERR_INVALID, bhttp_encode_head(&e, &h, &out, err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_to_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
