#include "pkg/base/test.h"
#include "pkg/bhttp/bhttp.h"

#define MAX (1u << 20)

/* RFC 9292, 5.1 and 5.2 */
static const char get_known[] =
	"00034745540568747470"
	"73000a2f68656c6c6f2e747874406c0a757365722d6167656e74346375726c2f37"
	"2e31362e33206c69626375726c2f372e31362e33204f70656e53534c2f302e392e376c207a6c69622f312e322e"
	"3304686f73740f7777772e6578616d706c652e636f6d0f6163636570742d6c616e677561676506656e2c206d69"
	"0000";
static const char get_chunked[] =
	"02034745540568747470"
	"73000a2f68656c6c6f2e7478740a757365722d6167656e74346375726c2f372e31"
	"362e33206c69626375726c2f372e31362e33204f70656e53534c2f302e392e376c207a6c69622f312e322e3304"
	"686f73740f7777772e6578616d706c652e636f6d0f6163636570742d6c616e677561676506656e2c206d690000"
	"00000000000000000000000000";
static const char informed[] =
	"03406607"
	"72756e6e696e670a22736c656570203135220040"
	"67046c696e6b233c2f7374796c652e637373"
	"3e3b2072656c3d7072656c6f61643b2061733d7374796c65046c696e6b243c2f7363726970742e6a733e3b2072"
	"656c3d7072656c6f61643b2061733d736372697074"
	"0040c804646174651d4d6f6e2c203237204a756c20323030"
	"392031323a32383a353320474d540673657276657206417061636865"
	"0d6c6173742d6d6f6469666965641d5765"
	"642c203232204a756c20323030392031393a31353a353620474d54"
	"04657461671422333461613338372d642d31"
	"35363865623030220d6163636570742d72616e676573056279746573"
	"0e636f6e74656e742d6c656e6774680235"
	"3104766172790f4163636570742d456e636f64696e67"
	"0c636f6e74656e742d747970650a746578742f706c6169"
	"6e003348656c6c6f20576f726c6421204d7920636f6e74656e7420696e636c7564657320612074726169"
	"6c696e672043524c462e0d0a0000";

struct read {
	struct bhttp_decoder d;
	struct buf content;
};

static int read_all(struct read *r, struct str bytes, size_t step, struct err *err)
{
	for (size_t at = 0; at < bytes.n; at += step)
		TRY(bhttp_decode(&r->d, base_str_sub(bytes, at, at + step), &r->content, err));
	return bhttp_decode_end(&r->d, err);
}

static void done(struct read *r)
{
	bhttp_decoder_done(&r->d);
	base_buf_done(&r->content);
}

static struct str bytes_of(const char *hex, uint8_t *to, size_t cap)
{
	const size_t n = strlen(hex) / 2;

	assert_true(n <= cap);
	assert_ok(hex, base_unhex(base_str(hex), to, n, err));
	return base_str_n(to, n);
}

static void same(const char *row, struct str have, const char *want)
{
	if (!base_str_eq(have, base_str(want)))
		fail_msg("%s: have '%.*s', want '%s'", row, STR_FMT(have), want);
}

static void field_is(const struct bhttp_fields *fields, const char *name, const char *want)
{
	struct str value = STR_NULL;

	assert_int_equal(bhttp_fields_find(fields, base_str(name), &value), 1);
	same(name, value, want);
}

static void check_get(const char *hex)
{
	uint8_t bytes[1024];
	const struct str all = bytes_of(hex, bytes, sizeof(bytes));

	for (size_t step = 1; step <= all.n; step += step < 8 ? 1 : 100) {
		struct read r = {.d = bhttp_decoder(false), .content = base_buf(MAX)};
		assert_ok("get", read_all(&r, all, step, err));
		const struct bhttp_head *h = bhttp_decoded_head(&r.d);
		assert_non_null(h);
		same("method", h->method, "GET");
		same("scheme", h->scheme, "https");
		same("authority", h->authority, "");
		same("path", h->path, "/hello.txt");
		assert_int_equal(h->fields.n, 3);
		field_is(&h->fields, "host", "www.example.com");
		field_is(&h->fields, "accept-language", "en, mi");
		assert_int_equal(r.content.len, 0);
		done(&r);
	}
}

static void test_requests_of_the_rfc(void **state)
{
	(void)state;
	check_get(get_known);
	check_get(get_chunked);
}

static void test_response_of_the_rfc(void **state)
{
	uint8_t bytes[1024];
	const struct str all = bytes_of(informed, bytes, sizeof(bytes));

	(void)state;
	for (size_t step = 1; step <= all.n; step += step < 8 ? 1 : 100) {
		struct read r = {.d = bhttp_decoder(true), .content = base_buf(MAX)};
		assert_ok("response", read_all(&r, all, step, err));
		const struct bhttp_head *h = bhttp_decoded_head(&r.d);
		assert_non_null(h);
		assert_int_equal(h->status, 200);
		assert_int_equal(h->fields.n, 8);
		field_is(&h->fields, "server", "Apache");
		same("content", base_buf_str(&r.content),
			"Hello World! My content includes a trailing CRLF.\r\n");
		done(&r);
	}
}

static struct bhttp_head sample(bool response, bool known, uint64_t length)
{
	struct bhttp_head h = {.response = response,
		.has_length = known,
		.status = 418,
		.length = length,
		.method = STR("POST"),
		.scheme = STR("http"),
		.authority = STR("billing.shop:80"),
		.path = STR("/pay?x=1%2F")};

	assert_ok("field", bhttp_fields_add(&h.fields, STR("content-type"), STR("a/b"), err));
	assert_ok("field", bhttp_fields_add(&h.fields, STR("set-cookie"), STR("a=1"), err));
	assert_ok("field", bhttp_fields_add(&h.fields, STR("set-cookie"), STR(""), err));
	return h;
}

static int write_all(const struct bhttp_head *h, struct str content, size_t step,
	const struct bhttp_fields *trailers, struct buf *out, struct err *err)
{
	struct bhttp_encoder e = {0};

	TRY(bhttp_encode_head(&e, h, out, err));
	for (size_t at = 0; at < content.n; at += step)
		TRY(bhttp_encode_content(&e, base_str_sub(content, at, at + step), out, err));
	return bhttp_encode_end(&e, trailers, out, err);
}

static void round_trip(bool response, bool known, size_t n, size_t step)
{
	static char text[70000];
	const struct bhttp_head h = sample(response, known, n);
	struct bhttp_fields trailers = {0};
	struct read r = {.d = bhttp_decoder(response), .content = base_buf(MAX)};
	_cleanup_(base_buf_done) struct buf out = base_buf(MAX);

	memset(text, 'x', sizeof(text));
	assert_ok("trailer", bhttp_fields_add(&trailers, STR("digest"), STR("sha"), err));
	assert_ok("write", write_all(&h, base_str_n(text, n), step, &trailers, &out, err));
	for (int i = 0; i < 9; i++)
		assert_ok("padding", base_buf_add_byte(&out, 0, err));
	assert_ok("read", read_all(&r, base_buf_str(&out), step, err));
	const struct bhttp_head *have = bhttp_decoded_head(&r.d);
	assert_non_null(have);
	assert_int_equal(have->has_length, known);
	assert_int_equal(have->fields.n, 3);
	assert_int_equal(r.content.len, n);
	field_is(bhttp_decoded_trailers(&r.d), "digest", "sha");
	if (response)
		assert_int_equal(have->status, 418);
	else
		same("path", have->path, "/pay?x=1%2F");
	done(&r);
}

static void test_round_trips(void **state)
{
	static const size_t sizes[] = {0, 1, 63, 64, 16383, 16384, 70000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t step = 1; step < 100000; step *= 50) {
			round_trip(false, true, sizes[i], step);
			round_trip(false, false, sizes[i], step);
			round_trip(true, true, sizes[i], step);
			round_trip(true, false, sizes[i], step);
		}
}

/* Every beginning of a message is refused at its end, but where empty parts may be left out. */
static void test_truncated(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		const struct bhttp_head h = sample(false, known, 3);
		struct bhttp_fields trailers = {0};
		_cleanup_(base_buf_done) struct buf out = base_buf(MAX);
		assert_ok("trailer", bhttp_fields_add(&trailers, STR("a"), STR("b"), err));
		assert_ok("write", write_all(&h, STR("abc"), 9, &trailers, &out, err));
		for (size_t n = 0; n < out.len; n++) {
			struct read r = {.d = bhttp_decoder(false), .content = base_buf(MAX)};
			const struct str part = base_str_n(out.data, n);
			struct err err = {0};
			const int code = read_all(&r, part, n + 1, &err);
			const bool no_trailers = n == out.len - 5;
			const bool no_content = n == out.len - (known ? 9 : 10);
			if (code == 0 && !no_trailers && !no_content)
				fail_msg("known %d: %zu of %zu bytes are taken", known, n, out.len);
			if (code < 0)
				assert_int_equal(err.class, ERR_INVALID);
			done(&r);
		}
	}
}

#define HEX_GET      \
	"00"         \
	"03474554"   \
	"0468747470" \
	"00"         \
	"012f"

static void test_hostile_bytes(void **state)
{
	static const struct {
		const char *name, *hex;
		bool response;
		enum err_class class;
	} rows[] = {
		{"a response for a request", "0140c80000", false, ERR_INVALID},
		{"a request for a response", HEX_GET "0000", true, ERR_INVALID},
		{"unknown framing", "0403474554", false, ERR_INVALID},
		{"long framing", "4000", false, ERR_INVALID},
		{"method in small letters",
			"00"
			"03676574"
			"0468747470"
			"00"
			"012f"
			"0000",
			false, ERR_INVALID},
		{"CONNECT",
			"00"
			"07434f4e4e454354"
			"0468747470"
			"00"
			"012f"
			"0000",
			false, ERR_INVALID},
		{"TRACE",
			"00"
			"055452414345"
			"0468747470"
			"00"
			"012f"
			"0000",
			false, ERR_INVALID},
		{"method with a space",
			"00"
			"03472054"
			"0468747470"
			"00"
			"012f"
			"0000",
			false, ERR_INVALID},
		{"other scheme",
			"00"
			"03474554"
			"0366747000"
			"012f"
			"0000",
			false, ERR_INVALID},
		{"authority with user",
			"00"
			"03474554"
			"0468747470"
			"0361402f"
			"012f"
			"0000",
			false, ERR_INVALID},
		{"absolute target",
			"00"
			"03474554"
			"0468747470"
			"00"
			"08687474703a2f2f61"
			"0000",
			false, ERR_INVALID},
		{"space in the target",
			"00"
			"03474554"
			"0468747470"
			"00"
			"032f2061"
			"0000",
			false, ERR_INVALID},
		{"CRLF in the target",
			"00"
			"03474554"
			"0468747470"
			"00"
			"042f0d0a61"
			"0000",
			false, ERR_INVALID},
		{"capital in a name",
			HEX_GET "04"
				"0141"
				"0162"
				"00",
			false, ERR_INVALID},
		{"empty name, known",
			HEX_GET "02"
				"0000"
				"00",
			false, ERR_INVALID},
		{"colon in a name",
			HEX_GET "05"
				"02613a"
				"0162"
				"00",
			false, ERR_INVALID},
		{"CR in a value",
			HEX_GET "05"
				"0161"
				"020d62"
				"00",
			false, ERR_INVALID},
		{"LF in a value",
			HEX_GET "05"
				"0161"
				"02620a"
				"00",
			false, ERR_INVALID},
		{"NUL in a value",
			HEX_GET "05"
				"0161"
				"026200"
				"00",
			false, ERR_INVALID},
		{"space before a value",
			HEX_GET "05"
				"0161"
				"022062"
				"00",
			false, ERR_INVALID},
		{"transfer-encoding",
			HEX_GET "1a"
				"117472616e736665722d656e636f64696e67"
				"076368756e6b6564"
				"00",
			false, ERR_INVALID},
		{"connection",
			HEX_GET "0d"
				"0a636f6e6e656374696f6e"
				"0161"
				"00",
			false, ERR_INVALID},
		{"proxy-anything",
			HEX_GET "0a"
				"0770726f78792d61"
				"0161"
				"00",
			false, ERR_INVALID},
		{"functionkey-id",
			HEX_GET "11"
				"0e66756e6374696f6e6b65792d6964"
				"0161"
				"00",
			false, ERR_INVALID},
		{"functionkey.id",
			HEX_GET "11"
				"0e66756e6374696f6e6b65792e6964"
				"0161"
				"00",
			false, ERR_INVALID},
		{"content-length too small",
			HEX_GET "11"
				"0e636f6e74656e742d6c656e677468"
				"0131"
				"026162",
			false, ERR_INVALID},
		{"content-length twice",
			HEX_GET "22"
				"0e636f6e74656e742d6c656e677468"
				"0131"
				"0e636f6e74656e742d6c656e677468"
				"0131"
				"0161",
			false, ERR_INVALID},
		{"content-length +1",
			HEX_GET "12"
				"0e636f6e74656e742d6c656e677468"
				"022b31"
				"0161",
			false, ERR_INVALID},
		{"field past its section",
			HEX_GET "03"
				"0161"
				"05",
			false, ERR_INVALID},
		{"section past all bounds", HEX_GET "ffffffffffffffff", false, ERR_TOO_LARGE},
		{"content past all bounds",
			HEX_GET "00"
				"ffffffffffffffff",
			false, ERR_TOO_LARGE},
		{"bytes behind the end",
			HEX_GET "00"
				"00"
				"00"
				"01",
			false, ERR_INVALID},
		{"content-length in trailers",
			HEX_GET "00"
				"00"
				"11"
				"0e636f6e74656e742d6c656e677468"
				"0131",
			false, ERR_INVALID},
		{"status 99", "0140630000", true, ERR_INVALID},
		{"status 101", "0140650000", true, ERR_INVALID},
		{"status 600", "0142580000", true, ERR_INVALID},
		{"only informational", "0140640000", true, ERR_INVALID},
		{"nothing", "", false, ERR_INVALID},
	};
	uint8_t bytes[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct str all = bytes_of(rows[i].hex, bytes, sizeof(bytes));
		for (size_t step = 1; step <= 300; step += 299) {
			struct read r = {
				.d = bhttp_decoder(rows[i].response), .content = base_buf(MAX)};
			assert_class(rows[i].name, rows[i].class, read_all(&r, all, step, err));
			assert_class(rows[i].name, ERR_BUG,
				bhttp_decode(&r.d, STR("x"), &r.content, err));
			done(&r);
		}
	}
}

static void test_what_is_not_written(void **state)
{
	static const struct {
		const char *name;
		struct str field, value;
	} rows[] = {
		{"capitals", STR("Accept"), STR("a")},
		{"space", STR("a b"), STR("a")},
		{"CRLF", STR("a"), STR("b\r\nc: d")},
		{"outer space", STR("a"), STR("b ")},
		{"hop", STR("keep-alive"), STR("a")},
		{"te", STR("te"), STR("trailers")},
		{"upgrade", STR("upgrade"), STR("websocket")},
		{"ours", STR("functionkey-sender"), STR("a")},
		{"empty", STR(""), STR("a")},
	};
	struct bhttp_fields fields = {0};
	struct bhttp_head h = sample(false, true, 1);
	struct bhttp_encoder e = {0};
	_cleanup_(base_buf_done) struct buf out = base_buf(MAX);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_class(rows[i].name, ERR_INVALID,
			bhttp_fields_add(&fields, rows[i].field, rows[i].value, err));
	while (fields.n < BHTTP_FIELDS_MAX)
		assert_ok("field", bhttp_fields_add(&fields, STR("a"), STR("b"), err));
	assert_class("one more", ERR_TOO_LARGE, bhttp_fields_add(&fields, STR("a"), STR(""), err));
	assert_class("no head", ERR_BUG, bhttp_encode_content(&e, STR("a"), &out, err));
	assert_ok("head", bhttp_encode_head(&e, &h, &out, err));
	assert_class("more", ERR_INVALID, bhttp_encode_content(&e, STR("ab"), &out, err));
	assert_class("less", ERR_INVALID, bhttp_encode_end(&e, NULL, &out, err));
	h.path = STR("*");
	const size_t before = out.len;
	assert_class("target", ERR_INVALID, bhttp_encode_head(&e, &h, &out, err));
	assert_int_equal(out.len, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_of_the_rfc),
		cmocka_unit_test(test_response_of_the_rfc),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_what_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
