#include "pkg/kube/json_impl.h"

int kube_json_init(struct kube_json *r, struct str doc, struct err *err)
{
	if (doc.n > KUBE_JSON_MAX)
		return FAIL(err, ERR_TOO_LARGE, "JSON of %zu bytes", doc.n);
	r->p = doc.p;
	r->n = doc.n;
	r->at = 0;
	r->arrays = 0;
	r->depth = 0;
	r->filled = false;
	r->ready = true;
	return 0;
}

static int look_far(struct kube_json *r)
{
	for (; r->at < r->n; r->at++) {
		const char c = r->p[r->at];
		if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
			return (unsigned char)c;
	}
	return -1;
}

/* The next byte that is no white space, not read away; -1 at the end. Almost always the very next:
 * the API server writes none. */
static inline int look(struct kube_json *r)
{
	if (r->at < r->n && (unsigned char)r->p[r->at] > ' ')
		return (unsigned char)r->p[r->at];
	return look_far(r);
}

/* A value is about to be read: is it its turn? */
static int take_turn(struct kube_json *r, struct err *err)
{
	if (!r->ready)
		return FAIL(err, ERR_BUG, "JSON: no value is due at offset %zu", r->at);
	r->ready = false;
	r->filled = true;
	return 0;
}

static int scan_scalar(struct kube_json *r, int c, struct err *err)
{
	struct str text;
	bool flag;

	switch (c) {
	case '"':
		return kube_json_pass_string(r, err);
	case 't':
		return kube_json_scan_word(r, STR("true"), err);
	case 'f':
		return kube_json_scan_word(r, STR("false"), err);
	case 'n':
		return kube_json_scan_word(r, STR("null"), err);
	default:
		return kube_json_scan_number(r, &text, &flag, err);
	}
}

static int open_level(struct kube_json *r, bool array, struct err *err)
{
	if (r->depth == KUBE_JSON_DEPTH_MAX)
		return FAIL(err, ERR_TOO_LARGE, "JSON: deeper than %d at offset %zu",
			KUBE_JSON_DEPTH_MAX, r->at);
	const uint64_t bit = 1ULL << r->depth++;
	r->arrays = array ? r->arrays | bit : r->arrays & ~bit;
	r->filled = false;
	r->at++;
	return 0;
}

static bool in_array(const struct kube_json *r)
{
	return r->depth > 0 && (r->arrays >> (r->depth - 1) & 1);
}

/* Past the comma, or past the bracket that closes the level: then *ret_more is false. */
static int step(struct kube_json *r, int close, bool *ret_more, struct err *err)
{
	const int c = look(r);

	if (c == close) {
		r->at++;
		r->depth--;
		r->filled = true;
		*ret_more = false;
		return 0;
	}
	if (r->filled) {
		if (c != ',')
			return kube_json_bad(r, c < 0 ? "the document ends" : "no comma", err);
		r->at++;
	}
	*ret_more = true;
	return 0;
}

static int step_object(struct kube_json *r, struct str *ret_raw, bool *ret_escaped, bool *ret_more,
	struct err *err)
{
	TRY(step(r, '}', ret_more, err));
	if (!*ret_more)
		return 0;
	if (look(r) != '"')
		return kube_json_bad(r, "no key", err);
	TRY(kube_json_scan_string(r, ret_raw, ret_escaped, err));
	if (look(r) != ':')
		return kube_json_bad(r, "no colon", err);
	r->at++;
	return 0;
}

static int skip_key(struct kube_json *r, struct err *err)
{
	if (look(r) != '"')
		return kube_json_bad(r, "no key", err);
	TRY(kube_json_pass_string(r, err));
	if (look(r) != ':')
		return kube_json_bad(r, "no colon", err);
	r->at++;
	return 0;
}

/* To the next value inside what was opened since `base`, out of what ends there. */
static int skip_on(struct kube_json *r, uint32_t base, bool *ret_more, struct err *err)
{
	*ret_more = false;
	while (r->depth > base && !*ret_more) {
		const bool array = in_array(r);
		TRY(step(r, array ? ']' : '}', ret_more, err));
		if (*ret_more && !array)
			TRY(skip_key(r, err));
	}
	return 0;
}

int kube_json_skip(struct kube_json *r, struct err *err)
{
	const uint32_t base = r->depth;

	TRY(take_turn(r, err));
	for (bool more = true; more;) {
		const int c = look(r);
		if (c == '{' || c == '[') {
			TRY(open_level(r, c == '[', err));
		} else {
			TRY(scan_scalar(r, c, err));
			r->filled = true;
		}
		TRY(skip_on(r, base, &more, err));
	}
	return 0;
}

int kube_json_raw(struct kube_json *r, struct str *ret_text, struct err *err)
{
	(void)look(r);
	const size_t from = r->at;
	TRY(kube_json_skip(r, err));
	*ret_text = base_str_n(r->p + from, r->at - from);
	return 0;
}

/* ---- one value after the other ---- */

int kube_json_peek(struct kube_json *r, enum kube_json_type *ret_type, struct err *err)
{
	if (!r->ready)
		return FAIL(err, ERR_BUG, "JSON: no value is due at offset %zu", r->at);
	switch (look(r)) {
	case '{':
		*ret_type = KUBE_JSON_OBJECT;
		return 0;
	case '[':
		*ret_type = KUBE_JSON_ARRAY;
		return 0;
	case '"':
		*ret_type = KUBE_JSON_STRING;
		return 0;
	case 't':
	case 'f':
		*ret_type = KUBE_JSON_BOOL;
		return 0;
	case 'n':
		*ret_type = KUBE_JSON_NULL;
		return 0;
	case -1:
		return kube_json_bad(r, "the document ends", err);
	default: /* if it is none, reading it says so */
		*ret_type = KUBE_JSON_NUMBER;
		return 0;
	}
}

int kube_json_object_begin(struct kube_json *r, struct err *err)
{
	TRY(take_turn(r, err));
	return look(r) == '{' ? open_level(r, false, err) : kube_json_bad(r, "no object", err);
}

int kube_json_array_begin(struct kube_json *r, struct err *err)
{
	TRY(take_turn(r, err));
	return look(r) == '[' ? open_level(r, true, err) : kube_json_bad(r, "no array", err);
}

int kube_json_next_key(struct kube_json *r, struct str *ret_key, bool *ret_more, struct err *err)
{
	struct str raw = STR_NULL;
	bool escaped = false, more = false;

	if (r->ready || r->depth == 0 || in_array(r))
		return FAIL(err, ERR_BUG, "JSON: no key is due at offset %zu", r->at);
	TRY(step_object(r, &raw, &escaped, &more, err));
	if (escaped && raw.n > sizeof(r->key))
		return FAIL(
			err, ERR_TOO_LARGE, "JSON: key of %zu bytes at offset %zu", raw.n, r->at);
	if (escaped)
		raw = base_str_n(r->key, kube_json_unescape(raw, r->key));
	r->ready = more;
	*ret_more = more;
	if (more)
		*ret_key = raw;
	return 0;
}

int kube_json_array_next(struct kube_json *r, bool *ret_more, struct err *err)
{
	bool more = false;

	if (r->ready || !in_array(r))
		return FAIL(err, ERR_BUG, "JSON: no element is due at offset %zu", r->at);
	TRY(step(r, ']', &more, err));
	r->ready = more;
	*ret_more = more;
	return 0;
}

int kube_json_string_raw(
	struct kube_json *r, struct str *ret_raw, bool *ret_escaped, struct err *err)
{
	struct str raw;
	bool escaped;

	TRY(take_turn(r, err));
	if (look(r) != '"')
		return kube_json_bad(r, "no string", err);
	TRY(kube_json_scan_string(r, &raw, &escaped, err));
	*ret_raw = raw;
	*ret_escaped = escaped;
	return 0;
}

int kube_json_string(struct kube_json *r, struct arena *arena, struct str *ret_s, struct err *err)
{
	struct str raw = STR_NULL;
	bool escaped = false;
	void *p = NULL;

	TRY(kube_json_string_raw(r, &raw, &escaped, err));
	if (escaped) {
		if (!arena)
			return kube_json_bad(r, "escapes in a plain text", err);
		TRY(base_arena_alloc(arena, raw.n, 1, &p, err));
		raw = base_str_n(p, kube_json_unescape(raw, p));
	}
	*ret_s = raw;
	return 0;
}

int kube_json_int64(struct kube_json *r, int64_t *ret_n, struct err *err)
{
	struct str text;
	bool whole;
	int64_t n = 0;

	TRY(take_turn(r, err));
	(void)look(r);
	TRY(kube_json_scan_number(r, &text, &whole, err));
	if (!whole)
		return kube_json_bad(r, "not a whole number", err);
	const bool minus = text.p[0] == '-';
	for (size_t i = minus; i < text.n; i++) {
		const int64_t digit = text.p[i] - '0';
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, minus ? -digit : digit, &n))
			return kube_json_bad(r, "number does not fit", err);
	}
	*ret_n = n;
	return 0;
}

int kube_json_bool(struct kube_json *r, bool *ret_b, struct err *err)
{
	TRY(take_turn(r, err));
	const bool b = look(r) == 't';
	TRY(kube_json_scan_word(r, b ? STR("true") : STR("false"), err));
	*ret_b = b;
	return 0;
}

int kube_json_null(struct kube_json *r, bool *ret_null, struct err *err)
{
	if (!r->ready)
		return FAIL(err, ERR_BUG, "JSON: no value is due at offset %zu", r->at);
	const bool null = look(r) == 'n';
	if (null)
		TRY(kube_json_skip(r, err));
	*ret_null = null;
	return 0;
}

int kube_json_end(struct kube_json *r, struct err *err)
{
	if (r->ready || r->depth > 0)
		return FAIL(err, ERR_BUG, "JSON: the end is not due at offset %zu", r->at);
	return look(r) < 0 ? 0 : kube_json_bad(r, "something behind the document", err);
}
