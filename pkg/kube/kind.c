#include "pkg/base/alloc.h"
#include "pkg/kube/projection.h"

struct str kube_pairs_get(const struct kube_pairs *pairs, const char *key)
{
	/* Of duplicate keys the last wins. */
	for (size_t i = pairs->n; i-- > 0;)
		if (base_str_eq(pairs->items[i].key, base_str(key)))
			return pairs->items[i].value;
	return STR_NULL;
}

int kube_kind_decode(
	const struct kube_kind *kind, struct str doc, void **ret_object, struct err *err)
{
	if (kind->decode)
		return kind->decode(doc, ret_object, err);
	return kube_project(kind->projection, doc, ret_object, err);
}

void *kube_kind_free(const struct kube_kind *kind, void *object)
{
	if (object)
		(void)(kind->free ? (kind->free)(object) : base_free(object));
	return NULL;
}

struct kube_meta kube_kind_meta(const struct kube_kind *kind, const void *object)
{
	return kind->meta ? kind->meta(object) : *(const struct kube_meta *)object;
}
