/* The sender's part of a body, in bytes. Layer: envelope, and private to it. */
#ifndef ENVELOPE_SENDER_INTERNAL_H
#define ENVELOPE_SENDER_INTERNAL_H

#include "pkg/envelope/sender.h"

/* As envelope_sender_cert_parse for a certificate that other bytes follow; *ret_len is its size. */
int envelope_sender_cert_read(struct str bytes, struct envelope_sender_cert *ret, size_t *ret_len,
	struct err *err) must_check;

/* Appends the recipient list of a header as deterministic CBOR, without its label. */
int envelope_recipients_encode(const struct envelope_header *h, struct buf *b, struct err *err)
	must_check;

/* What a signature of level ORIGIN says of k: HMAC(HMAC(bound, k), "functionkey/v1/origin" ‖ 01).
 * TERMINAL. */
int envelope_origin_payload(struct envelope_context *ctx,
	const uint8_t bound[static ENVELOPE_HASH_LEN], const struct secret *k,
	uint8_t ret[static ENVELOPE_HASH_LEN], struct err *err) must_check;

/* Whether the body begins with a signature for the window, and not with the certificate alone. */
bool envelope_sender_has_origin(enum envelope_sender_level level, enum envelope_mode mode);

/* SHA-256 of bytes that come piece by piece: an EVP_MD_CTX, given to EVP_MD_CTX_free by whoever has
 * it. NOMEM, TERMINAL. */
int envelope_md_new(const struct envelope_context *ctx, void **ret_md, struct err *err) must_check;
int envelope_md_end(void *md, uint8_t ret[static ENVELOPE_HASH_LEN], struct err *err) must_check;

/* The bytes around certificate and signature: all that is fixed. */
extern const uint8_t envelope_origin_before[13]; /* #6.18([<<{1: -47}>>, {-70003: certificate … */
extern const uint8_t envelope_origin_after[3];   /* … }, nil, signature head; 64 bytes follow */
extern const uint8_t envelope_tail_before[15];   /* … and all of the tail but its 64 bytes */

#endif
