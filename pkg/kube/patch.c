#include "pkg/kube/patch.h"

#include "pkg/base/text.h"

#define DEPTH_MAX 31

static int add_escaped(struct buf *b, unsigned char c, struct err *err)
{
	static const char letters[] = "\"\\\b\f\n\r\t";
	static const char names[] = "\"\\bfnrt";
	const char *at = c ? strchr(letters, c) : NULL;

	if (at)
		return base_buf_addf(b, err, "\\%c", names[at - letters]);
	if (c < 0x20)
		return base_buf_addf(b, err, "\\u%04x", c);
	return base_buf_add_byte(b, c, err);
}

/* How many bytes stand in quotes as they are. */
static size_t plain_run(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= ' ' && s.p[n] != '"' && s.p[n] != '\\')
		n++;
	return n;
}

int kube_quote_add(struct buf *b, struct str s, struct err *err)
{
	uint32_t point = 0;

	TRY(base_buf_add_byte(b, '"', err));
	for (size_t i = 0; i < s.n;) {
		const size_t run = plain_run(base_str_sub(s, i, s.n));
		TRY(base_buf_add(b, s.p + i, run, err));
		i += run;
		if (i == s.n)
			break;
		const size_t n = base_utf8_next(s.p + i, s.n - i, &point);
		if (!n)
			return FAIL(err, ERR_INVALID, "byte %zu is not UTF-8", i);
		if (n == 1)
			TRY(add_escaped(b, (unsigned char)s.p[i], err));
		else
			TRY(base_buf_add(b, s.p + i, n, err));
		i += n;
	}
	return base_buf_add_byte(b, '"', err);
}

int kube_pointer_add(struct buf *b, struct str segment, struct err *err)
{
	TRY(base_buf_add_byte(b, '/', err));
	for (size_t i = 0; i < segment.n; i++) {
		const char c = segment.p[i];
		if (c == '~' || c == '/')
			TRY(base_buf_add_str(b, c == '~' ? STR("~0") : STR("~1"), err));
		else
			TRY(base_buf_add_byte(b, (uint8_t)c, err));
	}
	return 0;
}

/* {"op":"…","path":"…" and, where given, "value":… or "from":…} */
static int add_op_as(struct kube_patch *p, const char *op, const char *path, const char *name,
	const struct str *json, struct err *err)
{
	if (path[0] != '/')
		return FAIL(err, ERR_INVALID, "'%s' is no JSON pointer", path);
	if (json && !json->n)
		return FAIL(err, ERR_INVALID, "%s %s without a %s", op, path, name);
	if (p->ops >= KUBE_PATCH_OPS_MAX)
		return FAIL(err, ERR_TOO_LARGE, "a patch of more than %d operations",
			KUBE_PATCH_OPS_MAX);
	TRY(base_buf_addf(p->b, err, "%c{\"op\":\"%s\",\"path\":", p->ops ? ',' : '[', op));
	TRY(kube_quote_add(p->b, base_str(path), err));
	if (json) {
		TRY(base_buf_addf(p->b, err, ",\"%s\":", name));
		TRY(base_buf_add_str(p->b, *json, err));
	}
	TRY(base_buf_add_byte(p->b, '}', err));
	p->ops++;
	return 0;
}

static int add_op(struct kube_patch *p, const char *op, const char *path, const struct str *json,
	struct err *err)
{
	return add_op_as(p, op, path, "value", json, err);
}

int kube_patch_test(struct kube_patch *p, const char *path, struct str json, struct err *err)
{
	return add_op(p, "test", path, &json, err);
}

int kube_patch_add(struct kube_patch *p, const char *path, struct str json, struct err *err)
{
	return add_op(p, "add", path, &json, err);
}

int kube_patch_replace(struct kube_patch *p, const char *path, struct str json, struct err *err)
{
	return add_op(p, "replace", path, &json, err);
}

int kube_patch_remove(struct kube_patch *p, const char *path, struct err *err)
{
	return add_op(p, "remove", path, NULL, err);
}

int kube_patch_move(struct kube_patch *p, const char *from, const char *path, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(p->b->max);

	if (from[0] != '/')
		return FAIL(err, ERR_INVALID, "'%s' is no JSON pointer", from);
	TRY(kube_quote_add(&b, base_str(from), err));
	const struct str json = base_buf_str(&b);
	return add_op_as(p, "move", path, "from", &json, err);
}

static int add_op_text(
	struct kube_patch *p, const char *op, const char *path, struct str text, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(p->b->max);

	TRY(kube_quote_add(&b, text, err));
	const struct str json = base_buf_str(&b);
	return add_op(p, op, path, &json, err);
}

static int add_op_int(
	struct kube_patch *p, const char *op, const char *path, int64_t n, struct err *err)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", (long long)n);
	const struct str json = base_str(text);
	return add_op(p, op, path, &json, err);
}

int kube_patch_test_text(struct kube_patch *p, const char *path, struct str text, struct err *err)
{
	return add_op_text(p, "test", path, text, err);
}

int kube_patch_test_int(struct kube_patch *p, const char *path, int64_t n, struct err *err)
{
	return add_op_int(p, "test", path, n, err);
}

int kube_patch_add_text(struct kube_patch *p, const char *path, struct str text, struct err *err)
{
	return add_op_text(p, "add", path, text, err);
}

int kube_patch_add_int(struct kube_patch *p, const char *path, int64_t n, struct err *err)
{
	return add_op_int(p, "add", path, n, err);
}

int kube_patch_end(struct kube_patch *p, struct err *err)
{
	if (!p->ops)
		return FAIL(err, ERR_INVALID, "a patch that does nothing");
	return base_buf_add_byte(p->b, ']', err);
}

/* What stands before a value: a comma in lists; in objects the key brought it. */
static int before_value(struct kube_writer *w, struct err *err)
{
	const uint32_t bit = 1u << w->depth;

	if (!w->depth) {
		if (w->filled & bit)
			return FAIL(err, ERR_BUG, "a second document");
	} else if (!(w->lists & bit)) {
		if (!w->keyed)
			return FAIL(err, ERR_BUG, "a value without a key");
		w->keyed = false;
		return 0;
	} else if (w->filled & bit) {
		TRY(base_buf_add_byte(w->b, ',', err));
	}
	w->filled |= bit;
	return 0;
}

static int open_level(struct kube_writer *w, bool list, struct err *err)
{
	if (w->depth >= DEPTH_MAX)
		return FAIL(err, ERR_BUG, "nested deeper than %d", DEPTH_MAX);
	TRY(before_value(w, err));
	TRY(base_buf_add_byte(w->b, list ? '[' : '{', err));
	w->depth++;
	const uint32_t bit = 1u << w->depth;
	w->filled &= ~bit;
	w->lists = list ? w->lists | bit : w->lists & ~bit;
	return 0;
}

int kube_write_object(struct kube_writer *w, struct err *err)
{
	return open_level(w, false, err);
}

int kube_write_list(struct kube_writer *w, struct err *err)
{
	return open_level(w, true, err);
}

int kube_write_end(struct kube_writer *w, struct err *err)
{
	if (!w->depth || w->keyed)
		return FAIL(err, ERR_BUG, "an end without a beginning, or after a key");
	TRY(base_buf_add_byte(w->b, w->lists & 1u << w->depth ? ']' : '}', err));
	w->depth--;
	return 0;
}

int kube_write_key(struct kube_writer *w, struct str key, struct err *err)
{
	const uint32_t bit = 1u << w->depth;

	if (!w->depth || w->lists & bit || w->keyed)
		return FAIL(err, ERR_BUG, "a key outside of an object, or after a key");
	if (w->filled & bit)
		TRY(base_buf_add_byte(w->b, ',', err));
	TRY(kube_quote_add(w->b, key, err));
	TRY(base_buf_add_byte(w->b, ':', err));
	w->filled |= bit;
	w->keyed = true;
	return 0;
}

int kube_write_json(struct kube_writer *w, struct str json, struct err *err)
{
	if (!json.n)
		return FAIL(err, ERR_BUG, "an empty value");
	TRY(before_value(w, err));
	return base_buf_add_str(w->b, json, err);
}

int kube_write_text(struct kube_writer *w, struct str text, struct err *err)
{
	TRY(before_value(w, err));
	return kube_quote_add(w->b, text, err);
}

int kube_write_int(struct kube_writer *w, int64_t n, struct err *err)
{
	TRY(before_value(w, err));
	return base_buf_addf(w->b, err, "%lld", (long long)n);
}

int kube_write_bool(struct kube_writer *w, bool value, struct err *err)
{
	return kube_write_json(w, value ? STR("true") : STR("false"), err);
}

int kube_write_null(struct kube_writer *w, struct err *err)
{
	return kube_write_json(w, STR("null"), err);
}

int kube_write_key_text(struct kube_writer *w, const char *key, struct str text, struct err *err)
{
	TRY(kube_write_key(w, base_str(key), err));
	return kube_write_text(w, text, err);
}

int kube_write_key_int(struct kube_writer *w, const char *key, int64_t n, struct err *err)
{
	TRY(kube_write_key(w, base_str(key), err));
	return kube_write_int(w, n, err);
}

int kube_write_key_bool(struct kube_writer *w, const char *key, bool value, struct err *err)
{
	TRY(kube_write_key(w, base_str(key), err));
	return kube_write_bool(w, value, err);
}

int kube_write_key_object(struct kube_writer *w, const char *key, struct err *err)
{
	TRY(kube_write_key(w, base_str(key), err));
	return kube_write_object(w, err);
}

int kube_write_key_list(struct kube_writer *w, const char *key, struct err *err)
{
	TRY(kube_write_key(w, base_str(key), err));
	return kube_write_list(w, err);
}
