/* Hostile messages and wrong use: what is changed, cut, put in another order or too large. */
#include "pkg/base/test.h"

#include "pkg/envelope/body_internal.h"
#include "pkg/envelope/open.h"
#include "pkg/envelope/seal.h"

#define OUT_MAX (2u << 20)

struct world {
	struct env env;
	struct envelope_context *ctx;
	struct pre_context *pre;
	struct secret sk;
	struct pre_fingerprint fp;
	struct envelope_target target;
};

static int setup(void **state)
{
	static struct world w;

	w.env = base_env_system();
	assert_ok("setup", envelope_context_new(&w.env, &w.ctx, err));
	assert_ok("setup", pre_context_new(&w.env, &w.pre, err));
	assert_ok("setup", pre_keygen(w.pre, &w.sk, &w.target.key, err));
	w.target.epoch = 3;
	w.target.name = STR("shop/orders-6c9f7d5b8");
	w.fp = pre_fingerprint(&w.target.key);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	w->ctx = envelope_context_free(w->ctx);
	w->pre = pre_context_free(w->pre);
	assert_int_equal(base_alloc_live(), 0);
	return 0;
}

static const struct envelope_header like = {.type = STR("application/json")};

static struct buf sealed_sample(struct world *w, struct str plaintext)
{
	struct buf out = base_buf(OUT_MAX);
	const struct envelope_targets to = {.v = &w->target, .n = 1};

	assert_ok("sample", envelope_seal(w->ctx, w->pre, &like, to, plaintext, &out, err));
	return out;
}

static int open_sample(struct world *w, struct str bytes, struct buf *out, struct err *err)
{
	const struct envelope_opening with = {
		.secret = &w->sk, .fp = &w->fp, .kinds = ENVELOPE_KINDS(EVENT)};

	return envelope_open(w->ctx, w->pre, &with, bytes, out, NULL, err);
}

static bool refusal(const struct err *err)
{
	return err->class == ERR_INVALID || err->class == ERR_TAMPERED ||
	       err->class == ERR_NO_KEY || err->class == ERR_TOO_LARGE;
}

static void every_bit_counts(void **state)
{
	struct world *w = *state;
	_cleanup_(base_buf_done) struct buf m = sealed_sample(w, STR("pay 10 to Alice"));
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);

	assert_ok("unchanged", open_sample(w, base_buf_str(&m), &out, err));
	assert_true(base_str_eq(base_buf_str(&out), STR("pay 10 to Alice")));
	base_buf_clear(&out);
	for (size_t bit = 0; bit < m.len * 8; bit++) {
		struct err why = {0};
		m.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (open_sample(w, base_buf_str(&m), &out, &why) == 0)
			fail_msg("bit %zu flipped: opened", bit);
		if (!refusal(&why) || why.detail == 0)
			fail_msg("bit %zu flipped: %s", bit, why.msg);
		m.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(out.len, 0);
}

static void every_byte_counts(void **state)
{
	struct world *w = *state;
	_cleanup_(base_buf_done) struct buf m = sealed_sample(w, STR("pay 10 to Alice"));
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	struct envelope_message whole;
	struct envelope_message part;

	assert_ok("whole", envelope_parse(base_buf_str(&m), &whole, err));
	for (size_t n = 0; n < m.len; n++) {
		const struct str cut = base_str_n(m.data, n);
		struct err why = {0};
		assert_class("cut", ERR_TAMPERED, open_sample(w, cut, &out, err));
		const int r = envelope_parse(cut, &part, &why);
		if (n < whole.body_at ? r != -(int)ERR_NOT_READY : r != 0)
			fail_msg("head of %zu bytes: %d %s", n, r, why.msg);
	}
	assert_int_equal(out.len, 0);
}

/* A stream of three segments, taken apart. */
struct stream {
	struct secret k;
	struct envelope_header header;
	struct buf bytes;
	struct buf plain;
	struct envelope_message m;
	struct str segments[3];
};

static void stream_done(struct stream *s)
{
	base_buf_done(&s->bytes);
	base_buf_done(&s->plain);
}
CLEANUP_DONE(struct stream, stream_done);

static void stream_make(struct world *w, struct stream *s, bool announce)
{
	_cleanup_(envelope_sealer_done) struct envelope_sealer sealer = {0};
	const size_t size = 2 * ENVELOPE_SEGMENT + 1000;
	uint8_t *p = NULL;

	s->plain = base_buf(OUT_MAX);
	s->bytes = base_buf(OUT_MAX);
	assert_ok("stream", base_buf_room(&s->plain, size, &p, err));
	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)(i % 251);
	base_buf_added(&s->plain, size);
	s->header = like;
	s->header.mode = ENVELOPE_STREAM;
	s->header.has_length = announce;
	s->header.length = size;
	s->header.recipient_count = 1;
	assert_ok("stream", envelope_secret_new(w->ctx, &s->k, err));
	assert_ok("stream",
		envelope_recipient_wrap(w->pre, &w->target, &s->k, &s->header.recipients[0], err));
	assert_ok("stream", envelope_header_fresh(w->ctx, &s->header, err));
	assert_ok("stream",
		envelope_sealer_begin(&sealer, w->ctx, &s->header, &s->k, &s->bytes, err));
	assert_ok("stream", envelope_sealer_add(&sealer, base_buf_str(&s->plain), &s->bytes, err));
	assert_ok("stream", envelope_sealer_end(&sealer, &s->bytes, err));
	const struct str all = base_buf_str(&s->bytes);
	assert_ok("stream", envelope_parse(all, &s->m, err));
	const size_t step = ENVELOPE_SEGMENT + ENVELOPE_TAG_LEN;
	for (size_t i = 0; i < ARRAY_LEN(s->segments); i++)
		s->segments[i] =
			base_str_sub(all, s->m.body_at + i * step, s->m.body_at + (i + 1) * step);
}

/* Feeds the bytes in chunks and gives the first failure; what came out before must be a beginning
 * of the plaintext. */
static int stream_open(
	struct world *w, const struct stream *s, struct str body, size_t chunk, struct err *why)
{
	_cleanup_(envelope_opener_done) struct envelope_opener o = {0};
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	int r = 0;

	assert_ok("open", envelope_opener_begin(&o, w->ctx, &s->m, &s->k, err));
	for (size_t at = 0; at < body.n && r == 0; at += chunk)
		r = envelope_opener_add(&o, base_str_sub(body, at, at + chunk), &out, why);
	if (r == 0)
		r = envelope_opener_end(&o, &out, why);
	if (r < 0)
		assert_class("dead", ERR_BUG, envelope_opener_end(&o, &out, err));
	assert_true(out.len <= s->plain.len);
	assert_memory_equal(out.data ? out.data : s->plain.data, s->plain.data, out.len);
	assert_true((r == 0) == (out.len == s->plain.len));
	return r;
}

struct order {
	const char *name;
	int parts[5]; /* indices of segments; -1 ends */
	size_t cut;   /* bytes taken from the end */
	enum envelope_reason reason;
};

static void segments_have_one_order(void **state)
{
	static const struct order rows[] = {
		{"as sealed", {0, 1, 2, -1}, 0, ENVELOPE_REASON_NONE},
		{"nothing", {-1}, 0, ENVELOPE_REASON_TRUNCATED},
		{"swapped", {1, 0, 2, -1}, 0, ENVELOPE_REASON_BODY},
		{"last first", {2, 0, 1, -1}, 0, ENVELOPE_REASON_BODY},
		{"first missing", {1, 2, -1}, 0, ENVELOPE_REASON_BODY},
		{"middle missing", {0, 2, -1}, 0, ENVELOPE_REASON_BODY},
		{"last missing", {0, 1, -1}, 0, ENVELOPE_REASON_BODY},
		{"only first", {0, -1}, 0, ENVELOPE_REASON_BODY},
		{"first twice", {0, 0, 1, 2, -1}, 0, ENVELOPE_REASON_BODY},
		{"last twice", {0, 1, 2, 2, -1}, 0, ENVELOPE_REASON_BODY},
		{"data after last", {0, 1, 2, 0, -1}, 0, ENVELOPE_REASON_BODY},
		{"last byte missing", {0, 1, 2, -1}, 1, ENVELOPE_REASON_BODY},
		{"tag only", {0, 1, 2, -1}, 1000, ENVELOPE_REASON_TRUNCATED},
		{"cut in the last tag", {0, 1, 2, -1}, 1001, ENVELOPE_REASON_TRUNCATED},
		{"cut behind a segment", {0, 1, -1}, 65552, ENVELOPE_REASON_BODY},
	};
	static const size_t chunks[] = {777, 65536, 65552, 65553, OUT_MAX};
	struct world *w = *state;

	for (size_t i = 0; i < 2 * ARRAY_LEN(rows) * ARRAY_LEN(chunks); i++) {
		const struct order *row = &rows[i / 2 % ARRAY_LEN(rows)];
		_cleanup_(stream_done) struct stream s = {0};
		_cleanup_(base_buf_done) struct buf body = base_buf(OUT_MAX);
		struct err why = {0};
		stream_make(w, &s, i % 2 == 1);
		for (const int *part = row->parts; *part >= 0; part++)
			assert_ok(row->name, base_buf_add_str(&body, s.segments[*part], err));
		const struct str bytes = base_str_n(body.data, body.len - row->cut);
		const int r = stream_open(w, &s, bytes, chunks[i / 2 / ARRAY_LEN(rows)], &why);
		if (r < 0 ? why.detail != (int)row->reason : row->reason != ENVELOPE_REASON_NONE)
			fail_msg("%s, chunks of %zu: %s", row->name,
				chunks[i / 2 / ARRAY_LEN(rows)], why.msg);
	}
}

static void segments_verify(void **state)
{
	struct world *w = *state;
	_cleanup_(stream_done) struct stream s = {0};
	struct err why = {0};

	stream_make(w, &s, true);
	for (size_t at = s.m.body_at; at < s.bytes.len; at += 9973) {
		const struct str body = base_str_sub(base_buf_str(&s.bytes), s.m.body_at, OUT_MAX);
		s.bytes.data[at] ^= 0x10;
		assert_int_equal(stream_open(w, &s, body, 100000, &why), -(int)ERR_TAMPERED);
		assert_int_equal(why.detail, ENVELOPE_REASON_BODY);
		s.bytes.data[at] ^= 0x10;
	}
	/* Another message under the same k has other segments. */
	_cleanup_(stream_done) struct stream other = {0};
	stream_make(w, &other, true);
	other.k = s.k;
	assert_class("foreign header", ERR_TAMPERED,
		stream_open(w, &s, other.segments[0], OUT_MAX, err));
}

static void wrong_secrets_are_refused_first(void **state)
{
	struct world *w = *state;
	_cleanup_(envelope_opener_done) struct envelope_opener o = {0};
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	_cleanup_(stream_done) struct stream s = {0};
	struct secret wrong = {.b = {1}};
	struct err why = {0};

	stream_make(w, &s, false);
	assert_ok("right", envelope_commit_check(w->ctx, &s.m, &s.k, err));
	assert_class("check", ERR_TAMPERED, envelope_commit_check(w->ctx, &s.m, &wrong, err));
	assert_true(envelope_opener_begin(&o, w->ctx, &s.m, &wrong, &why) < 0);
	assert_int_equal(why.detail, ENVELOPE_REASON_COMMITMENT);
	assert_null(o.cipher);
	assert_class("body", ERR_TAMPERED,
		envelope_body_open(w->ctx, &s.m, &wrong, s.segments[0], &out, err));
	s.m.header.sender = ENVELOPE_SENDER_ORIGIN;
	assert_class("level", ERR_INVALID, envelope_opener_begin(&o, w->ctx, &s.m, &s.k, err));
	assert_class("level", ERR_INVALID,
		envelope_body_open(w->ctx, &s.m, &s.k, s.segments[0], &out, err));
	assert_int_equal(out.len, 0);
}

static void lengths_are_kept(void **state)
{
	static const struct {
		const char *name;
		enum envelope_mode mode;
		uint64_t length;
		size_t bytes;
	} rows[] = {
		{"whole, fewer", ENVELOPE_WHOLE, 6, 5},
		{"whole, more", ENVELOPE_WHOLE, 4, 5},
		{"stream, fewer", ENVELOPE_STREAM, 70000, 69999},
		{"stream, more", ENVELOPE_STREAM, 70000, 70001},
		{"stream, nothing", ENVELOPE_STREAM, 1, 0},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(envelope_sealer_done) struct envelope_sealer s = {0};
		_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
		_cleanup_(stream_done) struct stream any = {0};
		struct err why = {0};
		stream_make(w, &any, false);
		struct envelope_header h = any.header;
		h.mode = rows[i].mode;
		h.has_length = true;
		h.length = rows[i].length;
		assert_ok(rows[i].name, envelope_sealer_begin(&s, w->ctx, &h, &any.k, &out, err));
		int r = envelope_sealer_add(
			&s, base_str_n(any.plain.data, rows[i].bytes), &out, &why);
		if (r == 0)
			r = envelope_sealer_end(&s, &out, &why);
		assert_int_equal(r, -(int)ERR_INVALID);
		assert_int_equal(why.detail, ENVELOPE_REASON_LENGTH);
		assert_class(rows[i].name, ERR_BUG, envelope_sealer_add(&s, STR("x"), &out, err));
		assert_class(rows[i].name, ERR_BUG, envelope_sealer_end(&s, &out, err));
	}
}

/* A sender that lies about the length: never more comes out than was announced. */
static void openers_do_not_exceed_the_length(void **state)
{
	static const struct {
		uint64_t length;
		size_t released;
	} rows[] = {
		{0, 0},
		{65535, 0},
		{65536, 65536},
		{131072 + 999, 131072},
		{131072 + 1001, 131072 + 1000},
		{1 << 20, 131072 + 1000},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(envelope_opener_done) struct envelope_opener o = {0};
		_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
		_cleanup_(stream_done) struct stream s = {0};
		struct err why = {0};
		stream_make(w, &s, false);
		s.m.header.has_length = true;
		s.m.header.length = rows[i].length;
		assert_ok("begin", envelope_opener_begin(&o, w->ctx, &s.m, &s.k, err));
		int r = envelope_opener_add(
			&o, base_str_sub(base_buf_str(&s.bytes), s.m.body_at, OUT_MAX), &out, &why);
		if (r == 0)
			r = envelope_opener_end(&o, &out, &why);
		assert_true(r == -(int)ERR_INVALID || r == -(int)ERR_TAMPERED);
		assert_int_equal(out.len, rows[i].released);
		assert_memory_equal(out.data ? out.data : s.plain.data, s.plain.data, out.len);
	}
}

static void limits_are_kept(void **state)
{
	struct world *w = *state;
	_cleanup_(envelope_sealer_done) struct envelope_sealer s = {0};
	_cleanup_(envelope_opener_done) struct envelope_opener o = {0};
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	_cleanup_(base_buf_done) struct buf small = base_buf(500);
	_cleanup_(stream_done) struct stream any = {0};
	const struct envelope_targets to = {.v = &w->target, .n = 1};

	stream_make(w, &any, false);
	assert_ok("begin", envelope_sealer_begin(&s, w->ctx, &any.header, &any.k, &out, err));
	s.counter = ENVELOPE_SEGMENTS_MAX;
	assert_class("segments", ERR_TOO_LARGE,
		envelope_sealer_add(&s, base_buf_str(&any.plain), &out, err));
	assert_ok("begin", envelope_opener_begin(&o, w->ctx, &any.m, &any.k, err));
	o.counter = ENVELOPE_SEGMENTS_MAX;
	assert_class("segments", ERR_TOO_LARGE,
		envelope_opener_add(&o, base_str_n(any.segments[0].p, (size_t)2 * ENVELOPE_SEGMENT),
			&out, err));
	assert_ok("room", base_buf_add_str(&small, STR("before"), err));
	assert_class("room", ERR_TOO_LARGE,
		envelope_seal(
			w->ctx, w->pre, &like, to, base_str_n(any.plain.data, 200), &small, err));
	assert_true(base_str_eq(base_buf_str(&small), STR("before")));
	struct envelope_header h = any.header;
	h.mode = ENVELOPE_WHOLE;
	assert_class(
		"no length", ERR_INVALID, envelope_sealer_begin(&s, w->ctx, &h, &any.k, &out, err));
	assert_class("mode", ERR_INVALID,
		envelope_body_seal(w->ctx, &any.header, &any.k, STR("x"), &out, err));
	assert_class("1 MiB", ERR_TOO_LARGE,
		envelope_body_seal(w->ctx, &h, &any.k,
			base_str_n(any.plain.data, ENVELOPE_WHOLE_MAX + 1), &out, err));
	h.has_length = true;
	h.length = 2;
	assert_class(
		"length", ERR_INVALID, envelope_body_seal(w->ctx, &h, &any.k, STR("x"), &out, err));
}

static void targets_are_checked(void **state)
{
	struct world *w = *state;
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	struct envelope_target many[ENVELOPE_RECIPIENTS_MAX + 1];
	const struct envelope_target bad = {.key = w->target.key, .name = STR("no-slash")};

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = w->target;
	assert_class("none", ERR_INVALID,
		envelope_seal(w->ctx, w->pre, &like, (struct envelope_targets){.v = many, .n = 0},
			STR("x"), &out, err));
	assert_class("twice", ERR_INVALID,
		envelope_seal(w->ctx, w->pre, &like, (struct envelope_targets){.v = many, .n = 2},
			STR("x"), &out, err));
	assert_class("17", ERR_TOO_LARGE,
		envelope_seal(w->ctx, w->pre, &like,
			(struct envelope_targets){.v = many, .n = ARRAY_LEN(many)}, STR("x"), &out,
			err));
	assert_class("name", ERR_INVALID,
		envelope_seal(w->ctx, w->pre, &like, (struct envelope_targets){.v = &bad, .n = 1},
			STR("x"), &out, err));
	assert_int_equal(out.len, 0);
}

static void whole_openers_take_exactly_the_body(void **state)
{
	struct world *w = *state;
	_cleanup_(base_buf_done) struct buf m = sealed_sample(w, STR("pay 10 to Alice"));
	struct envelope_message parsed;
	struct secret k;

	assert_ok("parse", envelope_parse(base_buf_str(&m), &parsed, err));
	assert_ok("unwrap",
		envelope_recipient_unwrap(w->pre, &w->sk, &parsed.header.recipients[0], &k, err));
	for (size_t cut = 0; cut <= parsed.body_len + 1; cut++) {
		_cleanup_(envelope_opener_done) struct envelope_opener o = {0};
		_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
		struct err why = {0};
		/* The NUL behind a buffer is the byte too much. */
		const struct str body = base_str_n(m.data + parsed.body_at, cut);
		assert_ok("begin", envelope_opener_begin(&o, w->ctx, &parsed, &k, err));
		int r = 0;
		for (size_t i = 0; i < body.n && r == 0; i++)
			r = envelope_opener_add(&o, base_str_sub(body, i, i + 1), &out, &why);
		if (r == 0 && out.len > 0)
			fail_msg("%zu bytes: plaintext before its tag", cut);
		if (r == 0)
			r = envelope_opener_end(&o, &out, &why);
		const enum envelope_reason want = cut < parsed.body_len ? ENVELOPE_REASON_TRUNCATED
						  : cut > parsed.body_len ? ENVELOPE_REASON_TRAILING
									  : ENVELOPE_REASON_NONE;
		assert_int_equal(why.detail, want);
		assert_int_equal(out.len, r == 0 ? parsed.body_len - ENVELOPE_TAG_LEN : 0);
	}
}

static void no_randomness_no_message(void **state)
{
	struct env_fake fake = {.fail_after = 1};
	const struct env env = base_env_fake(&fake);
	_cleanup_(envelope_context_free) struct envelope_context *ctx = NULL;
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	struct world *w = *state;
	struct envelope_header h = {0};
	struct secret k;

	assert_ok("context", envelope_context_new(&env, &ctx, err));
	assert_class("fresh", ERR_TERMINAL, envelope_header_fresh(ctx, &h, err));
	fake.fail_after = 1;
	assert_class("secret", ERR_TERMINAL, envelope_secret_new(ctx, &k, err));
	for (int n = 1; n <= 2; n++) {
		fake.fail_after = n;
		assert_class("seal", ERR_TERMINAL,
			envelope_seal(ctx, w->pre, &like,
				(struct envelope_targets){.v = &w->target, .n = 1}, STR("x"), &out,
				err));
	}
	assert_int_equal(out.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(every_byte_counts),
		cmocka_unit_test(segments_have_one_order),
		cmocka_unit_test(segments_verify),
		cmocka_unit_test(wrong_secrets_are_refused_first),
		cmocka_unit_test(lengths_are_kept),
		cmocka_unit_test(openers_do_not_exceed_the_length),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(targets_are_checked),
		cmocka_unit_test(whole_openers_take_exactly_the_body),
		cmocka_unit_test(no_randomness_no_message),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
