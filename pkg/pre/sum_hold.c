#include "pkg/pre/secret.h"

void pre_sum_wipe(struct pre_sum *s)
{
	base_wipe(s, sizeof(*s));
}

bool pre_sum_add(const struct pre_context *ctx, struct pre_sum *s, const struct secret *k,
	const struct pre_point *p)
{
	struct pre_point product;
	bool ok = pre_mul_secret_point(ctx, k, p, &product);

	if (ok && s->any)
		ok = pre_outcome(pre_point_add(ctx, &s->total, &product, &s->total));
	else
		s->total = product;
	s->any = true;
	base_wipe(&product, sizeof(product));
	return ok;
}

bool pre_sum_take(
	const struct pre_context *ctx, const struct pre_sum *s, struct pre_secret_point *ret)
{
	pre_point_bytes(ctx, &s->total, ret->b);
	return s->any;
}
