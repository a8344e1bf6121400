#include <openssl/evp.h>

#include "pkg/base/test.h"
#include "pkg/pre/vectors/vectors.h"

#define FOLDER "pkg/pre/vectors"

static const char *const files[] = {
	"digest-to-scalar-k256-0.13.4.json",
	"intermediates.json",
	"negative-py-umbral-pre-0.11.0.json",
	"npm-nucypher-core-0.14.5.json",
	"npm-umbral-pre-0.10.0.json",
	"py-umbral-pre-0.11.0.json",
	"rust-umbral-pre-0.11.0.json",
};

static void read_whole(const char *path, struct buf *to)
{
	FILE *f = fopen(path, "r");
	char part[4096];

	assert_non_null(f);
	for (size_t n = 0; (n = fread(part, 1, sizeof(part), f)) > 0;)
		assert_ok(path, base_buf_add(to, part, n, err));
	assert_int_equal(fclose(f), 0);
}

static void run_all(bool replay_only, unsigned *ret_passed, unsigned *ret_skipped)
{
	_cleanup_(vectors_free) struct vectors *v = NULL;

	assert_ok("new", vectors_new(replay_only, stdout, &v, err));
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[256];
		(void)snprintf(path, sizeof(path), FOLDER "/%s", files[i]);
		assert_ok(files[i], vectors_file(v, path, err));
	}
	assert_int_equal(v->failed, 0);
	*ret_passed = v->passed;
	*ret_skipped = v->skipped;
}

static void test_all_files(void **state)
{
	unsigned passed = 0;
	unsigned skipped = 0;

	(void)state;
	run_all(false, &passed, &skipped);
	assert_int_equal(passed, 10 + 6 + 139 + 3 * 15 + 15 + 1);
	assert_int_equal(skipped, 0);
}

static void test_replay(void **state)
{
	unsigned passed = 0;
	unsigned skipped = 0;

	(void)state;
	run_all(true, &passed, &skipped);
	assert_int_equal(passed, 15);
	assert_int_equal(skipped, 10 + 6 + 139 + 3 * 15);
}

/* The bytes are those that the packages made. */
static void test_the_files_are_the_recorded_ones(void **state)
{
	_cleanup_(base_buf_done) struct buf sums = base_buf(4096);
	_cleanup_(base_buf_done) struct buf file = base_buf(4 << 20);

	(void)state;
	read_whole(FOLDER "/SHA256SUMS", &sums);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[256];
		char line[256];
		char hex[65];
		uint8_t digest[32];

		(void)snprintf(path, sizeof(path), FOLDER "/%s", files[i]);
		base_buf_clear(&file);
		read_whole(path, &file);
		assert_int_equal(
			EVP_Digest(file.data, file.len, digest, NULL, EVP_sha256(), NULL), 1);
		base_hex(digest, sizeof(digest), hex);
		(void)snprintf(line, sizeof(line), "%s  %s\n", hex, files[i]);
		if (!strstr(sums.data ? (const char *)sums.data : "", line))
			fail_msg("%s is not what SHA256SUMS says", files[i]);
	}
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_files_that_are_none(void **state)
{
	static const struct {
		const char *name, *text;
	} rows[] = {
		{"empty", ""},
		{"no JSON", "umbral"},
		{"no object", "[]"},
		{"no schema", "{\"kind\":\"positive\",\"vectors\":[{}]}"},
		{"another schema", "{\"schema\":\"umbral-kat/2\",\"kind\":\"positive\"}"},
		{"another kind", "{\"schema\":\"umbral-kat/1\",\"kind\":\"neutral\"}"},
		{"no list", "{\"schema\":\"umbral-kat/1\",\"kind\":\"positive\"}"},
		{"empty list",
			"{\"schema\":\"umbral-kat/1\",\"kind\":\"positive\",\"vectors\":[]}"},
	};
	_cleanup_(vectors_free) struct vectors *v = NULL;
	char path[] = "/tmp/vectors-test-XXXXXX";
	const int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_ok("new", vectors_new(false, stdout, &v, err));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		write_file(path, rows[i].text);
		assert_class(rows[i].name, ERR_INVALID, vectors_file(v, path, err));
	}
	assert_int_equal(remove(path), 0);
	assert_class("no file", ERR_INVALID, vectors_file(v, path, err));
	assert_int_equal(v->passed + v->failed, 0);
}

/* A checker that says yes to all is none: one digit changed must be seen. */
static void test_a_changed_case_fails(void **state)
{
	static const struct {
		const char *file, *list, *key;
	} rows[] = {
		{"digest-to-scalar-k256-0.13.4.json", "cases", "scalar"},
		{"intermediates.json", "vectors", "hkdf_prk"},
		{"intermediates.json", "vectors", "d_inverse"},
		{"intermediates.json", "vectors", "coefficient0"},
		{"negative-py-umbral-pre-0.11.0.json", "negatives", "expect"},
		{"rust-umbral-pre-0.11.0.json", "vectors", "ciphertext"},
		{"rust-umbral-pre-0.11.0.json", "vectors", "capsule_simple"},
		{"rust-umbral-pre-0.11.0.json", "vectors", "key_seed"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(vectors_free) struct vectors *v = NULL;
		char path[256];
		struct json_object *list = NULL;
		struct json_object *value = NULL;

		(void)snprintf(path, sizeof(path), FOLDER "/%s", rows[i].file);
		struct json_object *o = json_object_from_file(path);
		assert_true(json_object_object_get_ex(o, rows[i].list, &list));
		struct json_object *first = json_object_array_get_idx(list, 0);
		assert_true(json_object_object_get_ex(first, rows[i].key, &value));
		char text[4096];
		(void)snprintf(text, sizeof(text), "%s", json_object_get_string(value));
		text[1] = text[1] == '0' ? '1' : '0';
		(void)json_object_object_add(first, rows[i].key, json_object_new_string(text));
		char changed[] = "/tmp/vectors-test-XXXXXX";
		assert_true(mkstemp(changed) >= 0);
		assert_int_equal(json_object_to_file(changed, o), 0);
		assert_ok("new", vectors_new(false, stdout, &v, err));
		assert_ok(rows[i].key, vectors_file(v, changed, err));
		if (v->failed != 1)
			fail_msg("%s: %u failed", rows[i].key, v->failed);
		assert_int_equal(remove(changed), 0);
		(void)json_object_put(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_files_are_the_recorded_ones),
		cmocka_unit_test(test_all_files),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_files_that_are_none),
		cmocka_unit_test(test_a_changed_case_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
