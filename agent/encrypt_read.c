/* What a request for encryption asks for. */
#include "agent/encrypt_internal.h"

#include "agent/event_http.h"
#include "agent/report.h"

#define TYPE_NONE STR("application/octet-stream")

int agent_to_parse(struct str to, struct str home, struct str *ret_ns, struct str *ret_function,
	struct err *err)
{
	const size_t slash = base_str_find(to, '/', 0);

	if (to.n == 0)
		return REFUSE_AS(err, MALFORMED, "to= needs [namespace/]function");
	*ret_ns = slash < to.n ? base_str_sub(to, 0, slash) : home;
	*ret_function = slash < to.n ? base_str_sub(to, slash + 1, to.n) : to;
	return 0;
}

static int read_to(const struct agent_app *app, const struct http_request *r,
	struct agent_encrypt_asked *q, struct err *err)
{
	struct str to = STR_NULL;
	struct err why = {0};

	if (http_query(r, "to", q->to, sizeof(q->to), &to, &why) < 0)
		return REFUSE_AS(err, MALFORMED, "the parameter to: %s", why.msg);
	return agent_to_parse(to, app->core.self.ns, &q->ns, &q->function, err);
}

static int read_type(const struct http_request *r, struct agent_encrypt_asked *q, struct err *err)
{
	const size_t n = http_header(r, "Content-Type", &q->type);

	if (n == 0)
		q->type = TYPE_NONE;
	if (n > 1 || q->type.n == 0 || q->type.n > ENVELOPE_TYPE_MAX)
		return REFUSE_AS(err, MALFORMED, "Content-Type");
	return 0;
}

/* Apart, since few requests have one and the room for it is cleared each time. */
static __attribute__((noinline)) int read_parameter(const struct http_request *r,
	struct agent_encrypt_asked *q, enum envelope_attribute which, const char *name,
	struct err *err)
{
	char value[ENVELOPE_ATTRIBUTE_MAX + 1];
	struct str text = STR_NULL;

	if (http_query(r, name, value, sizeof(value), &text, NULL) < 0)
		return REFUSE_AS(err, MALFORMED, "the parameter %s", name);
	return agent_attributes_set(&q->attributes, which, text, err);
}

static int read_attributes(
	const struct http_request *r, struct agent_encrypt_asked *q, struct err *err)
{
	static const char *const names[ENVELOPE_ATTRIBUTE_COUNT] = {
#define PARAMETER(name, text) [ENVELOPE_CE_##name] = "ce-" text,
		ENVELOPE_ATTRIBUTES(PARAMETER)
#undef PARAMETER
	};
	struct str text = STR_NULL;
	char none[1];

	TRY(agent_event_take(r, &q->attributes, err));
	for (int i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++) {
		const int found = http_query(r, names[i], none, sizeof(none), &text, NULL);
		if (found != -(int)ERR_NOT_FOUND)
			TRY(read_parameter(r, q, (enum envelope_attribute)i, names[i], err));
	}
	return 0;
}

static int read_level(const struct agent_app *app, const struct http_request *r,
	struct agent_encrypt_asked *q, struct err *err)
{
	char value[16];
	struct str text = STR_NULL;
	const int found = http_query(r, "sender", value, sizeof(value), &text, NULL);

	q->level = (enum envelope_sender_level)app->options.sender;
	if (found == -(int)ERR_NOT_FOUND)
		return 0;
	for (int i = 0; found == 0 && agent_sender_levels[i]; i++)
		if (base_str_eq(text, base_str(agent_sender_levels[i]))) {
			q->level = (enum envelope_sender_level)i;
			return 0;
		}
	return REFUSE_AS(err, MALFORMED, "sender= is none, origin or message");
}

/* Attributes without a specversion are no event; they travel all the same. */
static int read_mode(struct agent_encrypt_asked *q, struct err *err)
{
	struct str list[ENVELOPE_ATTRIBUTE_COUNT];

	agent_attributes_list(&q->attributes, list);
	q->structured = agent_event_is_json(q->type);
	q->event = !q->structured && list[ENVELOPE_CE_SPECVERSION].p;
	if (!q->structured)
		return q->event ? agent_event_check(list, err) : 0;
	if (q->attributes.store.len > 0)
		return REFUSE_AS(
			err, MALFORMED, "a structured event has its attributes in the body alone");
	if (!q->has_length)
		q->length = ENVELOPE_WHOLE_MAX; /* as much room as it may need */
	if (q->length > ENVELOPE_WHOLE_MAX)
		return REFUSE_AS(err, TOO_LARGE, "structured events have at most 1 MiB");
	return 0;
}

int agent_encrypt_read(struct agent_app *app, const struct http_request *r,
	struct agent_encrypt_asked *q, struct err *err)
{
	TRY(read_to(app, r, q, err));
	TRY(read_level(app, r, q, err));
	TRY(read_type(r, q, err));
	TRY(read_attributes(r, q, err));
	q->has_length = http_length(r, &q->length);
	return read_mode(q, err);
}
