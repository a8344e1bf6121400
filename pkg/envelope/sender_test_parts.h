/* The parts of a signed message, to be changed and sealed anew by somebody who has k. Tests only.
 */
#ifndef ENVELOPE_SENDER_TEST_PARTS_H
#define ENVELOPE_SENDER_TEST_PARTS_H

#include "pkg/envelope/sender_internal.h"
#include "pkg/envelope/sender_test_world.h"

#define OUT_MAX (1u << 20)

static const struct secret key = {{5}};
static const struct str words = {.p = "pay 5 to Bob", .n = 12};

/* Everything of a good message, and what to do to its bytes. */
struct parts {
	struct envelope_header h;
	struct secret k;
	struct envelope_sender_cert cert;
	struct buf cert_bytes;
	struct pre_signature origin;
	struct pre_signature tail;
	struct str text;
	bool has_origin, no_tail;
	size_t cut;               /* bytes left out at the end of the body */
	size_t flip;              /* one bit of this byte of the body, from 1 on; 0: none */
	unsigned front, behind;   /* bytes before the sender's part, and behind the tail */
	uint8_t first_after_cert; /* instead of nil; 0: nil */
	bool plain_tail;          /* protected header of the origin in the tail */
};

static inline void parts_done(struct parts *p)
{
	base_buf_done(&p->cert_bytes);
}
CLEANUP_DONE(struct parts, parts_done);

static inline void sign_tail(struct sender_world *w, struct parts *p, const struct secret *sk)
{
	_cleanup_(base_buf_done) struct buf protected = base_buf(ENVELOPE_PROTECTED_MAX);
	struct envelope_signing s = {.level = ENVELOPE_SENDER_MESSAGE};

	assert_ok("header", envelope_header_encode(&p->h, &protected, err));
	assert_ok("h", envelope_hash(w->ctx, base_buf_str(&protected), s.bound, err));
	assert_ok("text", envelope_hash(w->ctx, p->text, s.payload, err));
	assert_ok("cert", envelope_hash(w->ctx, base_buf_str(&p->cert_bytes), s.cert, err));
	p->tail = world_sign(w, sk, &s);
}

static inline void sign_origin(struct sender_world *w, struct parts *p, const struct secret *sk)
{
	struct envelope_signing s;
	uint8_t hash[ENVELOPE_HASH_LEN];

	assert_ok("cert", envelope_hash(w->ctx, base_buf_str(&p->cert_bytes), hash, err));
	assert_ok("origin", envelope_origin_signing(w->ctx, &p->h, &p->k, hash, &s, err));
	p->origin = world_sign(w, sk, &s);
}

static inline void issue(struct sender_world *w, struct parts *p, const struct secret *issuer)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(ENVELOPE_CERT_MAX);

	assert_ok("body", envelope_sender_cert_body(&p->cert, &body, err));
	assert_ok("sign", pre_sign(w->pre, issuer, ENVELOPE_CERT_CONTEXT, base_buf_str(&body),
				  &p->cert.signature, err));
	base_buf_clear(&p->cert_bytes);
	assert_ok("encode", envelope_sender_cert_encode(&p->cert, &p->cert_bytes, err));
}

static inline void good_parts(struct sender_world *w, enum envelope_sender_level level,
	enum envelope_mode mode, struct parts *p)
{
	*p = (struct parts){.h = world_header(level, mode),
		.k = key,
		.cert = w->cert,
		.cert_bytes = base_buf(ENVELOPE_CERT_MAX),
		.text = words,
		.no_tail = level != ENVELOPE_SENDER_MESSAGE,
		.has_origin = envelope_sender_has_origin(level, mode)};
	assert_ok("copy", base_buf_add_str(&p->cert_bytes, base_buf_str(&w->bytes), err));
	sign_origin(w, p, &w->sender);
	sign_tail(w, p, &w->sender);
}

static inline void put(struct buf *b, const void *bytes, size_t n)
{
	assert_ok("put", base_buf_add(b, bytes, n, err));
}

static inline void body_of(const struct parts *p, struct buf *b)
{
	static const uint8_t junk[8];

	put(b, junk, p->front);
	if (p->has_origin)
		put(b, envelope_origin_before, sizeof(envelope_origin_before));
	put(b, p->cert_bytes.data, p->cert_bytes.len);
	if (p->has_origin) {
		put(b, envelope_origin_after, sizeof(envelope_origin_after));
		if (p->first_after_cert)
			b->data[b->len - sizeof(envelope_origin_after)] = p->first_after_cert;
		put(b, p->origin.b, sizeof(p->origin.b));
	}
	put(b, p->text.p, p->text.n);
	if (!p->no_tail) {
		put(b, envelope_tail_before, sizeof(envelope_tail_before));
		if (p->plain_tail)
			b->data[b->len - 1] ^= 1;
		put(b, p->tail.b, sizeof(p->tail.b));
	}
	put(b, junk, p->behind);
	b->len -= p->cut < b->len ? p->cut : b->len;
	if (p->flip > 0)
		b->data[p->flip - 1] ^= 0x10;
}

/* Seals those parts as they are, opens, and says what came of it. */
static inline int try_parts(
	struct sender_world *w, const struct parts *p, struct envelope_verified *v, struct err *why)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(OUT_MAX);
	_cleanup_(base_buf_done) struct buf sealed = base_buf(OUT_MAX);
	_cleanup_(base_buf_done) struct buf out = base_buf(OUT_MAX);
	_cleanup_(envelope_sealer_done) struct envelope_sealer s = {0};
	_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {0};
	const struct envelope_sender_check check = {.ctx = w->ctx, .pre = w->pre, .verified = v};
	struct envelope_header h = p->h;

	body_of(p, &body);
	if (h.mode == ENVELOPE_WHOLE) {
		assert_ok("seal",
			envelope_body_seal(w->ctx, &h, &p->k, base_buf_str(&body), &sealed, err));
	} else {
		assert_ok("begin", envelope_sealer_begin(&s, w->ctx, &h, &p->k, &sealed, err));
		assert_ok("add", envelope_sealer_add(&s, base_buf_str(&body), &sealed, err));
		assert_ok("end", envelope_sealer_end(&s, &sealed, err));
	}
	const int r = world_open(&check, &p->k, base_buf_str(&sealed), OUT_MAX, &o, &out, why);
	if (r < 0) {
		assert_true(h.mode == ENVELOPE_STREAM || out.len == 0);
		assert_int_not_equal(envelope_signed_opener_level(&o), ENVELOPE_SENDER_MESSAGE);
	} else if (h.sender == ENVELOPE_SENDER_MESSAGE) {
		assert_true(base_str_eq(base_buf_str(&out), p->text));
	}
	return r;
}

#endif
