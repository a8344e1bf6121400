#include "pkg/kube/condition.h"

#include "pkg/base/text.h"
#include "pkg/kube/json.h"
#include "pkg/kube/patch.h"

#include <ctype.h>

#define TYPE_MAX    316
#define REASON_MAX  1024
#define MESSAGE_MAX 32768

static const char *const truths[] = {
	[KUBE_UNKNOWN] = "Unknown", [KUBE_FALSE] = "False", [KUBE_TRUE] = "True"};

const struct kube_condition *kube_condition_find(
	const struct kube_condition *list, size_t n, struct str type)
{
	for (size_t i = 0; i < n; i++)
		if (base_str_eq(list[i].type, type))
			return &list[i];
	return NULL;
}

/* ^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$ */
static bool is_reason(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		const unsigned char c = (unsigned char)s.p[i];
		const bool letter = c < 0x80 && isalpha(c);
		const bool inner = letter || (c >= '0' && c <= '9') || c == '_';
		const bool middle = i && i + 1 < s.n && (c == ',' || c == ':');
		if (!(i ? inner || middle : letter))
			return false;
	}
	return s.n && s.n <= REASON_MAX;
}

static int check(const struct kube_condition *c, struct err *err)
{
	if (!c->type.n || c->type.n > TYPE_MAX)
		return FAIL(err, ERR_INVALID, "a condition's type of %zu characters", c->type.n);
	if (!is_reason(c->reason))
		return FAIL(err, ERR_INVALID, "condition %.*s: '%.*s' is no reason",
			STR_FMT(c->type), STR_FMT(c->reason));
	if (c->message.n > MESSAGE_MAX)
		return FAIL(err, ERR_INVALID, "condition %.*s: a message of %zu bytes",
			STR_FMT(c->type), c->message.n);
	if (c->status > KUBE_TRUE)
		return FAIL(err, ERR_INVALID, "condition %.*s: no such status", STR_FMT(c->type));
	return 0;
}

int kube_condition_set(struct kube_condition *list, size_t *n, size_t max,
	const struct kube_condition *want, int64_t now_wall_ns, bool *ret_changed, struct err *err)
{
	size_t i = 0;

	TRY(check(want, err));
	while (i < *n && !base_str_eq(list[i].type, want->type))
		i++;
	if (i == max)
		return FAIL(err, ERR_TOO_LARGE, "more than %zu conditions", max);
	struct kube_condition next = *want;
	const struct kube_condition *old = i < *n ? &list[i] : NULL;
	next.since_wall_ns = old && old->status == want->status ? old->since_wall_ns : now_wall_ns;
	*ret_changed = !old || old->status != want->status ||
		       !base_str_eq(old->reason, want->reason) ||
		       !base_str_eq(old->message, want->message) ||
		       old->observed_generation != want->observed_generation;
	list[i] = next;
	if (i == *n)
		(*n)++;
	return 0;
}

static int add_one(struct kube_writer *w, const struct kube_condition *c, struct err *err)
{
	char since[BASE_TIME_LEN];

	base_time_format(c->since_wall_ns, since);
	TRY(kube_write_object(w, err));
	TRY(kube_write_key_text(w, "type", c->type, err));
	TRY(kube_write_key_text(w, "status", base_str(truths[c->status]), err));
	if (c->observed_generation)
		TRY(kube_write_key_int(w, "observedGeneration", c->observed_generation, err));
	TRY(kube_write_key_text(w, "lastTransitionTime", base_str(since), err));
	TRY(kube_write_key_text(w, "reason", c->reason, err));
	TRY(kube_write_key_text(w, "message", c->message, err));
	return kube_write_end(w, err);
}

int kube_conditions_add(struct buf *b, const struct kube_condition *list, size_t n, struct err *err)
{
	struct kube_writer w = kube_writer(b);

	TRY(kube_write_list(&w, err));
	for (size_t i = 0; i < n; i++) {
		TRY(check(&list[i], err));
		TRY(add_one(&w, &list[i], err));
	}
	return kube_write_end(&w, err);
}

static int parse_status(struct str s, enum kube_truth *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(truths); i++) {
		if (base_str_eq(s, base_str(truths[i]))) {
			*ret = (enum kube_truth)i;
			return 0;
		}
	}
	return FAIL(err, ERR_INVALID, "'%.*s' is no status of a condition", STR_FMT(s));
}

/* One field of a condition; unknown ones are skipped. */
static int parse_field(struct kube_json *r, struct str key, struct arena *arena,
	struct kube_condition *c, struct err *err)
{
	const struct {
		struct str key;
		struct str *text;
	} texts[] = {{STR("type"), &c->type}, {STR("reason"), &c->reason},
		{STR("message"), &c->message}};
	struct str s = STR_NULL;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (base_str_eq(key, texts[i].key))
			return kube_json_string(r, arena, texts[i].text, err);
	if (base_str_eq(key, STR("status"))) {
		TRY(kube_json_string(r, arena, &s, err));
		return parse_status(s, &c->status, err);
	}
	if (base_str_eq(key, STR("observedGeneration")))
		return kube_json_int64(r, &c->observed_generation, err);
	if (base_str_eq(key, STR("lastTransitionTime"))) {
		TRY(kube_json_string(r, arena, &s, err));
		return base_time_parse(s, &c->since_wall_ns, err);
	}
	return kube_json_skip(r, err);
}

static int parse_one(
	struct kube_json *r, struct arena *arena, struct kube_condition *c, struct err *err)
{
	struct str key = STR_NULL;

	TRY(kube_json_object_begin(r, err));
	for (bool more = true; more;) {
		TRY(kube_json_next_key(r, &key, &more, err));
		if (more)
			TRY(parse_field(r, key, arena, c, err));
	}
	return check(c, err);
}

int kube_conditions_parse(struct str json, struct arena *arena, struct kube_condition *list,
	size_t max, size_t *ret_n, struct err *err)
{
	struct kube_json r;
	size_t n = 0;

	TRY(kube_json_init(&r, json, err));
	TRY(kube_json_array_begin(&r, err));
	for (bool more = true; more;) {
		struct kube_condition c = {0};
		TRY(kube_json_array_next(&r, &more, err));
		if (!more)
			break;
		if (n == max)
			return FAIL(err, ERR_TOO_LARGE, "more than %zu conditions", max);
		TRY(parse_one(&r, arena, &c, err));
		list[n++] = c;
	}
	TRY(kube_json_end(&r, err));
	*ret_n = n;
	return 0;
}
