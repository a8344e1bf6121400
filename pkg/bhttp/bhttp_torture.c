#include "pkg/base/test.h"
#include "pkg/bhttp/bhttp.h"

static int case_message(void *ctx, struct err *err)
{
	const bool known = ctx != NULL;
	_cleanup_(base_buf_done) struct buf out = base_buf(1 << 20);
	_cleanup_(base_buf_done) struct buf content = base_buf(1 << 20);
	_cleanup_(bhttp_decoder_done) struct bhttp_decoder d = bhttp_decoder(false);
	struct bhttp_encoder e = {0};
	struct bhttp_fields trailers = {0};
	struct bhttp_head h = {.has_length = known,
		.length = 3000,
		.method = STR("PUT"),
		.scheme = STR("http"),
		.authority = STR("a"),
		.path = STR("/")};
	static const char text[3000];

	TRY(bhttp_fields_add(&h.fields, STR("accept"), STR("*/*"), err));
	TRY(bhttp_fields_add(&trailers, STR("digest"), STR("x"), err));
	TRY(bhttp_encode_head(&e, &h, &out, err));
	TRY(bhttp_encode_content(&e, base_str_n(text, sizeof(text)), &out, err));
	TRY(bhttp_encode_end(&e, &trailers, &out, err));
	for (size_t at = 0; at < out.len; at += 500)
		TRY(bhttp_decode(
			&d, base_str_sub(base_buf_str(&out), at, at + 500), &content, err));
	return bhttp_decode_end(&d, err);
}

static void test_torture(void **state)
{
	bool known = true;

	(void)state;
	assert_true(torture_run("indeterminate", case_message, NULL, 1) > 0);
	assert_true(torture_run("known", case_message, &known, 1) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_torture)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
