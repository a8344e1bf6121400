/* The network half's end of the socketpair to its keeper. Layer: agent (base, kmsg, libuv).
 *
 * Requests go out at once and are answered by a callback from the loop, urgent ones first (the
 * keeper orders them). Never more than KMSG_QUEUE_MAX are out, and of grants and opens fewer, so
 * that there is always a place for an urgent one: who comes when the places are taken is told to
 * come again, and passes that on to who asked. Replies to requests of a network half that is gone
 * are dropped. Packets and replies that held secrets are wiped when the callback returns.
 */
#ifndef AGENT_KEEPERLINK_H
#define AGENT_KEEPERLINK_H

#include "pkg/base/env.h"
#include "pkg/kmsg/ops.h"

#include <uv.h>

#define AGENT_KEEPER_OPENS_MAX  160 /* requests of these kinds that are out at once */
#define AGENT_KEEPER_GRANTS_MAX 32

struct agent_keeper;

/* Exactly one of reply and err is NULL. err is what the keeper refused with, or NOT_READY if it
 * is gone. Both are borrowed until the callback returns; a reply of OPEN is a secret. */
typedef void (*agent_keeper_done)(void *ctx, const struct kmsg_reply *reply, const struct err *err);

/* The keeper is gone, or has sent what no keeper sends. Called once, after all that was out has
 * been answered with NOT_READY. */
typedef void (*agent_keeper_gone)(void *ctx, const struct err *err);

struct agent_keeper_events {
	agent_keeper_gone gone;
	void *ctx;
};

/* fd is one end of a SOCK_SEQPACKET pair; it is owned by the link on success. env gives the first
 * sequence number. The caller owns *ret. NOMEM, TERMINAL. */
int agent_keeper_new(uv_loop_t *loop, int fd, const struct env *env,
	struct agent_keeper_events events, struct agent_keeper **ret, struct err *err) must_check;

/* Closes. What is out is not answered any more. NULL is fine; returns NULL. The memory goes when
 * the loop next runs; may be called from a callback. */
struct agent_keeper *agent_keeper_free(struct agent_keeper *k);
CLEANUP_FREE(struct agent_keeper, agent_keeper_free);

/* Sends; seq is filled here. NOT_READY: too many of this kind are out, or the keeper is gone;
 * INVALID: a field is out of its bounds. done is called later, never from here, and only if 0 was
 * returned. */
int agent_keeper_request(struct agent_keeper *k, const struct kmsg_request *request,
	agent_keeper_done done, void *ctx, struct err *err) must_check;

/* Sends and waits, for the start, while the loop does not run and nothing else is out. The class
 * that the keeper refused with; TRANSIENT if no answer came in time; NOT_READY if it is gone. */
int agent_keeper_ask(struct agent_keeper *k, const struct kmsg_request *request, int timeout_ms,
	struct kmsg_reply *ret_reply, struct err *err) must_check;

struct agent_keeper_stats {
	uint64_t requests, replies, refused; /* refused: for want of a place */
	uint64_t stale;                      /* replies that nobody waited for */
	size_t out[KMSG_PRIORITY_COUNT];
};
struct agent_keeper_stats agent_keeper_stats(const struct agent_keeper *k);

#endif
