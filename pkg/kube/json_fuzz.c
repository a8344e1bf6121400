/* The reader against json-c: what json-c refuses, ours refuses; what ours takes, json-c takes, and
 * both read the same. Ours may refuse more: lone surrogates, bad UTF-8, json-c's extensions. json-c
 * 0.16 takes some good surrogate pairs (those of U+1D800 to U+1DFFF and the like in higher planes)
 * for lone ones and reads U+FFFD: texts with it are not compared. */
#include "pkg/base/alloc.h"
#include "pkg/kube/json.h"

#include <json-c/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Walks a value of ours along a tree of theirs. NOLINTBEGIN(misc-no-recursion): bounded by
 * KUBE_JSON_DEPTH_MAX. */
static void same(struct kube_json *r, struct json_object *o, struct arena *arena);

static bool has_high_plane(struct str s)
{
	for (size_t i = 0; i + 1 < s.n; i++)
		if (((uint8_t)s.p[i] == 0xf0 && ((uint8_t)s.p[i + 1] & 0xf) == 0xd) ||
			(uint8_t)s.p[i] > 0xf0)
			return true;
	return false;
}

/* Members of the object that r is on; -1: a key of it is too long for ours. */
static int64_t count_members(struct kube_json r)
{
	struct str key = STR_NULL;
	bool more = false;

	base_assert(kube_json_object_begin(&r, NULL) == 0);
	for (int64_t n = 0;; n++) {
		if (kube_json_next_key(&r, &key, &more, NULL) < 0)
			return -1;
		if (!more)
			return n;
		base_assert(kube_json_skip(&r, NULL) == 0);
	}
}

static void same_object(struct kube_json *r, struct json_object *o, struct arena *arena)
{
	const int64_t members = count_members(*r);
	struct str key = STR_NULL;
	bool more = false;

	base_assert(json_object_is_type(o, json_type_object));
	if (members < 0) {
		base_assert(kube_json_skip(r, NULL) == 0);
		return;
	}
	/* Of doubles theirs keeps the last, ours gives each: only what has none is compared. */
	const int64_t kept = json_object_object_length(o);
	base_assert(members >= kept);
	base_assert(kube_json_object_begin(r, NULL) == 0);
	for (;;) {
		struct json_object *v = NULL;
		base_assert(kube_json_next_key(r, &key, &more, NULL) == 0);
		if (!more)
			return;
		if (members != kept || memchr(key.p, 0, key.n) || has_high_plane(key)) {
			base_assert(kube_json_skip(r, NULL) == 0);
			continue;
		}
		char *z = base_strndup(key.p, key.n);
		base_assert(json_object_object_get_ex(o, z, &v));
		base_free(z);
		same(r, v, arena);
	}
}

static void same_array(struct kube_json *r, struct json_object *o, struct arena *arena)
{
	bool more = false;
	size_t n = 0;

	base_assert(json_object_is_type(o, json_type_array));
	base_assert(kube_json_array_begin(r, NULL) == 0);
	for (;; n++) {
		base_assert(kube_json_array_next(r, &more, NULL) == 0);
		if (!more)
			break;
		same(r, json_object_array_get_idx(o, n), arena);
	}
	base_assert(n == json_object_array_length(o));
}

static void same(struct kube_json *r, struct json_object *o, struct arena *arena)
{
	enum kube_json_type type;
	struct str s;
	int64_t n;
	bool b;

	base_assert(kube_json_peek(r, &type, NULL) == 0);
	switch (type) {
	case KUBE_JSON_OBJECT:
		same_object(r, o, arena);
		return;
	case KUBE_JSON_ARRAY:
		same_array(r, o, arena);
		return;
	case KUBE_JSON_STRING:
		base_assert(kube_json_string(r, arena, &s, NULL) == 0);
		base_assert(json_object_is_type(o, json_type_string));
		base_assert(has_high_plane(s) ||
			    base_str_eq(s, base_str_n(json_object_get_string(o),
						   (size_t)json_object_get_string_len(o))));
		return;
	case KUBE_JSON_NUMBER: {
		struct kube_json again = *r;
		if (kube_json_int64(&again, &n, NULL) == 0) {
			base_assert(json_object_is_type(o, json_type_int));
			base_assert(json_object_get_int64(o) == n);
		}
		base_assert(kube_json_skip(r, NULL) == 0);
		return;
	}
	case KUBE_JSON_BOOL:
		base_assert(kube_json_bool(r, &b, NULL) == 0);
		base_assert(json_object_is_type(o, json_type_boolean));
		base_assert(json_object_get_boolean(o) == b);
		return;
	case KUBE_JSON_NULL:
		base_assert(o == NULL);
		base_assert(kube_json_skip(r, NULL) == 0);
		return;
	}
}

/* NOLINTEND(misc-no-recursion) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_json r;
	struct arena *arena = NULL;
	const struct str doc = base_str_n(data, size);

	if (size == 0 || kube_json_init(&r, doc, NULL) < 0 ||
		base_arena_new(1 << 20, &arena, NULL) < 0)
		return 0;
	const bool ours = kube_json_skip(&r, NULL) == 0 && kube_json_end(&r, NULL) == 0;
	struct json_tokener *tok = json_tokener_new_ex(KUBE_JSON_DEPTH_MAX + 2);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *o = json_tokener_parse_ex(tok, (const char *)data, (int)size);
	/* A bare number is only known to end at a further byte. */
	if (json_tokener_get_error(tok) == json_tokener_continue)
		o = json_tokener_parse_ex(tok, " ", 1);
	const bool theirs = json_tokener_get_error(tok) == json_tokener_success;
	if (ours) {
		base_assert(theirs || memchr(data, 0, size));
		base_assert(kube_json_init(&r, doc, NULL) == 0);
		if (theirs)
			same(&r, o, arena);
	}
	json_object_put(o);
	json_tokener_free(tok);
	base_arena_free(arena);
	return 0;
}
