#include "pkg/envelope/sender.h"

#include "pkg/envelope/sender_test_world.h"

static int setup(void **state)
{
	static struct sender_world w;

	world_begin(&w);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	world_end(*state);
	return 0;
}

static void same(const struct envelope_sender_cert *a, const struct envelope_sender_cert *b)
{
	assert_true(base_str_eq(a->cluster, b->cluster));
	assert_true(base_str_eq(a->ns, b->ns));
	assert_true(base_str_eq(a->function, b->function));
	assert_true(base_str_eq(a->revision, b->revision));
	assert_true(base_str_eq(a->pod, b->pod));
	assert_memory_equal(a->uid, b->uid, sizeof(a->uid));
	assert_memory_equal(&a->key, &b->key, sizeof(a->key));
	assert_true(a->epoch == b->epoch && a->term == b->term);
	assert_true(a->nbf == b->nbf && a->exp == b->exp);
	assert_memory_equal(&a->issuer, &b->issuer, sizeof(a->issuer));
	assert_memory_equal(&a->signature, &b->signature, sizeof(a->signature));
}

static void certificates_go_round(void **state)
{
	struct sender_world *w = *state;
	_cleanup_(base_buf_done) struct buf again = base_buf(ENVELOPE_CERT_MAX);
	struct envelope_sender_cert c;

	assert_ok("parse", envelope_sender_cert_parse(base_buf_str(&w->bytes), &c, err));
	same(&c, &w->cert);
	assert_ok("again", envelope_sender_cert_encode(&c, &again, err));
	assert_true(base_str_eq(base_buf_str(&again), base_buf_str(&w->bytes)));
	assert_ok(
		"verify", envelope_sender_cert_verify(w->pre, &c, &w->leader_key, WORLD_NOW, err));
	assert_ok("any issuer", envelope_sender_cert_verify(w->pre, &c, NULL, WORLD_NOW, err));
	assert_true(w->bytes.len <= 320);
}

static void certificates_have_a_time(void **state)
{
	struct sender_world *w = *state;
	const int64_t skew = ENVELOPE_SENDER_SKEW_S;
	const struct {
		const char *name;
		int64_t when;
		bool good;
	} rows[] = {
		{"as it begins", w->cert.nbf, true},
		{"before, within the skew", w->cert.nbf - skew, true},
		{"too early", w->cert.nbf - skew - 1, false},
		{"as it ends", w->cert.exp, true},
		{"after, within the skew", w->cert.exp + skew, true},
		{"too late", w->cert.exp + skew + 1, false},
		{"at the beginning of time", 0, false},
		{"before it", -1, false},
		{"at its end", INT64_MAX, false},
	};
	struct envelope_sender_cert c;

	assert_ok("parse", envelope_sender_cert_parse(base_buf_str(&w->bytes), &c, err));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err why = {0};
		const int r =
			envelope_sender_cert_verify(w->pre, &c, &w->leader_key, rows[i].when, &why);
		if ((r == 0) != rows[i].good)
			fail_msg("%s", rows[i].name);
		if (r < 0)
			assert_int_equal(why.detail, ENVELOPE_REASON_SENDER_EXPIRED);
	}
	c.nbf = 0;
	c.exp = INT64_MAX;
	assert_ok("for ever", envelope_sender_cert_at(&c, INT64_MAX, err));
	assert_ok("from the beginning", envelope_sender_cert_at(&c, 0, err));
}

static void certificates_are_their_issuers(void **state)
{
	struct sender_world *w = *state;
	struct envelope_sender_cert c;
	struct err why = {0};

	assert_ok("parse", envelope_sender_cert_parse(base_buf_str(&w->bytes), &c, err));
	assert_true(envelope_sender_cert_verify(w->pre, &c, &w->other_key, WORLD_NOW, &why) < 0);
	assert_int_equal(why.detail, ENVELOPE_REASON_SENDER_CERTIFICATE);
	c.issuer = w->other_key;
	assert_true(envelope_sender_cert_verify(w->pre, &c, NULL, WORLD_NOW, &why) < 0);
	assert_int_equal(why.detail, ENVELOPE_REASON_SENDER_CERTIFICATE);
	c.body = STR_NULL;
	assert_class("not parsed", ERR_BUG,
		envelope_sender_cert_verify(w->pre, &c, NULL, WORLD_NOW, err));
}

/* Whatever changed: it is not taken, or does not verify. */
static void every_byte_of_a_certificate_counts(void **state)
{
	struct sender_world *w = *state;
	uint8_t copy[ENVELOPE_CERT_MAX];

	for (size_t bit = 0; bit < 8 * w->bytes.len; bit++) {
		struct envelope_sender_cert c;
		memcpy(copy, w->bytes.data, w->bytes.len);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (envelope_sender_cert_parse(base_str_n(copy, w->bytes.len), &c, NULL) == 0 &&
			envelope_sender_cert_verify(w->pre, &c, NULL, WORLD_NOW, NULL) == 0)
			fail_msg("bit %zu", bit);
	}
	for (size_t n = 0; n < w->bytes.len; n++) {
		struct envelope_sender_cert c;
		if (envelope_sender_cert_parse(base_str_n(w->bytes.data, n), &c, NULL) == 0)
			fail_msg("cut at %zu", n);
	}
}

static void high_s_is_refused(void **state)
{
	struct sender_world *w = *state;
	_cleanup_(base_buf_done) struct buf bytes = base_buf(ENVELOPE_CERT_MAX);
	/* n, the order of the curve. */
	static const uint8_t order[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
		0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
	struct envelope_sender_cert c = w->cert;
	struct err why = {0};
	int borrow = 0;

	for (size_t i = 32; i-- > 0;) {
		const int v = order[i] - c.signature.b[32 + i] - borrow;
		c.signature.b[32 + i] = (uint8_t)v;
		borrow = v < 0;
	}
	assert_ok("encode", envelope_sender_cert_encode(&c, &bytes, err));
	assert_ok("parse", envelope_sender_cert_parse(base_buf_str(&bytes), &c, err));
	assert_true(envelope_sender_cert_verify(w->pre, &c, NULL, WORLD_NOW, &why) < 0);
	assert_int_equal(why.detail, ENVELOPE_REASON_SENDER_CERTIFICATE);
}

static char long_text[300];

/* What no encoder writes, no decoder reads: see sender_fuzz.c for the second half. */
static void bounds_of_certificates(void **state)
{
	struct sender_world *w = *state;
	const struct envelope_sender_cert good = w->cert;
	memset(long_text, 'a', sizeof(long_text));
#define WITH(field, value)                             \
	({                                             \
		struct envelope_sender_cert c_ = good; \
		c_.field = (value);                    \
		c_;                                    \
	})
	const struct {
		const char *name;
		struct envelope_sender_cert c;
		int reason;
	} rows[] = {
		{"no cluster", WITH(cluster, STR_NULL), ENVELOPE_REASON_SHAPE},
		{"long cluster", WITH(cluster, base_str_n(long_text, 64)), ENVELOPE_REASON_SHAPE},
		{"long namespace", WITH(ns, base_str_n(long_text, 64)), ENVELOPE_REASON_SHAPE},
		{"slash", WITH(ns, STR("a/b")), ENVELOPE_REASON_SHAPE},
		{"line feed", WITH(function, STR("a\nb")), ENVELOPE_REASON_SHAPE},
		{"long function", WITH(function, base_str_n(long_text, 64)), ENVELOPE_REASON_SHAPE},
		{"no function", WITH(function, STR("")), ENVELOPE_REASON_SHAPE},
		{"upper case", WITH(revision, STR("R")), ENVELOPE_REASON_SHAPE},
		{"long revision", WITH(revision, base_str_n(long_text, 254)),
			ENVELOPE_REASON_SHAPE},
		{"long pod", WITH(pod, base_str_n(long_text, 254)), ENVELOPE_REASON_SHAPE},
		{"NUL", WITH(pod, STR("a\0b")), ENVELOPE_REASON_SHAPE},
		{"not ASCII", WITH(pod, STR("\xc3\xbc")), ENVELOPE_REASON_SHAPE},
		{"negative epoch", WITH(epoch, -1), ENVELOPE_REASON_SHAPE},
		{"negative term", WITH(term, INT64_MIN), ENVELOPE_REASON_SHAPE},
		{"negative begin", WITH(nbf, -1), ENVELOPE_REASON_SHAPE},
		{"ends first", WITH(exp, good.nbf - 1), ENVELOPE_REASON_SHAPE},
		{"no key", WITH(key, (struct pre_public_key){.b = {0}}), ENVELOPE_REASON_SHAPE},
		{"no issuer", WITH(issuer, (struct pre_public_key){.b = {4}}),
			ENVELOPE_REASON_SHAPE},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(base_buf_done) struct buf out = base_buf(2048);
		struct err why = {0};
		assert_ok("before", base_buf_add(&out, "x", 1, err));
		if (envelope_sender_cert_encode(&rows[i].c, &out, &why) == 0)
			fail_msg("%s: taken", rows[i].name);
		assert_int_equal(why.detail, rows[i].reason);
		assert_int_equal(out.len, 1);
	}
	struct envelope_sender_cert c = good;
	_cleanup_(base_buf_done) struct buf out = base_buf(2048);
	c.function = STR("Orders_2");
	c.pod = base_str_n(long_text, 253);
	c.ns = base_str_n(long_text, 63);
	c.revision = base_str_n(long_text, 52);
	c.epoch = c.term = c.nbf = c.exp = INT64_MAX;
	assert_ok("largest names of the API", envelope_sender_cert_encode(&c, &out, err));
	assert_ok("and read", envelope_sender_cert_parse(base_buf_str(&out), &c, err));
	struct err why = {0};
	c.revision = base_str_n(long_text, 253);
	assert_true(envelope_sender_cert_encode(&c, &out, &why) < 0);
	assert_int_equal(why.detail, ENVELOPE_REASON_SIZE);
}

static void parsers_refuse_other_bytes(void **state)
{
	struct sender_world *w = *state;
	_cleanup_(base_buf_done) struct buf out = base_buf(2048);
	struct envelope_sender_cert c;
	struct err why = {0};

	assert_ok("copy", base_buf_add_str(&out, base_buf_str(&w->bytes), err));
	assert_ok("more", base_buf_add(&out, "\0", 1, err));
	assert_true(envelope_sender_cert_parse(base_buf_str(&out), &c, &why) < 0);
	assert_int_equal(why.detail, ENVELOPE_REASON_TRAILING);
	assert_ok("much more", base_buf_add(&out, long_text, sizeof(long_text), err));
	assert_ok("much more", base_buf_add(&out, long_text, sizeof(long_text), err));
	assert_true(envelope_sender_cert_parse(base_buf_str(&out), &c, &why) < 0);
	assert_int_equal(why.detail, ENVELOPE_REASON_SIZE);
	/* The version: the first number of the body. */
	memcpy(out.data, w->bytes.data, w->bytes.len);
	out.len = w->bytes.len;
	assert_int_equal(out.data[4], 1);
	out.data[4] = 2;
	assert_true(envelope_sender_cert_parse(base_buf_str(&out), &c, &why) < 0);
	assert_int_equal(why.detail, ENVELOPE_REASON_VERSION);
}

static void signatures_are_bound_to_all_they_say(void **state)
{
	struct sender_world *w = *state;
	static const enum envelope_sender_level levels[] = {
		ENVELOPE_SENDER_ORIGIN, ENVELOPE_SENDER_MESSAGE};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		struct envelope_signing s = {
			.level = levels[i], .bound = {1}, .cert = {2}, .payload = {3}};
		const struct envelope_signing_bytes b = envelope_signing_bytes(&s);
		struct pre_signature sig;
		assert_ok(
			"sign", pre_sign_cose(w->pre, &w->sender, base_str_n(b.b, b.n), &sig, err));
		assert_ok("verify", envelope_signing_verify(w->pre, &w->sender_key, &s, &sig, err));
		assert_class("key", ERR_TAMPERED,
			envelope_signing_verify(w->pre, &w->other_key, &s, &sig, err));
		uint8_t *const parts[] = {s.bound, s.cert, s.payload};
		for (size_t p = 0; p < ARRAY_LEN(parts); p++)
			for (size_t at = 0; at < ENVELOPE_HASH_LEN; at++) {
				parts[p][at] ^= 0x80;
				assert_class("part", ERR_TAMPERED,
					envelope_signing_verify(
						w->pre, &w->sender_key, &s, &sig, err));
				parts[p][at] ^= 0x80;
			}
		s.level = levels[1 - i];
		assert_class("level", ERR_TAMPERED,
			envelope_signing_verify(w->pre, &w->sender_key, &s, &sig, err));
	}
}

static void verified_signatures_are_remembered(void **state)
{
	struct sender_world *w = *state;
	_cleanup_(envelope_verified_free) struct envelope_verified *v = NULL;
	uint8_t hashes[3][ENVELOPE_HASH_LEN] = {{1}, {2}, {1, 0, 0, 0, 0, 0, 0, 0, 9}};

	assert_class("none", ERR_INVALID, envelope_verified_new(&w->env, 0, &v, err));
	assert_class("too many", ERR_INVALID,
		envelope_verified_new(&w->env, ENVELOPE_VERIFIED_MAX + 1, &v, err));
	assert_ok("two", envelope_verified_new(&w->env, 2, &v, err));
	assert_false(envelope_verified_has(v, hashes[0]));
	envelope_verified_add(v, hashes[0]);
	envelope_verified_add(v, hashes[0]);
	assert_true(envelope_verified_has(v, hashes[0]));
	assert_false(envelope_verified_has(v, hashes[2]));
	envelope_verified_add(v, hashes[1]);
	assert_true(envelope_verified_has(v, hashes[0]));
	envelope_verified_add(v, hashes[2]);
	assert_false(envelope_verified_has(v, hashes[1]));
	assert_true(envelope_verified_has(v, hashes[0]));
	assert_true(envelope_verified_has(v, hashes[2]));
	const struct envelope_verified_stats s = envelope_verified_stats(v);
	assert_true(s.hits == 4 && s.misses == 3 && s.evicted == 1 && s.live == 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_go_round),
		cmocka_unit_test(certificates_have_a_time),
		cmocka_unit_test(certificates_are_their_issuers),
		cmocka_unit_test(every_byte_of_a_certificate_counts),
		cmocka_unit_test(high_s_is_refused),
		cmocka_unit_test(bounds_of_certificates),
		cmocka_unit_test(parsers_refuse_other_bytes),
		cmocka_unit_test(signatures_are_bound_to_all_they_say),
		cmocka_unit_test(verified_signatures_are_remembered),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
