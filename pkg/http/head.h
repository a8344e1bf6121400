/* The header of a request as it came, and what is refused about it. Layer: http, pure.
 *
 * libmicrohttpd 0.9.75 takes bare LF, folded lines, NUL bytes, two Content-Lengths and more, and
 * its own list of headers no longer shows them. The bytes do: it parses in place, so that from the
 * method on header_size bytes lie as they were received, but for CR, LF and the first colon of each
 * line, which are NUL, and the target, which is decoded. What does not look exactly like that is
 * refused; should another version parse differently, everything is refused, and the tests say so.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "pkg/http/http.h"

/* name, status, metric label, text */
#define HTTP_REFUSALS(X)                                                                 \
	X(TARGET, 400, "target", "the target is not a plain path")                       \
	X(TARGET_LONG, 414, "target-long", "the target is too long")                     \
	X(VERSION, 505, "version", "only HTTP/1.1")                                      \
	X(LINES, 400, "lines", "a line of the header does not end in CRLF or holds NUL") \
	X(NAME, 400, "name", "a header line has no proper name")                         \
	X(VALUE, 400, "value", "a header value holds control characters")                \
	X(MANY, 431, "many", "too many or too long headers")                             \
	X(HOST, 400, "host", "there must be one Host, and one that is served here")      \
	X(LENGTH, 400, "length", "there must be at most one Content-Length, a number")   \
	X(FRAMING, 400, "framing", "Content-Length with Transfer-Encoding")              \
	X(ENCODING, 501, "encoding", "the only transfer encoding is chunked")            \
	X(EXPECT, 417, "expect", "the only expectation is 100-continue")                 \
	X(RATE, 429, "rate", "too many requests")                                        \
	X(DRAINING, 503, "draining", "going away")                                       \
	X(ROUTE, 404, "route", "nothing is there")                                       \
	X(METHOD, 405, "method", "not that method")                                      \
	X(BODY, 413, "body", "the body is larger than allowed")

enum http_refusal {
	HTTP_FINE,
#define HTTP_REFUSAL_ENUM(name, ...) HTTP_REFUSE_##name,
	HTTP_REFUSALS(HTTP_REFUSAL_ENUM)
#undef HTTP_REFUSAL_ENUM
		HTTP_REFUSAL_COUNT
};

struct http_refusal_row {
	unsigned status;
	const char *label;
	const char *text;
};

/* Of a refusal that is not HTTP_FINE. */
const struct http_refusal_row *http_refusal_row(enum http_refusal refusal);

/* The labels, NULL-terminated, for metrics. */
extern const char *const http_refusal_labels[];

struct http_head {
	size_t n;
	struct {
		struct str name, value;
	} h[HTTP_HEADERS];
	bool has_length;
	uint64_t length;
	bool chunked;
};

/* Reads the lines of n bytes at p, from the byte behind the version on to the end of the header, as
 * libmicrohttpd left them. Slices point into p. */
enum http_refusal http_head_read(const char *p, size_t n, struct http_head *ret_head);

/* Checks Host, framing and expectations, and fills in has_length, length, chunked. hosts: as in
 * http_config. */
enum http_refusal http_head_check(struct http_head *head, const char *const *hosts);

/* How many headers have that name; *ret_value (may be NULL) is the first one's value. */
size_t http_head_find(const struct http_head *head, const char *name, struct str *ret_value);

/* What may be the name, the value of a header. */
bool http_is_name(struct str s);
bool http_is_value(struct str s);

#endif
