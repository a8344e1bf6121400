/* Encrypting to a public key: makes ephemeral secrets, holds none. Layer: pre; libpre_send. */
#ifndef PRE_SEND_H
#define PRE_SEND_H

#include "pkg/pre/pre.h"

/* Umbral's encrypt, as the stock packages do it: a new capsule, and nonce 24 ‖ body ‖ tag 16
 * appended to ciphertext. TOO_LARGE past PRE_PLAINTEXT_MAX or the buffer's maximum, NOMEM,
 * TERMINAL without randomness. */
int pre_encrypt(struct pre_context *ctx, const struct pre_public_key *to, struct str plaintext,
	uint8_t ret_capsule[static PRE_CAPSULE_LEN], struct buf *ciphertext, struct err *err)
	must_check;

/* pre_encrypt of a 32-byte secret, without a buffer. Opened by pre_unwrap of hold.h, or by any
 * stock package. */
int pre_wrap(struct pre_context *ctx, const struct pre_public_key *to, const struct secret *k,
	uint8_t ret_capsule[static PRE_CAPSULE_LEN], uint8_t ret_wrapped[static PRE_WRAPPED_LEN],
	struct err *err) must_check;

/* One capsule for several recipients' keys: who wraps to each of many keys at one time, as a leader
 * does when it re-keys, makes the two products with G once. It is a secret: whoever has it opens
 * all that was wrapped with it, so keep it no longer than what it protects (docs/adr/0007). Wire
 * and opening are those of pre_wrap; only equal capsules tell that two were made together.
 * Declare as `_cleanup_(pre_ephemeral_wipe) struct pre_ephemeral e`. */
struct pre_ephemeral {
	struct secret sum; /* r + u */
	uint8_t capsule[PRE_CAPSULE_LEN];
};

/* Overwrites it in a way that the compiler may not drop. */
void pre_ephemeral_wipe(struct pre_ephemeral *e);
CLEANUP_DONE(struct pre_ephemeral, pre_ephemeral_wipe);

/* A new one. TERMINAL without randomness, NOMEM. */
int pre_ephemeral_new(struct pre_context *ctx, struct pre_ephemeral *ret, struct err *err)
	must_check;

/* pre_wrap with a capsule that is there: e->capsule goes with it. The nonce is new each time. */
int pre_wrap_with(struct pre_context *ctx, const struct pre_ephemeral *e,
	const struct pre_public_key *to, const struct secret *k,
	uint8_t ret_wrapped[static PRE_WRAPPED_LEN], struct err *err) must_check;

#endif
