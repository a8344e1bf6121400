#include "pkg/pre/scheme.h"

static const struct pre_scheme_send senders[] = {
	{.id = PRE_SCHEME_UMBRAL, .wrap = pre_wrap},
};

const struct pre_scheme_send *pre_scheme_send(const struct pre_scheme *scheme)
{
	for (size_t i = 0; i < ARRAY_LEN(senders); i++)
		if (senders[i].id == scheme->id)
			return &senders[i];
	return NULL;
}
