#include "pkg/kube/store.h"

#include "pkg/base/alloc.h"
#include "pkg/base/map.h"

#define BUCKET_KEYS_MAX ((size_t)4 * KUBE_STORE_MAX)

/* The objects with one key of one index. */
struct bucket {
	const void **objects;
	size_t n, cap;
};

struct index {
	kube_index_fn keys;
	struct map *buckets;
};

struct kube_store {
	const struct kube_kind *kind;
	struct map *objects;
	struct index indexes[KUBE_INDEXES_MAX];
	size_t indexes_len;
};

static struct bucket *bucket_free(struct bucket *b)
{
	if (b)
		base_free(b->objects);
	return base_free(b);
}
CLEANUP_FREE(struct bucket, bucket_free);

int kube_store_new(const struct kube_kind *kind, struct kube_store **ret_store, struct err *err)
{
	_cleanup_(kube_store_free) struct kube_store *s = base_alloc(1, sizeof(*s));

	if (!s)
		return FAIL(err, ERR_NOMEM, "store");
	s->kind = kind;
	TRY(base_map_new(KUBE_STORE_MAX, &s->objects, err));
	*ret_store = STEAL(s);
	return 0;
}

static void index_done(struct index *index)
{
	struct str key;
	void *bucket = NULL;

	for (size_t at = 0; index->buckets && base_map_next(index->buckets, &at, &key, &bucket);)
		bucket_free(bucket);
	index->buckets = base_map_free(index->buckets);
}

struct kube_store *kube_store_free(struct kube_store *s)
{
	struct str key;
	void *object = NULL;

	if (!s)
		return NULL;
	for (size_t i = 0; i < s->indexes_len; i++)
		index_done(&s->indexes[i]);
	for (size_t at = 0; s->objects && base_map_next(s->objects, &at, &key, &object);)
		kube_kind_free(s->kind, object);
	base_map_free(s->objects);
	return base_free(s);
}

/* ---- one index ---- */

static int bucket_room(
	struct index *index, struct str key, struct bucket **ret_bucket, struct err *err)
{
	struct bucket *b = base_map_get(index->buckets, key);

	if (!b) {
		_cleanup_(bucket_free) struct bucket *made = base_alloc(1, sizeof(*made));
		if (!made)
			return FAIL(err, ERR_NOMEM, "index");
		TRY(base_map_put(index->buckets, key, made, NULL, err));
		b = STEAL(made);
	}
	*ret_bucket = b;
	if (b->n < b->cap)
		return 0;
	const size_t cap = b->cap ? b->cap * 2 : 2;
	const void **objects = base_realloc(b->objects, cap * sizeof(void *));
	if (!objects)
		return FAIL(err, ERR_NOMEM, "index");
	b->objects = objects;
	b->cap = cap;
	return 0;
}

static void bucket_take(struct index *index, struct str key, const void *object)
{
	struct bucket *b = base_map_get(index->buckets, key);

	for (size_t i = 0; b && i < b->n; i++)
		if (b->objects[i] == object) {
			b->objects[i] = b->objects[--b->n];
			break;
		}
	if (b && b->n == 0)
		bucket_free(base_map_remove(index->buckets, key));
}

/* The keys of an object without empty ones and doubles. */
static size_t keys_of(const struct index *index, const void *object, struct str *keys)
{
	struct str raw[KUBE_INDEX_KEYS] = {{0}};
	const size_t all = index->keys(object, raw);
	size_t n = 0;

	base_assert(all <= KUBE_INDEX_KEYS);
	for (size_t i = 0; i < all; i++) {
		bool twice = raw[i].n == 0;
		for (size_t k = 0; k < n && !twice; k++)
			twice = base_str_eq(keys[k], raw[i]);
		if (!twice)
			keys[n++] = raw[i];
	}
	return n;
}

static void index_take(struct index *index, const void *object)
{
	struct str keys[KUBE_INDEX_KEYS];
	const size_t n = keys_of(index, object, keys);

	for (size_t i = 0; i < n; i++)
		bucket_take(index, keys[i], object);
}

/* All keys or none. */
static int index_put(struct index *index, const void *object, struct err *err)
{
	struct str keys[KUBE_INDEX_KEYS];
	const size_t n = keys_of(index, object, keys);

	for (size_t i = 0; i < n; i++) {
		struct bucket *b = NULL;
		const int r = bucket_room(index, keys[i], &b, err);
		if (r < 0) {
			/* An empty bucket that was just made goes with it. */
			for (size_t k = 0; k <= i; k++)
				bucket_take(index, keys[k], object);
			return r;
		}
		base_assert(b);
		b->objects[b->n++] = object;
	}
	return 0;
}

static int indexes_put(struct kube_store *s, const void *object, struct err *err)
{
	for (size_t i = 0; i < s->indexes_len; i++) {
		const int r = index_put(&s->indexes[i], object, err);
		if (r < 0) {
			while (i-- > 0)
				index_take(&s->indexes[i], object);
			return r;
		}
	}
	return 0;
}

static void indexes_take(struct kube_store *s, const void *object)
{
	for (size_t i = 0; i < s->indexes_len; i++)
		index_take(&s->indexes[i], object);
}

int kube_store_index(struct kube_store *s, kube_index_fn keys, size_t *ret_index, struct err *err)
{
	struct index index = {.keys = keys};
	const void *object = NULL;

	if (s->indexes_len == KUBE_INDEXES_MAX)
		return FAIL(err, ERR_TOO_LARGE, "more than %d indexes", KUBE_INDEXES_MAX);
	TRY(base_map_new(BUCKET_KEYS_MAX, &index.buckets, err));
	for (size_t at = 0; (object = kube_store_each(s, &at));) {
		const int r = index_put(&index, object, err);
		if (r < 0) {
			index_done(&index);
			return r;
		}
	}
	*ret_index = s->indexes_len;
	s->indexes[s->indexes_len++] = index;
	return 0;
}

int kube_store_like(const struct kube_store *s, struct kube_store **ret_store, struct err *err)
{
	_cleanup_(kube_store_free) struct kube_store *like = NULL;
	size_t index = 0;

	TRY(kube_store_new(s->kind, &like, err));
	base_assert(like);
	for (size_t i = 0; i < s->indexes_len; i++)
		TRY(kube_store_index(like, s->indexes[i].keys, &index, err));
	*ret_store = STEAL(like);
	return 0;
}

/* ---- objects ---- */

static int make_key(struct str ns, struct str name, char dst[static KUBE_KEY_MAX],
	struct str *ret_key, struct err *err)
{
	if (name.n == 0)
		return FAIL(err, ERR_INVALID, "object without a name");
	if (ns.n >= KUBE_KEY_MAX || name.n >= KUBE_KEY_MAX - ns.n)
		return FAIL(err, ERR_INVALID, "name of %zu bytes", name.n);
	if (ns.n)
		memcpy(dst, ns.p, ns.n);
	dst[ns.n] = '/';
	memcpy(dst + ns.n + 1, name.p, name.n);
	*ret_key = base_str_n(dst, ns.n + 1 + name.n);
	return 0;
}

int kube_store_put(struct kube_store *s, void *object, void **ret_old, struct err *err)
{
	const struct kube_meta meta = kube_kind_meta(s->kind, object);
	char text[KUBE_KEY_MAX];
	struct str key = STR_NULL;
	void *old = NULL;

	TRY(make_key(meta.ns, meta.name, text, &key, err));
	TRY(indexes_put(s, object, err));
	const int r = base_map_put(s->objects, key, object, &old, err);
	if (r < 0) {
		indexes_take(s, object);
		return r;
	}
	if (old)
		indexes_take(s, old);
	*ret_old = old;
	return 0;
}

static void bucket_swap(struct index *index, struct str key, const void *from, const void *to)
{
	struct bucket *b = base_map_get(index->buckets, key);

	for (size_t i = 0; b && i < b->n; i++)
		if (b->objects[i] == from)
			b->objects[i] = to;
}

/* A key that is there already needs no memory; the keys of the same version are the same. */
static void put_in_place(struct kube_store *s, struct str key, void *from, void *to)
{
	struct str keys[KUBE_INDEX_KEYS];
	const int r = base_map_put(s->objects, key, to, NULL, NULL);

	base_assert(r == 0);
	for (size_t i = 0; i < s->indexes_len; i++) {
		const size_t n = keys_of(&s->indexes[i], from, keys);
		for (size_t k = 0; k < n; k++)
			bucket_swap(&s->indexes[i], keys[k], from, to);
	}
}

static bool same_version(const struct kube_kind *kind, const void *a, const void *b)
{
	const struct kube_meta x = kube_kind_meta(kind, a), y = kube_kind_meta(kind, b);

	return base_str_eq(x.uid, y.uid) && base_str_eq(x.rv, y.rv);
}

void kube_store_keep(struct kube_store *s, struct kube_store *before)
{
	struct str key;
	void *old = NULL;

	for (size_t at = 0; base_map_next(before->objects, &at, &key, &old);) {
		void *copy = base_map_get(s->objects, key);
		if (!copy || !same_version(s->kind, copy, old))
			continue;
		put_in_place(s, key, copy, old);
		put_in_place(before, key, old, copy);
	}
}

void *kube_store_take(struct kube_store *s, struct str ns, struct str name)
{
	char text[KUBE_KEY_MAX];
	struct str key = STR_NULL;

	if (make_key(ns, name, text, &key, NULL) < 0)
		return NULL;
	void *object = base_map_remove(s->objects, key);
	if (object)
		indexes_take(s, object);
	return object;
}

const void *kube_store_find(const struct kube_store *s, struct str ns, struct str name)
{
	char text[KUBE_KEY_MAX];
	struct str key = STR_NULL;

	return make_key(ns, name, text, &key, NULL) < 0 ? NULL : base_map_get(s->objects, key);
}

size_t kube_store_len(const struct kube_store *s)
{
	return base_map_len(s->objects);
}

const void *kube_store_each(const struct kube_store *s, size_t *at)
{
	struct str key;
	void *object = NULL;

	return base_map_next(s->objects, at, &key, &object) ? object : NULL;
}

size_t kube_store_by_index(
	const struct kube_store *s, size_t index, struct str key, const void *const **ret_objects)
{
	const struct bucket *b =
		index < s->indexes_len ? base_map_get(s->indexes[index].buckets, key) : NULL;

	*ret_objects = b ? b->objects : NULL;
	return b ? b->n : 0;
}
