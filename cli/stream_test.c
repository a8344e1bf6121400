#include "cli/stream.h"
#include "pkg/base/test.h"

#define FAILED(reason, causes)                                              \
	"{\"metadata\":{},\"status\":\"Failure\",\"message\":\"it did not " \
	"go\",\"reason\":\"" reason "\",\"details\":{\"causes\":[" causes "]}}"
#define CAUSE(code) "{\"reason\":\"ExitCode\",\"message\":\"" code "\"}"
#define GOOD        "{\"metadata\":{},\"status\":\"Success\"}"

struct taken {
	char text[512];
	size_t n;
};

/* "1:hello 2:oh " */
static int take(void *ctx, enum cli_stream_channel channel, struct str bytes, struct err *err)
{
	struct taken *t = ctx;

	if (base_str_eq(bytes, STR("full")))
		return FAIL(err, ERR_CANCELLED, "full");
	t->n += (size_t)snprintf(
		t->text + t->n, sizeof(t->text) - t->n, "%d:%.*s ", (int)channel, STR_FMT(bytes));
	return 0;
}

/* Pieces, as "FIRST|LAST" flags before the bytes. */
#define WHOLE(s)                                             \
	{                                                    \
		.first = true, .last = true, .bytes = STR(s) \
	}
#define BEGIN(s)                               \
	{                                      \
		.first = true, .bytes = STR(s) \
	}
#define MIDDLE(s)               \
	{                       \
		.bytes = STR(s) \
	}
#define ENDING(s)                             \
	{                                     \
		.last = true, .bytes = STR(s) \
	}

static const struct {
	const char *name;
	struct {
		bool first, last;
		struct str bytes;
	} pieces[6];
	enum err_class refused; /* while reading */
	const char *taken;
	enum err_class ended; /* at the end */
	int code;
	const char *says;
} rows[] = {
	{"good", {WHOLE("\1"), WHOLE("\1hello"), WHOLE("\2oh"), WHOLE("\3" GOOD)}, 0,
		"1:hello 2:oh ", 0, 0, NULL},
	{"in pieces",
		{BEGIN("\1he"), MIDDLE("l"), ENDING("lo"), BEGIN("\3{\"status\":"),
			ENDING("\"Success\"}")},
		0, "1:he 1:l 1:lo ", 0, 0, NULL},
	{"a channel that comes late", {BEGIN(""), MIDDLE("\1"), ENDING("x"), WHOLE("\3" GOOD)}, 0,
		"1:x ", 0, 0, NULL},
	{"the status in two messages", {WHOLE("\3{\"status\":"), WHOLE("\3\"Success\"}")}, 0, "", 0,
		0, NULL},
	{"an exit code", {WHOLE("\3" FAILED("NonZeroExitCode", CAUSE("4")))}, 0, "", 0, 4, NULL},
	{"among other causes",
		{WHOLE("\3" FAILED(
			"NonZeroExitCode", "{\"reason\":\"X\",\"message\":\"9\"}," CAUSE("137")))},
		0, "", 0, 137, NULL},
	{"an end of a channel", {WHOLE("\377\1"), WHOLE("\3" GOOD)}, 0, "", 0, 0, NULL},
	{"not run", {WHOLE("\3" FAILED("InternalError", ""))}, 0, "", ERR_TERMINAL, 0,
		"it did not go"},
	{"an exit code that is none", {WHOLE("\3" FAILED("NonZeroExitCode", CAUSE("x")))}, 0, "",
		ERR_TERMINAL, 0, "it did not go"},
	{"a failure with exit code 0", {WHOLE("\3" FAILED("NonZeroExitCode", CAUSE("0")))}, 0, "",
		ERR_TERMINAL, 0, "it did not go"},
	{"an exit code past all", {WHOLE("\3" FAILED("NonZeroExitCode", CAUSE("256")))}, 0, "",
		ERR_TERMINAL, 0, NULL},
	{"an exit code without its reason", {WHOLE("\3" FAILED("", CAUSE("4")))}, 0, "",
		ERR_TERMINAL, 0, NULL},
	{"cut", {WHOLE("\1hello")}, 0, "1:hello ", ERR_TRANSIENT, 0, "not complete"},
	{"cut at once", {{0}}, 0, "", ERR_TRANSIENT, 0, NULL},
	{"cut within the status", {BEGIN("\3" GOOD)}, 0, "", ERR_TRANSIENT, 0, NULL},
	{"half a status", {WHOLE("\3{\"status\":\"Succ")}, 0, "", ERR_INVALID, 0, "cannot be read"},
	{"neither success nor failure", {WHOLE("\3{\"status\":\"Maybe\"}")}, 0, "", ERR_INVALID, 0,
		NULL},
	{"no status", {WHOLE("\3{}")}, 0, "", ERR_INVALID, 0, NULL},
	{"standard input from the server", {WHOLE("\0x")}, ERR_INVALID, "", 0, 0, NULL},
	{"the channel of sizes", {WHOLE("\4x")}, ERR_INVALID, "", 0, 0, NULL},
	{"an unknown channel", {WHOLE("\1x"), WHOLE("\7x")}, ERR_INVALID, "1:x ", 0, 0, NULL},
	{"a piece without its beginning", {MIDDLE("\1x")}, ERR_INVALID, "", 0, 0, NULL},
	{"a beginning within a message", {BEGIN("\1x"), WHOLE("\1y")}, ERR_INVALID, "1:x ", 0, 0,
		NULL},
	{"who takes refuses", {WHOLE("\1full")}, ERR_CANCELLED, "", 0, 0, NULL},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct taken t = {0};
		_cleanup_(cli_stream_done) struct cli_stream s = cli_stream(take, &t);
		struct err why = {0};
		int r = 0, code = -1;
		for (size_t k = 0; r == 0 && k < ARRAY_LEN(rows[i].pieces); k++)
			if (rows[i].pieces[k].first || rows[i].pieces[k].bytes.n)
				r = cli_stream_add(&s, rows[i].pieces[k].bytes,
					rows[i].pieces[k].first, rows[i].pieces[k].last, &why);
		if (r != -(int)rows[i].refused || strcmp(t.text, rows[i].taken) != 0)
			fail_msg("%s: %d, '%s', %s", rows[i].name, r, t.text, why.msg);
		if (r < 0)
			continue;
		r = cli_stream_end(&s, &code, &why);
		if (r != -(int)rows[i].ended || (r == 0 && code != rows[i].code) ||
			(rows[i].says && !strstr(why.msg, rows[i].says)))
			fail_msg("%s: end: %d, code %d, %s", rows[i].name, r, code, why.msg);
		assert_true(cli_stream_told(&s) || r < 0);
	}
}

static void test_status_past_its_bound(void **state)
{
	static const char piece[1024] = "\3";
	struct taken t = {0};
	_cleanup_(cli_stream_done) struct cli_stream s = cli_stream(take, &t);
	int r = 0;

	(void)state;
	for (size_t i = 0; r == 0 && i < 100; i++)
		r = cli_stream_add(&s, base_str_n(piece, sizeof(piece)), true, true, NULL);
	assert_int_equal(r, -ERR_TOO_LARGE);
	assert_true(s.status.len <= CLI_STREAM_STATUS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_status_past_its_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
