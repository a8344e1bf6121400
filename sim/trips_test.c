/* How many requests to the API server follow from each other between the release of a leader's
 * Lease and a new active key. Times depend on the machine; this does not. */
#include "agent/replica_internal.h"
#include "pkg/base/test.h"
#include "sim/world.h"

#include <stdio.h>

#define SEEDS      10
#define ROUND_TRIP (400 * NS_PER_MS) /* much longer than the jitter of candidates */

static struct sim_replica *leader_of(struct sim_world *w)
{
	for (size_t i = 0; i < w->replicas_len; i++) {
		struct sim_replica *r = &w->replicas[i];
		if (r->alive && r->half && r->half->agent && agent_replica_leading(r->half->agent))
			return r;
	}
	return NULL;
}

static void rest(struct sim_world *w)
{
	sim_run(w, w->now + 70 * NS_PER_S);
	assert_string_equal(w->failure, "");
	assert_true(sim_converged(w));
}

static void leader_dies(struct sim_world *w)
{
	struct sim_replica *r = leader_of(w);

	sim_replica_kill(r);
	sim_replica_bury(r, true);
}

static void leader_drains(struct sim_world *w)
{
	sim_replica_drain(leader_of(w));
}

/* Its pod is deleted: the controller sees that before the kubelet tells the agent. */
static void leader_leaves(struct sim_world *w)
{
	sim_replica_see_off(leader_of(w));
}

/* The Lease; term and key; grants; what is opened; active. Where nobody else is ready, nothing
 * needs to be granted. */
static const struct {
	const char *name;
	int replicas; /* with the leader that goes */
	void (*change)(struct sim_world *w);
	int want;
} rows[] = {
	{"a leader dies and one replica is left", 2, leader_dies, 3},
	{"a leader dies and three are left", 4, leader_dies, 5},
	{"a leader dies and ten are left", 11, leader_dies, 5},

	{"a leader drains, three with it", 3, leader_drains, 5},
	{"a leader's pod is deleted, three with it", 3, leader_leaves, 6},
};

static int count(const char *name, int replicas, void (*change)(struct sim_world *w), uint64_t seed)
{
	_cleanup_(sim_world_free) struct sim_world *w = NULL;
	const struct sim_options options = {
		.seed = seed, .replicas = replicas, .round_trip_ns = ROUND_TRIP};

	assert_ok(name, sim_world_new(&options, &w, err));
	sim_edit(w, SIM_REVISION, "", "{\"spec\":{\"onLeaderChange\":\"NewEpoch\"}}");
	rest(w);
	const uint64_t epochs = w->stats.epochs, idle = w->idle_writes;
	const int64_t from = w->now;
	change(w);
	while (w->stats.epochs == epochs && w->now < from + 20 * ROUND_TRIP && !w->failure[0])
		sim_run(w, w->now + NS_PER_MS);
	/* Half a one goes by until the release is seen, the other half until others see the key. */
	const int64_t took = w->now - from;
	rest(w);
	if (w->idle_writes != idle)
		fail_msg("%s: %llu writes changed nothing", name,
			(unsigned long long)(w->idle_writes - idle));
	return (int)(took / ROUND_TRIP);
}

static void test_round_trips(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			const int n = count(rows[i].name, rows[i].replicas, rows[i].change, seed);
			if (n != rows[i].want)
				fail_msg("%s: %d requests follow from each other, wanted %d (seed "
					 "%llu)\n",
					rows[i].name, n, rows[i].want, (unsigned long long)seed);
		}
}

/* Anybody in the cluster may kick; the client sends so many requests a second, in their order, and
 * grants are among them. */
static void test_kicks_leave_room(void **state)
{
	_cleanup_(sim_world_free) struct sim_world *w = NULL;
	const struct sim_options options = {.seed = 1, .replicas = 1, .round_trip_ns = ROUND_TRIP};

	(void)state;
	assert_ok("world", sim_world_new(&options, &w, err));
	rest(w);
	struct agent_replica *leader = leader_of(w)->half->agent;
	const uint64_t before = leader->stats.kicks;
	for (int i = 0; i < 20; i++) {
		agent_replica_kicked(leader, STR("orders-99.00000000"));
		sim_run(w, w->now + ROUND_TRIP / 40);
	}
	assert_int_equal(leader->stats.kicks - before, AGENT_KICKED_MAX);
	sim_run(w, w->now + 2 * ROUND_TRIP);
	agent_replica_kicked(leader, STR("orders-99.00000000"));
	assert_int_equal(leader->stats.kicks - before, AGENT_KICKED_MAX + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips), cmocka_unit_test(test_kicks_leave_room)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
