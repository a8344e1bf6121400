/* Sealing to public keys. Layer: envelope, archive envelope_seal (pre_send). */
#ifndef ENVELOPE_SEAL_H
#define ENVELOPE_SEAL_H

#include "pkg/envelope/body.h"
#include "pkg/pre/send.h"

/* Whom to seal to: one revision's key of one epoch, or (sealed kfrags) a member's inbox key. */
struct envelope_target {
	struct pre_public_key key;
	uint64_t epoch;
	struct str name;                       /* "<namespace>/<revision>"; borrowed */
	const struct pre_ephemeral *ephemeral; /* shared with other targets; NULL: a new one */
};

/* A random content secret. TERMINAL. */
int envelope_secret_new(struct envelope_context *ctx, struct secret *ret_k, struct err *err)
	must_check;

/* Wraps k for one target; ret->name borrows from t->name. SHAPE (the name), TERMINAL, NOMEM. */
int envelope_recipient_wrap(struct pre_context *pre, const struct envelope_target *t,
	const struct secret *k, struct envelope_recipient *ret, struct err *err) must_check;

/* One or more targets, 1 … ENVELOPE_RECIPIENTS_MAX of them, in any order. */
struct envelope_targets {
	const struct envelope_target *v;
	size_t n;
};

/* A whole message to new targets with a secret of its own: asymmetric work for each target (see
 * window.h for many messages). `like` is a template: kind, type, exp, parent, context, attributes
 * count; id, IV, iat, length, mode and recipients are filled here. SHAPE (also two equal keys),
 * SIZE past ENVELOPE_WHOLE_MAX, TERMINAL, NOMEM. On failure out has its former length. */
int envelope_seal(struct envelope_context *ctx, struct pre_context *pre,
	const struct envelope_header *like, struct envelope_targets targets, struct str plaintext,
	struct buf *out, struct err *err) must_check;

#endif
