#include "pkg/pre/internal.h"

#include <secp256k1_preallocated.h>

#include "pkg/base/alloc.h"

/* RFC 9380, suite secp256k1_XMD:SHA-256_SSWU_RO_, of "POINT_U" under the tag "PARAMETERS". */
const uint8_t pre_u_bytes[PRE_POINT_LEN] = {0x03, 0x07, 0x93, 0x90, 0xd0, 0xfb, 0xe2, 0x20, 0xfc,
	0x34, 0xaa, 0xb8, 0xec, 0xbf, 0x49, 0x09, 0x80, 0x98, 0x03, 0x68, 0x20, 0xfa, 0xdb, 0x98,
	0xc0, 0x31, 0x43, 0xe5, 0x5d, 0xb8, 0xec, 0x73, 0xcd};

/* Multiple of every fundamental alignment, so that the curve's memory behind it is aligned. */
#define HEAD_LEN ((sizeof(struct pre_context) + 63) / 64 * 64)

/* The library's own callback ends the process. Ours lets the call return 0, which is checked. */
static void on_illegal(const char *message, void *data)
{
	(void)message;
	(void)data;
}

static int set_up_curve(struct pre_context *ctx, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret seed = {0};

	TRY(base_random(ctx->env, seed.b, sizeof(seed.b), err));
	ctx->curve = secp256k1_context_preallocated_create(
		(uint8_t *)ctx + HEAD_LEN, SECP256K1_CONTEXT_NONE);
	secp256k1_context_set_illegal_callback(ctx->curve, on_illegal, NULL);
	if (!secp256k1_context_randomize(ctx->curve, seed.b) ||
		!pre_point_parse(ctx, pre_u_bytes, &ctx->u))
		return FAIL(err, ERR_BUG, "the curve library refuses its own constants");
	return 0;
}

static int set_up_evp(struct pre_context *ctx, struct err *err)
{
	ctx->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	ctx->chacha = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	if (!ctx->sha256 || !ctx->chacha)
		return FAIL(err, ERR_TERMINAL, "OpenSSL offers no SHA-256 or ChaCha20-Poly1305");
	ctx->md = EVP_MD_CTX_new();
	ctx->cipher = EVP_CIPHER_CTX_new();
	if (!ctx->md || !ctx->cipher)
		return FAIL(err, ERR_NOMEM, "contexts of OpenSSL");
	return 0;
}

int pre_context_new(const struct env *env, struct pre_context **ret, struct err *err)
{
	const size_t n = secp256k1_context_preallocated_size(SECP256K1_CONTEXT_NONE);
	_cleanup_(pre_context_free) struct pre_context *ctx = base_alloc(1, HEAD_LEN + n);

	if (!ctx)
		return FAIL(err, ERR_NOMEM, "a curve context of %zu bytes", HEAD_LEN + n);
	ctx->env = env;
	TRY(set_up_curve(ctx, err));
	TRY(set_up_evp(ctx, err));
	*ret = STEAL(ctx);
	return 0;
}

struct pre_context *pre_context_free(struct pre_context *ctx)
{
	if (!ctx)
		return NULL;
	EVP_CIPHER_CTX_free(ctx->cipher);
	EVP_CIPHER_free(ctx->chacha);
	EVP_MD_CTX_free(ctx->md);
	EVP_MD_free(ctx->sha256);
	if (ctx->curve)
		secp256k1_context_preallocated_destroy(ctx->curve);
	base_wipe(ctx, HEAD_LEN + secp256k1_context_preallocated_size(SECP256K1_CONTEXT_NONE));
	return base_free(ctx);
}
