#include "pkg/base/map.h"

#include "pkg/base/alloc.h"

struct entry {
	char *key; /* NULL: free */
	size_t n;
	void *value; /* NULL with a key: removed */
};

struct map {
	struct entry *entries;
	size_t cap;  /* a power of two, or 0 */
	size_t used; /* removed ones too */
	size_t len;
	size_t max;
	uint64_t seed;
};

int base_map_new(size_t max, struct map **ret_map, struct err *err)
{
	struct map *m = base_alloc(1, sizeof(*m));

	if (!m)
		return FAIL(err, ERR_NOMEM, "map");
	m->max = max;
	m->seed = 14695981039346656037ULL ^ (uint64_t)(uintptr_t)m;
	*ret_map = m;
	return 0;
}

struct map *base_map_free(struct map *m)
{
	for (size_t i = 0; m && i < m->cap; i++)
		base_free(m->entries[i].key);
	if (m)
		base_free(m->entries);
	return base_free(m);
}

static size_t hash(const struct map *m, struct str key)
{
	uint64_t h = m->seed;

	for (size_t i = 0; i < key.n; i++)
		h = (h ^ (uint8_t)key.p[i]) * 1099511628211ULL;
	return (size_t)(h ^ h >> 29);
}

static struct entry *find(const struct map *m, struct str key)
{
	if (m->cap == 0)
		return NULL;
	for (size_t i = hash(m, key);; i++) {
		struct entry *e = &m->entries[i & (m->cap - 1)];
		if (!e->key)
			return NULL;
		if (e->value && e->n == key.n && (key.n == 0 || memcmp(e->key, key.p, key.n) == 0))
			return e;
	}
}

void *base_map_get(const struct map *m, struct str key)
{
	const struct entry *e = find(m, key);

	return e ? e->value : NULL;
}

static void place(struct map *m, struct entry entry)
{
	const struct str key = {.p = entry.key, .n = entry.n};
	size_t i = hash(m, key);

	while (m->entries[i & (m->cap - 1)].key)
		i++;
	m->entries[i & (m->cap - 1)] = entry;
	m->used++;
	m->len++;
}

static int grow(struct map *m, struct err *err)
{
	struct entry *old = m->entries;
	const size_t old_cap = m->cap;
	const size_t cap = m->len * 4 < 16 ? 16 : (size_t)1 << (64 - __builtin_clzll(m->len * 3));
	struct entry *entries = base_alloc(cap, sizeof(*entries));

	if (!entries)
		return FAIL(err, ERR_NOMEM, "map of %zu entries", cap);
	m->entries = entries;
	m->cap = cap;
	m->used = m->len = 0;
	for (size_t i = 0; i < old_cap; i++) {
		if (old[i].value)
			place(m, old[i]);
		else
			base_free(old[i].key);
	}
	base_free(old);
	return 0;
}

int base_map_put(struct map *m, struct str key, void *value, void **ret_old, struct err *err)
{
	struct entry *e = find(m, key);

	base_assert(value);
	if (e) {
		if (ret_old)
			*ret_old = e->value;
		e->value = value;
		return 0;
	}
	if (m->len >= m->max)
		return FAIL(err, ERR_TOO_LARGE, "more than %zu entries", m->max);
	if ((m->used + 1) * 4 > m->cap * 3)
		TRY(grow(m, err));
	char *copy = base_strndup(key.p, key.n);
	if (!copy)
		return FAIL(err, ERR_NOMEM, "map key");
	place(m, (struct entry){.key = copy, .n = key.n, .value = value});
	if (ret_old)
		*ret_old = NULL;
	return 0;
}

void *base_map_remove(struct map *m, struct str key)
{
	struct entry *e = find(m, key);

	if (!e)
		return NULL;
	void *value = e->value;
	e->value = NULL;
	m->len--;
	return value;
}

size_t base_map_len(const struct map *m)
{
	return m->len;
}

bool base_map_next(const struct map *m, size_t *at, struct str *ret_key, void **ret_value)
{
	for (; *at < m->cap; (*at)++) {
		const struct entry *e = &m->entries[*at];
		if (!e->value)
			continue;
		*ret_key = base_str_n(e->key, e->n);
		*ret_value = e->value;
		(*at)++;
		return true;
	}
	return false;
}
