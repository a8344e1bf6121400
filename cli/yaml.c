/* JSON documents as YAML, in the block style that kubectl has. */
#include "cli/page.h"
#include "pkg/kube/json.h"

#define INDENT     2
#define LEVELS_MAX 16
#define TEXTS_MAX  (4u << 20)

struct converting {
	struct kube_json json;
	struct arena *arena; /* of texts with escapes */
	struct buf *page;
};

static int indent(struct buf *page, unsigned level, struct err *err)
{
	for (unsigned i = 0; i < level * INDENT; i++)
		TRY(base_buf_add_byte(page, ' ', err));
	return 0;
}

/* Words that YAML reads as something else, also by the older rules that many programs have. */
static bool is_word(struct str s)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y",
		"n", "~", "Null", "True", "False", "Yes", "No", "On", "Off", "NULL", "TRUE",
		"FALSE", "YES", "NO", "ON", "OFF", "Y", "N"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (base_str_eq(s, base_str(words[i])))
			return true;
	return false;
}

/* Plain is only what begins with a letter, or with '/', and holds nothing that means something. */
static bool is_plain(struct str s)
{
	if (s.n == 0 || is_word(s))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		const bool inner =
			(c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ' ';
		if (!letter && c != '/' && (i == 0 || !inner || (c == ' ' && i + 1 == s.n)))
			return false;
	}
	return true;
}

/* A JSON string is a YAML string in double quotes. */
static int put_text(struct buf *page, struct str s, struct err *err)
{
	_cleanup_(base_buf_done) struct buf quoted = base_buf(CLI_PAGE_MAX);

	if (is_plain(s))
		return base_buf_add_str(page, s, err);
	TRY(base_json_str_add(&quoted, s, err));
	return cli_page_escaped(page, base_buf_str(&quoted), err);
}

static int put_value(struct converting *c, unsigned level, bool in_list, struct err *err);

/* NOLINTNEXTLINE(misc-no-recursion): put_value counts */
static int put_object(struct converting *c, unsigned level, bool in_list, struct err *err)
{
	bool first = true;

	TRY(kube_json_object_begin(&c->json, err));
	for (;; first = false) {
		struct str key = STR_NULL;
		bool more = false;
		TRY(kube_json_next_key(&c->json, &key, &more, err));
		if (!more)
			break;
		if (first && !in_list && level > 0)
			TRY(base_buf_add_byte(c->page, '\n', err));
		if (!first || !in_list)
			TRY(indent(c->page, level, err));
		TRY(put_text(c->page, key, err));
		TRY(base_buf_add_byte(c->page, ':', err));
		TRY(put_value(c, level + 1, false, err));
	}
	return first ? base_buf_add_str(
			       c->page, in_list || !level ? STR("{}\n") : STR(" {}\n"), err)
		     : 0;
}

/* Lists stand as deep as the key above them. NOLINTNEXTLINE(misc-no-recursion): put_value counts */
static int put_list(struct converting *c, unsigned level, bool in_list, struct err *err)
{
	bool first = true;

	TRY(kube_json_array_begin(&c->json, err));
	for (;; first = false) {
		bool more = false;
		TRY(kube_json_array_next(&c->json, &more, err));
		if (!more)
			break;
		if (first && in_list)
			return FAIL(err, ERR_INVALID, "a list of lists");
		if (first)
			TRY(base_buf_add_byte(c->page, '\n', err));
		TRY(indent(c->page, level ? level - 1 : 0, err));
		TRY(base_buf_add_str(c->page, STR("- "), err));
		TRY(put_value(c, level ? level : 1, true, err));
	}
	return first ? base_buf_add_str(
			       c->page, in_list || !level ? STR("[]\n") : STR(" []\n"), err)
		     : 0;
}

static int put_scalar(struct converting *c, enum kube_json_type type, bool in_list, struct err *err)
{
	struct str s = STR_NULL;

	if (!in_list)
		TRY(base_buf_add_byte(c->page, ' ', err));
	if (type == KUBE_JSON_STRING) {
		TRY(kube_json_string(&c->json, c->arena, &s, err));
		TRY(put_text(c->page, s, err));
	} else {
		TRY(kube_json_raw(&c->json, &s, err));
		TRY(base_buf_add_str(c->page, s, err));
	}
	return base_buf_add_byte(c->page, '\n', err);
}

/* NOLINTNEXTLINE(misc-no-recursion): levels are counted */
static int put_value(struct converting *c, unsigned level, bool in_list, struct err *err)
{
	enum kube_json_type type = KUBE_JSON_NULL;

	if (level > LEVELS_MAX)
		return FAIL(err, ERR_INVALID, "a document of more than %d levels", LEVELS_MAX);
	TRY(kube_json_peek(&c->json, &type, err));
	if (type == KUBE_JSON_OBJECT)
		return put_object(c, level, in_list, err);
	if (type == KUBE_JSON_ARRAY)
		return put_list(c, level, in_list, err);
	return put_scalar(c, type, in_list, err);
}

int cli_page_document(struct buf *page, struct str json, enum cli_format format, struct err *err)
{
	_cleanup_(base_arena_free) struct arena *arena = NULL;
	struct converting c = {.page = page};

	if (format == CLI_JSON) {
		TRY(cli_page_escaped(page, json, err));
		return base_buf_add_byte(page, '\n', err);
	}
	TRY(base_arena_new(TEXTS_MAX, &arena, err));
	c.arena = arena;
	TRY(kube_json_init(&c.json, json, err));
	TRY(put_value(&c, 0, false, err));
	return kube_json_end(&c.json, err);
}
