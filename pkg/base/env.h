/* What comes from outside: time and randomness, handed down, so that tests and a simulated world
 * can drive everything. Layer: base; libcrypto for the fake's SHA-256 alone.
 *
 * Deadlines are kept on the boot clock (it counts suspend, so a paused leader cannot believe that
 * no time has passed). Wall time is for what people and the API server read.
 */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include "pkg/base/secret.h"

#define NS_PER_MS 1000000LL
#define NS_PER_S  1000000000LL

struct clock {
	void *ctx;
	int64_t (*boot_ns)(void *ctx); /* CLOCK_BOOTTIME, nanoseconds */
	int64_t (*wall_ns)(void *ctx); /* nanoseconds since 1970, UTC */
};

struct rng {
	void *ctx;
	/* n random bytes fit for keys. TERMINAL if there are none; dst is then zeroed. */
	int (*fill)(void *ctx, void *dst, size_t n, struct err *err);
};

struct env {
	struct clock clock;
	struct rng rng;
};

/* The real clock, and the kernel's generator: a system call, which at the few bytes that are asked
 * for takes a third of the time of OpenSSL's DRBG, and none of its memory. */
struct env base_env_system(void);

static inline int64_t base_boot_ns(const struct env *env)
{
	return env->clock.boot_ns(env->clock.ctx);
}

static inline int64_t base_wall_ns(const struct env *env)
{
	return env->clock.wall_ns(env->clock.ctx);
}

/* n random bytes to dst, fit for keys in the real environment. TERMINAL when there are none. */
int base_random(const struct env *env, void *dst, size_t n, struct err *err) must_check;

/* Uniform in [low, high], for jitter; low if randomness fails or high <= low. */
int64_t base_jitter(const struct env *env, int64_t low, int64_t high);

/* A world for tests: time stands still until moved, randomness is a repeatable stream made of
 * SHA-256(seed ‖ counter) or, where `script` is set, those bytes first. */
struct env_fake {
	int64_t boot_ns;
	int64_t wall_ns;
	uint64_t seed;
	uint64_t counter;
	const uint8_t *script;
	size_t script_len;
	int fail_after; /* the n-th fill from now fails with TERMINAL; 0: never */
};
struct env base_env_fake(struct env_fake *fake);

#endif
