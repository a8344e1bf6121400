#include "pkg/http/head.h"

#include "pkg/base/text.h"

#include <strings.h>

static const struct http_refusal_row rows[] = {{0},
#define HTTP_REFUSAL_ROW(name, status, label, text) {status, label, text},
	HTTP_REFUSALS(HTTP_REFUSAL_ROW)
#undef HTTP_REFUSAL_ROW
};

const char *const http_refusal_labels[] = {
#define HTTP_REFUSAL_LABEL(name, status, label, text) label,
	HTTP_REFUSALS(HTTP_REFUSAL_LABEL)
#undef HTTP_REFUSAL_LABEL
		"connections",
	"source", "malformed", NULL};

const struct http_refusal_row *http_refusal_row(enum http_refusal refusal)
{
	return &rows[refusal];
}

bool http_is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
			(c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return s.n > 0;
}

bool http_is_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((uint8_t)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

/* What stands from *at on before the next NUL; *at moves behind that. */
static struct str until_nul(struct str s, size_t *at)
{
	const size_t end = base_str_find(s, 0, *at);
	const struct str part = base_str_sub(s, *at, end);

	*at = end + 1;
	return part;
}

/* One line, from *at on: name, NUL for the colon, value, NUL NUL for CRLF. */
static enum http_refusal read_line(struct str s, size_t *at, struct str *name, struct str *value)
{
	*name = until_nul(s, at);
	if (!http_is_name(*name))
		return HTTP_REFUSE_NAME;
	const struct str raw = until_nul(s, at);
	if (!http_is_value(raw))
		return HTTP_REFUSE_VALUE;
	*value = base_str_trim(raw);
	if (*at >= s.n || s.p[*at] != 0)
		return HTTP_REFUSE_LINES;
	(*at)++;
	return HTTP_FINE;
}

enum http_refusal http_head_read(const char *p, size_t n, struct http_head *ret_head)
{
	const struct str s = base_str_n(p, n);
	size_t at = 2;

	ret_head->n = 0;
	/* The end of the first line, and the empty line that is the last. */
	if (n < 4 || p[0] || p[1] || p[n - 1] || p[n - 2])
		return HTTP_REFUSE_LINES;
	while (at < n - 2) {
		if (ret_head->n == HTTP_HEADERS)
			return HTTP_REFUSE_MANY;
		const enum http_refusal r = read_line(base_str_sub(s, 0, n - 2), &at,
			&ret_head->h[ret_head->n].name, &ret_head->h[ret_head->n].value);
		if (r != HTTP_FINE)
			return r;
		ret_head->n++;
	}
	return HTTP_FINE;
}

static bool same_name(struct str a, const char *b)
{
	return a.n == strlen(b) && strncasecmp(a.p, b, a.n) == 0;
}

size_t http_head_find(const struct http_head *head, const char *name, struct str *ret_value)
{
	size_t count = 0;

	for (size_t i = 0; i < head->n; i++) {
		if (!same_name(head->h[i].name, name))
			continue;
		if (count++ == 0 && ret_value)
			*ret_value = head->h[i].value;
	}
	return count;
}

static bool port_good(struct str port)
{
	for (size_t i = 0; i < port.n; i++)
		if (port.p[i] < '0' || port.p[i] > '9')
			return false;
	return port.n <= 5;
}

static bool host_name_good(struct str name, bool v6)
{
	for (size_t i = 0; i < name.n; i++) {
		const char c = name.p[i];
		const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				    (c >= '0' && c <= '9') || c == '.';
		if (!letter && !strchr(v6 ? ":" : "-_", c))
			return false;
	}
	return name.n > 0 && name.n <= 253;
}

/* The name of a Host without its port and the brackets of an IPv6 address; empty if it is none. */
static struct str host_name(struct str host)
{
	const bool v6 = host.n && host.p[0] == '[';
	const size_t end = base_str_find(host, v6 ? ']' : ':', 0);
	const struct str name = base_str_sub(host, v6, end);
	const size_t colon = end + v6;

	if ((v6 && end == host.n) || (colon < host.n && host.p[colon] != ':') ||
		!port_good(base_str_sub(host, colon + 1, host.n)) || !host_name_good(name, v6))
		return STR_NULL;
	return name;
}

static bool host_good(const struct http_head *head, const char *const *hosts)
{
	struct str host = STR_NULL;

	if (http_head_find(head, "host", &host) != 1)
		return false;
	const struct str name = host_name(host);
	if (name.n == 0)
		return false;
	for (size_t i = 0; hosts && hosts[i]; i++)
		if (same_name(name, hosts[i]))
			return true;
	return !hosts;
}

/* Digits only; leading zeros do no harm. */
static bool length_good(struct str s, uint64_t *ret_n)
{
	while (s.n > 1 && s.p[0] == '0')
		s = base_str_sub(s, 1, s.n);
	return base_parse_u64(s, INT64_MAX, ret_n, NULL) == 0;
}

enum http_refusal http_head_check(struct http_head *head, const char *const *hosts)
{
	struct str length = STR_NULL;
	struct str encoding = STR_NULL;
	struct str expect = STR_NULL;
	const size_t lengths = http_head_find(head, "content-length", &length);
	const size_t encodings = http_head_find(head, "transfer-encoding", &encoding);
	const size_t expects = http_head_find(head, "expect", &expect);

	head->has_length = lengths > 0;
	head->length = 0;
	head->chunked = encodings > 0;
	if (!host_good(head, hosts))
		return HTTP_REFUSE_HOST;
	if (lengths > 1 || (lengths && !length_good(length, &head->length)))
		return HTTP_REFUSE_LENGTH;
	if (lengths && encodings)
		return HTTP_REFUSE_FRAMING;
	if (encodings > 1 || (encodings && !same_name(encoding, "chunked")))
		return HTTP_REFUSE_ENCODING;
	if (expects > 1 || (expects && !same_name(expect, "100-continue")))
		return HTTP_REFUSE_EXPECT;
	return HTTP_FINE;
}
