/* Hostile values in both formats: a line is one line of printable UTF-8 within its maximum, and a
 * JSON line has as many quotes as its fields need. */
#include "pkg/base/log.h"
#include "pkg/base/text.h"

static bool take(void *ctx, const char *line, size_t n)
{
	size_t quotes = 0;

	base_assert(n > 1 && n <= LOG_LINE_MAX && line[n - 1] == '\n');
	for (size_t at = 0; at + 1 < n;) {
		uint32_t c = 0;
		const size_t len = base_utf8_next(line + at, n - 1 - at, &c);
		base_assert(len > 0 && c >= 0x20 && (c < 0x7f || c >= 0xa0) && c != 0x202e);
		if (c == '\\')
			at++; /* what is escaped is ASCII */
		else
			quotes += c == '"';
		at += len;
	}
	base_assert(quotes % 2 == 0);
	if (*(const bool *)ctx)
		base_assert(line[0] == '{' && line[n - 2] == '}');
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct env_fake fake = {.wall_ns = 0};
	struct err e = {.class = ERR_INVALID, .file = "x.c", .line = 1};

	(void)base_str_copy(base_str_n(data, size), e.msg, sizeof(e.msg), "input", NULL);
	for (int i = 0; i < 2; i++) {
		_cleanup_(base_log_free) struct log *log = NULL;
		bool json = i == 1;
		const struct log_config config = {.program = "fuzz",
			.format = json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
			.clock = base_env_fake(&fake).clock,
			.sink = {.ctx = &json, .write = take}};
		base_assert(base_log_new(&config, &log, NULL) == 0);
		log_write(log, LOG_INFO, "message", LOG_STR("a", base_str_n(data, size)),
			LOG_ERR("error", &e), LOG_STR("b", base_str_n(data, size / 2)));
	}
	return 0;
}
