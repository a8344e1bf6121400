#include "pkg/envelope/body_internal.h"

#include "pkg/base/alloc.h"

#include <string.h>

int envelope_context_new(const struct env *env, struct envelope_context **ret, struct err *err)
{
	_cleanup_(envelope_context_free) struct envelope_context *ctx = base_alloc(1, sizeof(*ctx));
	uint8_t *room = NULL;

	if (!ctx)
		return FAIL(err, ERR_NOMEM, "envelope context");
	ctx->env = env;
	/* One byte more than a header may have, so that it is the header's own limit that tells. */
	ctx->scratch = base_buf(ENVELOPE_PROTECTED_MAX + 1);
	TRY(base_buf_room(&ctx->scratch, ctx->scratch.max, &room, err));
	ctx->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	ctx->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	ctx->md = EVP_MD_CTX_new();
	ctx->cipher = EVP_CIPHER_CTX_new();
	if (!ctx->sha256 || !ctx->gcm || !ctx->md || !ctx->cipher)
		return FAIL(err, ERR_TERMINAL, "libcrypto has no SHA-256 or AES-256-GCM");
	/* The first use of a context allocates: it happens here and not in a sandbox. */
	if (EVP_DigestInit_ex(ctx->md, ctx->sha256, NULL) != 1 ||
		EVP_CipherInit_ex(ctx->cipher, ctx->gcm, NULL, NULL, NULL, 1) != 1)
		return FAIL(err, ERR_TERMINAL, "libcrypto refuses SHA-256 or AES-256-GCM");
	*ret = STEAL(ctx);
	return 0;
}

struct envelope_context *envelope_context_free(struct envelope_context *ctx)
{
	if (!ctx)
		return NULL;
	EVP_CIPHER_CTX_free(ctx->cipher);
	EVP_MD_CTX_free(ctx->md);
	EVP_CIPHER_free(ctx->gcm);
	EVP_MD_free(ctx->sha256);
	base_buf_done(&ctx->scratch);
	return base_free(ctx);
}

int envelope_header_fresh(struct envelope_context *ctx, struct envelope_header *h, struct err *err)
{
	const int64_t wall = base_wall_ns(ctx->env);
	uint8_t random[ENVELOPE_ID_LEN + ENVELOPE_IV_LEN];

	TRY(base_random(ctx->env, random, sizeof(random), err));
	memcpy(h->id, random, ENVELOPE_ID_LEN);
	memcpy(h->iv, random + ENVELOPE_ID_LEN, ENVELOPE_IV_LEN);
	h->iat = wall > 0 ? (uint64_t)(wall / NS_PER_S) : 0;
	return 0;
}
