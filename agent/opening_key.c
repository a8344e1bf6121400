#include "agent/opening_internal.h"

#include "agent/keeperlink.h"
#include "pkg/base/alloc.h"

#define TICK_MS 250

static struct agent_epoch find_epoch(void *ctx, const uint8_t fp[static 16])
{
	return agent_replica_epoch(ctx, fp);
}

/* -- parking -- */

static void keep_ticking(struct agent_openings *s)
{
	if (s->ticking)
		return;
	s->ticking = true;
	(void)uv_timer_start(&s->timer, agent_openings_tick, TICK_MS, TICK_MS);
}

void agent_opening_unpark(struct agent_opening *o)
{
	if (o->state != AGENT_OPENING_PARKED)
		return;
	TAILQ_REMOVE(&o->s->parked, o, link);
	o->s->stats.parked--;
	o->state = AGENT_OPENING_KNOWN;
}

static int park(struct agent_opening *o, bool busy, struct err *err)
{
	struct agent_openings *s = o->s;
	const int64_t now = base_boot_ns(&s->core->env);

	if (o->until_ns == 0)
		o->until_ns = now + AGENT_PARK_NS;
	if (now >= o->until_ns)
		return busy ? REFUSE_AS(err, NOT_READY, "the keeper is busy")
			    : REFUSE_AS(err, NOT_READY,
				      "this replica does not hold the key of epoch %lld yet",
				      (long long)o->choice.epoch);
	if (s->stats.parked >= AGENT_PARKED_MAX)
		return REFUSE_AS(err, NOT_READY, "too many messages wait for their keys");
	if (!busy)
		agent_replica_kick_leader(s->replica);
	o->busy = busy;
	o->state = AGENT_OPENING_PARKED;
	s->stats.parked++;
	s->stats.parked_ever++;
	TAILQ_INSERT_TAIL(&s->parked, o, link);
	keep_ticking(s);
	return AGENT_OPENING_WAIT;
}

static void unpark_ready(struct agent_opening *o)
{
	agent_opening_unpark(o);
	o->why = (struct err){0};
	o->ready(o->ctx);
}

/* Each of those that are parked now goes on once; who parks again stands behind them. */
static void unpark(struct agent_openings *s, bool busy_only, size_t most)
{
	for (size_t n = s->stats.parked; n > 0 && most > 0; n--) {
		struct agent_opening *o = TAILQ_FIRST(&s->parked);
		if (!o)
			return;
		if (busy_only && !o->busy) {
			TAILQ_REMOVE(&s->parked, o, link);
			TAILQ_INSERT_TAIL(&s->parked, o, link);
			continue;
		}
		most--;
		unpark_ready(o);
	}
}

static void forget_gone_keys(struct agent_openings *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->seen_len; i++) {
		const struct agent_epoch e = agent_replica_epoch(s->replica, s->seen[i].b);
		if (e.state == AGENT_EPOCH_OPEN && e.key_state != CRDS_REVOKED)
			s->seen[kept++] = s->seen[i];
		else
			envelope_cache_drop(s->cache, &s->seen[i]);
	}
	s->seen_len = kept;
}

void agent_openings_changed(void *ctx)
{
	struct agent_openings *s = ctx;

	forget_gone_keys(s);
	unpark(s, false, AGENT_PARKED_MAX);
}

static void unpark_late(struct agent_openings *s)
{
	const int64_t now = base_boot_ns(&s->core->env);

	for (size_t n = s->stats.parked; n > 0; n--) {
		struct agent_opening *o = TAILQ_FIRST(&s->parked);
		if (!o)
			return;
		if (now >= o->until_ns || o->busy) {
			unpark_ready(o);
			continue;
		}
		TAILQ_REMOVE(&s->parked, o, link);
		TAILQ_INSERT_TAIL(&s->parked, o, link);
	}
}

void agent_openings_tick(uv_timer_t *timer)
{
	struct agent_openings *s = timer->data;

	unpark_late(s);
	if (s->cache)
		envelope_cache_sweep(s->cache);
	if (s->stats.parked == 0 && (!s->cache || envelope_cache_stats(s->cache).live == 0)) {
		s->ticking = false;
		(void)uv_timer_stop(&s->timer);
	}
}

/* -- the keeper -- */

static bool take_token(struct agent_openings *s)
{
	const int64_t now = base_boot_ns(&s->core->env);
	const int64_t fresh = (now - s->filled_ns) / (NS_PER_S / AGENT_COLD_RATE);

	if (fresh > 0) {
		s->filled_ns = now;
		s->tokens =
			s->tokens + fresh < AGENT_COLD_BURST ? s->tokens + fresh : AGENT_COLD_BURST;
	}
	if (s->tokens == 0)
		return false;
	s->tokens--;
	return true;
}

/* What the keeper refuses is said in the words of the local API. */
static void explain(const struct err *from, struct err *err)
{
	if (from->class == ERR_TAMPERED || from->class == ERR_INVALID)
		(void)REFUSE_AS(err, TAMPERED, "the key entry does not open: %s", from->msg);
	else
		(void)REFUSE_AS(err, NOT_READY, "the keeper does not open it now: %s", from->msg);
}

static void answered(void *ctx, const struct kmsg_reply *reply, const struct err *err)
{
	struct agent_opening *o = ctx;
	struct agent_openings *s = o->s;

	o->in_keeper = false;
	s->stats.asking--;
	if (o->orphan) {
		base_free(o);
		unpark(s, true, 1);
		return;
	}
	o->state = AGENT_OPENING_KNOWN;
	if (err) {
		explain(err, &o->why);
	} else {
		o->why = (struct err){0};
		o->k = reply->open.k;
		o->asked = true;
		s->stats.cold++;
	}
	o->ready(o->ctx);
	unpark(s, true, 1);
}

static int ask_keeper(struct agent_opening *o, struct err *err)
{
	const struct envelope_recipient *r = o->choice.recipient;
	struct kmsg_request request = {.op = KMSG_OPEN};
	struct err why = {0};

	/* Who sends to us says how many there are; what we send to others is signed meanwhile. */
	if (o->s->stats.asking >= AGENT_ASKING_MAX || !take_token(o->s))
		return park(o, true, err);
	memcpy(request.open.fingerprint.b, r->fp.b, sizeof(request.open.fingerprint.b));
	memcpy(request.open.capsule, r->capsule, sizeof(request.open.capsule));
	memcpy(request.open.wrapped, r->wrapped, sizeof(request.open.wrapped));
	const int sent = agent_keeper_request(o->s->core->keeper, &request, answered, o, &why);
	if (sent == -(int)ERR_NOT_READY)
		return park(o, true, err);
	if (sent < 0) {
		explain(&why, err);
		return -(int)ERR_TAMPERED;
	}
	o->in_keeper = true;
	o->state = AGENT_OPENING_ASKING;
	o->s->stats.asking++;
	return AGENT_OPENING_WAIT;
}

int agent_opening_find_key(struct agent_opening *o, struct err *err)
{
	struct agent_openings *s = o->s;
	const struct agent_known known = {.name = base_str(s->name),
		.record = agent_replica_record(s->replica),
		.leading = agent_replica_leading(s->replica),
		.find = find_epoch,
		.ctx = s->replica};

	TRY(agent_choose(&known, &o->message.header, &o->choice, err));
	if (o->choice.fate == AGENT_FATE_PARK)
		return park(o, false, err);
	o->opened = (struct agent_opened){
		.header = &o->message.header, .epoch = o->choice.epoch, .state = o->choice.state};
	if (!s->cache)
		TRY(envelope_cache_new(&s->core->env, AGENT_CACHE_MAX, &s->cache, err));
	TRY(envelope_cache_key(s->envelope, o->choice.recipient, &o->cache_key, err));
	if (envelope_cache_find(s->cache, &o->cache_key, &o->k)) {
		o->opened.warm = true;
		s->stats.warm++;
		return 0;
	}
	return ask_keeper(o, err);
}

void agent_opening_keep_key(struct agent_opening *o)
{
	struct agent_openings *s = o->s;
	const struct pre_fingerprint *fp = &o->choice.recipient->fp;
	size_t i = 0;

	if (o->opened.warm || o->choice.state == CRDS_REVOKED)
		return;
	while (i < s->seen_len && memcmp(s->seen[i].b, fp->b, sizeof(fp->b)) != 0)
		i++;
	if (i == ARRAY_LEN(s->seen))
		return;
	if (i == s->seen_len)
		s->seen[s->seen_len++] = *fp;
	envelope_cache_add(s->cache, &o->cache_key, fp, &o->k);
	keep_ticking(s);
}
