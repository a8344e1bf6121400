#include "pkg/pre/vectors/vectors.h"

#include "pkg/pre/secret.h"

static int get_capsule(
	struct vectors *v, struct json_object *o, struct pre_capsule *ret, struct err *err)
{
	struct str b = STR_NULL;

	TRY(vectors_bytes(v, o, "capsule", &b, err));
	return pre_capsule_parse(v->ctx, (const uint8_t *)b.p, b.n, ret, err);
}

static int op_capsule_parse(struct vectors *v, struct json_object *o, struct err *err)
{
	struct pre_capsule capsule;

	return get_capsule(v, o, &capsule, err);
}

static int op_public_key_parse(struct vectors *v, struct json_object *o, struct err *err)
{
	struct pre_public_key key;

	return vectors_key(v, o, "public_key", &key, err);
}

static int op_secret_key_parse(struct vectors *v, struct json_object *o, struct err *err)
{
	struct str b = STR_NULL;
	struct secret sk = {0};
	struct pre_public_key pk;

	TRY(vectors_bytes(v, o, "secret_key", &b, err));
	if (b.n != sizeof(sk.b))
		return PRE_FAIL(err, PARSE);
	memcpy(sk.b, b.p, sizeof(sk.b));
	return pre_public_of(v->ctx, &sk, &pk, err);
}

static int op_signature_verify(struct vectors *v, struct json_object *o, struct err *err)
{
	struct pre_public_key key;
	struct str message = STR_NULL;
	struct str sig = STR_NULL;
	uint8_t digest[PRE_HASH_LEN];

	TRY(vectors_key(v, o, "verifying_pk", &key, err));
	TRY(vectors_bytes(v, o, "message", &message, err));
	TRY(vectors_bytes(v, o, "signature", &sig, err));
	TRY(pre_sha256(v->ctx, &message, 1, digest, err));
	if (sig.n != PRE_SIG_LEN ||
		!pre_verify_digest(v->ctx, &key, digest, (const uint8_t *)sig.p))
		return PRE_FAIL(err, SIGNATURE);
	return 0;
}

/* A key that may be missing: *ret is then NULL. */
static int get_optional(struct vectors *v, struct json_object *o, const char *name,
	struct pre_public_key *key, const struct pre_public_key **ret, struct err *err)
{
	*ret = NULL;
	if (!vectors_has(o, name))
		return 0;
	TRY(vectors_key(v, o, name, key, err));
	*ret = key;
	return 0;
}

static int op_kfrag_verify(struct vectors *v, struct json_object *o, struct err *err)
{
	struct str b = STR_NULL;
	struct pre_kfrag kfrag;
	struct pre_public_key keys[3];
	const struct pre_public_key *delegating = NULL;
	const struct pre_public_key *receiving = NULL;

	TRY(vectors_bytes(v, o, "kfrag", &b, err));
	TRY(pre_kfrag_parse(v->ctx, (const uint8_t *)b.p, b.n, &kfrag, err));
	TRY(vectors_key(v, o, "verifying_pk", &keys[0], err));
	TRY(get_optional(v, o, "delegating_pk", &keys[1], &delegating, err));
	TRY(get_optional(v, o, "receiving_pk", &keys[2], &receiving, err));
	return pre_kfrag_verify(v->ctx, &kfrag, &keys[0], delegating, receiving, err);
}

static int op_cfrag_verify(struct vectors *v, struct json_object *o, struct err *err)
{
	struct str b = STR_NULL;
	struct pre_capsule capsule;
	struct pre_cfrag cfrag;
	struct pre_public_key keys[3];

	TRY(get_capsule(v, o, &capsule, err));
	TRY(vectors_bytes(v, o, "cfrag", &b, err));
	TRY(pre_cfrag_parse(v->ctx, (const uint8_t *)b.p, b.n, &cfrag, err));
	TRY(vectors_key(v, o, "verifying_pk", &keys[0], err));
	TRY(vectors_key(v, o, "delegating_pk", &keys[1], err));
	TRY(vectors_key(v, o, "receiving_pk", &keys[2], err));
	return pre_cfrag_verify(v->ctx, &cfrag, &capsule, &keys[0], &keys[1], &keys[2], err);
}

static int op_decrypt_original(struct vectors *v, struct json_object *o, struct err *err)
{
	_cleanup_(base_buf_done) struct buf plain = base_buf(PRE_PLAINTEXT_MAX);
	struct pre_capsule capsule;
	struct secret sk = {0};
	struct str ciphertext = STR_NULL;

	TRY(get_capsule(v, o, &capsule, err));
	TRY(vectors_fixed(o, "delegating_sk", sk.b, sizeof(sk.b), err));
	TRY(vectors_bytes(v, o, "ciphertext", &ciphertext, err));
	return pre_decrypt_original(v->ctx, &sk, &capsule, ciphertext, &plain, err);
}

static int op_decrypt_reencrypted(struct vectors *v, struct json_object *o, struct err *err)
{
	_cleanup_(base_buf_done) struct buf plain = base_buf(PRE_PLAINTEXT_MAX);
	struct pre_capsule capsule;
	struct secret sk = {0};
	struct pre_public_key delegating;
	struct str ciphertext = STR_NULL;
	struct json_object *list = NULL;
	size_t n = 0;
	void *p = NULL;

	TRY(get_capsule(v, o, &capsule, err));
	TRY(vectors_fixed(o, "receiving_sk", sk.b, sizeof(sk.b), err));
	TRY(vectors_key(v, o, "delegating_pk", &delegating, err));
	TRY(vectors_bytes(v, o, "ciphertext", &ciphertext, err));
	TRY(vectors_list(o, "cfrags", &list, &n, err));
	TRY(base_arena_alloc(v->arena, n, sizeof(struct pre_cfrag), &p, err));
	const struct pre_cfrags cfrags = {.v = p, .n = n};
	for (size_t i = 0; i < n; i++) {
		const struct str hex =
			base_str(json_object_get_string(json_object_array_get_idx(list, i)));
		struct str b = STR_NULL;
		TRY(vectors_unhex(v, hex, &b, err));
		TRY(pre_cfrag_parse(
			v->ctx, (const uint8_t *)b.p, b.n, (struct pre_cfrag *)p + i, err));
	}
	const struct pre_receiver receiver = {.sk = &sk, .delegating = &delegating};
	return pre_decrypt_reencrypted(
		v->ctx, &receiver, &capsule, cfrags, ciphertext, &plain, err);
}

static const struct {
	const char *name;
	vectors_case run;
} ops[] = {
	{"capsule_parse", op_capsule_parse},
	{"public_key_parse", op_public_key_parse},
	{"secret_key_parse", op_secret_key_parse},
	{"signature_verify", op_signature_verify},
	{"kfrag_verify", op_kfrag_verify},
	{"cfrag_verify", op_cfrag_verify},
	{"decrypt_original", op_decrypt_original},
	{"decrypt_reencrypted", op_decrypt_reencrypted},
};

int vectors_negative(struct vectors *v, struct json_object *o, struct err *err)
{
	struct str op = STR_NULL;
	struct str expected = STR_NULL;

	TRY(vectors_text(o, "op", &op, err));
	TRY(vectors_text(
		o, vectors_has(o, "expect_strict") ? "expect_strict" : "expect", &expected, err));
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		struct err got = {0};

		if (!base_str_eq(op, base_str(ops[i].name)))
			continue;
		const char *word = ops[i].run(v, o, &got) < 0 ? pre_reason_name(got.detail) : "ok";
		if (!base_str_eq(expected, base_str(word)))
			return FAIL(err, ERR_TAMPERED, "expected \"%.*s\", got \"%s\" (%s)",
				STR_FMT(expected), word, got.msg);
		return 0;
	}
	return FAIL(err, ERR_INVALID, "unknown op \"%.*s\"", STR_FMT(op));
}
