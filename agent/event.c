#include "agent/event.h"

#include "agent/problem.h"
#include "pkg/base/text.h"

#include <strings.h>

#define TIME_MAX 64 /* characters; the longest with nanoseconds and an offset has 35 */

bool agent_event_is_json(struct str media_type)
{
	const size_t n = sizeof(AGENT_TYPE_EVENT) - 1;
	const struct str name =
		base_str_trim(base_str_sub(media_type, 0, base_str_find(media_type, ';', 0)));

	return name.n == n && strncasecmp(name.p, AGENT_TYPE_EVENT, n) == 0;
}

/* -- well-formed values -- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_hex(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* The characters of RFC 3986. */
static bool reference_ok(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		if (c <= ' ' || c > '~' || strchr("\"<>\\^`{|}", c))
			return false;
		if (c == '%' && (i + 2 >= s.n || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2])))
			return false;
	}
	return s.n > 0;
}

static bool absolute_ok(struct str s)
{
	size_t i = 0;

	while (i < s.n &&
		(is_letter(s.p[i]) || (i > 0 && (is_digit(s.p[i]) || strchr("+-.", s.p[i])))))
		i++;
	return i > 0 && i < s.n && s.p[i] == ':' && reference_ok(s);
}

/* "+hh:mm" at the end, in minutes; -1: none. */
static int offset_of(struct str s)
{
	const char *p = s.n > 6 ? s.p + s.n - 6 : NULL;

	if (!p || (p[0] != '+' && p[0] != '-') || p[3] != ':' || !is_digit(p[1]) ||
		!is_digit(p[2]) || !is_digit(p[4]) || !is_digit(p[5]))
		return -1;
	const int hours = (p[1] - '0') * 10 + p[2] - '0', minutes = (p[4] - '0') * 10 + p[5] - '0';
	return hours < 24 && minutes < 60 ? hours * 60 + minutes : -1;
}

static int parse_time(struct str s, int64_t *ret_ns, struct err *err)
{
	char utc[TIME_MAX];
	const int offset = offset_of(s);

	if (offset < 0)
		return base_time_parse(s, ret_ns, err);
	const int64_t ns = offset * 60 * NS_PER_S;
	const size_t n = s.n - 6;
	if (n + 1 > sizeof(utc))
		return FAIL(err, ERR_INVALID, "a time of %zu characters", s.n);
	memcpy(utc, s.p, n);
	utc[n] = 'Z';
	TRY(base_time_parse(base_str_n(utc, n + 1), ret_ns, err));
	*ret_ns += s.p[s.n - 6] == '+' ? -ns : ns;
	return 0;
}

static bool time_ok(struct str s)
{
	int64_t ns = 0;

	return parse_time(s, &ns, NULL) == 0;
}

static bool text_ok(struct str s)
{
	return s.n > 0;
}

static bool version_ok(struct str s)
{
	return base_str_eq(s, STR("1.0"));
}

/* A row for each attribute. */
static const struct rule {
	bool required;
	bool (*ok)(struct str s);
} rules[ENVELOPE_ATTRIBUTE_COUNT] = {
	[ENVELOPE_CE_ID] = {true, text_ok},
	[ENVELOPE_CE_TIME] = {false, time_ok},
	[ENVELOPE_CE_TYPE] = {true, text_ok},
	[ENVELOPE_CE_SOURCE] = {true, reference_ok},
	[ENVELOPE_CE_SUBJECT] = {false, text_ok},
	[ENVELOPE_CE_DATASCHEMA] = {false, absolute_ok},
	[ENVELOPE_CE_SPECVERSION] = {true, version_ok},
	[ENVELOPE_CE_DATACONTENTTYPE] = {false, text_ok},
};

int agent_event_check(const struct str list[static ENVELOPE_ATTRIBUTE_COUNT], struct err *err)
{
	for (int i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++) {
		const char *name = envelope_attribute_name((enum envelope_attribute)i);
		if (!list[i].p && rules[i].required)
			return REFUSE_AS(err, MALFORMED, "the event has no %s", name);
		if (list[i].p && !rules[i].ok(list[i]))
			return REFUSE_AS(err, MALFORMED, "the event's %s is not one", name);
	}
	return 0;
}

/* -- comparing -- */

static bool same(enum envelope_attribute which, struct str a, struct str b)
{
	int64_t at_a = 0, at_b = 0;

	if (!a.p || !b.p)
		return !a.p && !b.p;
	if (base_str_eq(a, b))
		return true;
	/* Gateways write times anew: they may be the same without being written the same. */
	return which == ENVELOPE_CE_TIME && parse_time(a, &at_a, NULL) == 0 &&
	       parse_time(b, &at_b, NULL) == 0 && at_a == at_b;
}

int agent_event_outside(const struct str outer[static ENVELOPE_ATTRIBUTE_COUNT],
	const struct str sealed[static ENVELOPE_ATTRIBUTE_COUNT], struct err *err)
{
	for (int i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++) {
		const enum envelope_attribute which = (enum envelope_attribute)i;
		if (which == ENVELOPE_CE_DATACONTENTTYPE ||
			(which == ENVELOPE_CE_DATASCHEMA && !outer[i].p))
			continue;
		if (!same(which, outer[i], sealed[i]))
			return REFUSE_AS(err, TAMPERED, "the event outside has another %s",
				envelope_attribute_name(which));
	}
	return 0;
}

int agent_event_inside(
	struct str doc, const struct str sealed[static ENVELOPE_ATTRIBUTE_COUNT], struct err *err)
{
	_cleanup_(agent_attributes_done) struct agent_attributes a = agent_attributes();
	struct str inner[ENVELOPE_ATTRIBUTE_COUNT];

	TRY(agent_event_read(doc, &a, NULL, err));
	agent_attributes_list(&a, inner);
	for (int i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++)
		if (!same((enum envelope_attribute)i, inner[i], sealed[i]))
			return REFUSE_AS(err, TAMPERED, "the event inside has another %s",
				envelope_attribute_name((enum envelope_attribute)i));
	return 0;
}
