#include "pkg/base/options_impl.h"

#define SHOWN 60 /* bytes of a value that an error repeats */

static struct str env_value(char *const *envp, const char *name)
{
	const size_t n = strlen(name);

	for (; envp && *envp; envp++)
		if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
			return base_str(*envp + n + 1);
	return STR_NULL;
}

/* Defaults and the environment. Bit i of *ret_open: option i is needed and has no value yet. */
static int set_defaults(
	const struct options *o, char *const *envp, void *config, bool *open, struct err *err)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct option_def *d = &o->defs[i];
		const struct str v = d->env ? env_value(envp, d->env) : STR_NULL;
		open[i] = !d->fallback && v.n == 0;
		if (v.n) {
			const int r = base_option_set(d, v, config, err);
			if (r < 0) {
				base_err_wrap(
					err, "%s=%.*s", d->env, STR_FMT(base_str_sub(v, 0, SHOWN)));
				return r;
			}
		} else if (d->fallback) {
			const int r = base_option_set(d, base_str(d->fallback), config, err);
			if (r < 0)
				return FAIL(err, ERR_BUG, "the default of --%s", d->name);
		}
	}
	return 0;
}

/* How many letters differ, by the least number of insertions, removals and replacements; 99 where
 * that is of no interest. */
static size_t distance(struct str a, const char *name)
{
	const struct str b = base_str(name);
	size_t row[64];

	if (a.n >= ARRAY_LEN(row) || b.n >= ARRAY_LEN(row))
		return 99;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			const size_t replaced = diagonal + (a.p[i - 1] != b.p[j - 1]);
			const size_t other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
			diagonal = row[j];
			row[j] = replaced < other ? replaced : other;
		}
	}
	return row[b.n];
}

static int unknown(const struct options *o, struct str name, struct err *err)
{
	const char *nearest = NULL;
	size_t best = 4;

	for (size_t i = 0; i < o->n; i++) {
		const size_t d = distance(name, o->defs[i].name);
		if (d < best) {
			best = d;
			nearest = o->defs[i].name;
		}
	}
	return FAIL(err, ERR_INVALID, "there is no option --%.*s%s%s%s; --help lists all",
		STR_FMT(base_str_sub(name, 0, SHOWN)), nearest ? ", did you mean --" : "",
		nearest ? nearest : "", nearest ? "?" : "");
}

static size_t index_of(const struct options *o, struct str name)
{
	size_t i = 0;

	while (i < o->n && !base_str_eq(name, base_str(o->defs[i].name)))
		i++;
	return i;
}

/* The option at argv[*at], which moves to the last word that belongs to it. */
static int take_option(const struct options *o, char *const *argv, int *at, void *config,
	bool *open, struct err *err)
{
	const struct str word = base_str(argv[*at] + 2);
	const size_t equals = base_str_find(word, '=', 0);
	const struct str name = base_str_sub(word, 0, equals);
	const size_t i = index_of(o, name);
	struct str value = base_str_sub(word, equals + 1, word.n);

	if (i == o->n)
		return unknown(o, name, err);
	const struct option_def *d = &o->defs[i];
	if (equals == word.n && d->type == OPTION_TYPE_BOOL) {
		value = STR("true");
	} else if (equals == word.n) {
		if (!argv[*at + 1])
			return FAIL(
				err, ERR_INVALID, "--%s needs a value: --%s=...", d->name, d->name);
		value = base_str(argv[++*at]);
	}
	const int r = base_option_set(d, value, config, err);
	if (r < 0)
		base_err_wrap(err, "--%s=%.*s", d->name, STR_FMT(base_str_sub(value, 0, SHOWN)));
	open[i] = false;
	return r;
}

static int take_words(const struct options *o, int argc, char *const *argv, void *config,
	bool *open, struct options_result *result, struct err *err)
{
	int i = 1;

	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		if (argv[i][2] == 0) {
			i++;
			break;
		}
		if (strcmp(argv[i], "--check") == 0)
			result->action = OPTIONS_CHECK;
		else
			TRY(take_option(o, argv, &i, config, open, err));
	}
	if (i < argc && argv[i][0] == '-' && argv[i][1] && strcmp(argv[i - 1], "--") != 0)
		return FAIL(err, ERR_INVALID,
			"'%.*s' is no option; long ones only, --help lists them",
			STR_FMT(base_str_sub(base_str(argv[i]), 0, SHOWN)));
	if (i < argc && !o->arguments)
		return FAIL(err, ERR_INVALID, "'%.*s' is one word too many; --help shows the usage",
			STR_FMT(base_str_sub(base_str(argv[i]), 0, SHOWN)));
	result->first = i;
	return 0;
}

static enum options_action asks_for_text(int argc, char *const *argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return OPTIONS_HELP;
		if (strcmp(argv[i], "--version") == 0)
			return OPTIONS_VERSION;
	}
	return OPTIONS_RUN;
}

#define OPTIONS_MAX 64

int base_options_parse(const struct options *o, int argc, char *const *argv, char *const *envp,
	void *config, struct options_result *ret_result, struct err *err)
{
	struct options_result result = {.action = asks_for_text(argc, argv)};
	bool open[OPTIONS_MAX] = {false};

	base_assert(o->n <= OPTIONS_MAX);
	if (result.action == OPTIONS_RUN) {
		TRY(set_defaults(o, envp, config, open, err));
		TRY(take_words(o, argc, argv, config, open, &result, err));
		for (size_t i = 0; i < o->n; i++)
			if (open[i])
				return FAIL(err, ERR_INVALID, "--%s is needed%s%s", o->defs[i].name,
					o->defs[i].env ? ": give it, or set " : "",
					o->defs[i].env ? o->defs[i].env : "");
		if (o->check)
			TRY(o->check(config, err));
	}
	*ret_result = result;
	return 0;
}
