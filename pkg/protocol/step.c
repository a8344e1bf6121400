#include "pkg/protocol/protocol.h"

struct protocol_action *protocol_add(struct protocol_plan *plan, enum protocol_kind kind)
{
	if (plan->actions_len == PROTOCOL_ACTIONS_MAX) {
		plan->truncated = true;
		return NULL;
	}
	struct protocol_action *a = &plan->actions[plan->actions_len++];
	*a = (struct protocol_action){.kind = kind};
	return a;
}

void protocol_wake(struct protocol_plan *plan, int64_t at_ns)
{
	if (plan->wake_ns == 0 || at_ns < plan->wake_ns)
		plan->wake_ns = at_ns;
}

const char *protocol_kind_name(enum protocol_kind kind)
{
	static const char *const names[PROTOCOL_KIND_COUNT] = {
		[PROTOCOL_RECORD_CREATE] = "record-create",
		[PROTOCOL_RECORD_UPDATE] = "record-update",
		[PROTOCOL_REINCARNATE] = "reincarnate",
		[PROTOCOL_CHECK_LEADER] = "check-leader",
		[PROTOCOL_ACCEPT] = "accept",
		[PROTOCOL_SAY_OPENED] = "say-opened",
		[PROTOCOL_INBOX_NEXT] = "inbox-next",
		[PROTOCOL_INBOX_COMMIT] = "inbox-commit",
		[PROTOCOL_ERASE] = "erase",
		[PROTOCOL_COUNT_HOLDERS] = "count-holders",
		[PROTOCOL_KEEPER_TERM] = "keeper-term",
		[PROTOCOL_TAKE_TERM] = "take-term",
		[PROTOCOL_KEEPER_EPOCH] = "keeper-epoch",
		[PROTOCOL_PREPARE] = "prepare",
		[PROTOCOL_ACTIVATE] = "activate",
		[PROTOCOL_PRUNE] = "prune",
		[PROTOCOL_CHECK_MEMBER] = "check-member",
		[PROTOCOL_GRANT] = "grant",
		[PROTOCOL_CERTIFY] = "certify",
	};
	if ((unsigned)kind >= PROTOCOL_KIND_COUNT || !names[kind])
		return "unknown";
	return names[kind];
}

bool protocol_holds(const struct protocol_view *v, const struct crds_key *key)
{
	for (size_t i = 0; key && i < v->keeper.held_len; i++)
		if (v->keeper.held[i].epoch == key->epoch &&
			memcmp(v->keeper.held[i].key.b, key->key.b, sizeof(key->key.b)) == 0)
			return true;
	return false;
}

bool protocol_leading(const struct protocol_view *v)
{
	return v->holding && v->leader && !protocol_revoked(v) && v->leader->has_leader &&
	       v->keeper.term != 0 && v->leader->leader.term == v->keeper.term &&
	       base_str_eq(v->leader->leader.pod_uid, v->pod_uid) &&
	       v->leader->leader.incarnation == v->incarnation &&
	       memcmp(v->leader->leader.verifying.b, v->keeper.verifying.b, 33) == 0;
}

bool protocol_registered(const struct protocol_view *v)
{
	const struct crds_functionkey *own = v->own;

	return own && own->incarnation == v->incarnation &&
	       memcmp(own->receiving.b, v->keeper.receiving.b, sizeof(own->receiving.b)) == 0 &&
	       memcmp(own->identity.b, v->keeper.identity.b, sizeof(own->identity.b)) == 0;
}

struct protocol_readiness protocol_ready(const struct protocol_view *v)
{
	static const struct protocol_readiness starting = {
		false, "Starting", "The agent has not yet read its records from the API server."};
	static const struct protocol_readiness no_record = {false, "NoLeaderRecord",
		"The controller has not made the Leader record of this revision; is it running?"};
	static const struct protocol_readiness no_leader = {
		false, "NoLeader", "No replica of this revision holds the Lease."};
	static const struct protocol_readiness no_active = {
		false, "NoActiveKey", "The leader has not activated a key yet."};
	static const struct protocol_readiness waiting = {false, "WaitingForGrant",
		"The leader has not made a re-encryption key for this replica yet."};
	static const struct protocol_readiness revoked = {
		false, "Revoked", "This pod is on the revision's list of revoked pods."};
	static const struct protocol_readiness ready = {
		true, "KeyOpened", "This replica opens messages for the active key."};

	if (!v->synced)
		return starting;
	if (!v->leader)
		return no_record;
	if (protocol_revoked(v))
		return revoked;
	if (protocol_holds(v, crds_key_active(v->leader)))
		return ready;
	if (!v->leader->has_leader)
		return no_leader;
	return crds_key_active(v->leader) ? waiting : no_active;
}

void protocol_step(
	const struct protocol_view *v, struct pre_context *ctx, struct protocol_plan *ret_plan)
{
	struct protocol_plan *plan = ret_plan;
	bool count = false;

	*plan = (struct protocol_plan){.readiness = protocol_ready(v)};
	if (!v->synced)
		return;
	protocol_member_step(v, ctx, plan);
	if (v->leader) {
		plan->may_contend = protocol_may_contend(v, &count, &plan->wake_ns);
		if (count)
			(void)protocol_add(plan, PROTOCOL_COUNT_HOLDERS);
		protocol_lead(v, plan);
		plan->leading = protocol_leading(v);
		protocol_grants(v, plan);
	}
	protocol_retain(v, plan);
}
