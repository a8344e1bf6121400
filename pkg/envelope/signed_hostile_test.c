/* Messages by who has k and should not be believed (another recipient, a captured replica), and by
 * who has nothing (a carrier): what they make is refused, with the reason. */
#include "pkg/envelope/sender_test_parts.h"

static const struct secret other_key = {{6}};

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

/* -- what an insider changes -- */

typedef void change(struct sender_world *w, struct parts *p);

static void nothing(struct sender_world *w, struct parts *p)
{
	(void)w;
	(void)p;
}

static void new_id(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.id[3] ^= 1;
}

static void new_time(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.iat++;
}

static void new_type(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.type = STR("text/plain");
}

static void new_kind(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.kind = ENVELOPE_REQUEST;
}

static void new_recipient(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.recipients[1].fp.b[0] = 9;
}

static void fewer_recipients(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.recipient_count = 1;
}

static void new_capsule(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.recipients[0].capsule[50] ^= 1;
}

static void new_wrap(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.recipients[0].wrapped[50] ^= 1;
}

static void new_epoch(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.recipients[0].epoch++;
}

static void new_name(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.recipients[0].name = STR("shop/billing-2");
}

static void new_secret(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->k = other_key;
}

static void new_text(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->text = STR("pay 9 to Bob");
}

static void no_text(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->text = STR_NULL;
}

static void more_text(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->text = STR("pay 5 to Bob, and 9");
}

/* His own certificate, but he cannot make the key in it sign. */
static void not_his_certificate(struct sender_world *w, struct parts *p)
{
	sign_tail(w, p, &w->other);
	sign_origin(w, p, &w->other);
}

/* A certificate of his own around another's signatures. */
static void his_certificate(struct sender_world *w, struct parts *p)
{
	p->cert.key = w->other_key;
	issue(w, p, &w->leader);
}

/* The same key in a newer certificate: signatures name the certificate that they were made with. */
static void renewed_certificate(struct sender_world *w, struct parts *p)
{
	p->cert.exp++;
	issue(w, p, &w->leader);
}

static void forged_certificate(struct sender_world *w, struct parts *p)
{
	p->cert.key = w->other_key;
	issue(w, p, &w->other);
	sign_tail(w, p, &w->other);
	sign_origin(w, p, &w->other);
}

static void resigned(struct sender_world *w, struct parts *p)
{
	issue(w, p, &w->leader);
	sign_tail(w, p, &w->sender);
	sign_origin(w, p, &w->sender);
}

static void expired_certificate(struct sender_world *w, struct parts *p)
{
	p->cert.exp = WORLD_NOW - ENVELOPE_SENDER_SKEW_S - 1;
	resigned(w, p);
}

static void early_certificate(struct sender_world *w, struct parts *p)
{
	p->cert.nbf = WORLD_NOW + ENVELOPE_SENDER_SKEW_S + 1;
	resigned(w, p);
}

static void no_point(struct sender_world *w, struct parts *p)
{
	memset(p->cert.key.b + 1, 0xff, PRE_SCALAR_LEN);
	resigned(w, p);
}

static void zero_signature(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->tail = (struct pre_signature){.b = {0}};
	p->origin = p->tail;
}

static void negate(struct pre_signature *s)
{
	static const uint8_t order[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
		0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
	int borrow = 0;

	for (size_t i = 32; i-- > 0;) {
		const int v = order[i] - s->b[32 + i] - borrow;
		s->b[32 + i] = (uint8_t)v;
		borrow = v < 0;
	}
}

static void high_s(struct sender_world *w, struct parts *p)
{
	(void)w;
	negate(&p->tail);
	negate(&p->origin);
}

static void swapped_signatures(struct sender_world *w, struct parts *p)
{
	const struct pre_signature tail = p->tail;

	(void)w;
	p->tail = p->origin;
	p->origin = tail;
}

static void raised(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.sender = ENVELOPE_SENDER_MESSAGE;
}

static void raised_without_tail(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.sender = ENVELOPE_SENDER_MESSAGE;
	p->no_tail = true;
}

static void lowered(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->h.sender = ENVELOPE_SENDER_ORIGIN;
}

static void no_tail(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->no_tail = true;
}

static void short_tail(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->cut = 1;
}

static void bytes_behind(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->behind = 1;
}

static void bytes_before(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->front = 1;
}

static void empty_body(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->cut = SIZE_MAX;
}

static void payload_inside(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->first_after_cert = 0x40;
}

static void other_tail_header(struct sender_world *w, struct parts *p)
{
	(void)w;
	p->plain_tail = true;
}

/* Columns: level origin as whole and as stream, level message as whole and as stream. NONE: it
 * opens, which is what that level promises. */
#define SIG   ENVELOPE_REASON_SENDER_SIGNATURE
#define SHAPE ENVELOPE_REASON_SHAPE
#define CBOR  ENVELOPE_REASON_CBOR
#define CERT  ENVELOPE_REASON_SENDER_CERTIFICATE
#define WHEN  ENVELOPE_REASON_SENDER_EXPIRED
static const struct {
	const char *name;
	change *change;
	int reasons[4];
} insider_rows[] = {
	{"nothing", nothing, {0, 0, 0, 0}},
	{"another message of the window", new_id, {0, 0, SIG, SIG}},
	{"another time", new_time, {0, 0, SIG, SIG}},
	{"another media type", new_type, {0, 0, SIG, SIG}},
	{"another kind", new_kind, {0, 0, SIG, SIG}},
	{"another recipient", new_recipient, {SIG, SIG, SIG, SIG}},
	{"fewer recipients", fewer_recipients, {SIG, SIG, SIG, SIG}},
	{"another capsule", new_capsule, {SIG, SIG, SIG, SIG}},
	{"another wrapped secret", new_wrap, {SIG, SIG, SIG, SIG}},
	{"another epoch", new_epoch, {SIG, SIG, SIG, SIG}},
	{"another name", new_name, {SIG, SIG, SIG, SIG}},
	/* What the commitment is for, the message's signature does not say again. */
	{"another window", new_secret, {SIG, SIG, 0, SIG}},
	{"another text", new_text, {0, 0, SIG, SIG}},
	{"no text", no_text, {0, 0, SIG, SIG}},
	{"more text", more_text, {0, 0, SIG, SIG}},
	{"signatures of another key", not_his_certificate, {SIG, SIG, SIG, SIG}},
	{"certificate of another key", his_certificate, {SIG, SIG, SIG, SIG}},
	{"a renewed certificate", renewed_certificate, {SIG, SIG, SIG, SIG}},
	{"a certificate of his own making", forged_certificate, {CERT, CERT, CERT, CERT}},
	{"an expired certificate", expired_certificate, {WHEN, WHEN, WHEN, WHEN}},
	{"a certificate of tomorrow", early_certificate, {WHEN, WHEN, WHEN, WHEN}},
	{"a key that is no point", no_point, {SIG, SIG, SIG, SIG}},
	{"zero as signature", zero_signature, {SIG, SIG, SIG, SIG}},
	{"high s", high_s, {SIG, SIG, SIG, SIG}},
	{"one signature for the other", swapped_signatures, {SIG, SIG, SIG, SIG}},
	/* A whole body of level message begins with the certificate, not with an origin. */
	{"level raised", raised, {CBOR, SIG, 0, 0}},
	{"level raised, no tail", raised_without_tail, {CBOR, SIG, SIG, SIG}},
	{"level lowered", lowered, {0, 0, SHAPE, 0}},
	{"no tail", no_tail, {0, 0, SIG, SIG}},
	{"a byte of the tail missing", short_tail, {0, 0, SHAPE, SHAPE}},
	{"a byte behind the tail", bytes_behind, {0, 0, SHAPE, SHAPE}},
	{"a byte in front", bytes_before, {SHAPE, SHAPE, SHAPE, SHAPE}},
	{"an empty body", empty_body, {SHAPE, SHAPE, CBOR, SHAPE}},
	{"an attached payload", payload_inside, {SHAPE, SHAPE, 0, SHAPE}},
	{"another protected header in the tail", other_tail_header, {0, 0, SHAPE, SHAPE}},
};

static const struct {
	enum envelope_sender_level level;
	enum envelope_mode mode;
} columns[] = {
	{ENVELOPE_SENDER_ORIGIN, ENVELOPE_WHOLE},
	{ENVELOPE_SENDER_ORIGIN, ENVELOPE_STREAM},
	{ENVELOPE_SENDER_MESSAGE, ENVELOPE_WHOLE},
	{ENVELOPE_SENDER_MESSAGE, ENVELOPE_STREAM},
};

/* A memory of what verified changes no answer: v is NULL, then one that knows the good message. */
static void insider(struct sender_world *w, struct envelope_verified *v)
{
	for (size_t i = 0; i < ARRAY_LEN(insider_rows); i++)
		for (size_t c = 0; c < ARRAY_LEN(columns); c++) {
			_cleanup_(parts_done) struct parts p;
			struct err why = {0};
			good_parts(w, columns[c].level, columns[c].mode, &p);
			insider_rows[i].change(w, &p);
			const int r = try_parts(w, &p, v, &why);
			const int reason = r < 0 ? why.detail : 0;
			if (reason != insider_rows[i].reasons[c])
				fail_msg("%s, column %zu: %s (%s)", insider_rows[i].name, c,
					envelope_reason_name(reason), why.msg);
		}
}

static void insiders_are_found_out(void **state)
{
	struct sender_world *w = *state;
	_cleanup_(envelope_verified_free) struct envelope_verified *v = NULL;

	insider(w, NULL);
	assert_ok("set", envelope_verified_new(&w->env, 64, &v, err));
	insider(w, v);
	assert_true(envelope_verified_stats(v).hits > 100);
}

/* Every byte of a signed body, changed by somebody who has k. At level origin the plaintext is
 * everybody's who has k; the sender's part is not. */
static void insiders_change_no_byte(void **state)
{
	struct sender_world *w = *state;

	for (size_t c = 0; c < ARRAY_LEN(columns); c++) {
		_cleanup_(parts_done) struct parts p;
		_cleanup_(base_buf_done) struct buf body = base_buf(OUT_MAX);
		good_parts(w, columns[c].level, columns[c].mode, &p);
		body_of(&p, &body);
		const size_t n = body.len - (p.no_tail ? words.n : 0);
		for (p.flip = 1; p.flip <= n; p.flip++)
			if (try_parts(w, &p, NULL, NULL) >= 0)
				fail_msg("column %zu, byte %zu", c, p.flip);
	}
}

/* Somebody else's message to us, to be opened under a secret of his: k is in the origin. */
static void carriers_change_no_byte(void **state)
{
	struct sender_world *w = *state;
	const struct envelope_sender_check check = {.ctx = w->ctx, .pre = w->pre};

	for (size_t c = 0; c < ARRAY_LEN(columns); c++) {
		_cleanup_(base_buf_done) struct buf sealed = base_buf(OUT_MAX);
		struct envelope_header h = world_header(columns[c].level, columns[c].mode);
		h.has_length = true;
		h.length = words.n;
		world_seal(w, h, &key, words, words.n, &sealed);
		for (size_t i = 0; i < 2 * sealed.len; i++) {
			_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
			_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {
				0};
			/* First each byte changed, then the message cut at each place. */
			const bool cut = i >= sealed.len;
			const size_t n = cut ? i - sealed.len : sealed.len;
			if (!cut)
				sealed.data[i] ^= 1;
			if (world_open(&check, &key, base_str_n(sealed.data, n), OUT_MAX, &o, &out,
				    NULL) >= 0 ||
				out.len > 0)
				fail_msg("column %zu, place %zu", c, i);
			if (!cut)
				sealed.data[i] ^= 1;
		}
	}
}

/* A stream of three segments, cut somewhere: the sender of the beginning is known, of the whole
 * never. */
static void streams_that_are_cut(void **state)
{
	struct sender_world *w = *state;
	static uint8_t text[140000];
	const struct envelope_sender_check check = {.ctx = w->ctx, .pre = w->pre};
	_cleanup_(base_buf_done) struct buf sealed = base_buf(OUT_MAX);
	const struct envelope_header h = world_header(ENVELOPE_SENDER_MESSAGE, ENVELOPE_STREAM);
	struct envelope_message m;

	world_seal(w, h, &key, base_str_n(text, sizeof(text)), 70000, &sealed);
	assert_ok("parse", envelope_parse(base_buf_str(&sealed), &m, err));
	for (size_t n = m.body_at; n < sealed.len; n += n % 65552 < 100 ? 1 : 997) {
		_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
		_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {0};
		if (world_open(&check, &key, base_str_n(sealed.data, n), 50000, &o, &out, NULL) >=
			0)
			fail_msg("cut at %zu", n);
		assert_int_equal(envelope_signed_opener_level(&o),
			out.len > 0 ? ENVELOPE_SENDER_ORIGIN : ENVELOPE_SENDER_NONE);
		assert_class("dead", ERR_BUG, envelope_signed_opener_end(&o, &out, err));
		assert_class("dead", ERR_BUG, envelope_signed_opener_add(&o, STR("x"), &out, err));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(insiders_are_found_out),
		cmocka_unit_test(insiders_change_no_byte),
		cmocka_unit_test(carriers_change_no_byte),
		cmocka_unit_test(streams_that_are_cut),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
