/* Apart from env.c, so that who only wants the real world does not link libcrypto. */
#include "pkg/base/env.h"

#include <openssl/evp.h>
#include <string.h>

static int64_t fake_boot_ns(void *ctx)
{
	return ((const struct env_fake *)ctx)->boot_ns;
}

static int64_t fake_wall_ns(void *ctx)
{
	return ((const struct env_fake *)ctx)->wall_ns;
}

static void fake_block(struct env_fake *fake, uint8_t out[static 32])
{
	uint8_t in[16];
	unsigned len = 0;

	memcpy(in, &fake->seed, 8);
	memcpy(in + 8, &fake->counter, 8);
	fake->counter++;
	base_assert(EVP_Digest(in, sizeof(in), out, &len, EVP_sha256(), NULL) == 1);
}

static int fake_fill(void *ctx, void *dst, size_t n, struct err *err)
{
	struct env_fake *fake = ctx;
	uint8_t *to = dst;

	if (fake->fail_after > 0 && --fake->fail_after == 0) {
		memset(dst, 0, n);
		return FAIL(err, ERR_TERMINAL, "no randomness (planned)");
	}
	while (n > 0) {
		uint8_t block[32];
		size_t take = n;
		if (fake->script_len > 0) {
			take = take < fake->script_len ? take : fake->script_len;
			memcpy(to, fake->script, take);
			fake->script += take;
			fake->script_len -= take;
		} else {
			take = take < sizeof(block) ? take : sizeof(block);
			fake_block(fake, block);
			memcpy(to, block, take);
		}
		to += take;
		n -= take;
	}
	return 0;
}

struct env base_env_fake(struct env_fake *fake)
{
	return (struct env){
		.clock = {.ctx = fake, .boot_ns = fake_boot_ns, .wall_ns = fake_wall_ns},
		.rng = {.ctx = fake, .fill = fake_fill},
	};
}
