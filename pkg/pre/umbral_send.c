#include "pkg/pre/secret.h"
#include "pkg/pre/send.h"

void pre_ephemeral_wipe(struct pre_ephemeral *e)
{
	base_wipe(e, sizeof(*e));
}

/* E = r·G, V = u·G, s = u + r·h; u becomes s. */
static int fill_capsule(struct pre_context *ctx, const struct secret *r, struct secret *u,
	uint8_t b[static PRE_CAPSULE_LEN], struct err *err)
{
	struct pre_point e;
	struct pre_point v;
	_cleanup_(base_secret_wipe) struct secret rh = *r;
	uint8_t h[PRE_SCALAR_LEN];

	if (!pre_mul_base(ctx, r, &e) || !pre_mul_base(ctx, u, &v))
		return PRE_FAIL(err, SCALAR);
	pre_frame_write(b, pre_capsule_frames, ARRAY_LEN(pre_capsule_frames));
	pre_point_bytes(ctx, &e, b + PRE_CAPSULE_E);
	pre_point_bytes(ctx, &v, b + PRE_CAPSULE_V);
	TRY(pre_capsule_h(ctx, b + PRE_CAPSULE_E, b + PRE_CAPSULE_V, h, err));
	if (!pre_scalar_mul(ctx, &rh, h) || !pre_scalar_add(ctx, u, rh.b))
		return PRE_FAIL(err, SCALAR);
	pre_declassify(u, sizeof(*u));
	memcpy(b + PRE_CAPSULE_S, u->b, sizeof(u->b));
	return 0;
}

int pre_ephemeral_new(struct pre_context *ctx, struct pre_ephemeral *ret, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret r = {0};
	_cleanup_(base_secret_wipe) struct secret u = {0};
	_cleanup_(pre_ephemeral_wipe) struct pre_ephemeral e = {0};

	do {
		TRY(pre_scalar_random(ctx, &r, err));
		TRY(pre_scalar_random(ctx, &u, err));
		e.sum = r;
	} while (!pre_scalar_add(ctx, &e.sum, u.b));
	TRY(fill_capsule(ctx, &r, &u, e.capsule, err));
	*ret = e;
	return 0;
}

/* The point that seeds the cipher for one recipient: K = (r + u)·A. */
static int seed_for(struct pre_context *ctx, const struct pre_ephemeral *e,
	const struct pre_public_key *to, struct pre_secret_point *ret, struct err *err)
{
	struct pre_point point;

	if (!pre_point_parse(ctx, to->b, &point))
		return PRE_FAIL(err, PARSE);
	return pre_mul_secret(ctx, &e->sum, &point, ret) ? 0 : PRE_FAIL(err, SCALAR);
}

int pre_encrypt(struct pre_context *ctx, const struct pre_public_key *to, struct str plaintext,
	uint8_t ret_capsule[static PRE_CAPSULE_LEN], struct buf *ciphertext, struct err *err)
{
	_cleanup_(pre_ephemeral_wipe) struct pre_ephemeral e = {0};
	_cleanup_(pre_secret_point_wipe) struct pre_secret_point seed = {0};
	uint8_t *room = NULL;

	if (plaintext.n > PRE_PLAINTEXT_MAX)
		return FAIL(err, ERR_TOO_LARGE, "a plaintext of %zu bytes", plaintext.n);
	TRY(base_buf_room(ciphertext, plaintext.n + PRE_WRAP_OVERHEAD, &room, err));
	TRY(pre_ephemeral_new(ctx, &e, err));
	TRY(seed_for(ctx, &e, to, &seed, err));
	TRY(pre_dem_seal(ctx, &seed, e.capsule, plaintext, room, err));
	base_buf_added(ciphertext, plaintext.n + PRE_WRAP_OVERHEAD);
	memcpy(ret_capsule, e.capsule, PRE_CAPSULE_LEN);
	return 0;
}

int pre_wrap_with(struct pre_context *ctx, const struct pre_ephemeral *e,
	const struct pre_public_key *to, const struct secret *k,
	uint8_t ret_wrapped[static PRE_WRAPPED_LEN], struct err *err)
{
	_cleanup_(pre_secret_point_wipe) struct pre_secret_point seed = {0};
	uint8_t wrapped[PRE_WRAPPED_LEN];

	TRY(seed_for(ctx, e, to, &seed, err));
	TRY(pre_dem_seal(ctx, &seed, e->capsule, base_str_n(k->b, sizeof(k->b)), wrapped, err));
	memcpy(ret_wrapped, wrapped, PRE_WRAPPED_LEN);
	return 0;
}

int pre_wrap(struct pre_context *ctx, const struct pre_public_key *to, const struct secret *k,
	uint8_t ret_capsule[static PRE_CAPSULE_LEN], uint8_t ret_wrapped[static PRE_WRAPPED_LEN],
	struct err *err)
{
	_cleanup_(pre_ephemeral_wipe) struct pre_ephemeral e = {0};

	TRY(pre_ephemeral_new(ctx, &e, err));
	TRY(pre_wrap_with(ctx, &e, to, k, ret_wrapped, err));
	memcpy(ret_capsule, e.capsule, PRE_CAPSULE_LEN);
	return 0;
}
