#include "cli/report.h"

#include "pkg/kube/patch.h"

#include <stdarg.h>

static const struct {
	const char *text, *word;
} verdicts[] = {
	[CLI_GOOD] = {"ok    ", "ok"},
	[CLI_DOUBT] = {"warn  ", "warn"},
	[CLI_WRONG] = {"FAIL  ", "fail"},
	[CLI_NOTE] = {"      ", "note"},
};

int cli_report_add(struct cli_report *r, enum cli_verdict verdict, const char *what,
	const char *fix, struct err *err, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	if (r->n == CLI_LINES_MAX)
		return FAIL(err, ERR_TOO_LARGE, "more than %d lines", CLI_LINES_MAX);
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	struct cli_line *l = &r->lines[r->n];
	l->verdict = verdict;
	TRY(base_arena_str(r->arena, base_str(what), &l->what, err));
	TRY(base_arena_str(r->arena, base_str(fix), &l->fix, err));
	TRY(base_arena_str(r->arena, base_str(text), &l->says, err));
	r->n++;
	return 0;
}

size_t cli_report_wrong(const struct cli_report *r)
{
	size_t wrong = 0;

	for (size_t i = 0; i < r->n; i++)
		wrong += r->lines[i].verdict == CLI_WRONG;
	return wrong;
}

const struct cli_line *cli_report_first_wrong(const struct cli_report *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->lines[i].verdict == CLI_WRONG)
			return &r->lines[i];
	return NULL;
}

int cli_report_text(const struct cli_report *r, struct buf *page, struct err *err)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct cli_line *l = &r->lines[i];
		TRY(base_buf_add_str(page, base_str(verdicts[l->verdict].text), err));
		TRY(cli_page_text(page, l->what, err));
		TRY(base_buf_add_str(page, STR(": "), err));
		TRY(cli_page_text(page, l->says, err));
		TRY(base_buf_add_byte(page, '\n', err));
		if (!l->fix.n)
			continue;
		TRY(base_buf_add_str(page, STR("      -> "), err));
		TRY(cli_page_text(page, l->fix, err));
		TRY(base_buf_add_byte(page, '\n', err));
	}
	return 0;
}

static int write_text(struct kube_writer *w, const char *key, struct str s, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CLI_PAGE_MAX);

	TRY(base_json_str_add(&b, s, err));
	TRY(kube_write_key(w, base_str(key), err));
	return kube_write_json(w, base_buf_str(&b), err);
}

int cli_report_json(const struct cli_report *r, struct buf *b, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	TRY(kube_write_object(&w, err));
	TRY(kube_write_key_bool(&w, "ok", cli_report_wrong(r) == 0, err));
	TRY(kube_write_key_list(&w, "lines", err));
	for (size_t i = 0; i < r->n; i++) {
		const struct cli_line *l = &r->lines[i];
		TRY(kube_write_object(&w, err));
		TRY(kube_write_key_text(&w, "verdict", base_str(verdicts[l->verdict].word), err));
		TRY(write_text(&w, "what", l->what, err));
		TRY(write_text(&w, "says", l->says, err));
		if (l->fix.n)
			TRY(write_text(&w, "fix", l->fix, err));
		TRY(kube_write_end(&w, err));
	}
	TRY(kube_write_end(&w, err));
	return kube_write_end(&w, err);
}

int cli_report_show(const struct cli_report *r, enum cli_format format, struct str heading,
	struct str closing, struct err *err)
{
	_cleanup_(base_buf_done) struct buf page = base_buf(CLI_PAGE_MAX);
	_cleanup_(base_buf_done) struct buf json = base_buf(CLI_PAGE_MAX);

	if (format != CLI_TEXT) {
		TRY(cli_report_json(r, &json, err));
		TRY(cli_page_document(&page, base_buf_str(&json), format, err));
		return cli_page_write(&page, err);
	}
	if (heading.n) {
		TRY(cli_page_text(&page, heading, err));
		TRY(base_buf_add_byte(&page, '\n', err));
	}
	TRY(cli_report_text(r, &page, err));
	if (closing.n) {
		TRY(base_buf_add_byte(&page, '\n', err));
		TRY(cli_page_text(&page, closing, err));
		TRY(base_buf_add_byte(&page, '\n', err));
	}
	return cli_page_write(&page, err);
}
