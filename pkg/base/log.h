/* Log lines: one event, one line, a constant message and typed fields. Layer: base (libc only).
 *
 *	log_write(log, LOG_WARN, "cannot watch the pods", LOG_STR("namespace", ns), LOG_ERR("error",
 *err));
 *
 * Text (`key=value`) when the sink is a terminal, one JSON object per line otherwise:
 *	2026-11-21T09:47:11.000123Z warn  cannot watch the pods namespace=shop error="..."
 *	{"time":"...","level":"warn","program":"...","message":"cannot watch the
 *pods","namespace":...}
 *
 * What comes from outside is a field, never part of the message. Values are escaped so that a line
 * stays one line and cannot drive a terminal: control characters, invalid UTF-8 and characters that
 * change the direction of text are written as \uXXXX. Values longer than LOG_VALUE_MAX are cut (and
 * end in "..."), fields that do not fit into LOG_LINE_MAX are left out and the line says so.
 *
 * No field takes bytes: secrets cannot be logged by mistake, LOG_STR of a struct secret does not
 * compile. Writing never fails, never allocates and never blocks for long.
 *
 * Floods: each message has a bucket of `burst` lines that refills at `per_second`. What is over is
 * counted and told in one line ("suppressed", with the message and the count) once there is room.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "pkg/base/cleanup.h"
#include "pkg/base/env.h"
#include "pkg/base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

#define LOG_LINE_MAX  4096 /* with its newline: what a pipe takes in one piece (PIPE_BUF) */
#define LOG_VALUE_MAX 512  /* bytes of a value before escaping */

/* Where lines go. write gets one whole line with its newline and says whether it took it. */
struct log_sink {
	void *ctx;
	bool (*write)(void *ctx, const char *line, size_t n);
};

struct log_config {
	const char
		*program; /* a field of each JSON line, at most 64 bytes; borrowed, may be NULL */
	enum log_level level;   /* what is below is not written */
	enum log_format format; /* AUTO: text if fd 2 is a terminal and there is no other sink */
	struct clock clock;
	struct log_sink sink; /* {0}: fd 2, which is waited for 100 ms at most */
	unsigned burst;       /* lines of one message at once; 0: 20 */
	unsigned per_second;  /* and then; 0: 1 */
};

struct log;

/* The caller owns the log. TOO_LARGE (name of the program), NOMEM. */
int base_log_new(const struct log_config *config, struct log **ret_log, struct err *err) must_check;

/* Tells what was suppressed, frees. NULL is fine. Returns NULL. */
struct log *base_log_free(struct log *log);
CLEANUP_FREE(struct log, base_log_free);

/* Writes the "suppressed" lines that are due. Each written line does that too; a program that can
 * fall silent calls it now and then. NULL is fine. */
void base_log_flush(struct log *log);

/* Lines that the sink did not take so far. For a metric. */
uint64_t base_log_dropped(const struct log *log);

/* "debug", "info", "warn", "error". For option tables: NULL-terminated, in the order of the enum.
 */
extern const char *const base_log_levels[];

enum log_kind {
	LOG_KIND_STR,
	LOG_KIND_INT,
	LOG_KIND_UINT,
	LOG_KIND_BOOL,
	LOG_KIND_DUR,
	LOG_KIND_ERR
};

/* One field. Made by the macros below, borrowed until log_write returns. */
struct log_field {
	const char *name; /* a literal of [a-z0-9_] */
	enum log_kind kind;
	union {
		struct str s;
		int64_t i;
		uint64_t u;
		const struct err *err;
	};
};

/* Typed fields. The plus refuses pointers where a number belongs. */
#define LOG_STR(key, value) ((struct log_field){.name = "" key, .kind = LOG_KIND_STR, .s = (value)})
#define LOG_INT(key, value) \
	((struct log_field){.name = "" key, .kind = LOG_KIND_INT, .i = (int64_t) + (value)})
#define LOG_UINT(key, value) \
	((struct log_field){.name = "" key, .kind = LOG_KIND_UINT, .u = (uint64_t) + (value)})
#define LOG_BOOL(key, value) \
	((struct log_field){.name = "" key, .kind = LOG_KIND_BOOL, .i = (value) ? 1 : 0})

/* Nanoseconds; written as seconds: `key=1.5s` in text, "key_seconds":1.5 in JSON. */
#define LOG_DUR(key, ns) \
	((struct log_field){.name = "" key, .kind = LOG_KIND_DUR, .i = (int64_t) + (ns)})

/* A const struct err *: its message, and key_class, key_detail (if any) and key_at. */
#define LOG_ERR(key, e) ((struct log_field){.name = "" key, .kind = LOG_KIND_ERR, .err = (e)})

/* Writes one line. log may be NULL: nobody listens. The message lives as long as the program. */
#define log_write(log, level, message, ...)                                          \
	base_log_write((log), (level), (message), (struct log_field[]){__VA_ARGS__}, \
		sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* Use log_write. */
void base_log_write(struct log *log, enum log_level level, const char *message,
	const struct log_field *fields, size_t n);

#endif
