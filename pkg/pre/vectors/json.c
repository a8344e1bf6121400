#include "pkg/pre/vectors/vectors.h"

static struct json_object *member(struct json_object *o, const char *key, enum json_type type)
{
	struct json_object *m = NULL;

	return json_object_object_get_ex(o, key, &m) && json_object_is_type(m, type) ? m : NULL;
}

bool vectors_has(struct json_object *o, const char *key)
{
	struct json_object *m = NULL;

	return json_object_object_get_ex(o, key, &m) && m &&
	       !(json_object_is_type(m, json_type_string) && json_object_get_string_len(m) == 0);
}

bool vectors_flag(struct json_object *o, const char *key)
{
	return json_object_get_boolean(member(o, key, json_type_boolean));
}

uint32_t vectors_number(struct json_object *o, const char *key)
{
	const int64_t n = json_object_get_int64(member(o, key, json_type_int));

	return n >= 0 && n <= UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

int vectors_text(struct json_object *o, const char *key, struct str *ret, struct err *err)
{
	struct json_object *m = member(o, key, json_type_string);

	if (!m)
		return FAIL(err, ERR_INVALID, "no text \"%s\"", key);
	*ret = base_str_n(json_object_get_string(m), (size_t)json_object_get_string_len(m));
	return 0;
}

int vectors_list(struct json_object *o, const char *key, struct json_object **ret, size_t *ret_n,
	struct err *err)
{
	struct json_object *m = member(o, key, json_type_array);

	if (!m)
		return FAIL(err, ERR_INVALID, "no list \"%s\"", key);
	*ret = m;
	*ret_n = json_object_array_length(m);
	return 0;
}

int vectors_unhex(struct vectors *v, struct str text, struct str *ret, struct err *err)
{
	void *p = NULL;

	TRY(base_arena_alloc(v->arena, text.n / 2 + 1, 1, &p, err));
	TRY(base_unhex(text, p, text.n / 2, err));
	*ret = base_str_n(p, text.n / 2);
	return 0;
}

int vectors_bytes(
	struct vectors *v, struct json_object *o, const char *key, struct str *ret, struct err *err)
{
	struct str text = STR_NULL;

	TRY(vectors_text(o, key, &text, err));
	VECTORS_STEP(vectors_unhex(v, text, ret, err), key);
	return 0;
}

int vectors_fixed(struct json_object *o, const char *key, void *ret, size_t n, struct err *err)
{
	struct str text = STR_NULL;

	TRY(vectors_text(o, key, &text, err));
	VECTORS_STEP(base_unhex(text, ret, n, err), key);
	return 0;
}

int vectors_key(struct vectors *v, struct json_object *o, const char *key,
	struct pre_public_key *ret, struct err *err)
{
	struct str bytes = STR_NULL;

	TRY(vectors_bytes(v, o, key, &bytes, err));
	return pre_public_key_parse(v->ctx, (const uint8_t *)bytes.p, bytes.n, ret, err);
}

bool vectors_equal(struct json_object *o, const char *key, const void *p, size_t n)
{
	struct str text = STR_NULL;
	const uint8_t *bytes = p;

	if (vectors_text(o, key, &text, NULL) < 0 || !text.p || text.n != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		char two[3];
		base_hex(bytes + i, 1, two);
		if (memcmp(two, text.p + 2 * i, 2) != 0)
			return false;
	}
	return true;
}
