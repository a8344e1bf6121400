/* What commands read and write beside the API server: a file or standard input, standard output.
 * Layer: cli. Blocking. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "cli/options.h"
#include "pkg/base/buf.h"

/* The file that the command names first, or standard input ("-", or none). INVALID. The caller
 * closes what is not STDIN_FILENO. */
int cli_input_open(const struct cli_options *o, int *ret_fd, struct err *err) must_check;

/* Appends what comes, at most n bytes; *ret_more is false at the end. */
int cli_input_read(int in, struct buf *b, size_t n, bool *ret_more, struct err *err) must_check;

/* All of it to standard output. TERMINAL: it does not take it. */
int cli_output_write(struct str s, struct err *err) must_check;

#endif
