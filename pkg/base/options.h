/* A program's options, declared in one table: command line, environment, --help, --version,
 * --check. Layer: base (libc only).
 *
 *	struct config { int64_t lease_ns; char pod[254]; bool pretty; };
 *	static const struct option_def defs[] = {
 *		OPTION_DURATION(struct config, lease_ns, "lease-duration", "FK_LEASE", "30s",
 *			5 * NS_PER_S, 600 * NS_PER_S, "How long a Lease is good."),
 *		OPTION_STR(struct config, pod, "pod", "POD_NAME", NULL, "Name of our pod."),
 *	};
 *
 * An option comes from the command line (--name=value or --name value; the last one counts), else
 * from its environment variable (an empty one counts as not set), else from its default. A switch
 *is
 * --name, --name=true or --name=false. "--" ends the options.
 *
 * Each error names the option, its value, and what to write instead.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include "pkg/base/buf.h"

enum option_type {
	OPTION_TYPE_STR,      /* char[size], NUL-terminated */
	OPTION_TYPE_BOOL,     /* bool */
	OPTION_TYPE_INT,      /* int64_t >= 0 */
	OPTION_TYPE_DURATION, /* int64_t, nanoseconds (pkg/base/units.h) */
	OPTION_TYPE_SIZE,     /* int64_t, bytes (pkg/base/units.h) */
	OPTION_TYPE_ENUM,     /* an int or enum: the index in values */
};

/* One option. Made by the macros below. */
struct option_def {
	const char *name;          /* without the dashes */
	const char *env;           /* NULL: none */
	const char *fallback;      /* as it would be written; NULL: the option is needed */
	const char *help;          /* sentences */
	const char *const *values; /* of an enum; NULL-terminated */
	enum option_type type;
	size_t offset; /* in the config struct */
	size_t size;
	int64_t min, max;
};

#define OPTION_TARGET_(T, member, ok)                                    \
	.offset = offsetof(T, member) + 0 * sizeof(char[(ok) ? 1 : -1]), \
	.size = sizeof(((T *)0)->member)
#define OPTION_IS_(T, member, type) __builtin_types_compatible_p(__typeof__(((T *)0)->member), type)
#define OPTION_NUMBER_(t, T, member, name_, env_, default_, min_, max_, help_)           \
	{                                                                                \
		.name = (name_), .env = (env_), .fallback = (default_), .help = (help_), \
		.type = (t), OPTION_TARGET_(T, member, OPTION_IS_(T, member, int64_t)),  \
		.min = (min_), .max = (max_)                                             \
	}

/* Text of at most sizeof(member) - 1 bytes. */
#define OPTION_STR(T, member, name_, env_, default_, help_)                                      \
	{                                                                                        \
		.name = (name_), .env = (env_), .fallback = (default_), .help = (help_),         \
		.type = OPTION_TYPE_STR,                                                         \
		OPTION_TARGET_(T, member, OPTION_IS_(T, member, char[sizeof(((T *)0)->member)])) \
	}
#define OPTION_BOOL(T, member, name_, env_, default_, help_)                                     \
	{                                                                                        \
		.name = (name_), .env = (env_), .fallback = (default_), .help = (help_),         \
		.type = OPTION_TYPE_BOOL, OPTION_TARGET_(T, member, OPTION_IS_(T, member, bool)) \
	}
/* Numbers from min to max. */
#define OPTION_INT(T, member, ...)      OPTION_NUMBER_(OPTION_TYPE_INT, T, member, __VA_ARGS__)
#define OPTION_DURATION(T, member, ...) OPTION_NUMBER_(OPTION_TYPE_DURATION, T, member, __VA_ARGS__)
#define OPTION_SIZE(T, member, ...)     OPTION_NUMBER_(OPTION_TYPE_SIZE, T, member, __VA_ARGS__)
/* One word of a NULL-terminated list. */
#define OPTION_ENUM(T, member, name_, env_, default_, values_, help_)                    \
	{                                                                                \
		.name = (name_), .env = (env_), .fallback = (default_), .help = (help_), \
		.values = (values_), .type = OPTION_TYPE_ENUM,                           \
		OPTION_TARGET_(T, member, sizeof(((T *)0)->member) == sizeof(int))       \
	}

/* A program. */
struct options {
	const char *program;
	const char *version;
	const char *summary;   /* sentences of --help */
	const char *arguments; /* what follows the options, as in "FILE..."; NULL: nothing may */
	const struct option_def *defs;
	size_t n;
	/* Checks that no single option can make; INVALID. May be NULL. */
	int (*check)(const void *config, struct err *err);
};

enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_CHECK };

/* What the command line asks for, and the index in argv of the first argument. */
struct options_result {
	enum options_action action;
	int first;
};

/* Fills *config (of the T of the table). INVALID with a message for the person at the keyboard;
 * *config is then half filled. HELP and VERSION come before all errors and fill nothing. */
int base_options_parse(const struct options *o, int argc, char *const *argv, char *const *envp,
	void *config, struct options_result *ret_result, struct err *err) must_check;

/* The text of --help. */
int base_options_help(const struct options *o, struct buf *out, struct err *err) must_check;

/* For main: parses, prints what was asked for or what is wrong. True: run, arguments from
 * *ret_first on. False: end with *ret_code (0; 1 after --check with errors; else 2). */
bool base_options_start(const struct options *o, int argc, char *const *argv, void *config,
	int *ret_first, int *ret_code);

#endif
