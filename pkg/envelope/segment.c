#include "pkg/envelope/body_internal.h"

#include "pkg/base/alloc.h"

#include <string.h>

int envelope_tag_get(EVP_CIPHER_CTX *cipher, uint8_t *tag, struct err *err)
{
	uint8_t none[ENVELOPE_TAG_LEN];
	int n = 0;

	if (EVP_CipherFinal_ex(cipher, none, &n) != 1 ||
		EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, ENVELOPE_TAG_LEN, tag) != 1)
		return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
	return 0;
}

int envelope_tag_check(EVP_CIPHER_CTX *cipher, const uint8_t *tag, struct err *err)
{
	uint8_t copy[ENVELOPE_TAG_LEN];
	uint8_t none[ENVELOPE_TAG_LEN];
	int n = 0;

	memcpy(copy, tag, sizeof(copy));
	if (EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, ENVELOPE_TAG_LEN, copy) != 1)
		return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
	if (EVP_CipherFinal_ex(cipher, none, &n) != 1)
		return REFUSE(err, BODY, "the tag does not verify");
	return 0;
}

/* Sets nonce = be88(counter) ‖ last and feeds the associated data; the key stays. */
static int start(const struct envelope_segment *s, struct err *err)
{
	uint8_t nonce[ENVELOPE_IV_LEN] = {0};
	int n = 0;

	if (s->counter >= ENVELOPE_SEGMENTS_MAX)
		return REFUSE(err, SIZE, "a stream has at most 2^24 segments");
	for (size_t i = 0; i < 8; i++)
		nonce[ENVELOPE_IV_LEN - 2 - i] = (uint8_t)(s->counter >> (8 * i));
	nonce[ENVELOPE_IV_LEN - 1] = s->last;
	if (EVP_CipherInit_ex(s->cipher, NULL, NULL, NULL, nonce, -1) != 1 ||
		EVP_CipherUpdate(s->cipher, NULL, &n, s->aad, ENVELOPE_HASH_LEN) != 1)
		return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
	return 0;
}

int envelope_segment_seal(
	const struct envelope_segment *s, struct str plaintext, struct buf *out, struct err *err)
{
	uint8_t *to = NULL;
	int n = 0;

	TRY(start(s, err));
	TRY(base_buf_room(out, plaintext.n + ENVELOPE_TAG_LEN, &to, err));
	if (plaintext.n && EVP_CipherUpdate(s->cipher, to, &n, (const uint8_t *)plaintext.p,
				   (int)plaintext.n) != 1)
		return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
	TRY(envelope_tag_get(s->cipher, to + plaintext.n, err));
	base_buf_added(out, plaintext.n + ENVELOPE_TAG_LEN);
	return 0;
}

/* Decrypts into the room behind the buffer's end, which becomes part of it only if the tag fits. */
int envelope_segment_open(
	const struct envelope_segment *s, struct str sealed, struct buf *out, struct err *err)
{
	const size_t plain = sealed.n - ENVELOPE_TAG_LEN;
	const uint8_t *from = (const uint8_t *)sealed.p;
	uint8_t *to = NULL;
	int n = 0;

	TRY(start(s, err));
	TRY(base_buf_room(out, plain, &to, err));
	if (plain && EVP_CipherUpdate(s->cipher, to, &n, from, (int)plain) != 1)
		return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
	const int r = envelope_tag_check(s->cipher, from + plain, err);
	if (r < 0) {
		base_wipe(to, plain);
		return r;
	}
	base_buf_added(out, plain);
	return 0;
}

void envelope_stream_release(void *cipher, uint8_t *held, size_t held_size)
{
	EVP_CIPHER_CTX_free(cipher);
	if (held)
		base_wipe(held, held_size);
	base_free(held);
}
