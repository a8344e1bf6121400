/* Responses sealed under a key that is derived from their request's: whoever could open the request
 * can answer it, whoever sealed it can open the answer, and nobody else either. No asymmetric work.
 *
 * Layer: envelope (core archive). The response is an ordinary message, of either mode, of kind
 * RESPONSE, without recipients, with parent = SHA-256 of the request's protected bytes, and sealed
 * under
 *
 *	k = HMAC-SHA256(PRK of the request, "functionkey/v1/response" ‖ its own message id ‖ 01)
 *
 * in the place of a wrapped secret (PRK: body.h). A request whose k is reused in a window has a
 * header, and so a PRK, of its own.
 */
#ifndef ENVELOPE_RESPONSE_H
#define ENVELOPE_RESPONSE_H

#include "pkg/envelope/body.h"

/* What both ends keep of a request until it is answered. Wipe it. */
struct envelope_exchange {
	struct secret prk;
	uint8_t parent[ENVELOPE_HASH_LEN];
};
void envelope_exchange_wipe(struct envelope_exchange *x);
CLEANUP_DONE(struct envelope_exchange, envelope_exchange_wipe);

/* From the request's protected bytes and its secret. TERMINAL. */
int envelope_exchange_of(struct envelope_context *ctx, struct str protected, const struct secret *k,
	struct envelope_exchange *ret, struct err *err) must_check;

/* Makes h the header of a fresh response: kind, parent, no recipients, id, IV, time; mode, type and
 * length are the caller's. *ret_k is what to seal it under. TERMINAL. */
int envelope_response_begin(struct envelope_context *ctx, const struct envelope_exchange *x,
	struct envelope_header *h, struct secret *ret_k, struct err *err) must_check;

/* The secret of a response that was received, if it answers this request. KIND (no response, or to
 * other recipients), COMMITMENT (of another request), TERMINAL. */
int envelope_response_secret(struct envelope_context *ctx, const struct envelope_exchange *x,
	const struct envelope_header *h, struct secret *ret_k, struct err *err) must_check;

#endif
