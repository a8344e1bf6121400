/* kubectl functionkey renew, retire and revoke: what a person asks of a revision's key, as fields
 * of its Leader record's spec. The replicas carry it out. Layer: cli.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "cli/records.h"

/* Run the commands. */
int cli_renew(const struct cli_options *o, struct err *err) must_check;
int cli_retire(const struct cli_options *o, struct err *err) must_check;
int cli_revoke(const struct cli_options *o, struct err *err) must_check;

/* Appends the merge patch that asks for a new key: of this very record, above its active epoch.
 * NOT_READY: it has none. */
int cli_ask_renew(const struct crds_functionkey *leader, struct buf *b, struct err *err) must_check;

/* Appends the merge patch that asks for the end of the epochs up to this one. INVALID: none
 * is named; NOT_FOUND: it never was; NOT_READY: it, or one before it, is in use. */
int cli_ask_retire(const struct crds_functionkey *leader, int64_t epoch, struct buf *b,
	struct err *err) must_check;

/* Appends the epochs up to this one that are listed, "1, 2"; nothing where none is. */
int cli_ask_listed(const struct crds_functionkey *leader, int64_t through, struct buf *b,
	struct err *err) must_check;

/* Appends the merge patch that also puts a pod on the list of revoked ones; it holds only for the
 * version of the record that was read. EXISTS: it is on it; TOO_LARGE: the list is full. */
int cli_ask_revoke(const struct crds_functionkey *leader, struct str pod_uid, struct buf *b,
	struct err *err) must_check;

/* The Member record of a pod, by the pod's name or the record's own. NOT_FOUND; INVALID: several
 * pods have had that name. */
int cli_ask_member(const struct cli_records *r, struct str name,
	const struct crds_functionkey **ret_member, struct err *err) must_check;

#endif
