#include "pkg/pre/internal.h"

#include <secp256k1_recovery.h>

int pre_capsule_h(struct pre_context *ctx, const uint8_t *e, const uint8_t *v,
	uint8_t ret[static PRE_SCALAR_LEN], struct err *err)
{
	const struct str parts[] = {pre_part(e, PRE_POINT_LEN), pre_part(v, PRE_POINT_LEN)};

	return pre_hash_to_scalar(ctx, "CAPSULE_POINTS", parts, ARRAY_LEN(parts), ret, err);
}

bool pre_capsule_proof_plain(
	const struct pre_context *ctx, const struct pre_capsule *c, struct pre_point *ret_v)
{
	struct pre_point v;
	struct pre_point left;
	struct pre_point right;

	if (!pre_point_parse(ctx, c->b + PRE_CAPSULE_V, &v) ||
		!secp256k1_ec_pubkey_create(ctx->curve, pre_pk(&left), c->b + PRE_CAPSULE_S) ||
		!pre_point_mul_public(ctx, &c->e, c->h, &right) ||
		!pre_point_add(ctx, &v, &right, &right) || !pre_point_eq(ctx, &left, &right))
		return false;
	*ret_v = v;
	return true;
}

/* Recovery of a key from an ECDSA signature (r, σ) over m computes r⁻¹(σ·R - m·G), R being the
 * point with x(R) = r and the parity that the recovery id tells. With R = E, r = x(E), σ = -h·r
 * and m = -s·r that is s·G - h·E, which must be V: the proof, in one double multiplication instead
 * of two single ones. It needs x(E) < n and no zero among the scalars, else *ret_possible is
 * false. All values here are public. */
bool pre_capsule_proof_fast(const struct pre_context *ctx, const struct pre_capsule *c,
	struct pre_point *ret_v, bool *ret_possible)
{
	const uint8_t *e = c->b + PRE_CAPSULE_E;
	uint8_t sig[PRE_SIG_LEN];
	uint8_t m[PRE_SCALAR_LEN];
	uint8_t v[PRE_POINT_LEN];
	secp256k1_ecdsa_recoverable_signature recoverable;
	struct pre_point point;

	memcpy(sig, e + 1, PRE_SCALAR_LEN);
	memcpy(sig + PRE_SCALAR_LEN, c->h, PRE_SCALAR_LEN);
	memcpy(m, c->b + PRE_CAPSULE_S, PRE_SCALAR_LEN);
	*ret_possible = secp256k1_ec_seckey_tweak_mul(ctx->curve, sig + PRE_SCALAR_LEN, sig) &&
			secp256k1_ec_seckey_negate(ctx->curve, sig + PRE_SCALAR_LEN) &&
			secp256k1_ec_seckey_tweak_mul(ctx->curve, m, sig) &&
			secp256k1_ec_seckey_negate(ctx->curve, m) &&
			secp256k1_ecdsa_recoverable_signature_parse_compact(
				ctx->curve, &recoverable, sig, e[0] & 1);
	if (!*ret_possible || !secp256k1_ecdsa_recover(ctx->curve, pre_pk(&point), &recoverable, m))
		return false;
	pre_point_bytes(ctx, &point, v);
	if (memcmp(v, c->b + PRE_CAPSULE_V, sizeof(v)) != 0)
		return false;
	*ret_v = point;
	return true;
}

int pre_capsule_parse(struct pre_context *ctx, const uint8_t *p, size_t n, struct pre_capsule *ret,
	struct err *err)
{
	struct pre_capsule c;
	bool possible = false;

	if (n != PRE_CAPSULE_LEN ||
		!pre_frame_matches(p, pre_capsule_frames, ARRAY_LEN(pre_capsule_frames)) ||
		!pre_point_parse(ctx, p + PRE_CAPSULE_E, &c.e))
		return PRE_FAIL(err, PARSE);
	memcpy(c.b, p, sizeof(c.b));
	TRY(pre_capsule_h(ctx, p + PRE_CAPSULE_E, p + PRE_CAPSULE_V, c.h, err));
	const bool fast = pre_capsule_proof_fast(ctx, &c, &c.v, &possible);
	if (!(possible ? fast : pre_capsule_proof_plain(ctx, &c, &c.v)))
		return PRE_FAIL(err, CAPSULE);
	if (!pre_point_add(ctx, &c.e, &c.v, &c.sum))
		return PRE_FAIL(err, PARSE);
	*ret = c;
	return 0;
}
