#include "pkg/envelope/body_internal.h"

#include "pkg/base/alloc.h"

#include <string.h>

#define SEALED_SEGMENT (ENVELOPE_SEGMENT + ENVELOPE_TAG_LEN)

void envelope_opener_done(struct envelope_opener *o)
{
	if (!o)
		return;
	envelope_stream_release(o->cipher, o->held, SEALED_SEGMENT);
	base_buf_wipe(&o->whole);
	*o = (struct envelope_opener){0};
}

static int prepare(struct envelope_opener *o, struct envelope_context *ctx,
	const struct envelope_message *m, const struct envelope_keys *keys, struct err *err)
{
	o->cipher = EVP_CIPHER_CTX_new();
	if (!o->cipher)
		return FAIL(err, ERR_NOMEM, "cipher context");
	TRY(envelope_cipher_key(o->cipher, ctx->gcm, &keys->cek, false, err));
	if (o->mode == ENVELOPE_WHOLE) {
		if (EVP_CipherInit_ex(o->cipher, NULL, NULL, NULL, m->header.iv, -1) != 1)
			return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
		return envelope_whole_aad(o->cipher, m->protected, err);
	}
	o->held = base_alloc(1, SEALED_SEGMENT);
	if (!o->held)
		return FAIL(err, ERR_NOMEM, "segment buffer");
	return envelope_stream_aad(ctx, m->protected, o->aad, err);
}

int envelope_opener_begin_any(struct envelope_opener *o, struct envelope_context *ctx,
	const struct envelope_message *m, const struct secret *k, struct err *err)
{
	_cleanup_(envelope_keys_wipe) struct envelope_keys keys = {0};
	_cleanup_(envelope_opener_done) struct envelope_opener new = {
		.mode = m->header.mode,
		.has_length = m->header.has_length,
		.length = m->header.length,
		.state = ENVELOPE_STATE_OPEN,
	};

	if (m->header.mode == ENVELOPE_WHOLE) {
		if (m->body_len < ENVELOPE_TAG_LEN)
			return REFUSE(err, SHAPE, "a body without a tag");
		new.has_length = true;
		new.length = m->body_len - ENVELOPE_TAG_LEN;
		new.whole = base_buf(new.length);
	}
	TRY(envelope_keys_of(ctx, m, k, &keys, err));
	TRY(prepare(&new, ctx, m, &keys, err));
	*o = new;
	new = (struct envelope_opener){0};
	return 0;
}

int envelope_opener_begin(struct envelope_opener *o, struct envelope_context *ctx,
	const struct envelope_message *m, const struct secret *k, struct err *err)
{
	if (m->header.sender != ENVELOPE_SENDER_NONE)
		return REFUSE(err, SENDER, "signed messages are not taken here");
	return envelope_opener_begin_any(o, ctx, m, k, err);
}

static int open_segment(
	struct envelope_opener *o, struct str sealed, bool last, struct buf *out, struct err *err)
{
	const struct envelope_segment segment = {
		.cipher = o->cipher, .aad = o->aad, .counter = o->counter, .last = last};

	const size_t plain = sealed.n - ENVELOPE_TAG_LEN;
	TRY(envelope_segment_open(&segment, sealed, out, err));
	if (o->has_length && plain > o->length - o->total) {
		out->len -= plain;
		base_wipe(out->data + out->len, plain);
		return REFUSE(err, LENGTH, "more bytes than the header states");
	}
	o->counter++;
	o->total += plain;
	return 0;
}

/* As for sealing: a full segment is not the last one if more bytes are in hand or announced. The
 * commitment has shown that the announced length is the sender's. */
static bool more_follow(const struct envelope_opener *o, size_t in_hand)
{
	return in_hand > SEALED_SEGMENT ||
	       (o->has_length && o->total + ENVELOPE_SEGMENT < o->length);
}

static int add_stream(struct envelope_opener *o, struct str bytes, struct buf *out, struct err *err)
{
	while (bytes.n > 0) {
		if (o->held_len == 0 && bytes.n >= SEALED_SEGMENT && more_follow(o, bytes.n)) {
			TRY(open_segment(o, base_str_n(bytes.p, SEALED_SEGMENT), false, out, err));
			bytes = base_str_n(bytes.p + SEALED_SEGMENT, bytes.n - SEALED_SEGMENT);
			continue;
		}
		if (o->held_len == SEALED_SEGMENT) {
			TRY(open_segment(o, base_str_n(o->held, o->held_len), false, out, err));
			o->held_len = 0;
			continue;
		}
		const size_t room = SEALED_SEGMENT - o->held_len;
		const size_t n = bytes.n < room ? bytes.n : room;
		memcpy(o->held + o->held_len, bytes.p, n);
		o->held_len += n;
		bytes = base_str_n(bytes.p + n, bytes.n - n);
	}
	return 0;
}

/* Decrypts as bytes arrive, into a buffer that nobody sees before the tag verified. */
static int add_whole(struct envelope_opener *o, struct str bytes, struct err *err)
{
	const uint64_t left = o->length + ENVELOPE_TAG_LEN - o->total;
	uint8_t *to = NULL;
	int n = 0;

	if (bytes.n > left)
		return REFUSE(err, TRAILING, "bytes after the body");
	const size_t text = o->total >= o->length            ? 0
			    : bytes.n < o->length - o->total ? bytes.n
							     : (size_t)(o->length - o->total);
	if (text > 0) {
		TRY(base_buf_room(&o->whole, text, &to, err));
		if (EVP_CipherUpdate(o->cipher, to, &n, (const uint8_t *)bytes.p, (int)text) != 1)
			return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
		base_buf_added(&o->whole, text);
		o->total += text;
	}
	if (bytes.n > text) {
		memcpy(o->tag + (o->total - o->length), bytes.p + text, bytes.n - text);
		o->total += bytes.n - text;
	}
	return 0;
}

int envelope_opener_add(
	struct envelope_opener *o, struct str bytes, struct buf *out, struct err *err)
{
	if (o->state != ENVELOPE_STATE_OPEN)
		return FAIL(err, ERR_BUG, "an opener that is not open");
	const int r = o->mode == ENVELOPE_WHOLE ? add_whole(o, bytes, err)
						: add_stream(o, bytes, out, err);
	if (r < 0)
		o->state = ENVELOPE_STATE_DEAD;
	return r;
}

int envelope_opener_end_whole(struct envelope_opener *o, struct err *err)
{
	if (o->state != ENVELOPE_STATE_OPEN)
		return FAIL(err, ERR_BUG, "an opener that is not open");
	o->state = ENVELOPE_STATE_DEAD;
	if (o->total != o->length + ENVELOPE_TAG_LEN)
		return REFUSE(err, TRUNCATED, "the body is not complete");
	TRY(envelope_tag_check(o->cipher, o->tag, err));
	o->state = ENVELOPE_STATE_ENDED;
	return 0;
}

/* Only the plaintext of no bytes may end with an empty segment: one plaintext, one encoding. */
static int end_stream(struct envelope_opener *o, struct buf *out, struct err *err)
{
	const size_t least = ENVELOPE_TAG_LEN + (o->counter > 0);

	/* A cut between segments has one reason, whether or not the length was announced. */
	if (o->held_len == 0 && o->counter > 0)
		return REFUSE(err, BODY, "the last segment is missing");
	if (o->held_len < least)
		return REFUSE(err, TRUNCATED, "the stream ends inside of a segment");
	TRY(open_segment(o, base_str_n(o->held, o->held_len), true, out, err));
	if (o->has_length && o->total != o->length)
		return REFUSE(err, LENGTH, "fewer bytes than the header states");
	return 0;
}

int envelope_opener_end(struct envelope_opener *o, struct buf *out, struct err *err)
{
	if (o->mode == ENVELOPE_WHOLE) {
		TRY(envelope_opener_end_whole(o, err));
		return base_buf_add(out, o->whole.data, o->whole.len, err);
	}
	if (o->state != ENVELOPE_STATE_OPEN)
		return FAIL(err, ERR_BUG, "an opener that is not open");
	o->state = ENVELOPE_STATE_DEAD;
	TRY(end_stream(o, out, err));
	o->state = ENVELOPE_STATE_ENDED;
	return 0;
}
