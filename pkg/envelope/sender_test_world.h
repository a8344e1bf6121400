/* A leader that issues certificates, a sender that has one, and two recipients. Tests only. */
#ifndef ENVELOPE_SENDER_TEST_WORLD_H
#define ENVELOPE_SENDER_TEST_WORLD_H

#include "pkg/base/test.h"
#include "pkg/envelope/signed.h"
#include "pkg/pre/hold.h"

#define WORLD_NOW 1795000000

struct sender_world {
	struct env env;
	struct envelope_context *ctx;
	struct pre_context *pre;
	struct secret leader, sender, other;
	struct pre_public_key leader_key, sender_key, other_key;
	struct envelope_sender_cert cert;
	struct buf bytes; /* cert, encoded */
};

static inline void world_issue(struct sender_world *w, const struct secret *leader)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(ENVELOPE_CERT_MAX);

	assert_ok("body", envelope_sender_cert_body(&w->cert, &body, err));
	assert_ok("sign", pre_sign(w->pre, leader, ENVELOPE_CERT_CONTEXT, base_buf_str(&body),
				  &w->cert.signature, err));
	base_buf_clear(&w->bytes);
	assert_ok("encode", envelope_sender_cert_encode(&w->cert, &w->bytes, err));
}

static inline void world_begin(struct sender_world *w)
{
	*w = (struct sender_world){.env = base_env_system(), .bytes = base_buf(ENVELOPE_CERT_MAX)};
	assert_ok("world", envelope_context_new(&w->env, &w->ctx, err));
	assert_ok("world", pre_context_new(&w->env, &w->pre, err));
	assert_ok("world", pre_keygen(w->pre, &w->leader, &w->leader_key, err));
	assert_ok("world", pre_keygen(w->pre, &w->sender, &w->sender_key, err));
	assert_ok("world", pre_keygen(w->pre, &w->other, &w->other_key, err));
	w->cert = (struct envelope_sender_cert){
		.cluster = STR("6f1c0f9e-6f44-4f5c-9a53-2d3b0b6a1a11"),
		.ns = STR("shop"),
		.function = STR("orders"),
		.revision = STR("orders-6c9f7d5b8"),
		.pod = STR("orders-6c9f7d5b8-m4zqh"),
		.uid = {0x3f, 0x9a, 0x1c, 0x07},
		.key = w->sender_key,
		.epoch = 2,
		.term = 7,
		.nbf = WORLD_NOW - 600,
		.exp = WORLD_NOW + 3600,
		.issuer = w->leader_key,
	};
	world_issue(w, &w->leader);
}

static inline void world_end(struct sender_world *w)
{
	w->ctx = envelope_context_free(w->ctx);
	w->pre = pre_context_free(w->pre);
	base_buf_done(&w->bytes);
	assert_int_equal(base_alloc_live(), 0);
}

/* A header to two recipients that nobody opens: tests have k. */
static inline struct envelope_header world_header(
	enum envelope_sender_level level, enum envelope_mode mode)
{
	struct envelope_header h = {
		.mode = mode,
		.sender = level,
		.type = STR("application/json"),
		.id = {7},
		.iv = {8},
		.iat = WORLD_NOW,
		.recipient_count = 2,
	};

	for (uint8_t i = 0; i < 2; i++)
		h.recipients[i] = (struct envelope_recipient){.alg = ENVELOPE_ALG_UMBRAL,
			.epoch = 3,
			.fp = {{(uint8_t)(i + 1)}},
			.name = STR("shop/billing-1"),
			.capsule = {1},
			.wrapped = {2}};
	return h;
}

static inline struct pre_signature world_sign(
	struct sender_world *w, const struct secret *sk, const struct envelope_signing *s)
{
	const struct envelope_signing_bytes b = envelope_signing_bytes(s);
	struct pre_signature signature;

	assert_ok("sign", pre_sign_cose(w->pre, sk, base_str_n(b.b, b.n), &signature, err));
	return signature;
}

/* The origin of h under k by the world's sender. */
static inline struct pre_signature world_origin(
	struct sender_world *w, const struct envelope_header *h, const struct secret *k)
{
	struct envelope_signing s;
	uint8_t hash[ENVELOPE_HASH_LEN];

	assert_ok("hash", envelope_sender_cert_hash(w->ctx, base_buf_str(&w->bytes), hash, err));
	assert_ok("origin", envelope_origin_signing(w->ctx, h, k, hash, &s, err));
	return world_sign(w, &w->sender, &s);
}

/* Seals in chunks as a sender does; h.length is the plaintext's where has_length says so. */
static inline void world_seal(struct sender_world *w, struct envelope_header h,
	const struct secret *k, struct str text, size_t chunk, struct buf *out)
{
	_cleanup_(envelope_signed_sealer_done) struct envelope_signed_sealer s = {0};
	const bool has_origin = h.sender == ENVELOPE_SENDER_ORIGIN ||
				(h.sender == ENVELOPE_SENDER_MESSAGE && h.mode == ENVELOPE_STREAM);
	const struct pre_signature origin = world_origin(w, &h, k);
	const struct envelope_credentials with = {
		.cert = base_buf_str(&w->bytes), .origin = has_origin ? &origin : NULL};
	struct pre_signature signature;
	struct envelope_signing signing;

	if (h.has_length)
		h.length += envelope_sender_overhead(&h, w->bytes.len);
	assert_ok("begin", envelope_signed_sealer_begin(&s, w->ctx, &h, k, &with, out, err));
	for (size_t at = 0; at < text.n; at += chunk)
		assert_ok("add", envelope_signed_sealer_add(
					 &s, base_str_sub(text, at, at + chunk), out, err));
	if (h.sender == ENVELOPE_SENDER_MESSAGE) {
		assert_ok("signing", envelope_signed_sealer_signing(&s, &signing, err));
		signature = world_sign(w, &w->sender, &signing);
	}
	assert_ok(
		"end", envelope_signed_sealer_end(&s,
			       h.sender == ENVELOPE_SENDER_MESSAGE ? &signature : NULL, out, err));
}

/* Opens in chunks; 0 or what failed. The opener is left for the caller to look at. */
static inline int world_open(const struct envelope_sender_check *check, const struct secret *k,
	struct str sealed, size_t chunk, struct envelope_signed_opener *o, struct buf *out,
	struct err *err)
{
	struct envelope_message m;

	TRY(envelope_parse(sealed, &m, err));
	TRY(envelope_signed_opener_begin(o, check, &m, k, err));
	for (size_t at = m.body_at; at < sealed.n; at += chunk)
		TRY(envelope_signed_opener_add(o, base_str_sub(sealed, at, at + chunk), out, err));
	return envelope_signed_opener_end(o, out, err);
}

#endif
