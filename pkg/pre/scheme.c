#include "pkg/pre/scheme.h"

static const struct pre_scheme schemes[] = {
	{
		.id = PRE_SCHEME_UMBRAL,
		.name = "umbral-secp256k1",
		.public_key_len = PRE_POINT_LEN,
		.capsule_len = PRE_CAPSULE_LEN,
		.wrapped_len = PRE_WRAPPED_LEN,
		.kfrag_len = PRE_KFRAG_LEN,
		.public_key_parse = pre_public_key_parse,
		.capsule_parse = pre_capsule_parse,
	},
};

const struct pre_scheme *pre_scheme_by_id(uint32_t id)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (schemes[i].id == id)
			return &schemes[i];
	return NULL;
}

const struct pre_scheme *pre_scheme_by_name(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (base_str_eq(name, base_str(schemes[i].name)))
			return &schemes[i];
	return NULL;
}
