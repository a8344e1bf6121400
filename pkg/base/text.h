/* Text forms of bytes, numbers and times. Layer: base.
 *
 * Everything is strict: what is not wholly of the named form is INVALID. Not for secrets.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "pkg/base/buf.h"

/* Lower-case hex; dst gets 2n characters and a NUL. */
void base_hex(const uint8_t *p, size_t n, char *dst);

/* Exactly n bytes from 2n lower-case hex digits. INVALID. */
int base_unhex(struct str s, uint8_t *ret_p, size_t n, struct err *err) must_check;

/* Standard base64 (RFC 4648 section 4, with padding). */
int base_base64_add(struct buf *b, const uint8_t *p, size_t n, struct err *err) must_check;

/* Appends what s decodes to; refuses white space, wrong padding and non-zero spare bits. */
int base_unbase64_add(struct buf *b, struct str s, struct err *err) must_check;

/* Decimal digits only, no sign, no leading zero but "0" itself; at most max. */
int base_parse_u64(struct str s, uint64_t max, uint64_t *ret_n, struct err *err) must_check;

/* The code point at p (n > 0 bytes are there) by RFC 3629: no surrogates, no overlong forms, at
 * most U+10FFFF. Returns its length in bytes; 0 if there is none, ret_c is then untouched. */
size_t base_utf8_next(const char *p, size_t n, uint32_t *ret_c);

/* s as a JSON string with its quotes. What is not UTF-8 becomes U+FFFD. */
int base_json_str_add(struct buf *b, struct str s, struct err *err) must_check;

#define BASE_TIME_LEN 28 /* "2006-01-02T15:04:05.000000Z" and a NUL */

/* metav1.Time: RFC 3339, UTC, whole seconds; and metav1.MicroTime: exactly six digits. */
void base_time_format(int64_t wall_ns, char dst[static BASE_TIME_LEN]);
void base_time_format_micro(int64_t wall_ns, char dst[static BASE_TIME_LEN]);

/* RFC 3339 in UTC ("Z") with or without a fraction; years 1970 to 2261. INVALID. */
int base_time_parse(struct str s, int64_t *ret_wall_ns, struct err *err) must_check;

#endif
