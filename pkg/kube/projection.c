#include "pkg/kube/projection.h"

#include "pkg/base/text.h"
#include "pkg/kube/json.h"
#include "pkg/kube/projection_impl.h"

struct walk {
	const struct kube_projection *projection;
	struct kube_json *r;
	struct buf *items;                      /* of struct kube_projected */
	size_t from;                            /* items of this walk begin here */
	uint64_t seen;                          /* rows that have items already */
	uint32_t depth;                         /* of the level in hand */
	uint64_t rows[KUBE_FIELD_PATH_MAX + 1]; /* by level: those whose paths lead here */
	uint8_t segments[KUBE_FIELDS_MAX][KUBE_FIELD_PATH_MAX + 1]; /* where each begins; 0: none */
};

static bool leaf_at(const struct walk *w, size_t row, uint32_t depth)
{
	return depth == KUBE_FIELD_PATH_MAX || w->segments[row][depth] == 0;
}

static int bad_row(const struct kube_field *f, const char *what, struct err *err)
{
	return FAIL(err, ERR_BUG, "projection: %s: %s", f->path, what);
}

static int check_row(const struct kube_field *f, bool nested, struct err *err)
{
	if (f->path[0] != '/' || strlen(f->path) > UINT8_MAX)
		return bad_row(f, "bad path", err);
	if (f->type == KUBE_FIELD_LIST && (nested || !f->of || f->of->size == 0))
		return bad_row(f, "a list within a list, or of nothing", err);
	if (nested && (f->type == KUBE_FIELD_TEXTS || f->type == KUBE_FIELD_PAIRS))
		return bad_row(f, "texts or pairs within a list", err);
	return 0;
}

/* Finds the segments of each path. Offsets are those behind the slash. */
static int prepare(struct walk *w, bool nested, struct err *err)
{
	const size_t n = w->projection->n;

	if (n > KUBE_FIELDS_MAX)
		return FAIL(err, ERR_BUG, "projection of %zu fields", n);
	for (size_t row = 0; row < n; row++) {
		const struct kube_field *f = &w->projection->fields[row];
		uint32_t depth = 0;
		TRY(check_row(f, nested, err));
		for (size_t i = 0; f->path[i]; i++) {
			if (f->path[i] != '/')
				continue;
			if (depth == KUBE_FIELD_PATH_MAX)
				return bad_row(f, "path too long", err);
			w->segments[row][depth++] = (uint8_t)(i + 1);
		}
	}
	w->rows[0] = n == KUBE_FIELDS_MAX ? UINT64_MAX : (1ULL << n) - 1;
	return 0;
}

/* Is the key the path's segment at this place? "~1" is '/', "~0" is '~' (RFC 6901). */
static bool segment_is(const char *s, struct str key)
{
	size_t i = 0;

	for (; *s && *s != '/'; s++, i++) {
		char c = *s;
		if (c == '~')
			c = *++s == '1' ? '/' : '~';
		if (i == key.n || key.p[i] != c)
			return false;
	}
	return i == key.n;
}

static uint64_t rows_of_key(const struct walk *w, struct str key)
{
	uint64_t hit = 0;

	for (uint64_t left = w->rows[w->depth]; left; left &= left - 1) {
		const size_t row = (size_t)__builtin_ctzll(left);
		const uint8_t at = w->segments[row][w->depth];
		if (at && segment_is(w->projection->fields[row].path + at, key))
			hit |= 1ULL << row;
	}
	return hit;
}

static int add(struct walk *w, const struct kube_projected *item, struct err *err)
{
	if (w->items->len / sizeof(*item) >= KUBE_PROJECTED_MAX)
		return FAIL(err, ERR_TOO_LARGE, "more than %d values", KUBE_PROJECTED_MAX);
	return base_buf_add(w->items, item, sizeof(*item), err);
}

/* A key comes again: what stood below it does not count. */
static void forget(struct walk *w, uint64_t rows)
{
	struct kube_projected *items = (struct kube_projected *)(void *)w->items->data;
	bool dying = false;

	for (size_t i = w->from; i < w->items->len / sizeof(*items); i++) {
		const struct kube_field *f = items[i].field;
		/* Elements of a list lie behind it and have fields of another table. */
		if (f >= w->projection->fields && f < w->projection->fields + w->projection->n)
			dying = rows >> (f - w->projection->fields) & 1;
		if (dying)
			items[i].dead = true;
	}
}

static int too_many(const struct kube_field *f, struct err *err)
{
	return FAIL(err, ERR_TOO_LARGE, "more than %u", f->bound);
}

static int read_text(struct walk *w, struct kube_projected *item, size_t bound, struct err *err)
{
	TRY(kube_json_string_raw(w->r, &item->raw, &item->escaped, err));
	/* An escape is at most six times as long as what it stands for. */
	if (item->raw.n > bound && (!item->escaped || item->raw.n / 6 > bound))
		return too_many(item->field, err);
	return 0;
}

static int read_texts(struct walk *w, struct kube_projected item, struct err *err)
{
	bool more = false;

	TRY(kube_json_array_begin(w->r, err));
	item.kind = KUBE_PROJECTED_HEAD;
	TRY(add(w, &item, err));
	for (uint32_t n = 0;; n++) {
		TRY(kube_json_array_next(w->r, &more, err));
		if (!more)
			return 0;
		if (n == item.field->bound)
			return too_many(item.field, err);
		TRY(read_text(w, &item, KUBE_PROJECTED_TEXT_MAX, err));
		item.kind = KUBE_PROJECTED_ELEMENT;
		TRY(add(w, &item, err));
	}
}

static int read_pairs(struct walk *w, struct kube_projected item, struct err *err)
{
	struct kube_projected key = {.field = item.field, .kind = KUBE_PROJECTED_ELEMENT};
	bool more = false;

	TRY(kube_json_object_begin(w->r, err));
	item.kind = KUBE_PROJECTED_HEAD;
	TRY(add(w, &item, err));
	item.kind = KUBE_PROJECTED_VALUE;
	for (uint32_t n = 0;; n++) {
		TRY(kube_json_next_key(w->r, &key.raw, &more, err));
		if (!more)
			return 0;
		if (n == item.field->bound)
			return too_many(item.field, err);
		/* An unescaped key lies in the reader; keys of maps in the API have no escapes. */
		if (key.raw.p == w->r->key)
			return FAIL(err, ERR_INVALID, "key with escapes");
		if (key.raw.n > KUBE_PROJECTED_TEXT_MAX)
			return too_many(item.field, err);
		TRY(add(w, &key, err));
		TRY(read_text(w, &item, KUBE_PROJECTED_TEXT_MAX, err));
		TRY(add(w, &item, err));
	}
}

static int read_count(struct walk *w, struct kube_projected *item, struct err *err)
{
	bool more = true;

	TRY(kube_json_array_begin(w->r, err));
	for (item->n = -1; more; item->n++) {
		TRY(kube_json_array_next(w->r, &more, err));
		if (more)
			TRY(kube_json_skip(w->r, err));
	}
	return 0;
}

/* Values that fit into one item. */
static int read_value(struct walk *w, struct kube_projected *item, struct err *err)
{
	struct str text = STR_NULL;
	bool flag = true;

	switch (item->field->type) {
	case KUBE_FIELD_TEXT:
		return read_text(w, item, item->field->bound, err);
	case KUBE_FIELD_INT:
		return kube_json_int64(w->r, &item->n, err);
	case KUBE_FIELD_BOOL:
		TRY(kube_json_bool(w->r, &flag, err));
		item->n = flag;
		return 0;
	case KUBE_FIELD_TIME:
		TRY(kube_json_string(w->r, NULL, &text, err));
		return base_time_parse(text, &item->n, err);
	case KUBE_FIELD_PRESENT:
		item->n = 1;
		return kube_json_skip(w->r, err);
	case KUBE_FIELD_RAW:
		TRY(kube_json_raw(w->r, &item->raw, err));
		return item->raw.n > item->field->bound ? too_many(item->field, err) : 0;
	case KUBE_FIELD_COUNT:
		return read_count(w, item, err);
	case KUBE_FIELD_TEXTS:
	case KUBE_FIELD_PAIRS:
	case KUBE_FIELD_LIST:
		break;
	}
	return bad_row(item->field, "no such type", err);
}

/* Reads the value of a row; LIST is done by the caller, who can walk. */
static int read_row(struct walk *w, const struct kube_field *f, struct err *err)
{
	struct kube_projected item = {.field = f};

	if (item.field->type == KUBE_FIELD_TEXTS)
		return read_texts(w, item, err);
	if (item.field->type == KUBE_FIELD_PAIRS)
		return read_pairs(w, item, err);
	TRY(read_value(w, &item, err));
	return add(w, &item, err);
}

/* The row among `rows` whose path ends at this depth; n if there is none. Only one can: two rows
 * with one path are served by reading the value twice, which this reader cannot. */
static size_t leaf_of(const struct walk *w, uint64_t rows, uint32_t depth)
{
	for (uint64_t left = rows; left; left &= left - 1) {
		const size_t row = (size_t)__builtin_ctzll(left);
		if (leaf_at(w, row, depth))
			return row;
	}
	return w->projection->n;
}

/* Reads a LIST. Handed down, since elements are walked with a table of their own, in which a LIST
 * is refused: two walks at most are on the stack. */
typedef int (*list_fn)(struct walk *w, const struct kube_field *f, struct err *err);

/* The value of one key: skipped, read, or walked into. */
static int on_key(struct walk *w, struct str key, list_fn list, struct err *err)
{
	const uint64_t rows = rows_of_key(w, key);
	bool null = false;

	if (!rows)
		return kube_json_skip(w->r, err);
	if (w->seen & rows)
		forget(w, rows);
	w->seen |= rows;
	TRY(kube_json_null(w->r, &null, err));
	if (null)
		return 0;
	const size_t row = leaf_of(w, rows, w->depth + 1);
	if (row == w->projection->n) {
		TRY(kube_json_object_begin(w->r, err));
		w->rows[++w->depth] = rows;
		return 0;
	}
	if (rows & (rows - 1))
		return bad_row(&w->projection->fields[row], "other paths lead through it", err);
	const struct kube_field *f = &w->projection->fields[row];
	const int r = f->type == KUBE_FIELD_LIST ? list(w, f, err) : read_row(w, f, err);
	if (r < 0)
		base_err_wrap(err, "%s", f->path);
	return r;
}

/* Walks the object that r is on. */
static int walk_object(struct walk *w, list_fn list, struct err *err)
{
	struct str key = STR_NULL;
	bool more = false;

	TRY(kube_json_object_begin(w->r, err));
	for (;;) {
		TRY(kube_json_next_key(w->r, &key, &more, err));
		if (more)
			TRY(on_key(w, key, list, err));
		else if (w->depth-- == 0)
			return 0;
	}
}

static int no_list(struct walk *w, const struct kube_field *f, struct err *err)
{
	(void)w;
	return bad_row(f, "a list within a list", err);
}

static int read_list(struct walk *outer, const struct kube_field *f, struct err *err)
{
	struct walk w = {.projection = f->of, .r = outer->r, .items = outer->items};
	struct kube_projected item = {.field = f, .kind = KUBE_PROJECTED_HEAD};
	bool more = false;

	TRY(prepare(&w, true, err));
	TRY(kube_json_array_begin(w.r, err));
	TRY(add(&w, &item, err));
	item.kind = KUBE_PROJECTED_ELEMENT;
	for (uint32_t n = 0;; n++) {
		TRY(kube_json_array_next(w.r, &more, err));
		if (!more)
			return 0;
		if (n == f->bound)
			return too_many(f, err);
		TRY(add(&w, &item, err));
		w.from = w.items->len / sizeof(item);
		w.seen = 0;
		w.depth = 0;
		TRY(walk_object(&w, no_list, err));
	}
}

int kube_project(const struct kube_projection *projection, struct str doc, void **ret_object,
	struct err *err)
{
	_cleanup_(base_buf_done) struct buf items =
		base_buf(KUBE_PROJECTED_MAX * sizeof(struct kube_projected));
	struct kube_json r;
	struct walk w = {.projection = projection, .r = &r, .items = &items};

	TRY(prepare(&w, false, err));
	TRY(kube_json_init(&r, doc, err));
	TRY(walk_object(&w, read_list, err));
	TRY(kube_json_end(&r, err));
	return kube_project_fill(projection, (struct kube_projected *)(void *)items.data,
		items.len / sizeof(struct kube_projected), ret_object, err);
}
