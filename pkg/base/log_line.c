#include "pkg/base/log_line.h"

#include "pkg/base/text.h"

#include <stdarg.h>

#define TAIL 24 /* kept free for `,"truncated":true}` and the newline */

static void put(struct log_line *l, const char *p, size_t n)
{
	if (l->full || n > sizeof(l->b) - TAIL - l->n) {
		l->full = true;
		return;
	}
	memcpy(l->b + l->n, p, n);
	l->n += n;
}

static void put_cstr(struct log_line *l, const char *s)
{
	put(l, s, strlen(s));
}

base_printf_like(2, 3) static void put_f(struct log_line *l, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	const int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		put(l, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* Control characters of both halves, line and paragraph separators, and what turns the direction of
 * text: a log that is read in a terminal must show what it holds. */
static bool harmless(uint32_t c)
{
	return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && c != 0x61c &&
	       !(c >= 0x200b && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) &&
	       !(c >= 0x2066 && c <= 0x2069) && c != 0xfeff && !(c >= 0xfff0 && c <= 0xffff) &&
	       !(c >= 0xe0000 && c <= 0xe0fff);
}

static void put_char(struct log_line *l, const char *p, size_t n, uint32_t c)
{
	if (n == 0)
		put_cstr(l, "\\ufffd");
	else if (c == '"' || c == '\\')
		put_f(l, "\\%c", (char)c);
	else if (c == '\n' || c == '\t')
		put_cstr(l, c == '\n' ? "\\n" : "\\t");
	else if (harmless(c))
		put(l, p, n);
	else if (c < 0x10000)
		put_f(l, "\\u%04x", (unsigned)c);
	else
		put_f(l, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
			(unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
}

static void put_escaped(struct log_line *l, struct str s)
{
	for (size_t at = 0; at < s.n && !l->full;) {
		uint32_t c = 0;
		const size_t n = base_utf8_next(s.p + at, s.n - at, &c);
		if (at + n > LOG_VALUE_MAX) {
			put_cstr(l, "...");
			return;
		}
		put_char(l, s.p + at, n, c);
		at += n ? n : 1;
	}
}

static bool needs_quotes(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\' ||
			s.p[i] == '=')
			return true;
	return s.n == 0 || s.n > LOG_VALUE_MAX;
}

static void put_value(struct log_line *l, struct str s)
{
	const char *quote = l->json || needs_quotes(s) ? "\"" : "";

	put_cstr(l, quote);
	put_escaped(l, s);
	put_cstr(l, quote);
}

static void put_name(struct log_line *l, const char *name, const char *suffix)
{
	put_cstr(l, l->json ? ",\"" : " ");
	put_cstr(l, name);
	put_cstr(l, suffix);
	put_cstr(l, l->json ? "\":" : "=");
}

static void put_duration(struct log_line *l, const char *name, int64_t ns)
{
	const uint64_t abs = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	const uint64_t micro = abs / 1000;

	put_name(l, name, l->json ? "_seconds" : "");
	put_f(l, "%s%llu.%06llu%s", ns < 0 ? "-" : "", (unsigned long long)(micro / 1000000),
		(unsigned long long)(micro % 1000000), l->json ? "" : "s");
}

static void put_err(struct log_line *l, const char *name, const struct err *e)
{
	if (!e) {
		put_name(l, name, "");
		put_value(l, STR("none"));
		return;
	}
	put_name(l, name, "");
	put_value(l, base_str_n(e->msg, strnlen(e->msg, sizeof(e->msg))));
	put_name(l, name, "_class");
	put_value(l, base_str(base_err_class_name(e->class)));
	if (e->detail) {
		put_name(l, name, "_detail");
		put_f(l, "%d", e->detail);
	}
	if (e->file) {
		char at[128];
		const int n = snprintf(at, sizeof(at), "%s:%u", e->file, e->line);
		put_name(l, name, "_at");
		put_value(l, base_str_n(at, n > 0 ? strnlen(at, sizeof(at)) : 0));
	}
}

static void put_field(struct log_line *l, const struct log_field *f)
{
	if (f->kind == LOG_KIND_DUR) {
		put_duration(l, f->name, f->i);
		return;
	}
	if (f->kind == LOG_KIND_ERR) {
		put_err(l, f->name, f->err);
		return;
	}
	put_name(l, f->name, "");
	if (f->kind == LOG_KIND_STR)
		put_value(l, f->s);
	else if (f->kind == LOG_KIND_INT)
		put_f(l, "%lld", (long long)f->i);
	else if (f->kind == LOG_KIND_UINT)
		put_f(l, "%llu", (unsigned long long)f->u);
	else
		put_cstr(l, f->i ? "true" : "false");
}

void base_log_line_field(struct log_line *l, const struct log_field *f)
{
	const size_t before = l->n;

	if (l->full)
		return;
	put_field(l, f);
	if (l->full)
		l->n = before;
}

void base_log_line_begin(struct log_line *l, int64_t wall_ns, enum log_level level,
	const char *program, const char *message)
{
	char time[BASE_TIME_LEN];

	l->n = 0;
	l->full = false;
	base_time_format_micro(wall_ns, time);
	if (l->json) {
		put_f(l, "{\"time\":\"%s\",\"level\":\"%s\"", time, base_log_levels[level]);
		if (program) {
			put_name(l, "program", "");
			put_value(l, base_str(program));
		}
		put_name(l, "message", "");
		put_value(l, base_str(message));
	} else {
		put_f(l, "%s %-5s ", time, base_log_levels[level]);
		put_escaped(l, base_str(message));
	}
}

void base_log_line_end(struct log_line *l)
{
	static const char *const tails[2][2] = {
		{"\n", " truncated=true\n"}, {"}\n", ",\"truncated\":true}\n"}};
	const char *tail = tails[l->json][l->full];
	const size_t n = strlen(tail);

	memcpy(l->b + l->n, tail, n);
	l->n += n;
}
