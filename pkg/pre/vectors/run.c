#include "pkg/pre/vectors/vectors.h"

#include "pkg/base/alloc.h"

#define ARENA_MAX    (256u << 20)
#define PATH_MAX_LEN 4096

int vectors_new(bool replay_only, FILE *log, struct vectors **ret, struct err *err)
{
	_cleanup_(vectors_free) struct vectors *v = base_alloc(1, sizeof(*v));

	if (!v)
		return FAIL(err, ERR_NOMEM, "vectors");
	v->replay_only = replay_only;
	v->log = log;
	v->env = base_env_fake(&v->fake);
	TRY(base_arena_new(ARENA_MAX, &v->arena, err));
	TRY(pre_context_new(&v->env, &v->ctx, err));
	*ret = STEAL(v);
	return 0;
}

struct vectors *vectors_free(struct vectors *v)
{
	if (!v)
		return NULL;
	pre_context_free(v->ctx);
	base_arena_free(v->arena);
	return base_free(v);
}

struct json_object *vectors_put(struct json_object *o)
{
	(void)json_object_put(o);
	return NULL;
}

static const struct kind {
	const char *name, *list;
	vectors_case check;
	bool when_replaying;
} kinds[] = {
	{"positive", "vectors", vectors_positive, true},
	{"negative", "negatives", vectors_negative, false},
	{"digest-to-scalar", "cases", vectors_digest, false},
	{"intermediates", "vectors", vectors_intermediate, false},
};

static const struct kind *find_kind(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (base_str_eq(name, base_str(kinds[i].name)))
			return &kinds[i];
	return NULL;
}

static void run_case(struct vectors *v, vectors_case check, struct json_object *o, const char *name)
{
	struct err err = {0};
	const int r = check(v, o, &err);

	base_arena_clear(v->arena);
	v->fake.script_len = 0;
	if (r == 0) {
		v->passed++;
		return;
	}
	v->failed++;
	(void)fprintf(v->log, "FAILED %s: %s\n", name, err.msg);
}

static void run_list(struct vectors *v, const struct kind *kind, struct json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		struct str id = STR_NULL;
		char name[160];

		if (v->replay_only && (!kind->when_replaying || !vectors_has(o, "rng"))) {
			v->skipped++;
			continue;
		}
		if (vectors_text(o, "id", &id, NULL) < 0)
			(void)snprintf(name, sizeof(name), "%s %zu", kind->name, i);
		else
			(void)snprintf(name, sizeof(name), "%.*s", STR_FMT(id));
		run_case(v, kind->check, o, name);
	}
}

/* The file that "for" names, beside this one; NULL if there is none. */
static struct json_object *read_companion(struct json_object *file, const char *path)
{
	struct str name = STR_NULL;
	char other[PATH_MAX_LEN];
	const char *slash = strrchr(path, '/');

	if (vectors_text(file, "for", &name, NULL) < 0)
		return NULL;
	const int n = snprintf(other, sizeof(other), "%.*s%.*s",
		slash ? (int)(slash - path + 1) : 0, path, STR_FMT(name));
	return n > 0 && (size_t)n < sizeof(other) ? json_object_from_file(other) : NULL;
}

static int read_head(struct json_object *file, const char *path, const struct kind **ret_kind,
	struct json_object **ret_list, struct err *err)
{
	struct str schema = STR_NULL;
	struct str name = STR_NULL;
	size_t n = 0;

	if (!file)
		return FAIL(err, ERR_INVALID, "%s: cannot be read, or is not JSON: %s", path,
			json_util_get_last_err() ? json_util_get_last_err() : "no object");
	if (vectors_text(file, "schema", &schema, NULL) < 0 ||
		!base_str_eq(schema, STR("umbral-kat/1")))
		return FAIL(err, ERR_INVALID, "%s: the schema is \"%.*s\", not umbral-kat/1", path,
			STR_FMT(schema));
	const struct kind *kind =
		vectors_text(file, "kind", &name, NULL) < 0 ? NULL : find_kind(name);
	if (!kind)
		return FAIL(err, ERR_INVALID, "%s: unknown kind \"%.*s\"", path, STR_FMT(name));
	*ret_kind = kind;
	VECTORS_STEP(vectors_list(file, kind->list, ret_list, &n, err), path);
	if (n == 0)
		return FAIL(err, ERR_INVALID, "%s: there is no case in it", path);
	return 0;
}

int vectors_file(struct vectors *v, const char *path, struct err *err)
{
	_cleanup_(vectors_put) struct json_object *file = json_object_from_file(path);
	_cleanup_(vectors_put) struct json_object *companion = NULL;
	const struct kind *kind = &kinds[0];
	struct json_object *list = NULL;
	struct json_object *factory = NULL;
	const unsigned passed = v->passed;
	const unsigned failed = v->failed;
	const unsigned skipped = v->skipped;

	TRY(read_head(file, path, &kind, &list, err));
	companion = read_companion(file, path);
	v->other = companion;
	run_list(v, kind, list);
	v->other = NULL;
	if (!v->replay_only && json_object_object_get_ex(file, "secret_key_factory", &factory))
		run_case(v, vectors_factory, factory, "secret_key_factory");
	(void)fprintf(v->log, "%s: %s: %u passed, %u failed", path, kind->name, v->passed - passed,
		v->failed - failed);
	if (v->skipped > skipped)
		(void)fprintf(v->log, ", %u without recorded randomness", v->skipped - skipped);
	(void)fprintf(v->log, "\n");
	return 0;
}
