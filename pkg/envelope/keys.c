#include "pkg/envelope/body_internal.h"

#include "pkg/envelope/cbor.h"
#include "pkg/envelope/header_internal.h"

#include <string.h>

#define HASH_BLOCK 64

static const char body_label[] = "functionkey/v1/body\x01";
static const char commit_label[] = "functionkey/v1/commit\x01";

void envelope_keys_wipe(struct envelope_keys *keys)
{
	if (keys)
		base_wipe(keys, sizeof(*keys));
}

/* SHA-256 of two parts; contexts are reused because setting one up costs more than hashing. */
static int hash2(
	struct envelope_context *ctx, struct str a, struct str b, uint8_t *ret, struct err *err)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_DigestInit_ex(ctx->md, ctx->sha256, NULL) != 1 ||
		EVP_DigestUpdate(ctx->md, a.p, a.n) != 1 ||
		(b.n && EVP_DigestUpdate(ctx->md, b.p, b.n) != 1) ||
		EVP_DigestFinal_ex(ctx->md, digest, &n) != 1 || n != ENVELOPE_HASH_LEN)
		return FAIL(err, ERR_TERMINAL, "SHA-256");
	memcpy(ret, digest, ENVELOPE_HASH_LEN);
	base_wipe(digest, sizeof(digest));
	return 0;
}

int envelope_hash(struct envelope_context *ctx, struct str bytes,
	uint8_t ret_hash[static ENVELOPE_HASH_LEN], struct err *err)
{
	return hash2(ctx, bytes, STR_NULL, ret_hash, err);
}

/* HMAC-SHA256 with a 32-byte key (RFC 2104) over the reused digest context: EVP_MAC sets up three
 * contexts for each key, which costs more than the four blocks hashed here. */
int envelope_hmac(struct envelope_context *ctx, const uint8_t key[static SECRET_LEN],
	struct str message, uint8_t *ret, struct err *err)
{
	uint8_t pad[HASH_BLOCK];
	uint8_t inner[ENVELOPE_HASH_LEN];

	memset(pad, 0x36, sizeof(pad));
	for (size_t i = 0; i < SECRET_LEN; i++)
		pad[i] = (uint8_t)(key[i] ^ 0x36);
	int r = hash2(ctx, base_str_n(pad, sizeof(pad)), message, inner, err);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	if (r == 0)
		r = hash2(ctx, base_str_n(pad, sizeof(pad)), base_str_n(inner, sizeof(inner)), ret,
			err);
	base_wipe(pad, sizeof(pad));
	base_wipe(inner, sizeof(inner));
	return r;
}

int envelope_keys_derive(struct envelope_context *ctx, struct str protected, const struct secret *k,
	struct envelope_keys *ret, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret prk = {0};
	_cleanup_(envelope_keys_wipe) struct envelope_keys keys = {0};
	uint8_t h[ENVELOPE_HASH_LEN] = {0};

	TRY(envelope_hash(ctx, protected, h, err));
	TRY(envelope_hmac(ctx, h, base_str_n(k->b, sizeof(k->b)), prk.b, err));
	TRY(envelope_hmac(
		ctx, prk.b, base_str_n(body_label, sizeof(body_label) - 1), keys.cek.b, err));
	TRY(envelope_hmac(
		ctx, prk.b, base_str_n(commit_label, sizeof(commit_label) - 1), keys.commit, err));
	*ret = keys;
	return 0;
}

int envelope_keys_of(struct envelope_context *ctx, const struct envelope_message *m,
	const struct secret *k, struct envelope_keys *ret, struct err *err)
{
	_cleanup_(envelope_keys_wipe) struct envelope_keys keys;

	TRY(envelope_keys_derive(ctx, m->protected, k, &keys, err));
	if (!base_ct_equal(keys.commit, m->commit, sizeof(keys.commit)))
		return REFUSE(err, COMMITMENT, "header or secret was changed");
	*ret = keys;
	return 0;
}

int envelope_commit_check(struct envelope_context *ctx, const struct envelope_message *m,
	const struct secret *k, struct err *err)
{
	_cleanup_(envelope_keys_wipe) struct envelope_keys keys;

	return envelope_keys_of(ctx, m, k, &keys, err);
}

/* Enc_structure = ["Encrypt0", protected, h'']: what stands before and after the protected bytes.
 */
struct frame {
	uint8_t p[16];
	size_t n;
};

static const uint8_t after_protected[] = {0x40};

static struct frame before_protected(size_t n)
{
	/* An encoded header has never fewer bytes: the one-byte length form cannot occur. */
	base_assert(n >= 24 && n <= ENVELOPE_PROTECTED_MAX);
	struct frame f = {.p = "\x83\x68"
			       "Encrypt0",
		.n = 10};

	if (n >= 256) {
		f.p[f.n++] = 0x59;
		f.p[f.n++] = (uint8_t)(n >> 8);
	} else {
		f.p[f.n++] = 0x58;
	}
	f.p[f.n++] = (uint8_t)n;
	return f;
}

int envelope_stream_aad(struct envelope_context *ctx, struct str protected,
	uint8_t ret_aad[static ENVELOPE_HASH_LEN], struct err *err)
{
	const struct frame f = before_protected(protected.n);
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (EVP_DigestInit_ex(ctx->md, ctx->sha256, NULL) != 1 ||
		EVP_DigestUpdate(ctx->md, f.p, f.n) != 1 ||
		EVP_DigestUpdate(ctx->md, protected.p, protected.n) != 1 ||
		EVP_DigestUpdate(ctx->md, after_protected, sizeof(after_protected)) != 1 ||
		EVP_DigestFinal_ex(ctx->md, digest, NULL) != 1)
		return FAIL(err, ERR_TERMINAL, "SHA-256");
	memcpy(ret_aad, digest, ENVELOPE_HASH_LEN);
	return 0;
}

int envelope_whole_aad(EVP_CIPHER_CTX *cipher, struct str protected, struct err *err)
{
	const struct frame f = before_protected(protected.n);
	int n = 0;

	if (EVP_CipherUpdate(cipher, NULL, &n, f.p, (int)f.n) != 1 ||
		EVP_CipherUpdate(
			cipher, NULL, &n, (const uint8_t *)protected.p, (int)protected.n) != 1 ||
		EVP_CipherUpdate(cipher, NULL, &n, after_protected, sizeof(after_protected)) != 1)
		return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
	return 0;
}

int envelope_cipher_key(EVP_CIPHER_CTX *cipher, const EVP_CIPHER *gcm, const struct secret *cek,
	bool seal, struct err *err)
{
	if (EVP_CipherInit_ex(cipher, gcm, NULL, cek->b, NULL, seal) != 1)
		return FAIL(err, ERR_TERMINAL, "AES-256-GCM");
	return 0;
}

static int put_head(struct envelope_context *ctx, const struct envelope_header *h,
	uint64_t plain_len, const uint8_t *commit, struct buf *out, struct err *err)
{
	TRY(envelope_cbor_put_tag(out, COSE_TAG_ENCRYPT0, err));
	TRY(envelope_cbor_put_array(out, 3, err));
	TRY(envelope_cbor_put_bytes(out, ctx->scratch.data, ctx->scratch.len, err));
	TRY(envelope_cbor_put_map(out, 1, err));
	TRY(envelope_cbor_put_int(out, COSE_COMMIT, err));
	TRY(envelope_cbor_put_bytes(out, commit, ENVELOPE_COMMIT_LEN, err));
	if (h->mode == ENVELOPE_STREAM)
		return envelope_cbor_put_nil(out, err);
	return envelope_cbor_put_bytes_head(out, plain_len + ENVELOPE_TAG_LEN, err);
}

int envelope_head(struct envelope_context *ctx, const struct envelope_header *h,
	const struct secret *k, uint64_t plain_len, struct envelope_keys *ret_keys, struct buf *out,
	struct err *err)
{
	_cleanup_(envelope_keys_wipe) struct envelope_keys keys;
	const size_t start = out->len;

	if (h->mode == ENVELOPE_WHOLE && plain_len > envelope_length_max(h))
		return REFUSE(err, SIZE, "a whole body has at most 1 MiB");
	if (h->mode == ENVELOPE_WHOLE && h->has_length && h->length != plain_len)
		return REFUSE(err, LENGTH, "the header states another length");
	base_buf_clear(&ctx->scratch);
	int r = envelope_header_encode(h, &ctx->scratch, err);
	if (r == -(int)ERR_TOO_LARGE)
		return REFUSE(err, SIZE, "the protected header");
	if (r < 0)
		return r;
	TRY(envelope_keys_derive(ctx, base_buf_str(&ctx->scratch), k, &keys, err));
	r = put_head(ctx, h, plain_len, keys.commit, out, err);
	if (r < 0) {
		out->len = start;
		return r;
	}
	*ret_keys = keys;
	return 0;
}
