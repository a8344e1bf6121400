/* kubectl functionkey status: the revisions, their keys and replicas. Layer: cli.
 *
 * What it shows is what the records say; nothing is verified here.
 */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include "cli/page.h"
#include "cli/records.h"

/* Runs the command. */
int cli_status(const struct cli_options *o, struct err *err) must_check;

/* What to show of records: name empty: all, a line each; else whole. */
struct cli_status_view {
	struct str name;
	bool everywhere; /* records of all namespaces: say which */
	int64_t now_wall_ns;
};

/* Appends the text. *ret_shown: revisions; *ret_unready: those of them that are not Ready. */
int cli_status_text(const struct cli_status_view *v, const struct cli_records *r, struct buf *page,
	size_t *ret_shown, size_t *ret_unready, struct err *err) must_check;

/* Appends one JSON object for the revisions that are asked for. */
int cli_status_json(const struct cli_status_view *v, const struct cli_records *r, struct buf *b,
	struct err *err) must_check;

#endif
