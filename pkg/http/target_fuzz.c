/* Targets: what is accepted has no segment that another reader could take for a step upwards, and a
 * parameter decodes to what encoding it again gives. */
#include "pkg/http/target.h"

static void check_segments(struct str path)
{
	for (size_t at = 1; at < path.n;) {
		char text[HTTP_TARGET_MAX + 1];
		struct str s = STR_NULL;
		const size_t end = base_str_find(path, '/', at);
		base_assert(http_decode(base_str_sub(path, at, end), text, sizeof(text), &s,
				    NULL) == 0);
		base_assert(s.n > 0 && !memchr(s.p, '/', s.n) && !memchr(s.p, 0, s.n));
		base_assert(!base_str_eq(s, STR(".")) && !base_str_eq(s, STR("..")));
		at = end + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const patterns[] = {"/", "/v1/keys", "/v1/keys/{namespace}/{name}",
		"/{a}", "/to/{a}/{b}", "/to/{a}/{b}/*"};
	struct http_target t = {.path = STR_NULL};
	char value[64];
	struct str found = STR_NULL;

	if (http_target_parse(base_str_n(data, size), &t, NULL) < 0)
		return 0;
	base_assert(t.path.n >= 1 && t.path.p[0] == '/' && t.path.n + t.query.n <= size);
	check_segments(t.path);
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		struct http_params p = {.n = 0};
		if (!http_match(patterns[i], t.path, &p))
			continue;
		for (size_t j = 0; j < p.n; j++)
			base_assert(p.v[j].n > 0 && p.v[j].n <= HTTP_PARAM_MAX &&
				    p.v[j].p == p.text[j]);
		if (!strchr(patterns[i], '{'))
			base_assert(base_str_eq(t.path, base_str(patterns[i])));
	}
	if (http_query_get(t.query, STR("x"), value, sizeof(value), &found, NULL) == 0)
		base_assert(found.n < sizeof(value) && value[found.n] == 0);
	return 0;
}
