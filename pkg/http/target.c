#include "pkg/http/target.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte at *at, decoded; *at moves behind it. -1: none that may be there. */
static int decode_one(struct str s, size_t *at)
{
	int c = (uint8_t)s.p[(*at)++];

	if (c == '%') {
		const int high = *at < s.n ? hex(s.p[*at]) : -1;
		const int low = *at + 1 < s.n ? hex(s.p[*at + 1]) : -1;
		if (high < 0 || low < 0)
			return -1;
		c = high << 4 | low;
		*at += 2;
	}
	return c < 0x20 || c == 0x7f ? -1 : c;
}

int http_decode(struct str raw, char *dst, size_t cap, struct str *ret_s, struct err *err)
{
	size_t n = 0;

	for (size_t at = 0; at < raw.n;) {
		const int c = decode_one(raw, &at);
		if (c < 0)
			return FAIL(err, ERR_INVALID, "not percent-encoded text");
		if (n + 1 >= cap)
			return FAIL(err, ERR_TOO_LARGE, "more than %zu bytes", cap - 1);
		dst[n++] = (char)c;
	}
	dst[n] = 0;
	*ret_s = base_str_n(dst, n);
	return 0;
}

/* Visible ASCII but for what no target may hold unescaped and browsers or proxies rewrite. */
static bool raw_good(struct str raw)
{
	for (size_t i = 0; i < raw.n; i++)
		if (raw.p[i] <= ' ' || raw.p[i] > '~' || raw.p[i] == '#' || raw.p[i] == '\\')
			return false;
	return true;
}

static bool segment_good(struct str segment)
{
	size_t n = 0;
	size_t dots = 0;

	for (size_t at = 0; at < segment.n; n++) {
		const int c = decode_one(segment, &at);
		if (c < 0 || c == '/' || c == '\\')
			return false;
		dots += c == '.';
	}
	return n > 0 && (n > 2 || dots != n);
}

int http_target_parse(struct str raw, struct http_target *ret_t, struct err *err)
{
	const size_t question = base_str_find(raw, '?', 0);
	const struct str path = base_str_sub(raw, 0, question);

	if (raw.n > HTTP_TARGET_MAX)
		return FAIL(err, ERR_TOO_LARGE, "a target of %zu bytes", raw.n);
	if (!raw_good(raw) || path.n == 0 || path.p[0] != '/')
		return FAIL(err, ERR_INVALID, "the target is no plain path");
	for (size_t at = 1; at <= path.n && path.n > 1;) {
		const size_t slash = base_str_find(path, '/', at);
		/* A path may end with a slash: for those who serve it, that is another one. */
		if (at < path.n && !segment_good(base_str_sub(path, at, slash)))
			return FAIL(err, ERR_INVALID, "a segment of the path is not allowed");
		at = slash + 1;
	}
	*ret_t =
		(struct http_target){.path = path, .query = base_str_sub(raw, question + 1, raw.n)};
	return 0;
}

int http_query_get(struct str query, struct str name, char *dst, size_t cap, struct str *ret_s,
	struct err *err)
{
	struct str found = STR_NULL;
	size_t count = 0;

	for (size_t at = 0; at < query.n;) {
		const size_t end = base_str_find(query, '&', at);
		const struct str pair = base_str_sub(query, at, end);
		const size_t equals = base_str_find(pair, '=', 0);
		if (base_str_eq(base_str_sub(pair, 0, equals), name)) {
			found = base_str_sub(pair, equals + 1, pair.n);
			count++;
		}
		at = end + 1;
	}
	if (count == 0)
		return FAIL(err, ERR_NOT_FOUND, "there is no parameter '%.*s'", STR_FMT(name));
	if (count > 1)
		return FAIL(err, ERR_INVALID, "parameter '%.*s' is there twice", STR_FMT(name));
	const int r = http_decode(found, dst, cap, ret_s, err);
	if (r < 0)
		base_err_wrap(err, "parameter '%.*s'", STR_FMT(name));
	return r;
}

bool http_match(const char *pattern, struct str path, struct http_params *ret_p)
{
	const struct str want = base_str(pattern);
	size_t at = 1;
	size_t want_at = 1;

	ret_p->n = 0;
	while (at < path.n && want_at < want.n) {
		const size_t end = base_str_find(path, '/', at);
		const size_t want_end = base_str_find(want, '/', want_at);
		if (want.p[want_at] == '*')
			return true;
		const struct str have = base_str_sub(path, at, end);
		if (want.p[want_at] == '{') {
			const size_t i = ret_p->n++;
			if (http_decode(have, ret_p->text[i], sizeof(ret_p->text[i]), &ret_p->v[i],
				    NULL) < 0)
				return false;
		} else if (!base_str_eq(have, base_str_sub(want, want_at, want_end))) {
			return false;
		}
		at = end + 1;
		want_at = want_end + 1;
	}
	if (want_at < want.n && want.p[want_at] == '*')
		return true;
	/* Both are used up: behind the last segment stands one past the end, and 1 for "/". */
	return at >= path.n && want_at >= want.n && (at > path.n) == (want_at > want.n);
}

static bool pattern_segment_good(struct str s)
{
	const bool param = s.n > 2 && s.p[0] == '{' && s.p[s.n - 1] == '}';
	const struct str name = param ? base_str_sub(s, 1, s.n - 1) : s;

	for (size_t i = 0; i < name.n; i++)
		if (!(name.p[i] >= 'a' && name.p[i] <= 'z') &&
			!(name.p[i] >= '0' && name.p[i] <= '9') && !strchr("._-", name.p[i]))
			return false;
	return name.n > 0;
}

bool http_pattern_good(const char *pattern)
{
	const struct str s = base_str(pattern);
	size_t params = 0;

	if (s.n == 0 || s.p[0] != '/')
		return false;
	for (size_t at = 1; at <= s.n && s.n > 1;) {
		const size_t end = base_str_find(s, '/', at);
		const bool rest = end == s.n && base_str_eq(base_str_sub(s, at, end), STR("*"));
		if (!rest && !pattern_segment_good(base_str_sub(s, at, end)))
			return false;
		params += s.p[at] == '{';
		at = end + 1;
	}
	return params <= HTTP_PARAMS;
}
