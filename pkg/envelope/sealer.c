#include "pkg/envelope/body_internal.h"

#include "pkg/base/alloc.h"

#include <string.h>

void envelope_sealer_done(struct envelope_sealer *s)
{
	if (!s)
		return;
	envelope_stream_release(s->cipher, s->held, ENVELOPE_SEGMENT);
	*s = (struct envelope_sealer){0};
}

static int prepare(struct envelope_sealer *s, struct envelope_context *ctx,
	const struct envelope_header *h, const struct envelope_keys *keys, struct err *err)
{
	const struct str protected = base_buf_str(&ctx->scratch);

	s->cipher = EVP_CIPHER_CTX_new();
	if (!s->cipher)
		return FAIL(err, ERR_NOMEM, "cipher context");
	TRY(envelope_cipher_key(s->cipher, ctx->gcm, &keys->cek, true, err));
	if (s->mode == ENVELOPE_WHOLE) {
		if (EVP_CipherInit_ex(s->cipher, NULL, NULL, NULL, h->iv, -1) != 1)
			return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
		return envelope_whole_aad(s->cipher, protected, err);
	}
	s->held = base_alloc(1, ENVELOPE_SEGMENT);
	if (!s->held)
		return FAIL(err, ERR_NOMEM, "segment buffer");
	return envelope_stream_aad(ctx, protected, s->aad, err);
}

int envelope_sealer_begin(struct envelope_sealer *s, struct envelope_context *ctx,
	const struct envelope_header *h, const struct secret *k, struct buf *out, struct err *err)
{
	_cleanup_(envelope_keys_wipe) struct envelope_keys keys = {0};
	_cleanup_(envelope_sealer_done) struct envelope_sealer new = {
		.mode = h->mode,
		.has_length = h->has_length,
		.length = h->length,
		.state = ENVELOPE_STATE_OPEN,
	};
	const size_t start = out->len;

	if (h->mode == ENVELOPE_WHOLE && !h->has_length)
		return REFUSE(err, SHAPE, "a whole body needs its length in the header");
	TRY(envelope_head(ctx, h, k, h->length, &keys, out, err));
	const int r = prepare(&new, ctx, h, &keys, err);
	if (r < 0) {
		out->len = start;
		return r;
	}
	*s = new;
	new = (struct envelope_sealer){0};
	return 0;
}

static int seal_segment(struct envelope_sealer *s, struct str plaintext, bool last, struct buf *out,
	struct err *err)
{
	const struct envelope_segment segment = {
		.cipher = s->cipher, .aad = s->aad, .counter = s->counter, .last = last};

	TRY(envelope_segment_seal(&segment, plaintext, out, err));
	s->counter++;
	return 0;
}

/* True if a full segment that ends where the stream is now is not the last one: more bytes are in
 * hand, or announced. `sealed` counts the plaintext before that segment. */
static bool more_follow(const struct envelope_sealer *s, size_t in_hand)
{
	return in_hand > ENVELOPE_SEGMENT ||
	       (s->has_length && (s->counter + 1) * ENVELOPE_SEGMENT < s->length);
}

/* Seals from the caller's bytes where a whole segment of them is in hand; holds what is left. */
static int add_stream(struct envelope_sealer *s, struct str bytes, struct buf *out, struct err *err)
{
	while (bytes.n > 0) {
		if (s->held_len == 0 && bytes.n >= ENVELOPE_SEGMENT && more_follow(s, bytes.n)) {
			TRY(seal_segment(
				s, base_str_n(bytes.p, ENVELOPE_SEGMENT), false, out, err));
			bytes = base_str_n(bytes.p + ENVELOPE_SEGMENT, bytes.n - ENVELOPE_SEGMENT);
			continue;
		}
		if (s->held_len == ENVELOPE_SEGMENT) {
			TRY(seal_segment(s, base_str_n(s->held, s->held_len), false, out, err));
			s->held_len = 0;
			continue;
		}
		const size_t room = ENVELOPE_SEGMENT - s->held_len;
		const size_t n = bytes.n < room ? bytes.n : room;
		memcpy(s->held + s->held_len, bytes.p, n);
		s->held_len += n;
		bytes = base_str_n(bytes.p + n, bytes.n - n);
	}
	return 0;
}

static int add_whole(struct envelope_sealer *s, struct str bytes, struct buf *out, struct err *err)
{
	uint8_t *to = NULL;
	int n = 0;

	if (bytes.n == 0)
		return 0;
	TRY(base_buf_room(out, bytes.n, &to, err));
	if (EVP_CipherUpdate(s->cipher, to, &n, (const uint8_t *)bytes.p, (int)bytes.n) != 1)
		return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
	base_buf_added(out, bytes.n);
	return 0;
}

static int add(struct envelope_sealer *s, struct str bytes, struct buf *out, struct err *err)
{
	if (s->has_length && bytes.n > s->length - s->total)
		return REFUSE(err, LENGTH, "more bytes than announced");
	s->total += bytes.n;
	if (s->mode == ENVELOPE_WHOLE)
		return add_whole(s, bytes, out, err);
	return add_stream(s, bytes, out, err);
}

int envelope_sealer_add(
	struct envelope_sealer *s, struct str bytes, struct buf *out, struct err *err)
{
	if (s->state != ENVELOPE_STATE_OPEN)
		return FAIL(err, ERR_BUG, "a sealer that is not open");
	const int r = add(s, bytes, out, err);
	if (r < 0)
		s->state = ENVELOPE_STATE_DEAD;
	return r;
}

int envelope_sealer_end(struct envelope_sealer *s, struct buf *out, struct err *err)
{
	uint8_t *to = NULL;

	if (s->state != ENVELOPE_STATE_OPEN)
		return FAIL(err, ERR_BUG, "a sealer that is not open");
	s->state = ENVELOPE_STATE_DEAD;
	if (s->has_length && s->total != s->length)
		return REFUSE(err, LENGTH, "fewer bytes than announced");
	if (s->mode == ENVELOPE_STREAM) {
		TRY(seal_segment(s, base_str_n(s->held, s->held_len), true, out, err));
	} else {
		TRY(base_buf_room(out, ENVELOPE_TAG_LEN, &to, err));
		TRY(envelope_tag_get(s->cipher, to, err));
		base_buf_added(out, ENVELOPE_TAG_LEN);
	}
	s->state = ENVELOPE_STATE_ENDED;
	return 0;
}
