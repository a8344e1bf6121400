#include "pkg/pre/scheme.h"

static const struct pre_scheme_hold holders[] = {
	{
		.id = PRE_SCHEME_UMBRAL,
		.keygen = pre_keygen,
		.kfrags_generate = pre_kfrags_generate,
		.grant_open = pre_grant_open,
		.unwrap = pre_unwrap,
	},
};

const struct pre_scheme_hold *pre_scheme_hold(const struct pre_scheme *scheme)
{
	for (size_t i = 0; i < ARRAY_LEN(holders); i++)
		if (holders[i].id == scheme->id)
			return &holders[i];
	return NULL;
}
