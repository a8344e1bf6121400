#include "pkg/pre/hold.h"
#include "pkg/pre/secret.h"

int pre_grant_open(struct pre_context *ctx, const struct secret *receiving_sk,
	const struct pre_public_key *delegating_pk, const struct pre_public_key *verifying_pk,
	const struct pre_kfrag *kfrag, struct secret *ret_opening, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret opening = {0};
	_cleanup_(pre_delegation_wipe) struct pre_delegation delegation = {
		.precursor = kfrag->b + PRE_KFRAG_X};
	struct pre_public_key receiving;
	struct pre_public_key opened;

	TRY(pre_public_of(ctx, receiving_sk, &receiving, err));
	TRY(pre_kfrag_verify_both(ctx, kfrag, verifying_pk, delegating_pk, &receiving, err));
	delegation.receiving = &receiving;
	if (!pre_mul_secret(ctx, receiving_sk, &kfrag->x, &delegation.dh))
		return PRE_FAIL(err, SCALAR);
	TRY(pre_delegation_secret(ctx, &delegation, &opening, err));
	if (!pre_scalar_mul(ctx, &opening, kfrag->b + PRE_KFRAG_RK))
		return PRE_FAIL(err, SCALAR);
	TRY(pre_public_of(ctx, &opening, &opened, err));
	if (!pre_public_key_eq(&opened, delegating_pk))
		return PRE_FAIL(err, WRONG_KEY);
	*ret_opening = opening;
	return 0;
}

/* K = a·(E + V) */
static int decapsulate(struct pre_context *ctx, const struct secret *sk,
	const struct pre_capsule *capsule, struct pre_secret_point *ret, struct err *err)
{
	return pre_mul_secret(ctx, sk, &capsule->sum, ret) ? 0 : PRE_FAIL(err, SCALAR);
}

int pre_unwrap(struct pre_context *ctx, const struct secret *opening,
	const struct pre_capsule *capsule, const uint8_t wrapped[static PRE_WRAPPED_LEN],
	struct secret *ret_k, struct err *err)
{
	_cleanup_(pre_secret_point_wipe) struct pre_secret_point seed = {0};
	_cleanup_(base_secret_wipe) struct secret k = {0};

	TRY(decapsulate(ctx, opening, capsule, &seed, err));
	TRY(pre_dem_open(ctx, &seed, capsule->b, pre_part(wrapped, PRE_WRAPPED_LEN), k.b, err));
	*ret_k = k;
	return 0;
}

int pre_decrypt_original(struct pre_context *ctx, const struct secret *sk,
	const struct pre_capsule *capsule, struct str ciphertext, struct buf *ret_plain,
	struct err *err)
{
	_cleanup_(pre_secret_point_wipe) struct pre_secret_point seed = {0};

	TRY(decapsulate(ctx, sk, capsule, &seed, err));
	return pre_dem_open_add(ctx, &seed, capsule->b, ciphertext, ret_plain, err);
}
