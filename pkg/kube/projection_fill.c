#include "pkg/base/alloc.h"
#include "pkg/kube/json.h"
#include "pkg/kube/projection_impl.h"

#include <stdalign.h>

/* The block: the struct, then arrays, then texts. */
struct fill {
	const struct kube_projected *items;
	size_t n;
	char *object;
	char *arrays, *texts;              /* where the next one goes */
	const struct kube_projected *head; /* of the list in hand */
	char *list;                        /* its array */
	size_t element;                    /* of it; the next one's index */
};

static size_t element_size(const struct kube_field *f)
{
	switch (f->type) {
	case KUBE_FIELD_TEXTS:
		return sizeof(struct str);
	case KUBE_FIELD_PAIRS:
		return sizeof(struct kube_pair);
	case KUBE_FIELD_LIST:
		return f->of->size;
	case KUBE_FIELD_TEXT:
	case KUBE_FIELD_INT:
	case KUBE_FIELD_BOOL:
	case KUBE_FIELD_TIME:
	case KUBE_FIELD_PRESENT:
	case KUBE_FIELD_RAW:
	case KUBE_FIELD_COUNT:
		break;
	}
	return 0;
}

static size_t aligned(size_t n)
{
	return (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

/* Elements behind the head at i: they end where the next field of the outer table comes. */
static size_t count_elements(const struct fill *f, size_t i)
{
	const struct kube_field *field = f->items[i].field;
	size_t n = 0;

	for (i++; i < f->n && f->items[i].kind != KUBE_PROJECTED_HEAD; i++)
		if (f->items[i].kind == KUBE_PROJECTED_ELEMENT && f->items[i].field == field)
			n++;
	return n;
}

static struct str put_text(struct fill *f, const struct kube_projected *item)
{
	char *p = f->texts;
	const size_t n = item->escaped ? kube_json_unescape(item->raw, p) : item->raw.n;

	if (!item->escaped && n && item->raw.p)
		memcpy(p, item->raw.p, n);
	p[n] = 0;
	f->texts += item->raw.n + 1;
	return base_str_n(p, n);
}

static void put_head(struct fill *f, size_t i)
{
	const struct kube_field *field = f->items[i].field;
	const size_t n = count_elements(f, i);
	/* struct kube_pairs has the same two members: pointer and count. */
	const struct kube_list list = {.items = n ? f->arrays : NULL, .n = n};

	memcpy(f->object + field->offset, &list, sizeof(list));
	f->head = &f->items[i];
	f->list = f->arrays;
	f->element = 0;
	f->arrays += aligned(n * element_size(field));
}

static void put_element(struct fill *f, const struct kube_projected *item)
{
	base_assert(f->list);
	char *to = f->list + f->element++ * element_size(item->field);

	if (item->field->type == KUBE_FIELD_TEXTS) {
		const struct str text = put_text(f, item);
		memcpy(to, &text, sizeof(text));
	} else if (item->field->type == KUBE_FIELD_PAIRS) {
		const struct kube_pair pair = {.key = put_text(f, item)};
		memcpy(to, &pair, sizeof(pair));
	}
}

/* The struct that the value belongs to: an element's if its row is of the element's table. */
static char *owner(const struct fill *f, const struct kube_field *field)
{
	const struct kube_projection *of = f->head ? f->head->field->of : NULL;

	if (of && field >= of->fields && field < of->fields + of->n)
		return f->list + (f->element - 1) * of->size;
	return f->object;
}

static int put_value(struct fill *f, const struct kube_projected *item, struct err *err)
{
	const struct kube_field *field = item->field;
	char *to = owner(f, field) + field->offset;
	const bool flag = item->n != 0;
	struct str text;

	switch (field->type) {
	case KUBE_FIELD_TEXT:
	case KUBE_FIELD_RAW:
		text = put_text(f, item);
		if (text.n > field->bound)
			return FAIL(
				err, ERR_TOO_LARGE, "%s: more than %u", field->path, field->bound);
		memcpy(to, &text, sizeof(text));
		return 0;
	case KUBE_FIELD_INT:
	case KUBE_FIELD_TIME:
	case KUBE_FIELD_COUNT:
		memcpy(to, &item->n, sizeof(item->n));
		return 0;
	case KUBE_FIELD_BOOL:
	case KUBE_FIELD_PRESENT:
		memcpy(to, &flag, sizeof(flag));
		return 0;
	case KUBE_FIELD_PAIRS:
		text = put_text(f, item);
		base_assert(f->list);
		to = f->list + (f->element - 1) * sizeof(struct kube_pair);
		memcpy(to + offsetof(struct kube_pair, value), &text, sizeof(text));
		return 0;
	case KUBE_FIELD_TEXTS:
	case KUBE_FIELD_LIST:
		break;
	}
	return FAIL(err, ERR_BUG, "%s: not a value", field->path);
}

static int put_all(struct fill *f, struct err *err)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->items[i].dead)
			continue;
		if (f->items[i].kind == KUBE_PROJECTED_HEAD)
			put_head(f, i);
		else if (f->items[i].kind == KUBE_PROJECTED_ELEMENT)
			put_element(f, &f->items[i]);
		else
			TRY(put_value(f, &f->items[i], err));
	}
	return 0;
}

int kube_project_fill(const struct kube_projection *projection, const struct kube_projected *items,
	size_t n, void **ret_object, struct err *err)
{
	struct fill f = {.items = items, .n = n};
	size_t arrays = 0, texts = 0;

	for (size_t i = 0; i < n; i++) {
		if (items[i].dead)
			continue;
		if (items[i].kind == KUBE_PROJECTED_HEAD)
			arrays += aligned(count_elements(&f, i) * element_size(items[i].field));
		else
			texts += items[i].raw.p ? items[i].raw.n + 1 : 0;
	}
	const size_t size = aligned(projection->size);
	_cleanup_(base_free) char *block = base_alloc(1, size + arrays + texts);
	if (!block)
		return FAIL(err, ERR_NOMEM, "object of %zu bytes", size + arrays + texts);
	f.object = block;
	f.arrays = block + size;
	f.texts = f.arrays + arrays;
	TRY(put_all(&f, err));
	*ret_object = STEAL(block);
	return 0;
}
