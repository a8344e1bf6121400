/* Edits of what is encrypted in a real signed message, by somebody who has its secret. The first
 * byte picks the form and the size of the chunks, each three bytes behind it are one edit. Whatever
 * opens has the sender's certificate and, at level message, the sender's text. */
#include "pkg/envelope/signed.h"
#include "pkg/pre/hold.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define BODY_MAX 4096
#define TEXT     STR("what the sender says, and nothing else")

struct form {
	struct envelope_header h;
	struct buf body;
};

struct sample {
	struct env env;
	struct envelope_context *ctx;
	struct pre_context *pre;
	struct secret sk, k;
	struct buf cert;
	struct form forms[4];
};

static struct pre_signature sign(struct sample *s, const struct envelope_signing *signing)
{
	const struct envelope_signing_bytes b = envelope_signing_bytes(signing);
	struct pre_signature signature;

	base_assert(pre_sign_cose(s->pre, &s->sk, base_str_n(b.b, b.n), &signature, NULL) == 0);
	return signature;
}

static void issue(struct sample *s)
{
	_cleanup_(base_buf_done) struct buf body = base_buf(ENVELOPE_CERT_MAX);
	struct envelope_sender_cert c = {.cluster = STR("c"),
		.ns = STR("n"),
		.function = STR("f"),
		.revision = STR("r"),
		.pod = STR("p"),
		.exp = INT64_MAX};

	base_assert(pre_keygen(s->pre, &s->sk, &c.key, NULL) == 0);
	c.issuer = c.key;
	base_assert(envelope_sender_cert_body(&c, &body, NULL) == 0);
	base_assert(pre_sign(s->pre, &s->sk, ENVELOPE_CERT_CONTEXT, base_buf_str(&body),
			    &c.signature, NULL) == 0);
	s->cert = base_buf(ENVELOPE_CERT_MAX);
	base_assert(envelope_sender_cert_encode(&c, &s->cert, NULL) == 0);
}

/* Seals as a sender does, and takes out of it what is encrypted. */
static void make(struct sample *s, struct form *f, unsigned which)
{
	_cleanup_(envelope_signed_sealer_done) struct envelope_signed_sealer sealer = {0};
	_cleanup_(envelope_opener_done) struct envelope_opener opener = {0};
	_cleanup_(base_buf_done) struct buf sealed = base_buf(65536);
	const bool message = which & 1;
	const bool stream = which & 2;
	struct pre_signature origin;
	struct pre_signature tail;
	struct envelope_signing signing;
	struct envelope_message m;
	uint8_t hash[ENVELOPE_HASH_LEN];

	f->h = (struct envelope_header){.mode = stream ? ENVELOPE_STREAM : ENVELOPE_WHOLE,
		.sender = message ? ENVELOPE_SENDER_MESSAGE : ENVELOPE_SENDER_ORIGIN,
		.type = STR("text/plain"),
		.recipient_count = 1,
		.recipients = {{.alg = ENVELOPE_ALG_UMBRAL, .name = STR("a/b")}}};
	base_assert(envelope_sender_cert_hash(s->ctx, base_buf_str(&s->cert), hash, NULL) == 0);
	base_assert(envelope_origin_signing(s->ctx, &f->h, &s->k, hash, &signing, NULL) == 0);
	origin = sign(s, &signing);
	const struct envelope_credentials with = {
		.cert = base_buf_str(&s->cert), .origin = message && !stream ? NULL : &origin};
	struct envelope_header h = f->h;
	h.has_length = true;
	h.length = TEXT.n + envelope_sender_overhead(&h, s->cert.len);
	/* The edited message announces what it has: the header differs, and so what is signed. Thus
	 * streams do not announce, and whole messages keep their size. */
	if (stream)
		h.has_length = false;
	else
		f->h = h;
	base_assert(envelope_signed_sealer_begin(
			    &sealer, s->ctx, &h, &s->k, &with, &sealed, NULL) == 0);
	base_assert(envelope_signed_sealer_add(&sealer, TEXT, &sealed, NULL) == 0);
	if (message) {
		base_assert(envelope_signed_sealer_signing(&sealer, &signing, NULL) == 0);
		tail = sign(s, &signing);
	}
	base_assert(
		envelope_signed_sealer_end(&sealer, message ? &tail : NULL, &sealed, NULL) == 0);
	base_assert(envelope_parse(base_buf_str(&sealed), &m, NULL) == 0);
	m.header.sender = ENVELOPE_SENDER_NONE; /* only the decryption is wanted */
	f->body = base_buf(BODY_MAX);
	base_assert(envelope_opener_begin(&opener, s->ctx, &m, &s->k, NULL) == 0);
	base_assert(envelope_opener_add(&opener,
			    base_str_sub(base_buf_str(&sealed), m.body_at, sealed.len), &f->body,
			    NULL) == 0);
	base_assert(envelope_opener_end(&opener, &f->body, NULL) == 0);
}

static struct sample *sample(void)
{
	static struct sample s;

	if (s.ctx)
		return &s;
	s.env = base_env_system();
	base_assert(pre_context_new(&s.env, &s.pre, NULL) == 0);
	base_assert(envelope_context_new(&s.env, &s.ctx, NULL) == 0);
	issue(&s);
	for (unsigned i = 0; i < ARRAY_LEN(s.forms); i++)
		make(&s, &s.forms[i], i);
	return &s;
}

/* Where, what, and with which byte: change, remove, repeat, or cut. */
static void edit(struct buf *b, const uint8_t *e)
{
	const size_t at = b->len ? (size_t)(e[0] | (e[1] & 0x3f) << 8) % b->len : 0;
	const uint8_t copy = b->len ? b->data[at] : 0;

	if (b->len == 0)
		return;
	switch (e[1] >> 6) {
	case 0:
		b->data[at] ^= e[2];
		break;
	case 1:
		memmove(b->data + at, b->data + at + 1, b->len - at - 1);
		b->len--;
		break;
	case 2:
		base_assert(base_buf_add(b, "", 1, NULL) == 0);
		memmove(b->data + at + 1, b->data + at, b->len - at - 1);
		b->data[at] = copy ^ e[2];
		break;
	default:
		if (e[2] == 0)
			b->len = at;
		break;
	}
}

static void check_result(
	const struct sample *s, const struct envelope_signed_opener *o, const struct buf *out)
{
	_cleanup_(base_buf_done) struct buf cert = base_buf(ENVELOPE_CERT_MAX);
	struct envelope_sender_cert c;

	base_assert(envelope_signed_opener_cert(o, &c));
	base_assert(envelope_sender_cert_encode(&c, &cert, NULL) == 0);
	base_assert(base_str_eq(base_buf_str(&cert), base_buf_str(&s->cert)));
	if (envelope_signed_opener_level(o) == ENVELOPE_SENDER_MESSAGE)
		base_assert(base_str_eq(base_buf_str(out), TEXT));
}

static void open(struct sample *s, struct str sealed, size_t chunk)
{
	_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener o = {0};
	_cleanup_(base_buf_done) struct buf out = base_buf(65536);
	const struct envelope_sender_check check = {
		.ctx = s->ctx, .pre = s->pre, .minimum = ENVELOPE_SENDER_ORIGIN};
	struct envelope_message m;
	struct err err = {0};

	base_assert(envelope_parse(sealed, &m, NULL) == 0);
	int r = envelope_signed_opener_begin(&o, &check, &m, &s->k, &err);
	for (size_t at = m.body_at; r == 0 && at < sealed.n; at += chunk)
		r = envelope_signed_opener_add(
			&o, base_str_sub(sealed, at, at + chunk), &out, &err);
	if (r == 0)
		r = envelope_signed_opener_end(&o, &out, &err);
	if (r == 0)
		check_result(s, &o, &out);
	else
		base_assert(err.class != ERR_BUG && out.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sample *s = sample();
	const struct form *f = &s->forms[n ? data[0] % 4 : 0];
	_cleanup_(base_buf_done) struct buf body = base_buf(BODY_MAX);
	_cleanup_(base_buf_done) struct buf sealed = base_buf(65536);
	_cleanup_(envelope_sealer_done) struct envelope_sealer sealer = {0};
	struct envelope_header h = f->h;

	base_assert(base_buf_add_str(&body, base_buf_str(&f->body), NULL) == 0);
	for (size_t i = 1; i + 2 < n && i < 300; i += 3)
		edit(&body, data + i);
	h.length = h.has_length ? body.len : 0;
	base_assert(envelope_sealer_begin(&sealer, s->ctx, &h, &s->k, &sealed, NULL) == 0);
	base_assert(envelope_sealer_add(&sealer, base_buf_str(&body), &sealed, NULL) == 0);
	base_assert(envelope_sealer_end(&sealer, &sealed, NULL) == 0);
	open(s, base_buf_str(&sealed), n ? 1u + data[0] / 4u * 16u : 1000);
	return 0;
}
