#include "pkg/pre/secret.h"

void pre_delegation_wipe(struct pre_delegation *d)
{
	pre_secret_point_wipe(&d->dh);
}

static int hash(struct pre_context *ctx, const char *domain, const struct pre_delegation *d,
	struct str id, struct secret *ret, struct err *err)
{
	const struct str parts[] = {
		pre_part(d->precursor, PRE_POINT_LEN),
		pre_part(d->receiving->b, PRE_POINT_LEN),
		pre_part(d->dh.b, PRE_POINT_LEN),
		id,
	};

	return pre_hash_to_scalar(ctx, domain, parts, ARRAY_LEN(parts), ret->b, err);
}

int pre_delegation_secret(struct pre_context *ctx, const struct pre_delegation *d,
	struct secret *ret, struct err *err)
{
	return hash(ctx, "SHARED_SECRET", d, STR_NULL, ret, err);
}

int pre_delegation_arg(struct pre_context *ctx, const struct pre_delegation *d, const uint8_t *id,
	struct secret *ret, struct err *err)
{
	return hash(ctx, "POLYNOMIAL_ARG", d, pre_part(id, PRE_SCALAR_LEN), ret, err);
}
