#include "pkg/base/env.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec ts = {0};

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int64_t system_boot_ns(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_BOOTTIME);
}

static int64_t system_wall_ns(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_REALTIME);
}

static int system_fill(void *ctx, void *dst, size_t n, struct err *err)
{
	uint8_t *to = dst;

	(void)ctx;
	for (size_t left = n; left > 0;) {
		const ssize_t got = getrandom(to + (n - left), left, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			base_wipe(dst, n);
			return FAIL(err, ERR_TERMINAL, "no randomness");
		}
		left -= (size_t)got;
	}
	return 0;
}

struct env base_env_system(void)
{
	return (struct env){
		.clock = {.boot_ns = system_boot_ns, .wall_ns = system_wall_ns},
		.rng = {.fill = system_fill},
	};
}

int base_random(const struct env *env, void *dst, size_t n, struct err *err)
{
	return env->rng.fill(env->rng.ctx, dst, n, err);
}

int64_t base_jitter(const struct env *env, int64_t low, int64_t high)
{
	uint64_t r = 0;

	if (high <= low || base_random(env, &r, sizeof(r), NULL) < 0)
		return low;
	const uint64_t span = (uint64_t)(high - low) + 1;
	return low + (int64_t)(span ? r % span : 0);
}

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
