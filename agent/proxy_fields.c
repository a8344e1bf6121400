#include "agent/proxy_fields.h"

#include "pkg/base/secret.h"

#include <strings.h>

void agent_fields_done(struct agent_fields *f)
{
	base_buf_wipe(&f->text);
	f->v.n = 0;
	f->connections = 0;
}

bool agent_fields_own(struct str name)
{
	return base_str_eq(name, STR("host")) || base_str_eq(name, STR("content-length"));
}

static bool same(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

/* Whether the comma-separated list has that word, in any case. */
static bool lists(struct str list, struct str word)
{
	for (size_t at = 0; at <= list.n;) {
		const size_t end = base_str_find(list, ',', at);
		if (same(base_str_trim(base_str_sub(list, at, end)), word))
			return true;
		at = end + 1;
	}
	return false;
}

bool agent_fields_upgrade(struct str name, struct str value)
{
	return same(name, STR("upgrade")) ||
	       (same(name, STR("connection")) && lists(value, STR("upgrade")));
}

/* A copy in f->text, which has its room already and so does not move. */
static int copy(struct agent_fields *f, struct str s, bool lower, struct str *ret, struct err *err)
{
	const size_t at = f->text.len;

	TRY(base_buf_add_str(&f->text, s, err));
	for (size_t i = at; lower && i < f->text.len; i++)
		if (f->text.data[i] >= 'A' && f->text.data[i] <= 'Z')
			f->text.data[i] |= 0x20;
	*ret = base_str_n(f->text.data + at, s.n);
	return 0;
}

int agent_fields_take(struct agent_fields *f, struct str name, struct str value, struct err *err)
{
	struct str key = STR_NULL;
	struct str copied = STR_NULL;
	uint8_t *p = NULL;

	if (f->text.cap == 0)
		TRY(base_buf_room(&f->text, AGENT_FIELDS_BYTES, &p, err));
	if (name.n == 0)
		return FAIL(err, ERR_INVALID, "a header without a name");
	TRY(copy(f, name, true, &key, err));
	if (base_str_eq(key, STR("connection"))) {
		if (f->connections == ARRAY_LEN(f->connection))
			return FAIL(err, ERR_INVALID, "too many Connection headers");
		return copy(f, value, false, &f->connection[f->connections++], err);
	}
	if (bhttp_field_class(key) != BHTTP_FIELD_END_TO_END || agent_fields_own(key))
		return 0;
	TRY(copy(f, value, false, &copied, err));
	return bhttp_fields_add(&f->v, key, copied, err);
}

void agent_fields_end(struct agent_fields *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->v.n; i++) {
		bool named = false;
		for (size_t c = 0; c < f->connections; c++)
			named |= lists(f->connection[c], f->v.v[i].name);
		if (!named)
			f->v.v[kept++] = f->v.v[i];
	}
	f->v.n = kept;
}
