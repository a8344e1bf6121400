/* kubectl functionkey decrypt: has a replica's agent open a message, and writes the plaintext to
 * standard output. Layer: cli (envelope: the head of a message, which is public).
 *
 * Messages of any length, in constant memory. Of a small one nothing is written before all of it is
 * verified; a stream is written as its segments are, and a failure within it is told by the exit
 * code.
 */
#ifndef CLI_DECRYPT_H
#define CLI_DECRYPT_H

#include "cli/options.h"

/* Runs the command. */
int cli_decrypt(const struct cli_options *o, struct err *err) must_check;

#endif
