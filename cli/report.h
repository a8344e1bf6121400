/* Lines that say what is right, doubtful or wrong, and what to do: what check and why answer.
 * Layer: cli.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/page.h"

#define CLI_LINES_MAX 96

enum cli_verdict { CLI_GOOD, CLI_DOUBT, CLI_WRONG, CLI_NOTE };

struct cli_line {
	enum cli_verdict verdict;
	struct str what, says, fix; /* fix: what a person does about it; may be empty */
};

struct cli_report {
	struct arena *arena; /* borrowed; holds the texts */
	struct cli_line lines[CLI_LINES_MAX];
	size_t n;
};

/* Adds a line; fix may be NULL. what and fix are copied as they are. TOO_LARGE, NOMEM. */
base_printf_like(6, 7) int cli_report_add(struct cli_report *r, enum cli_verdict verdict,
	const char *what, const char *fix, struct err *err, const char *fmt, ...) must_check;

/* How many lines are WRONG. */
size_t cli_report_wrong(const struct cli_report *r);

/* The first that is; NULL: none. */
const struct cli_line *cli_report_first_wrong(const struct cli_report *r);

/* Appends the lines as text: verdict, what it is about, what is the case, and the fix below. */
int cli_report_text(const struct cli_report *r, struct buf *page, struct err *err) must_check;

/* Appends {"ok":…,"lines":[{"verdict","what","says","fix"}…]}. */
int cli_report_json(const struct cli_report *r, struct buf *b, struct err *err) must_check;

/* Shows it on standard output in the form asked for, text with a heading and a closing line. */
int cli_report_show(const struct cli_report *r, enum cli_format format, struct str heading,
	struct str closing, struct err *err) must_check;

#endif
