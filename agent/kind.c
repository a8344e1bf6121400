#include "agent/kind.h"

static int decode(struct str doc, void **ret_object, struct err *err)
{
	struct crds_functionkey *fk = NULL;

	TRY(crds_functionkey_decode(doc, &fk, err));
	*ret_object = fk;
	return 0;
}

static void *free_object(void *object)
{
	return crds_functionkey_free(object);
}

static struct kube_meta meta(const void *object)
{
	const struct crds_functionkey *fk = object;

	return (struct kube_meta){
		.ns = fk->ns, .name = fk->name, .uid = fk->uid, .rv = fk->resource_version};
}

const struct kube_kind agent_functionkey_kind = {
	.decode = decode, .free = free_object, .meta = meta};
