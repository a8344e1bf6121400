/* What has lost its owner: who gets it, and when. */
#include "controller/test_scene.h"
#include "pkg/base/test.h"

static void orphans(struct scene *s)
{
	s->leader.orphan = true;
	s->lease.owners = 0;
	s->v.orphan_ns = s->v.boot_ns - CONTROLLER_ORPHAN_AFTER_NS;
}

static void orphans_just_now(struct scene *s)
{
	orphans(s);
	s->v.orphan_ns = 0;
}

static void orphans_for_a_while(struct scene *s)
{
	orphans(s);
	s->v.orphan_ns++;
}

static void orphans_opted_out(struct scene *s)
{
	orphans(s);
	s->v.opted_in = false;
}

static void orphans_without_pods(struct scene *s)
{
	orphans(s);
	s->v.pods_len = 0;
}

static void orphans_that_never_led(struct scene *s)
{
	orphans_without_pods(s);
	s->leader.leader_uid = STR_NULL;
	s->lease.holder = STR_NULL;
}

static void orphaned_lease(struct scene *s)
{
	orphans(s);
	s->leader.orphan = false;
}

static void orphaned_lease_alone(struct scene *s)
{
	orphans_without_pods(s);
	s->v.leader = NULL;
}

static void orphaned_lease_of_a_stranger(struct scene *s)
{
	orphaned_lease_alone(s);
	s->lease.holder = STR("some-other-client");
}

static void orphaned_member(struct scene *s)
{
	orphans(s);
	s->members[1].orphan = true;
	s->members[1].pod = STR("billing-b");
}

static void orphan_that_goes(struct scene *s)
{
	orphans(s);
	s->lease.owners = 1;
	s->leader.deleting = true;
}

static const struct {
	const char *name;
	void (*set)(struct scene *);
	enum controller_orphan orphan;
	bool adopt, replica;
	const char *by; /* UID; without a replica, or of a Member record */
} orphan_rows[] = {
	{"nothing is orphaned", quiet},
	{"the record, by a replica's owner", orphans, CONTROLLER_ORPHAN_RECORD, true, true},
	{"not at once", orphans_just_now, CONTROLLER_ORPHAN_RECORD, false, true},
	{"nor a moment early", orphans_for_a_while, CONTROLLER_ORPHAN_RECORD, false, true},
	{"also where nobody opted in", orphans_opted_out, CONTROLLER_ORPHAN_RECORD, true, true},
	{"without replicas, by the last leader", orphans_without_pods, CONTROLLER_ORPHAN_RECORD,
		true, false, UID_A},
	{"nobody ever led", orphans_that_never_led},
	{"then the Lease", orphaned_lease, CONTROLLER_ORPHAN_LEASE, true, true},
	{"a Lease without a record, by its holder", orphaned_lease_alone, CONTROLLER_ORPHAN_LEASE,
		true, false, UID_A},
	{"but not a stranger's", orphaned_lease_of_a_stranger},
	{"a Member record by its own pod, first", orphaned_member, CONTROLLER_ORPHAN_MEMBER, true,
		true, UID_B},
	{"what goes away is left alone", orphan_that_goes},
};

static void test_orphans(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(orphan_rows); i++) {
		static struct scene s;
		struct controller_plan plan;
		settled(&s);
		orphan_rows[i].set(&s);
		controller_revision_step(&s.v, &plan);
		if (plan.orphan != orphan_rows[i].orphan || plan.adopt != orphan_rows[i].adopt)
			fail_msg("%s: orphan %d, adopt %d", orphan_rows[i].name, (int)plan.orphan,
				plan.adopt);
		if (orphan_rows[i].orphan && (plan.create_for != NULL) != orphan_rows[i].replica)
			fail_msg("%s: replica", orphan_rows[i].name);
		if (orphan_rows[i].by &&
			!base_str_eq(plan.adopt_by.uid, base_str(orphan_rows[i].by)))
			fail_msg("%s: by %.*s", orphan_rows[i].name, STR_FMT(plan.adopt_by.uid));
		if (orphan_rows[i].orphan && !plan.adopt && plan.wake_ns <= s.v.boot_ns)
			fail_msg("%s: nobody wakes it", orphan_rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orphans),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
