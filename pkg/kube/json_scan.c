#include "pkg/kube/json_impl.h"

#include "pkg/base/text.h"

int kube_json_bad(const struct kube_json *r, const char *what, struct err *err)
{
	return FAIL(err, ERR_INVALID, "JSON: %s at offset %zu", what, r->at);
}

/* Eight at a time: of all hits in a word the lowest is never a false one. */
size_t kube_json_plain_until(const char *p, size_t i, size_t n)
{
#ifdef __SSE2__
	for (; i + KUBE_JSON_VECTOR <= n; i += KUBE_JSON_VECTOR) {
		const kube_json_vector v = kube_json_load(p + i);
		/* As signed bytes, what is not ASCII is below the blank, too. */
		const unsigned hit = kube_json_hits((v < ' ') | (v == '"') | (v == '\\'));
		if (hit)
			return i + (size_t)__builtin_ctz(hit);
	}
#endif
	for (; i + 8 <= n; i += 8) {
		const uint64_t w = kube_json_word(p + i);
		const uint64_t control = (w - KUBE_JSON_EACH(0x20)) & ~w;
		const uint64_t hit =
			(kube_json_equal(w, '"') | kube_json_equal(w, '\\') | control | w) &
			KUBE_JSON_EACH(0x80);
		if (hit)
			return i + (size_t)__builtin_ctzll(hit) / 8;
	}
	for (; i < n; i++) {
		const unsigned char c = (unsigned char)p[i];
		if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
			break;
	}
	return i;
}

/* The four hex digits at s; -1 if they are none. */
static int hex4(const char *s, size_t left)
{
	int v = 0;

	if (left < 4)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		const int c = s[i] | 0x20;
		const int digit = s[i] >= '0' && s[i] <= '9' ? s[i] - '0'
				  : c >= 'a' && c <= 'f'     ? c - 'a' + 10
							     : -1;
		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

/* Past the backslash at r->at and what belongs to it. */
static int scan_escape(struct kube_json *r, struct err *err)
{
	const char *s = r->p + r->at;
	const size_t left = r->n - r->at;

	switch (left < 2 ? 0 : s[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		r->at += 2;
		return 0;
	case 'u':
		break;
	default:
		return kube_json_bad(r, "unknown escape", err);
	}
	const int v = hex4(s + 2, left - 2);
	if (v < 0)
		return kube_json_bad(r, "escape without four hex digits", err);
	if (v < 0xd800 || v > 0xdfff) {
		r->at += 6;
		return 0;
	}
	const int low = left >= 12 && s[6] == '\\' && s[7] == 'u' ? hex4(s + 8, left - 8) : -1;
	if (v > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return kube_json_bad(r, "lone surrogate", err);
	r->at += 12;
	return 0;
}

int kube_json_scan_string(
	struct kube_json *r, struct str *ret_raw, bool *ret_escaped, struct err *err)
{
	const size_t from = r->at + 1;
	uint32_t point = 0;

	*ret_escaped = false;
	for (r->at = from;;) {
		r->at = kube_json_plain_until(r->p, r->at, r->n);
		if (r->at == r->n)
			return kube_json_bad(r, "string without end", err);
		const unsigned char c = (unsigned char)r->p[r->at];
		if (c == '"')
			break;
		if (c == '\\') {
			*ret_escaped = true;
			TRY(scan_escape(r, err));
			continue;
		}
		const size_t len =
			c < 0x80 ? 0 : base_utf8_next(r->p + r->at, r->n - r->at, &point);
		if (len == 0)
			return kube_json_bad(r, c < 0x80 ? "control character" : "not UTF-8", err);
		r->at += len;
	}
	*ret_raw = base_str_n(r->p + from, r->at - from);
	r->at++;
	return 0;
}

/* Most strings are short and plain. */
int kube_json_pass_string(struct kube_json *r, struct err *err)
{
	const size_t end = kube_json_plain_until(r->p, r->at + 1, r->n);

	if (end < r->n && r->p[end] == '"') {
		r->at = end + 1;
		return 0;
	}
	struct str raw;
	bool escaped;
	return kube_json_scan_string(r, &raw, &escaped, err);
}

static bool digits(struct kube_json *r)
{
	const size_t from = r->at;

	while (r->at < r->n && r->p[r->at] >= '0' && r->p[r->at] <= '9')
		r->at++;
	return r->at > from;
}

static bool one_of(struct kube_json *r, char a, char b)
{
	if (r->at == r->n || (r->p[r->at] != a && r->p[r->at] != b))
		return false;
	r->at++;
	return true;
}

/* *ret_whole: neither fraction nor exponent. */
int kube_json_scan_number(
	struct kube_json *r, struct str *ret_text, bool *ret_whole, struct err *err)
{
	const size_t from = r->at;

	(void)one_of(r, '-', '-');
	if (!one_of(r, '0', '0') && !digits(r))
		return kube_json_bad(r, "not a value", err);
	*ret_whole = true;
	if (one_of(r, '.', '.')) {
		*ret_whole = false;
		if (!digits(r))
			return kube_json_bad(r, "number without digits", err);
	}
	if (one_of(r, 'e', 'E')) {
		*ret_whole = false;
		(void)one_of(r, '+', '-');
		if (!digits(r))
			return kube_json_bad(r, "number without digits", err);
	}
	*ret_text = base_str_n(r->p + from, r->at - from);
	return 0;
}

int kube_json_scan_word(struct kube_json *r, struct str word, struct err *err)
{
	if (r->n - r->at < word.n || memcmp(r->p + r->at, word.p, word.n) != 0)
		return kube_json_bad(r, "not a value", err);
	r->at += word.n;
	return 0;
}

static size_t utf8_put(uint32_t v, char *dst)
{
	const size_t n = v < 0x80 ? 1 : v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (size_t i = n; i-- > 1; v >>= 6)
		dst[i] = (char)(0x80 | (v & 0x3f));
	dst[0] = (char)(lead[n] | v);
	return n;
}

/* What the escape at s stands for; *ret_n: how long it is. */
static uint32_t escaped_char(const char *s, size_t left, size_t *ret_n)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *at = strchr(from, s[1]);

	*ret_n = 2;
	if (at)
		return (unsigned char)to[at - from];
	if (s[1] != 'u')
		return (unsigned char)s[1];
	*ret_n = 6;
	const uint32_t v = (uint32_t)hex4(s + 2, left - 2);
	if (v < 0xd800 || v > 0xdbff)
		return v;
	*ret_n = 12;
	return 0x10000 + ((v - 0xd800) << 10) + ((uint32_t)hex4(s + 8, left - 8) - 0xdc00);
}

size_t kube_json_unescape(struct str raw, char *dst)
{
	size_t n = 0;

	for (size_t i = 0; i < raw.n;) {
		if (raw.p[i] != '\\') {
			dst[n++] = raw.p[i++];
			continue;
		}
		size_t len = 0;
		n += utf8_put(escaped_char(raw.p + i, raw.n - i, &len), dst + n);
		i += len;
	}
	return n;
}
