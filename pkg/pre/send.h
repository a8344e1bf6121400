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

#endif
