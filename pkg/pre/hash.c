#include "pkg/pre/internal.h"

#define HMAC_BLOCK 64

static bool digest_parts(struct pre_context *ctx, const struct str *parts, size_t n)
{
	if (EVP_DigestInit_ex2(ctx->md, ctx->sha256, NULL) != 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (parts[i].n && EVP_DigestUpdate(ctx->md, parts[i].p, parts[i].n) != 1)
			return false;
	return true;
}

int pre_sha256(struct pre_context *ctx, const struct str *parts, size_t n,
	uint8_t ret[static PRE_HASH_LEN], struct err *err)
{
	if (!digest_parts(ctx, parts, n) || EVP_DigestFinal_ex(ctx->md, ret, NULL) != 1)
		return FAIL(err, ERR_NOMEM, "SHA-256 of OpenSSL fails");
	/* Starting anew overwrites the state, which is the digest of a secret in many calls. */
	(void)EVP_DigestInit_ex2(ctx->md, ctx->sha256, NULL);
	return 0;
}

struct pre_fingerprint pre_fingerprint(const struct pre_public_key *key)
{
	uint8_t digest[PRE_HASH_LEN];
	struct pre_fingerprint fp;

	base_assert(EVP_Digest(key->b, sizeof(key->b), digest, NULL, EVP_sha256(), NULL) == 1);
	memcpy(fp.b, digest, sizeof(fp.b));
	return fp;
}

int pre_hash_to_scalar(struct pre_context *ctx, const char *domain, const struct str *parts,
	size_t n, uint8_t ret[static PRE_SCALAR_LEN], struct err *err)
{
	struct str all[12];
	_cleanup_(base_secret_wipe) struct secret digest = {0};
	const size_t len = strlen(domain);
	const uint8_t be[4] = {0, 0, (uint8_t)(len >> 8), (uint8_t)len};

	if (n > ARRAY_LEN(all) - 2 || len > UINT16_MAX)
		return FAIL(err, ERR_BUG, "%zu parts under a domain of %zu bytes", n, len);
	all[0] = pre_part(be, sizeof(be));
	all[1] = base_str_n(domain, len);
	memcpy(all + 2, parts, n * sizeof(*parts));
	TRY(pre_sha256(ctx, all, n + 2, digest.b, err));
	pre_digest_to_scalar(digest.b, ret);
	return 0;
}

static int hmac(struct pre_context *ctx, const struct secret *key, const struct str *parts,
	size_t n, struct secret *ret, struct err *err)
{
	uint8_t pad[HMAC_BLOCK];
	struct str all[4];
	_cleanup_(base_secret_wipe) struct secret inner = {0};

	if (n > ARRAY_LEN(all) - 1)
		return FAIL(err, ERR_BUG, "%zu parts", n);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] = (i < sizeof(key->b) ? key->b[i] : 0) ^ 0x36;
	all[0] = pre_part(pad, sizeof(pad));
	memcpy(all + 1, parts, n * sizeof(*parts));
	int r = pre_sha256(ctx, all, n + 1, inner.b, err);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	all[1] = pre_part(inner.b, sizeof(inner.b));
	if (r == 0)
		r = pre_sha256(ctx, all, 2, ret->b, err);
	base_wipe(pad, sizeof(pad));
	return r;
}

int pre_hkdf(struct pre_context *ctx, struct str ikm, struct str info, uint8_t *ret, size_t n,
	struct err *err)
{
	static const struct secret no_salt;
	_cleanup_(base_secret_wipe) struct secret prk = {0};
	_cleanup_(base_secret_wipe) struct secret block = {0};

	if (n > 2 * sizeof(block.b))
		return FAIL(err, ERR_BUG, "HKDF of %zu bytes", n);
	TRY(hmac(ctx, &no_salt, &ikm, 1, &prk, err));
	for (uint8_t i = 1; n > 0; i++) {
		const struct str parts[] = {
			base_str_n(block.b, i > 1 ? sizeof(block.b) : 0), info, pre_part(&i, 1)};
		const size_t take = n < sizeof(block.b) ? n : sizeof(block.b);

		TRY(hmac(ctx, &prk, parts, ARRAY_LEN(parts), &block, err));
		memcpy(ret, block.b, take);
		ret += take;
		n -= take;
	}
	return 0;
}
