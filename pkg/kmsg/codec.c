#include "pkg/kmsg/codec.h"

static int put_bytes(struct kmsg_writer *w, const void *p, size_t n, struct err *err)
{
	if (n > w->max - w->n)
		return FAIL(err, ERR_TOO_LARGE, "message over %zu bytes", w->max);
	memcpy(w->p + w->n, p, n);
	w->n += n;
	return 0;
}

int kmsg_put(struct kmsg_writer *w, uint64_t value, size_t n, struct err *err)
{
	uint8_t b[8];

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
	return put_bytes(w, b, n, err);
}

/* *ret_p borrows from the reader. */
static int take_bytes(struct kmsg_reader *r, size_t n, const uint8_t **ret_p, struct err *err)
{
	if (n > r->n)
		return FAIL(err, ERR_INVALID, "message ends %zu bytes early", n - r->n);
	*ret_p = r->p;
	r->p += n;
	r->n -= n;
	return 0;
}

int kmsg_take(struct kmsg_reader *r, size_t n, uint64_t *ret_value, struct err *err)
{
	const uint8_t *p = r->p;
	uint64_t value = 0;

	TRY(take_bytes(r, n, &p, err));
	for (size_t i = 0; i < n; i++)
		value = value << 8 | p[i];
	*ret_value = value;
	return 0;
}

static bool is_name(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char c = p[i];
		const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_' &&
			c != ':')
			return false;
	}
	return n > 0 && n <= KMSG_NAME_MAX;
}

static bool is_text(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] < ' ' || p[i] > '~')
			return false;
	return true;
}

int kmsg_name_set(struct kmsg_name *ret_name, struct str s, struct err *err)
{
	if (!is_name(s.p, s.n))
		return FAIL(err, ERR_INVALID,
			"not a name of 1 to %d letters, digits, -._:", KMSG_NAME_MAX);
	ret_name->n = (uint16_t)s.n;
	memcpy(ret_name->p, s.p, s.n);
	memset(ret_name->p + s.n, 0, sizeof(ret_name->p) - s.n);
	return 0;
}

static uint16_t load_u16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Numbers of every width as 64 bits, with the bounds and the width of their kind. */
static int number_kind(enum kmsg_field_kind kind, uint64_t *ret_min, uint64_t *ret_max)
{
	static const struct {
		uint64_t min, max;
		int width;
	} rows[KMSG_FIELD_KIND_COUNT] = {
		[KMSG_FIELD_POSITIVE] = {1, INT64_MAX, 8},
		[KMSG_FIELD_NUMBER] = {0, INT64_MAX, 8},
		[KMSG_FIELD_COUNTER] = {0, UINT64_MAX, 8},
		[KMSG_FIELD_U16] = {0, UINT16_MAX, 2},
		[KMSG_FIELD_FLAG] = {0, 1, 1},
	};
	*ret_min = rows[kind].min;
	*ret_max = rows[kind].max;
	return rows[kind].width;
}

static uint64_t load_number(const uint8_t *p, size_t width)
{
	uint64_t v;

	if (width == 1)
		return *p;
	if (width == 2)
		return load_u16(p);
	memcpy(&v, p, sizeof(v));
	return v;
}

static void store_number(uint8_t *p, size_t width, uint64_t v)
{
	const uint16_t two = (uint16_t)v;

	if (width == 1)
		*p = (uint8_t)v;
	else if (width == 2)
		memcpy(p, &two, sizeof(two));
	else
		memcpy(p, &v, sizeof(v));
}

static int check_number(uint64_t v, uint64_t min, uint64_t max, struct err *err)
{
	if (v < min || v > max)
		return FAIL(err, ERR_INVALID, "number out of its bounds");
	return 0;
}

/* -- fields with a length of their own: where they lie, and whether they are well-formed -- */

struct span {
	const uint8_t *p;
	size_t n;
};

static int check_span(const struct kmsg_field *f, struct span s, struct err *err)
{
	bool ok = false;

	if (f->kind == KMSG_FIELD_NAME)
		ok = is_name((const char *)s.p, s.n);
	else if (f->kind == KMSG_FIELD_TEXT)
		ok = s.n < f->size && is_text((const char *)s.p, s.n);
	else
		ok = s.n > 0 && s.n <= f->size;
	if (!ok)
		return FAIL(err, ERR_INVALID, "field of %zu bytes is not well-formed", s.n);
	return 0;
}

static struct span load_span(const struct kmsg_field *f, const uint8_t *body)
{
	const uint8_t *p = body + f->at;

	if (f->kind == KMSG_FIELD_NAME) {
		const struct kmsg_name *name = (const void *)p;
		return (struct span){(const uint8_t *)name->p, name->n};
	}
	if (f->kind == KMSG_FIELD_TEXT)
		return (struct span){p, strnlen((const char *)p, f->size)};
	return (struct span){p, load_u16(body + f->len_at)};
}

static void store_span(const struct kmsg_field *f, struct span s, uint8_t *body)
{
	const uint16_t n = (uint16_t)s.n;
	uint8_t *p = body + f->at;

	if (f->kind == KMSG_FIELD_NAME) {
		struct kmsg_name *name = (void *)p;
		name->n = n;
		memcpy(name->p, s.p, s.n);
		return;
	}
	memcpy(p, s.p, s.n);
	if (f->kind == KMSG_FIELD_BLOB)
		memcpy(body + f->len_at, &n, sizeof(n));
}

/* -- one field that is no list -- */

static int write_field(
	const struct kmsg_field *f, const uint8_t *body, struct kmsg_writer *w, struct err *err)
{
	uint64_t min, max;
	const size_t width = (size_t)number_kind(f->kind, &min, &max);

	if (f->kind == KMSG_FIELD_BYTES)
		return put_bytes(w, body + f->at, f->size, err);
	if (width) {
		const uint64_t v = load_number(body + f->at, width);
		TRY(check_number(v, min, max, err));
		return kmsg_put(w, v, width, err);
	}
	const struct span s = load_span(f, body);
	/* The length comes from the struct: look at it before the bytes. */
	if (s.n > (f->kind == KMSG_FIELD_NAME ? KMSG_NAME_MAX : f->size))
		return FAIL(err, ERR_INVALID, "field of %zu bytes is too long", s.n);
	TRY(check_span(f, s, err));
	TRY(kmsg_put(w, s.n, 2, err));
	return put_bytes(w, s.p, s.n, err);
}

static int read_field(
	const struct kmsg_field *f, struct kmsg_reader *r, uint8_t *body, struct err *err)
{
	uint64_t min, max, v = 0;
	struct span s = {r->p, 0};
	const size_t width = (size_t)number_kind(f->kind, &min, &max);

	if (f->kind == KMSG_FIELD_BYTES) {
		TRY(take_bytes(r, f->size, &s.p, err));
		if (body)
			memcpy(body + f->at, s.p, f->size);
		return 0;
	}
	if (width) {
		TRY(kmsg_take(r, width, &v, err));
		TRY(check_number(v, min, max, err));
		if (body)
			store_number(body + f->at, width, v);
		return 0;
	}
	TRY(kmsg_take(r, 2, &v, err));
	s.n = (size_t)v;
	TRY(take_bytes(r, s.n, &s.p, err));
	TRY(check_span(f, s, err));
	if (body)
		store_span(f, s, body);
	return 0;
}

/* -- lists and shapes -- */

static int check_count(const struct kmsg_field *list, uint64_t n, struct err *err)
{
	if (n > list->size)
		return FAIL(err, ERR_INVALID, "list of %llu elements", (unsigned long long)n);
	return 0;
}

static int write_list(
	const struct kmsg_field *list, const uint8_t *body, struct kmsg_writer *w, struct err *err)
{
	const uint16_t n = load_u16(body + list->len_at);

	TRY(check_count(list, n, err));
	TRY(kmsg_put(w, n, 2, err));
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < list->each->n; j++)
			TRY(write_field(&list->each->fields[j], body + list->at + i * list->stride,
				w, err));
	return 0;
}

static int read_list(
	const struct kmsg_field *list, struct kmsg_reader *r, uint8_t *body, struct err *err)
{
	uint64_t n = 0;

	TRY(kmsg_take(r, 2, &n, err));
	TRY(check_count(list, n, err));
	for (size_t i = 0; i < n; i++) {
		uint8_t *element = body ? body + list->at + i * list->stride : NULL;
		for (size_t j = 0; j < list->each->n; j++)
			TRY(read_field(&list->each->fields[j], r, element, err));
	}
	if (body)
		store_number(body + list->len_at, 2, n);
	return 0;
}

int kmsg_shape_write(
	const struct kmsg_shape *shape, const void *body, struct kmsg_writer *w, struct err *err)
{
	for (size_t i = 0; i < shape->n; i++) {
		const struct kmsg_field *f = &shape->fields[i];
		if (f->kind == KMSG_FIELD_LIST)
			TRY(write_list(f, body, w, err));
		else
			TRY(write_field(f, body, w, err));
	}
	return 0;
}

int kmsg_shape_read(
	const struct kmsg_shape *shape, struct kmsg_reader *r, void *body, struct err *err)
{
	for (size_t i = 0; i < shape->n; i++) {
		const struct kmsg_field *f = &shape->fields[i];
		if (f->kind == KMSG_FIELD_LIST)
			TRY(read_list(f, r, body, err));
		else
			TRY(read_field(f, r, body, err));
	}
	return 0;
}
