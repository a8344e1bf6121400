/* Keys, a capsule, kfrags and cfrags that fit one another. For tests of pkg/pre. */
#ifndef PRE_TEST_WORLD_H
#define PRE_TEST_WORLD_H

#include "pkg/base/test.h"
#include "pkg/pre/hold.h"
#include "pkg/pre/secret.h"
#include "pkg/pre/send.h"

#define WORLD_SHARES_MAX 20

struct world {
	struct env_fake fake;
	struct env env;
	struct pre_context *ctx;
	struct secret a, b, s, k;
	struct pre_public_key delegating, receiving, verifying;
	uint8_t wire[PRE_CAPSULE_LEN];
	uint8_t wrapped[PRE_WRAPPED_LEN];
	struct pre_capsule capsule;
	uint32_t threshold, shares;
	struct pre_kfrag kfrags[WORLD_SHARES_MAX];
	struct pre_cfrag cfrags[WORLD_SHARES_MAX];
};

/* A context and keys. */
static inline void world_keys(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->env = base_env_fake(&w->fake);
	assert_ok("context", pre_context_new(&w->env, &w->ctx, err));
	assert_ok("keygen", pre_keygen(w->ctx, &w->a, &w->delegating, err));
	assert_ok("keygen", pre_keygen(w->ctx, &w->b, &w->receiving, err));
	assert_ok("keygen", pre_keygen(w->ctx, &w->s, &w->verifying, err));
	assert_ok("secret", base_random(&w->env, w->k.b, sizeof(w->k.b), err));
}

/* All of it. */
static inline void world_make(struct world *w, uint32_t threshold, uint32_t shares, unsigned flags)
{
	const struct pre_shares how = {.threshold = threshold, .shares = shares, .flags = flags};

	world_keys(w);
	w->threshold = threshold;
	w->shares = shares;
	assert_ok("wrap", pre_wrap(w->ctx, &w->delegating, &w->k, w->wire, w->wrapped, err));
	assert_ok("capsule", pre_capsule_parse(w->ctx, w->wire, sizeof(w->wire), &w->capsule, err));
	assert_ok("kfrags",
		pre_kfrags_generate(w->ctx, &w->a, &w->receiving, &w->s, &how, w->kfrags, err));
	for (uint32_t i = 0; i < shares; i++)
		assert_ok("cfrag",
			pre_reencrypt(w->ctx, &w->capsule, &w->kfrags[i], &w->cfrags[i], err));
}

static inline void world_done(struct world *w)
{
	pre_context_free(w->ctx);
	base_wipe(w, sizeof(*w));
}

#endif
