#include "pkg/pre/internal.h"

int pre_cfrag_parse(const struct pre_context *ctx, const uint8_t *p, size_t n,
	struct pre_cfrag *ret, struct err *err)
{
	struct pre_cfrag c;
	const struct {
		size_t at;
		struct pre_point *point;
	} points[] = {
		{PRE_CFRAG_E1, &c.e1},
		{PRE_CFRAG_V1, &c.v1},
		{PRE_CFRAG_X, &c.x},
		{PRE_CFRAG_E2, &c.e2},
		{PRE_CFRAG_V2, &c.v2},
		{PRE_CFRAG_U1, &c.u1},
		{PRE_CFRAG_U2, &c.u2},
	};

	if (n != PRE_CFRAG_LEN ||
		!pre_frame_matches(p, pre_cfrag_frames, ARRAY_LEN(pre_cfrag_frames)) ||
		!pre_scalar_in_range(p + PRE_CFRAG_Z) ||
		!pre_signature_wellformed(ctx, p + PRE_CFRAG_SIG))
		return PRE_FAIL(err, PARSE);
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		if (!pre_point_parse(ctx, p + points[i].at, points[i].point))
			return PRE_FAIL(err, PARSE);
	memcpy(c.b, p, sizeof(c.b));
	*ret = c;
	return 0;
}

int pre_cfrag_h(struct pre_context *ctx, const struct pre_capsule *capsule,
	const uint8_t cfrag[static PRE_CFRAG_LEN], uint8_t ret[static PRE_SCALAR_LEN],
	struct err *err)
{
	const struct str parts[] = {
		pre_part(capsule->b + PRE_CAPSULE_E, PRE_POINT_LEN),
		pre_part(cfrag + PRE_CFRAG_E1, PRE_POINT_LEN),
		pre_part(cfrag + PRE_CFRAG_E2, PRE_POINT_LEN),
		pre_part(capsule->b + PRE_CAPSULE_V, PRE_POINT_LEN),
		pre_part(cfrag + PRE_CFRAG_V1, PRE_POINT_LEN),
		pre_part(cfrag + PRE_CFRAG_V2, PRE_POINT_LEN),
		pre_part(pre_u_bytes, PRE_POINT_LEN),
		pre_part(cfrag + PRE_CFRAG_U1, PRE_POINT_LEN),
		pre_part(cfrag + PRE_CFRAG_U2, PRE_POINT_LEN),
	};

	return pre_hash_to_scalar(ctx, "CFRAG_VERIFICATION", parts, ARRAY_LEN(parts), ret, err);
}

/* z·p == p2 + h·p1 */
struct equation {
	const struct pre_point *p, *p1, *p2;
};

static bool equation_holds(
	const struct pre_context *ctx, const uint8_t *z, const uint8_t *h, const struct equation *q)
{
	struct pre_point left;
	struct pre_point right;

	return pre_point_mul_public(ctx, q->p, z, &left) &&
	       pre_point_mul_public(ctx, q->p1, h, &right) &&
	       pre_point_add(ctx, &right, q->p2, &right) && pre_point_eq(ctx, &left, &right);
}

int pre_cfrag_verify(struct pre_context *ctx, const struct pre_cfrag *cfrag,
	const struct pre_capsule *capsule, const struct pre_public_key *verifying,
	const struct pre_public_key *delegating, const struct pre_public_key *receiving,
	struct err *err)
{
	const struct pre_kfrag_claim claim = {
		.id = cfrag->b + PRE_CFRAG_ID,
		.commitment = cfrag->b + PRE_CFRAG_U1,
		.precursor = cfrag->b + PRE_CFRAG_X,
		.delegating = delegating,
		.receiving = receiving,
	};
	const struct equation equations[] = {
		{&capsule->e, &cfrag->e1, &cfrag->e2},
		{&capsule->v, &cfrag->v1, &cfrag->v2},
		{&ctx->u, &cfrag->u1, &cfrag->u2},
	};
	uint8_t digest[PRE_HASH_LEN];
	uint8_t h[PRE_SCALAR_LEN];

	TRY(pre_kfrag_digest(ctx, &claim, digest, err));
	if (!pre_verify_digest(ctx, verifying, digest, cfrag->b + PRE_CFRAG_SIG))
		return PRE_FAIL(err, KFRAG_SIGNATURE);
	TRY(pre_cfrag_h(ctx, capsule, cfrag->b, h, err));
	for (size_t i = 0; i < ARRAY_LEN(equations); i++)
		if (!equation_holds(ctx, cfrag->b + PRE_CFRAG_Z, h, &equations[i]))
			return PRE_FAIL(err, PROOF);
	return 0;
}
