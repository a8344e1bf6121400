#include "pkg/pre/secret.h"

static uint32_t load32(const uint8_t *b)
{
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static uint32_t rotate(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 12);
	*a += *b;
	*d = rotate(*d ^ *a, 8);
	*c += *d;
	*b = rotate(*b ^ *c, 7);
}

void pre_hchacha20(const struct secret *key, const uint8_t nonce[static 16], struct secret *ret)
{
	uint32_t x[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

	for (size_t i = 0; i < 8; i++)
		x[4 + i] = load32(key->b + 4 * i);
	for (size_t i = 0; i < 4; i++)
		x[12 + i] = load32(nonce + 4 * i);
	for (int round = 0; round < 10; round++) {
		for (size_t i = 0; i < 4; i++)
			quarter_round(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
		for (size_t i = 0; i < 4; i++)
			quarter_round(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4],
				&x[12 + (i + 3) % 4]);
	}
	for (size_t i = 0; i < 8; i++) {
		const uint32_t word = i < 4 ? x[i] : x[8 + i];
		for (size_t j = 0; j < 4; j++)
			ret->b[4 * i + j] = (uint8_t)(word >> (8 * j));
	}
	base_wipe(x, sizeof(x));
}

int pre_dem_start(struct pre_context *ctx, const struct pre_secret_point *seed,
	const uint8_t nonce[static PRE_NONCE_LEN], bool seal, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret key = {0};
	_cleanup_(base_secret_wipe) struct secret subkey = {0};
	uint8_t iv[12] = {0};

	TRY(pre_hkdf(ctx, pre_part(seed->b, sizeof(seed->b)), STR_NULL, key.b, sizeof(key.b), err));
	pre_hchacha20(&key, nonce, &subkey);
	memcpy(iv + 4, nonce + 16, PRE_NONCE_LEN - 16);
	if (EVP_CipherInit_ex2(ctx->cipher, ctx->chacha, subkey.b, iv, seal, NULL) != 1)
		return FAIL(err, ERR_NOMEM, "ChaCha20-Poly1305 of OpenSSL fails");
	return 0;
}

static bool seal(EVP_CIPHER_CTX *cipher, const uint8_t aad[static PRE_SIMPLE_LEN],
	struct str plaintext, uint8_t *ret)
{
	uint8_t *tag = ret + plaintext.n;
	int n = 0;

	return EVP_CipherUpdate(cipher, NULL, &n, aad, PRE_SIMPLE_LEN) == 1 &&
	       (plaintext.n == 0 || EVP_CipherUpdate(cipher, ret, &n, (const uint8_t *)plaintext.p,
					    (int)plaintext.n) == 1) &&
	       EVP_CipherFinal_ex(cipher, tag, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, PRE_TAG_LEN, tag) == 1;
}

int pre_dem_seal(struct pre_context *ctx, const struct pre_secret_point *seed,
	const uint8_t capsule[static PRE_CAPSULE_LEN], struct str plaintext, uint8_t *ret,
	struct err *err)
{
	uint8_t aad[PRE_SIMPLE_LEN];
	uint8_t nonce[PRE_NONCE_LEN];

	if (plaintext.n > PRE_PLAINTEXT_MAX)
		return FAIL(err, ERR_TOO_LARGE, "a plaintext of %zu bytes", plaintext.n);
	TRY(base_random(ctx->env, nonce, sizeof(nonce), err));
	pre_declassify(nonce, sizeof(nonce));
	pre_capsule_simple(capsule, aad);
	int r = pre_dem_start(ctx, seed, nonce, true, err);
	if (r == 0 && !seal(ctx->cipher, aad, plaintext, ret + sizeof(nonce)))
		r = FAIL(err, ERR_NOMEM, "ChaCha20-Poly1305 of OpenSSL fails");
	/* Frees and wipes the key schedule. */
	(void)EVP_CIPHER_CTX_reset(ctx->cipher);
	if (r == 0)
		memcpy(ret, nonce, sizeof(nonce));
	return r;
}
