#include "pkg/base/test.h"

#include "crds/functionkey.h"
#include "crds/test_records.h"

static int decode_case(void *ctx, struct err *err)
{
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = NULL;
	const int r = crds_functionkey_decode(base_str(ctx), &fk, err);

	if (r < 0 && fk)
		return FAIL(err, ERR_BUG, "the output was touched");
	return r;
}

static int encode_case(void *ctx, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(CRDS_OBJECT_MAX);
	const struct crds_functionkey *fk = ctx;

	return fk->role == CRDS_LEADER ? crds_leader_json(fk, &b, err)
				       : crds_member_json(fk, fk->pod_uid, &b, err);
}

static void test_every_allocation(void **state)
{
	static const char *const records[] = {TEST_LEADER_FULL, TEST_MEMBER_FULL};
	char json[8192];
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = NULL;
		assert_ok("copy",
			base_str_copy(base_str(records[i]), json, sizeof(json), "record", err));
		assert_true(torture_run("decode", decode_case, json, 1) > 1);
		assert_ok("decode", crds_functionkey_decode(base_str(json), &fk, err));
		assert_true(torture_run("encode", encode_case, fk, 1) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
