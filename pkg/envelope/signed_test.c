/* Messages of every sender level that are as they should be, and callers that are not. Hostile
 * messages: signed_hostile_test.c. */
#include "pkg/envelope/sender_test_world.h"

#define TEXT_MAX (1u << 20)
#define OUT_MAX  (TEXT_MAX + 65536u)

static uint8_t text[TEXT_MAX];
static const struct secret key = {{5}};

static int setup(void **state)
{
	static struct sender_world w;

	world_begin(&w);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(31 * i + 7 * (i >> 8) + 1);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_end(*state);
	return 0;
}

struct form {
	const char *name;
	enum envelope_sender_level level;
	enum envelope_mode mode;
	bool has_length;
};

static const struct form forms[] = {
	{"none, whole", ENVELOPE_SENDER_NONE, ENVELOPE_WHOLE, true},
	{"none, stream", ENVELOPE_SENDER_NONE, ENVELOPE_STREAM, false},
	{"none, announced stream", ENVELOPE_SENDER_NONE, ENVELOPE_STREAM, true},
	{"origin, whole", ENVELOPE_SENDER_ORIGIN, ENVELOPE_WHOLE, true},
	{"origin, stream", ENVELOPE_SENDER_ORIGIN, ENVELOPE_STREAM, false},
	{"origin, announced stream", ENVELOPE_SENDER_ORIGIN, ENVELOPE_STREAM, true},
	{"message, whole", ENVELOPE_SENDER_MESSAGE, ENVELOPE_WHOLE, true},
	{"message, stream", ENVELOPE_SENDER_MESSAGE, ENVELOPE_STREAM, false},
	{"message, announced stream", ENVELOPE_SENDER_MESSAGE, ENVELOPE_STREAM, true},
};

/* A segment's end before, in and behind the tail, and around a whole body's largest. */
static const size_t sizes[] = {0, 1, 78, 79, 80, 1000, 64900, 65000, 65060, 65080, 65100, 65120,
	65140, 65160, 65180, 65200, 65457, 65535, 65536, 65537, 131072, 200000, TEXT_MAX - 1,
	TEXT_MAX};

static void check_result(struct sender_world *w, const struct form *f,
	const struct envelope_signed_opener *o, size_t n)
{
	struct envelope_sender_cert c;
	uint64_t length = 0;

	assert_int_equal(envelope_signed_opener_level(o), f->level);
	if (envelope_signed_opener_cert(o, &c) != (f->level != ENVELOPE_SENDER_NONE))
		fail_msg("%s: certificate", f->name);
	if (f->level != ENVELOPE_SENDER_NONE) {
		assert_true(base_str_eq(c.pod, w->cert.pod));
		assert_memory_equal(&c.issuer, &w->leader_key, sizeof(c.issuer));
	}
	const bool known = f->has_length;
	if (envelope_signed_opener_length(o, &length) != known || (known && length != n))
		fail_msg("%s: length %llu of %zu", f->name, (unsigned long long)length, n);
}

static void round_trip(struct sender_world *w, const struct form *f, size_t n, size_t chunk)
{
	_cleanup_(base_buf_done) struct buf sealed = base_buf(OUT_MAX + 8192);
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {0};
	const struct envelope_sender_check check = {
		.ctx = w->ctx, .pre = w->pre, .minimum = f->level};
	struct envelope_header h = world_header(f->level, f->mode);

	h.has_length = f->has_length;
	h.length = h.has_length ? n : 0;
	world_seal(w, h, &key, base_str_n(text, n), chunk, &sealed);
	assert_ok(f->name, world_open(&check, &key, base_buf_str(&sealed), chunk, &o, &out, err));
	if (!base_str_eq(base_buf_str(&out), base_str_n(text, n)))
		fail_msg("%s: %zu bytes became %zu others", f->name, n, out.len);
	check_result(w, f, &o, n);
}

static void every_level_goes_round(void **state)
{
	static const size_t chunks[] = {1000, 65536, 65552, OUT_MAX};

	for (size_t f = 0; f < ARRAY_LEN(forms); f++)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
			for (size_t c = 0; c < ARRAY_LEN(chunks); c++)
				if (sizes[i] < 100000 || c % 2 == 1)
					round_trip(*state, &forms[f], sizes[i], chunks[c]);
	for (size_t f = 0; f < ARRAY_LEN(forms); f++)
		round_trip(*state, &forms[f], 300, 1);
}

/* Who has no certificate sends what body.h makes. */
static void level_none_is_as_it_was(void **state)
{
	struct sender_world *w = *state;
	static const enum envelope_mode modes[] = {ENVELOPE_WHOLE, ENVELOPE_STREAM};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		_cleanup_(base_buf_done) struct buf plain = base_buf(OUT_MAX);
		_cleanup_(base_buf_done) struct buf other = base_buf(OUT_MAX);
		_cleanup_(envelope_sealer_done) struct envelope_sealer s = {0};
		struct envelope_header h = world_header(ENVELOPE_SENDER_NONE, modes[i]);
		h.has_length = true;
		h.length = 1000;
		world_seal(w, h, &key, base_str_n(text, 1000), 1000, &other);
		assert_ok("begin", envelope_sealer_begin(&s, w->ctx, &h, &key, &plain, err));
		assert_ok("add", envelope_sealer_add(&s, base_str_n(text, 1000), &plain, err));
		assert_ok("end", envelope_sealer_end(&s, &plain, err));
		assert_true(base_str_eq(base_buf_str(&plain), base_buf_str(&other)));
	}
}

/* Whoever reserves room, or writes down what it costs, relies on it. */
static void sizes_that_a_sender_adds(void **state)
{
	struct sender_world *w = *state;
	const size_t cert = w->bytes.len;

	assert_int_equal(cert, 260); /* docs/adr/0011 */
	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		const struct envelope_header h = world_header(forms[f].level, forms[f].mode);
		const bool message = h.sender == ENVELOPE_SENDER_MESSAGE;
		const size_t origin =
			h.sender == ENVELOPE_SENDER_ORIGIN || h.mode == ENVELOPE_STREAM ? 80 : 0;
		const size_t want =
			h.sender == ENVELOPE_SENDER_NONE ? 0 : cert + origin + (message ? 79 : 0);
		assert_int_equal(envelope_sender_overhead(&h, cert), want);
	}
}

/* Nothing of a whole message leaves before its end, nothing of a stream before its origin. */
static void plaintext_leaves_when_it_may(void **state)
{
	struct sender_world *w = *state;

	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		_cleanup_(base_buf_done) struct buf sealed = base_buf(OUT_MAX);
		_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
		_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {0};
		const struct envelope_sender_check check = {.ctx = w->ctx, .pre = w->pre};
		struct envelope_header h = world_header(forms[f].level, forms[f].mode);
		struct envelope_message m;
		h.has_length = forms[f].has_length;
		h.length = h.has_length ? 200000 : 0;
		world_seal(w, h, &key, base_str_n(text, 200000), OUT_MAX, &sealed);
		assert_ok("parse", envelope_parse(base_buf_str(&sealed), &m, err));
		assert_ok("begin", envelope_signed_opener_begin(&o, &check, &m, &key, err));
		const struct str body = base_str_sub(base_buf_str(&sealed), m.body_at, sealed.len);
		assert_ok("some",
			envelope_signed_opener_add(&o, base_str_sub(body, 0, 65000), &out, err));
		assert_int_equal(out.len, 0);
		assert_int_equal(envelope_signed_opener_level(&o), ENVELOPE_SENDER_NONE);
		assert_ok("most", envelope_signed_opener_add(
					  &o, base_str_sub(body, 65000, body.n - 1), &out, err));
		if ((out.len > 0) != (h.mode == ENVELOPE_STREAM))
			fail_msg("%s: %zu bytes", forms[f].name, out.len);
		assert_int_equal(envelope_signed_opener_level(&o),
			h.mode == ENVELOPE_STREAM && h.sender > 0 ? ENVELOPE_SENDER_ORIGIN
								  : ENVELOPE_SENDER_NONE);
		assert_ok("last", envelope_signed_opener_add(
					  &o, base_str_sub(body, body.n - 1, body.n), &out, err));
		assert_ok("end", envelope_signed_opener_end(&o, &out, err));
		assert_int_equal(out.len, 200000);
	}
}

static void receivers_ask_for_a_level(void **state)
{
	struct sender_world *w = *state;

	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		_cleanup_(base_buf_done) struct buf sealed = base_buf(OUT_MAX);
		struct envelope_header h = world_header(forms[f].level, forms[f].mode);
		h.has_length = true;
		h.length = 9;
		world_seal(w, h, &key, base_str_n(text, 9), 9, &sealed);
		for (unsigned least = 0; least < ENVELOPE_SENDER_COUNT; least++) {
			_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
			_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {
				0};
			const struct envelope_sender_check check = {.ctx = w->ctx,
				.pre = w->pre,
				.minimum = (enum envelope_sender_level)least};
			struct err why = {0};
			const int r = world_open(
				&check, &key, base_buf_str(&sealed), OUT_MAX, &o, &out, &why);
			if ((r == 0) != (forms[f].level >= least))
				fail_msg("%s for %u", forms[f].name, least);
			if (r < 0)
				assert_int_equal(why.detail, ENVELOPE_REASON_SENDER_REQUIRED);
		}
	}
}

/* With a memory, certificates and origins are verified once; times are looked at always. */
static void signatures_are_verified_once(void **state)
{
	struct sender_world *w = *state;
	_cleanup_(envelope_verified_free) struct envelope_verified *v = NULL;
	struct envelope_header h = world_header(ENVELOPE_SENDER_ORIGIN, ENVELOPE_STREAM);
	const struct {
		enum envelope_sender_level level;
		uint64_t iat;
		uint64_t hits, misses;
		int reason;
	} rows[] = {
		{ENVELOPE_SENDER_ORIGIN, WORLD_NOW, 0, 2, 0},
		{ENVELOPE_SENDER_ORIGIN, WORLD_NOW + 1, 2, 2, 0}, /* a window is one for all ids */
		{ENVELOPE_SENDER_MESSAGE, WORLD_NOW, 4, 2, 0},
		{ENVELOPE_SENDER_ORIGIN, WORLD_NOW + 4000, 5, 2, ENVELOPE_REASON_SENDER_EXPIRED},
		{ENVELOPE_SENDER_ORIGIN, WORLD_NOW - 4000, 6, 2, ENVELOPE_REASON_SENDER_EXPIRED},
		{ENVELOPE_SENDER_ORIGIN, UINT64_MAX, 7, 2, ENVELOPE_REASON_SENDER_EXPIRED},
	};
	const struct pre_signature origin = world_origin(w, &h, &key);

	assert_ok("set", envelope_verified_new(&w->env, 8, &v, err));
	const struct envelope_sender_check check = {.ctx = w->ctx, .pre = w->pre, .verified = v};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf sealed = base_buf(OUT_MAX);
		_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
		_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {0};
		_cleanup_(envelope_signed_sealer_done) struct envelope_signed_sealer s = {0};
		const struct envelope_credentials with = {
			.cert = base_buf_str(&w->bytes), .origin = &origin};
		struct envelope_signing signing;
		struct pre_signature signature;
		struct err why = {0};
		const bool message = rows[i].level == ENVELOPE_SENDER_MESSAGE;
		h.sender = rows[i].level;
		h.iat = rows[i].iat;
		assert_ok("begin",
			envelope_signed_sealer_begin(&s, w->ctx, &h, &key, &with, &sealed, err));
		if (message) {
			assert_ok("ask", envelope_signed_sealer_signing(&s, &signing, err));
			signature = world_sign(w, &w->sender, &signing);
		}
		assert_ok("end",
			envelope_signed_sealer_end(&s, message ? &signature : NULL, &sealed, err));
		(void)world_open(&check, &key, base_buf_str(&sealed), OUT_MAX, &o, &out, &why);
		assert_int_equal(why.detail, rows[i].reason);
		const struct envelope_verified_stats stats = envelope_verified_stats(v);
		if (stats.hits != rows[i].hits || stats.misses != rows[i].misses)
			fail_msg("row %zu: %llu hits, %llu misses", i,
				(unsigned long long)stats.hits, (unsigned long long)stats.misses);
	}
}

static void callers_that_do_it_wrong(void **state)
{
	struct sender_world *w = *state;
	const struct pre_signature origin = {.b = {1}};
	const struct str cert = base_buf_str(&w->bytes);
	const struct {
		const char *name;
		enum envelope_sender_level level;
		enum envelope_mode mode;
		struct envelope_credentials with;
		bool has_length;
		uint64_t length;
		int reason;
	} rows[] = {
		{"no certificate", 1, ENVELOPE_STREAM, {STR_NULL, &origin}, false, 0,
			ENVELOPE_REASON_CBOR},
		{"half of one", 1, ENVELOPE_STREAM, {base_str_n(cert.p, cert.n / 2), &origin},
			false, 0, ENVELOPE_REASON_CBOR},
		{"no origin", 1, ENVELOPE_STREAM, {cert, NULL}, false, 0, ENVELOPE_REASON_SHAPE},
		{"no origin of a stream", 2, ENVELOPE_STREAM, {cert, NULL}, false, 0,
			ENVELOPE_REASON_SHAPE},
		{"an origin too much", 2, ENVELOPE_WHOLE, {cert, &origin}, true, 1000,
			ENVELOPE_REASON_SHAPE},
		{"a whole body without length", 2, ENVELOPE_WHOLE, {cert, NULL}, false, 0,
			ENVELOPE_REASON_SHAPE},
		{"a length without the sender", 1, ENVELOPE_WHOLE, {cert, &origin}, true,
			cert.n + 79, ENVELOPE_REASON_LENGTH},
		{"a whole body too large", 1, ENVELOPE_WHOLE, {cert, &origin}, true,
			cert.n + 80 + TEXT_MAX + 1, ENVELOPE_REASON_SIZE},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
		_cleanup_(envelope_signed_sealer_done) struct envelope_signed_sealer s = {0};
		struct envelope_header h = world_header(rows[i].level, rows[i].mode);
		struct err why = {0};
		h.has_length = rows[i].has_length;
		h.length = rows[i].length;
		assert_ok("before", base_buf_add(&out, "x", 1, err));
		if (envelope_signed_sealer_begin(&s, w->ctx, &h, &key, &rows[i].with, &out, &why) >=
			0)
			fail_msg("%s: taken", rows[i].name);
		if (why.detail != rows[i].reason)
			fail_msg("%s: %s", rows[i].name, why.msg);
		assert_int_equal(out.len, 1);
	}
}

/* The steps in an order that is none. */
static void steps_have_an_order(void **state)
{
	struct sender_world *w = *state;
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	_cleanup_(envelope_signed_sealer_done) struct envelope_signed_sealer s = {0};
	struct envelope_header h = world_header(ENVELOPE_SENDER_MESSAGE, ENVELOPE_WHOLE);
	const struct envelope_credentials with = {.cert = base_buf_str(&w->bytes)};
	struct envelope_signing signing;
	const struct pre_signature sig = {.b = {1}};

	h.has_length = true;
	h.length = 10 + envelope_sender_overhead(&h, w->bytes.len);
	assert_class("not begun", ERR_BUG, envelope_signed_sealer_signing(&s, &signing, err));
	assert_class("no sender", ERR_INVALID,
		envelope_signed_sealer_begin(&s, w->ctx, &h, &key, NULL, &out, err));
	assert_ok("begin", envelope_signed_sealer_begin(&s, w->ctx, &h, &key, &with, &out, err));
	assert_ok("add", envelope_signed_sealer_add(&s, base_str_n(text, 9), &out, err));
	assert_class("too few", ERR_INVALID, envelope_signed_sealer_signing(&s, &signing, err));
	assert_class("not asked", ERR_BUG, envelope_signed_sealer_end(&s, &sig, &out, err));
	assert_ok("add", envelope_signed_sealer_add(&s, base_str_n(text, 1), &out, err));
	assert_ok("ask", envelope_signed_sealer_signing(&s, &signing, err));
	assert_class("twice", ERR_BUG, envelope_signed_sealer_signing(&s, &signing, err));
	assert_class("add later", ERR_BUG,
		envelope_signed_sealer_add(&s, base_str_n(text, 1), &out, err));
	assert_class("unsigned", ERR_BUG, envelope_signed_sealer_end(&s, NULL, &out, err));
	assert_ok("end", envelope_signed_sealer_end(&s, &sig, &out, err));
	envelope_signed_sealer_done(&s);
	envelope_signed_sealer_done(&s);
	envelope_signed_sealer_done(NULL);

	h = world_header(ENVELOPE_SENDER_NONE, ENVELOPE_STREAM);
	assert_ok("begin", envelope_signed_sealer_begin(&s, w->ctx, &h, &key, NULL, &out, err));
	assert_class("none", ERR_BUG, envelope_signed_sealer_signing(&s, &signing, err));
	assert_class("signed none", ERR_BUG, envelope_signed_sealer_end(&s, &sig, &out, err));
	assert_ok("end", envelope_signed_sealer_end(&s, NULL, &out, err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_level_goes_round),
		cmocka_unit_test(level_none_is_as_it_was),
		cmocka_unit_test(sizes_that_a_sender_adds),
		cmocka_unit_test(plaintext_leaves_when_it_may),
		cmocka_unit_test(receivers_ask_for_a_level),
		cmocka_unit_test(signatures_are_verified_once),
		cmocka_unit_test(callers_that_do_it_wrong),
		cmocka_unit_test(steps_have_an_order),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
