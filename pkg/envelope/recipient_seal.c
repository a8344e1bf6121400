#include "pkg/envelope/header_internal.h"
#include "pkg/envelope/seal.h"

int envelope_recipient_wrap(struct pre_context *pre, const struct envelope_target *t,
	const struct secret *k, struct envelope_recipient *ret, struct err *err)
{
	struct envelope_recipient r = {
		.alg = ENVELOPE_ALG_UMBRAL, .epoch = t->epoch, .name = t->name};

	if (!envelope_name_ok(t->name))
		return REFUSE(err, SHAPE, "a recipient's name is not namespace/revision");
	r.fp = pre_fingerprint(&t->key);
	if (t->ephemeral) {
		TRY(pre_wrap_with(pre, t->ephemeral, &t->key, k, r.wrapped, err));
		memcpy(r.capsule, t->ephemeral->capsule, sizeof(r.capsule));
	} else {
		TRY(pre_wrap(pre, &t->key, k, r.capsule, r.wrapped, err));
	}
	*ret = r;
	return 0;
}
