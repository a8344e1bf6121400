/* Who may stand for leader, as a table. */
#include "pkg/protocol/test_scene.h"

static const struct {
	const char *name;
	bool active, holds, no_holder, observed_before, draining, revoked, holding, named,
		no_record;
	int64_t identity;  /* of the record; 0: ours */
	int64_t unheld_s;  /* 0: held */
	int64_t expires_s; /* from now; 0: not known */
	int live_holders;
	bool want, count;
	int64_t wakes_s; /* from now; 0: not at all */
} contend_rows[] = {
	{.name = "nobody has a key", .want = true, .live_holders = -1},
	{.name = "who can open it", .active = true, .holds = true, .want = true},
	{.name = "who cannot, while it is held", .active = true, .live_holders = -1},
	{.name = "who cannot looks again when it runs out",
		.active = true,
		.expires_s = 7,
		.live_holders = -1,
		.wakes_s = 7},
	{.name = "who cannot asks who can",
		.active = true,
		.unheld_s = 1,
		.live_holders = -1,
		.count = true,
		.wakes_s = 59},
	{.name = "nobody lives who can", .active = true, .unheld_s = 1, .want = true},
	{.name = "somebody lives who can: counted again soon",
		.active = true,
		.unheld_s = 1,
		.live_holders = 1,
		.wakes_s = 2},
	{.name = "but does not come",
		.active = true,
		.unheld_s = 60,
		.live_holders = 1,
		.want = true},
	{.name = "the controller says NoHolder",
		.active = true,
		.no_holder = true,
		.want = true,
		.live_holders = -1},
	{.name = "it said so of the key before",
		.active = true,
		.no_holder = true,
		.observed_before = true,
		.live_holders = -1},
	{.name = "whose write is on its way", .active = true, .named = true, .want = true},
	{.name = "one whose record is an earlier keeper's",
		.active = true,
		.holds = true,
		.identity = 7},
	{.name = "a draining one", .active = true, .holds = true, .draining = true},
	{.name = "a draining leader",
		.active = true,
		.holds = true,
		.holding = true,
		.draining = true},
	{.name = "a revoked one", .active = true, .holds = true, .revoked = true},
	{.name = "one without a record", .active = true, .holds = true, .no_record = true},
};

static void test_who_contends(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contend_rows); i++) {
		static struct scene s;
		int64_t wake = 0;
		bool count = false;
		settled(&s);
		s.v.holding = contend_rows[i].holding;
		s.v.named = contend_rows[i].named;
		s.v.draining = contend_rows[i].draining;
		s.own.identity = point('d', contend_rows[i].identity);
		s.v.live_holders = contend_rows[i].live_holders;
		s.v.count_again_ns = s.v.boot_ns + 2 * SECOND;
		s.v.unheld_since_ns = contend_rows[i].unheld_s
					      ? s.v.boot_ns - contend_rows[i].unheld_s * SECOND
					      : 0;
		s.v.lease_expiry_ns = contend_rows[i].expires_s
					      ? s.v.boot_ns + contend_rows[i].expires_s * SECOND
					      : 0;
		if (!contend_rows[i].active)
			s.leader.keys_len = 0;
		if (!contend_rows[i].holds)
			s.v.keeper.held_len = 0;
		if (contend_rows[i].no_record)
			s.v.own = NULL;
		if (contend_rows[i].revoked)
			take_out(&s, "me");
		if (contend_rows[i].no_holder)
			s.leader.conditions[s.leader.conditions_len++] = (struct crds_condition){
				.type = STR("NoHolder"), .status = CRDS_TRUE};
		s.leader.observed_epoch = 1;
		s.leader.active_epoch = contend_rows[i].observed_before ? 2 : 1;
		const bool may = protocol_may_contend(&s.v, &count, &wake);
		const int64_t wakes = contend_rows[i].wakes_s;
		if (may != contend_rows[i].want || count != contend_rows[i].count ||
			wake != (wakes ? s.v.boot_ns + wakes * SECOND : 0))
			fail_msg("%s", contend_rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_contends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
