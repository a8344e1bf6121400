/* Bytes that one side of a message made and the other did not take yet. Layer: agent. */
#ifndef AGENT_PENDING_H
#define AGENT_PENDING_H

#include "agent/room.h"
#include "pkg/base/buf.h"
#include "pkg/http/http.h"

#define AGENT_PENDING_AHEAD                                                  \
	(1u << 20) /* bytes of a body that are taken before anything is read \
		    */

/* Those from at on. May be plaintext. */
struct agent_pending {
	struct buf b;
	size_t at;
};
static inline size_t agent_pending_len(const struct agent_pending *p)
{
	return p->b.len - p->at;
}
static inline struct str agent_pending_str(const struct agent_pending *p)
{
	return base_str_n(p->b.data + p->at, p->b.len - p->at);
}
/* n of them were taken. */
void agent_pending_taken(struct agent_pending *p, size_t n);
/* Wipes and frees. */
void agent_pending_done(struct agent_pending *p);

/* Writes what waits to a streamed answer; *ret_clear tells whether nothing does any more. */
int agent_pending_flush(struct agent_pending *p, struct http_request *r, bool *ret_clear,
	struct err *err) must_check;

/* What http_call_ops.send does with them. complete: no more will come. */
int agent_pending_send(
	struct agent_pending *p, bool complete, uint8_t *dst, size_t cap, size_t *ret_n) must_check;

/* For a client that sends all before it reads, and one message. A body's first AGENT_PENDING_AHEAD
 * bytes are taken though nothing is read: what they make is held, within the room, until all of it
 * is written. Beyond them a body is taken as its answer is read.
 *
 * *ret_may: more may be taken behind taken bytes of plaintext. False: when the client has read, or
 * the guest is called. p->b.max is the most that is held. NOMEM. */
int agent_pending_may_hold(struct agent_pending *p, uint64_t taken, struct agent_room *room,
	struct agent_guest *guest, bool *ret_may, struct err *err) must_check;

/* agent_pending_flush, and the end of that holding. */
int agent_pending_flush_held(struct agent_pending *p, struct http_request *r,
	struct agent_room *room, struct agent_guest *guest, bool *ret_clear, struct err *err)
	must_check;

#endif
