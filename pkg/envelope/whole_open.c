#include "pkg/envelope/open.h"

int envelope_recipient_unwrap(struct pre_context *pre, const struct secret *opening,
	const struct envelope_recipient *r, struct secret *ret_k, struct err *err)
{
	struct pre_capsule capsule;
	struct err why = {0};

	if (r->alg != ENVELOPE_ALG_UMBRAL)
		return REFUSE(err, NO_RECIPIENT, "a scheme that is unknown here");
	int n = pre_capsule_parse(pre, r->capsule, sizeof(r->capsule), &capsule, &why);
	if (n == -(int)ERR_INVALID || n == -(int)ERR_TAMPERED)
		return REFUSE(err, CAPSULE, why.msg);
	if (n == 0)
		n = pre_unwrap(pre, opening, &capsule, r->wrapped, ret_k, &why);
	if (n == -(int)ERR_TAMPERED)
		return REFUSE(err, WRAPPED, "not sealed to this key, or changed");
	if (n < 0 && err)
		*err = why;
	return n;
}

static int open_with(struct envelope_context *ctx, struct pre_context *pre,
	const struct envelope_opening *with, const struct envelope_message *m, struct str body,
	struct buf *out, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret k;
	const struct envelope_recipient *r = envelope_recipient_find(&m->header, with->fp);

	if (!r)
		return REFUSE(err, NO_RECIPIENT, "not sealed to this key");
	TRY(envelope_recipient_unwrap(pre, with->secret, r, &k, err));
	return envelope_body_open(ctx, m, &k, body, out, err);
}

int envelope_open(struct envelope_context *ctx, struct pre_context *pre,
	const struct envelope_opening *with, struct str bytes, struct buf *out,
	struct envelope_message *ret_m, struct err *err)
{
	struct envelope_message m;
	struct str body = STR_NULL;

	TRY(envelope_parse_whole(bytes, &m, &body, err));
	if (!(with->kinds & 1u << m.header.kind))
		return REFUSE(err, KIND, "a kind that is not taken here");
	if (m.header.sender != ENVELOPE_SENDER_NONE)
		return REFUSE(err, SENDER, "signed messages are not taken here");
	TRY(open_with(ctx, pre, with, &m, body, out, err));
	if (ret_m)
		*ret_m = m;
	return 0;
}
