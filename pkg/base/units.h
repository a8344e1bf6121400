/* Durations and sizes as people write them. Layer: base (libc only).
 *
 * Everything is strict: what is not wholly of the named form is INVALID.
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include "pkg/base/str.h"

#define BASE_UNITS_LEN 48 /* either form and a NUL */

/* "30s", "1m30s", "250ms", "0s": whole numbers, each with one of h m s ms us ns, largest first;
 * at most 292 years. In nanoseconds. INVALID. */
int base_parse_duration(struct str s, int64_t *ret_ns, struct err *err) must_check;

/* "65536", "64Ki", "1Mi", "2Gi", "1Ti" (powers of 1024), as Kubernetes writes them. In bytes.
 * INVALID.
 */
int base_parse_size(struct str s, uint64_t *ret_n, struct err *err) must_check;

/* The shortest such form; ns >= 0. */
void base_format_duration(int64_t ns, char dst[static BASE_UNITS_LEN]);
void base_format_size(uint64_t n, char dst[static BASE_UNITS_LEN]);

#endif
