/* Once a message shows its sender: who vouches for him, is that enough, and did it come before. */
#include "agent/opening_internal.h"

static void go_on(void *ctx)
{
	struct agent_opening *o = ctx;

	o->state = AGENT_OPENING_JUDGED;
	o->ready(o->ctx);
}

void agent_opening_sender_begin(struct agent_opening *o)
{
	o->waiter = (struct agent_senders_waiter){.again = go_on, .ctx = o};
	o->sender = (struct agent_sender){.stated = o->message.header.sender};
}

static bool has_list(const struct agent_opening *o)
{
	return o->s->policy.allowed && o->s->policy.allowed->n > 0;
}

/* Before anybody is asked who vouches: the watches for that are few, and whoever has our public key
 * could fill them with names of its own making. */
static int check_list(struct agent_opening *o, struct err *err)
{
	const struct agent_sender *s = &o->sender;

	if (!has_list(o) || agent_targets_find(o->s->policy.allowed, s->cert.ns, s->cert.function))
		return 0;
	o->s->stats.senders[s->stated][AGENT_SENDER_REFUSED]++;
	return REFUSE_AS(err, SENDER_REQUIRED, "%.*s/%.*s is not in functionkey.dev/allow-senders",
		STR_FMT(s->cert.ns), STR_FMT(s->cert.function));
}

static int check_policy(struct agent_opening *o, struct err *err)
{
	const struct agent_sender *s = &o->sender;

	if (o->s->policy.require == ENVELOPE_SENDER_NONE && !has_list(o))
		return 0;
	if (s->named && s->vouched == AGENT_VOUCHED)
		return 0;
	if (s->named && s->vouched == AGENT_VOUCH_NO_ANSWER)
		return REFUSE_AS(err, NOT_READY,
			"who vouches for %.*s/%.*s is not known now: no answer of the API server",
			STR_FMT(s->cert.ns), STR_FMT(s->cert.function));
	return REFUSE_AS(err, SENDER_REQUIRED, "the sender is not verified: %s",
		s->named ? agent_vouched_names[s->vouched] : "it is not signed");
}

static int check_replay(struct agent_opening *o, struct err *err)
{
	const struct envelope_header *h = &o->message.header;

	if (!o->s->replay)
		return 0;
	TRY(agent_replay_take(o->s->replay, o->sender.named ? &o->sender.cert.key : NULL, h->id,
		h->iat, &o->replay_key, err));
	o->taken = true;
	return 0;
}

int agent_opening_minimum(struct agent_opening *o, struct err *err)
{
	if (o->message.header.sender >= o->s->policy.require)
		return 0;
	o->s->stats.senders[o->message.header.sender][AGENT_SENDER_REFUSED]++;
	return REFUSE_AS(err, SENDER_REQUIRED, "the message is signed at level %s, less than %s",
		agent_sender_levels[o->message.header.sender],
		agent_sender_levels[o->s->policy.require]);
}

/* The level is what has verified, and counts only if somebody vouches for the sender. */
static void set_level(struct agent_opening *o)
{
	struct agent_sender *s = &o->sender;

	s->level = s->named && s->vouched == AGENT_VOUCHED
			   ? envelope_signed_opener_level(&o->opener)
			   : ENVELOPE_SENDER_NONE;
}

int agent_opening_judge(struct agent_opening *o, struct err *err)
{
	struct agent_sender *s = &o->sender;

	if (o->judged) {
		set_level(o);
		return 0;
	}
	if (s->stated != ENVELOPE_SENDER_NONE) {
		if (!envelope_signed_opener_cert(&o->opener, &s->cert))
			return 0;
		TRY(check_list(o, err));
		const int r = agent_senders_vouch(
			o->s->policy.senders, &s->cert, &o->waiter, &s->vouched, err);
		if (r == AGENT_SENDERS_WAIT)
			o->state = AGENT_OPENING_JUDGING;
		if (r != 0)
			return r < 0 ? r : AGENT_OPENING_WAIT;
		s->named = true;
	}
	o->judged = true;
	set_level(o);
	o->s->stats.senders[s->stated][s->named ? (int)s->vouched : AGENT_SENDER_UNNAMED]++;
	TRY(check_policy(o, err));
	return check_replay(o, err);
}

const struct agent_sender *agent_opening_sender(const struct agent_opening *o)
{
	return &o->sender;
}

void agent_opening_delivered(struct agent_opening *o)
{
	o->taken = false;
}

void agent_opening_sender_end(struct agent_opening *o)
{
	if (o->waiter.waiting)
		agent_senders_cancel(o->s->policy.senders, &o->waiter);
	if (o->taken)
		agent_replay_forget(o->s->replay, &o->replay_key);
}
