#include "pkg/base/options_impl.h"

#include <unistd.h>

static int add_bounds(const struct option_def *d, struct buf *out, struct err *err)
{
	char low[BASE_UNITS_LEN];
	char high[BASE_UNITS_LEN];

	if (d->type == OPTION_TYPE_STR)
		return base_buf_addf(out, err, "at most %zu bytes", d->size - 1);
	if (d->type == OPTION_TYPE_BOOL)
		return base_buf_add_str(out, STR("true or false"), err);
	if (d->type == OPTION_TYPE_ENUM) {
		for (size_t i = 0; d->values[i]; i++)
			TRY(base_buf_addf(out, err, "%s%s", i ? ", " : "", d->values[i]));
		return 0;
	}
	base_option_format(d, d->min, low);
	base_option_format(d, d->max, high);
	return base_buf_addf(out, err, "%s to %s", low, high);
}

static int add_option(const struct option_def *d, struct buf *out, struct err *err)
{
	static const char *const kinds[] = {[OPTION_TYPE_STR] = "=TEXT",
		[OPTION_TYPE_BOOL] = "",
		[OPTION_TYPE_INT] = "=NUMBER",
		[OPTION_TYPE_DURATION] = "=DURATION",
		[OPTION_TYPE_SIZE] = "=SIZE",
		[OPTION_TYPE_ENUM] = "=WORD"};

	TRY(base_buf_addf(
		out, err, "  --%s%s\n        %s\n        (", d->name, kinds[d->type], d->help));
	TRY(add_bounds(d, out, err));
	if (!d->fallback)
		TRY(base_buf_add_str(out, STR("; needed"), err));
	else if (*d->fallback)
		TRY(base_buf_addf(out, err, "; default %s", d->fallback));
	if (d->env)
		TRY(base_buf_addf(out, err, "; environment %s", d->env));
	return base_buf_add_str(out, STR(")\n"), err);
}

int base_options_help(const struct options *o, struct buf *out, struct err *err)
{
	TRY(base_buf_addf(out, err, "Usage: %s [options]%s%s\n%s\n\nOptions:\n", o->program,
		o->arguments ? " " : "", o->arguments ? o->arguments : "", o->summary));
	for (size_t i = 0; i < o->n; i++)
		TRY(add_option(&o->defs[i], out, err));
	return base_buf_add_str(out,
		STR("  --check\n        Validates all options and ends: 0 if they are good, else "
		    "1.\n"
		    "  --version\n  --help\n"),
		err);
}

static void print_help(const struct options *o)
{
	_cleanup_(base_buf_done) struct buf out = base_buf(65536);

	if (base_options_help(o, &out, NULL) == 0)
		(void)fwrite(out.data, 1, out.len, stdout);
}

bool base_options_start(const struct options *o, int argc, char *const *argv, void *config,
	int *ret_first, int *ret_code)
{
	struct options_result result = {.action = OPTIONS_RUN};
	struct err err = {0};

	if (base_options_parse(o, argc, argv, environ, config, &result, &err) < 0) {
		bool check = false;
		for (int i = 1; i < argc; i++)
			check |= strcmp(argv[i], "--check") == 0;
		(void)fprintf(stderr, "%s: %s\n", o->program, err.msg);
		*ret_code = check ? 1 : 2;
		return false;
	}
	if (result.action == OPTIONS_HELP)
		print_help(o);
	else if (result.action == OPTIONS_VERSION)
		(void)printf("%s %s\n", o->program, o->version);
	else if (result.action == OPTIONS_CHECK)
		(void)printf("%s: the configuration is good\n", o->program);
	*ret_first = result.first;
	*ret_code = 0;
	return result.action == OPTIONS_RUN;
}
