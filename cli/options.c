#include "cli/options.h"

/* Words that replace short options. Not const: argv's type is not. */
static const struct {
	char letter;
	const char *word;
	bool value;
} shorts[] = {
	{'n', "--namespace", true},
	{'o', "--output", true},
	{'A', "--all-namespaces", false},
	{'h', "--help", false},
};

/* A static word as argv has it. */
static char *unconst(const char *word)
{
	const union {
		const char *from;
		char *to;
	} u = {.from = word};

	return u.to;
}

static bool takes_word(const struct options *o, const char *word)
{
	if (strchr(word, '='))
		return false;
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->defs[i].name, word + 2) == 0)
			return o->defs[i].type != OPTION_TYPE_BOOL;
	return false;
}

struct arranging {
	char **to;
	int n;
	char *names[CLI_NAMES_MAX];
	size_t names_len;
};

static int put(struct arranging *a, char *word, struct err *err)
{
	if (a->n == CLI_WORDS_MAX)
		return FAIL(err, ERR_TOO_LARGE, "more than %d words", CLI_WORDS_MAX);
	a->to[a->n++] = word;
	return 0;
}

static int put_name(struct arranging *a, char *word, struct err *err)
{
	if (a->names_len == CLI_NAMES_MAX)
		return FAIL(err, ERR_TOO_LARGE, "more than %d names", CLI_NAMES_MAX);
	a->names[a->names_len++] = word;
	return 0;
}

/* -n x, -nx, -n=x, -A. *at moves over a value. */
static int put_short(struct arranging *a, char *const *argv, int *at, struct err *err)
{
	char *word = argv[*at];

	for (size_t i = 0; i < ARRAY_LEN(shorts); i++) {
		if (word[1] != shorts[i].letter || (word[2] && !shorts[i].value))
			continue;
		TRY(put(a, unconst(shorts[i].word), err));
		if (!shorts[i].value)
			return 0;
		if (word[2])
			return put(a, word + 2 + (word[2] == '='), err);
		return argv[*at + 1] ? put(a, argv[++*at], err) : 0;
	}
	return FAIL(err, ERR_INVALID, "'%.60s' is no option; --help lists them", word);
}

static int take(
	const struct options *o, struct arranging *a, char *const *argv, int *at, struct err *err)
{
	char *word = argv[*at];

	if (word[0] != '-' || !word[1])
		return put_name(a, word, err);
	if (word[1] != '-')
		return put_short(a, argv, at, err);
	TRY(put(a, word, err));
	return takes_word(o, word) && argv[*at + 1] ? put(a, argv[++*at], err) : 0;
}

int cli_options_arrange(const struct options *o, int argc, char *const *argv,
	char *ret_argv[static CLI_WORDS_MAX + 1], int *ret_argc, struct err *err)
{
	struct arranging a = {.to = ret_argv};
	int i = 1;

	TRY(put(&a, argv[0], err));
	for (; i < argc && strcmp(argv[i], "--") != 0; i++)
		TRY(take(o, &a, argv, &i, err));
	for (i++; i < argc; i++)
		TRY(put_name(&a, argv[i], err));
	TRY(put(&a, unconst("--"), err));
	for (size_t k = 0; k < a.names_len; k++)
		TRY(put(&a, a.names[k], err));
	ret_argv[a.n] = NULL;
	*ret_argc = a.n;
	return 0;
}
