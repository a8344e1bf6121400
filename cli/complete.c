#include "cli/complete.h"

#include "cli/page.h"

#define PAGE_MAX (1u << 20)

const struct cli_command *cli_command_find(const struct cli_commands *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->v[i].name, name) == 0)
			return &c->v[i];
	return NULL;
}

static int line(struct buf *page, struct str s, struct str prefix, struct err *err)
{
	if (!s.n || !base_str_starts(s, prefix))
		return 0;
	TRY(cli_page_text(page, s, err));
	return base_buf_add_byte(page, '\n', err);
}

int cli_complete_commands(
	const struct cli_commands *c, struct str prefix, struct buf *page, struct err *err)
{
	for (size_t i = 0; i < c->n; i++)
		TRY(line(page, base_str(c->v[i].name), prefix, err));
	return 0;
}

int cli_complete_options(
	const struct cli_command *command, struct str prefix, struct buf *page, struct err *err)
{
	for (size_t i = 0; i < command->options.n; i++) {
		char name[64];
		(void)snprintf(name, sizeof(name), "--%s%s", command->options.defs[i].name,
			command->options.defs[i].type == OPTION_TYPE_BOOL ? "" : "=");
		TRY(line(page, base_str(name), prefix, err));
	}
	return 0;
}

int cli_complete_records(const struct cli_records *r, enum cli_completes what, struct str prefix,
	struct buf *page, struct err *err)
{
	struct str function = STR_NULL;

	for (size_t i = 0; i < r->n; i++) {
		const struct crds_functionkey *fk = r->v[i];
		if (what == CLI_COMPLETES_PODS && fk->role == CRDS_MEMBER)
			TRY(line(page, fk->pod, prefix, err));
		if (what != CLI_COMPLETES_REVISIONS || fk->role != CRDS_LEADER)
			continue;
		TRY(line(page, fk->revision, prefix, err));
		/* Revisions of one function mostly stand side by side. */
		if (!base_str_eq(fk->function, function))
			TRY(line(page, fk->function, prefix, err));
		function = fk->function;
	}
	return 0;
}

/* The options among the words before the unfinished one say which cluster and namespace. */
static int names(const struct cli_command *command, int argc, char *const *argv, struct str prefix,
	struct buf *page, struct err *err)
{
	_cleanup_(cli_session_close) struct cli_session s = {0};
	_cleanup_(cli_records_done) struct cli_records r = {0};
	struct options_result parsed = {0};
	struct cli_options o = {0};
	char *words[CLI_WORDS_MAX + 1] = {0};
	int n = 0;

	TRY(cli_options_arrange(&command->options, argc, argv, words, &n, err));
	TRY(base_options_parse(&command->options, n, words, environ, &o, &parsed, err));
	o.timeout_ns = CLI_COMPLETE_NS;
	TRY(cli_session_open(&o, KUBE_EXEC_NO_STDIN, &s, err));
	TRY(cli_records_load(&s, s.config->ns, STR_NULL, &r, err));
	return cli_complete_records(&r, command->completes, prefix, page, err);
}

int cli_complete(const struct cli_commands *c, int argc, char *const *argv, struct err *err)
{
	_cleanup_(base_buf_done) struct buf page = base_buf(PAGE_MAX);
	const struct str last = argc > 1 ? base_str(argv[argc - 1]) : STR_NULL;
	const struct cli_command *command = argc > 2 ? cli_command_find(c, argv[1]) : NULL;
	bool files = false;

	if (argc <= 2)
		TRY(cli_complete_commands(c, last, &page, err));
	else if (command && base_str_starts(last, STR("-")))
		TRY(cli_complete_options(command, last, &page, err));
	else if (command && command->completes == CLI_COMPLETES_FILES)
		files = true;
	else if (command && command->completes != CLI_COMPLETES_NOTHING &&
		 names(command, argc - 2, argv + 1, last, &page, err) < 0)
		base_buf_clear(&page); /* a shell is no place for errors */
	TRY(base_buf_add_str(&page, files ? STR(":0\n") : STR(":4\n"), err));
	return cli_page_write(&page, err);
}
