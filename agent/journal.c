#include "agent/journal.h"

#include <stdio.h>

void agent_journal_add(struct agent_journal *j, const struct env *env, const char *what,
	bool aborted, const struct err *err)
{
	struct agent_note *note = &j->notes[j->count % AGENT_JOURNAL_MAX];

	*note = (struct agent_note){.wall_ns = base_wall_ns(env),
		.what = what,
		.problem = agent_problem_of(err),
		.aborted = aborted};
	(void)snprintf(note->text, sizeof(note->text), "%s", err->msg);
	j->count++;
	j->aborted += aborted;
}

const struct agent_note *agent_journal_at(const struct agent_journal *j, size_t i)
{
	if (i >= AGENT_JOURNAL_MAX || i >= j->count)
		return NULL;
	return &j->notes[(j->count - 1 - i) % AGENT_JOURNAL_MAX];
}
