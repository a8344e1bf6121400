/* Openings with a replica, records and a link to a real keeper, driven by hand. Tests only. */
#ifndef AGENT_OPENING_WORLD_H
#define AGENT_OPENING_WORLD_H

#include "agent/keeperlink.h"
#include "agent/opening_internal.h"
#include "agent/sample.h"
#include "pkg/envelope/seal.h"

#define ASKED_MAX 160

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
	enum agent_vouched vouched;
	bool vouch_later;
	unsigned vouch_asked;
	struct agent_senders_waiter *waiter;
};

/* The fakes have no other way to their world: replica and keeper are opaque pointers to it. */
static inline struct world *world_of(const void *p)
{
	return (struct world *)(uintptr_t)p;
}

/* The record's keys, as hidden and unheld say. */
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
/* The billing revision's. */
const struct crds_functionkey *agent_replica_record(struct agent_replica *r)
{
	return world_of(r)->hidden ? NULL : &world_of(r)->sample.fk;
}
/* Never. */
bool agent_replica_leading(const struct agent_replica *r)
{
	(void)r;
	return false;
}
/* Counts. */
void agent_replica_kick_leader(struct agent_replica *r)
{
	world_of(r)->kicks++;
}
/* There is one at a time. */
void agent_replica_watch(struct agent_replica *r, struct agent_replica_watcher *w)
{
	world_of(r)->watcher = w;
}
/* Forgets it. */
void agent_replica_unwatch(struct agent_replica *r, struct agent_replica_watcher *w)
{
	(void)w;
	world_of(r)->watcher = NULL;
}
/* Waits for answer_all. */
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

static inline void answer_all(struct world *w)
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

/* Says what the world says, or later. */
int agent_senders_vouch(struct agent_senders *s, const struct envelope_sender_cert *cert,
	struct agent_senders_waiter *w, enum agent_vouched *ret_vouched, struct err *err)
{
	struct world *world = world_of(s);

	(void)err;
	world->vouch_asked++;
	if (world->vouch_later) {
		w->waiting = true;
		world->waiter = w;
		return AGENT_SENDERS_WAIT;
	}
	assert_true(base_str_eq(cert->function, STR("orders")));
	*ret_vouched = world->vouched;
	return 0;
}

/* Nobody waits then. */
void agent_senders_cancel(struct agent_senders *s, struct agent_senders_waiter *w)
{
	w->waiting = false;
	world_of(s)->waiter = NULL;
}

static inline void vouch_now(struct world *w)
{
	struct agent_senders_waiter *waiter = w->waiter;

	w->vouch_later = false;
	w->waiter = NULL;
	waiter->waiting = false;
	waiter->again(waiter->ctx);
}

static inline void change(struct world *w)
{
	w->watcher->changed(w->watcher->ctx);
}

/* Openings anew, with another policy. */
static inline void world_asks(struct world *w, const struct agent_opening_policy *like)
{
	struct agent_opening_policy policy = *like;

	policy.senders = (struct agent_senders *)w;
	agent_openings_free(w->openings);
	assert_ok("openings", agent_openings_new(&w->core, w->envelope, (struct agent_replica *)w,
				      &policy, &w->openings, err));
}

static inline void world_begin(struct world *w)
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
	world_asks(w, &(struct agent_opening_policy){0});
}

static inline void world_end(struct world *w)
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

static inline struct envelope_target target_of(struct world *w)
{
	struct envelope_target t = {
		.epoch = (uint64_t)w->sample.keys[0].epoch, .name = STR("shop/billing-1")};

	memcpy(t.key.b, w->sample.keys[0].key.b, sizeof(t.key.b));
	return t;
}

static inline void seal_whole(struct world *w, struct str plaintext)
{
	const struct envelope_target t = target_of(w);
	const struct envelope_header like = {.type = STR("text/plain")};

	base_buf_clear(&w->message);
	assert_ok("seal",
		envelope_seal(w->envelope, w->core.pre, &like,
			(struct envelope_targets){.v = &t, .n = 1}, plaintext, &w->message, err));
}

static inline void seal_stream(struct world *w, const uint8_t *p, size_t n)
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

static inline void on_ready(void *ctx)
{
	((struct world *)ctx)->ready++;
}

static inline struct agent_opening *opening_of(struct world *w)
{
	struct agent_opening *o = NULL;

	assert_ok("opening", agent_opening_new(w->openings, on_ready, w, &o, err));
	base_buf_clear(&w->out);
	w->ready = 0;
	return o;
}

/* Brings the message in pieces and answers the keeper as it is asked. */
static inline int open_all(struct world *w, struct agent_opening *o, size_t piece, struct err *err)
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

#endif
