#include "pkg/pre/vectors/vectors.h"

#include "pkg/pre/secret.h"

static int read_pair(struct vectors *v, struct json_object *o, const char *sk_name,
	const char *pk_name, struct secret *ret_sk, struct pre_public_key *ret_pk, struct err *err)
{
	struct pre_public_key made;

	TRY(vectors_fixed(o, sk_name, ret_sk->b, sizeof(ret_sk->b), err));
	TRY(vectors_key(v, o, pk_name, ret_pk, err));
	VECTORS_STEP(pre_public_of(v->ctx, ret_sk, &made, err), sk_name);
	VECTORS_CHECK(pre_public_key_eq(&made, ret_pk), pk_name);
	return 0;
}

static int read_fragments(struct vectors *v, struct vectors_set *set, struct err *err)
{
	size_t n_kfrags = 0;
	size_t n_cfrags = 0;
	void *kfrags = NULL;
	void *cfrags = NULL;

	TRY(vectors_list(set->o, "kfrags", &set->kfrag_list, &n_kfrags, err));
	TRY(vectors_list(set->o, "cfrags", &set->cfrag_list, &n_cfrags, err));
	VECTORS_CHECK(n_kfrags == set->shares.shares && n_cfrags == n_kfrags &&
			      n_kfrags <= PRE_SHARES_MAX && set->shares.threshold >= 1 &&
			      set->shares.threshold <= n_kfrags,
		"shares, threshold and the numbers of kfrags and cfrags");
	TRY(base_arena_alloc(v->arena, n_kfrags, sizeof(struct pre_kfrag), &kfrags, err));
	TRY(base_arena_alloc(v->arena, n_cfrags, sizeof(struct pre_cfrag), &cfrags, err));
	set->kfrags = kfrags;
	set->cfrags = cfrags;
	for (size_t i = 0; i < n_kfrags; i++) {
		struct json_object *k = json_object_array_get_idx(set->kfrag_list, i);
		struct json_object *c = json_object_array_get_idx(set->cfrag_list, i);
		struct str bytes = STR_NULL;

		TRY(vectors_bytes(v, k, "kfrag", &bytes, err));
		VECTORS_STEP(pre_kfrag_parse(v->ctx, (const uint8_t *)bytes.p, bytes.n,
				     &set->kfrags[i], err),
			"kfrag");
		TRY(vectors_bytes(v, c, "cfrag", &bytes, err));
		VECTORS_STEP(pre_cfrag_parse(v->ctx, (const uint8_t *)bytes.p, bytes.n,
				     &set->cfrags[i], err),
			"cfrag");
	}
	return 0;
}

int vectors_set_read(
	struct vectors *v, struct json_object *o, struct vectors_set *ret, struct err *err)
{
	struct str capsule = STR_NULL;

	*ret = (struct vectors_set){.o = o};
	TRY(read_pair(v, o, "delegating_sk", "delegating_pk", &ret->a, &ret->delegating, err));
	TRY(read_pair(v, o, "receiving_sk", "receiving_pk", &ret->b, &ret->receiving, err));
	TRY(read_pair(v, o, "signing_sk", "verifying_pk", &ret->s, &ret->verifying, err));
	TRY(vectors_bytes(v, o, "capsule", &capsule, err));
	VECTORS_STEP(pre_capsule_parse(
			     v->ctx, (const uint8_t *)capsule.p, capsule.n, &ret->capsule, err),
		"capsule");
	TRY(vectors_bytes(v, o, "plaintext", &ret->plaintext, err));
	TRY(vectors_bytes(v, o, "ciphertext", &ret->ciphertext, err));
	ret->shares.threshold = vectors_number(o, "threshold");
	ret->shares.shares = vectors_number(o, "shares");
	ret->shares.flags = PRE_SIGN_TWICE;
	if (vectors_flag(o, "sign_delegating_key"))
		ret->shares.flags |= PRE_SIGN_DELEGATING;
	if (vectors_flag(o, "sign_receiving_key"))
		ret->shares.flags |= PRE_SIGN_RECEIVING;
	return read_fragments(v, ret, err);
}

static int check_capsule(struct vectors *v, const struct vectors_set *set, struct err *err)
{
	_cleanup_(base_buf_done) struct buf plain = base_buf(PRE_PLAINTEXT_MAX);
	struct pre_secret_point seed = {0};
	uint8_t simple[PRE_SIMPLE_LEN];

	pre_capsule_simple(set->capsule.b, simple);
	VECTORS_CHECK(
		vectors_equal(set->o, "capsule_simple", simple, sizeof(simple)), "capsule_simple");
	VECTORS_CHECK(
		set->plaintext.n == vectors_number(set->o, "plaintext_size"), "plaintext_size");
	VECTORS_CHECK(pre_mul_secret(v->ctx, &set->a, &set->capsule.sum, &seed), "key seed");
	VECTORS_CHECK(!vectors_has(set->o, "key_seed") ||
			      vectors_equal(set->o, "key_seed", seed.b, sizeof(seed.b)),
		"key_seed");
	VECTORS_STEP(
		pre_decrypt_original(v->ctx, &set->a, &set->capsule, set->ciphertext, &plain, err),
		"decrypt with the delegating key");
	VECTORS_CHECK(base_str_eq(base_buf_str(&plain), set->plaintext), "the plaintext");
	return 0;
}

static int check_kfrags(struct vectors *v, const struct vectors_set *set, struct err *err)
{
	for (size_t i = 0; i < set->shares.shares; i++) {
		const struct pre_kfrag *k = &set->kfrags[i];
		struct secret opening = {0};

		VECTORS_STEP(pre_kfrag_verify(v->ctx, k, &set->verifying, &set->delegating,
				     &set->receiving, err),
			"verify kfrag");
		if ((set->shares.flags & PRE_SIGN_BOTH) != PRE_SIGN_BOTH)
			continue;
		VECTORS_STEP(pre_kfrag_verify_both(v->ctx, k, &set->verifying, &set->delegating,
				     &set->receiving, err),
			"verify both signatures of the kfrag");
		if (set->shares.threshold > 1)
			continue;
		VECTORS_STEP(pre_grant_open(v->ctx, &set->b, &set->delegating, &set->verifying, k,
				     &opening, err),
			"open the grant");
		VECTORS_CHECK(memcmp(opening.b, set->a.b, sizeof(opening.b)) == 0, "a = d·rk");
	}
	return 0;
}

void vectors_cfrag_simple(const struct pre_cfrag *c, uint8_t dst[static VECTORS_SIMPLE_LEN])
{
	static const struct {
		size_t at, n;
	} fields[] = {
		{PRE_CFRAG_E1, 33},
		{PRE_CFRAG_V1, 33},
		{PRE_CFRAG_ID, 32},
		{PRE_CFRAG_X, 33},
		{PRE_CFRAG_E2, 33},
		{PRE_CFRAG_V2, 33},
		{PRE_CFRAG_U1, 33},
		{PRE_CFRAG_U2, 33},
		{PRE_CFRAG_Z, 32},
		{PRE_CFRAG_SIG, 64},
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		memcpy(dst, c->b + fields[i].at, fields[i].n);
		dst += fields[i].n;
	}
}

static int check_cfrags(struct vectors *v, const struct vectors_set *set, struct err *err)
{
	for (size_t i = 0; i < set->shares.shares; i++) {
		struct json_object *o = json_object_array_get_idx(set->cfrag_list, i);
		uint8_t simple[VECTORS_SIMPLE_LEN];
		uint8_t evidence[VECTORS_EVIDENCE_LEN];

		vectors_cfrag_simple(&set->cfrags[i], simple);
		VECTORS_CHECK(!vectors_has(o, "cfrag_simple") ||
				      vectors_equal(o, "cfrag_simple", simple, sizeof(simple)),
			"cfrag_simple");
		VECTORS_STEP(pre_cfrag_verify(v->ctx, &set->cfrags[i], &set->capsule,
				     &set->verifying, &set->delegating, &set->receiving, err),
			"verify cfrag");
		TRY(vectors_evidence(v, set, &set->cfrags[i], evidence, err));
		VECTORS_CHECK(!vectors_has(o, "evidence") ||
				      vectors_equal(o, "evidence", evidence, sizeof(evidence)),
			"evidence");
	}
	return 0;
}

static int open_with(struct vectors *v, const struct vectors_set *set, const struct pre_cfrag *from,
	size_t n, struct err *err)
{
	const struct pre_receiver receiver = {.sk = &set->b,
		.pk = n % 2 ? &set->receiving : NULL,
		.delegating = &set->delegating};
	const struct pre_cfrags cfrags = {.v = from, .n = n};
	_cleanup_(base_buf_done) struct buf plain = base_buf(PRE_PLAINTEXT_MAX);

	TRY(pre_decrypt_reencrypted(
		v->ctx, &receiver, &set->capsule, cfrags, set->ciphertext, &plain, err));
	VECTORS_CHECK(base_str_eq(base_buf_str(&plain), set->plaintext), "the plaintext");
	return 0;
}

/* By the first and last `threshold` of them, by all, and not by fewer. */
static int open_every_way(struct vectors *v, const struct vectors_set *set,
	const struct pre_cfrag *cfrags, struct err *err)
{
	const size_t t = set->shares.threshold;
	const size_t n = set->shares.shares;
	struct err fewer = {0};

	VECTORS_STEP(open_with(v, set, cfrags, t, err), "open with the first cfrags");
	VECTORS_STEP(open_with(v, set, cfrags + n - t, t, err), "open with the last cfrags");
	VECTORS_STEP(open_with(v, set, cfrags, n, err), "open with all cfrags");
	if (t > 1)
		VECTORS_CHECK(open_with(v, set, cfrags, t - 1, &fewer) < 0 &&
				      fewer.detail == PRE_REASON_VALIDATION,
			"fewer cfrags than the threshold");
	return 0;
}

static int reencrypt_anew(struct vectors *v, const struct vectors_set *set, struct err *err)
{
	void *p = NULL;

	TRY(base_arena_alloc(v->arena, set->shares.shares, sizeof(struct pre_cfrag), &p, err));
	struct pre_cfrag *cfrags = p;
	for (size_t i = 0; i < set->shares.shares; i++) {
		VECTORS_STEP(pre_reencrypt(v->ctx, &set->capsule, &set->kfrags[i], &cfrags[i], err),
			"re-encrypt");
		VECTORS_STEP(pre_cfrag_verify(v->ctx, &cfrags[i], &set->capsule, &set->verifying,
				     &set->delegating, &set->receiving, err),
			"verify a new cfrag");
	}
	VECTORS_STEP(open_every_way(v, set, cfrags, err), "new cfrags");
	return 0;
}

static int check_signature(struct vectors *v, const struct vectors_set *set, struct err *err)
{
	struct json_object *o = NULL;
	secp256k1_ecdsa_signature parsed;
	uint8_t sig[PRE_SIG_LEN];
	uint8_t digest[PRE_HASH_LEN];
	uint8_t der[80];
	size_t der_len = sizeof(der);

	if (!json_object_object_get_ex(set->o, "message_signature", &o) || !o)
		return 0;
	TRY(vectors_fixed(o, "be", sig, sizeof(sig), err));
	TRY(pre_sha256(v->ctx, &set->plaintext, 1, digest, err));
	VECTORS_CHECK(pre_verify_digest(v->ctx, &set->verifying, digest, sig), "message_signature");
	VECTORS_CHECK(secp256k1_ecdsa_signature_parse_compact(v->ctx->curve, &parsed, sig) &&
			      secp256k1_ecdsa_signature_serialize_der(
				      v->ctx->curve, der, &der_len, &parsed) &&
			      (!vectors_has(o, "der") || vectors_equal(o, "der", der, der_len)),
		"message_signature in DER");
	return 0;
}

int vectors_positive(struct vectors *v, struct json_object *o, struct err *err)
{
	struct vectors_set set;

	TRY(vectors_set_read(v, o, &set, err));
	if (!v->replay_only) {
		TRY(check_capsule(v, &set, err));
		TRY(check_kfrags(v, &set, err));
		TRY(check_cfrags(v, &set, err));
		VECTORS_STEP(open_every_way(v, &set, set.cfrags, err), "stored cfrags");
		TRY(reencrypt_anew(v, &set, err));
		TRY(check_signature(v, &set, err));
	}
	if (vectors_has(o, "rng"))
		VECTORS_STEP(vectors_replay(v, &set, err), "replay");
	return 0;
}
