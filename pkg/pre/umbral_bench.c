/* Times what bench/umbral.sh puts beside the stock package: one line per operation,
 *	name median low high floor
 * in microseconds; low and high are the tenth and the ninetieth percentile of RUNS blocks. The
 * floor is the sum of the calls of libsecp256k1 that an operation cannot do without, each the tenth
 * percentile of the same run; 0 where none is stated. */
#include <secp256k1_ecdh.h>

#include "pkg/pre/hold.h"
#include "pkg/pre/secret.h"
#include "pkg/pre/send.h"

#define RUNS     30
#define BLOCK_NS (8 * NS_PER_MS)
#define TEXT_LEN 1024

struct bench {
	struct env env;
	struct pre_context *ctx;
	struct secret a, b, s, k;
	struct pre_public_key delegating, receiving, verifying;
	uint8_t text[TEXT_LEN];
	uint8_t wire[PRE_CAPSULE_LEN], wrapped[PRE_WRAPPED_LEN];
	uint8_t wrap_wire[PRE_CAPSULE_LEN];
	struct pre_capsule capsule, wrap_capsule;
	struct buf ciphertext, scratch;
	struct pre_kfrag kfrag, kfrags[3];
	struct pre_cfrag cfrag, cfrags[2];
	struct pre_signature sig;
	struct pre_point point;
	struct pre_secret_point seed;
	uint8_t sealed[TEXT_LEN + PRE_WRAP_OVERHEAD];
};

/* One operation, or one call that floors are made of. False: it failed. */
typedef bool (*operation)(struct bench *b);

static bool call_create(struct bench *b)
{
	return secp256k1_ec_pubkey_create(b->ctx->curve, pre_pk(&b->point), b->a.b);
}

static bool call_ecdh(struct bench *b)
{
	return pre_mul_secret(b->ctx, &b->a, &b->ctx->u, &b->seed);
}

static bool call_mul(struct bench *b)
{
	return pre_point_mul_public(b->ctx, &b->ctx->u, b->a.b, &b->point);
}

static bool call_combine(struct bench *b)
{
	return pre_point_add(b->ctx, &b->ctx->u, &b->capsule.e, &b->point);
}

static bool call_parse(struct bench *b)
{
	return pre_point_parse(b->ctx, b->delegating.b, &b->point);
}

static bool call_invert(struct bench *b)
{
	return pre_scalar_invert(b->ctx, &b->k);
}

static bool call_sign(struct bench *b)
{
	return pre_sign_digest(b->ctx, &b->s, b->text, b->text, b->sig.b, NULL) == 0;
}

static bool call_verify(struct bench *b)
{
	secp256k1_ecdsa_signature parsed;

	return secp256k1_ecdsa_signature_parse_compact(b->ctx->curve, &parsed, b->sig.b) &&
	       secp256k1_ecdsa_verify(b->ctx->curve, &parsed, b->text, pre_pk(&b->point));
}

static bool call_seal(struct bench *b)
{
	return pre_dem_seal(b->ctx, &b->seed, b->wire, pre_part(b->text, sizeof(b->text)),
		       b->sealed, NULL) == 0;
}

enum call { CREATE, ECDH, MUL, COMBINE, PARSE, INVERT, SIGN, VERIFY, SEAL, CALLS };

static const operation calls[CALLS] = {
	[CREATE] = call_create,
	[ECDH] = call_ecdh,
	[MUL] = call_mul,
	[COMBINE] = call_combine,
	[PARSE] = call_parse,
	[INVERT] = call_invert,
	[SIGN] = call_sign,
	[VERIFY] = call_verify,
	[SEAL] = call_seal,
};

static bool op_keygen(struct bench *b)
{
	struct pre_public_key pk;
	_cleanup_(base_secret_wipe) struct secret sk = {0};

	return pre_keygen(b->ctx, &sk, &pk, NULL) == 0;
}

static bool op_encrypt(struct bench *b)
{
	base_buf_clear(&b->scratch);
	return pre_encrypt(b->ctx, &b->delegating, pre_part(b->text, sizeof(b->text)), b->wrap_wire,
		       &b->scratch, NULL) == 0;
}

static bool op_wrap(struct bench *b)
{
	return pre_wrap(b->ctx, &b->delegating, &b->k, b->wrap_wire, b->wrapped, NULL) == 0;
}

static bool op_decrypt_own(struct bench *b)
{
	base_buf_clear(&b->scratch);
	return pre_decrypt_original(b->ctx, &b->a, &b->capsule, base_buf_str(&b->ciphertext),
		       &b->scratch, NULL) == 0;
}

static bool op_capsule(struct bench *b)
{
	struct pre_capsule c;

	return pre_capsule_parse(b->ctx, b->wire, sizeof(b->wire), &c, NULL) == 0;
}

static bool op_open_cold(struct bench *b)
{
	_cleanup_(base_secret_wipe) struct secret k = {0};

	return pre_capsule_parse(
		       b->ctx, b->wrap_wire, sizeof(b->wrap_wire), &b->wrap_capsule, NULL) == 0 &&
	       pre_unwrap(b->ctx, &b->a, &b->wrap_capsule, b->wrapped, &k, NULL) == 0;
}

static bool generate(struct bench *b, uint32_t threshold, uint32_t shares)
{
	const struct pre_shares how = {.threshold = threshold,
		.shares = shares,
		.flags = PRE_SIGN_BOTH,
		.delegating_pk = &b->delegating};

	return pre_kfrags_generate(b->ctx, &b->a, &b->receiving, &b->s, &how, b->kfrags, NULL) == 0;
}

static bool op_kfrag(struct bench *b)
{
	return generate(b, 1, 1);
}

static bool op_kfrags_2of3(struct bench *b)
{
	return generate(b, 2, 3);
}

static bool op_verify_kfrag(struct bench *b)
{
	_cleanup_(pre_kfrag_wipe) struct pre_kfrag k;

	return pre_kfrag_parse(b->ctx, b->kfrag.b, PRE_KFRAG_LEN, &k, NULL) == 0 &&
	       pre_kfrag_verify_both(
		       b->ctx, &k, &b->verifying, &b->delegating, &b->receiving, NULL) == 0;
}

static bool op_grant_open(struct bench *b)
{
	_cleanup_(base_secret_wipe) struct secret opening = {0};

	return pre_grant_open(b->ctx, &b->b, &b->delegating, &b->verifying, &b->kfrag, &opening,
		       NULL) == 0;
}

static bool op_reencrypt(struct bench *b)
{
	return pre_reencrypt(b->ctx, &b->capsule, &b->kfrag, &b->cfrag, NULL) == 0;
}

static bool op_verify_cfrag(struct bench *b)
{
	struct pre_cfrag c;

	return pre_cfrag_parse(b->ctx, b->cfrag.b, PRE_CFRAG_LEN, &c, NULL) == 0 &&
	       pre_cfrag_verify(b->ctx, &c, &b->capsule, &b->verifying, &b->delegating,
		       &b->receiving, NULL) == 0;
}

static bool decrypt(struct bench *b, const struct pre_cfrag *v, size_t n)
{
	const struct pre_receiver receiver = {
		.sk = &b->b, .pk = &b->receiving, .delegating = &b->delegating};
	const struct pre_cfrags cfrags = {.v = v, .n = n};

	base_buf_clear(&b->scratch);
	return pre_decrypt_reencrypted(b->ctx, &receiver, &b->capsule, cfrags,
		       base_buf_str(&b->ciphertext), &b->scratch, NULL) == 0;
}

static bool op_decrypt_1of1(struct bench *b)
{
	return decrypt(b, &b->cfrag, 1);
}

static bool op_decrypt_2of3(struct bench *b)
{
	return decrypt(b, b->cfrags, 2);
}

static bool op_sign(struct bench *b)
{
	return pre_sign(b->ctx, &b->s, "bench", pre_part(b->text, sizeof(b->text)), &b->sig,
		       NULL) == 0;
}

static bool op_verify(struct bench *b)
{
	return pre_verify(b->ctx, &b->verifying, "bench", pre_part(b->text, sizeof(b->text)),
		       &b->sig, NULL) == 0;
}

static const struct {
	const char *name;
	operation run;
	uint8_t floor[CALLS]; /* how often each call */
} operations[] = {
	{"keygen", op_keygen, {[CREATE] = 1}},
	{"encrypt-1k", op_encrypt, {[CREATE] = 2, [ECDH] = 1, [SEAL] = 1}},
	{"wrap", op_wrap, {0}},
	{"decrypt-own-1k", op_decrypt_own, {[COMBINE] = 1, [ECDH] = 1, [SEAL] = 1}},
	{"capsule-parse", op_capsule, {[MUL] = 1, [COMBINE] = 1, [CREATE] = 1, [PARSE] = 2}},
	{"open-cold", op_open_cold, {0}},
	{"kfrag-1of1", op_kfrag, {[CREATE] = 1, [ECDH] = 2, [INVERT] = 1, [SIGN] = 1}},
	{"kfrags-2of3", op_kfrags_2of3, {0}},
	{"verify-kfrag", op_verify_kfrag, {[ECDH] = 1, [VERIFY] = 1, [PARSE] = 2}},
	{"grant-open", op_grant_open, {0}},
	{"reencrypt", op_reencrypt, {[ECDH] = 5}},
	{"verify-cfrag", op_verify_cfrag, {[VERIFY] = 1, [MUL] = 6, [COMBINE] = 3, [PARSE] = 7}},
	{"decrypt-reencrypted-1of1-1k", op_decrypt_1of1,
		{[ECDH] = 3, [MUL] = 2, [COMBINE] = 2, [SEAL] = 1}},
	{"decrypt-reencrypted-2of3-1k", op_decrypt_2of3,
		{[ECDH] = 7, [MUL] = 2, [COMBINE] = 2, [INVERT] = 2, [SEAL] = 1}},
	{"sign", op_sign, {0}},
	{"verify", op_verify, {0}},
};

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a;
	const double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* False where an operation fails. runs are in microseconds, ascending. */
static bool measure(struct bench *b, operation run, double runs[static RUNS])
{
	const int64_t start = base_boot_ns(&b->env);
	int64_t n = 0;
	bool ok = true;

	while (base_boot_ns(&b->env) - start < BLOCK_NS) {
		ok &= run(b);
		n++;
	}
	for (size_t i = 0; i < RUNS; i++) {
		const int64_t from = base_boot_ns(&b->env);
		for (int64_t j = 0; j < n; j++)
			ok &= run(b);
		runs[i] = (double)(base_boot_ns(&b->env) - from) / 1e3 / (double)n;
	}
	qsort(runs, RUNS, sizeof(*runs), by_size);
	return ok;
}

static int set_up(struct bench *b, struct err *err)
{
	b->env = base_env_system();
	b->ciphertext = base_buf(TEXT_LEN + PRE_WRAP_OVERHEAD);
	b->scratch = base_buf(TEXT_LEN + PRE_WRAP_OVERHEAD);
	TRY(pre_context_new(&b->env, &b->ctx, err));
	TRY(pre_keygen(b->ctx, &b->a, &b->delegating, err));
	TRY(pre_keygen(b->ctx, &b->b, &b->receiving, err));
	TRY(pre_keygen(b->ctx, &b->s, &b->verifying, err));
	TRY(pre_scalar_random(b->ctx, &b->k, err));
	TRY(base_random(&b->env, b->text, sizeof(b->text), err));
	TRY(pre_encrypt(b->ctx, &b->delegating, pre_part(b->text, sizeof(b->text)), b->wire,
		&b->ciphertext, err));
	TRY(pre_capsule_parse(b->ctx, b->wire, sizeof(b->wire), &b->capsule, err));
	if (!generate(b, 2, 3))
		return FAIL(err, ERR_BUG, "kfrags");
	for (size_t i = 0; i < ARRAY_LEN(b->cfrags); i++)
		TRY(pre_reencrypt(b->ctx, &b->capsule, &b->kfrags[i], &b->cfrags[i], err));
	if (!generate(b, 1, 1))
		return FAIL(err, ERR_BUG, "kfrag");
	b->kfrag = b->kfrags[0];
	return pre_reencrypt(b->ctx, &b->capsule, &b->kfrag, &b->cfrag, err);
}

/* The verification of a floor is of what the signing before it made. */
static bool measure_calls(struct bench *b, double floors[static CALLS])
{
	double runs[RUNS];
	bool ok = true;

	for (size_t i = 0; i < CALLS; i++) {
		if (i == VERIFY)
			ok &= pre_point_parse(b->ctx, b->verifying.b, &b->point);
		ok &= measure(b, calls[i], runs);
		floors[i] = runs[RUNS / 10];
	}
	return ok;
}

int main(void)
{
	static struct bench b;
	struct err err = {0};
	double of_call[CALLS];
	double runs[RUNS];

	if (set_up(&b, &err) < 0 || !measure_calls(&b, of_call)) {
		(void)fprintf(stderr, "umbral_bench: %s\n", err.msg);
		return 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
		double floor = 0;

		if (!measure(&b, operations[i].run, runs)) {
			(void)fprintf(stderr, "umbral_bench: %s fails\n", operations[i].name);
			return 1;
		}
		for (size_t j = 0; j < CALLS; j++)
			floor += of_call[j] * operations[i].floor[j];
		printf("%s %.3f %.3f %.3f %.3f\n", operations[i].name, runs[RUNS / 2],
			runs[RUNS / 10], runs[RUNS * 9 / 10], floor);
	}
	base_buf_done(&b.ciphertext);
	base_buf_done(&b.scratch);
	pre_context_free(b.ctx);
	base_wipe(&b, sizeof(b));
	return 0;
}
