#include "pkg/pre/secret.h"

static bool open_with(EVP_CIPHER_CTX *cipher, const uint8_t aad[static PRE_SIMPLE_LEN],
	const uint8_t *body, size_t n, uint8_t *ret)
{
	uint8_t tag[PRE_TAG_LEN];
	uint8_t unused[PRE_TAG_LEN];
	int got = 0;

	memcpy(tag, body + n, sizeof(tag));
	return EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, PRE_TAG_LEN, tag) == 1 &&
	       EVP_CipherUpdate(cipher, NULL, &got, aad, PRE_SIMPLE_LEN) == 1 &&
	       (n == 0 || EVP_CipherUpdate(cipher, ret, &got, body, (int)n) == 1) &&
	       EVP_CipherFinal_ex(cipher, unused, &got) == 1;
}

int pre_dem_open(struct pre_context *ctx, const struct pre_secret_point *seed,
	const uint8_t capsule[static PRE_CAPSULE_LEN], struct str ciphertext, uint8_t *ret,
	struct err *err)
{
	const uint8_t *nonce = (const uint8_t *)ciphertext.p;
	uint8_t aad[PRE_SIMPLE_LEN];

	if (ciphertext.n < PRE_NONCE_LEN)
		return PRE_FAIL(err, SHORT);
	if (ciphertext.n < PRE_WRAP_OVERHEAD)
		return PRE_FAIL(err, AUTHENTICATION);
	const size_t n = ciphertext.n - PRE_WRAP_OVERHEAD;
	if (n > PRE_PLAINTEXT_MAX)
		return FAIL(err, ERR_TOO_LARGE, "a ciphertext of %zu bytes", ciphertext.n);
	pre_capsule_simple(capsule, aad);
	int r = pre_dem_start(ctx, seed, nonce, false, err);
	if (r == 0 && !open_with(ctx->cipher, aad, nonce + PRE_NONCE_LEN, n, ret)) {
		base_wipe(ret, n);
		r = PRE_FAIL(err, AUTHENTICATION);
	}
	/* Frees and wipes the key schedule. */
	(void)EVP_CIPHER_CTX_reset(ctx->cipher);
	return r;
}

int pre_dem_open_add(struct pre_context *ctx, const struct pre_secret_point *seed,
	const uint8_t capsule[static PRE_CAPSULE_LEN], struct str ciphertext, struct buf *ret,
	struct err *err)
{
	const size_t n = ciphertext.n < PRE_WRAP_OVERHEAD ? 0 : ciphertext.n - PRE_WRAP_OVERHEAD;
	uint8_t *room = NULL;

	TRY(base_buf_room(ret, n, &room, err));
	TRY(pre_dem_open(ctx, seed, capsule, ciphertext, room, err));
	base_buf_added(ret, n);
	return 0;
}
