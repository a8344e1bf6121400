/* Inside of agent/encrypt. Included by agent/encrypt*.c only. Layer: agent. */
#ifndef AGENT_ENCRYPT_INTERNAL_H
#define AGENT_ENCRYPT_INTERNAL_H

#include "agent/answer.h"
#include "agent/attributes.h"
#include "agent/encrypt.h"

#define AGENT_TO_MAX 256

/* What is asked for, and of what. */
struct agent_encrypt_asked {
	char to[AGENT_TO_MAX];
	struct str ns, function, type;
	enum envelope_sender_level level;
	struct agent_attributes attributes;
	bool event;      /* a CloudEvent in binary mode */
	bool structured; /* one in structured mode: its attributes are known at its end */
	bool has_length;
	uint64_t length;
};

/* Fills *q, whose attributes must be agent_attributes(). Problems: MALFORMED, TOO_LARGE. */
int agent_encrypt_read(struct agent_app *app, const struct http_request *r,
	struct agent_encrypt_asked *q, struct err *err) must_check;

#endif
