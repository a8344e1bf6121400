#include "agent/problem.h"

#include <stdarg.h>
#include <stdio.h>

/* In err->detail, above all HTTP statuses, errnos and reasons of libraries. */
#define DETAIL_BASE 10000

static const struct agent_problem_row rows[AGENT_PROBLEM_COUNT] = {
#define ROW(name, status, class, type, title, retry) \
	[AGENT_PROBLEM_##name] = {status, ERR_##class, type, AGENT_PROBLEM_BASE type, title, retry},
	AGENT_PROBLEMS(ROW)
#undef ROW
};

static const enum agent_problem by_class[ERR_CLASS_COUNT] = {
	[ERR_TRANSIENT] = AGENT_PROBLEM_NOT_READY,
	[ERR_CONFLICT] = AGENT_PROBLEM_NOT_READY,
	[ERR_EXPIRED] = AGENT_PROBLEM_NOT_READY,
	[ERR_NOT_FOUND] = AGENT_PROBLEM_UNKNOWN_RECIPIENT,
	[ERR_DENIED] = AGENT_PROBLEM_NOT_READY,
	[ERR_INVALID] = AGENT_PROBLEM_MALFORMED,
	[ERR_TAMPERED] = AGENT_PROBLEM_TAMPERED,
	[ERR_NO_KEY] = AGENT_PROBLEM_NO_KEY,
	[ERR_TOO_LARGE] = AGENT_PROBLEM_TOO_LARGE,
	[ERR_NOT_READY] = AGENT_PROBLEM_NOT_READY,
	[ERR_CANCELLED] = AGENT_PROBLEM_NOT_READY,
	[ERR_NOMEM] = AGENT_PROBLEM_NOT_READY,
};

const struct agent_problem_row *agent_problem_row(enum agent_problem problem)
{
	if (problem <= AGENT_PROBLEM_NONE || problem >= AGENT_PROBLEM_COUNT)
		problem = AGENT_PROBLEM_INTERNAL;
	return &rows[problem];
}

int agent_refuse(struct err *err, enum agent_problem problem, const char *file, unsigned line,
	const char *fmt, ...)
{
	const struct agent_problem_row *row = agent_problem_row(problem);
	char text[ERR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	const int r = base_err_set(err, row->class, file, line, "%s", text);
	if (err) {
		err->detail = DETAIL_BASE + (int)problem;
		err->retry_after = row->retry_after;
	}
	return r;
}

enum agent_problem agent_problem_of(const struct err *err)
{
	const int at = err->detail - DETAIL_BASE;

	if (at > AGENT_PROBLEM_NONE && at < AGENT_PROBLEM_COUNT)
		return (enum agent_problem)at;
	if (err->class > ERR_OK && err->class < ERR_CLASS_COUNT && by_class[err->class])
		return by_class[err->class];
	return AGENT_PROBLEM_INTERNAL;
}
