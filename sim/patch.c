/* JSON patch (RFC 6902) and merge patch (RFC 7386), as the API server does them. */
#include "sim/world.h"

struct json_object *sim_parse(struct str json)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *o = json_tokener_parse_ex(tok, json.p, (int)json.n);

	json_tokener_free(tok);
	return o;
}

static struct json_object *copy_of(struct json_object *o)
{
	struct json_object *copy = NULL;

	base_assert(!o || json_object_deep_copy(o, &copy, NULL) == 0);
	return copy;
}

static const char *text(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : "";
}

/* The element that a path's last segment is a member of; *ret_last is that segment. */
static struct json_object *parent_of(
	struct json_object *doc, const char *path, char dst[static 256], const char **ret_last)
{
	struct json_object *found = NULL;
	const char *slash = strrchr(path, '/');

	if (!slash || (size_t)(slash - path) >= 256)
		return NULL;
	memcpy(dst, path, (size_t)(slash - path));
	dst[slash - path] = '\0';
	*ret_last = slash + 1;
	if (!dst[0])
		return doc;
	return json_pointer_get(doc, dst, &found) == 0 ? found : NULL;
}

static bool place_of(const char *last, size_t len, size_t *ret_at)
{
	uint64_t n = 0;

	if (strcmp(last, "-") == 0) {
		*ret_at = len;
		return true;
	}
	*ret_at = 0;
	for (; *last >= '0' && *last <= '9' && n < 1000; last++)
		n = n * 10 + (uint64_t)(*last - '0');
	*ret_at = (size_t)n;
	return *last == '\0' && n <= len;
}

static bool add(struct json_object *doc, const char *path, struct json_object *value)
{
	char dst[256];
	const char *last = "";
	struct json_object *parent = parent_of(doc, path, dst, &last);
	size_t at = 0;

	if (json_object_is_type(parent, json_type_object))
		return json_object_object_add(parent, last, copy_of(value)) == 0;
	if (!json_object_is_type(parent, json_type_array) ||
		!place_of(last, json_object_array_length(parent), &at))
		return false;
	for (size_t i = json_object_array_length(parent); i > at; i--)
		(void)json_object_array_put_idx(
			parent, i, json_object_get(json_object_array_get_idx(parent, i - 1)));
	return json_object_array_put_idx(parent, at, copy_of(value)) == 0;
}

static bool take_out(struct json_object *doc, const char *path)
{
	char dst[256];
	const char *last = "";
	struct json_object *parent = parent_of(doc, path, dst, &last);
	size_t at = 0;

	if (json_object_is_type(parent, json_type_object)) {
		const bool there = json_object_object_get_ex(parent, last, NULL);
		json_object_object_del(parent, last);
		return there;
	}
	return json_object_is_type(parent, json_type_array) &&
	       place_of(last, json_object_array_length(parent), &at) &&
	       json_object_array_del_idx(parent, at, 1) == 0;
}

static bool holds(struct json_object *doc, const char *path, struct json_object *value)
{
	struct json_object *found = NULL;

	return json_pointer_get(doc, path, &found) == 0 && json_object_equal(found, value);
}

static bool apply(struct json_object *doc, struct json_object *op, bool tests)
{
	struct json_object *value = NULL;
	const char *what = text(op, "op");
	const char *path = text(op, "path");

	(void)json_object_object_get_ex(op, "value", &value);
	if (strcmp(what, "test") == 0)
		return !tests || holds(doc, path, value);
	if (strcmp(what, "add") == 0)
		return add(doc, path, value);
	if (strcmp(what, "remove") == 0)
		return take_out(doc, path);
	return false;
}

struct json_object *sim_patch_json(struct json_object *doc, struct json_object *patch, bool tests)
{
	struct json_object *copy = copy_of(doc);

	for (size_t i = 0; i < json_object_array_length(patch); i++)
		if (!apply(copy, json_object_array_get_idx(patch, i), tests)) {
			json_object_put(copy);
			return NULL;
		}
	return copy;
}

/* RFC 7386 is recursive, and json-c bounds the depth. NOLINTNEXTLINE(misc-no-recursion) */
struct json_object *sim_patch_merge(struct json_object *doc, struct json_object *patch)
{
	if (!json_object_is_type(patch, json_type_object))
		return copy_of(patch);
	struct json_object *copy = json_object_is_type(doc, json_type_object)
					   ? copy_of(doc)
					   : json_object_new_object();
	json_object_object_foreach(patch, key, value)
	{
		struct json_object *old = NULL;
		(void)json_object_object_get_ex(copy, key, &old);
		if (!value)
			json_object_object_del(copy, key);
		else
			(void)json_object_object_add(copy, key, sim_patch_merge(old, value));
	}
	return copy;
}
