#include "agent/keeperlink.h"
#include "agent/opening_internal.h"
#include "agent/sample.h"
#include "pkg/envelope/seal.h"

/* -- a replica and a link to a real keeper, driven by hand -- */

#define ASKED_MAX 8

struct world {
	struct sample sample;
	struct agent_core core;
	struct env_fake clock;
	uv_loop_t loop;
	struct envelope_context *envelope;
	struct agent_openings *openings;
	struct buf message, out;
	struct agent_replica_watcher *watcher;
	bool hidden; /* the record is not seen yet */
	bool unheld; /* the keeper's grants are not known yet */
	bool full;   /* no place at the keeper */
	unsigned kicks, ready;
	struct {
		struct kmsg_request request;
		agent_keeper_done done;
		void *ctx;
	} asked[ASKED_MAX];
	size_t asked_len;
};

/* The fakes have no other way to their world: replica and keeper are opaque pointers to it. */
static struct world *world_of(const void *p)
{
	return (struct world *)(uintptr_t)p;
}

struct agent_epoch agent_replica_epoch(struct agent_replica *r, const uint8_t fp[static 16])
{
	struct world *w = world_of(r);

	for (size_t i = 0; !w->hidden && i < w->sample.fk.keys_len; i++)
		if (memcmp(w->sample.keys[i].fingerprint.b, fp, 16) == 0)
			return (struct agent_epoch){
				.state = w->unheld ? AGENT_EPOCH_LISTED : AGENT_EPOCH_OPEN,
				.epoch = w->sample.keys[i].epoch,
				.key_state = w->sample.keys[i].state};
	return (struct agent_epoch){.state = AGENT_EPOCH_UNKNOWN};
}
const struct crds_functionkey *agent_replica_record(struct agent_replica *r)
{
	return world_of(r)->hidden ? NULL : &world_of(r)->sample.fk;
}
bool agent_replica_leading(const struct agent_replica *r)
{
	(void)r;
	return false;
}
void agent_replica_kick_leader(struct agent_replica *r)
{
	world_of(r)->kicks++;
}
void agent_replica_watch(struct agent_replica *r, struct agent_replica_watcher *w)
{
	world_of(r)->watcher = w;
}
void agent_replica_unwatch(struct agent_replica *r, struct agent_replica_watcher *w)
{
	(void)w;
	world_of(r)->watcher = NULL;
}
int agent_keeper_request(struct agent_keeper *k, const struct kmsg_request *request,
	agent_keeper_done done, void *ctx, struct err *err)
{
	struct world *w = world_of(k);

	if (w->full || w->asked_len == ASKED_MAX)
		return FAIL(err, ERR_NOT_READY, "no place");
	w->asked[w->asked_len].request = *request;
	w->asked[w->asked_len].done = done;
	w->asked[w->asked_len++].ctx = ctx;
	return 0;
}

static void answer_all(struct world *w)
{
	for (size_t i = 0; i < w->asked_len; i++) {
		struct kmsg_reply reply = life_ask(&w->sample.life, w->asked[i].request);
		struct err err = {0};
		if (reply.status)
			(void)FAIL(&err, reply.status, "%s", reply.message);
		w->asked[i].done(
			w->asked[i].ctx, reply.status ? NULL : &reply, reply.status ? &err : NULL);
	}
	w->asked_len = 0;
}

static void change(struct world *w)
{
	w->watcher->changed(w->watcher->ctx);
}

static void world_begin(struct world *w)
{
	*w = (struct world){.message = base_buf(8u << 20), .out = base_buf(8u << 20)};
	w->clock = (struct env_fake){.boot_ns = 100 * NS_PER_S, .wall_ns = NS_PER_S, .seed = 9};
	sample_begin(&w->sample, 1, "billing-1");
	assert_int_equal(uv_loop_init(&w->loop), 0);
	w->core = (struct agent_core){.env = base_env_fake(&w->clock),
		.loop = &w->loop,
		.keeper = (struct agent_keeper *)w,
		.self = {.ns = STR("shop"), .revision = STR("billing-1")}};
	assert_ok("envelope", envelope_context_new(&w->core.env, &w->envelope, err));
	assert_ok("pre", pre_context_new(&w->core.env, &w->core.pre, err));
	assert_ok("openings", agent_openings_new(&w->core, w->envelope, (struct agent_replica *)w,
				      &w->openings, err));
}

static void world_end(struct world *w)
{
	agent_openings_free(w->openings);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	pre_context_free(w->core.pre);
	envelope_context_free(w->envelope);
	base_buf_done(&w->message);
	base_buf_done(&w->out);
	sample_done(&w->sample);
}

static struct envelope_target target_of(struct world *w)
{
	struct envelope_target t = {
		.epoch = (uint64_t)w->sample.keys[0].epoch, .name = STR("shop/billing-1")};

	memcpy(t.key.b, w->sample.keys[0].key.b, sizeof(t.key.b));
	return t;
}

static void seal_whole(struct world *w, struct str plaintext)
{
	const struct envelope_target t = target_of(w);
	const struct envelope_header like = {.type = STR("text/plain")};

	base_buf_clear(&w->message);
	assert_ok("seal",
		envelope_seal(w->envelope, w->core.pre, &like,
			(struct envelope_targets){.v = &t, .n = 1}, plaintext, &w->message, err));
}

static void seal_stream(struct world *w, const uint8_t *p, size_t n)
{
	const struct envelope_target t = target_of(w);
	struct envelope_header h = {
		.mode = ENVELOPE_STREAM, .type = STR("text/plain"), .recipient_count = 1};
	_cleanup_(envelope_sealer_done) struct envelope_sealer s = {0};
	struct secret k;

	base_buf_clear(&w->message);
	assert_ok("k", envelope_secret_new(w->envelope, &k, err));
	assert_ok("wrap", envelope_recipient_wrap(w->core.pre, &t, &k, &h.recipients[0], err));
	assert_ok("fresh", envelope_header_fresh(w->envelope, &h, err));
	assert_ok("begin", envelope_sealer_begin(&s, w->envelope, &h, &k, &w->message, err));
	assert_ok("add", envelope_sealer_add(&s, base_str_n(p, n), &w->message, err));
	assert_ok("end", envelope_sealer_end(&s, &w->message, err));
}

static void on_ready(void *ctx)
{
	((struct world *)ctx)->ready++;
}

static struct agent_opening *opening_of(struct world *w)
{
	struct agent_opening *o = NULL;

	assert_ok("opening", agent_opening_new(w->openings, on_ready, w, &o, err));
	base_buf_clear(&w->out);
	w->ready = 0;
	return o;
}

/* Brings the message in pieces and answers the keeper as it is asked. */
static int open_all(struct world *w, struct agent_opening *o, size_t piece, struct err *err)
{
	const struct str m = base_buf_str(&w->message);

	for (size_t at = 0; at < m.n; at += piece) {
		int r = agent_opening_add(o, base_str_sub(m, at, at + piece), &w->out, err);
		while (r == AGENT_OPENING_WAIT) {
			const unsigned before = w->ready;
			answer_all(w);
			if (w->ready == before)
				return r;
			r = agent_opening_resume(o, &w->out, err);
		}
		if (r < 0)
			return r;
	}
	return agent_opening_end(o, &w->out, err);
}

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
		cmocka_unit_test(who_goes_away_is_not_called),
		cmocka_unit_test(only_events_are_opened),
		cmocka_unit_test(a_message_ends_when_its_sender_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
