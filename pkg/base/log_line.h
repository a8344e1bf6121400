/* One log line under construction, in text or JSON. Layer: base, for log.c alone.
 *
 * Nothing fails here: what does not fit makes the line `full`, and the field is taken back.
 */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include "pkg/base/log.h"

struct log_line {
	bool json;
	bool full; /* a field was left out */
	size_t n;
	char b[LOG_LINE_MAX];
};

/* Time, level, program and message; the line is open for fields. */
void base_log_line_begin(struct log_line *l, int64_t wall_ns, enum log_level level,
	const char *program, const char *message);

/* One field, whole or not at all. */
void base_log_line_field(struct log_line *l, const struct log_field *f);

/* Closes the line with its newline. */
void base_log_line_end(struct log_line *l);

#endif
