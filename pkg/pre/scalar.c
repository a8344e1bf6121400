#include "pkg/pre/internal.h"

#define LIMBS 4

/* The order n, least significant limb first. */
static const uint64_t order[LIMBS] = {
	0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff};

static void load(const uint8_t b[static PRE_SCALAR_LEN], uint64_t x[static LIMBS])
{
	for (size_t i = 0; i < LIMBS; i++) {
		uint64_t be;
		memcpy(&be, b + 8 * (LIMBS - 1 - i), sizeof(be));
		x[i] = __builtin_bswap64(be);
	}
}

static void store(const uint64_t x[static LIMBS], uint8_t b[static PRE_SCALAR_LEN])
{
	for (size_t i = 0; i < LIMBS; i++) {
		const uint64_t be = __builtin_bswap64(x[i]);
		memcpy(b + 8 * (LIMBS - 1 - i), &be, sizeof(be));
	}
}

/* x - y - borrow; returns the borrow out of the top, 0 or 1. */
static uint64_t subtract(const uint64_t x[static LIMBS], const uint64_t y[static LIMBS],
	uint64_t borrow, uint64_t ret[static LIMBS])
{
	for (size_t i = 0; i < LIMBS; i++) {
		const unsigned __int128 d = (unsigned __int128)x[i] - y[i] - borrow;
		ret[i] = (uint64_t)d;
		borrow = (uint64_t)(d >> 64) & 1;
	}
	return borrow;
}

void pre_digest_to_scalar(
	const uint8_t digest[static PRE_HASH_LEN], uint8_t ret[static PRE_SCALAR_LEN])
{
	static const uint64_t order_minus_1[LIMBS] = {
		0xbfd25e8cd0364140, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff};
	uint64_t x[LIMBS];
	uint64_t less[LIMBS];
	uint64_t carry = 1;

	load(digest, x);
	/* Once is enough: 2^256 < 2(n-1). */
	const uint64_t keep = 0 - subtract(x, order_minus_1, 0, less);
	for (size_t i = 0; i < LIMBS; i++) {
		const unsigned __int128 sum =
			(unsigned __int128)((x[i] & keep) | (less[i] & ~keep)) + carry;
		x[i] = (uint64_t)sum;
		carry = (uint64_t)(sum >> 64);
	}
	store(x, ret);
	base_wipe(x, sizeof(x));
	base_wipe(less, sizeof(less));
}

bool pre_scalar_in_range(const uint8_t s[static PRE_SCALAR_LEN])
{
	uint64_t x[LIMBS];
	uint64_t less[LIMBS];

	load(s, x);
	const uint64_t below = subtract(x, order, 0, less);
	base_wipe(x, sizeof(x));
	base_wipe(less, sizeof(less));
	return pre_outcome((int)below);
}
