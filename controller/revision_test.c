/* One revision, step by step: what is seen goes in, what shall be written comes out. */
#include "controller/test_scene.h"
#include "pkg/base/test.h"

static void opted_out(struct scene *s)
{
	s->v.opted_in = false;
	s->v.leader = NULL;
}

static void opted_out_later(struct scene *s)
{
	s->v.opted_in = false;
}

static void new_revision(struct scene *s)
{
	s->v.leader = NULL;
	s->v.lease = NULL;
}

static void no_replica_injected(struct scene *s)
{
	new_revision(s);
	s->pods[0].injected = s->pods[1].injected = false;
}

static void only_a_lease_is_missing(struct scene *s)
{
	s->v.lease = NULL;
	settle_status(s);
}

static void member_left(struct scene *s)
{
	s->v.members_len = 1;
	s->v.pods_len = 1;
}

static void member_left_just_written(struct scene *s)
{
	member_left(s);
	s->v.status_ns = s->v.boot_ns - NS_PER_S / 2;
}

static void just_made(struct scene *s)
{
	s->leader.active_epoch = 0;
	for (unsigned c = 0; c < CONTROLLER_CONDITION_COUNT; c++)
		s->leader.conditions[c] = (struct controller_condition_state){0};
	s->v.slice = NULL;
	s->v.has_service = false;
	s->v.made_ns = s->v.boot_ns - NS_PER_S / 2;
}

static void made_a_second_ago(struct scene *s)
{
	just_made(s);
	s->v.made_ns = s->v.boot_ns - NS_PER_S;
}

static void found_without_status(struct scene *s)
{
	just_made(s);
	s->v.made_ns = 0;
}

static void just_made_and_usable(struct scene *s)
{
	just_made(s);
	s->leader.active_epoch = 3;
}

static void status_just_written_and_not_seen(struct scene *s)
{
	made_a_second_ago(s);
	s->v.status_ns = s->v.boot_ns - NS_PER_S / 2;
}

static void keeper_restarted(struct scene *s)
{
	s->members[1].incarnation = 2;
}

static void leader_pod_gone(struct scene *s)
{
	s->pods[0].uid = STR(UID_X);
	s->members[0].pod_uid = STR(UID_X);
	settle_status(s);
}

static void leader_pod_failed(struct scene *s)
{
	s->pods[0].phase = CRDS_POD_FAILED;
	settle_status(s);
}

static void agent_terminated(struct scene *s)
{
	s->pods[0].agent_terminated = true;
}

static void refused(struct scene *s)
{
	s->v.alive = CONTROLLER_ALIVE_REFUSED;
}

static void leader_revoked(struct scene *s)
{
	s->leader.revoked = STR(UID_X " " UID_A " ");
	settle_status(s);
}

static void member_revoked(struct scene *s)
{
	s->leader.revoked = STR(UID_B " ");
}

static void another_revoked(struct scene *s)
{
	s->leader.revoked = STR(UID_X " ");
}

static void leader_leaves_untold(struct scene *s)
{
	s->pods[0].deleting = true;
}

static void leader_leaves(struct scene *s)
{
	leader_leaves_untold(s);
	settle_status(s);
}

static void leader_and_member_leave(struct scene *s)
{
	s->pods[1].deleting = true;
	leader_leaves(s);
}

static void leader_leaves_a_newcomer(struct scene *s)
{
	s->members[1].opened_len = 0;
	leader_leaves(s);
}

static void leader_leaves_a_member_that_ended(struct scene *s)
{
	s->pods[1].phase = CRDS_POD_FAILED;
	leader_leaves(s);
}

static void leader_leaves_a_revoked_member(struct scene *s)
{
	s->leader.revoked = STR(UID_B " ");
	leader_leaves(s);
}

static void leader_leaves_after_a_release(struct scene *s)
{
	leader_leaves(s);
	s->v.released_ns = s->v.boot_ns - NS_PER_S;
	s->v.releases = 3;
}

static void leader_leaves_after_another(struct scene *s)
{
	leader_leaves(s);
	s->v.told_ns = s->v.boot_ns - NS_PER_S;
}

static void dead_after_one_that_left(struct scene *s)
{
	agent_terminated(s);
	s->v.told_ns = s->v.boot_ns - NS_PER_S;
}

static void refused_of_a_former_leader(struct scene *s)
{
	s->v.alive = CONTROLLER_ALIVE_REFUSED;
	s->leader.leader_uid = STR(UID_B);
	settle_status(s);
}

static void refused_before_it_came_back(struct scene *s)
{
	s->v.alive = CONTROLLER_ALIVE_REFUSED;
	s->lease.holder = STR("billing-a_" UID_A "_2");
}

static void silent(struct scene *s)
{
	s->v.alive = CONTROLLER_ALIVE_UNKNOWN;
	s->pods[0].ready = false;
}

static void released_just_now(struct scene *s)
{
	agent_terminated(s);
	s->v.released_ns = s->v.boot_ns - NS_PER_S;
	s->v.releases = 1;
}

static void foreign_holder(struct scene *s)
{
	s->lease.holder = STR("some-other-client");
	settle_status(s);
}

static void released_lease(struct scene *s)
{
	s->lease.holder = STR_NULL;
	settle_status(s);
}

static void between_leaders(struct scene *s)
{
	s->lease.holder = STR_NULL;
}

static void between_leaders_for_a_second(struct scene *s)
{
	between_leaders(s);
	s->v.changing_ns = s->v.boot_ns - CONTROLLER_CHANGE_NS;
}

static void new_leader_before_its_key(struct scene *s)
{
	s->lease.holder = STR("billing-b_" UID_B "_1");
	s->leader.leader_pod = STR("billing-b");
	s->leader.leader_uid = STR(UID_B);
	s->leader.endpoint = STR("10.0.0.2:9471");
	s->leader.term = 5;
}

static void new_leader_and_no_key_for_a_second(struct scene *s)
{
	new_leader_before_its_key(s);
	s->v.changing_ns = s->v.boot_ns - CONTROLLER_CHANGE_NS;
}

static void new_leader_that_inherits(struct scene *s)
{
	new_leader_before_its_key(s);
	s->leader.inherits = true;
}

static void leader_moved(struct scene *s)
{
	s->leader.endpoint = STR("10.0.0.2:9471");
}

static void leader_lies(struct scene *s)
{
	s->leader.endpoint = STR("metadata.internal:80");
}

static void key_changed(struct scene *s)
{
	s->leader.active_fingerprint.b[0] = 1;
}

static void service_deleted(struct scene *s)
{
	s->v.has_service = false;
}

static void record_deleting(struct scene *s)
{
	s->leader.deleting = true;
	s->v.has_service = false;
	s->pods[0].agent_terminated = true;
}

static void leader_moved_just_written(struct scene *s)
{
	static char said[CONTROLLER_SAID_MAX];

	leader_moved(s);
	s->v.slice_ns = s->v.boot_ns - NS_PER_S / 2;
	s->v.slice_said = controller_slice_said(&s->v, false, said);
}

static void leader_moved_and_again(struct scene *s)
{
	leader_moved_just_written(s);
	key_changed(s);
}

static void leader_moved_and_not_seen(struct scene *s)
{
	leader_moved_just_written(s);
	s->v.slice_ns = s->v.boot_ns - NS_PER_S;
}

static void emptied_just_written(struct scene *s)
{
	leader_lies(s);
	s->v.slice_ns = s->v.boot_ns - NS_PER_S / 2;
}

/* As of a Deployment "2048-game". */
static void named_by_a_number(struct scene *s)
{
	service_deleted(s);
	leader_moved(s);
	s->v.revision = STR("2048-game-6d4b9c77f5");
}

static const struct {
	const char *name;
	void (*set)(struct scene *);
	bool record, lease, status, release, confirm, tell, service, slice, empty, wakes;
	enum controller_evidence evidence;
} rows[] = {
	{"a quiet revision has nothing to write", quiet},
	{"nor has one that is not opted in", opted_out},
	{"but what leads to its pods is taken away", opted_out_later, .slice = true, .empty = true},
	{"a new revision gets record and Lease", new_revision, .record = true, .lease = true},
	{"but not before a replica has an agent", no_replica_injected},
	{"a Lease that was deleted comes back", only_a_lease_is_missing, .lease = true},
	{"counts follow", member_left, .status = true},
	{"once a second", member_left_just_written, .wakes = true},
	{"a new record's status waits for what comes at once", just_made, .wakes = true},
	{"but not for ever", made_a_second_ago, .status = true},
	{"nor when somebody else made it", found_without_status, .status = true},
	{"nor when its key can be used", just_made_and_usable, .status = true, .service = true,
		.slice = true},
	{"and is not written twice", status_just_written_and_not_seen, .wakes = true},
	{"a restarted keeper does not count as ready", keeper_restarted, .status = true},
	{"the last holder's end is told", last_holder_gone, .status = true, .slice = true,
		.empty = true},
	{"a gone pod's Lease is emptied after a look", leader_pod_gone, .release = true,
		.confirm = true, .slice = true, .empty = true, .evidence = CONTROLLER_POD_GONE},
	{"a failed pod's at once", leader_pod_failed, .release = true,
		.evidence = CONTROLLER_POD_ENDED},
	{"a dead agent's at once", agent_terminated, .release = true,
		.evidence = CONTROLLER_AGENT_TERMINATED},
	{"one whose kernel refuses, too", refused, .release = true,
		.evidence = CONTROLLER_CONNECTION_REFUSED},
	{"a revoked pod's at once", leader_revoked, .release = true,
		.evidence = CONTROLLER_POD_REVOKED},
	{"a revoked replica is not counted", member_revoked, .status = true},
	{"who is revoked elsewhere changes nothing", another_revoked},
	{"who leaves is told before the kubelet tells it", leader_leaves, .tell = true},
	{"and counts follow when it is over", leader_leaves_untold, .tell = true, .wakes = true},
	{"but not where all leave", leader_and_member_leave},
	{"nor to one that cannot open the key", leader_leaves_a_newcomer},
	{"nor to one that ended", leader_leaves_a_member_that_ended},
	{"nor to a revoked one", leader_leaves_a_revoked_member},
	{"deaths before do not delay it", leader_leaves_after_a_release, .tell = true},
	{"but the next one is left to the kubelet's drain", leader_leaves_after_another},
	{"and it does not delay the release of a dead one", dead_after_one_that_left,
		.release = true, .evidence = CONTROLLER_AGENT_TERMINATED},
	{"a refusal counts only of who leads now", refused_of_a_former_leader},
	{"and not of the same pod that came back", refused_before_it_came_back},
	{"silence and unreadiness prove nothing", silent},
	{"not twice in half a minute", released_just_now, .wakes = true,
		.evidence = CONTROLLER_AGENT_TERMINATED},
	{"a foreign holder is left alone", foreign_holder},
	{"a released Lease too", released_lease},
	{"a change of leaders is not told at once", between_leaders, .wakes = true},
	{"but when it lasts", between_leaders_for_a_second, .status = true},
	{"the slice waits for the new leader's key", new_leader_before_its_key, .wakes = true},
	{"but not for ever", new_leader_and_no_key_for_a_second, .slice = true},
	{"nor where it keeps the key", new_leader_that_inherits, .slice = true},
	{"the slice follows the leader", leader_moved, .slice = true},
	{"but is not written twice", leader_moved_just_written, .wakes = true},
	{"until something else changes", leader_moved_and_again, .slice = true},
	{"or it is not seen for too long", leader_moved_and_not_seen, .slice = true},
	{"nor emptied twice", emptied_just_written, .empty = true, .wakes = true},
	{"but not to what is no address", leader_lies, .slice = true, .empty = true},
	{"and the key", key_changed, .slice = true},
	{"a deleted Service comes back", service_deleted, .service = true},
	{"a name that no Service may have is not tried for ever", named_by_a_number},
	{"a record that goes away is left alone", record_deleting},
};

static void test_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		static struct scene s;
		struct controller_plan plan;
		settled(&s);
		rows[i].set(&s);
		controller_revision_step(&s.v, &plan);
		if (plan.create_record != rows[i].record || plan.create_lease != rows[i].lease ||
			plan.write_status != rows[i].status)
			fail_msg("%s: record %d, lease %d, status %d", rows[i].name,
				plan.create_record, plan.create_lease, plan.write_status);
		if (plan.release != rows[i].release || plan.confirm_gone != rows[i].confirm ||
			plan.evidence != rows[i].evidence)
			fail_msg("%s: release %d, confirm %d, evidence %s", rows[i].name,
				plan.release, plan.confirm_gone,
				controller_evidence_name(plan.evidence));
		if (plan.tell_leaving != rows[i].tell ||
			(rows[i].tell && !base_str_eq(plan.leaving_uid, STR(UID_A))))
			fail_msg("%s: tells %d", rows[i].name, plan.tell_leaving);
		if (plan.create_service != rows[i].service || plan.write_slice != rows[i].slice ||
			plan.remove_endpoints != rows[i].empty)
			fail_msg("%s: service %d, slice %d, empty %d", rows[i].name,
				plan.create_service, plan.write_slice, plan.remove_endpoints);
		if ((plan.wake_ns > s.v.boot_ns) != rows[i].wakes)
			fail_msg("%s: wakes at %lld", rows[i].name, (long long)plan.wake_ns);
	}
}

static const struct {
	const char *name;
	void (*set)(struct scene *);
	enum crds_condition_status ready, no_holder;
	const char *reason;
	int64_t total, members_ready;
} condition_rows[] = {
	{"all well", quiet, CRDS_TRUE, CRDS_FALSE, "KeyActive", 2, 2},
	{"one keeper restarted", keeper_restarted, CRDS_TRUE, CRDS_FALSE, "KeyActive", 2, 1},
	{"one revoked", member_revoked, CRDS_TRUE, CRDS_FALSE, "KeyActive", 1, 1},
	{"scaled to zero", last_holder_gone, CRDS_FALSE, CRDS_TRUE, "LastHolderGone", 0, 0},
	{"between two leaders", released_lease, CRDS_FALSE, CRDS_FALSE, "NoLeader", 2, 2},
};

static void test_conditions(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(condition_rows); i++) {
		static struct scene s;
		struct controller_plan plan = {0};
		settled(&s);
		condition_rows[i].set(&s);
		controller_status(&s.v, &plan);
		if (plan.conditions[CONTROLLER_READY].status != condition_rows[i].ready ||
			plan.conditions[CONTROLLER_NO_HOLDER].status !=
				condition_rows[i].no_holder ||
			strcmp(plan.conditions[CONTROLLER_READY].reason,
				condition_rows[i].reason) != 0 ||
			plan.members_total != condition_rows[i].total ||
			plan.members_ready != condition_rows[i].members_ready)
			fail_msg("%s: %s %lld/%lld", condition_rows[i].name,
				plan.conditions[CONTROLLER_READY].reason,
				(long long)plan.members_ready, (long long)plan.members_total);
	}
}

static void test_holders(void **state)
{
	static const struct {
		const char *holder, *pod; /* NULL: refused */
	} holders[] = {
		{"billing-a_" UID_A "_1", "billing-a"},
		{"a_b_" UID_A "_12", "a_b"},
		{"_" UID_A "_1", NULL},
		{"billing-a_" UID_A, NULL},
		{"", NULL},
		{"_", NULL},
		{"client-go_5d1f", NULL},
	};
	struct str pod = STR_NULL;
	struct str uid = STR_NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(holders); i++) {
		if (controller_holder_parse(base_str(holders[i].holder), &pod, &uid) !=
			(holders[i].pod != NULL))
			fail_msg("'%s'", holders[i].holder);
		if (holders[i].pod) {
			assert_true(base_str_eq(pod, base_str(holders[i].pod)));
			assert_true(base_str_eq(uid, STR(UID_A)));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_holders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
