/* CloudEvents in structured mode: the JSON format. */
#include "agent/event.h"
#include "agent/problem.h"
#include "pkg/base/text.h"
#include "pkg/kube/json.h"

#include <stdint.h>

#define ESCAPED_MAX (6 * ENVELOPE_ATTRIBUTE_MAX) /* each character as \uXXXX */

struct reading {
	struct kube_json json;
	struct agent_attributes *attributes;
	struct buf *data; /* NULL: not wanted */
	bool has_data;
};

static int read_attribute(struct reading *r, enum envelope_attribute which, struct err *err)
{
	struct str raw = STR_NULL;
	char text[ESCAPED_MAX];
	bool escaped = false;

	TRY(kube_json_string_raw(&r->json, &raw, &escaped, err));
	if (raw.n > sizeof(text))
		return REFUSE_AS(err, MALFORMED, "the event's %s is too long",
			envelope_attribute_name(which));
	if (escaped)
		raw = base_str_n(text, kube_json_unescape(raw, text));
	return agent_attributes_set(r->attributes, which, raw, err);
}

/* The base64 itself may be written with escapes ("\/"). */
static int read_base64(struct reading *r, struct err *err)
{
	_cleanup_(base_buf_done) struct buf plain = base_buf(KUBE_JSON_MAX);
	struct str raw = STR_NULL;
	bool escaped = false;
	uint8_t *at = NULL;

	TRY(kube_json_string_raw(&r->json, &raw, &escaped, err));
	if (!r->data)
		return 0;
	if (escaped) {
		TRY(base_buf_room(&plain, raw.n, &at, err));
		base_buf_added(&plain, kube_json_unescape(raw, (char *)at));
		raw = base_buf_str(&plain);
	}
	return base_unbase64_add(r->data, raw, err);
}

static int read_data(struct reading *r, bool base64, struct err *err)
{
	if (r->has_data)
		return REFUSE_AS(err, MALFORMED, "the event has data twice");
	r->has_data = true;
	if (base64)
		return read_base64(r, err);
	if (r->data)
		return REFUSE_AS(err, MALFORMED, "a sealed event has data_base64, no data");
	return kube_json_skip(&r->json, err);
}

/* A string, a boolean or a 32-bit number; what it says is nobody's matter here. */
static int read_extension(struct reading *r, struct str name, struct err *err)
{
	enum kube_json_type type = KUBE_JSON_NULL;
	int64_t n = 0;

	for (size_t i = 0; i < name.n; i++)
		if (!((name.p[i] >= 'a' && name.p[i] <= 'z') ||
			    (name.p[i] >= '0' && name.p[i] <= '9')))
			return REFUSE_AS(err, MALFORMED,
				"an attribute's name has other than lower-case letters and digits");
	TRY(kube_json_peek(&r->json, &type, err));
	if (name.n == 0 || type == KUBE_JSON_OBJECT || type == KUBE_JSON_ARRAY)
		return REFUSE_AS(err, MALFORMED, "an attribute is no simple value");
	if (type != KUBE_JSON_NUMBER)
		return kube_json_skip(&r->json, err);
	TRY(kube_json_int64(&r->json, &n, err));
	if (n < INT32_MIN || n > INT32_MAX)
		return REFUSE_AS(err, MALFORMED, "an attribute is a number past 32 bits");
	return 0;
}

static int read_member(struct reading *r, struct str name, struct err *err)
{
	bool null = false;

	/* For attributes null says that there is none; for data it is a value. */
	if (base_str_eq(name, STR("data")))
		return read_data(r, false, err);
	for (int i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++) {
		const enum envelope_attribute which = (enum envelope_attribute)i;
		if (!base_str_eq(name, base_str(envelope_attribute_name(which))))
			continue;
		TRY(kube_json_null(&r->json, &null, err));
		return null ? 0 : read_attribute(r, which, err);
	}
	if (base_str_eq(name, STR("data_base64")))
		return read_data(r, true, err);
	return read_extension(r, name, err);
}

static int read_all(struct reading *r, struct err *err)
{
	struct str key = STR_NULL;
	bool more = false;

	TRY(kube_json_object_begin(&r->json, err));
	for (int n = 0;; n++) {
		TRY(kube_json_next_key(&r->json, &key, &more, err));
		if (!more)
			return kube_json_end(&r->json, err);
		if (n >= AGENT_EVENT_MEMBERS)
			return REFUSE_AS(err, MALFORMED, "the event has too many attributes");
		TRY(read_member(r, key, err));
	}
}

int agent_event_read(
	struct str doc, struct agent_attributes *a, struct buf *ret_data, struct err *err)
{
	struct reading r = {.attributes = a, .data = ret_data};
	struct str list[ENVELOPE_ATTRIBUTE_COUNT];

	TRY(kube_json_init(&r.json, doc, err));
	TRY(read_all(&r, err));
	if (ret_data && !r.has_data)
		return REFUSE_AS(err, MALFORMED, "a sealed event has data_base64");
	agent_attributes_list(a, list);
	return agent_event_check(list, err);
}

static int write_member(
	struct buf *out, const char *before, const char *name, struct str value, struct err *err)
{
	TRY(base_buf_addf(out, err, "%s\"%s\":", before, name));
	return base_json_str_add(out, value, err);
}

int agent_event_write(const struct str list[static ENVELOPE_ATTRIBUTE_COUNT], struct str type,
	struct str data, struct buf *out, struct err *err)
{
	TRY(write_member(out, "{", "datacontenttype", type, err));
	for (int i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++)
		if (list[i].p && i != ENVELOPE_CE_DATACONTENTTYPE)
			TRY(write_member(out, ",",
				envelope_attribute_name((enum envelope_attribute)i), list[i], err));
	TRY(base_buf_add_str(out, STR(",\"data_base64\":\""), err));
	TRY(base_base64_add(out, (const uint8_t *)data.p, data.n, err));
	return base_buf_add_str(out, STR("\"}"), err);
}
