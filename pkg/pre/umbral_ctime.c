/* The constant-time run: every operation with a secret, with the secrets marked undefined, under
 * valgrind's memcheck, on the installed libsecp256k1 and libcrypto. Memcheck reports each branch
 * and each memory index that depends on undefined bytes: a report is a leak, but for those that
 * umbral_ctime.supp lists with reasons. What the code itself calls public goes through
 * pre_declassify, which this program defines in place of the library's empty one.
 *
 * Memcheck does not see the timing of single instructions. */
#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

#include "pkg/base/alloc.h"
#include "pkg/pre/hold.h"
#include "pkg/pre/secret.h"
#include "pkg/pre/send.h"

#define VALGRIND_EXIT 42 /* --error-exitcode of hack/test/run */

void pre_declassify(void *p, size_t n)
{
	(void)VALGRIND_MAKE_MEM_DEFINED(p, n);
}

static void hide(void *p, size_t n)
{
	(void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
}

#define SHOW(x) pre_declassify(&(x), sizeof(x))
#define HIDE(x) hide(&(x), sizeof(x))

struct world {
	struct env_fake fake;
	struct env repeatable, env;
	struct pre_context *ctx;
	struct secret a, b, s, k;
	struct pre_public_key delegating, receiving, verifying;
	struct pre_capsule capsule;
	uint8_t wrapped[PRE_WRAPPED_LEN];
	struct pre_kfrag kfrags[3];
	struct pre_cfrag cfrags[3];
};

/* All that the source of randomness gives is secret until the code says otherwise. */
static int fill_secret(void *ctx, void *dst, size_t n, struct err *err)
{
	struct world *w = ctx;

	TRY(base_random(&w->repeatable, dst, n, err));
	hide(dst, n);
	return 0;
}

/* The scalar of each kfrag, and nothing else in it, is secret. */
static void hide_kfrags(struct world *w)
{
	SHOW(w->kfrags);
	for (size_t i = 0; i < ARRAY_LEN(w->kfrags); i++)
		hide(w->kfrags[i].b + PRE_KFRAG_RK, PRE_SCALAR_LEN);
}

static int do_keygen(struct world *w, struct err *err)
{
	TRY(pre_keygen(w->ctx, &w->a, &w->delegating, err));
	TRY(pre_keygen(w->ctx, &w->b, &w->receiving, err));
	return pre_keygen(w->ctx, &w->s, &w->verifying, err);
}

static int do_public_of(struct world *w, struct err *err)
{
	struct pre_public_key pk;

	TRY(pre_public_of(w->ctx, &w->a, &pk, err));
	return pre_public_key_eq(&pk, &w->delegating) ? 0 : FAIL(err, ERR_BUG, "another key");
}

static int do_derive(struct world *w, struct err *err)
{
	struct secret sk = {0};
	struct pre_public_key pk;

	return pre_derive_key(w->ctx, &w->a, "label", &sk, &pk, err);
}

static int do_sign(struct world *w, struct err *err)
{
	const struct str cose = STR("\x84\x6aSignature1");
	struct pre_signature sig;

	TRY(pre_sign(w->ctx, &w->s, "context", STR("message"), &sig, err));
	TRY(pre_verify(w->ctx, &w->verifying, "context", STR("message"), &sig, err));
	TRY(pre_sign_cose(w->ctx, &w->s, cose, &sig, err));
	return pre_verify_cose(w->ctx, &w->verifying, cose, &sig, err);
}

static int do_wrap(struct world *w, struct err *err)
{
	uint8_t capsule[PRE_CAPSULE_LEN];

	HIDE(w->k);
	TRY(pre_wrap(w->ctx, &w->delegating, &w->k, capsule, w->wrapped, err));
	/* Both go onto the wire. */
	SHOW(capsule);
	SHOW(w->wrapped);
	return pre_capsule_parse(w->ctx, capsule, sizeof(capsule), &w->capsule, err);
}

static int generate(struct world *w, uint32_t threshold, struct err *err)
{
	const struct pre_shares how = {.threshold = threshold, .shares = 3, .flags = PRE_SIGN_BOTH};

	TRY(pre_kfrags_generate(w->ctx, &w->a, &w->receiving, &w->s, &how, w->kfrags, err));
	hide_kfrags(w);
	return 0;
}

static int do_share(struct world *w, struct err *err)
{
	_cleanup_(pre_precursor_wipe) struct pre_precursor precursor = {0};
	_cleanup_(pre_ephemeral_wipe) struct pre_ephemeral e = {0};
	uint8_t wrapped[PRE_WRAPPED_LEN];

	HIDE(w->k);
	TRY(pre_ephemeral_new(w->ctx, &e, err));
	TRY(pre_wrap_with(w->ctx, &e, &w->receiving, &w->k, wrapped, err));
	TRY(pre_precursor_new(w->ctx, &precursor, err));
	const struct pre_shares how = {
		.threshold = 1, .shares = 1, .flags = PRE_SIGN_BOTH, .precursor = &precursor};
	return pre_kfrags_generate(w->ctx, &w->a, &w->receiving, &w->s, &how, w->kfrags, err);
}

static int do_generate_1(struct world *w, struct err *err)
{
	return generate(w, 1, err);
}

static int do_generate_2(struct world *w, struct err *err)
{
	return generate(w, 2, err);
}

static int do_kfrag_parse(struct world *w, struct err *err)
{
	_cleanup_(pre_kfrag_wipe) struct pre_kfrag k;

	return pre_kfrag_parse(w->ctx, w->kfrags[0].b, PRE_KFRAG_LEN, &k, err);
}

static int do_kfrag_verify(struct world *w, struct err *err)
{
	return pre_kfrag_verify_both(
		w->ctx, &w->kfrags[0], &w->verifying, &w->delegating, &w->receiving, err);
}

static int do_grant_open(struct world *w, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret opening = {0};

	return pre_grant_open(
		w->ctx, &w->b, &w->delegating, &w->verifying, &w->kfrags[0], &opening, err);
}

static int do_unwrap(struct world *w, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret k = {0};

	TRY(pre_unwrap(w->ctx, &w->a, &w->capsule, w->wrapped, &k, err));
	SHOW(k);
	SHOW(w->k);
	return memcmp(k.b, w->k.b, sizeof(k.b)) == 0 ? 0 : FAIL(err, ERR_BUG, "another secret");
}

static int do_unwrap_refused(struct world *w, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret k = {0};
	struct err refused = {0};

	if (pre_unwrap(w->ctx, &w->s, &w->capsule, w->wrapped, &k, &refused) == -(int)ERR_TAMPERED)
		return 0;
	return FAIL(err, ERR_BUG, "a wrong key opens");
}

static int do_reencrypt(struct world *w, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(w->cfrags); i++)
		TRY(pre_reencrypt(w->ctx, &w->capsule, &w->kfrags[i], &w->cfrags[i], err));
	return 0;
}

static int decrypt(struct world *w, const struct secret *b, size_t n, struct err *err)
{
	_cleanup_(base_buf_done) struct buf plain = base_buf(SECRET_LEN);
	const struct pre_receiver receiver = {.sk = b, .delegating = &w->delegating};
	const struct pre_cfrags cfrags = {.v = w->cfrags, .n = n};

	return pre_decrypt_reencrypted(w->ctx, &receiver, &w->capsule, cfrags,
		pre_part(w->wrapped, sizeof(w->wrapped)), &plain, err);
}

static int do_decrypt_1(struct world *w, struct err *err)
{
	return decrypt(w, &w->b, 1, err);
}

static int do_decrypt_2(struct world *w, struct err *err)
{
	return decrypt(w, &w->b, 2, err);
}

static int do_decrypt_3(struct world *w, struct err *err)
{
	return decrypt(w, &w->b, 3, err);
}

static int do_decrypt_refused(struct world *w, struct err *err)
{
	struct err refused = {0};

	if (decrypt(w, &w->s, 1, &refused) == -(int)ERR_TAMPERED)
		return 0;
	return FAIL(err, ERR_BUG, "a wrong key opens");
}

static const struct {
	const char *name;
	int (*run)(struct world *w, struct err *err);
} operations[] = {
	{"keygen", do_keygen},
	{"public_of", do_public_of},
	{"derive_key", do_derive},
	{"sign", do_sign},
	{"wrap", do_wrap},
	{"precursor and capsule shared", do_share},
	{"kfrags_generate 1/3", do_generate_1},
	{"kfrag_parse", do_kfrag_parse},
	{"kfrag_verify_both", do_kfrag_verify},
	{"grant_open", do_grant_open},
	{"unwrap", do_unwrap},
	{"unwrap with a wrong key", do_unwrap_refused},
	{"reencrypt 1/3", do_reencrypt},
	{"decrypt_reencrypted 1/3", do_decrypt_1},
	{"decrypt_reencrypted with a wrong key", do_decrypt_refused},
	{"kfrags_generate 2/3", do_generate_2},
	{"reencrypt 2/3", do_reencrypt},
	{"decrypt_reencrypted 2/3", do_decrypt_2},
	{"decrypt_reencrypted 3 of 2/3", do_decrypt_3},
};

static int run_operations(struct world *w)
{
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
		struct err err = {0};
		const unsigned before = VALGRIND_COUNT_ERRORS;
		const int r = operations[i].run(w, &err);
		const unsigned reports = VALGRIND_COUNT_ERRORS - before;

		if (r == 0 && reports == 0) {
			printf("[       OK ] %s\n", operations[i].name);
			continue;
		}
		bad++;
		printf("[  FAILED  ] %s: %u reports %s\n", operations[i].name, reports, err.msg);
	}
	return bad;
}

/* What the code must never do: a variable-time product with a secret. A child does it, so that its
 * reports do not count as ours; if nothing is reported, this whole run proves nothing. */
static int run_control(struct world *w)
{
	int status = 0;

	(void)fflush(stdout);
	const pid_t child = fork();
	if (child == 0) {
		struct pre_point p = w->ctx->u;
		_exit(pre_point_mul_public(w->ctx, &p, w->a.b, &p) ? 0 : 1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
		WEXITSTATUS(status) != VALGRIND_EXIT) {
		printf("[  FAILED  ] control: a variable-time product goes unseen (%d)\n", status);
		return 1;
	}
	printf("[       OK ] control: a variable-time product by a secret is reported\n");
	return 0;
}

int main(void)
{
	struct world w = {0};
	struct err err = {0};

	if (!RUNNING_ON_VALGRIND) {
		printf("this program says nothing but under valgrind: make ctime DIR=pkg/pre\n");
		return 1;
	}
	w.repeatable = base_env_fake(&w.fake);
	w.env = w.repeatable;
	w.env.rng = (struct rng){.ctx = &w, .fill = fill_secret};
	if (pre_context_new(&w.env, &w.ctx, &err) < 0) {
		printf("%s\n", err.msg);
		return 1;
	}
	const int bad = run_operations(&w) + run_control(&w);
	pre_context_free(w.ctx);
	return bad > 0;
}
