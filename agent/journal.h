/* The last things that went wrong, for /v1/status. Layer: agent, pure. Bounded; holds no payload.
 */
#ifndef AGENT_JOURNAL_H
#define AGENT_JOURNAL_H

#include "agent/problem.h"
#include "pkg/base/env.h"

#define AGENT_JOURNAL_MAX  16
#define AGENT_JOURNAL_TEXT ERR_MSG_MAX

struct agent_note {
	int64_t wall_ns;
	const char *what; /* static: "encrypt", "decrypt", "stream", … */
	enum agent_problem problem;
	bool aborted; /* an answer had begun and was cut off */
	char text[AGENT_JOURNAL_TEXT];
};

/* Zero is a journal without notes. */
struct agent_journal {
	struct agent_note notes[AGENT_JOURNAL_MAX];
	uint64_t count; /* ever */
	uint64_t aborted;
};

/* Notes what failed just now, in place of the oldest note when full. what is a literal: it is not
 * copied. aborted: the connection was cut, as the answer had begun. */
void agent_journal_add(struct agent_journal *j, const struct env *env, const char *what,
	bool aborted, const struct err *err);

/* The i-th newest; NULL past the last. */
const struct agent_note *agent_journal_at(const struct agent_journal *j, size_t i);

#endif
