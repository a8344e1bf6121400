#include "lib/internal.h"

#include <stdio.h>

static const int statuses[ERR_CLASS_COUNT] = {
	[ERR_INVALID] = FUNCTIONKEY_E_INVALID,
	[ERR_TAMPERED] = FUNCTIONKEY_E_TAMPERED,
	[ERR_NO_KEY] = FUNCTIONKEY_E_NO_KEY,
	[ERR_TOO_LARGE] = FUNCTIONKEY_E_TOO_LARGE,
	[ERR_DENIED] = FUNCTIONKEY_E_UNTRUSTED,
	[ERR_NOT_READY] = FUNCTIONKEY_E_NOT_READY,
	[ERR_NOMEM] = FUNCTIONKEY_E_NOMEM,
	[ERR_CANCELLED] = FUNCTIONKEY_E_WRITE,
};

int functionkey_result(int r, const struct err *why, struct functionkey_error *err)
{
	if (r >= 0)
		return FUNCTIONKEY_OK;
	if (err)
		(void)snprintf(err->message, sizeof(err->message), "%s", why->msg);
	const int status = -r < ERR_CLASS_COUNT ? statuses[-r] : 0;
	return status ? status : FUNCTIONKEY_E_INTERNAL;
}

int functionkey_tools_begin(struct functionkey_tools *t, struct err *err)
{
	t->env = base_env_system();
	TRY(pre_context_new(&t->env, &t->pre, err));
	return envelope_context_new(&t->env, &t->envelope, err);
}

void functionkey_tools_done(struct functionkey_tools *t)
{
	t->envelope = envelope_context_free(t->envelope);
	t->pre = pre_context_free(t->pre);
}

const char *functionkey_version(void)
{
	return FUNCTIONKEY_VERSION;
}

void functionkey_free(void *p)
{
	base_free(p);
}
