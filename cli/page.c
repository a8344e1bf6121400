#include "cli/page.h"

#include "cli/input.h"
#include "pkg/base/env.h"

#include <stdio.h>

struct cli_cell {
	struct cli_cell *next;
	struct str text;
	size_t shown; /* characters */
};

/* What neither moves a cursor nor turns the direction of writing. */
static bool is_harmless(uint32_t c)
{
	return c >= 0x20 && (c < 0x7f || c >= 0xa0) && (c < 0x200b || c > 0x200f) &&
	       (c < 0x2028 || c > 0x202e) && (c < 0x2066 || c > 0x2069);
}

int cli_page_text(struct buf *page, struct str s, struct err *err)
{
	for (size_t i = 0; i < s.n;) {
		uint32_t c = 0;
		const size_t n = base_utf8_next(s.p + i, s.n - i, &c);
		TRY(n > 0 && is_harmless(c) ? base_buf_add(page, s.p + i, n, err)
					    : base_buf_add_byte(page, '?', err));
		i += n ? n : 1;
	}
	return 0;
}

int cli_page_escaped(struct buf *page, struct str json, struct err *err)
{
	for (size_t i = 0; i < json.n;) {
		uint32_t c = 0;
		const size_t n = base_utf8_next(json.p + i, json.n - i, &c);
		const bool keep = n == 0 || c < 0x7f || is_harmless(c);
		TRY(keep ? base_buf_add(page, json.p + i, n ? n : 1, err)
			 : base_buf_addf(page, err, "\\u%04x", (unsigned)c));
		i += n ? n : 1;
	}
	return 0;
}

static size_t characters(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

int cli_table_cell(struct cli_table *t, struct str s, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CLI_PAGE_MAX);
	void *p = NULL;

	base_assert(t->columns > 0 && t->columns <= CLI_COLUMNS_MAX);
	TRY(cli_page_text(&b, s.n ? s : STR("-"), err));
	TRY(base_arena_alloc(t->arena, 1, sizeof(struct cli_cell), &p, err));
	struct cli_cell *cell = p;
	TRY(base_arena_str(t->arena, base_buf_str(&b), &cell->text, err));
	cell->shown = characters(cell->text);
	size_t *width = &t->width[t->filled % t->columns];
	*width = cell->shown > *width ? cell->shown : *width;
	t->filled++;
	if (t->last)
		t->last->next = cell;
	else
		t->first = cell;
	t->last = cell;
	return 0;
}

int cli_table_number(struct cli_table *t, int64_t n, struct err *err)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", (long long)n);
	return cli_table_cell(t, base_str(text), err);
}

int cli_table_end(const struct cli_table *t, const char *indent, struct buf *page, struct err *err)
{
	size_t at = 0;

	for (const struct cli_cell *c = t->first; c; c = c->next, at++) {
		const size_t column = at % t->columns;
		const bool last = column + 1 == t->columns;
		if (column == 0)
			TRY(base_buf_add_str(page, base_str(indent), err));
		TRY(base_buf_add_str(page, c->text, err));
		for (size_t i = c->shown; !last && i < t->width[column] + 2; i++)
			TRY(base_buf_add_byte(page, ' ', err));
		if (last)
			TRY(base_buf_add_byte(page, '\n', err));
	}
	return 0;
}

void cli_age(int64_t now_ns, int64_t then_ns, char dst[static CLI_AGE_LEN])
{
	static const struct {
		int64_t from_s, unit_s;
		const char *name;
	} units[] = {{172800, 86400, "d"}, {7200, 3600, "h"}, {120, 60, "m"}, {0, 1, "s"}};
	int64_t s = (now_ns - then_ns) / NS_PER_S;

	if (then_ns == 0) {
		(void)snprintf(dst, CLI_AGE_LEN, "-");
		return;
	}
	s = s < 0 ? 0 : s;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (s >= units[i].from_s) {
			(void)snprintf(dst, CLI_AGE_LEN, "%lld%s", (long long)(s / units[i].unit_s),
				units[i].name);
			return;
		}
}

int cli_page_write(const struct buf *page, struct err *err)
{
	return cli_output_write(base_buf_str(page), err);
}
