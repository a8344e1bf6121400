/* What comes from outside of the protocol, or too late, must not stop a replica for good. */
#include "pkg/base/test.h"
#include "sim/world.h"

#include "agent/replica_internal.h"

#include <stdio.h>

static struct sim_world *world(uint64_t seed, int replicas)
{
	const struct sim_options options = {.seed = seed, .replicas = replicas};
	struct sim_world *w = NULL;

	assert_ok("world", sim_world_new(&options, &w, err));
	return w;
}

static void rest(struct sim_world *w, int64_t ns)
{
	sim_run(w, w->now + ns);
	assert_string_equal(w->failure, "");
	assert_true(sim_converged(w));
}

static struct sim_replica *a_member(struct sim_world *w)
{
	for (size_t i = 0; i < w->replicas_len; i++)
		if (!agent_replica_leading(w->replicas[i].half->agent))
			return &w->replicas[i];
	return NULL;
}

/* The record of a keeper that is dead arrives after the next one chose its number. */
static void test_a_number_that_is_taken(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		_cleanup_(sim_world_free) struct sim_world *w = world(seed, 3);
		rest(w, 30 * NS_PER_S);
		struct sim_replica *r = a_member(w);
		char late[512];
		const int64_t next = r->half->core.self.incarnation + 1;
		sim_keeper_kill(r, NS_PER_MS);
		sim_run(w, w->now + NS_PER_MS);
		/* Three points and a proof that nobody has the secrets of. */
		(void)snprintf(late, sizeof(late),
			"{\"spec\":{\"incarnation\":%lld,\"receivingKey\":\"02%064d\","
			"\"inboxKey\":\"02%064d\",\"identityKey\":\"02%064d\"}}",
			(long long)next, 1, 2, 3);
		w->forging = true;
		sim_edit(w, r->member, "", late);
		rest(w, 30 * NS_PER_S);
		_cleanup_(crds_functionkey_free) struct crds_functionkey *own =
			sim_record(w, base_str(r->member));
		assert_int_equal(own->incarnation, next + 1);
		assert_int_equal(r->half->core.self.incarnation, next + 1);
		assert_int_equal(own->opened_incarnation, next + 1);
		sim_check_end(w);
		assert_string_equal(w->failure, "");
	}
}

static struct crds_fingerprint fingerprint(const struct crds_point *p)
{
	struct crds_fingerprint out;
	struct pre_public_key key;

	memcpy(key.b, p->b, sizeof(key.b));
	const struct pre_fingerprint fp = pre_fingerprint(&key);
	memcpy(out.b, fp.b, sizeof(out.b));
	return out;
}

/* A patch that grants the active key to a member, with a signature that is nobody's. */
static int forge(const struct crds_functionkey *leader, const struct crds_functionkey *member,
	struct buf *b, struct err *err)
{
	const struct crds_key *active = crds_key_active(leader);
	const struct crds_grant forged = {.epoch = active->epoch,
		.term = leader->leader.term,
		.incarnation = member->incarnation,
		.leader = leader->leader.pod,
		.from = active->fingerprint,
		.to = fingerprint(&member->receiving),
		.inbox = fingerprint(&member->inbox),
		.kfrag = STR("AAAA"),
		.signature = {.b = {1}}};

	TRY(base_buf_add_str(b, STR("{\"status\":{\"opened\":null,\"reEncryptionKeys\":["), err));
	TRY(crds_grant_json(&forged, b, err));
	TRY(base_buf_add_str(b, STR("]}}"), err));
	return base_buf_add_byte(b, '\0', err);
}

static void forget(struct sim_replica *r, int64_t epoch)
{
	const struct kmsg_request erase = {.op = KMSG_ERASE, .erase = {.epoch = epoch}};
	struct kmsg_reply reply = {0};

	keeper_handle(r->keeper, &erase, &reply);
	r->held[epoch] = false;
}

static void test_a_forged_grant(void **state)
{
	_cleanup_(base_buf_done) struct buf patch = base_buf(16384);
	_cleanup_(sim_world_free) struct sim_world *w = world(3, 3);

	(void)state;
	rest(w, 30 * NS_PER_S);
	struct sim_replica *r = a_member(w);
	_cleanup_(crds_functionkey_free) struct crds_functionkey *before =
		sim_record(w, base_str(r->member));
	_cleanup_(crds_functionkey_free) struct crds_functionkey *leader =
		sim_record(w, STR(SIM_REVISION));
	assert_ok("patch", forge(leader, before, &patch, err));
	/* It must be wanted, so the member forgets what it had. */
	forget(r, leader->active_epoch);
	sim_half_kill(r, NS_PER_MS);
	w->forging = true;
	sim_edit(w, r->member, "status", (const char *)patch.data);
	rest(w, 30 * NS_PER_S);
	_cleanup_(crds_functionkey_free) struct crds_functionkey *after =
		sim_record(w, base_str(r->member));
	assert_true(crds_opened(after, leader->active_epoch));
	assert_memory_not_equal(&after->inbox, &before->inbox, sizeof(after->inbox));
	assert_int_equal(agent_replica_stats(r->half->agent)->failures[PROTOCOL_ACCEPT], 1);
	sim_check_end(w);
	assert_string_equal(w->failure, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_number_that_is_taken),
		cmocka_unit_test(test_a_forged_grant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
