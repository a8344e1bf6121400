#include "pkg/base/env.h"

#include <errno.h>
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
			memset(dst, 0, n);
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
