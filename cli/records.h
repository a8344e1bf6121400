/* FunctionKeys as commands look at them: Leader records with the Member records of their revision.
 * Layer: cli.
 */
#ifndef CLI_RECORDS_H
#define CLI_RECORDS_H

#include "cli/session.h"
#include "crds/functionkey.h"

#define CLI_RECORDS_MAX 200000

/* Sorted by namespace, revision, role (the Leader first), name. */
struct cli_records {
	struct crds_functionkey **v;
	size_t n, room;
	size_t unread; /* records that do not decode: left out */
};

/* Those of a namespace (empty: of all) that the label selector takes. */
int cli_records_load(struct cli_session *s, struct str ns, struct str labels,
	struct cli_records *ret_records, struct err *err) must_check;
void cli_records_done(struct cli_records *r);
CLEANUP_DONE(struct cli_records, cli_records_done);

/* One revision: its Leader record (NULL: there is none) and its members. */
struct cli_revision {
	const struct crds_functionkey *leader;
	struct crds_functionkey *const *members;
	size_t members_len;
	struct str ns, revision;
};

/* The revision that begins at *at, which moves on; false at the end. */
bool cli_records_next(const struct cli_records *r, size_t *at, struct cli_revision *ret);

/* Is it asked for by this name: the revision's, its function's? An empty name asks for all. */
bool cli_revision_named(const struct cli_revision *v, struct str name);

/* Condition Ready of a record; NULL: there is none. */
const struct crds_condition *cli_ready(const struct crds_functionkey *fk);

#endif
