#include "pkg/pre/vectors/vectors.h"

#include <openssl/hmac.h>

#include "pkg/pre/secret.h"

int vectors_digest(struct vectors *v, struct json_object *o, struct err *err)
{
	uint8_t digest[PRE_HASH_LEN];
	uint8_t scalar[PRE_SCALAR_LEN];

	(void)v;
	TRY(vectors_fixed(o, "digest", digest, sizeof(digest), err));
	pre_digest_to_scalar(digest, scalar);
	VECTORS_CHECK(vectors_equal(o, "scalar", scalar, sizeof(scalar)), "scalar");
	return 0;
}

/* The stock packages' way from a seed and a label to a key. The product has one of its own. */
int vectors_factory(struct vectors *v, struct json_object *o, struct err *err)
{
	struct secret seed = {0};
	struct str label = STR_NULL;
	struct str info = STR_NULL;
	uint8_t okm[2 * PRE_HASH_LEN];
	uint8_t key[PRE_SCALAR_LEN];
	const struct str part = pre_part(okm, sizeof(okm));

	TRY(vectors_fixed(o, "seed", seed.b, sizeof(seed.b), err));
	TRY(vectors_text(o, "label", &label, err));
	TRY(base_arena_printf(v->arena, &info, err, "KEY_DERIVATION/%.*s", STR_FMT(label)));
	TRY(pre_hkdf(v->ctx, pre_part(seed.b, sizeof(seed.b)), info, okm, sizeof(okm), err));
	TRY(pre_hash_to_scalar(v->ctx, info.p, &part, 1, key, err));
	VECTORS_CHECK(vectors_equal(o, "make_key", key, sizeof(key)), "make_key");
	return 0;
}

/* What the values of one case are checked against: the case of that id in the file named by
 * "for", where that file is there. */
struct inner {
	struct json_object *o;
	struct pre_public_key delegating, receiving;
	struct pre_delegation delegation;
	struct vectors_set set;
	bool has_set;
};

static int find_set(struct vectors *v, struct inner *in, struct err *err)
{
	struct json_object *list = NULL;
	struct str id = STR_NULL;
	size_t n = 0;

	if (!v->other)
		return 0;
	TRY(vectors_text(in->o, "id", &id, err));
	TRY(vectors_list(v->other, "vectors", &list, &n, err));
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		struct str other = STR_NULL;

		if (vectors_text(o, "id", &other, NULL) < 0 || !base_str_eq(id, other))
			continue;
		TRY(vectors_set_read(v, o, &in->set, err));
		in->has_set = true;
		return 0;
	}
	return FAIL(err, ERR_INVALID, "the other file has no such case");
}

static int check_points(struct vectors *v, struct inner *in, struct err *err)
{
	uint8_t e[PRE_POINT_LEN];
	uint8_t p[PRE_POINT_LEN];
	uint8_t h[PRE_SCALAR_LEN];
	uint8_t aad[PRE_SIMPLE_LEN];

	TRY(vectors_fixed(in->o, "capsule_E", e, sizeof(e), err));
	TRY(vectors_fixed(in->o, "capsule_V", p, sizeof(p), err));
	TRY(vectors_fixed(in->o, "capsule_S", aad + 2 * sizeof(p), PRE_SCALAR_LEN, err));
	memcpy(aad, e, sizeof(e));
	memcpy(aad + sizeof(e), p, sizeof(p));
	VECTORS_CHECK(vectors_equal(in->o, "aad", aad, sizeof(aad)), "aad");
	TRY(pre_capsule_h(v->ctx, e, p, h, err));
	VECTORS_CHECK(vectors_equal(in->o, "capsule_h", h, sizeof(h)), "capsule_h");
	return 0;
}

static int check_cipher(struct vectors *v, struct inner *in, struct err *err)
{
	static const uint8_t no_salt[PRE_HASH_LEN];
	struct pre_secret_point seed = {0};
	struct secret key = {0};
	struct secret subkey = {0};
	uint8_t prk[PRE_HASH_LEN];
	uint8_t iv[12] = {0};

	TRY(vectors_fixed(in->o, "key_seed", seed.b, sizeof(seed.b), err));
	VECTORS_CHECK(HMAC(EVP_sha256(), no_salt, sizeof(no_salt), seed.b, sizeof(seed.b), prk,
			      NULL) != NULL &&
			      vectors_equal(in->o, "hkdf_prk", prk, sizeof(prk)),
		"hkdf_prk");
	TRY(pre_hkdf(
		v->ctx, pre_part(seed.b, sizeof(seed.b)), STR_NULL, key.b, sizeof(key.b), err));
	VECTORS_CHECK(vectors_equal(in->o, "aead_key", key.b, sizeof(key.b)), "aead_key");
	if (!in->has_set)
		return 0;
	const uint8_t *nonce = (const uint8_t *)in->set.ciphertext.p;
	pre_hchacha20(&key, nonce, &subkey);
	VECTORS_CHECK(vectors_equal(in->o, "hchacha20_subkey", subkey.b, sizeof(subkey.b)),
		"hchacha20_subkey");
	memcpy(iv + 4, nonce + 16, 8);
	VECTORS_CHECK(vectors_equal(in->o, "inner_nonce12", iv, sizeof(iv)), "inner_nonce12");
	return 0;
}

static int check_delegation(struct vectors *v, struct inner *in, struct err *err)
{
	struct secret d = {0};

	TRY(pre_delegation_secret(v->ctx, &in->delegation, &d, err));
	VECTORS_CHECK(vectors_equal(in->o, "d", d.b, sizeof(d.b)), "d");
	VECTORS_CHECK(pre_scalar_invert(v->ctx, &d) &&
			      vectors_equal(in->o, "d_inverse", d.b, sizeof(d.b)),
		"d_inverse");
	if (!in->has_set)
		return 0;
	VECTORS_CHECK(pre_scalar_mul(v->ctx, &d, in->set.a.b) &&
			      vectors_equal(in->o, "coefficient0", d.b, sizeof(d.b)),
		"coefficient0");
	return 0;
}

/* The signed message in clear, so that its digest is checked from outside. */
static int check_claim(struct vectors *v, struct json_object *share, const char *key,
	const struct pre_kfrag_claim *claim, struct err *err)
{
	struct str message = STR_NULL;
	uint8_t expected[PRE_HASH_LEN];
	uint8_t digest[PRE_HASH_LEN];

	TRY(vectors_bytes(v, share, key, &message, err));
	TRY(pre_sha256(v->ctx, &message, 1, expected, err));
	TRY(pre_kfrag_digest(v->ctx, claim, digest, err));
	VECTORS_CHECK(memcmp(expected, digest, sizeof(digest)) == 0, key);
	return 0;
}

static int check_share(
	struct vectors *v, struct inner *in, struct json_object *share, size_t i, struct err *err)
{
	uint8_t id[PRE_SCALAR_LEN];
	uint8_t c[PRE_POINT_LEN];
	uint8_t h[PRE_SCALAR_LEN];
	struct secret w = {0};
	struct secret rk = {0};
	struct pre_secret_point made = {0};
	struct pre_kfrag_claim claim = {
		.id = id,
		.commitment = c,
		.precursor = in->delegation.precursor,
		.delegating = &in->delegating,
		.receiving = &in->receiving,
	};

	TRY(vectors_fixed(share, "id", id, sizeof(id), err));
	TRY(vectors_fixed(share, "rk", rk.b, sizeof(rk.b), err));
	TRY(vectors_fixed(share, "commitment", c, sizeof(c), err));
	TRY(pre_delegation_arg(v->ctx, &in->delegation, id, &w, err));
	VECTORS_CHECK(vectors_equal(share, "polynomial_arg", w.b, sizeof(w.b)), "polynomial_arg");
	VECTORS_CHECK(
		pre_mul_secret(v->ctx, &rk, &v->ctx->u, &made) && memcmp(made.b, c, sizeof(c)) == 0,
		"commitment");
	TRY(check_claim(v, share, "message_for_receiver", &claim, err));
	if (!in->has_set)
		return 0;
	claim.delegating = in->set.shares.flags & PRE_SIGN_DELEGATING ? &in->delegating : NULL;
	claim.receiving = in->set.shares.flags & PRE_SIGN_RECEIVING ? &in->receiving : NULL;
	TRY(check_claim(v, share, "message_for_proxy", &claim, err));
	TRY(pre_cfrag_h(v->ctx, &in->set.capsule, in->set.cfrags[i].b, h, err));
	VECTORS_CHECK(vectors_equal(share, "cfrag_h", h, sizeof(h)), "cfrag_h");
	VECTORS_CHECK(
		vectors_equal(share, "cfrag_z", in->set.cfrags[i].b + PRE_CFRAG_Z, PRE_SCALAR_LEN),
		"cfrag_z");
	return 0;
}

/* λ of the first shares, and that they make the first coefficient out of the rk. */
static int check_lagrange(
	struct vectors *v, struct inner *in, struct json_object *shares, struct err *err)
{
	struct json_object *list = NULL;
	struct secret sum = {0};
	size_t n = 0;

	TRY(vectors_list(in->o, "lagrange_of_first_t", &list, &n, err));
	VECTORS_CHECK(n <= json_object_array_length(shares), "shares");
	for (size_t i = 0; i < n; i++) {
		struct json_object *share = json_object_array_get_idx(shares, i);
		struct secret rk = {0};
		struct secret lambda = {0};
		const struct str hex =
			base_str(json_object_get_string(json_object_array_get_idx(list, i)));

		TRY(base_unhex(hex, lambda.b, sizeof(lambda.b), err));
		TRY(vectors_fixed(share, "rk", rk.b, sizeof(rk.b), err));
		VECTORS_CHECK(pre_scalar_mul(v->ctx, &rk, lambda.b), "λ·rk");
		if (i == 0)
			sum = rk;
		else
			VECTORS_CHECK(pre_scalar_add(v->ctx, &sum, rk.b), "Σ λ·rk");
	}
	VECTORS_CHECK(vectors_equal(in->o, "coefficient0", sum.b, sizeof(sum.b)), "Σ λ·rk");
	return 0;
}

/* Both keys stand at the end of the message for the receiver: 01 ‖ A ‖ 01 ‖ B. */
static int read_keys(struct vectors *v, struct inner *in, struct json_object *share,
	uint8_t precursor[static PRE_POINT_LEN], struct err *err)
{
	struct str m = STR_NULL;

	TRY(vectors_bytes(v, share, "message_for_receiver", &m, err));
	VECTORS_CHECK(m.n == 166, "message_for_receiver");
	memcpy(in->delegating.b, m.p + 99, PRE_POINT_LEN);
	memcpy(in->receiving.b, m.p + 133, PRE_POINT_LEN);
	TRY(vectors_fixed(in->o, "precursor", precursor, PRE_POINT_LEN, err));
	TRY(vectors_fixed(in->o, "dh_point", in->delegation.dh.b, PRE_POINT_LEN, err));
	in->delegation.precursor = precursor;
	in->delegation.receiving = &in->receiving;
	return 0;
}

int vectors_intermediate(struct vectors *v, struct json_object *o, struct err *err)
{
	struct inner in = {.o = o};
	uint8_t precursor[PRE_POINT_LEN];
	struct json_object *shares = NULL;
	size_t n = 0;

	TRY(find_set(v, &in, err));
	TRY(check_points(v, &in, err));
	TRY(check_cipher(v, &in, err));
	TRY(vectors_list(o, "shares", &shares, &n, err));
	VECTORS_CHECK(n > 0 && (!in.has_set || n == in.set.shares.shares), "shares");
	TRY(read_keys(v, &in, json_object_array_get_idx(shares, 0), precursor, err));
	TRY(check_delegation(v, &in, err));
	for (size_t i = 0; i < n; i++)
		TRY(check_share(v, &in, json_object_array_get_idx(shares, i), i, err));
	return check_lagrange(v, &in, shares, err);
}
