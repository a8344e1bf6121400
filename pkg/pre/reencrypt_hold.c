#include "pkg/pre/secret.h"

#include "pkg/pre/hold.h"

/* Points of a cfrag that are a scalar times a point, and where they stand. */
struct product {
	const struct secret *k;
	const struct pre_point *p;
	struct pre_point *to;
	size_t at;
};

/* z = t + rk·h; t becomes z. */
static int respond(struct pre_context *ctx, const struct pre_capsule *capsule,
	const struct secret *rk, struct secret *t, struct pre_cfrag *c, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret product = *rk;
	uint8_t h[PRE_SCALAR_LEN];

	TRY(pre_cfrag_h(ctx, capsule, c->b, h, err));
	if (!pre_scalar_mul(ctx, &product, h) || !pre_scalar_add(ctx, t, product.b))
		return PRE_FAIL(err, SCALAR);
	pre_declassify(t, sizeof(*t));
	memcpy(c->b + PRE_CFRAG_Z, t->b, sizeof(t->b));
	return 0;
}

int pre_reencrypt(struct pre_context *ctx, const struct pre_capsule *capsule,
	const struct pre_kfrag *kfrag, struct pre_cfrag *ret, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret rk;
	_cleanup_(base_secret_wipe) struct secret t = {0};
	struct pre_cfrag c;
	const struct product products[] = {
		{&rk, &capsule->e, &c.e1, PRE_CFRAG_E1},
		{&rk, &capsule->v, &c.v1, PRE_CFRAG_V1},
		{&t, &capsule->e, &c.e2, PRE_CFRAG_E2},
		{&t, &capsule->v, &c.v2, PRE_CFRAG_V2},
		{&t, &ctx->u, &c.u2, PRE_CFRAG_U2},
	};

	memcpy(rk.b, kfrag->b + PRE_KFRAG_RK, sizeof(rk.b));
	TRY(pre_scalar_random(ctx, &t, err));
	pre_frame_write(c.b, pre_cfrag_frames, ARRAY_LEN(pre_cfrag_frames));
	for (size_t i = 0; i < ARRAY_LEN(products); i++) {
		const struct product *q = &products[i];
		if (!pre_mul(ctx, q->k, q->p, q->to))
			return PRE_FAIL(err, SCALAR);
		pre_point_bytes(ctx, q->to, c.b + q->at);
	}
	c.x = kfrag->x;
	c.u1 = kfrag->c;
	memcpy(c.b + PRE_CFRAG_ID, kfrag->b + PRE_KFRAG_ID, PRE_SCALAR_LEN);
	memcpy(c.b + PRE_CFRAG_X, kfrag->b + PRE_KFRAG_X, PRE_POINT_LEN);
	memcpy(c.b + PRE_CFRAG_U1, kfrag->b + PRE_KFRAG_C, PRE_POINT_LEN);
	memcpy(c.b + PRE_CFRAG_SIG, kfrag->b + PRE_KFRAG_FOR_RECEIVER, PRE_SIG_LEN);
	TRY(respond(ctx, capsule, &rk, &t, &c, err));
	*ret = c;
	return 0;
}
