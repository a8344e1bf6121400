#include "pkg/base/options_impl.h"
#include "pkg/base/text.h"

static void *target_of(const struct option_def *d, void *config)
{
	return (char *)config + d->offset;
}

static int set_bool(const struct option_def *d, struct str v, void *to, struct err *err)
{
	const bool on = base_str_eq(v, STR("true"));

	(void)d;
	if (!on && !base_str_eq(v, STR("false")))
		return FAIL(err, ERR_INVALID, "write true or false");
	*(bool *)to = on;
	return 0;
}

static int set_str(const struct option_def *d, struct str v, void *to, struct err *err)
{
	if (v.n >= d->size)
		return FAIL(err, ERR_INVALID, "at most %zu bytes fit", d->size - 1);
	memset(to, 0, d->size);
	return base_str_copy(v, to, d->size, "the text", err);
}

static int set_enum(const struct option_def *d, struct str v, void *to, struct err *err)
{
	char list[160] = "";
	size_t n = 0;

	for (int i = 0; d->values[i]; i++) {
		if (base_str_eq(v, base_str(d->values[i]))) {
			*(int *)to = i;
			return 0;
		}
		n += (size_t)snprintf(
			list + n, sizeof(list) - n, "%s%s", i ? ", " : "", d->values[i]);
		if (n >= sizeof(list))
			n = sizeof(list) - 1;
	}
	return FAIL(err, ERR_INVALID, "write one of %s", list);
}

void base_option_format(const struct option_def *d, int64_t v, char dst[static BASE_UNITS_LEN])
{
	if (d->type == OPTION_TYPE_DURATION)
		base_format_duration(v, dst);
	else if (d->type == OPTION_TYPE_SIZE)
		base_format_size((uint64_t)v, dst);
	else
		(void)snprintf(dst, BASE_UNITS_LEN, "%lld", (long long)v);
}

static int parse_number(const struct option_def *d, struct str v, int64_t *ret_n, struct err *err)
{
	uint64_t n = 0;

	if (d->type == OPTION_TYPE_DURATION)
		return base_parse_duration(v, ret_n, err);
	if (d->type == OPTION_TYPE_SIZE)
		TRY(base_parse_size(v, &n, err));
	else
		TRY(base_parse_u64(v, INT64_MAX, &n, err));
	if (n > INT64_MAX)
		return FAIL(err, ERR_INVALID, "too large");
	*ret_n = (int64_t)n;
	return 0;
}

static int set_number(const struct option_def *d, struct str v, void *to, struct err *err)
{
	char low[BASE_UNITS_LEN];
	char high[BASE_UNITS_LEN];
	int64_t n = 0;

	TRY(parse_number(d, v, &n, err));
	base_option_format(d, d->min, low);
	base_option_format(d, d->max, high);
	if (n < d->min || n > d->max)
		return FAIL(err, ERR_INVALID, "write something from %s to %s", low, high);
	*(int64_t *)to = n;
	return 0;
}

int base_option_set(const struct option_def *d, struct str v, void *config, struct err *err)
{
	static int (*const setters[])(
		const struct option_def *, struct str, void *, struct err *) = {
		[OPTION_TYPE_STR] = set_str,
		[OPTION_TYPE_BOOL] = set_bool,
		[OPTION_TYPE_INT] = set_number,
		[OPTION_TYPE_DURATION] = set_number,
		[OPTION_TYPE_SIZE] = set_number,
		[OPTION_TYPE_ENUM] = set_enum,
	};
	return setters[d->type](d, v, target_of(d, config), err);
}
