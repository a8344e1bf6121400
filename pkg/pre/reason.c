#include "pkg/pre/internal.h"

static const struct {
	enum err_class class;
	const char *word, *text;
} reasons[] = {[PRE_REASON_NONE] = {ERR_BUG, "other", "no reason"},
#define PRE_REASON_ROW(name, cls, word, text) [PRE_REASON_##name] = {ERR_##cls, word, text},
	PRE_REASONS(PRE_REASON_ROW)
#undef PRE_REASON_ROW
};

const char *pre_reason_name(int reason)
{
	return reasons[reason > 0 && reason < PRE_REASON_COUNT ? reason : PRE_REASON_NONE].word;
}

int pre_fail_at(struct err *err, enum pre_reason reason, const char *file, unsigned line)
{
	const int r =
		base_err_set(err, reasons[reason].class, file, line, "%s", reasons[reason].text);

	if (err)
		err->detail = (int)reason;
	return r;
}
