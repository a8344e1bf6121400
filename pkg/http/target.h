/* Request targets: path, query, percent-encoding, matching against a route. Layer: http, pure.
 *
 * Stricter than RFC 3986, so that two readers of a path cannot disagree: a path begins with '/',
 * has no empty segment but the last, no segment that decodes to "." or "..", and none that decodes
 * to a slash, a backslash or a control character.
 */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "pkg/http/http.h"

struct http_target {
	struct str path;  /* "/a/b", raw */
	struct str query; /* behind '?', raw; empty if there is none */
};

/* Slices of raw. INVALID; TOO_LARGE (HTTP_TARGET_MAX). */
int http_target_parse(struct str raw, struct http_target *ret_t, struct err *err) must_check;

/* Percent-decodes to dst with a final NUL. INVALID (bad escape, control character), TOO_LARGE. */
int http_decode(struct str raw, char *dst, size_t cap, struct str *ret_s, struct err *err)
	must_check;

/* The value of the parameter of that name. As http_query. */
int http_query_get(struct str query, struct str name, char *dst, size_t cap, struct str *ret_s,
	struct err *err) must_check;

/* Decoded {params}, in order. */
struct http_params {
	size_t n;
	struct str v[HTTP_PARAMS];
	char text[HTTP_PARAMS][HTTP_PARAM_MAX + 1];
};

/* Whether a path that http_target_parse gave fits pattern; *ret_p points into itself then. */
bool http_match(const char *pattern, struct str path, struct http_params *ret_p);

/* Whether a pattern is one: segments of [a-z0-9._-]+ or {name}, at most HTTP_PARAMS of these, and
 * "*" at the end for any rest. */
bool http_pattern_good(const char *pattern);

#endif
