/* Sealing one message of any sender level: recipients, window, certificate, the keeper's
 * signatures, the body. Layer: agent. Used by whatever sends: agent/encrypt, agent/outbound.
 *
 * Where the keeper signs, a call says AGENT_SEALING_WAIT and takes no more until it is resumed.
 */
#ifndef AGENT_SEALING_H
#define AGENT_SEALING_H

#include "agent/app.h"
#include "agent/signer.h"
#include "pkg/envelope/response.h"
#include "pkg/envelope/signed.h"

struct agent_sealing;

#define AGENT_SEALING_WAIT 1

/* ready is called from the loop, once, after a call here said WAIT: then agent_sealing_resume. The
 * caller owns *ret. NOMEM. */
int agent_sealing_new(struct agent_app *app, enum envelope_sender_level level,
	void (*ready)(void *ctx), void *ctx, struct agent_sealing **ret_sealing, struct err *err)
	must_check;
/* At any time, also while it waits. NULL is fine. Returns NULL. */
struct agent_sealing *agent_sealing_free(struct agent_sealing *s);
CLEANUP_FREE(struct agent_sealing, agent_sealing_free);

/* To be filled before it begins: of it count mode, kind, type, attributes and (of the plaintext)
 * length. What it points to lives until the message has begun. */
struct envelope_header *agent_sealing_header(struct agent_sealing *s);
/* Appends the message's head to out (room, here and below: what signed.h says). Problem NOT_READY:
 * there is no certificate, or no place at the keeper. */
int agent_sealing_begin(struct agent_sealing *s, const struct agent_recipients *to, struct buf *out,
	struct err *err) must_check;
int agent_sealing_add(struct agent_sealing *s, struct str bytes, struct buf *out, struct err *err)
	must_check;
/* Without WAIT the message is complete. */
int agent_sealing_end(struct agent_sealing *s, struct buf *out, struct err *err) must_check;

/* After ready: goes on with the call that said WAIT, which then is done. */
int agent_sealing_resume(struct agent_sealing *s, struct buf *out, struct err *err) must_check;

/* The certificate under which this replica would sign now. Problem NOT_READY, which says what is
 * missing. */
int agent_sealing_bearer(const struct agent_app *app, struct agent_bearer *ret, struct err *err)
	must_check;

/* Once it has begun. The exchange is that of requests alone. Borrowed. */
const uint8_t *agent_sealing_id(const struct agent_sealing *s);
const struct envelope_exchange *agent_sealing_exchange(const struct agent_sealing *s);

#endif
