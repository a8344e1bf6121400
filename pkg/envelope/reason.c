#include "pkg/envelope/reason.h"

struct row {
	enum err_class class;
	const char *name;
};

static const struct row rows[ENVELOPE_REASON_COUNT] = {[ENVELOPE_REASON_NONE] = {ERR_BUG, "other"},
#define ROW(name, class, text) [ENVELOPE_REASON_##name] = {ERR_##class, text},
	ENVELOPE_REASONS(ROW)
#undef ROW
};

const char *envelope_reason_name(int reason)
{
	if (reason <= ENVELOPE_REASON_NONE || reason >= ENVELOPE_REASON_COUNT)
		return rows[ENVELOPE_REASON_NONE].name;
	return rows[reason].name;
}

int envelope_refuse(struct err *err, enum envelope_reason reason, const char *file, unsigned line,
	const char *what)
{
	const struct row *row = &rows[reason < ENVELOPE_REASON_COUNT ? reason : 0];
	const int r = base_err_set(err, row->class, file, line, "%s: %s", row->name, what);

	if (err)
		err->detail = (int)reason;
	return r;
}
