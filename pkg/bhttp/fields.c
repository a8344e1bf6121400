#include "pkg/bhttp/impl.h"

#include "pkg/base/text.h"

#define OURS STR("functionkey")

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* A lower-case token. */
static bool name_good(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		const char c = name.p[i];
		if (!is_alnum(c) && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c)))
			return false;
	}
	return name.n > 0;
}

/* No controls, and no white space at its ends. */
static bool value_good(struct str value)
{
	for (size_t i = 0; i < value.n; i++) {
		const uint8_t c = (uint8_t)value.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return base_str_trim(value).n == value.n;
}

/* Servers that hand fields on as variables make no difference between '-' and '_', and some none
 * between these and '.' or any other mark. */
static bool is_ours(struct str name)
{
	const struct str ours = OURS;

	return base_str_starts(name, ours) && name.n > ours.n && !is_alnum(name.p[ours.n]);
}

enum bhttp_field_class bhttp_field_class(struct str name)
{
	static const struct str hop[] = {STR("connection"), STR("keep-alive"), STR("te"),
		STR("trailer"), STR("transfer-encoding"), STR("upgrade"), STR("expect"),
		STR("http2-settings")};

	for (size_t i = 0; i < ARRAY_LEN(hop); i++)
		if (base_str_eq(name, hop[i]))
			return BHTTP_FIELD_HOP;
	if (base_str_starts(name, STR("proxy-")))
		return BHTTP_FIELD_HOP;
	return is_ours(name) ? BHTTP_FIELD_OURS : BHTTP_FIELD_END_TO_END;
}

int bhttp_fields_add(
	struct bhttp_fields *fields, struct str name, struct str value, struct err *err)
{
	if (!name_good(name))
		return FAIL(err, ERR_INVALID, "a field's name is no lower-case token");
	if (!value_good(value))
		return FAIL(err, ERR_INVALID, "a field's value has controls or outer spaces");
	if (bhttp_field_class(name) != BHTTP_FIELD_END_TO_END)
		return FAIL(err, ERR_INVALID, "a field that a message does not carry");
	if (fields->n == BHTTP_FIELDS_MAX)
		return FAIL(err, ERR_TOO_LARGE, "more than %d fields", BHTTP_FIELDS_MAX);
	fields->v[fields->n++] = (struct bhttp_field){name, value};
	return 0;
}

size_t bhttp_fields_find(const struct bhttp_fields *fields, struct str name, struct str *ret_value)
{
	size_t count = 0;

	for (size_t i = 0; i < fields->n; i++) {
		if (!base_str_eq(fields->v[i].name, name))
			continue;
		if (count++ == 0 && ret_value)
			*ret_value = fields->v[i].value;
	}
	return count;
}

int bhttp_fields_check(
	const struct bhttp_fields *fields, bool *ret_has, uint64_t *ret_length, struct err *err)
{
	struct bhttp_fields again = {0};
	struct str length = STR_NULL;
	uint64_t n = 0;

	if (fields->n > BHTTP_FIELDS_MAX)
		return FAIL(err, ERR_TOO_LARGE, "more than %d fields", BHTTP_FIELDS_MAX);
	for (size_t i = 0; i < fields->n; i++) {
		again.n = 0;
		TRY(bhttp_fields_add(&again, fields->v[i].name, fields->v[i].value, err));
	}
	const size_t lengths = bhttp_fields_find(fields, STR("content-length"), &length);
	if (lengths > 1 || (lengths && !ret_length))
		return FAIL(err, ERR_INVALID, "a Content-Length too many");
	if (lengths && base_parse_u64(length, BHTTP_CONTENT_MAX, &n, NULL) < 0)
		return FAIL(err, ERR_INVALID, "Content-Length is no length");
	if (ret_has) {
		*ret_has = lengths > 0;
		*ret_length = n;
	}
	return 0;
}

static bool is_method(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		if (!(c >= 'A' && c <= 'Z') && c != '-')
			return false;
	}
	return s.n > 0 && s.n <= BHTTP_METHOD_MAX && !base_str_eq(s, STR("CONNECT")) &&
	       !base_str_eq(s, STR("TRACE"));
}

/* A path and query in visible ASCII; segments are the servers' to judge. */
static bool is_target(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '#' || s.p[i] == '\\')
			return false;
	return s.n > 0 && s.n <= BHTTP_TARGET_MAX && s.p[0] == '/';
}

static bool is_authority(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		const bool alnum =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!alnum && (c == 0 || !strchr(".-_:[]", c)))
			return false;
	}
	return s.n <= 255;
}

static int check_control(const struct bhttp_head *head, struct err *err)
{
	if (head->response)
		return head->status >= 200 && head->status <= 599
			       ? 0
			       : FAIL(err, ERR_INVALID, "not a final status");
	if (!is_method(head->method))
		return FAIL(err, ERR_INVALID, "not a method that is carried");
	if (!base_str_eq(head->scheme, STR("http")) && !base_str_eq(head->scheme, STR("https")))
		return FAIL(err, ERR_INVALID, "the scheme is neither http nor https");
	if (!is_authority(head->authority))
		return FAIL(err, ERR_INVALID, "not an authority");
	if (!is_target(head->path))
		return FAIL(err, ERR_INVALID, "the target is no path");
	return 0;
}

int bhttp_head_check(const struct bhttp_head *head, struct err *err)
{
	bool has = false;
	uint64_t stated = 0;

	TRY(check_control(head, err));
	TRY(bhttp_fields_check(&head->fields, &has, &stated, err));
	if (head->has_length && head->length > BHTTP_CONTENT_MAX)
		return FAIL(err, ERR_TOO_LARGE, "content of that length");
	if (head->to_head && head->has_length && head->length > 0)
		return FAIL(err, ERR_INVALID, "an answer to HEAD with content");
	if (!head->to_head && head->has_length && has && stated != head->length)
		return FAIL(err, ERR_INVALID, "Content-Length is not the content's length");
	return 0;
}
