/* Opening with the secret half of a recipient key. Layer: envelope, archive envelope_open
 * (pre_hold): keepers only. */
#ifndef ENVELOPE_OPEN_H
#define ENVELOPE_OPEN_H

#include "pkg/envelope/body.h"
#include "pkg/pre/hold.h"

/* The content secret of one recipient entry. `opening` is the key's secret itself (a leader's, an
 * inbox key's) or what pre_grant_open gave. CAPSULE, WRAPPED, NO_RECIPIENT (a scheme unknown
 * here). k is not trusted before envelope_commit_check. */
int envelope_recipient_unwrap(struct pre_context *pre, const struct secret *opening,
	const struct envelope_recipient *r, struct secret *ret_k, struct err *err) must_check;

/* A key to open with, and what it is for. */
struct envelope_opening {
	const struct secret *secret;
	const struct pre_fingerprint *fp;
	unsigned kinds; /* what the caller takes: ENVELOPE_KINDS */
};

/* Opens a message in hand, of either mode, and appends its plaintext. *ret_m (may be NULL) borrows
 * from bytes: the caller compares its context hash, name, epoch and times with what it expects.
 * NO_RECIPIENT, KIND and everything above. On failure out has its former length. */
int envelope_open(struct envelope_context *ctx, struct pre_context *pre,
	const struct envelope_opening *with, struct str bytes, struct buf *out,
	struct envelope_message *ret_m, struct err *err) must_check;

#endif
