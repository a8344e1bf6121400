#include "pkg/envelope/signed.h"

#include "pkg/envelope/body_internal.h"
#include "pkg/envelope/sender_internal.h"

#include <string.h>

void envelope_signed_opener_done(struct envelope_signed_opener *o)
{
	if (!o)
		return;
	envelope_opener_done(&o->opener);
	EVP_MD_CTX_free(o->md);
	*o = (struct envelope_signed_opener){0};
}

/* What the two signatures must be bound to, as far as it is known without the body. */
static int expect(struct envelope_signed_opener *o, const struct envelope_message *m,
	const struct secret *k, struct err *err)
{
	struct envelope_context *ctx = o->check->ctx;

	o->origin.level = ENVELOPE_SENDER_ORIGIN;
	o->message.level = ENVELOPE_SENDER_MESSAGE;
	if (envelope_sender_has_origin(o->stated, m->header.mode)) {
		TRY(envelope_hash(ctx, m->header.recipient_bytes, o->origin.bound, err));
		TRY(envelope_origin_payload(ctx, o->origin.bound, k, o->origin.payload, err));
	}
	if (o->stated != ENVELOPE_SENDER_MESSAGE)
		return 0;
	TRY(envelope_md_new(ctx, &o->md, err));
	return envelope_hash(ctx, m->protected, o->message.bound, err);
}

int envelope_signed_opener_begin(struct envelope_signed_opener *o,
	const struct envelope_sender_check *check, const struct envelope_message *m,
	const struct secret *k, struct err *err)
{
	const uint64_t iat = m->header.iat;
	_cleanup_(envelope_signed_opener_done) struct envelope_signed_opener new = {
		.check = check,
		.stated = m->header.sender,
		.iat = iat < INT64_MAX ? (int64_t)iat : INT64_MAX,
	};

	if (m->header.sender < check->minimum)
		return REFUSE(err, SENDER_REQUIRED, "the message says less about its sender");
	TRY(envelope_opener_begin_any(&new.opener, check->ctx, m, k, err));
	if (new.stated != ENVELOPE_SENDER_NONE)
		TRY(expect(&new, m, k, err));
	*o = new;
	new = (struct envelope_signed_opener){0};
	return 0;
}

static bool remembered(const struct envelope_sender_check *check, const uint8_t *hash)
{
	return check->verified && envelope_verified_has(check->verified, hash);
}

static void remember(const struct envelope_sender_check *check, const uint8_t *hash)
{
	if (check->verified)
		envelope_verified_add(check->verified, hash);
}

/* The certificate that is to be believed: its name for signatures and for the set of verified ones
 * is the hash over all of it. */
static int take_cert(struct envelope_signed_opener *o, const struct envelope_sender_cert *c,
	struct str bytes, struct err *err)
{
	const struct envelope_sender_check *check = o->check;

	TRY(envelope_sender_cert_hash(check->ctx, bytes, o->origin.cert, err));
	memcpy(o->message.cert, o->origin.cert, sizeof(o->message.cert));
	memcpy(o->cert, bytes.p, bytes.n);
	o->cert_len = bytes.n;
	if (remembered(check, o->origin.cert))
		return envelope_sender_cert_at(c, o->iat, err);
	TRY(envelope_sender_cert_verify(check->pre, c, NULL, o->iat, err));
	remember(check, o->origin.cert);
	return 0;
}

/* One signature for a window: its name is the hash over all that was signed, the key (in the
 * certificate, whose hash is there) and the signature itself. */
static int check_origin(struct envelope_signed_opener *o, const struct envelope_sender_cert *c,
	const uint8_t *signature, struct err *err)
{
	const struct envelope_sender_check *check = o->check;
	const struct envelope_signing_bytes signing = envelope_signing_bytes(&o->origin);
	uint8_t all[ENVELOPE_SIGNING_BYTES_MAX + PRE_SIG_LEN];
	uint8_t hash[ENVELOPE_HASH_LEN];
	struct pre_signature s;

	memcpy(s.b, signature, sizeof(s.b));
	memcpy(all, signing.b, signing.n);
	memcpy(all + signing.n, signature, PRE_SIG_LEN);
	TRY(envelope_hash(check->ctx, base_str_n(all, signing.n + PRE_SIG_LEN), hash, err));
	if (remembered(check, hash))
		return 0;
	TRY(envelope_signing_verify(check->pre, &c->key, &o->origin, &s, err));
	remember(check, hash);
	return 0;
}

/* Exactly these bytes come next; moves *at behind them. */
static int expect_bytes(
	struct str bytes, size_t *at, const uint8_t *want, size_t n, struct err *err)
{
	if (bytes.n - *at < n || memcmp(bytes.p + *at, want, n) != 0)
		return REFUSE(err, SHAPE, "the sender's part of the body");
	*at += n;
	return 0;
}

static int read_head(
	struct envelope_signed_opener *o, struct str bytes, size_t *ret_n, struct err *err)
{
	const bool has_origin = envelope_sender_has_origin(o->stated, o->opener.mode);
	struct envelope_sender_cert c;
	size_t at = 0;
	size_t n = 0;

	if (has_origin)
		TRY(expect_bytes(
			bytes, &at, envelope_origin_before, sizeof(envelope_origin_before), err));
	TRY(envelope_sender_cert_read(base_str_sub(bytes, at, bytes.n), &c, &n, err));
	TRY(take_cert(o, &c, base_str_sub(bytes, at, at + n), err));
	at += n;
	if (has_origin) {
		TRY(expect_bytes(
			bytes, &at, envelope_origin_after, sizeof(envelope_origin_after), err));
		if (bytes.n - at < PRE_SIG_LEN)
			return REFUSE(err, SHAPE, "the sender's part of the body");
		TRY(check_origin(o, &c, (const uint8_t *)bytes.p + at, err));
		at += PRE_SIG_LEN;
	}
	o->extra = at + (o->stated == ENVELOPE_SENDER_MESSAGE ? ENVELOPE_SENDER_TAIL : 0);
	if (o->opener.has_length && o->opener.length < o->extra)
		return REFUSE(err, SENDER_SIGNATURE, "no room for the sender's signature");
	o->head_seen = true;
	*ret_n = at;
	return 0;
}

/* The signature over all of the plaintext, which has been hashed. */
static int check_tail(struct envelope_signed_opener *o, struct str tail, struct err *err)
{
	struct envelope_sender_cert c;
	struct pre_signature s;
	size_t at = 0;

	if (tail.n != ENVELOPE_SENDER_TAIL)
		return REFUSE(err, SENDER_SIGNATURE, "the body ends before its signature");
	TRY(expect_bytes(tail, &at, envelope_tail_before, sizeof(envelope_tail_before), err));
	memcpy(s.b, tail.p + at, sizeof(s.b));
	TRY(envelope_md_end(o->md, o->message.payload, err));
	TRY(envelope_sender_cert_parse(base_str_n(o->cert, o->cert_len), &c, err));
	return envelope_signing_verify(o->check->pre, &c.key, &o->message, &s, err);
}

static int hash_text(struct envelope_signed_opener *o, struct str text, struct err *err)
{
	if (o->md && text.n > 0 && EVP_DigestUpdate(o->md, text.p, text.n) != 1)
		return FAIL(err, ERR_TERMINAL, "SHA-256");
	return 0;
}

/* Removes n bytes at `start` of a buffer. */
static void cut(struct buf *b, size_t start, size_t n)
{
	memmove(b->data + start, b->data + start + n, b->len - start - n);
	b->len -= n;
}

/* From `start` on, out has what a stream gave. Takes away what is the sender's part: at the front
 * once, and at the end what may turn out to be the tail. */
static int take_stream(
	struct envelope_signed_opener *o, struct buf *out, size_t start, struct err *err)
{
	size_t n = 0;

	if (out->len == start)
		return 0;
	if (!o->head_seen) {
		TRY(read_head(o, base_str_n(out->data + start, out->len - start), &n, err));
		cut(out, start, n);
		o->level = ENVELOPE_SENDER_ORIGIN;
	}
	if (o->stated == ENVELOPE_SENDER_MESSAGE) {
		const size_t got = out->len - start;
		o->tail_len = got < sizeof(o->tail) ? got : sizeof(o->tail);
		out->len -= o->tail_len;
		memcpy(o->tail, out->data + out->len, o->tail_len);
	}
	return hash_text(o, base_str_n(out->data + start, out->len - start), err);
}

static int add_stream(struct envelope_signed_opener *o, struct str bytes, bool last,
	struct buf *out, struct err *err)
{
	const size_t start = out->len;

	/* What was held back comes before what comes now. */
	TRY(base_buf_add(out, o->tail, o->tail_len, err));
	o->tail_len = 0;
	TRY(last ? envelope_opener_end(&o->opener, out, err)
		 : envelope_opener_add(&o->opener, bytes, out, err));
	return take_stream(o, out, start, err);
}

/* As add_stream, and the last of it: what is missing now is missing for good. */
static int end_stream(struct envelope_signed_opener *o, struct buf *out, struct err *err)
{
	TRY(add_stream(o, STR_NULL, true, out, err));
	if (!o->head_seen)
		return REFUSE(err, SHAPE, "the sender's part of the body");
	if (o->stated == ENVELOPE_SENDER_MESSAGE)
		TRY(check_tail(o, base_str_n(o->tail, o->tail_len), err));
	return 0;
}

static int end_whole(struct envelope_signed_opener *o, struct buf *out, struct err *err)
{
	size_t n = 0;

	TRY(envelope_opener_end_whole(&o->opener, err));
	const struct str all = base_buf_str(&o->opener.whole);
	TRY(read_head(o, all, &n, err));
	const struct str text = base_str_sub(all, n, n + all.n - o->extra);
	if (text.n > ENVELOPE_WHOLE_MAX)
		return REFUSE(err, SIZE, "a whole body has at most 1 MiB");
	TRY(hash_text(o, text, err));
	if (o->stated == ENVELOPE_SENDER_MESSAGE)
		TRY(check_tail(o, base_str_sub(all, n + text.n, all.n), err));
	return base_buf_add_str(out, text, err);
}

/* After a failure nothing of this call remains, and no further call can succeed. */
static int result(struct envelope_signed_opener *o, struct buf *out, size_t start, int r)
{
	if (r >= 0)
		return r;
	o->dead = true;
	if (out->len > start)
		base_wipe(out->data + start, out->len - start);
	out->len = start;
	return r;
}

int envelope_signed_opener_add(
	struct envelope_signed_opener *o, struct str bytes, struct buf *out, struct err *err)
{
	const size_t start = out->len;

	if (o->dead)
		return FAIL(err, ERR_BUG, "an opener that is not open");
	if (o->stated == ENVELOPE_SENDER_NONE || o->opener.mode == ENVELOPE_WHOLE)
		return result(o, out, start, envelope_opener_add(&o->opener, bytes, out, err));
	return result(o, out, start, add_stream(o, bytes, false, out, err));
}

int envelope_signed_opener_end(struct envelope_signed_opener *o, struct buf *out, struct err *err)
{
	const size_t start = out->len;
	int r = 0;

	if (o->dead)
		return FAIL(err, ERR_BUG, "an opener that is not open");
	if (o->stated == ENVELOPE_SENDER_NONE)
		r = envelope_opener_end(&o->opener, out, err);
	else if (o->opener.mode == ENVELOPE_WHOLE)
		r = end_whole(o, out, err);
	else
		r = end_stream(o, out, err);
	if (r == 0)
		o->level = o->stated;
	return result(o, out, start, r);
}

enum envelope_sender_level envelope_signed_opener_level(const struct envelope_signed_opener *o)
{
	return o->level;
}

bool envelope_signed_opener_cert(
	const struct envelope_signed_opener *o, struct envelope_sender_cert *ret)
{
	if (o->level == ENVELOPE_SENDER_NONE)
		return false;
	base_assert(envelope_sender_cert_parse(base_str_n(o->cert, o->cert_len), ret, NULL) == 0);
	return true;
}

bool envelope_signed_opener_length(const struct envelope_signed_opener *o, uint64_t *ret_length)
{
	if (!o->opener.has_length || (o->stated != ENVELOPE_SENDER_NONE && !o->head_seen))
		return false;
	*ret_length = o->opener.length - o->extra;
	return true;
}
