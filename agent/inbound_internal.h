/* Inside of agent/inbound. Included by agent/inbound*.c only. Layer: agent. */
#ifndef AGENT_INBOUND_INTERNAL_H
#define AGENT_INBOUND_INTERNAL_H

#include "agent/answer.h"
#include "agent/encrypt.h"
#include "agent/inbound.h"

/* The function's answer on its way back: encoded and sealed. */
struct agent_answering {
	struct agent_fields fields, trailers;
	bool headed;
	bool stream;   /* it is sealed as it comes */
	bool begun;    /* our answer has begun */
	bool complete; /* all of it is sealed */
	bool has_length;
	uint64_t length;
	char length_text[24]; /* of GET, in an answer to HEAD */
	struct bhttp_encoder encoder;
	struct buf plain; /* Binary HTTP: all of a whole answer, a piece of a stream */
	struct envelope_sealer sealer;
	struct agent_pending sealed;
};

struct agent_inbound {
	struct agent_app *app;
	struct http_request *r;
	struct agent_opening *opening;
	struct agent_guest guest; /* of the room for large bodies that are held */
	struct err refused;       /* why; told when the body, or enough of it, came */
	uint64_t taken;           /* bytes of the message */
	bool waits;               /* for the key: no body is taken */
	bool ended;               /* the message was complete while it waited */
	bool opened;              /* the opening has its end */
	bool over;                /* answered or cut */
	bool is_head;             /* the method is HEAD */
	bool tells_level;         /* in a trailer, what the header could not say yet */
	struct buf plain;         /* Binary HTTP, for a moment */
	struct bhttp_decoder decoder;
	struct agent_pending body; /* for the function */
	bool body_complete;
	struct http_call *call;
	struct agent_answering answer;
	uint64_t bytes;
	int64_t started_ns;
};

/* -- inbound.c -- */
/* Ends it: with one of three problems, or cut if the answer has begun. */
void agent_inbound_bad(struct agent_inbound *in, const struct err *err);
void agent_inbound_good(struct agent_inbound *in);
/* False: there is no room now; both sides will be resumed. */
bool agent_inbound_room(struct agent_inbound *in, size_t held);

/* -- inbound_call.c -- */
/* Begins the function's request once its head is known. all: the whole body is in hand. */
int agent_inbound_call(struct agent_inbound *in, bool all, struct err *err) must_check;

/* -- inbound_answer.c: http_call_ops -- */
extern const struct http_call_ops agent_inbound_call_ops;
/* Sends what waits of a streamed answer, and ends it once that is all. */
int agent_inbound_flush(struct agent_inbound *in, bool *ret_clear, struct err *err) must_check;
struct agent_answering agent_answering(void);
void agent_answering_done(struct agent_answering *a);

#endif
