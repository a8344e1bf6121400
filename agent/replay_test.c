#include "agent/problem.h"
#include "agent/replay.h"
#include "pkg/base/test.h"

#define NOW    1700000000
#define WINDOW 300

struct world {
	struct env_fake fake;
	struct env env;
	struct envelope_context *envelope;
	struct agent_replay *replay;
};

static void begin(struct world *w, size_t max)
{
	*w = (struct world){.fake = {.wall_ns = NOW * NS_PER_S, .seed = 7}};
	w->env = base_env_fake(&w->fake);
	assert_ok("envelope", envelope_context_new(&w->env, &w->envelope, err));
	assert_ok("replay", agent_replay_new(&w->env, w->envelope, WINDOW, max, &w->replay, err));
}

static void end(struct world *w)
{
	agent_replay_free(w->replay);
	envelope_context_free(w->envelope);
}

/* A message of that number; sender 0: none. */
static int take(struct world *w, uint32_t id, uint8_t sender, int64_t iat,
	struct agent_replay_key *ret, struct err *err)
{
	uint8_t bytes[ENVELOPE_ID_LEN] = {0};
	struct pre_public_key key = {.b = {2, sender}};

	memcpy(bytes, &id, sizeof(id));
	return agent_replay_take(w->replay, sender ? &key : NULL, bytes, (uint64_t)iat, ret, err);
}

static void test_one_after_the_other(void **state)
{
	static const struct {
		const char *name;
		uint32_t id;
		uint8_t sender;
		int64_t later, iat; /* seconds from the beginning */
		enum agent_problem want;
	} rows[] = {
		{"the first", 1, 0, 0, 0, AGENT_PROBLEM_NONE},
		{"once more", 1, 0, 0, 0, AGENT_PROBLEM_REPLAYED},
		{"another", 2, 0, 0, 0, AGENT_PROBLEM_NONE},
		{"the same id by a sender", 1, 1, 0, 0, AGENT_PROBLEM_NONE},
		{"by another sender", 1, 2, 0, 0, AGENT_PROBLEM_NONE},
		{"by the first sender again", 1, 1, 0, 0, AGENT_PROBLEM_REPLAYED},
		{"just not too old", 3, 0, 0, -WINDOW, AGENT_PROBLEM_NONE},
		{"too old", 4, 0, 0, -WINDOW - 1, AGENT_PROBLEM_REPLAYED},
		{"of the clock's zero", 5, 0, 0, -NOW, AGENT_PROBLEM_REPLAYED},
		{"a clock ahead", 6, 0, 0, AGENT_REPLAY_SKEW_S, AGENT_PROBLEM_NONE},
		{"a clock too far ahead", 7, 0, 0, AGENT_REPLAY_SKEW_S + 1, AGENT_PROBLEM_REPLAYED},
		{"of the end of time", 8, 0, 0, INT64_MAX - NOW, AGENT_PROBLEM_REPLAYED},
		{"the first, at the end of its time", 1, 0, WINDOW, 0, AGENT_PROBLEM_REPLAYED},
		{"the one ahead, when others are over", 6, 0, WINDOW + AGENT_REPLAY_SKEW_S,
			AGENT_REPLAY_SKEW_S, AGENT_PROBLEM_REPLAYED},
		{"the first, later still: too old", 1, 0, WINDOW + 1, 0, AGENT_PROBLEM_REPLAYED},
		{"its id made anew", 1, 0, WINDOW + 1, WINDOW + 1, AGENT_PROBLEM_NONE},
	};
	struct world w;

	(void)state;
	begin(&w, 100);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct agent_replay_key key;
		struct err err = {0};
		w.fake.wall_ns = (NOW + rows[i].later) * NS_PER_S;
		const int r = take(&w, rows[i].id, rows[i].sender, NOW + rows[i].iat, &key, &err);
		if ((r < 0 ? agent_problem_of(&err) : AGENT_PROBLEM_NONE) != rows[i].want)
			fail_msg("%s: %s", rows[i].name, r < 0 ? err.msg : "taken");
	}
	end(&w);
}

static void test_what_was_not_delivered_may_come_again(void **state)
{
	struct agent_replay_key first, second;
	struct world w;

	(void)state;
	begin(&w, 100);
	assert_ok("first", take(&w, 1, 1, NOW, &first, err));
	assert_ok("second", take(&w, 2, 1, NOW, &second, err));
	agent_replay_forget(w.replay, &first);
	agent_replay_forget(w.replay, &first);
	assert_ok("again", take(&w, 1, 1, NOW, &first, err));
	assert_class("the second is kept", ERR_CONFLICT, take(&w, 2, 1, NOW, &second, err));
	end(&w);
}

/* Nothing is forgotten to make room: whoever could bring that about could replay. */
static void test_a_full_window_refuses(void **state)
{
	struct agent_replay_key key;
	struct world w;
	const uint32_t max = 3000;

	(void)state;
	begin(&w, max);
	for (uint32_t i = 0; i < max; i++)
		assert_ok("room", take(&w, i, 0, NOW - (i < 1000 ? 200 : 0), &key, err));
	assert_class("full", ERR_NOT_READY, take(&w, max, 0, NOW, &key, err));
	assert_class("and quick about it", ERR_NOT_READY, take(&w, max, 0, NOW, &key, err));
	for (uint32_t i = 0; i < max; i += 97)
		assert_class("kept", ERR_NOT_READY, take(&w, i, 0, NOW, &key, err));
	/* The first thousand are over. */
	w.fake.wall_ns = (NOW + 101) * NS_PER_S;
	for (uint32_t i = max; i < max + 1000; i++)
		assert_ok("room again", take(&w, i, 0, NOW + 101, &key, err));
	for (uint32_t i = 1000; i < max; i += 97)
		assert_class("the rest is kept", ERR_NOT_READY, take(&w, i, 0, NOW, &key, err));
	assert_true(agent_replay_len(w.replay) <= max);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_what_was_not_delivered_may_come_again),
		cmocka_unit_test(test_a_full_window_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
