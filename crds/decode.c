/* Decoding is two steps: pkg/kube/projection finds the fields (texts, numbers, lists: one slot
 * each), then the rows of fields.c turn slots into the struct, in one block of just its size. */
#include "crds/fields.h"

#include "pkg/base/alloc.h"
#include "pkg/base/text.h"
#include "pkg/kube/projection.h"

#define ROOT_ROWS_MAX 64
#define OWNERS_MAX    64
#define HEX_MAX       (2 * sizeof(struct crds_signature))

/* What the projection leaves of a field; which member counts follows from its kind. */
union slot {
	struct str text;
	int64_t number;
	bool yes;
	struct kube_list list;
};

struct owner {
	struct str api_version, kind, name, uid;
};
static const struct kube_field owner_rows[] = {
	{"/apiVersion", KUBE_FIELD_TEXT, 253, offsetof(struct owner, api_version)},
	{"/kind", KUBE_FIELD_TEXT, 63, offsetof(struct owner, kind)},
	{"/name", KUBE_FIELD_TEXT, 253, offsetof(struct owner, name)},
	{"/uid", KUBE_FIELD_TEXT, CRDS_UID_LEN, offsetof(struct owner, uid)},
};
static const struct kube_projection owner_projection = {
	owner_rows, ARRAY_LEN(owner_rows), sizeof(struct owner)};

static const struct {
	enum kube_field_type type;
	uint32_t bound; /* 0: that of the row */
} kinds[CRDS_KIND_COUNT] = {
	[CRDS_TEXT] = {KUBE_FIELD_TEXT, 0},
	[CRDS_UID] = {KUBE_FIELD_TEXT, CRDS_UID_LEN},
	[CRDS_ID] = {KUBE_FIELD_INT, 0},
	[CRDS_COUNT] = {KUBE_FIELD_INT, 0},
	[CRDS_GENERATION] = {KUBE_FIELD_INT, 0},
	[CRDS_PRESENT] = {KUBE_FIELD_PRESENT, 0},
	[CRDS_POINT] = {KUBE_FIELD_TEXT, 2 * sizeof(struct crds_point)},
	[CRDS_FINGERPRINT] = {KUBE_FIELD_TEXT, 2 * sizeof(struct crds_fingerprint)},
	[CRDS_SIGNATURE] = {KUBE_FIELD_TEXT, 2 * sizeof(struct crds_signature)},
	[CRDS_TIME] = {KUBE_FIELD_TIME, 0},
	[CRDS_DURATION] = {KUBE_FIELD_TEXT, 9},
	[CRDS_WORD] = {KUBE_FIELD_TEXT, 0},
};

/* The rows of a shape as a projection into slots. */
static void make_rows(const struct crds_shape *shape, struct kube_field *rows)
{
	for (size_t i = 0; i < shape->n; i++) {
		const struct crds_field *f = &shape->fields[i];
		rows[i] = (struct kube_field){.path = f->path,
			.type = kinds[f->kind].type,
			.bound = kinds[f->kind].bound ? kinds[f->kind].bound : f->bound,
			.offset = i * sizeof(union slot)};
	}
}

/* All slots of one document: those of the root, then one per list, then the owners. */
static int project(struct str json, void **ret_raw, struct err *err)
{
	struct kube_field root[ROOT_ROWS_MAX] = {0};
	struct kube_field rows[CRDS_LISTS][16] = {0};
	struct kube_projection of[CRDS_LISTS] = {0};
	const size_t n = crds_shape_root.n;

	base_assert(n + CRDS_LISTS + 1 <= ROOT_ROWS_MAX);
	make_rows(&crds_shape_root, root);
	for (size_t i = 0; i < CRDS_LISTS; i++) {
		const struct crds_list *l = &crds_lists[i];
		base_assert(l->shape->n <= ARRAY_LEN(rows[i]));
		make_rows(l->shape, rows[i]);
		of[i] = (struct kube_projection){
			rows[i], l->shape->n, l->shape->n * sizeof(union slot)};
		root[n + i] =
			(struct kube_field){l->path, l->texts ? KUBE_FIELD_TEXTS : KUBE_FIELD_LIST,
				l->max, (n + i) * sizeof(union slot), l->texts ? NULL : &of[i]};
	}
	root[n + CRDS_LISTS] = (struct kube_field){"/metadata/ownerReferences", KUBE_FIELD_LIST,
		OWNERS_MAX, (n + CRDS_LISTS) * sizeof(union slot), &owner_projection};
	const struct kube_projection all = {
		root, n + CRDS_LISTS + 1, (n + CRDS_LISTS + 1) * sizeof(union slot)};
	return kube_project(&all, json, ret_raw, err);
}

static bool is_text(enum crds_kind kind)
{
	return kind == CRDS_TEXT || kind == CRDS_UID;
}

static bool is_absent(const struct crds_field *f, const union slot *s)
{
	return kinds[f->kind].type == KUBE_FIELD_TEXT ? s->text.n == 0 : s->number == 0;
}

static int read_number(const struct crds_field *f, int64_t n, int64_t *to, struct err *err)
{
	const int64_t max = f->kind == CRDS_GENERATION ? INT64_MAX : CRDS_NUMBER_MAX;

	if (n < 0 || n > max)
		return FAIL(err, ERR_INVALID, "%lld is out of range", (long long)n);
	*to = n;
	return 0;
}

static int read_word(const struct crds_field *f, struct str s, void *to, struct err *err)
{
	const int value = crds_word_value(f->words, s);

	if (value < 0)
		return FAIL(err, ERR_INVALID, "unknown value '%.*s'", STR_FMT(s));
	memcpy(to, &value, sizeof(value));
	return 0;
}

static int read_uid(struct str s, struct str *to, struct err *err)
{
	if (s.n != CRDS_UID_LEN)
		return FAIL(err, ERR_INVALID, "'%.*s' is not a UID", STR_FMT(s));
	*to = s;
	return 0;
}

static int read_slot(const struct crds_field *f, const union slot *s, void *to, struct err *err)
{
	switch (f->kind) {
	case CRDS_TEXT:
		*(struct str *)to = s->text;
		return 0;
	case CRDS_UID:
		return read_uid(s->text, to, err);
	case CRDS_ID:
	case CRDS_COUNT:
	case CRDS_GENERATION:
		return read_number(f, s->number, to, err);
	case CRDS_PRESENT:
		*(bool *)to = s->yes;
		return 0;
	case CRDS_POINT:
	case CRDS_FINGERPRINT:
	case CRDS_SIGNATURE:
		return base_unhex(s->text, to, kinds[f->kind].bound / 2, err);
	case CRDS_TIME:
		*(int64_t *)to = s->number;
		return 0;
	case CRDS_DURATION:
		return crds_duration_parse(s->text, to, err);
	case CRDS_WORD:
		return read_word(f, s->text, to, err);
	case CRDS_KIND_COUNT:
		break;
	}
	return FAIL(err, ERR_BUG, "a field without kind");
}

/* Texts still point into the raw block afterwards. */
static int read_shape(const struct crds_shape *shape, const union slot *slots, void *to,
	const char *where, struct err *err)
{
	for (size_t i = 0; i < shape->n; i++) {
		const struct crds_field *f = &shape->fields[i];
		if (is_absent(f, &slots[i]))
			continue;
		const int r = read_slot(f, &slots[i], (char *)to + f->offset, err);
		if (r < 0) {
			base_err_wrap(err, "%s%s", where, f->path);
			return r;
		}
	}
	return 0;
}

static int check_needs(const struct crds_shape *shape, const union slot *slots, unsigned who,
	const char *where, struct err *err)
{
	for (size_t i = 0; i < shape->n; i++)
		if ((shape->fields[i].need & who) == who && is_absent(&shape->fields[i], &slots[i]))
			return FAIL(
				err, ERR_INVALID, "%s%s is missing", where, shape->fields[i].path);
	return 0;
}

static size_t text_bytes(const struct crds_shape *shape, const union slot *slots)
{
	size_t n = 0;

	for (size_t i = 0; i < shape->n; i++)
		if (is_text(shape->fields[i].kind))
			n += slots[i].text.n;
	return n;
}

static void move_text(struct str *s, char **to)
{
	if (s->n)
		memcpy(*to, s->p, s->n);
	s->p = s->n ? *to : NULL;
	*to += s->n;
}

static void move_texts(const struct crds_shape *shape, void *object, char **to)
{
	for (size_t i = 0; i < shape->n; i++)
		if (is_text(shape->fields[i].kind))
			move_text((struct str *)(void *)((char *)object + shape->fields[i].offset),
				to);
}

static const union slot *element(const struct crds_list *l, const struct kube_list *raw, size_t i)
{
	return (const union slot *)raw->items + i * l->shape->n;
}

/* The list's elements into `array`, which has room for them. */
static int read_list(const struct crds_list *l, const struct kube_list *raw,
	struct crds_functionkey *fk, char *array, struct err *err)
{
	for (size_t i = 0; i < raw->n; i++) {
		TRY(check_needs(l->shape, element(l, raw, i), CRDS_NEED_BOTH, l->path, err));
		TRY(read_shape(
			l->shape, element(l, raw, i), array + i * l->shape->size, l->path, err));
	}
	void *const items = raw->n ? array : NULL;
	memcpy((char *)fk + l->offset, &items, sizeof(items));
	memcpy((char *)fk + l->len_offset, &raw->n, sizeof(raw->n));
	return 0;
}

static void read_owner(const struct kube_list *raw, struct crds_functionkey *fk)
{
	const struct owner *owner = raw->items;

	if (raw->n == 0)
		return;
	fk->owner_api_version = owner->api_version;
	fk->owner_kind = owner->kind;
	fk->owner_name = owner->name;
	fk->owner_uid = owner->uid;
}

static size_t block_size(const union slot *slots, const struct kube_list *owners)
{
	const struct owner *o = owners->items;
	size_t n = sizeof(struct crds_functionkey) + text_bytes(&crds_shape_root, slots);

	if (owners->n)
		n += o->api_version.n + o->kind.n + o->name.n + o->uid.n;
	for (size_t i = 0; i < CRDS_LISTS; i++) {
		const struct kube_list *raw = &slots[crds_shape_root.n + i].list;
		n += raw->n * crds_lists[i].shape->size;
		for (size_t k = 0; k < raw->n; k++)
			n += text_bytes(crds_lists[i].shape, element(&crds_lists[i], raw, k));
	}
	return n;
}

static void move_all(struct crds_functionkey *fk, char *to)
{
	struct str *const owner[] = {
		&fk->owner_api_version, &fk->owner_kind, &fk->owner_name, &fk->owner_uid};

	move_texts(&crds_shape_root, fk, &to);
	for (size_t i = 0; i < ARRAY_LEN(owner); i++)
		move_text(owner[i], &to);
	for (size_t i = 0; i < CRDS_LISTS; i++) {
		char *items = NULL;
		size_t n = 0;
		memcpy(&items, (char *)fk + crds_lists[i].offset, sizeof(items));
		memcpy(&n, (char *)fk + crds_lists[i].len_offset, sizeof(n));
		for (size_t k = 0; k < n; k++)
			move_texts(crds_lists[i].shape, items + k * crds_lists[i].shape->size, &to);
	}
}

static int fill(struct crds_functionkey *fk, const union slot *slots, struct err *err)
{
	char *array = (char *)(fk + 1);

	crds_defaults(fk);
	TRY(read_shape(&crds_shape_root, slots, fk, "", err));
	TRY(check_needs(&crds_shape_root, slots, CRDS_NEED_BOTH, "", err));
	TRY(check_needs(&crds_shape_root, slots, 1u << fk->role, "", err));
	read_owner(&slots[crds_shape_root.n + CRDS_LISTS].list, fk);
	for (size_t i = 0; i < CRDS_LISTS; i++) {
		const struct kube_list *raw = &slots[crds_shape_root.n + i].list;
		TRY(read_list(&crds_lists[i], raw, fk, array, err));
		array += raw->n * crds_lists[i].shape->size;
	}
	TRY(crds_complete(fk, err));
	move_all(fk, array);
	return 0;
}

static void *drop(void *raw)
{
	return base_free(raw);
}
CLEANUP_FREE(void, drop);

int crds_functionkey_decode(struct str json, struct crds_functionkey **ret_fk, struct err *err)
{
	_cleanup_(drop) void *raw = NULL;
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = NULL;

	if (json.n > CRDS_OBJECT_MAX)
		return FAIL(err, ERR_TOO_LARGE, "a FunctionKey of %zu bytes", json.n);
	TRY(project(json, &raw, err));
	const union slot *slots = raw;
	fk = base_alloc(1, block_size(slots, &slots[crds_shape_root.n + CRDS_LISTS].list));
	if (!fk)
		return FAIL(err, ERR_NOMEM, "FunctionKey");
	TRY(fill(fk, slots, err));
	*ret_fk = STEAL(fk);
	return 0;
}
