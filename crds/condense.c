#include "crds/condense.h"

#include "pkg/base/alloc.h"

static struct str read_str(const void *object, size_t offset)
{
	struct str s;

	memcpy(&s, (const char *)object + offset, sizeof(s));
	return s;
}

int crds_condense(const void *from, size_t size, const size_t *offsets, size_t n, void **ret_object,
	struct err *err)
{
	size_t bytes = size;

	for (size_t i = 0; i < n; i++)
		bytes += read_str(from, offsets[i]).n;
	char *object = base_alloc(1, bytes);
	if (!object)
		return FAIL(err, ERR_NOMEM, "object of %zu bytes", bytes);
	memcpy(object, from, size);
	char *to = object + size;
	for (size_t i = 0; i < n; i++) {
		const struct str was = read_str(from, offsets[i]);
		const struct str is = {.p = to, .n = was.n};
		if (was.n)
			memcpy(to, was.p, was.n);
		memcpy(object + offsets[i], &is, sizeof(is));
		to += was.n;
	}
	*ret_object = object;
	return 0;
}
