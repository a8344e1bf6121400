#include "pkg/kube/ref.h"

static bool is_rv(struct str s)
{
	if (s.n == 0 || s.p[0] == '0')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

int kube_rv_cmp(struct str a, struct str b, int *ret_cmp, struct err *err)
{
	if (!is_rv(a) || !is_rv(b))
		return FAIL(err, ERR_INVALID, "resourceVersions '%.*s' and '%.*s' have no order",
			STR_FMT(a), STR_FMT(b));
	if (a.n != b.n)
		*ret_cmp = a.n < b.n ? -1 : 1;
	else
		*ret_cmp = memcmp(a.p, b.p, a.n);
	return 0;
}
