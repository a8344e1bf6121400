#include "pkg/envelope/response.h"

#include "pkg/envelope/body_internal.h"

#define LABEL STR("functionkey/v1/response")

void envelope_exchange_wipe(struct envelope_exchange *x)
{
	if (x)
		base_wipe(x, sizeof(*x));
}

int envelope_exchange_of(struct envelope_context *ctx, struct str protected, const struct secret *k,
	struct envelope_exchange *ret, struct err *err)
{
	_cleanup_(envelope_exchange_wipe) struct envelope_exchange x = {0};

	TRY(envelope_hash(ctx, protected, x.parent, err));
	TRY(envelope_hmac(ctx, x.parent, base_str_n(k->b, sizeof(k->b)), x.prk.b, err));
	*ret = x;
	return 0;
}

static int derive(struct envelope_context *ctx, const struct envelope_exchange *x,
	const uint8_t id[static ENVELOPE_ID_LEN], struct secret *ret_k, struct err *err)
{
	const struct str label = LABEL;
	uint8_t info[64];
	size_t n = label.n;

	base_assert(n + ENVELOPE_ID_LEN < sizeof(info));
	memcpy(info, label.p, n);
	memcpy(info + n, id, ENVELOPE_ID_LEN);
	n += ENVELOPE_ID_LEN;
	info[n++] = 1;
	return envelope_hmac(ctx, x->prk.b, base_str_n(info, n), ret_k->b, err);
}

int envelope_response_begin(struct envelope_context *ctx, const struct envelope_exchange *x,
	struct envelope_header *h, struct secret *ret_k, struct err *err)
{
	TRY(envelope_header_fresh(ctx, h, err));
	h->kind = ENVELOPE_RESPONSE;
	h->recipient_count = 0;
	h->has_parent = true;
	memcpy(h->parent, x->parent, sizeof(h->parent));
	return derive(ctx, x, h->id, ret_k, err);
}

int envelope_response_secret(struct envelope_context *ctx, const struct envelope_exchange *x,
	const struct envelope_header *h, struct secret *ret_k, struct err *err)
{
	if (h->kind != ENVELOPE_RESPONSE || h->recipient_count > 0)
		return REFUSE(err, KIND, "no response under its request's key");
	if (!h->has_parent || memcmp(h->parent, x->parent, sizeof(x->parent)) != 0)
		return REFUSE(err, COMMITMENT, "the response to another request");
	return derive(ctx, x, h->id, ret_k, err);
}
