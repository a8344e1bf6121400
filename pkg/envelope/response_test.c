/* Responses: the bytes that an independent Python program made, and what is no answer to a request.
 */
#include "pkg/envelope/vectors_test.h"

#include "pkg/base/env.h"
#include "pkg/envelope/response.h"

#define MESSAGE_MAX (1u << 20)

struct world {
	struct env env;
	struct envelope_context *ctx;
};

static int setup(void **state)
{
	static struct world w;

	w.env = base_env_system();
	assert_ok("setup", envelope_context_new(&w.env, &w.ctx, err));
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	w->ctx = envelope_context_free(w->ctx);
	assert_int_equal(base_alloc_live(), 0);
	return 0;
}

static struct envelope_exchange exchange_of(struct world *w, struct str row)
{
	_cleanup_(base_buf_done) struct buf protected = base_buf(ENVELOPE_PROTECTED_MAX);
	struct envelope_exchange x;
	struct secret k;

	vectors_bytes(row, "request_k", k.b, sizeof(k.b));
	assert_ok(
		"request", envelope_exchange_of(w->ctx,
				   vectors_hex(row, "request_protected", &protected), &k, &x, err));
	return x;
}

/* A request of which only the protected bytes matter here. */
static struct envelope_exchange request(struct world *w, const char *protected, uint8_t byte)
{
	struct envelope_exchange x;
	struct secret k;

	memset(k.b, byte, sizeof(k.b));
	assert_ok("request", envelope_exchange_of(w->ctx, base_str(protected), &k, &x, err));
	return x;
}

static int seal_answer(struct world *w, const struct envelope_exchange *x, enum envelope_mode mode,
	struct str text, struct buf *out, struct err *err)
{
	_cleanup_(envelope_sealer_done) struct envelope_sealer s = {0};
	struct envelope_header h = {
		.mode = mode, .type = STR("message/bhttp"), .has_length = true, .length = text.n};
	struct secret k;

	TRY(envelope_response_begin(w->ctx, x, &h, &k, err));
	TRY(envelope_sealer_begin(&s, w->ctx, &h, &k, out, err));
	TRY(envelope_sealer_add(&s, text, out, err));
	return envelope_sealer_end(&s, out, err);
}

static int open_answer(struct world *w, const struct envelope_exchange *x, struct str bytes,
	struct buf *out, struct err *err)
{
	_cleanup_(envelope_opener_done) struct envelope_opener o = {0};
	struct envelope_message m;
	struct secret k;

	TRY(envelope_parse(bytes, &m, err));
	TRY(envelope_response_secret(w->ctx, x, &m.header, &k, err));
	TRY(envelope_opener_begin(&o, w->ctx, &m, &k, err));
	TRY(envelope_opener_add(&o, base_str_sub(bytes, m.body_at, bytes.n), out, err));
	return envelope_opener_end(&o, out, err);
}

static void check_message(struct world *w, const struct envelope_exchange *x, struct str row)
{
	_cleanup_(base_buf_done) struct buf bytes = base_buf(MESSAGE_MAX);
	_cleanup_(base_buf_done) struct buf want = base_buf(MESSAGE_MAX);
	_cleanup_(base_buf_done) struct buf have = base_buf(MESSAGE_MAX);

	assert_ok("open", open_answer(w, x, vectors_hex(row, "message", &bytes), &have, err));
	assert_true(base_str_eq(base_buf_str(&have), vectors_hex(row, "plaintext", &want)));
}

static void check_row(struct world *w, struct str row)
{
	_cleanup_(base_buf_done) struct buf made = base_buf(MESSAGE_MAX);
	_cleanup_(base_buf_done) struct buf opened = base_buf(MESSAGE_MAX);
	const struct envelope_exchange x = exchange_of(w, row);
	struct envelope_header h = {.iat = vectors_number(row, "iat")};
	struct secret k;
	struct secret want;

	h.mode = base_str_eq(vectors_get(row, "mode"), STR("stream")) ? ENVELOPE_STREAM
								      : ENVELOPE_WHOLE;
	h.type = vectors_get(row, "type");
	h.kind = ENVELOPE_RESPONSE;
	h.has_parent = true;
	memcpy(h.parent, x.parent, sizeof(h.parent));
	vectors_bytes(row, "message_id", h.id, sizeof(h.id));
	if (h.mode == ENVELOPE_WHOLE)
		vectors_bytes(row, "iv", h.iv, sizeof(h.iv));
	h.has_length = vectors_get(row, "length").p != NULL;
	if (h.has_length)
		h.length = vectors_number(row, "length");
	vectors_bytes(row, "k", want.b, sizeof(want.b));
	assert_ok("secret", envelope_response_secret(w->ctx, &x, &h, &k, err));
	assert_memory_equal(k.b, want.b, sizeof(k.b));
	assert_ok("header", envelope_header_encode(&h, &made, err));
	const struct str protected = vectors_hex(row, "protected", &opened);
	assert_true(base_str_eq(base_buf_str(&made), protected));
	if (vectors_get(row, "message").p)
		check_message(w, &x, row);
}

static void test_vectors(void **state)
{
	_cleanup_(base_buf_done) struct buf file =
		vectors_read("pkg/envelope/vectors/response.json");
	size_t at = 0;
	size_t n = 0;

	for (;; n++) {
		const struct str row = vectors_next(base_buf_str(&file), &at);
		if (!row.p)
			break;
		check_row(*state, row);
	}
	assert_int_equal(n, 4);
}

static void test_there_and_back(void **state)
{
	static char text[200000];
	struct world *w = *state;
	const struct envelope_exchange x = request(w, "request", 1);

	for (int mode = ENVELOPE_WHOLE; mode <= ENVELOPE_STREAM; mode++) {
		_cleanup_(base_buf_done) struct buf sealed = base_buf(MESSAGE_MAX);
		_cleanup_(base_buf_done) struct buf again = base_buf(MESSAGE_MAX);
		_cleanup_(base_buf_done) struct buf out = base_buf(MESSAGE_MAX);
		const struct str all = base_str_n(text, sizeof(text));
		assert_ok("seal", seal_answer(w, &x, (enum envelope_mode)mode, all, &sealed, err));
		assert_ok("open", open_answer(w, &x, base_buf_str(&sealed), &out, err));
		assert_true(base_str_eq(base_buf_str(&out), all));
		/* Two answers to one request have nothing in common. */
		assert_ok("seal", seal_answer(w, &x, (enum envelope_mode)mode, all, &again, err));
		assert_memory_not_equal(sealed.data + 400, again.data + 400, 1000);
	}
}

static void test_not_an_answer(void **state)
{
	struct world *w = *state;
	const struct envelope_exchange x = request(w, "request", 1);
	const struct envelope_exchange other = request(w, "another", 1);
	struct envelope_exchange forged = request(w, "request", 2);
	_cleanup_(base_buf_done) struct buf sealed = base_buf(MESSAGE_MAX);
	_cleanup_(base_buf_done) struct buf out = base_buf(MESSAGE_MAX);

	assert_ok("seal", seal_answer(w, &x, ENVELOPE_WHOLE, STR("yes"), &sealed, err));
	const struct str bytes = base_buf_str(&sealed);
	assert_class("of another request", ERR_TAMPERED, open_answer(w, &other, bytes, &out, err));
	assert_class(
		"under another secret", ERR_TAMPERED, open_answer(w, &forged, bytes, &out, err));
	base_assert(sealed.data);
	sealed.data[sealed.len - 1] ^= 1;
	assert_class("altered", ERR_TAMPERED, open_answer(w, &x, bytes, &out, err));
	struct envelope_header h = {.kind = ENVELOPE_EVENT};
	struct secret k;
	assert_class("no response", ERR_INVALID, envelope_response_secret(w->ctx, &x, &h, &k, err));
	h = (struct envelope_header){.kind = ENVELOPE_RESPONSE, .recipient_count = 1};
	assert_class(
		"with recipients", ERR_INVALID, envelope_response_secret(w->ctx, &x, &h, &k, err));
	h.recipient_count = 0;
	assert_class("without a parent", ERR_TAMPERED,
		envelope_response_secret(w->ctx, &x, &h, &k, err));
	assert_int_equal(out.len, 0);
}

/* Only responses may do without recipients. */
static void test_recipients(void **state)
{
	struct world *w = *state;
	const struct envelope_exchange x = request(w, "request", 1);
	_cleanup_(base_buf_done) struct buf out = base_buf(MESSAGE_MAX);
	struct envelope_header h = {.type = STR("a/b")};
	struct secret k;

	assert_ok("begin", envelope_response_begin(w->ctx, &x, &h, &k, err));
	assert_ok("response", envelope_header_encode(&h, &out, err));
	h.kind = ENVELOPE_REQUEST;
	assert_class("request", ERR_INVALID, envelope_header_encode(&h, &out, err));
	h.kind = ENVELOPE_EVENT;
	assert_class("event", ERR_INVALID, envelope_header_encode(&h, &out, err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_not_an_answer),
		cmocka_unit_test(test_recipients),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
