/* Words and environment from the input, one per line; "=" before a line makes it a variable. What
 * is accepted must be within the bounds of its option. */
#include "pkg/base/alloc.h"
#include "pkg/base/options.h"

#define WORDS 16

struct config {
	int64_t lease_ns, workers, body;
	bool pretty;
	int level;
	char pod[8];
};

static const char *const levels[] = {"debug", "info", NULL};
static const struct option_def defs[] = {
	OPTION_DURATION(
		struct config, lease_ns, "lease", "FK_LEASE", "30s", 5000000000, 600000000000, "h"),
	OPTION_INT(struct config, workers, "workers", "FK_WORKERS", "2", 1, 64, "h"),
	OPTION_SIZE(struct config, body, "body", "FK_BODY", "1Mi", 1, 1 << 30, "h"),
	OPTION_BOOL(struct config, pretty, "pretty", NULL, "false", "h"),
	OPTION_ENUM(struct config, level, "level", NULL, "info", levels, "h"),
	OPTION_STR(struct config, pod, "pod", "FK_POD", "p", "h"),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct options o = {.program = "p",
		.summary = "s",
		.arguments = "A",
		.defs = defs,
		.n = ARRAY_LEN(defs)};
	char *text = base_strndup((const char *)data, size);
	char program[] = "p";
	char *argv[WORDS + 2] = {program};
	char *envp[WORDS + 1] = {NULL};
	int argc = 1;
	size_t env_n = 0;

	for (char *at = text; at && argc <= WORDS && env_n < WORDS;) {
		char *end = strchr(at, '\n');
		if (end)
			*end = 0;
		if (*at == '=')
			envp[env_n++] = at + 1;
		else
			argv[argc++] = at;
		at = end ? end + 1 : NULL;
	}
	struct config c = {0};
	struct options_result result = {.first = -1};
	struct err err = {0};
	const int r = base_options_parse(&o, argc, argv, envp, &c, &result, &err);
	base_assert((r == 0) == (err.class == ERR_OK) && (r == 0) == (result.first >= 0));
	if (r == 0 && result.action == OPTIONS_RUN)
		base_assert(c.lease_ns >= 5000000000 && c.lease_ns <= 600000000000 &&
			    c.workers >= 1 && c.workers <= 64 && c.body >= 1 && c.level >= 0 &&
			    c.level <= 1 && memchr(c.pod, 0, sizeof(c.pod)) &&
			    result.first <= argc);
	base_free(text);
	return 0;
}
