/* Fast failover: a Lease whose holder is dead is emptied, so that nobody waits for its end. Only
 * on hard evidence, never on a time-out alone; expiry stays the last resort (DESIGN 5.4). A holder
 * whose pod is being deleted is told so: it gives the Lease up by itself. */
#include "controller/revision.h"

const char *controller_evidence_name(enum controller_evidence e)
{
	static const char *const names[CONTROLLER_EVIDENCE_COUNT] = {"none", "pod-gone",
		"pod-ended", "agent-terminated", "connection-refused", "pod-revoked"};

	return (unsigned)e < CONTROLLER_EVIDENCE_COUNT ? names[e] : "unknown";
}

bool controller_holder_parse(struct str holder, struct str *ret_pod, struct str *ret_uid)
{
	size_t last = holder.n;

	while (last > 0 && holder.p[last - 1] != '_')
		last--;
	if (last < CRDS_UID_LEN + 3 || holder.p[last - 2 - CRDS_UID_LEN] != '_')
		return false;
	*ret_uid = base_str_sub(holder, last - 1 - CRDS_UID_LEN, last - 1);
	*ret_pod = base_str_sub(holder, 0, last - 2 - CRDS_UID_LEN);
	return ret_pod->n > 0;
}

/* Whether the holder is whom the record names, in the same incarnation. */
static bool is_recorded(const struct controller_view *v)
{
	char name[CRDS_NAME_MAX + CRDS_UID_LEN + 24];

	(void)snprintf(name, sizeof(name), "%.*s_%.*s_%lld", STR_FMT(v->leader->leader_pod),
		STR_FMT(v->leader->leader_uid), (long long)v->leader->leader_incarnation);
	return base_str_eq(v->lease->holder, base_str(name));
}

bool controller_has_successor(const struct controller_view *v, struct str uid)
{
	for (size_t i = 0; i < v->members_len; i++) {
		const struct controller_record *m = v->members[i];
		const struct crds_pod *pod = controller_pod_find(v, m->pod_uid);
		if (pod && !base_str_eq(pod->uid, uid) && pod->phase == CRDS_POD_RUNNING &&
			!pod->deleting && !pod->agent_terminated && !m->deleting &&
			!controller_revoked(v->leader, pod->uid) &&
			controller_opens(m, v->leader->active_epoch))
			return true;
	}
	return false;
}

static enum controller_evidence evidence(const struct controller_view *v, struct str uid)
{
	const struct crds_pod *pod = controller_pod_find(v, uid);

	/* It gives the Lease up by itself, unless it is not what it was. */
	if (controller_revoked(v->leader, uid))
		return CONTROLLER_POD_REVOKED;
	if (!pod)
		return CONTROLLER_POD_GONE;
	if (pod->phase == CRDS_POD_FAILED || pod->phase == CRDS_POD_SUCCEEDED)
		return CONTROLLER_POD_ENDED;
	if (pod->agent_terminated)
		return CONTROLLER_AGENT_TERMINATED;
	/* Only of the replica that leads in the recorded term is there a connection. */
	if (v->alive == CONTROLLER_ALIVE_REFUSED && is_recorded(v))
		return CONTROLLER_CONNECTION_REFUSED;
	return CONTROLLER_NO_EVIDENCE;
}

/* Nothing takes a deletion back. The kubelet tells the agent, too, half a second later. */
static void see_off(const struct controller_view *v, struct str uid, struct controller_plan *plan)
{
	const struct crds_pod *pod = controller_pod_find(v, uid);

	plan->leaving = pod && pod->deleting && v->leader->active_epoch > 0 &&
			controller_has_successor(v, uid);
	plan->leaving_uid = uid;
	plan->tell_leaving =
		plan->leaving &&
		(v->told_ns == 0 || v->boot_ns >= v->told_ns + CONTROLLER_RELEASE_EVERY_NS);
}

void controller_supervise(const struct controller_view *v, struct controller_plan *plan)
{
	struct str pod = STR_NULL;
	struct str uid = STR_NULL;

	if (!v->leader || !v->lease || !controller_holder_parse(v->lease->holder, &pod, &uid))
		return;
	plan->evidence = evidence(v, uid);
	if (plan->evidence == CONTROLLER_NO_EVIDENCE) {
		see_off(v, uid, plan);
		return;
	}
	/* A revision whose leaders die one after the other is left to the Lease's own time: each
	 * release costs every replica a re-keying. */
	const unsigned doublings = v->releases < 5 ? v->releases : 5;
	const int64_t at = v->released_ns + (CONTROLLER_RELEASE_EVERY_NS << doublings);
	if (v->released_ns != 0 && v->boot_ns < at) {
		if (plan->wake_ns == 0 || at < plan->wake_ns)
			plan->wake_ns = at;
		return;
	}
	plan->release = true;
	plan->confirm_gone = plan->evidence == CONTROLLER_POD_GONE;
}
