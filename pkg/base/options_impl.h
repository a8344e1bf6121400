/* What the parts of the option parser share: options.c reads words, options_value.c values,
 * options_help.c writes and is the part for main. Layer: base, for these three alone.
 */
#ifndef BASE_OPTIONS_IMPL_H
#define BASE_OPTIONS_IMPL_H

#include "pkg/base/options.h"
#include "pkg/base/units.h"

/* Puts a value into its place in config. INVALID, saying what to write instead. */
int base_option_set(const struct option_def *d, struct str v, void *config, struct err *err)
	must_check;

/* A number in the notation of its option. */
void base_option_format(const struct option_def *d, int64_t v, char dst[static BASE_UNITS_LEN]);

#endif
