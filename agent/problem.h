/* What the agent says when it cannot do what it was asked: RFC 9457 problem types with stable
 * names. Layer: agent, pure.
 *
 * A type is part of the API: never rename one, only append. Details are sentences for people; they
 * never hold payload, header values of a message, or secrets.
 */
#ifndef AGENT_PROBLEM_H
#define AGENT_PROBLEM_H

#include "pkg/base/str.h"

/* name, HTTP status, class, type, title, seconds for Retry-After (0: none) */
#define AGENT_PROBLEMS(X)                                                                          \
	X(MALFORMED, 400, INVALID, "malformed", "The request or message is not well-formed", 0)    \
	X(UNKNOWN_RECIPIENT, 404, NOT_FOUND, "unknown-recipient",                                  \
		"No revision of that function is known", 0)                                        \
	X(NO_HOLDER, 503, NO_KEY, "no-holder", "No replica holds a key of that function", 5)       \
	X(NOT_READY, 503, NOT_READY, "not-ready", "Not yet: try again", 1)                         \
	X(STALE_EPOCH, 409, CONFLICT, "stale-epoch", "The key was replaced", 0)                    \
	X(NO_KEY, 410, NO_KEY, "no-key", "The key of that message is gone", 0)                     \
	X(WRONG_RECIPIENT, 422, NO_KEY, "wrong-recipient", "The message is for others", 0)         \
	X(TAMPERED, 422, TAMPERED, "tampered", "The message was altered", 0)                       \
	X(UNTRUSTED, 502, TAMPERED, "untrusted-record", "The recipient's record is not genuine",   \
		0)                                                                                 \
	X(TOO_LARGE, 413, TOO_LARGE, "too-large", "Larger than allowed", 0)                        \
	X(DENIED, 403, DENIED, "denied", "Not allowed here", 0)                                    \
	X(CANNOT_OPEN, 400, INVALID, "cannot-open", "The request cannot be opened", 0)             \
	X(UPGRADE, 501, INVALID, "upgrade", "Protocol upgrades are not carried", 0)                \
	X(UNREACHABLE, 502, TRANSIENT, "unreachable", "The recipient did not answer properly", 1)  \
	X(INTERNAL, 500, TERMINAL, "internal", "The agent failed", 0)                              \
	X(EXPIRED, 410, EXPIRED, "expired", "The message is too old for its sender", 0)            \
	X(SENDER_REQUIRED, 403, DENIED, "sender-required", "The sender is not verified enough", 0) \
	X(REPLAYED, 409, CONFLICT, "replayed", "The message came already", 0)                      \
	X(NOT_READ, 408, INVALID, "not-read", "The answer was not read while the request came", 0)

enum agent_problem {
	AGENT_PROBLEM_NONE,
#define AGENT_PROBLEM_ENUM(name, ...) AGENT_PROBLEM_##name,
	AGENT_PROBLEMS(AGENT_PROBLEM_ENUM)
#undef AGENT_PROBLEM_ENUM
		AGENT_PROBLEM_COUNT
};

#define AGENT_PROBLEM_BASE "https://functionkey.dev/problems/"

struct agent_problem_row {
	int status;
	enum err_class class;
	const char *type; /* the last part of the URI; also a metric's label */
	const char *uri;
	const char *title;
	unsigned retry_after;
};

/* The row of a problem; that of INTERNAL for what is none. Never NULL. */
const struct agent_problem_row *agent_problem_row(enum agent_problem problem);

/* Fills *err with the problem and its class; returns -(int)class. Use REFUSE_AS. */
base_printf_like(5, 6) int agent_refuse(struct err *err, enum agent_problem problem,
	const char *file, unsigned line, const char *fmt, ...);

#ifdef __clang_analyzer__ /* as in FAIL: below 0 */
#define REFUSE_AS(err, name, ...) \
	((void)agent_refuse((err), AGENT_PROBLEM_##name, __FILE__, __LINE__, __VA_ARGS__), -1)
#else
#define REFUSE_AS(err, name, ...) \
	agent_refuse((err), AGENT_PROBLEM_##name, __FILE__, __LINE__, __VA_ARGS__)
#endif

/* Which problem an error is: the one that agent_refuse put in, else the one of its class. */
enum agent_problem agent_problem_of(const struct err *err);

#endif
