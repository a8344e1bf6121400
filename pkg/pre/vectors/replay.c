#include "pkg/pre/vectors/vectors.h"

#include "pkg/pre/secret.h"
#include "pkg/pre/send.h"

/* The recorded draws, one after the other, as the source of randomness from here on. */
static int script(
	struct vectors *v, struct json_object *o, const char *key, struct str *ret, struct err *err)
{
	_cleanup_(base_buf_done) struct buf all = base_buf(1 << 20);
	struct json_object *list = NULL;
	size_t n = 0;

	TRY(vectors_list(o, key, &list, &n, err));
	for (size_t i = 0; i < n; i++) {
		const char *hex = json_object_get_string(json_object_array_get_idx(list, i));
		const struct str text = base_str(hex);
		uint8_t *room = NULL;

		TRY(base_buf_room(&all, text.n / 2, &room, err));
		TRY(base_unhex(text, room, text.n / 2, err));
		base_buf_added(&all, text.n / 2);
	}
	TRY(base_arena_str(v->arena, base_buf_str(&all), ret, err));
	v->fake.script = (const uint8_t *)ret->p;
	v->fake.script_len = ret->n;
	return 0;
}

static int replay_keys(
	struct vectors *v, const struct vectors_set *set, struct json_object *rng, struct err *err)
{
	const struct secret *const recorded[] = {&set->a, &set->b, &set->s};
	struct str drawn = STR_NULL;

	TRY(script(v, rng, "keys", &drawn, err));
	for (size_t i = 0; i < ARRAY_LEN(recorded); i++) {
		struct secret sk = {0};
		struct pre_public_key pk;
		TRY(pre_keygen(v->ctx, &sk, &pk, err));
		VECTORS_CHECK(memcmp(sk.b, recorded[i]->b, sizeof(sk.b)) == 0, "keys");
	}
	VECTORS_CHECK(v->fake.script_len == 0, "draws for keys");
	return 0;
}

static int replay_encrypt(
	struct vectors *v, const struct vectors_set *set, struct json_object *rng, struct err *err)
{
	_cleanup_(base_buf_done) struct buf ciphertext = base_buf(PRE_PLAINTEXT_MAX);
	uint8_t capsule[PRE_CAPSULE_LEN];
	struct str drawn = STR_NULL;

	TRY(script(v, rng, "encrypt", &drawn, err));
	TRY(pre_encrypt(v->ctx, &set->delegating, set->plaintext, capsule, &ciphertext, err));
	VECTORS_CHECK(memcmp(capsule, set->capsule.b, sizeof(capsule)) == 0, "capsule");
	VECTORS_CHECK(base_str_eq(base_buf_str(&ciphertext), set->ciphertext), "ciphertext");
	VECTORS_CHECK(v->fake.script_len == 0, "draws for encryption");
	return 0;
}

static int replay_kfrags(
	struct vectors *v, const struct vectors_set *set, struct json_object *rng, struct err *err)
{
	struct str drawn = STR_NULL;
	void *p = NULL;

	TRY(base_arena_alloc(v->arena, set->shares.shares, sizeof(struct pre_kfrag), &p, err));
	struct pre_kfrag *made = p;
	TRY(script(v, rng, "generate_kfrags", &drawn, err));
	TRY(pre_kfrags_generate(
		v->ctx, &set->a, &set->receiving, &set->s, &set->shares, made, err));
	VECTORS_CHECK(v->fake.script_len == 0, "draws for kfrags");
	for (size_t i = 0; i < set->shares.shares; i++)
		VECTORS_CHECK(memcmp(made[i].b, set->kfrags[i].b, sizeof(made[i].b)) == 0, "kfrag");
	return 0;
}

static int replay_cfrags(struct vectors *v, const struct vectors_set *set, struct err *err)
{
	for (size_t i = 0; i < set->shares.shares; i++) {
		struct json_object *o = json_object_array_get_idx(set->cfrag_list, i);
		struct str drawn = STR_NULL;
		struct pre_cfrag made;

		TRY(script(v, o, "t_rand", &drawn, err));
		TRY(pre_reencrypt(v->ctx, &set->capsule, &set->kfrags[i], &made, err));
		VECTORS_CHECK(memcmp(made.b, set->cfrags[i].b, sizeof(made.b)) == 0, "cfrag");
		VECTORS_CHECK(v->fake.script_len == 0, "draws for a cfrag");
	}
	return 0;
}

static int replay_signature(
	struct vectors *v, const struct vectors_set *set, struct json_object *rng, struct err *err)
{
	struct json_object *o = NULL;
	struct str drawn = STR_NULL;
	uint8_t digest[PRE_HASH_LEN];
	uint8_t sig[PRE_SIG_LEN];

	if (!json_object_object_get_ex(set->o, "message_signature", &o) || !o)
		return 0;
	TRY(script(v, rng, "message_signature", &drawn, err));
	VECTORS_CHECK(drawn.n == 32, "draws for a signature");
	TRY(pre_sha256(v->ctx, &set->plaintext, 1, digest, err));
	TRY(pre_sign_digest(v->ctx, &set->s, digest, (const uint8_t *)drawn.p, sig, err));
	VECTORS_CHECK(vectors_equal(o, "be", sig, sizeof(sig)), "message signature");
	return 0;
}

/* Block i of the stream that all draws of a case were taken from. */
static int stream_block(struct vectors *v, struct str id, size_t i,
	uint8_t ret[static PRE_HASH_LEN], struct err *err)
{
	const uint8_t be[8] = {[6] = (uint8_t)(i >> 8), [7] = (uint8_t)i};
	const struct str parts[] = {id, pre_part(be, sizeof(be))};

	return pre_sha256(v->ctx, parts, ARRAY_LEN(parts), ret, err);
}

static int check_stream(
	struct vectors *v, const struct vectors_set *set, struct json_object *rng, struct err *err)
{
	uint8_t block[PRE_HASH_LEN];
	struct str id = STR_NULL;
	struct str keys = STR_NULL;

	if (!vectors_has(rng, "construction"))
		return 0;
	TRY(vectors_text(set->o, "id", &id, err));
	TRY(script(v, rng, "keys", &keys, err));
	v->fake.script_len = 0;
	for (size_t i = 0; i < keys.n / sizeof(block); i++) {
		TRY(stream_block(v, id, i, block, err));
		VECTORS_CHECK(memcmp(block, keys.p + i * sizeof(block), sizeof(block)) == 0,
			"the recorded randomness is not the stream of the case's id");
	}
	return 0;
}

int vectors_replay(struct vectors *v, const struct vectors_set *set, struct err *err)
{
	struct json_object *rng = NULL;

	if (!json_object_object_get_ex(set->o, "rng", &rng))
		return FAIL(err, ERR_INVALID, "no \"rng\"");
	TRY(check_stream(v, set, rng, err));
	TRY(replay_keys(v, set, rng, err));
	TRY(replay_encrypt(v, set, rng, err));
	TRY(replay_kfrags(v, set, rng, err));
	TRY(replay_cfrags(v, set, err));
	return replay_signature(v, set, rng, err);
}
