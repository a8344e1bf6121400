/* What a command shows: text, tables, and documents as JSON or YAML. Layer: cli.
 *
 * Everything is gathered and written at once. Bytes of the cluster that could move a terminal's
 * cursor (control characters) come out as '?'.
 */
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include "cli/options.h"
#include "pkg/base/arena.h"
#include "pkg/base/text.h"

#define CLI_PAGE_MAX    (64u << 20)
#define CLI_COLUMNS_MAX 10

/* Appends text of the cluster, made harmless. */
int cli_page_text(struct buf *page, struct str s, struct err *err) must_check;

/* Appends JSON, or a text in JSON's quotes, with such characters as \uXXXX: they stand inside of
 * strings alone. */
int cli_page_escaped(struct buf *page, struct str json, struct err *err) must_check;

/* A table: cells are copied, rows end after `columns` cells; widths are found at the end. */
struct cli_table {
	struct arena *arena; /* borrowed */
	size_t columns, filled, rows;
	size_t width[CLI_COLUMNS_MAX];
	struct cli_cell *first, *last;
};
int cli_table_cell(struct cli_table *t, struct str s, struct err *err) must_check;
int cli_table_number(struct cli_table *t, int64_t n, struct err *err) must_check;
/* Appends it, each line after indent. */
int cli_table_end(const struct cli_table *t, const char *indent, struct buf *page, struct err *err)
	must_check;

/* "5s", "12m", "3h", "40d": how long ago; "-" where then_ns is 0. */
#define CLI_AGE_LEN 32
void cli_age(int64_t now_ns, int64_t then_ns, char dst[static CLI_AGE_LEN]);

/* Appends a JSON document, checked, as it is to be shown: JSON with a new line, or YAML. INVALID.
 */
int cli_page_document(struct buf *page, struct str json, enum cli_format format, struct err *err)
	must_check;

/* Writes the page to standard output. TERMINAL: it does not take it. */
int cli_page_write(const struct buf *page, struct err *err) must_check;

#endif
