/* functionkey.yaml and the rows of fields.c say the same: every field of the schema is read by C
 * or listed here as not read, with the same type, bound, words and pattern. Run from the root of
 * the repository. */
#include "pkg/base/test.h"

#include "crds/fields.h"

#include <stdio.h>
#include <yaml.h>

#define CRD_FILE "crds/functionkey.yaml"

static const char *const not_read[] = {
	"/spec/evidence",             /* by attestation, later */
	"/status/observedGeneration", /* for people */
	"/status/members/summary",    /* for the table of kubectl get */
	"/status/conditions/observedGeneration",
};

struct schema {
	yaml_document_t doc;
	const yaml_node_t *root; /* openAPIV3Schema */
};

static struct str scalar(const yaml_node_t *n)
{
	if (!n || n->type != YAML_SCALAR_NODE)
		return STR_NULL;
	return base_str_n(n->data.scalar.value, n->data.scalar.length);
}

static const yaml_node_t *at(struct schema *s, int index)
{
	return yaml_document_get_node(&s->doc, index);
}

static const yaml_node_t *member(struct schema *s, const yaml_node_t *map, struct str key)
{
	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (const yaml_node_pair_t *p = map->data.mapping.pairs.start;
		p < map->data.mapping.pairs.top; p++)
		if (base_str_eq(scalar(at(s, p->key)), key))
			return at(s, p->value);
	return NULL;
}

static const yaml_node_t *walk(struct schema *s, const yaml_node_t *from, const char *keys)
{
	struct str rest = base_str(keys);

	while (from && rest.n) {
		const size_t end = base_str_find(rest, ' ', 0);
		from = member(s, from, base_str_sub(rest, 0, end));
		rest = base_str_sub(rest, end + 1, rest.n);
	}
	return from;
}

/* "/spec/retention/minAge": through properties, and through the items of lists. */
static const yaml_node_t *property(struct schema *s, const yaml_node_t *from, struct str path)
{
	while (from && path.n > 1) {
		const size_t end = base_str_find(path, '/', 1);
		const yaml_node_t *items = walk(s, from, "items");
		from = member(
			s, walk(s, items ? items : from, "properties"), base_str_sub(path, 1, end));
		path = base_str_sub(path, end, path.n);
	}
	return from;
}

static int64_t number(struct schema *s, const yaml_node_t *n, const char *key)
{
	uint64_t value = 0;
	const yaml_node_t *v = walk(s, n, key);

	if (!v || base_parse_u64(scalar(v), INT64_MAX, &value, NULL) < 0)
		return -1;
	return (int64_t)value;
}

static bool has_item(struct schema *s, const yaml_node_t *list, struct str want)
{
	if (!list || list->type != YAML_SEQUENCE_NODE)
		return false;
	for (const yaml_node_item_t *i = list->data.sequence.items.start;
		i < list->data.sequence.items.top; i++)
		if (base_str_eq(scalar(at(s, *i)), want))
			return true;
	return false;
}

static int load(void **state)
{
	static struct schema s;
	yaml_parser_t parser;
	FILE *f = fopen(CRD_FILE, "re");

	if (!f)
		return -1;
	yaml_parser_initialize(&parser);
	yaml_parser_set_input_file(&parser, f);
	const int ok = yaml_parser_load(&parser, &s.doc);
	yaml_parser_delete(&parser);
	(void)fclose(f);
	if (!ok)
		return -1;
	const yaml_node_t *versions =
		walk(&s, yaml_document_get_root_node(&s.doc), "spec versions");
	s.root = walk(&s, at(&s, versions->data.sequence.items.start[0]), "schema openAPIV3Schema");
	*state = &s;
	return 0;
}

static int unload(void **state)
{
	struct schema *s = *state;

	yaml_document_delete(&s->doc);
	return 0;
}

static void check_text(
	struct schema *s, const struct crds_field *f, const yaml_node_t *n, const char *name)
{
	const bool ascii = walk(s, n, "pattern") || walk(s, n, "format") || walk(s, n, "enum");
	const int64_t max = number(s, n, "maxLength");

	/* the schema counts characters, C bytes */
	if (max < 1 || max * (ascii ? 1 : 4) != (int64_t)f->bound)
		fail_msg("%s: maxLength %lld, bound %u", name, (long long)max, f->bound);
}

static void check_words(
	struct schema *s, const struct crds_field *f, const yaml_node_t *n, const char *name)
{
	const yaml_node_t *list = walk(s, n, "enum");
	size_t words = 0;

	for (size_t i = 0; f->words[i]; i++) {
		if (!f->words[i][0])
			continue;
		words++;
		if (!has_item(s, list, base_str(f->words[i])) || strlen(f->words[i]) > f->bound)
			fail_msg("%s: word %s", name, f->words[i]);
	}
	if (!list ||
		(size_t)(list->data.sequence.items.top - list->data.sequence.items.start) != words)
		fail_msg("%s: another number of words", name);
}

static void check_range(
	struct schema *s, const yaml_node_t *n, int64_t min, int64_t max, const char *name)
{
	if (number(s, n, "minimum") != min || number(s, n, "maximum") != max)
		fail_msg("%s: not %lld to %lld", name, (long long)min, (long long)max);
}

static void check_pattern(
	struct schema *s, const yaml_node_t *n, const char *pattern, const char *name)
{
	if (!base_str_eq(scalar(walk(s, n, "pattern")), base_str(pattern)))
		fail_msg("%s: pattern is not %s", name, pattern);
}

static void check_field(
	struct schema *s, const struct crds_field *f, const yaml_node_t *n, const char *name)
{
	static const char *const types[CRDS_KIND_COUNT] = {
		[CRDS_ID] = "integer", [CRDS_COUNT] = "integer", [CRDS_GENERATION] = "integer"};
	const char *type = types[f->kind] ? types[f->kind] : "string";

	if (!n)
		fail_msg("%s is not in %s", name, CRD_FILE);
	if (!base_str_eq(scalar(walk(s, n, "type")), base_str(type)))
		fail_msg("%s is no %s in %s", name, type, CRD_FILE);
	if (f->kind == CRDS_TEXT)
		check_text(s, f, n, name);
	else if (f->kind == CRDS_WORD)
		check_words(s, f, n, name);
	else if (f->kind == CRDS_COUNT)
		check_range(s, n, 0, CRDS_NUMBER_MAX, name);
	else if (f->kind == CRDS_POINT)
		check_pattern(s, n, "^0[23][0-9a-f]{64}$", name);
	else if (f->kind == CRDS_SIGNATURE)
		check_pattern(s, n, "^[0-9a-f]{128}$", name);
	else if (f->kind == CRDS_FINGERPRINT)
		check_pattern(s, n, "^[0-9a-f]{32}$", name);
	else if (f->kind == CRDS_UID)
		check_pattern(s, n,
			"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", name);
	else if (f->kind == CRDS_DURATION)
		check_pattern(
			s, n, "^(0s|[1-9][0-9]{0,7}s|[1-9][0-9]{0,5}m|[1-9][0-9]{0,3}h)$", name);
	else if (f->kind == CRDS_TIME &&
		 !base_str_eq(scalar(walk(s, n, "format")), STR("date-time")))
		fail_msg("%s is no date-time", name);
}

static bool is_ours(const struct crds_field *f)
{
	return !base_str_starts(base_str(f->path), STR("/metadata/"));
}

static void test_root_fields(void **state)
{
	struct schema *s = *state;

	for (size_t i = 0; i < crds_shape_root.n; i++) {
		const struct crds_field *f = &crds_shape_root.fields[i];
		if (is_ours(f))
			check_field(s, f, property(s, s->root, base_str(f->path)), f->path);
	}
}

static void check_element(struct schema *s, const struct crds_list *l, const yaml_node_t *items)
{
	for (size_t i = 0; i < l->shape->n; i++) {
		const struct crds_field *f = &l->shape->fields[i];
		char name[128];
		(void)snprintf(name, sizeof(name), "%s%s", l->path, f->path);
		check_field(s, f, l->texts ? items : property(s, items, base_str(f->path)), name);
		if (f->need && !l->texts &&
			!has_item(s, walk(s, items, "required"),
				base_str_sub(base_str(f->path), 1, SIZE_MAX)))
			fail_msg("%s: C needs it, the schema does not", name);
	}
}

static void test_lists(void **state)
{
	struct schema *s = *state;

	for (size_t i = 0; i < CRDS_LISTS; i++) {
		const struct crds_list *l = &crds_lists[i];
		const yaml_node_t *n = property(s, s->root, base_str(l->path));
		if (number(s, n, "maxItems") != (int64_t)l->max)
			fail_msg("%s: maxItems is not %u", l->path, l->max);
		check_element(s, l, walk(s, n, "items"));
	}
}

static bool is_read(const char *path)
{
	char whole[160];

	for (size_t i = 0; i < ARRAY_LEN(not_read); i++)
		if (strcmp(path, not_read[i]) == 0)
			return true;
	for (size_t i = 0; i < crds_shape_root.n; i++)
		if (strcmp(path, crds_shape_root.fields[i].path) == 0)
			return true;
	for (size_t i = 0; i < CRDS_LISTS; i++)
		for (size_t k = 0; k < crds_lists[i].shape->n; k++) {
			(void)snprintf(whole, sizeof(whole), "%s%s", crds_lists[i].path,
				crds_lists[i].shape->fields[k].path);
			if (strcmp(path, whole) == 0)
				return true;
		}
	return false;
}

struct todo {
	const yaml_node_t *node;
	char path[160];
};

/* Puts the properties of a schema on the stack; false: it has none, it is a leaf. */
static bool push_properties(
	struct schema *s, const struct todo *from, struct todo *stack, size_t *depth, size_t max)
{
	const yaml_node_t *items = walk(s, from->node, "items");
	const yaml_node_t *map = walk(s, items ? items : from->node, "properties");

	if (!map)
		return false;
	for (const yaml_node_pair_t *p = map->data.mapping.pairs.start;
		p < map->data.mapping.pairs.top; p++) {
		const struct str key = scalar(at(s, p->key));
		assert_true(*depth < max);
		struct todo *t = &stack[(*depth)++];
		t->node = at(s, p->value);
		const int n =
			snprintf(t->path, sizeof(t->path), "%s/%.*s", from->path, STR_FMT(key));
		assert_in_range(n, 2, sizeof(t->path) - 1);
	}
	return true;
}

static void test_every_field_is_read(void **state)
{
	static struct todo stack[256];
	static const char *const parts[] = {"/spec", "/status"};
	struct schema *s = *state;
	size_t depth = 0, leaves = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		stack[depth].node = property(s, s->root, base_str(parts[i]));
		(void)snprintf(stack[depth++].path, sizeof(stack->path), "%s", parts[i]);
	}
	while (depth) {
		const struct todo t = stack[--depth];
		if (push_properties(s, &t, stack, &depth, ARRAY_LEN(stack)))
			continue;
		leaves++;
		if (!is_read(t.path))
			fail_msg("%s of %s is not read by C", t.path, CRD_FILE);
	}
	assert_in_range(leaves, 50, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root_fields),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_every_field_is_read),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
