#include "agent/choose.h"

#include "agent/problem.h"

const char *agent_epoch_state_name(enum crds_key_state state)
{
	if (state == CRDS_ACTIVE || state == CRDS_PREPARED)
		return "active";
	return state == CRDS_REVOKED ? "revoked" : "retired";
}

static bool was_lost(const struct agent_known *known, int64_t epoch)
{
	const struct crds_key *row = known->record ? crds_key_find(known->record, epoch) : NULL;

	return row && base_str_eq(row->reason, STR("KeyLost"));
}

/* Keys that no replica will ever get any more: waiting for them is of no use. */
static bool is_gone(const struct agent_known *known, const struct agent_epoch *e)
{
	if (e->key_state == CRDS_ABANDONED)
		return true;
	if (e->key_state == CRDS_ACTIVE || e->key_state == CRDS_PREPARED)
		return false;
	return known->leading || was_lost(known, e->epoch);
}

/* Whether there is a newer key: a sender that still has the message can seal it again. */
static bool is_replaced(const struct agent_known *known, uint64_t epoch)
{
	return known->record && known->record->active_epoch > 0 &&
	       (uint64_t)known->record->active_epoch > epoch;
}

/* What was taken out of use stays with its senders to repair; what was lost is history. */
static int refuse_gone(
	const struct agent_known *known, const struct agent_epoch *e, struct err *err)
{
	if (e->key_state != CRDS_RETIRED && is_replaced(known, (uint64_t)e->epoch))
		return REFUSE_AS(err, STALE_EPOCH,
			"the key of epoch %lld is %s; seal the message to that of epoch %lld",
			(long long)e->epoch, crds_key_state_name(e->key_state),
			(long long)known->record->active_epoch);
	return REFUSE_AS(err, NO_KEY,
		"the key of epoch %lld is %s and no replica holds it any more", (long long)e->epoch,
		crds_key_state_name(e->key_state));
}

static int choose_known(const struct agent_known *known, const struct envelope_recipient *r,
	const struct agent_epoch *e, struct agent_choice *ret, struct err *err)
{
	if (!base_str_eq(r->name, known->name) || r->epoch != (uint64_t)e->epoch)
		return REFUSE_AS(err, TAMPERED,
			"an entry names our key of epoch %lld as epoch %llu of another name",
			(long long)e->epoch, (unsigned long long)r->epoch);
	if (e->state != AGENT_EPOCH_OPEN && is_gone(known, e))
		return refuse_gone(known, e, err);
	*ret = (struct agent_choice){
		.fate = e->state == AGENT_EPOCH_OPEN ? AGENT_FATE_OPEN : AGENT_FATE_PARK,
		.recipient = r,
		.epoch = e->epoch,
		.state = e->key_state};
	return 0;
}

/* Named after us, but with a key that our record does not have. */
static int choose_unknown(const struct agent_known *known, const struct envelope_recipient *r,
	struct agent_choice *ret, struct err *err)
{
	if (is_replaced(known, r->epoch))
		return REFUSE_AS(err, STALE_EPOCH,
			"the key of epoch %llu was erased; seal the message to that of epoch %lld",
			(unsigned long long)r->epoch, (long long)known->record->active_epoch);
	if (known->record && r->epoch <= (uint64_t)known->record->epoch)
		return REFUSE_AS(err, NO_KEY,
			"the key of epoch %llu was erased, or never was this revision's",
			(unsigned long long)r->epoch);
	*ret = (struct agent_choice){
		.fate = AGENT_FATE_PARK, .recipient = r, .epoch = (int64_t)r->epoch};
	return 0;
}

int agent_choose(const struct agent_known *known, const struct envelope_header *header,
	struct agent_choice *ret, struct err *err)
{
	const struct envelope_recipient *named = NULL;

	for (size_t i = 0; i < header->recipient_count; i++) {
		const struct envelope_recipient *r = &header->recipients[i];
		if (r->alg != ENVELOPE_ALG_UMBRAL)
			continue;
		const struct agent_epoch e = known->find(known->ctx, r->fp.b);
		if (e.state != AGENT_EPOCH_UNKNOWN)
			return choose_known(known, r, &e, ret, err);
		if (!named && base_str_eq(r->name, known->name))
			named = r;
	}
	if (named)
		return choose_unknown(known, named, ret, err);
	return REFUSE_AS(err, WRONG_RECIPIENT, "the message is sealed to none of the keys of %.*s",
		STR_FMT(known->name));
}
