#include "pkg/pre/vectors/vectors.h"

#include "pkg/pre/secret.h"
#include "pkg/pre/send.h"

#define PLAINTEXT_MAX 65536

static int put_hex(struct vectors *v, struct json_object *o, const char *key, const void *p,
	size_t n, struct err *err)
{
	void *hex = NULL;

	TRY(base_arena_alloc(v->arena, 2 * n + 1, 1, &hex, err));
	base_hex(p, n, hex);
	if (json_object_object_add(o, key, json_object_new_string(hex)) < 0)
		return FAIL(err, ERR_NOMEM, "%s", key);
	return 0;
}

static int add(struct json_object *o, const char *key, struct json_object *value, struct err *err)
{
	if (!value || json_object_object_add(o, key, value) < 0)
		return FAIL(err, ERR_NOMEM, "%s", key);
	return 0;
}

static int make_keys(struct vectors *v, struct vectors_set *set, struct err *err)
{
	const struct {
		const char *sk_name, *pk_name;
		struct secret *sk;
		struct pre_public_key *pk;
	} rows[] = {
		{"delegating_sk", "delegating_pk", &set->a, &set->delegating},
		{"receiving_sk", "receiving_pk", &set->b, &set->receiving},
		{"signing_sk", "verifying_pk", &set->s, &set->verifying},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		TRY(pre_keygen(v->ctx, rows[i].sk, rows[i].pk, err));
		TRY(put_hex(v, set->o, rows[i].sk_name, rows[i].sk->b, SECRET_LEN, err));
		TRY(put_hex(v, set->o, rows[i].pk_name, rows[i].pk->b, PRE_POINT_LEN, err));
	}
	return 0;
}

static int make_message(struct vectors *v, struct vectors_set *set, size_t size, struct err *err)
{
	_cleanup_(base_buf_done) struct buf ciphertext =
		base_buf(PLAINTEXT_MAX + PRE_WRAP_OVERHEAD);
	uint8_t capsule[PRE_CAPSULE_LEN];
	uint8_t simple[PRE_SIMPLE_LEN];
	void *plaintext = NULL;

	TRY(base_arena_alloc(v->arena, size + 1, 1, &plaintext, err));
	TRY(base_random(&v->env, plaintext, size, err));
	set->plaintext = base_str_n(plaintext, size);
	TRY(pre_encrypt(v->ctx, &set->delegating, set->plaintext, capsule, &ciphertext, err));
	TRY(pre_capsule_parse(v->ctx, capsule, sizeof(capsule), &set->capsule, err));
	pre_capsule_simple(capsule, simple);
	TRY(add(set->o, "plaintext_size", json_object_new_int64((int64_t)size), err));
	TRY(put_hex(v, set->o, "plaintext", plaintext, size, err));
	TRY(put_hex(v, set->o, "ciphertext", ciphertext.data, ciphertext.len, err));
	TRY(put_hex(v, set->o, "capsule", capsule, sizeof(capsule), err));
	return put_hex(v, set->o, "capsule_simple", simple, sizeof(simple), err);
}

static int make_share(
	struct vectors *v, struct vectors_set *set, const struct pre_kfrag *kfrag, struct err *err)
{
	struct json_object *k = json_object_new_object();
	struct json_object *c = json_object_new_object();
	struct pre_cfrag cfrag;
	uint8_t evidence[VECTORS_EVIDENCE_LEN];
	uint8_t simple[VECTORS_SIMPLE_LEN];

	if (json_object_array_add(set->kfrag_list, k) < 0 ||
		json_object_array_add(set->cfrag_list, c) < 0)
		return FAIL(err, ERR_NOMEM, "lists");
	TRY(put_hex(v, k, "kfrag", kfrag->b, sizeof(kfrag->b), err));
	TRY(pre_reencrypt(v->ctx, &set->capsule, kfrag, &cfrag, err));
	TRY(vectors_evidence(v, set, &cfrag, evidence, err));
	vectors_cfrag_simple(&cfrag, simple);
	TRY(put_hex(v, c, "cfrag_simple", simple, sizeof(simple), err));
	TRY(put_hex(v, c, "cfrag", cfrag.b, sizeof(cfrag.b), err));
	return put_hex(v, c, "evidence", evidence, sizeof(evidence), err);
}

static int make_shares(struct vectors *v, struct vectors_set *set, struct err *err)
{
	const struct pre_shares *how = &set->shares;
	void *p = NULL;

	TRY(add(set->o, "threshold", json_object_new_int64(how->threshold), err));
	TRY(add(set->o, "shares", json_object_new_int64(how->shares), err));
	TRY(add(set->o, "sign_delegating_key",
		json_object_new_boolean((how->flags & PRE_SIGN_DELEGATING) != 0), err));
	TRY(add(set->o, "sign_receiving_key",
		json_object_new_boolean((how->flags & PRE_SIGN_RECEIVING) != 0), err));
	set->kfrag_list = json_object_new_array();
	TRY(add(set->o, "kfrags", set->kfrag_list, err));
	set->cfrag_list = json_object_new_array();
	TRY(add(set->o, "cfrags", set->cfrag_list, err));
	TRY(base_arena_alloc(v->arena, how->shares, sizeof(struct pre_kfrag), &p, err));
	set->kfrags = p;
	TRY(pre_kfrags_generate(v->ctx, &set->a, &set->receiving, &set->s, how, set->kfrags, err));
	for (size_t i = 0; i < how->shares; i++)
		TRY(make_share(v, set, &set->kfrags[i], err));
	return 0;
}

static int make_signature(struct vectors *v, struct vectors_set *set, struct err *err)
{
	struct json_object *o = json_object_new_object();
	secp256k1_ecdsa_signature parsed;
	uint8_t digest[PRE_HASH_LEN];
	uint8_t extra[32];
	uint8_t sig[PRE_SIG_LEN];
	uint8_t der[80];
	size_t n = sizeof(der);

	TRY(add(set->o, "message_signature", o, err));
	TRY(base_random(&v->env, extra, sizeof(extra), err));
	TRY(pre_sha256(v->ctx, &set->plaintext, 1, digest, err));
	TRY(pre_sign_digest(v->ctx, &set->s, digest, extra, sig, err));
	VECTORS_CHECK(
		secp256k1_ecdsa_signature_parse_compact(v->ctx->curve, &parsed, sig) &&
			secp256k1_ecdsa_signature_serialize_der(v->ctx->curve, der, &n, &parsed),
		"the signature in DER");
	TRY(put_hex(v, o, "be", sig, sizeof(sig), err));
	return put_hex(v, o, "der", der, n, err);
}

static int make_case(struct vectors *v, struct json_object *o, struct pre_shares how, size_t size,
	struct err *err)
{
	struct vectors_set set = {.o = o, .shares = how};
	char id[64];

	(void)snprintf(id, sizeof(id), "functionkey/%uof%u/%zu", how.threshold, how.shares, size);
	TRY(add(o, "id", json_object_new_string(id), err));
	TRY(make_keys(v, &set, err));
	TRY(make_message(v, &set, size, err));
	TRY(make_shares(v, &set, err));
	return make_signature(v, &set, err);
}

static int make_all(struct vectors *v, struct json_object *list, struct err *err)
{
	static const struct pre_shares shares[] = {
		{.threshold = 1, .shares = 1, .flags = PRE_SIGN_BOTH},
		{.threshold = 1, .shares = 2, .flags = PRE_SIGN_DELEGATING},
		{.threshold = 2, .shares = 3, .flags = PRE_SIGN_BOTH | PRE_SIGN_TWICE},
		{.threshold = 3, .shares = 5, .flags = PRE_SIGN_RECEIVING},
		{.threshold = 5, .shares = 8, .flags = 0},
	};
	static const size_t sizes[] = {0, 1, 32, 1024, PLAINTEXT_MAX};
	_cleanup_(pre_precursor_wipe) struct pre_precursor precursor = {0};

	TRY(pre_precursor_new(v->ctx, &precursor, err));
	for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
		for (size_t j = 0; j < ARRAY_LEN(sizes); j++) {
			struct json_object *o = json_object_new_object();
			struct pre_shares how = shares[i];
			if (json_object_array_add(list, o) < 0)
				return FAIL(err, ERR_NOMEM, "list");
			/* As a leader's kfrags for many receivers: the packages must take them. */
			if (how.shares == 1)
				how.precursor = &precursor;
			TRY(make_case(v, o, how, sizes[j], err));
			base_arena_clear(v->arena);
		}
	}
	return 0;
}

int vectors_make(struct vectors *v, FILE *to, struct err *err)
{
	_cleanup_(vectors_put) struct json_object *file = json_object_new_object();
	struct json_object *generator = json_object_new_object();
	struct json_object *list = json_object_new_array();

	TRY(add(file, "generator", generator, err));
	TRY(add(file, "vectors", list, err));
	TRY(add(file, "schema", json_object_new_string("umbral-kat/1"), err));
	TRY(add(file, "kind", json_object_new_string("positive"), err));
	TRY(add(generator, "package", json_object_new_string("functionkey"), err));
	TRY(add(generator, "registry", json_object_new_string("none"), err));
	TRY(add(generator, "version", json_object_new_string(FUNCTIONKEY_VERSION), err));
	TRY(add(generator, "program", json_object_new_string("pre-vectors --make"), err));
	v->env.rng = base_env_system().rng;
	TRY(make_all(v, list, err));
	if (fputs(json_object_to_json_string_ext(file, JSON_C_TO_STRING_PLAIN), to) < 0 ||
		fputc('\n', to) < 0 || fflush(to) != 0)
		return FAIL(err, ERR_TERMINAL, "the output cannot be written");
	return 0;
}
