/* Inside of agent/outbound. Included by agent/outbound*.c only. Layer: agent. */
#ifndef AGENT_OUTBOUND_INTERNAL_H
#define AGENT_OUTBOUND_INTERNAL_H

#include "agent/answer.h"
#include "agent/encrypt.h"
#include "agent/outbound.h"
#include "agent/sealing.h"

/* How long newer keys are waited for, after a recipient refused ours. */
#define AGENT_REFRESH_NS (3 * NS_PER_S)

enum agent_outbound_state {
	AGENT_OUTBOUND_HOLDING, /* the body is held: it becomes a whole message */
	AGENT_OUTBOUND_FINDING, /* recipients are sought, or the keeper signs; no body is taken */
	AGENT_OUTBOUND_CALLING, /* the peer is asked; of a stream, the body goes there */
	AGENT_OUTBOUND_REFRESHING, /* newer keys may come */
	AGENT_OUTBOUND_ANSWERING,  /* the answer is complete here, not there */
	AGENT_OUTBOUND_OVER        /* answered, refused, or cut */
};

/* Each may have to wait for the keeper. */
enum agent_outbound_step {
	AGENT_OUTBOUND_BEGIN,
	AGENT_OUTBOUND_BODY, /* whole requests; the head of streams */
	AGENT_OUTBOUND_END,
	AGENT_OUTBOUND_SEALED
};

/* The answer on its way back: sealed, opened, decoded. */
struct agent_reply {
	unsigned status;  /* of the peer's agent */
	bool sealed;      /* it says that it is an envelope */
	bool opening;     /* the head was read */
	bool stream;      /* it is released as it comes */
	bool begun;       /* our answer has begun */
	struct buf in;    /* the envelope's head, until it is complete */
	struct buf plain; /* Binary HTTP, for a moment */
	struct envelope_opener opener;
	struct bhttp_decoder decoder;
	struct agent_pending content;
};

struct agent_outbound {
	struct agent_app *app;
	struct http_request *r;
	enum agent_outbound_state state;
	bool stream; /* the request is one */
	bool ended;  /* its body was complete while recipients were sought */
	bool retried;
	bool has_length;
	uint64_t length;
	struct err refused; /* why; told when the body, or enough of it, came */
	uint64_t dropped;   /* bytes of it meanwhile */
	struct str ns, function;
	const struct agent_target *target;
	struct agent_senders_waiter waiter;
	struct agent_guest guest; /* of the room for large bodies that are held */
	struct agent_refresh refresh;
	int64_t refresh_until_ns;
	struct agent_fields fields;
	struct bhttp_head head;
	char authority[160];
	struct bhttp_encoder encoder;
	struct buf plain; /* Binary HTTP: all of a whole request, a piece of a stream */
	struct agent_sealing *sealing;
	enum agent_outbound_step next; /* of sealing, what is not done yet */
	struct agent_pending up;       /* sealed, for the peer */
	size_t sent; /* of a whole request: bytes that the peer's agent was given */
	bool up_complete;
	struct http_call *call;
	struct agent_recipient_keys sealed_to;
	int64_t tried_ns; /* activation of the key of the revision that is asked; 0: none was */
	struct agent_reply reply;
	uint64_t bytes;
	int64_t started_ns;
};

/* -- outbound.c -- */
/* Ends it: with a problem, or cut if the answer has begun. */
void agent_outbound_bad(struct agent_outbound *o, const struct err *err);
void agent_outbound_good(struct agent_outbound *o);
/* False: there is no room now; both sides will be resumed. */
bool agent_outbound_room(struct agent_outbound *o, size_t held);

/* -- outbound_send.c -- */
/* Seals what is held, or begins to seal a stream, and asks the peer. AGENT_SENDERS_WAIT: recipients
 * are not known yet, it goes on by itself. */
int agent_outbound_go(struct agent_outbound *o, struct err *err) must_check;
/* A piece of a stream's body, and its end. */
int agent_outbound_add(struct agent_outbound *o, struct str bytes, struct err *err) must_check;
int agent_outbound_end(struct agent_outbound *o, struct err *err) must_check;

/* Asks the next older revision for what is sealed. 1: it does; 0: there is none. */
int agent_outbound_elsewhere(struct agent_outbound *o, struct err *err) must_check;

/* -- outbound_reply.c: http_call_ops -- */
extern const struct http_call_ops agent_outbound_call_ops;
/* Everything was opened: answers, or goes on answering. */
int agent_outbound_answer(struct agent_outbound *o, struct err *err) must_check;
void agent_reply_done(struct agent_reply *reply);

#endif
