/* kubectl functionkey encrypt: seals standard input or a file to a function, with public keys
 * alone. Layer: cli (libfunctionkey).
 *
 * What it can check: the signatures of each record, and with --expect that the key is the one that
 * the person knows. It remembers nothing from one run to the next, so it cannot see that a key does
 * not continue an earlier one, as agents do.
 */
#ifndef CLI_ENCRYPT_H
#define CLI_ENCRYPT_H

#include "cli/session.h"
#include "crds/functionkey.h"

/* Runs the command. */
int cli_encrypt(const struct cli_options *o, struct err *err) must_check;

/* "[NAMESPACE/]FUNCTION"; home where there is no namespace. INVALID. The parts have room for 64
 * bytes each. */
int cli_encrypt_to(struct str to, struct str home, char *ret_ns, char *ret_function,
	struct err *err) must_check;

/* TAMPERED unless the record's active key (if it has one) has this fingerprint, in hex; empty: any
 * will do. */
int cli_encrypt_expected(
	const struct crds_functionkey *record, struct str fingerprint, struct err *err) must_check;

#endif
