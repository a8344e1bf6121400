#include "pkg/envelope/body_internal.h"

static int seal_into(struct envelope_context *ctx, const struct envelope_header *h,
	const struct envelope_keys *keys, struct str plaintext, struct buf *out, struct err *err)
{
	uint8_t *to = NULL;
	int n = 0;

	TRY(envelope_cipher_key(ctx->cipher, ctx->gcm, &keys->cek, true, err));
	if (EVP_CipherInit_ex(ctx->cipher, NULL, NULL, NULL, h->iv, -1) != 1)
		return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
	TRY(envelope_whole_aad(ctx->cipher, base_buf_str(&ctx->scratch), err));
	TRY(base_buf_room(out, plaintext.n + ENVELOPE_TAG_LEN, &to, err));
	if (plaintext.n && EVP_CipherUpdate(ctx->cipher, to, &n, (const uint8_t *)plaintext.p,
				   (int)plaintext.n) != 1)
		return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
	TRY(envelope_tag_get(ctx->cipher, to + plaintext.n, err));
	base_buf_added(out, plaintext.n + ENVELOPE_TAG_LEN);
	return 0;
}

int envelope_body_seal(struct envelope_context *ctx, const struct envelope_header *h,
	const struct secret *k, struct str plaintext, struct buf *out, struct err *err)
{
	_cleanup_(envelope_keys_wipe) struct envelope_keys keys = {0};
	const size_t start = out->len;

	if (h->mode != ENVELOPE_WHOLE)
		return REFUSE(err, SHAPE, "not the header of a whole body");
	TRY(envelope_head(ctx, h, k, plaintext.n, &keys, out, err));
	const int r = seal_into(ctx, h, &keys, plaintext, out, err);
	if (r < 0)
		out->len = start;
	return r;
}

static int open_whole(struct envelope_context *ctx, const struct envelope_message *m,
	const struct secret *k, struct str body, struct buf *out, struct err *err)
{
	_cleanup_(envelope_keys_wipe) struct envelope_keys keys = {0};
	const struct envelope_header *h = &m->header;
	const uint8_t *from = (const uint8_t *)body.p;
	uint8_t *to = NULL;
	int n = 0;

	if (body.n < ENVELOPE_TAG_LEN || body.n != m->body_len)
		return REFUSE(err, TRUNCATED, "the body is not complete");
	const size_t plain = body.n - ENVELOPE_TAG_LEN;
	TRY(envelope_keys_of(ctx, m, k, &keys, err));
	TRY(envelope_cipher_key(ctx->cipher, ctx->gcm, &keys.cek, false, err));
	if (EVP_CipherInit_ex(ctx->cipher, NULL, NULL, NULL, h->iv, -1) != 1)
		return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
	TRY(envelope_whole_aad(ctx->cipher, m->protected, err));
	TRY(base_buf_room(out, plain, &to, err));
	if (plain && EVP_CipherUpdate(ctx->cipher, to, &n, from, (int)plain) != 1)
		return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
	const int r = envelope_tag_check(ctx->cipher, from + plain, err);
	if (r < 0) {
		base_wipe(to, plain);
		return r;
	}
	base_buf_added(out, plain);
	return 0;
}

static int open_stream(struct envelope_context *ctx, const struct envelope_message *m,
	const struct secret *k, struct str body, struct buf *out, struct err *err)
{
	_cleanup_(envelope_opener_done) struct envelope_opener o = {0};

	TRY(envelope_opener_begin(&o, ctx, m, k, err));
	TRY(envelope_opener_add(&o, body, out, err));
	return envelope_opener_end(&o, out, err);
}

int envelope_body_open(struct envelope_context *ctx, const struct envelope_message *m,
	const struct secret *k, struct str body, struct buf *out, struct err *err)
{
	const size_t start = out->len;

	if (m->header.sender != ENVELOPE_SENDER_NONE)
		return REFUSE(err, SENDER, "signed messages are not taken here");
	if (m->header.mode == ENVELOPE_WHOLE)
		return open_whole(ctx, m, k, body, out, err);
	const int r = open_stream(ctx, m, k, body, out, err);
	if (r < 0 && out->len > start) {
		base_wipe(out->data + start, out->len - start);
		out->len = start;
	}
	return r;
}
