#include "agent/attributes.h"

#include "agent/problem.h"
#include "pkg/envelope/cbor.h"

#include <stdio.h>
#include <strings.h>

void agent_attributes_done(struct agent_attributes *a)
{
	base_buf_done(&a->store);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int decode(struct str value, struct buf *b, struct err *err)
{
	for (size_t i = 0; i < value.n; i++) {
		uint8_t byte = (uint8_t)value.p[i];
		if (byte == '%') {
			const int high = i + 2 < value.n ? hex_digit(value.p[i + 1]) : -1;
			const int low = high >= 0 ? hex_digit(value.p[i + 2]) : -1;
			if (low < 0)
				return FAIL(err, ERR_INVALID, "percent-encoding");
			byte = (uint8_t)(high * 16 + low);
			i += 2;
		}
		TRY(base_buf_add_byte(b, byte, err));
	}
	return 0;
}

static bool names(struct str name, enum envelope_attribute attribute)
{
	const char *want = envelope_attribute_name(attribute);
	const size_t n = strlen(want);

	return name.n == n + 3 && strncasecmp(name.p, "ce-", 3) == 0 &&
	       strncasecmp(name.p + 3, want, n) == 0;
}

static struct str value_of(const struct agent_attributes *a, enum envelope_attribute which)
{
	return a->n[which] == 0 ? STR("") : base_str_n(a->store.data + a->at[which], a->n[which]);
}

/* What was just appended to the store, from `at` on, is the attribute's value. */
static int keep(
	struct agent_attributes *a, enum envelope_attribute which, size_t at, struct err *err)
{
	a->at[which] = at;
	a->n[which] = a->store.len - at;
	if (a->set[which])
		return REFUSE_AS(err, MALFORMED, "the attribute ce-%s stands there twice",
			envelope_attribute_name(which));
	if (a->n[which] > ENVELOPE_ATTRIBUTE_MAX || !envelope_text_ok(value_of(a, which)))
		return REFUSE_AS(err, MALFORMED,
			"the attribute ce-%s is too long or not plain UTF-8",
			envelope_attribute_name(which));
	a->set[which] = true;
	return 0;
}

int agent_attributes_set(struct agent_attributes *a, enum envelope_attribute which,
	struct str value, struct err *err)
{
	const size_t at = a->store.len;
	const int r = base_buf_add_str(&a->store, value, err);

	if (r == -(int)ERR_NOMEM)
		return r;
	if (r < 0)
		return REFUSE_AS(err, MALFORMED, "the attributes are too long");
	return keep(a, which, at, err);
}

static int take(struct agent_attributes *a, enum envelope_attribute which, struct str value,
	struct err *err)
{
	const size_t at = a->store.len;
	const int r = decode(value, &a->store, err);

	if (r == -(int)ERR_NOMEM)
		return r;
	if (r < 0)
		return REFUSE_AS(err, MALFORMED,
			"the attribute ce-%s is too long or not percent-encoded",
			envelope_attribute_name(which));
	return keep(a, which, at, err);
}

int agent_attributes_take(
	struct agent_attributes *a, struct str name, struct str value, struct err *err)
{
	if (name.n < 4 || (name.p[0] | 0x20) != 'c' || name.p[2] != '-')
		return 0;
	for (int i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++)
		if (names(name, (enum envelope_attribute)i))
			return take(a, (enum envelope_attribute)i, value, err);
	return 0;
}

void agent_attributes_list(
	const struct agent_attributes *a, struct str ret[static ENVELOPE_ATTRIBUTE_COUNT])
{
	for (size_t i = 0; i < ENVELOPE_ATTRIBUTE_COUNT; i++)
		ret[i] = a->set[i] ? value_of(a, (enum envelope_attribute)i) : STR_NULL;
}

void agent_attributes_give(const struct agent_attributes *a, struct envelope_header *h)
{
	agent_attributes_list(a, h->attributes);
}

int agent_attribute_encode(struct str value, struct buf *b, struct err *err)
{
	for (size_t i = 0; i < value.n; i++) {
		const uint8_t c = (uint8_t)value.p[i];
		if (c > 0x20 && c < 0x7f && c != '"' && c != '%')
			TRY(base_buf_add_byte(b, c, err));
		else
			TRY(base_buf_addf(b, err, "%%%02X", c));
	}
	return 0;
}
