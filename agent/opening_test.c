#include "agent/opening_world.h"

static void pieces_of_any_size_are_opened(void **state)
{
	static const size_t pieces[] = {1, 7, 300, AGENT_CHUNK_MAX};
	struct world w;

	(void)state;
	world_begin(&w);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		_cleanup_(agent_opening_free) struct agent_opening *o = opening_of(&w);
		seal_whole(&w, STR("forty-two"));
		assert_ok("whole", open_all(&w, o, pieces[i], err));
		assert_true(base_str_eq(base_buf_str(&w.out), STR("forty-two")));
		assert_int_equal(agent_opening_head(o)->epoch, 1);
		assert_int_equal(agent_opening_head(o)->state, CRDS_ACTIVE);
		assert_false(agent_opening_head(o)->warm);
		assert_true(base_str_eq(agent_opening_head(o)->header->type, STR("text/plain")));
	}
	world_end(&w);
}

static void streams_are_released_as_they_verify(void **state)
{
	struct world w;
	_cleanup_(base_buf_done) struct buf plain = base_buf(1u << 20);
	uint8_t *p = NULL;

	(void)state;
	world_begin(&w);
	assert_ok("room", base_buf_room(&plain, 300000, &p, err));
	memset(p, 'x', 300000);
	base_buf_added(&plain, 300000);
	seal_stream(&w, plain.data, plain.len);
	struct agent_opening *o = opening_of(&w);
	assert_ok("stream", open_all(&w, o, 5000, err));
	agent_opening_free(o);
	assert_int_equal(w.out.len, plain.len);
	assert_memory_equal(w.out.data, plain.data, plain.len);
	/* Cut anywhere, it does not end well. */
	for (size_t cut = w.message.len - 70000; cut < w.message.len; cut += 6999) {
		const size_t whole = w.message.len;
		struct err why = {0};
		o = opening_of(&w);
		w.message.len = cut;
		assert_int_equal(open_all(&w, o, 5000, &why), -(int)ERR_TAMPERED);
		w.message.len = whole;
		agent_opening_free(o);
	}
	world_end(&w);
}

static void one_flipped_bit_is_refused(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	seal_whole(&w, STR("forty-two"));
	for (size_t at = 0; at < w.message.len; at++) {
		struct agent_opening *o = opening_of(&w);
		struct err why = {0};
		w.message.data[at] ^= 1;
		const int r = open_all(&w, o, AGENT_CHUNK_MAX, &why);
		w.message.data[at] ^= 1;
		if (r == 0 || w.out.len > 0)
			fail_msg("byte %zu: opened", at);
		/* A capsule's or epoch's change may make it a message that waits for a key. */
		if (r == AGENT_OPENING_WAIT)
			assert_int_equal(o->state, AGENT_OPENING_PARKED);
		else if (why.class == ERR_BUG || why.class == ERR_TERMINAL)
			fail_msg("byte %zu: %s", at, why.msg);
		agent_opening_free(o);
	}
	world_end(&w);
}

static void opened_secrets_are_cached_until_their_key_goes(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w);
	seal_whole(&w, STR("forty-two"));
	for (unsigned i = 0; i < 3; i++) {
		struct agent_opening *o = opening_of(&w);
		assert_ok("open", open_all(&w, o, AGENT_CHUNK_MAX, err));
		assert_int_equal(agent_opening_head(o)->warm, i > 0);
		agent_opening_free(o);
	}
	assert_int_equal(agent_openings_stats(w.openings).cold, 1);
	assert_int_equal(agent_openings_stats(w.openings).warm, 2);
	w.sample.keys[0].state = CRDS_REVOKED;
	change(&w);
	struct agent_opening *o = opening_of(&w);
	assert_ok("revoked", open_all(&w, o, AGENT_CHUNK_MAX, err));
	assert_false(agent_opening_head(o)->warm);
	assert_int_equal(agent_opening_head(o)->state, CRDS_REVOKED);
	agent_opening_free(o);
	assert_int_equal(agent_openings_stats(w.openings).cache.live, 0);
	world_end(&w);
}

static void early_messages_are_parked(void **state)
{
	struct world w;
	struct err why = {0};

	(void)state;
	world_begin(&w);
	seal_whole(&w, STR("forty-two"));
	/* Unknown, then listed, then held. */
	w.hidden = true;
	struct agent_opening *o = opening_of(&w);
	assert_int_equal(open_all(&w, o, AGENT_CHUNK_MAX, &why), AGENT_OPENING_WAIT);
	assert_int_equal(w.kicks, 1);
	assert_int_equal(agent_openings_stats(w.openings).parked, 1);
	w.hidden = false;
	w.unheld = true;
	change(&w);
	assert_int_equal(w.ready, 1);
	assert_int_equal(agent_opening_resume(o, &w.out, &why), AGENT_OPENING_WAIT);
	w.unheld = false;
	change(&w);
	assert_int_equal(w.ready, 2);
	assert_int_equal(agent_opening_resume(o, &w.out, &why), AGENT_OPENING_WAIT);
	answer_all(&w);
	assert_ok("resume", agent_opening_resume(o, &w.out, err));
	assert_ok("end", agent_opening_end(o, &w.out, err));
	assert_true(base_str_eq(base_buf_str(&w.out), STR("forty-two")));
	agent_opening_free(o);
	/* Not for ever. */
	w.hidden = true;
	o = opening_of(&w);
	assert_int_equal(open_all(&w, o, AGENT_CHUNK_MAX, &why), AGENT_OPENING_WAIT);
	w.clock.boot_ns += AGENT_PARK_NS;
	agent_openings_tick(&w.openings->timer);
	assert_int_equal(w.ready, 1);
	assert_int_equal(agent_opening_resume(o, &w.out, &why), -(int)ERR_NOT_READY);
	assert_int_equal(agent_problem_of(&why), AGENT_PROBLEM_NOT_READY);
	agent_opening_free(o);
	world_end(&w);
}

static void parking_is_bounded(void **state)
{
	static struct agent_opening *o[AGENT_PARKED_MAX];
	struct world w;
	struct err why = {0};

	(void)state;
	world_begin(&w);
	seal_whole(&w, STR("forty-two"));
	w.hidden = true;
	for (size_t i = 0; i < AGENT_PARKED_MAX; i++) {
		o[i] = opening_of(&w);
		assert_int_equal(open_all(&w, o[i], AGENT_CHUNK_MAX, &why), AGENT_OPENING_WAIT);
	}
	struct agent_opening *more = opening_of(&w);
	assert_int_equal(open_all(&w, more, AGENT_CHUNK_MAX, &why), -(int)ERR_NOT_READY);
	agent_opening_free(more);
	for (size_t i = 0; i < AGENT_PARKED_MAX; i++)
		agent_opening_free(o[i]);
	assert_int_equal(agent_openings_stats(w.openings).parked, 0);
	world_end(&w);
}

static void a_busy_keeper_is_waited_for(void **state)
{
	struct world w;
	struct err why = {0};

	(void)state;
	world_begin(&w);
	seal_whole(&w, STR("forty-two"));
	w.full = true;
	struct agent_opening *o = opening_of(&w);
	assert_int_equal(open_all(&w, o, AGENT_CHUNK_MAX, &why), AGENT_OPENING_WAIT);
	assert_int_equal(w.kicks, 0);
	w.full = false;
	agent_openings_tick(&w.openings->timer);
	assert_int_equal(w.ready, 1);
	assert_int_equal(agent_opening_resume(o, &w.out, &why), AGENT_OPENING_WAIT);
	answer_all(&w);
	assert_ok("resume", agent_opening_resume(o, &w.out, err));
	assert_ok("end", agent_opening_end(o, &w.out, err));
	agent_opening_free(o);
	world_end(&w);
}

/* Places at the keeper that openings do not take are for signatures of ours. */
static void not_all_places_are_taken(void **state)
{
	static struct agent_opening *o[AGENT_ASKING_MAX + 2];
	struct world w;
	struct err why = {0};

	(void)state;
	world_begin(&w);
	seal_whole(&w, STR("forty-two"));
	for (size_t i = 0; i < ARRAY_LEN(o); i++) {
		o[i] = opening_of(&w);
		assert_int_equal(agent_opening_add(o[i], base_buf_str(&w.message), &w.out, &why),
			AGENT_OPENING_WAIT);
	}
	assert_int_equal(w.asked_len, AGENT_ASKING_MAX);
	assert_int_equal(agent_openings_stats(w.openings).parked, 2);
	/* An answer that nobody waits for any more leaves its place to the next one, too. */
	o[0] = agent_opening_free(o[0]);
	answer_all(&w);
	assert_int_equal(w.ready, AGENT_ASKING_MAX + 1);
	assert_int_equal(agent_openings_stats(w.openings).parked, 0);
	for (size_t i = 0; i < ARRAY_LEN(o); i++)
		agent_opening_free(o[i]);
	world_end(&w);
}

static void who_goes_away_is_not_called(void **state)
{
	struct world w;
	struct err why = {0};

	(void)state;
	world_begin(&w);
	seal_whole(&w, STR("forty-two"));
	struct agent_opening *o = opening_of(&w);
	assert_int_equal(
		agent_opening_add(o, base_buf_str(&w.message), &w.out, &why), AGENT_OPENING_WAIT);
	agent_opening_free(o);
	answer_all(&w);
	assert_int_equal(w.ready, 0);
	world_end(&w);
}

static void only_events_are_opened(void **state)
{
	const uint8_t context[ENVELOPE_HASH_LEN] = {1};
	struct world w;
	struct err why = {0};

	(void)state;
	world_begin(&w);
	const struct envelope_target t = target_of(&w);
	struct envelope_header like = {
		.type = STR("text/plain"), .kind = ENVELOPE_KFRAG, .has_context = true};
	memcpy(like.context, context, sizeof(context));
	assert_ok("seal",
		envelope_seal(w.envelope, w.core.pre, &like,
			(struct envelope_targets){.v = &t, .n = 1}, STR("rk"), &w.message, err));
	struct agent_opening *o = opening_of(&w);
	assert_int_equal(open_all(&w, o, AGENT_CHUNK_MAX, &why), -(int)ERR_INVALID);
	assert_int_equal(agent_problem_of(&why), AGENT_PROBLEM_MALFORMED);
	assert_int_equal(w.asked_len, 0);
	agent_opening_free(o);
	world_end(&w);
}

static void a_message_ends_when_its_sender_said(void **state)
{
	static const struct {
		const char *name;
		bool has_exp;
		uint64_t exp;
		enum agent_problem problem;
	} all[] = {
		{"no end", false, 0, AGENT_PROBLEM_NONE},
		{"ends now", true, 5000, AGENT_PROBLEM_NONE},
		{"over, but our clock may be ahead", true, 5000 - AGENT_SKEW_S, AGENT_PROBLEM_NONE},
		{"over", true, 5000 - AGENT_SKEW_S - 1, AGENT_PROBLEM_EXPIRED},
		{"over since 1970", true, 0, AGENT_PROBLEM_EXPIRED},
		{"never over", true, UINT64_MAX, AGENT_PROBLEM_NONE},
	};
	struct world w;

	(void)state;
	world_begin(&w);
	w.clock.wall_ns = 5000 * NS_PER_S;
	const struct envelope_target t = target_of(&w);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		const struct envelope_header like = {
			.type = STR("text/plain"), .has_exp = all[i].has_exp, .exp = all[i].exp};
		struct err why = {0};
		base_buf_clear(&w.message);
		assert_ok("seal", envelope_seal(w.envelope, w.core.pre, &like,
					  (struct envelope_targets){.v = &t, .n = 1}, STR("order"),
					  &w.message, err));
		_cleanup_(agent_opening_free) struct agent_opening *o = opening_of(&w);
		const int r = open_all(&w, o, 1000, &why);
		if ((r < 0 ? agent_problem_of(&why) : AGENT_PROBLEM_NONE) != all[i].problem)
			fail_msg("%s: %s", all[i].name, r < 0 ? why.msg : "opened");
		assert_int_equal(w.out.len, r < 0 ? 0 : 5);
	}
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_any_size_are_opened),
		cmocka_unit_test(streams_are_released_as_they_verify),
		cmocka_unit_test(one_flipped_bit_is_refused),
		cmocka_unit_test(opened_secrets_are_cached_until_their_key_goes),
		cmocka_unit_test(early_messages_are_parked),
		cmocka_unit_test(parking_is_bounded),
		cmocka_unit_test(a_busy_keeper_is_waited_for),
		cmocka_unit_test(not_all_places_are_taken),
		cmocka_unit_test(who_goes_away_is_not_called),
		cmocka_unit_test(only_events_are_opened),
		cmocka_unit_test(a_message_ends_when_its_sender_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
