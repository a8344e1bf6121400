#include "pkg/pre/secret.h"

#include "pkg/pre/hold.h"

void pre_kfrag_wipe(struct pre_kfrag *kfrag)
{
	base_wipe(kfrag, sizeof(*kfrag));
}

static bool is_bool(uint8_t b)
{
	return b == PRE_MSGPACK_TRUE || b == PRE_MSGPACK_FALSE;
}

int pre_kfrag_parse(const struct pre_context *ctx, const uint8_t *p, size_t n,
	struct pre_kfrag *ret, struct err *err)
{
	struct pre_point x;
	struct pre_point c;

	if (n != PRE_KFRAG_LEN ||
		!pre_frame_matches(p, pre_kfrag_frames, ARRAY_LEN(pre_kfrag_frames)) ||
		!is_bool(p[PRE_KFRAG_DELEGATING]) || !is_bool(p[PRE_KFRAG_RECEIVING]) ||
		/* With another U, a made-up rk passes for the signed one. */
		memcmp(p + PRE_KFRAG_U, pre_u_bytes, PRE_POINT_LEN) != 0 ||
		!pre_scalar_in_range(p + PRE_KFRAG_RK) ||
		!pre_point_parse(ctx, p + PRE_KFRAG_X, &x) ||
		!pre_point_parse(ctx, p + PRE_KFRAG_C, &c) ||
		!pre_signature_wellformed(ctx, p + PRE_KFRAG_FOR_PROXY) ||
		!pre_signature_wellformed(ctx, p + PRE_KFRAG_FOR_RECEIVER))
		return PRE_FAIL(err, PARSE);
	memcpy(ret->b, p, sizeof(ret->b));
	ret->x = x;
	ret->c = c;
	return 0;
}

static int check_commitment(
	const struct pre_context *ctx, const struct pre_kfrag *kfrag, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret rk;
	_cleanup_(pre_secret_point_wipe) struct pre_secret_point c = {0};

	memcpy(rk.b, kfrag->b + PRE_KFRAG_RK, sizeof(rk.b));
	if (!pre_mul_secret(ctx, &rk, &ctx->u, &c) ||
		!pre_outcome(base_ct_equal(c.b, kfrag->b + PRE_KFRAG_C, sizeof(c.b))))
		return PRE_FAIL(err, COMMITMENT);
	return 0;
}

int pre_kfrag_verify(struct pre_context *ctx, const struct pre_kfrag *kfrag,
	const struct pre_public_key *verifying, const struct pre_public_key *delegating,
	const struct pre_public_key *receiving, struct err *err)
{
	const bool with_delegating = kfrag->b[PRE_KFRAG_DELEGATING] == PRE_MSGPACK_TRUE;
	const bool with_receiving = kfrag->b[PRE_KFRAG_RECEIVING] == PRE_MSGPACK_TRUE;
	const struct pre_kfrag_claim claim = {
		.id = kfrag->b + PRE_KFRAG_ID,
		.commitment = kfrag->b + PRE_KFRAG_C,
		.precursor = kfrag->b + PRE_KFRAG_X,
		.delegating = with_delegating ? delegating : NULL,
		.receiving = with_receiving ? receiving : NULL,
	};
	uint8_t digest[PRE_HASH_LEN];

	TRY(check_commitment(ctx, kfrag, err));
	if (with_delegating && !delegating)
		return PRE_FAIL(err, NO_DELEGATING);
	if (with_receiving && !receiving)
		return PRE_FAIL(err, NO_RECEIVING);
	TRY(pre_kfrag_digest(ctx, &claim, digest, err));
	if (!pre_verify_digest(ctx, verifying, digest, kfrag->b + PRE_KFRAG_FOR_PROXY))
		return PRE_FAIL(err, SIGNATURE);
	return 0;
}

int pre_kfrag_verify_both(struct pre_context *ctx, const struct pre_kfrag *kfrag,
	const struct pre_public_key *verifying, const struct pre_public_key *delegating,
	const struct pre_public_key *receiving, struct err *err)
{
	const struct pre_kfrag_claim claim = {
		.id = kfrag->b + PRE_KFRAG_ID,
		.commitment = kfrag->b + PRE_KFRAG_C,
		.precursor = kfrag->b + PRE_KFRAG_X,
		.delegating = delegating,
		.receiving = receiving,
	};
	uint8_t digest[PRE_HASH_LEN];

	if (kfrag->b[PRE_KFRAG_DELEGATING] != PRE_MSGPACK_TRUE ||
		kfrag->b[PRE_KFRAG_RECEIVING] != PRE_MSGPACK_TRUE)
		return PRE_FAIL(err, UNSIGNED_KEYS);
	TRY(pre_kfrag_verify(ctx, kfrag, verifying, delegating, receiving, err));
	/* Both signatures are over one message: where they are the same bytes, that was it. */
	if (memcmp(kfrag->b + PRE_KFRAG_FOR_PROXY, kfrag->b + PRE_KFRAG_FOR_RECEIVER,
		    PRE_SIG_LEN) == 0)
		return 0;
	TRY(pre_kfrag_digest(ctx, &claim, digest, err));
	if (!pre_verify_digest(ctx, verifying, digest, kfrag->b + PRE_KFRAG_FOR_RECEIVER))
		return PRE_FAIL(err, SIGNATURE);
	return 0;
}
