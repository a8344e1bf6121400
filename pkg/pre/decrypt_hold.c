#include "pkg/pre/secret.h"

#include "pkg/pre/hold.h"

/* What a receiver works with. For each cfrag a multiplier μ = d·λ, λ being its Lagrange
 * coefficient at 0; then
 *	K = Σ μ·(E1 + V1)    and    Σ μ·(h·E1 + V1) == s·A
 * with h of the capsule: the same as the scheme's K = d·(E' + V') and (s/d)·A == h·E' + V', but
 * without inverting d, and with the sums E1 + V1 and h·E1 + V1 made of public points only. */
struct share {
	struct secret w; /* its argument of the polynomial */
	struct secret multiplier;
	struct secret denominator, before; /* of λ; the product of all earlier ones */
};

struct work {
	struct pre_cfrags cfrags;
	struct secret d;
	struct pre_delegation delegation;
	struct share shares[PRE_SHARES_MAX];
};

static void work_wipe(struct work *w)
{
	base_wipe(&w->d, sizeof(w->d));
	pre_delegation_wipe(&w->delegation);
	base_wipe(w->shares, w->cfrags.n * sizeof(w->shares[0]));
}
CLEANUP_DONE(struct work, work_wipe);

/* λ_i's numerator Π w_j into multiplier, and its denominator Π (w_j - w_i), over all j but i. */
static int fraction(struct pre_context *ctx, struct work *w, size_t i, struct err *err)
{
	struct share *s = &w->shares[i];
	_cleanup_(base_secret_wipe) struct secret minus = s->w;
	_cleanup_(base_secret_wipe) struct secret difference = {0};
	bool first = true;

	if (!pre_scalar_negate(ctx, &minus))
		return PRE_FAIL(err, SCALAR);
	for (size_t j = 0; j < w->cfrags.n; j++) {
		if (j == i)
			continue;
		difference = w->shares[j].w;
		if (!pre_scalar_add(ctx, &difference, minus.b))
			return PRE_FAIL(err, REPEATING);
		if (first) {
			s->denominator = difference;
			s->multiplier = w->shares[j].w;
		} else if (!pre_scalar_mul(ctx, &s->denominator, difference.b) ||
			   !pre_scalar_mul(ctx, &s->multiplier, w->shares[j].w.b)) {
			return PRE_FAIL(err, SCALAR);
		}
		first = false;
	}
	return 0;
}

/* Divides each numerator by its denominator, with one inversion for all of them. */
static int divide(struct pre_context *ctx, struct work *w, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret inverse = w->shares[0].denominator;
	const size_t n = w->cfrags.n;

	for (size_t i = 1; i < n; i++) {
		w->shares[i].before = inverse;
		if (!pre_scalar_mul(ctx, &inverse, w->shares[i].denominator.b))
			return PRE_FAIL(err, SCALAR);
	}
	if (!pre_scalar_invert(ctx, &inverse))
		return PRE_FAIL(err, SCALAR);
	for (size_t i = n; i-- > 0;) {
		struct share *s = &w->shares[i];

		if (!pre_scalar_mul(ctx, &s->multiplier, inverse.b) ||
			(i > 0 && !pre_scalar_mul(ctx, &s->multiplier, s->before.b)) ||
			!pre_scalar_mul(ctx, &inverse, s->denominator.b))
			return PRE_FAIL(err, SCALAR);
	}
	return 0;
}

static int find_multipliers(struct pre_context *ctx, struct work *w, struct err *err)
{
	const size_t n = w->cfrags.n;

	TRY(pre_delegation_secret(ctx, &w->delegation, &w->d, err));
	if (n == 1) {
		w->shares[0].multiplier = w->d;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		TRY(pre_delegation_arg(ctx, &w->delegation, w->cfrags.v[i].b + PRE_CFRAG_ID,
			&w->shares[i].w, err));
	for (size_t i = 0; i < n; i++)
		TRY(fraction(ctx, w, i, err));
	TRY(divide(ctx, w, err));
	for (size_t i = 0; i < n; i++)
		if (!pre_scalar_mul(ctx, &w->shares[i].multiplier, w->d.b))
			return PRE_FAIL(err, SCALAR);
	return 0;
}

static int check_cfrags(struct pre_cfrags cfrags, struct err *err)
{
	if (cfrags.n == 0 || cfrags.n > PRE_SHARES_MAX)
		return PRE_FAIL(err, NO_CFRAGS);
	for (size_t i = 1; i < cfrags.n; i++)
		if (memcmp(cfrags.v[i].b + PRE_CFRAG_X, cfrags.v[0].b + PRE_CFRAG_X,
			    PRE_POINT_LEN) != 0)
			return PRE_FAIL(err, MISMATCHED);
	return 0;
}

/* The public point that a multiplier meets: k·E1 + V1, with k = 1 where NULL. */
static bool public_term(const struct pre_context *ctx, const struct pre_cfrag *c, const uint8_t *k,
	struct pre_point *ret)
{
	struct pre_point product = c->e1;

	return (!k || pre_point_mul_public(ctx, &c->e1, k, &product)) &&
	       pre_point_add(ctx, &product, &c->v1, ret);
}

/* Σ μ·(k·E1 + V1). One cfrag needs no sum of secret points, and its product is never parsed. */
static bool combine(const struct pre_context *ctx, const struct work *w, const uint8_t *k,
	struct pre_secret_point *ret)
{
	struct pre_point term;

	if (w->cfrags.n == 1)
		return public_term(ctx, &w->cfrags.v[0], k, &term) &&
		       pre_mul_secret(ctx, &w->shares[0].multiplier, &term, ret);
	_cleanup_(pre_sum_wipe) struct pre_sum sum = {0};
	for (size_t i = 0; i < w->cfrags.n; i++)
		if (!public_term(ctx, &w->cfrags.v[i], k, &term) ||
			!pre_sum_add(ctx, &sum, &w->shares[i].multiplier, &term))
			return false;
	return pre_sum_take(ctx, &sum, ret);
}

static int validate(struct pre_context *ctx, const struct work *w,
	const struct pre_capsule *capsule, const struct pre_public_key *delegating, struct err *err)
{
	_cleanup_(pre_secret_point_wipe) struct pre_secret_point sum = {0};
	struct pre_point a;
	uint8_t expected[PRE_POINT_LEN];

	if (!pre_point_parse(ctx, delegating->b, &a))
		return PRE_FAIL(err, PARSE);
	if (!pre_point_mul_public(ctx, &a, capsule->b + PRE_CAPSULE_S, &a) ||
		!combine(ctx, w, capsule->h, &sum))
		return PRE_FAIL(err, VALIDATION);
	pre_point_bytes(ctx, &a, expected);
	return pre_outcome(base_ct_equal(sum.b, expected, sizeof(expected)))
		       ? 0
		       : PRE_FAIL(err, VALIDATION);
}

int pre_decrypt_reencrypted(struct pre_context *ctx, const struct pre_receiver *receiver,
	const struct pre_capsule *capsule, struct pre_cfrags cfrags, struct str ciphertext,
	struct buf *ret_plain, struct err *err)
{
	_cleanup_(pre_secret_point_wipe) struct pre_secret_point seed = {0};
	struct pre_public_key receiving;

	TRY(check_cfrags(cfrags, err));
	_cleanup_(work_wipe) struct work w;
	w.cfrags = cfrags;
	w.delegation.precursor = cfrags.v[0].b + PRE_CFRAG_X;
	w.delegation.receiving = receiver->pk ? receiver->pk : &receiving;
	if (!receiver->pk)
		TRY(pre_public_of(ctx, receiver->sk, &receiving, err));
	if (!pre_mul_secret(ctx, receiver->sk, &cfrags.v[0].x, &w.delegation.dh))
		return PRE_FAIL(err, SCALAR);
	TRY(find_multipliers(ctx, &w, err));
	TRY(validate(ctx, &w, capsule, receiver->delegating, err));
	if (!combine(ctx, &w, NULL, &seed))
		return PRE_FAIL(err, VALIDATION);
	return pre_dem_open_add(ctx, &seed, capsule->b, ciphertext, ret_plain, err);
}
