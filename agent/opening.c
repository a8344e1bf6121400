#include "agent/opening_internal.h"

#include "pkg/base/alloc.h"

#include <stdio.h>

int agent_opening_new(struct agent_openings *s, void (*ready)(void *ctx), void *ctx,
	struct agent_opening **ret_opening, struct err *err)
{
	struct agent_opening *o = base_alloc(1, sizeof(*o));

	if (!o)
		return FAIL(err, ERR_NOMEM, "opening");
	o->s = s;
	o->ready = ready;
	o->ctx = ctx;
	o->kind = ENVELOPE_EVENT;
	o->in = base_buf(ENVELOPE_HEAD_MAX + AGENT_CHUNK_MAX);
	o->started_ns = base_boot_ns(&s->core->env);
	*ret_opening = o;
	return 0;
}

void agent_opening_expect(struct agent_opening *o, enum envelope_kind kind)
{
	base_assert(o->state == AGENT_OPENING_HEAD && o->in.len == 0);
	o->kind = kind;
}

struct agent_opening *agent_opening_free(struct agent_opening *o)
{
	if (!o)
		return NULL;
	agent_opening_unpark(o);
	agent_opening_sender_end(o);
	envelope_signed_opener_done(&o->opener);
	envelope_exchange_wipe(&o->exchange);
	base_secret_wipe(&o->k);
	base_buf_done(&o->in);
	if (!o->in_keeper)
		return base_free(o);
	o->orphan = true;
	return NULL;
}

static int bad_state(struct err *err)
{
	return FAIL(err, ERR_BUG, "an opening that is not in that state");
}

/* What the header says is known to be the sender's word by now. */
static int check_time(const struct agent_opening *o, struct err *err)
{
	const struct envelope_header *h = &o->message.header;
	const int64_t now = base_wall_ns(&o->s->core->env) / NS_PER_S;

	if (!h->has_exp || now <= AGENT_SKEW_S || (uint64_t)(now - AGENT_SKEW_S) <= h->exp)
		return 0;
	return REFUSE_AS(err, EXPIRED, "the message was good until %llu s ago",
		(unsigned long long)now - (unsigned long long)h->exp);
}

/* Begins with the first signed message: it takes 112 KiB. */
static int remember_senders(
	struct agent_openings *s, enum envelope_sender_level level, struct err *err)
{
	if (level == ENVELOPE_SENDER_NONE || s->check.verified)
		return 0;
	return envelope_verified_new(&s->core->env, AGENT_VERIFIED_MAX, &s->check.verified, err);
}

static int add_body(struct agent_opening *o, struct str bytes, struct buf *out, struct err *err)
{
	TRY(envelope_signed_opener_add(&o->opener, bytes, out, err));
	return agent_opening_judge(o, err);
}

/* The secret is at hand: from here on plaintext can come. */
static int begin_body(struct agent_opening *o, struct buf *out, struct err *err)
{
	const size_t at = o->message.body_at;

	TRY(agent_opening_minimum(o, err));
	TRY(remember_senders(o->s, o->message.header.sender, err));
	TRY(envelope_signed_opener_begin(&o->opener, &o->s->check, &o->message, &o->k, err));
	if (o->kind == ENVELOPE_REQUEST)
		TRY(envelope_exchange_of(
			o->s->envelope, o->message.protected, &o->k, &o->exchange, err));
	agent_opening_keep_key(o);
	base_secret_wipe(&o->k);
	TRY(check_time(o, err));
	o->has_head = true;
	o->state = AGENT_OPENING_BODY;
	agent_opening_sender_begin(o);
	return add_body(o, base_str_n(o->in.data + at, o->in.len - at), out, err);
}

static int find_and_begin(struct agent_opening *o, struct buf *out, struct err *err)
{
	const int r = agent_opening_find_key(o, err);

	if (r != 0)
		return r;
	return begin_body(o, out, err);
}

static int add_head(struct agent_opening *o, struct str bytes, struct buf *out, struct err *err)
{
	struct err why = {0};

	TRY(base_buf_add_str(&o->in, bytes, err));
	if (envelope_parse(base_buf_str(&o->in), &o->message, &why) < 0) {
		if (why.class == ERR_NOT_READY)
			return 0;
		if (err)
			*err = why;
		return -(int)why.class;
	}
	if (o->message.header.kind != o->kind)
		return REFUSE(err, KIND, "a message of a kind that is not opened here");
	return find_and_begin(o, out, err);
}

static int end_state(struct agent_opening *o, int r)
{
	if (r < 0)
		o->state = AGENT_OPENING_DEAD;
	return r;
}

int agent_opening_add(struct agent_opening *o, struct str bytes, struct buf *out, struct err *err)
{
	if (o->state == AGENT_OPENING_HEAD)
		return end_state(o, add_head(o, bytes, out, err));
	if (o->state == AGENT_OPENING_BODY)
		return end_state(o, add_body(o, bytes, out, err));
	return bad_state(err);
}

int agent_opening_resume(struct agent_opening *o, struct buf *out, struct err *err)
{
	if (o->state == AGENT_OPENING_JUDGED) {
		o->state = AGENT_OPENING_BODY;
		return end_state(o, agent_opening_judge(o, err));
	}
	if (o->state != AGENT_OPENING_KNOWN)
		return bad_state(err);
	if (o->why.class) {
		if (err)
			*err = o->why;
		return end_state(o, -(int)o->why.class);
	}
	/* Where the keeper answered, k is there; who was parked asks anew. */
	if (o->asked)
		return end_state(o, begin_body(o, out, err));
	return end_state(o, find_and_begin(o, out, err));
}

static int end_body(struct agent_opening *o, struct buf *out, struct err *err)
{
	TRY(envelope_signed_opener_end(&o->opener, out, err));
	return agent_opening_judge(o, err);
}

int agent_opening_end(struct agent_opening *o, struct buf *out, struct err *err)
{
	if (o->state == AGENT_OPENING_HEAD)
		return end_state(o, REFUSE(err, TRUNCATED, "the message ends inside of its head"));
	if (o->state != AGENT_OPENING_BODY)
		return bad_state(err);
	return end_state(o, end_body(o, out, err));
}

const struct agent_opened *agent_opening_head(const struct agent_opening *o)
{
	return o->has_head ? &o->opened : NULL;
}

const struct envelope_exchange *agent_opening_exchange(const struct agent_opening *o)
{
	return &o->exchange;
}

int64_t agent_opening_started_ns(const struct agent_opening *o)
{
	return o->started_ns;
}

/* -- what all share -- */

int agent_openings_new(struct agent_core *core, struct envelope_context *envelope,
	struct agent_replica *replica, const struct agent_opening_policy *policy,
	struct agent_openings **ret_openings, struct err *err)
{
	_cleanup_(agent_openings_free) struct agent_openings *s = base_alloc(1, sizeof(*s));

	if (!s)
		return FAIL(err, ERR_NOMEM, "openings");
	s->core = core;
	s->envelope = envelope;
	s->policy = *policy;
	s->check = (struct envelope_sender_check){
		.ctx = envelope, .pre = core->pre, .minimum = policy->require};
	if (policy->replay_s)
		TRY(agent_replay_new(
			&core->env, envelope, policy->replay_s, AGENT_REPLAY_MAX, &s->replay, err));
	TAILQ_INIT(&s->parked);
	s->tokens = AGENT_COLD_BURST;
	s->filled_ns = base_boot_ns(&core->env);
	(void)snprintf(s->name, sizeof(s->name), "%.*s/%.*s", STR_FMT(core->self.ns),
		STR_FMT(core->self.revision));
	if (uv_timer_init(core->loop, &s->timer) != 0)
		return FAIL(err, ERR_TERMINAL, "timer");
	s->timer.data = s;
	s->timer_open = true;
	s->replica = replica;
	s->watcher = (struct agent_replica_watcher){.changed = agent_openings_changed, .ctx = s};
	agent_replica_watch(replica, &s->watcher);
	*ret_openings = STEAL(s);
	return 0;
}

static void timer_closed(uv_handle_t *handle)
{
	base_free(handle->data);
}

struct agent_openings *agent_openings_free(struct agent_openings *s)
{
	if (!s)
		return NULL;
	if (s->replica)
		agent_replica_unwatch(s->replica, &s->watcher);
	s->cache = envelope_cache_free(s->cache);
	s->check.verified = envelope_verified_free(s->check.verified);
	s->replay = agent_replay_free(s->replay);
	if (!s->timer_open)
		return base_free(s);
	uv_close((uv_handle_t *)&s->timer, timer_closed);
	return NULL;
}

struct agent_openings_stats agent_openings_stats(const struct agent_openings *s)
{
	struct agent_openings_stats stats = s->stats;

	if (s->cache)
		stats.cache = envelope_cache_stats(s->cache);
	return stats;
}
