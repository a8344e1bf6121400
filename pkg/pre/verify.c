#include "pkg/pre/internal.h"

bool pre_signature_wellformed(const struct pre_context *ctx, const uint8_t b[static PRE_SIG_LEN])
{
	return secp256k1_ec_seckey_verify(ctx->curve, b) &&
	       secp256k1_ec_seckey_verify(ctx->curve, b + PRE_SCALAR_LEN);
}

bool pre_verify_digest(const struct pre_context *ctx, const struct pre_public_key *key,
	const uint8_t digest[static PRE_HASH_LEN], const uint8_t sig[static PRE_SIG_LEN])
{
	struct pre_point point;
	secp256k1_ecdsa_signature parsed;

	return pre_point_parse(ctx, key->b, &point) &&
	       secp256k1_ecdsa_signature_parse_compact(ctx->curve, &parsed, sig) &&
	       secp256k1_ecdsa_verify(ctx->curve, &parsed, digest, pre_pk_const(&point));
}

int pre_statement(struct pre_context *ctx, const char *context, struct str message,
	uint8_t ret[static PRE_HASH_LEN], struct err *err)
{
	/* As in TLS 1.3. A kfrag's message has a point's tag, 02 or 03, at byte 32: never 20. */
	char prefix[64];

	memset(prefix, 0x20, sizeof(prefix));
	const struct str parts[] = {
		base_str_n(prefix, sizeof(prefix)),
		base_str_n(context, strlen(context) + 1), /* with its NUL */
		message,
	};
	return pre_sha256(ctx, parts, ARRAY_LEN(parts), ret, err);
}

int pre_verify(struct pre_context *ctx, const struct pre_public_key *key, const char *context,
	struct str message, const struct pre_signature *sig, struct err *err)
{
	uint8_t digest[PRE_HASH_LEN];

	TRY(pre_statement(ctx, context, message, digest, err));
	return pre_verify_digest(ctx, key, digest, sig->b) ? 0 : PRE_FAIL(err, SIGNATURE);
}

int pre_cose_digest(struct pre_context *ctx, struct str sig_structure,
	uint8_t ret[static PRE_HASH_LEN], struct err *err)
{
	/* An array of four, and its first item. */
	if (!base_str_starts(sig_structure, STR("\x84\x6a"
						"Signature1")) ||
		(sig_structure.n > PRE_SCALAR_LEN && (sig_structure.p[PRE_SCALAR_LEN] & ~1) == 2))
		return PRE_FAIL(err, PARSE);
	return pre_sha256(ctx, &sig_structure, 1, ret, err);
}

int pre_verify_cose(struct pre_context *ctx, const struct pre_public_key *key,
	struct str sig_structure, const struct pre_signature *sig, struct err *err)
{
	uint8_t digest[PRE_HASH_LEN];

	TRY(pre_cose_digest(ctx, sig_structure, digest, err));
	return pre_verify_digest(ctx, key, digest, sig->b) ? 0 : PRE_FAIL(err, SIGNATURE);
}

static size_t claim_key(struct str parts[static 2], const struct pre_public_key *key)
{
	static const uint8_t is_signed[] = {0, 1};

	parts[0] = pre_part(&is_signed[key != NULL], 1);
	parts[1] = key ? pre_part(key->b, sizeof(key->b)) : STR_NULL;
	return 2;
}

int pre_kfrag_digest(struct pre_context *ctx, const struct pre_kfrag_claim *claim,
	uint8_t ret[static PRE_HASH_LEN], struct err *err)
{
	struct str parts[7] = {
		pre_part(claim->id, PRE_SCALAR_LEN),
		pre_part(claim->commitment, PRE_POINT_LEN),
		pre_part(claim->precursor, PRE_POINT_LEN),
	};
	size_t n = 3;

	n += claim_key(parts + n, claim->delegating);
	n += claim_key(parts + n, claim->receiving);
	return pre_sha256(ctx, parts, n, ret, err);
}
