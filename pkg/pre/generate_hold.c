#include "pkg/pre/secret.h"

#include "pkg/pre/hold.h"

/* One generation of kfrags: a polynomial whose value at 0 is a/d. */
struct generation {
	const struct pre_shares *how;
	const struct secret *signing_sk;
	struct pre_public_key delegating, receiving;
	struct pre_point x;
	uint8_t precursor[PRE_POINT_LEN];
	struct pre_delegation delegation;
	struct secret coefficients[PRE_SHARES_MAX];
};

static void generation_wipe(struct generation *g)
{
	pre_delegation_wipe(&g->delegation);
	base_wipe(g->coefficients, g->how->threshold * sizeof(g->coefficients[0]));
}
CLEANUP_DONE(struct generation, generation_wipe);

static int check_request(const struct secret *delegating_sk, const struct secret *signing_sk,
	const struct pre_shares *how, struct err *err)
{
	if (how->threshold == 0 || how->threshold > how->shares || how->shares > PRE_SHARES_MAX)
		return PRE_FAIL(err, THRESHOLD);
	/* A delegatee that colludes learns the delegating key: it must not sign as well. */
	if (pre_outcome(base_ct_equal(delegating_sk->b, signing_sk->b, sizeof(signing_sk->b))))
		return PRE_FAIL(err, SAME_KEY);
	return 0;
}

void pre_precursor_wipe(struct pre_precursor *p)
{
	base_wipe(p, sizeof(*p));
}

int pre_precursor_new(struct pre_context *ctx, struct pre_precursor *ret, struct err *err)
{
	_cleanup_(pre_precursor_wipe) struct pre_precursor p = {0};

	TRY(pre_scalar_random(ctx, &p.x, err));
	if (!pre_mul_base(ctx, &p.x, &p.point))
		return PRE_FAIL(err, SCALAR);
	*ret = p;
	return 0;
}

/* D = x·B */
static int use_precursor(struct pre_context *ctx, struct generation *g, struct err *err)
{
	_cleanup_(pre_precursor_wipe) struct pre_precursor own = {0};
	const struct pre_precursor *p = g->how->precursor;
	struct pre_point receiving;

	if (!pre_point_parse(ctx, g->receiving.b, &receiving))
		return PRE_FAIL(err, PARSE);
	if (!p) {
		TRY(pre_precursor_new(ctx, &own, err));
		p = &own;
	}
	if (!pre_mul_secret(ctx, &p->x, &receiving, &g->delegation.dh))
		return PRE_FAIL(err, SCALAR);
	g->x = p->point;
	pre_point_bytes(ctx, &g->x, g->precursor);
	g->delegation.precursor = g->precursor;
	g->delegation.receiving = &g->receiving;
	return 0;
}

static int draw_polynomial(struct pre_context *ctx, struct generation *g,
	const struct secret *delegating_sk, struct err *err)
{
	struct secret *c0 = &g->coefficients[0];

	TRY(pre_delegation_secret(ctx, &g->delegation, c0, err));
	if (!pre_scalar_invert(ctx, c0) || !pre_scalar_mul(ctx, c0, delegating_sk->b))
		return PRE_FAIL(err, SCALAR);
	for (uint32_t i = 1; i < g->how->threshold; i++)
		TRY(pre_scalar_random(ctx, &g->coefficients[i], err));
	return 0;
}

/* Horner's rule. At threshold 1 the argument does not matter and is not computed. */
static int evaluate(struct pre_context *ctx, const struct generation *g, const uint8_t *id,
	struct secret *ret, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret w = {0};
	uint32_t i = g->how->threshold - 1;

	*ret = g->coefficients[i];
	if (i > 0)
		TRY(pre_delegation_arg(ctx, &g->delegation, id, &w, err));
	while (i-- > 0)
		if (!pre_scalar_mul(ctx, ret, w.b) ||
			!pre_scalar_add(ctx, ret, g->coefficients[i].b))
			return PRE_FAIL(err, SCALAR);
	return 0;
}

static int sign_claim(struct pre_context *ctx, const struct generation *g,
	const struct pre_kfrag_claim *claim, uint8_t ret[static PRE_SIG_LEN], struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret extra = {0};
	uint8_t digest[PRE_HASH_LEN];

	TRY(base_random(ctx->env, extra.b, sizeof(extra.b), err));
	TRY(pre_kfrag_digest(ctx, claim, digest, err));
	return pre_sign_digest(ctx, g->signing_sk, digest, extra.b, ret, err);
}

static int sign_share(
	struct pre_context *ctx, const struct generation *g, uint8_t *b, struct err *err)
{
	const unsigned flags = g->how->flags;
	struct pre_kfrag_claim claim = {
		.id = b + PRE_KFRAG_ID,
		.commitment = b + PRE_KFRAG_C,
		.precursor = b + PRE_KFRAG_X,
		.delegating = &g->delegating,
		.receiving = &g->receiving,
	};

	b[PRE_KFRAG_DELEGATING] =
		flags & PRE_SIGN_DELEGATING ? PRE_MSGPACK_TRUE : PRE_MSGPACK_FALSE;
	b[PRE_KFRAG_RECEIVING] = flags & PRE_SIGN_RECEIVING ? PRE_MSGPACK_TRUE : PRE_MSGPACK_FALSE;
	TRY(sign_claim(ctx, g, &claim, b + PRE_KFRAG_FOR_RECEIVER, err));
	if ((flags & PRE_SIGN_BOTH) == PRE_SIGN_BOTH && !(flags & PRE_SIGN_TWICE)) {
		memcpy(b + PRE_KFRAG_FOR_PROXY, b + PRE_KFRAG_FOR_RECEIVER, PRE_SIG_LEN);
		return 0;
	}
	if (!(flags & PRE_SIGN_DELEGATING))
		claim.delegating = NULL;
	if (!(flags & PRE_SIGN_RECEIVING))
		claim.receiving = NULL;
	return sign_claim(ctx, g, &claim, b + PRE_KFRAG_FOR_PROXY, err);
}

static int make_share(
	struct pre_context *ctx, const struct generation *g, struct pre_kfrag *ret, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret rk = {0};
	uint8_t *b = ret->b;

	pre_frame_write(b, pre_kfrag_frames, ARRAY_LEN(pre_kfrag_frames));
	memcpy(b + PRE_KFRAG_U, pre_u_bytes, PRE_POINT_LEN);
	memcpy(b + PRE_KFRAG_X, g->precursor, PRE_POINT_LEN);
	TRY(base_random(ctx->env, b + PRE_KFRAG_ID, PRE_SCALAR_LEN, err));
	pre_declassify(b + PRE_KFRAG_ID, PRE_SCALAR_LEN);
	TRY(evaluate(ctx, g, b + PRE_KFRAG_ID, &rk, err));
	if (!pre_mul(ctx, &rk, &ctx->u, &ret->c))
		return PRE_FAIL(err, SCALAR);
	memcpy(b + PRE_KFRAG_RK, rk.b, sizeof(rk.b));
	pre_point_bytes(ctx, &ret->c, b + PRE_KFRAG_C);
	ret->x = g->x;
	return sign_share(ctx, g, b, err);
}

int pre_kfrags_generate(struct pre_context *ctx, const struct secret *delegating_sk,
	const struct pre_public_key *receiving_pk, const struct secret *signing_sk,
	const struct pre_shares *how, struct pre_kfrag *ret, struct err *err)
{
	TRY(check_request(delegating_sk, signing_sk, how, err));
	_cleanup_(generation_wipe) struct generation g;
	g.how = how;
	g.signing_sk = signing_sk;
	g.receiving = *receiving_pk;
	if (how->delegating_pk)
		g.delegating = *how->delegating_pk;
	else
		TRY(pre_public_of(ctx, delegating_sk, &g.delegating, err));
	TRY(use_precursor(ctx, &g, err));
	TRY(draw_polynomial(ctx, &g, delegating_sk, err));
	for (uint32_t i = 0; i < how->shares; i++) {
		const int r = make_share(ctx, &g, &ret[i], err);
		if (r < 0) {
			base_wipe(ret, how->shares * sizeof(*ret));
			return r;
		}
	}
	return 0;
}
