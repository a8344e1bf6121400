#include "agent/announce_step.h"

static enum agent_announce_do drop(struct agent_announcing *a)
{
	if (!a->waiting)
		return AGENT_ANNOUNCE_NOTHING;
	a->waiting = 0;
	return AGENT_ANNOUNCE_DROP;
}

enum agent_announce_do agent_announce_look(
	struct agent_announcing *a, const struct agent_announce_view *v, const struct env *env)
{
	const struct crds_key *active = v->leading && v->record ? crds_key_active(v->record) : NULL;

	if (!active)
		return drop(a);
	const bool same = base_str_eq(v->record->uid, base_str(a->uid));
	if (same && active->epoch == a->waiting)
		return AGENT_ANNOUNCE_NOTHING;
	if (same && active->epoch <= a->settled)
		return drop(a);
	if (!same) {
		if (base_str_copy(v->record->uid, a->uid, sizeof(a->uid), "uid", NULL) < 0)
			return drop(a);
		a->settled = 0;
	}
	/* Of a former leader: mostly said already, and about to be replaced. */
	const bool former = v->record->has_leader && active->term < v->record->leader.term;
	const int64_t least = former ? AGENT_ANNOUNCE_FORMER_NS : 0;
	/* A sink that failed or asked for patience is not asked sooner for a newer key. */
	const int64_t soon = v->boot_ns + least + base_jitter(env, 0, AGENT_ANNOUNCE_SPREAD_NS);
	a->due_ns = a->tries > 0 && a->due_ns > soon ? a->due_ns : soon;
	a->since_ns = v->boot_ns;
	a->waiting = active->epoch;
	a->tries = 0;
	return AGENT_ANNOUNCE_TAKE;
}

static bool is_retryable(unsigned status)
{
	static const unsigned rows[] = {0, 404, 408, 409, 425, 429};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i] == status)
			return true;
	return status >= 500;
}

static int64_t pause_of(unsigned fails, uint64_t retry_after, const struct env *env)
{
	const unsigned shift = fails < 8 ? fails : 8;
	const int64_t doubled = AGENT_ANNOUNCE_FIRST_NS << shift;
	const int64_t most = doubled < AGENT_ANNOUNCE_MAX_NS ? doubled : AGENT_ANNOUNCE_MAX_NS;
	const int64_t pause = base_jitter(env, most / 2, most);
	const int64_t asked =
		(int64_t)(retry_after < AGENT_ANNOUNCE_AFTER_S ? retry_after
							       : AGENT_ANNOUNCE_AFTER_S) *
		NS_PER_S;

	/* Not all of them in the same moment. */
	return asked > pause ? asked + pause / 4 : pause;
}

enum agent_announce_end agent_announce_answered(struct agent_announcing *a, unsigned status,
	uint64_t retry_after, int64_t boot_ns, const struct env *env)
{
	const bool taken = status >= 200 && status < 300;

	if (!taken && is_retryable(status)) {
		a->due_ns = boot_ns + pause_of(a->tries++, retry_after, env);
		if (a->tries < AGENT_ANNOUNCE_TRIES &&
			a->due_ns - a->since_ns <= AGENT_ANNOUNCE_LIMIT_NS)
			return AGENT_ANNOUNCE_RETRIED;
	}
	a->settled = a->waiting;
	a->waiting = 0;
	return taken ? AGENT_ANNOUNCE_DELIVERED : AGENT_ANNOUNCE_FAILED;
}
