/* Encoder and decoder of the header against each other; what neither takes. The vectors have the
 * decoder's strictness rule by rule. */
#include "pkg/base/test.h"

#include "pkg/envelope/cbor.h"
#include "pkg/envelope/header_internal.h"
#include "pkg/envelope/message.h"

static struct envelope_header sample(size_t recipients)
{
	struct envelope_header h = {
		.type = STR("text/plain"), .iat = 1795000000, .recipient_count = recipients};

	for (size_t i = 0; i < recipients && i < ENVELOPE_RECIPIENTS_MAX; i++)
		h.recipients[i] = (struct envelope_recipient){.alg = ENVELOPE_ALG_UMBRAL,
			.epoch = i,
			.fp = {.b = {(uint8_t)(i + 1)}},
			.name = STR("shop/orders")};
	return h;
}

static void round_trip(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 1u << 6; bits++) {
		_cleanup_(base_buf_done) struct buf a = base_buf(9000);
		_cleanup_(base_buf_done) struct buf b = base_buf(9000);
		struct envelope_header h = sample(1 + bits % ENVELOPE_RECIPIENTS_MAX);
		struct envelope_header back;
		h.mode = bits & 1 ? ENVELOPE_STREAM : ENVELOPE_WHOLE;
		h.has_exp = bits & 2;
		h.exp = UINT64_MAX;
		h.has_length = bits & 4;
		h.length = 1000;
		h.has_parent = bits & 8;
		h.kind = bits & 16 ? ENVELOPE_KFRAG : ENVELOPE_EVENT;
		h.has_context = bits & 16;
		h.sender = (enum envelope_sender_level)(bits % 3);
		if (bits & 32)
			h.attributes[ENVELOPE_CE_SUBJECT] = STR("");
		assert_ok("encode", envelope_header_encode(&h, &a, err));
		assert_ok("decode", envelope_header_decode(base_buf_str(&a), &back, err));
		assert_ok("again", envelope_header_encode(&back, &b, err));
		assert_true(base_str_eq(base_buf_str(&a), base_buf_str(&b)));
		assert_int_equal(back.recipient_count, h.recipient_count);
		assert_int_equal(back.has_exp, h.has_exp);
		assert_true(!h.has_exp || back.exp == UINT64_MAX);
		assert_int_equal(back.attributes[ENVELOPE_CE_SUBJECT].p != NULL, (bits & 32) != 0);
	}
}

static char long_text[2048];

/* Each edit makes a good header one that must not be written. */
static void edit_none(struct envelope_header *h)
{
	h->recipient_count = 0;
}
static void edit_17(struct envelope_header *h)
{
	h->recipient_count = ENVELOPE_RECIPIENTS_MAX + 1;
}
static void edit_order(struct envelope_header *h)
{
	h->recipients[1].fp = h->recipients[0].fp;
}
static void edit_alg(struct envelope_header *h)
{
	h->recipients[0].alg = 2;
}
static void edit_name(struct envelope_header *h)
{
	h->recipients[0].name = STR("shop/../x y");
}
static void edit_no_name(struct envelope_header *h)
{
	h->recipients[0].name = STR_NULL;
}
static void edit_no_type(struct envelope_header *h)
{
	h->type = STR_NULL;
}
static void edit_type(struct envelope_header *h)
{
	h->type = STR("a\r\nb");
}
static void edit_long_type(struct envelope_header *h)
{
	h->type = base_str_n(long_text, 256);
}
static void edit_kind(struct envelope_header *h)
{
	h->kind = ENVELOPE_KIND_COUNT;
}
static void edit_sender(struct envelope_header *h)
{
	h->sender = ENVELOPE_SENDER_COUNT;
}
static void edit_context(struct envelope_header *h)
{
	h->has_context = true;
}
static void edit_kfrag(struct envelope_header *h)
{
	h->kind = ENVELOPE_KFRAG;
}
static void edit_response(struct envelope_header *h)
{
	h->kind = ENVELOPE_RESPONSE;
}
static void edit_attribute(struct envelope_header *h)
{
	h->attributes[ENVELOPE_CE_ID] = base_str_n(long_text, ENVELOPE_ATTRIBUTE_MAX + 1);
}
static void edit_attribute_text(struct envelope_header *h)
{
	h->attributes[ENVELOPE_CE_ID] = STR("\xff");
}
static void edit_whole_length(struct envelope_header *h)
{
	h->has_length = true;
	h->length = ENVELOPE_WHOLE_MAX + 1;
}
static void edit_stream_length(struct envelope_header *h)
{
	h->mode = ENVELOPE_STREAM;
	h->has_length = true;
	h->length = ENVELOPE_STREAM_MAX + 1;
}
static void edit_all_long(struct envelope_header *h)
{
	for (size_t i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++)
		h->attributes[i] = base_str_n(long_text, ENVELOPE_ATTRIBUTE_MAX);
}

static void not_written(void **state)
{
	static const struct {
		const char *name;
		void (*edit)(struct envelope_header *h);
		enum err_class class;
	} rows[] = {
		{"no recipients", edit_none, ERR_INVALID},
		{"17 recipients", edit_17, ERR_TOO_LARGE},
		{"equal fingerprints", edit_order, ERR_INVALID},
		{"unknown scheme", edit_alg, ERR_INVALID},
		{"name", edit_name, ERR_INVALID},
		{"no name", edit_no_name, ERR_INVALID},
		{"no type", edit_no_type, ERR_INVALID},
		{"type with line feed", edit_type, ERR_INVALID},
		{"long type", edit_long_type, ERR_INVALID},
		{"kind", edit_kind, ERR_INVALID},
		{"sender", edit_sender, ERR_INVALID},
		{"event with context", edit_context, ERR_INVALID},
		{"kfrag without", edit_kfrag, ERR_INVALID},
		{"response without parent", edit_response, ERR_INVALID},
		{"long attribute", edit_attribute, ERR_TOO_LARGE},
		{"attribute not UTF-8", edit_attribute_text, ERR_INVALID},
		{"whole of more than 1 MiB", edit_whole_length, ERR_TOO_LARGE},
		{"stream of more than 1 TiB", edit_stream_length, ERR_TOO_LARGE},
		{"more than 8192 bytes", edit_all_long, ERR_TOO_LARGE},
	};

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf out = base_buf(20000);
		struct envelope_header h = sample(2);
		rows[i].edit(&h);
		assert_class(rows[i].name, rows[i].class, envelope_header_encode(&h, &out, err));
		assert_int_equal(out.len, 0);
	}
}

static void recipients_are_sorted_and_found(void **state)
{
	struct envelope_header h = sample(16);
	const struct pre_fingerprint none = {.b = {0}};

	(void)state;
	for (size_t i = 0; i < 16; i++)
		h.recipients[i].fp.b[0] = (uint8_t)(i * 7 % 16);
	assert_ok("sort", envelope_recipients_sort(&h, err));
	for (size_t i = 0; i < 16; i++) {
		const struct envelope_recipient *r =
			envelope_recipient_find(&h, &h.recipients[i].fp);
		assert_ptr_equal(r, &h.recipients[i]);
		assert_int_equal(r->fp.b[0], i);
		assert_int_equal(r->epoch * 7 % 16, i);
	}
	h.recipients[0].alg = 2;
	assert_null(envelope_recipient_find(&h, &none));
	h.recipients[3].fp = h.recipients[9].fp;
	assert_class("twice", ERR_INVALID, envelope_recipients_sort(&h, err));
}

/* An entry of a scheme to come is skipped and does not hide the others. */
static void unknown_schemes_are_skipped(void **state)
{
	static const uint8_t entry[] = {0x85, 0x02, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 1, 0x61, 'x', 0x42, 1, 2, 0x20};
	_cleanup_(base_buf_done) struct buf one = base_buf(9000);
	_cleanup_(base_buf_done) struct buf two = base_buf(9000);
	struct envelope_header h = sample(1);
	struct envelope_header back;

	(void)state;
	assert_ok("encode", envelope_header_encode(&h, &one, err));
	/* The list of one entry starts with 03 81 86 01 50: it becomes 03 82, entry, 86 01 50. */
	const uint8_t *list = memmem(one.data, one.len, "\x03\x81\x86\x01\x50", 5);
	assert_non_null(list);
	const size_t at = (size_t)(list - one.data) + 2;
	assert_ok("copy", base_buf_add(&two, one.data, at, err));
	two.data[at - 1] = 0x82;
	assert_ok("copy", base_buf_add(&two, entry, sizeof(entry), err));
	assert_ok("copy", base_buf_add(&two, one.data + at, one.len - at, err));
	assert_ok("decode", envelope_header_decode(base_buf_str(&two), &back, err));
	assert_int_equal(back.recipient_count, 2);
	assert_ptr_equal(envelope_recipient_find(&back, &h.recipients[0].fp), &back.recipients[1]);
	assert_null(envelope_recipient_find(&back, &back.recipients[0].fp));
}

static void reasons_have_names(void **state)
{
	(void)state;
	assert_string_equal(envelope_reason_name(ENVELOPE_REASON_COMMITMENT), "commitment");
	assert_string_equal(envelope_reason_name(ENVELOPE_REASON_COUNT), "other");
	assert_string_equal(envelope_reason_name(-1), "other");
	assert_string_equal(envelope_attribute_name(ENVELOPE_CE_TIME), "time");
	assert_null(envelope_attribute_name(ENVELOPE_ATTRIBUTE_COUNT));
}

static void text_is_strict(void **state)
{
	static const struct {
		const char *name;
		struct str s;
		bool ok;
	} rows[] = {
		{"empty", STR(""), true},
		{"ASCII", STR("a z~"), true},
		{"two bytes", STR("\xc2\xa0\xdf\xbf"), true},
		{"three bytes", STR("\xe0\xa0\x80\xef\xbf\xbd"), true},
		{"four bytes", STR("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), true},
		{"NUL", STR("a\0"), false},
		{"line feed", STR("\n"), false},
		{"DEL", STR("\x7f"), false},
		{"C1", STR("\xc2\x9f"), false},
		{"lone continuation", STR("\x80"), false},
		{"overlong slash", STR("\xc0\xaf"), false},
		{"overlong in three", STR("\xe0\x9f\xbf"), false},
		{"overlong in four", STR("\xf0\x8f\xbf\xbf"), false},
		{"surrogate", STR("\xed\xa0\x80"), false},
		{"past the end", STR("\xf4\x90\x80\x80"), false},
		{"five bytes", STR("\xf8\x88\x80\x80\x80"), false},
		{"cut in two", STR("\xc3"), false},
		{"cut in three", STR("\xe2\x82"), false},
		{"cut in four", STR("\xf0\x9f\x98"), false},
		{"bad third", STR("\xe2\x82\x41"), false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (envelope_text_ok(rows[i].s) != rows[i].ok)
			fail_msg("%s", rows[i].name);
}

/* What the reader's callers must not do is told apart from bad input. */
static void misuse_of_the_reader(void **state)
{
	struct envelope_cbor d = envelope_cbor(STR("\x82\x01\x02"), false);
	uint64_t v = 0;
	size_t n = 0;

	(void)state;
	assert_class("leave outside", ERR_BUG, envelope_cbor_leave(&d, err));
	assert_ok("enter", envelope_cbor_array(&d, 2, 2, &n, err));
	assert_class("leave early", ERR_BUG, envelope_cbor_leave(&d, err));
	assert_class("tag inside", ERR_BUG, envelope_cbor_tag(&d, 1, err));
	assert_ok("first", envelope_cbor_uint(&d, 10, &v, err));
	assert_class("range", ERR_INVALID, envelope_cbor_uint(&d, 1, &v, err));
	d.at--;
	assert_ok("second", envelope_cbor_uint(&d, 10, &v, err));
	assert_class("third", ERR_BUG, envelope_cbor_uint(&d, 10, &v, err));
	assert_ok("leave", envelope_cbor_leave(&d, err));
	assert_ok("end", envelope_cbor_end(&d, err));
}

static void integers_have_one_form(void **state)
{
	static const uint64_t values[] = {
		0, 23, 24, 255, 256, 65535, 65536, 4294967295u, 4294967296u, INT64_MAX, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		_cleanup_(base_buf_done) struct buf b = base_buf(20);
		uint64_t v = 0;
		assert_ok("put", envelope_cbor_put_uint(&b, values[i], err));
		struct envelope_cbor d = envelope_cbor(base_buf_str(&b), false);
		assert_ok("get", envelope_cbor_uint(&d, UINT64_MAX, &v, err));
		assert_true(v == values[i]);
		assert_ok("end", envelope_cbor_end(&d, err));
		if (values[i] > INT64_MAX)
			continue;
		for (int sign = 0; sign < 2; sign++) {
			const int64_t want = sign ? -1 - (int64_t)values[i] : (int64_t)values[i];
			int64_t got = 0;
			base_buf_clear(&b);
			assert_ok("put", envelope_cbor_put_int(&b, want, err));
			d = envelope_cbor(base_buf_str(&b), false);
			assert_ok("get", envelope_cbor_int(&d, &got, err));
			assert_true(got == want);
		}
	}
}

static void containers_nest_four_deep(void **state)
{
	struct envelope_cbor d = envelope_cbor(STR("\x81\x81\x81\x81\x81\x00"), false);
	struct envelope_cbor key = envelope_cbor(STR("\xa1\x81\x00\x00"), false);
	size_t n = 0;

	(void)state;
	for (int i = 0; i < ENVELOPE_CBOR_DEPTH; i++)
		assert_ok("enter", envelope_cbor_array(&d, 1, 1, &n, err));
	assert_class("fifth", ERR_INVALID, envelope_cbor_array(&d, 1, 1, &n, err));
	assert_ok("map", envelope_cbor_map(&key, 1, 1, &n, err));
	assert_class("key", ERR_INVALID, envelope_cbor_array(&key, 1, 1, &n, err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(not_written),
		cmocka_unit_test(recipients_are_sorted_and_found),
		cmocka_unit_test(unknown_schemes_are_skipped),
		cmocka_unit_test(reasons_have_names),
		cmocka_unit_test(text_is_strict),
		cmocka_unit_test(misuse_of_the_reader),
		cmocka_unit_test(integers_have_one_form),
		cmocka_unit_test(containers_nest_four_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
