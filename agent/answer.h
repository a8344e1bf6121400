/* Answers of the faces that are no plaintext: problems, and who may ask. Layer: agent. */
#ifndef AGENT_ANSWER_H
#define AGENT_ANSWER_H

#include "agent/problem.h"
#include "pkg/http/http.h"

/* Replies with the problem of err; its text is the detail. */
void agent_answer_problem(struct http_request *r, const struct err *err);

/* A request that is refused for its header is answered when its body has come, or this much of it:
 * simple clients do not look for an answer before they have sent everything. */
#define AGENT_REFUSE_AFTER (256u << 10)

/* The refusal, as the failure that it is. */
int agent_answer_refused(const struct err *refused, struct err *err) must_check;

/* How long a client may leave an answer alone that the rest of its own request waits for; then it
 * is cut, and what agent_answer_not_read says is noted: the answer has begun, and cannot say so. */
#define AGENT_STALL_NS (15 * NS_PER_S)
struct err agent_answer_not_read(void);

/* On TCP only programs that mean it may ask, no browser and no proxied request: header
 * FunctionKey-Client: 1, no X-Forwarded-*. DENIED. Always true on the unix socket. */
int agent_answer_allowed(const struct http_request *r, struct err *err) must_check;

/* The second half of that: what programs that know nothing of us may ask on TCP. DENIED. */
int agent_answer_plain(const struct http_request *r, struct err *err) must_check;

/* Adds a header with the hex form of n bytes (at most 33). */
int agent_answer_hex(struct http_request *r, const char *name, const uint8_t *p, size_t n,
	struct err *err) must_check;
int agent_answer_number(struct http_request *r, const char *name, uint64_t n, struct err *err)
	must_check;

#endif
