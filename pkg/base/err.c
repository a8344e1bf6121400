#include "pkg/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int base_err_set(struct err *err, enum err_class class, const char *file, unsigned line,
	const char *fmt, ...)
{
	if (err) {
		va_list ap;
		*err = (struct err){.class = class, .file = file, .line = line};
		va_start(ap, fmt);
		(void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
		va_end(ap);
	}
	return -(int)class;
}

void base_err_wrap(struct err *err, const char *fmt, ...)
{
	char old[ERR_MSG_MAX];
	char context[ERR_MSG_MAX];
	va_list ap;

	if (!err)
		return;
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	(void)vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	const int n = snprintf(err->msg, sizeof(err->msg), "%.100s: ", context);
	if (n > 0 && (size_t)n < sizeof(err->msg))
		(void)snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, "%.*s",
			(int)(sizeof(err->msg) - (size_t)n - 1), old);
}

const char *base_err_class_name(enum err_class class)
{
	static const char *const names[] = {"ok",
#define ERR_NAME(name, text) text,
		ERR_CLASSES(ERR_NAME)
#undef ERR_NAME
	};
	if ((unsigned)class >= ERR_CLASS_COUNT)
		return "unknown";
	return names[class];
}

_Noreturn void base_assert_failed(const char *what, const char *file, unsigned line)
{
	(void)fprintf(stderr, "broken invariant: %s at %s:%u\n", what, file, line);
	abort();
}
