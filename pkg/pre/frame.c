#include "pkg/pre/internal.h"

/* array(3) of bin8(33), bin8(33), bin8(32) */
const struct pre_frame pre_capsule_frames[3] = {
	{0, 3, {0x93, 0xc4, 33}},
	{36, 2, {0xc4, 33}},
	{71, 2, {0xc4, 32}},
};

const struct pre_frame pre_kfrag_frames[7] = {
	{0, 4, {0x95, 0x91, 0xc4, 33}},
	{37, 2, {0xc4, 32}},
	{71, 2, {0xc4, 32}},
	{105, 2, {0xc4, 33}},
	{140, 3, {0x95, 0xc4, 33}},
	{176, 2, {0xc4, 64}},
	{242, 2, {0xc4, 64}},
};

const struct pre_frame pre_cfrag_frames[10] = {
	{0, 3, {0x95, 0xc4, 33}},
	{36, 2, {0xc4, 33}},
	{71, 2, {0xc4, 32}},
	{105, 2, {0xc4, 33}},
	{140, 3, {0x96, 0xc4, 33}},
	{176, 2, {0xc4, 33}},
	{211, 2, {0xc4, 33}},
	{246, 2, {0xc4, 33}},
	{281, 2, {0xc4, 32}},
	{315, 2, {0xc4, 64}},
};

void pre_frame_write(uint8_t *b, const struct pre_frame *frames, size_t n)
{
	for (size_t i = 0; i < n; i++)
		memcpy(b + frames[i].at, frames[i].bytes, frames[i].n);
}

bool pre_frame_matches(const uint8_t *b, const struct pre_frame *frames, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(b + frames[i].at, frames[i].bytes, frames[i].n) != 0)
			return false;
	return true;
}

void pre_capsule_simple(
	const uint8_t capsule[static PRE_CAPSULE_LEN], uint8_t dst[static PRE_SIMPLE_LEN])
{
	memcpy(dst, capsule + PRE_CAPSULE_E, PRE_POINT_LEN);
	memcpy(dst + PRE_POINT_LEN, capsule + PRE_CAPSULE_V, PRE_POINT_LEN);
	memcpy(dst + PRE_POINT_LEN + PRE_POINT_LEN, capsule + PRE_CAPSULE_S, PRE_SCALAR_LEN);
}
