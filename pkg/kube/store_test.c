#include "pkg/kube/store.h"

#include "pkg/base/test.h"

struct thing {
	struct kube_meta meta;
	struct kube_list tags;
	struct str owner;
};
static const struct kube_field thing_fields[] = {
	KUBE_META_FIELDS(struct thing, meta),
	{"/tags", KUBE_FIELD_TEXTS, KUBE_INDEX_KEYS, offsetof(struct thing, tags)},
	{"/owner", KUBE_FIELD_TEXT, 16, offsetof(struct thing, owner)},
};
static const struct kube_projection projection = {
	thing_fields, ARRAY_LEN(thing_fields), sizeof(struct thing)};
static const struct kube_kind kind = {.projection = &projection};

static size_t tags_of(const void *object, struct str *keys)
{
	const struct thing *t = object;

	if (t->tags.n)
		memcpy(keys, t->tags.items, t->tags.n * sizeof(*keys));
	return t->tags.n;
}

static size_t owner_of(const void *object, struct str *keys)
{
	keys[0] = ((const struct thing *)object)->owner;
	return 1;
}

static void *make(const char *ns, const char *name, const char *owner, const char *tags)
{
	char doc[512];
	void *object = NULL;

	(void)snprintf(doc, sizeof(doc),
		"{\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s\"},\"owner\":\"%s\",\"tags\":[%"
		"s]}",
		ns, name, owner, tags);
	assert_ok(doc, kube_kind_decode(&kind, base_str(doc), &object, err));
	return object;
}

static void put(struct kube_store *s, void *object)
{
	void *old = NULL;

	assert_ok("put", kube_store_put(s, object, &old, err));
	kube_kind_free(&kind, old);
}

static size_t count(const struct kube_store *s, size_t index, const char *key)
{
	const void *const *list = NULL;

	return kube_store_by_index(s, index, base_str(key), &list);
}

static void test_objects(void **state)
{
	_cleanup_(kube_store_free) struct kube_store *s = NULL;
	void *old = NULL, *a = make("x", "a", "", ""), *a2 = make("x", "a", "", "");
	size_t at = 0, n = 0;

	(void)state;
	assert_ok("new", kube_store_new(&kind, &s, err));
	assert_null(kube_store_find(s, STR("x"), STR("a")));
	assert_null(kube_store_take(s, STR("x"), STR("a")));
	assert_null(kube_store_each(s, &at));
	assert_ok("put", kube_store_put(s, a, &old, err));
	assert_null(old);
	put(s, make("y", "a", "", ""));
	put(s, make("", "x", "", ""));
	assert_int_equal(kube_store_len(s), 3);
	assert_ptr_equal(kube_store_find(s, STR("x"), STR("a")), a);
	assert_null(kube_store_find(s, STR(""), STR("a")));
	assert_null(kube_store_find(s, STR(""), STR("x/a")));
	assert_non_null(kube_store_find(s, STR(""), STR("x")));
	assert_ok("replace", kube_store_put(s, a2, &old, err));
	assert_ptr_equal(old, a);
	kube_kind_free(&kind, old);
	assert_int_equal(kube_store_len(s), 3);
	for (at = 0; kube_store_each(s, &at);)
		n++;
	assert_int_equal(n, 3);
	assert_ptr_equal(kube_store_take(s, STR("x"), STR("a")), a2);
	kube_kind_free(&kind, a2);
	assert_int_equal(kube_store_len(s), 2);
}

static void test_bad_names(void **state)
{
	_cleanup_(kube_store_free) struct kube_store *s = NULL;
	void *nameless = make("x", "", "", ""), *old = NULL;
	char name[KUBE_KEY_MAX + 1];

	(void)state;
	assert_ok("new", kube_store_new(&kind, &s, err));
	assert_class("no name", ERR_INVALID, kube_store_put(s, nameless, &old, err));
	kube_kind_free(&kind, nameless);
	memset(name, 'n', sizeof(name));
	assert_null(kube_store_find(s, STR("x"), base_str_n(name, sizeof(name))));
	assert_null(kube_store_find(s, base_str_n(name, sizeof(name)), STR("x")));
	assert_int_equal(kube_store_len(s), 0);
}

static void test_indexes(void **state)
{
	_cleanup_(kube_store_free) struct kube_store *s = NULL, *like = NULL;
	size_t tags = 9, owner = 9, index = 0;
	const void *const *list = NULL;

	(void)state;
	assert_ok("new", kube_store_new(&kind, &s, err));
	put(s, make("x", "a", "o1", "\"t1\",\"t2\""));
	assert_ok("index", kube_store_index(s, tags_of, &tags, err));
	assert_ok("index", kube_store_index(s, owner_of, &owner, err));
	put(s, make("x", "b", "o1", "\"t2\",\"t2\",\"\""));
	put(s, make("x", "c", "", ""));
	assert_int_equal(count(s, tags, "t1"), 1);
	assert_int_equal(count(s, tags, "t2"), 2);
	assert_int_equal(count(s, tags, ""), 0);
	assert_int_equal(count(s, tags, "t3"), 0);
	assert_int_equal(count(s, owner, "o1"), 2);
	assert_int_equal(count(s, owner, "t1"), 0);
	assert_int_equal(count(s, 7, "o1"), 0);
	/* Changed keys move. */
	put(s, make("x", "a", "o2", "\"t2\",\"t3\""));
	assert_int_equal(count(s, tags, "t1"), 0);
	assert_int_equal(count(s, tags, "t2"), 2);
	assert_int_equal(count(s, owner, "o1"), 1);
	assert_int_equal(kube_store_by_index(s, owner, STR("o2"), &list), 1);
	assert_ptr_equal(list[0], kube_store_find(s, STR("x"), STR("a")));
	kube_kind_free(&kind, kube_store_take(s, STR("x"), STR("a")));
	assert_int_equal(count(s, owner, "o2"), 0);
	assert_int_equal(count(s, tags, "t2"), 1);
	/* The same indexes, no objects. */
	assert_ok("like", kube_store_like(s, &like, err));
	assert_int_equal(kube_store_len(like), 0);
	put(like, make("x", "z", "o9", ""));
	assert_int_equal(count(like, owner, "o9"), 1);
	assert_int_equal(count(s, owner, "o9"), 0);
	for (int i = 2; i < KUBE_INDEXES_MAX; i++)
		assert_ok("index", kube_store_index(s, owner_of, &index, err));
	assert_class("too many", ERR_TOO_LARGE, kube_store_index(s, owner_of, &index, err));
}

/* A failed put leaves store and indexes as they were, and the object with the caller. */
static int torture_put(void *ctx, struct err *err)
{
	_cleanup_(kube_store_free) struct kube_store *s = NULL;
	size_t tags = 0, owner = 0;
	void *old = NULL;

	(void)ctx;
	TRY(kube_store_new(&kind, &s, err));
	TRY(kube_store_index(s, tags_of, &tags, err));
	TRY(kube_store_index(s, owner_of, &owner, err));
	for (int i = 0; i < 5; i++) {
		static const char *const docs[] = {
			"{\"metadata\":{\"name\":\"a\"},\"owner\":\"o\",\"tags\":[\"1\",\"2\"]}",
			"{\"metadata\":{\"name\":\"b\"},\"owner\":\"o\",\"tags\":[\"2\",\"3\"]}",
			"{\"metadata\":{\"name\":\"c\"},\"owner\":\"o\",\"tags\":[\"2\"]}",
			"{\"metadata\":{\"name\":\"a\"},\"owner\":\"p\",\"tags\":[\"3\",\"4\"]}",
			"{\"metadata\":{\"name\":\"d\"},\"owner\":\"o\",\"tags\":[\"4\"]}",
		};
		void *object = NULL;
		const size_t len = kube_store_len(s), o = count(s, owner, "o"),
			     two = count(s, tags, "2"), four = count(s, tags, "4");
		TRY(kube_kind_decode(&kind, base_str(docs[i]), &object, err));
		const int r = kube_store_put(s, object, &old, err);
		if (r < 0) {
			kube_kind_free(&kind, object);
			assert_int_equal(kube_store_len(s), len);
			assert_int_equal(count(s, owner, "o"), o);
			assert_int_equal(count(s, tags, "2"), two);
			assert_int_equal(count(s, tags, "4"), four);
			return r;
		}
		kube_kind_free(&kind, old);
	}
	return 0;
}

static void test_torture(void **state)
{
	(void)state;
	assert_true(torture_run("put", torture_put, NULL, 1) >= 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_indexes),
		cmocka_unit_test(test_torture),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
