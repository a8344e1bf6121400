/* Any bytes: decoding never crashes, and what was decoded can be written and read again. */
#include "pkg/base/buf.h"

#include "crds/functionkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void again(const struct crds_functionkey *fk)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CRDS_OBJECT_MAX);
	_cleanup_(crds_functionkey_free) struct crds_functionkey *twin = NULL;
	struct err err = {0};
	const int r = fk->role == CRDS_LEADER ? crds_leader_json(fk, &b, &err)
					      : crds_member_json(fk, fk->pod_uid, &b, &err);

	base_assert(r == 0);
	base_assert(crds_functionkey_decode(base_buf_str(&b), &twin, &err) == 0);
	base_assert(twin->role == fk->role && base_str_eq(twin->name, fk->name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = NULL;
	struct err err = {0};

	if (crds_functionkey_decode(base_str_n(data, size), &fk, &err) == 0)
		again(fk);
	else
		base_assert(err.class != ERR_BUG && !fk);
	return 0;
}
