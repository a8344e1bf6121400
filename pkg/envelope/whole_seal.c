#include "pkg/envelope/body_internal.h"
#include "pkg/envelope/seal.h"

int envelope_secret_new(struct envelope_context *ctx, struct secret *ret_k, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret k;

	TRY(base_random(ctx->env, k.b, sizeof(k.b), err));
	*ret_k = k;
	return 0;
}

int envelope_seal(struct envelope_context *ctx, struct pre_context *pre,
	const struct envelope_header *like, struct envelope_targets targets, struct str plaintext,
	struct buf *out, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret k;
	struct envelope_header h = *like;

	if (plaintext.n > ENVELOPE_WHOLE_MAX)
		return REFUSE(err, SIZE, "a whole body has at most 1 MiB");
	if (targets.n > ENVELOPE_RECIPIENTS_MAX)
		return REFUSE(err, SIZE, "too many recipients");
	h.mode = ENVELOPE_WHOLE;
	h.has_length = true;
	h.length = plaintext.n;
	h.recipient_count = targets.n;
	TRY(envelope_secret_new(ctx, &k, err));
	for (size_t i = 0; i < targets.n; i++)
		TRY(envelope_recipient_wrap(pre, &targets.v[i], &k, &h.recipients[i], err));
	TRY(envelope_recipients_sort(&h, err));
	TRY(envelope_header_fresh(ctx, &h, err));
	return envelope_body_seal(ctx, &h, &k, plaintext, out, err);
}
