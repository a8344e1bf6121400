#include "controller/revision.h"

const struct crds_pod *controller_pod_find(const struct controller_view *v, struct str uid)
{
	for (size_t i = 0; i < v->pods_len; i++)
		if (base_str_eq(v->pods[i]->uid, uid))
			return v->pods[i];
	return NULL;
}

static bool is_replica(const struct crds_pod *pod)
{
	return pod->injected && pod->phase != CRDS_POD_SUCCEEDED && pod->phase != CRDS_POD_FAILED;
}

/* A revoked pod gets no key: what it says that it opens helps nobody. */
static bool counts(const struct controller_view *v, const struct crds_pod *pod)
{
	return is_replica(pod) && !controller_revoked(v->leader, pod->uid);
}

static void wake(struct controller_plan *plan, int64_t at_ns)
{
	if (plan->wake_ns == 0 || at_ns < plan->wake_ns)
		plan->wake_ns = at_ns;
}

/* -- counts and conditions -- */

static int64_t count_pods(const struct controller_view *v)
{
	int64_t n = 0;

	for (size_t i = 0; i < v->pods_len; i++)
		n += counts(v, v->pods[i]) && !v->pods[i]->deleting;
	return n;
}

/* A leader says a moment after the activation that it opens what it made. */
static bool opens_active(const struct controller_view *v, const struct controller_record *m)
{
	const struct controller_record *l = v->leader;

	return controller_opens(m, l->active_epoch) ||
	       (l->active_epoch > 0 && l->active_term == l->term &&
		       m->incarnation == l->leader_incarnation &&
		       base_str_eq(m->pod_uid, l->leader_uid));
}

/* Members that can open the active key and whose pod still runs. */
static int64_t count_holders(const struct controller_view *v, bool only_staying)
{
	int64_t n = 0;

	for (size_t i = 0; i < v->members_len; i++) {
		const struct controller_record *m = v->members[i];
		const struct crds_pod *pod = controller_pod_find(v, m->pod_uid);
		if (pod && counts(v, pod) && !m->deleting && !(only_staying && pod->deleting) &&
			opens_active(v, m))
			n++;
	}
	return n;
}

static void set(struct controller_plan *plan, enum controller_condition c,
	enum crds_condition_status status, const char *reason, const char *message)
{
	plan->conditions[c].status = status;
	plan->conditions[c].reason = reason;
	plan->conditions[c].message = message;
}

static bool leader_holds(const struct controller_view *v)
{
	struct str pod = STR_NULL;
	struct str uid = STR_NULL;

	return v->lease && controller_holder_parse(v->lease->holder, &pod, &uid) &&
	       base_str_eq(uid, v->leader->leader_uid) && v->leader->leader_uid.n;
}

/* Only where somebody can follow. */
static bool is_changing(const struct controller_view *v, const struct controller_plan *plan)
{
	const struct controller_record *l = v->leader;

	if (!v->lease || l->active_epoch == 0 || count_holders(v, false) == 0)
		return false;
	if (plan->leaving || (plan->evidence != CONTROLLER_NO_EVIDENCE &&
				     controller_has_successor(v, l->leader_uid)))
		return true;
	return !leader_holds(v) || (!l->inherits && l->active_term < l->term);
}

bool controller_change_is_young(const struct controller_view *v, struct controller_plan *plan)
{
	const int64_t since = v->changing_ns ? v->changing_ns : v->boot_ns;

	if (!plan->changing || v->boot_ns >= since + CONTROLLER_CHANGE_NS)
		return false;
	wake(plan, since + CONTROLLER_CHANGE_NS);
	return true;
}

static void judge_leader(const struct controller_view *v, struct controller_plan *plan)
{
	if (leader_holds(v))
		set(plan, CONTROLLER_LEADER, CRDS_TRUE, "LeaseHeld",
			"The replica named in status.leader holds the Lease.");
	else if (v->lease && v->lease->holder.n)
		set(plan, CONTROLLER_LEADER, CRDS_FALSE, "TakingTerm",
			"A replica holds the Lease and has not taken its term yet.");
	else
		set(plan, CONTROLLER_LEADER, CRDS_FALSE, "NoLeader", "No replica holds the Lease.");
}

static void judge_keys(
	const struct controller_view *v, int64_t holders, struct controller_plan *plan)
{
	const bool active = v->leader->active_epoch > 0;

	set(plan, CONTROLLER_KEY, active ? CRDS_TRUE : CRDS_FALSE,
		active ? "KeyActive" : "NoActiveKey",
		active ? "Senders encrypt to the active key."
		       : "The leader has not activated a key yet.");
	if (!active)
		set(plan, CONTROLLER_NO_HOLDER, CRDS_FALSE, "NoActiveKey",
			"There is no active key yet.");
	else if (holders == 0)
		set(plan, CONTROLLER_NO_HOLDER, CRDS_TRUE, "LastHolderGone",
			"No running replica can open messages for the active key; a replica that "
			"starts will make a new one, and what was sealed before stays sealed.");
	else
		set(plan, CONTROLLER_NO_HOLDER, CRDS_FALSE, "HolderAlive",
			"A running replica can open messages for the active key.");
	set(plan, CONTROLLER_HISTORY, v->leader->history_lost ? CRDS_TRUE : CRDS_FALSE,
		v->leader->history_lost ? "KeyLost" : "KeysKept",
		v->leader->history_lost
			? "A former key was lost with its last holder: messages for it stay sealed."
			: "Every key in the history was handed on.");
}

static void judge_ready(struct controller_plan *plan)
{
	static const struct {
		enum controller_condition condition;
		enum crds_condition_status bad;
	} order[] = {{CONTROLLER_NO_HOLDER, CRDS_TRUE}, {CONTROLLER_KEY, CRDS_FALSE},
		{CONTROLLER_LEADER, CRDS_FALSE}};

	set(plan, CONTROLLER_READY, CRDS_TRUE, "KeyActive",
		"The revision has a leader, an active key and a replica that opens it.");
	for (size_t i = ARRAY_LEN(order); i-- > 0;)
		if (plan->conditions[order[i].condition].status == order[i].bad)
			set(plan, CONTROLLER_READY, CRDS_FALSE,
				plan->conditions[order[i].condition].reason,
				plan->conditions[order[i].condition].message);
}

/* That nobody holds a key is said of that key; where there is no epoch yet, once: an API server of
 * an older definition drops it. */
static bool says_it_of_another(const struct controller_view *v, const struct controller_plan *plan)
{
	const struct controller_record *l = v->leader;

	return plan->conditions[CONTROLLER_NO_HOLDER].status == CRDS_TRUE &&
	       l->observed_epoch != l->active_epoch && (l->observed_epoch > 0 || v->status_ns == 0);
}

static bool differs(const struct controller_view *v, const struct controller_plan *plan)
{
	if (v->leader->members_total != plan->members_total ||
		v->leader->members_ready != plan->members_ready || says_it_of_another(v, plan))
		return true;
	for (size_t i = 0; i < CONTROLLER_CONDITION_COUNT; i++) {
		const struct controller_condition_state *is = &v->leader->conditions[i];
		if (!is->set || is->status != plan->conditions[i].status ||
			!base_str_eq(is->reason, base_str(plan->conditions[i].reason)))
			return true;
	}
	return false;
}

/* When the next status write is due. A revision that starts tells more within its first second: one
 * write for all of it, unless senders can use its key already. Whoever goes by NoHolder alone is
 * told at once that there is one again. */
static int64_t write_at(const struct controller_view *v, const struct controller_plan *plan)
{
	if (v->leader->conditions[CONTROLLER_NO_HOLDER].status == CRDS_TRUE &&
		plan->conditions[CONTROLLER_NO_HOLDER].status != CRDS_TRUE)
		return 0;
	const bool starts = !v->leader->conditions[CONTROLLER_READY].set &&
			    plan->conditions[CONTROLLER_READY].status != CRDS_TRUE;
	const int64_t last = starts && v->made_ns > v->status_ns ? v->made_ns : v->status_ns;

	return last ? last + CONTROLLER_STATUS_EVERY_NS : 0;
}

void controller_status(const struct controller_view *v, struct controller_plan *plan)
{
	if (!v->leader || v->leader->deleting)
		return;
	const int64_t holders = count_holders(v, false);
	plan->members_total = count_pods(v);
	plan->members_ready = count_holders(v, true);
	judge_leader(v, plan);
	judge_keys(v, holders, plan);
	set(plan, CONTROLLER_MEMBERS,
		plan->members_total > 0 && plan->members_ready >= plan->members_total ? CRDS_TRUE
										      : CRDS_FALSE,
		plan->members_total == 0                     ? "NoReplicas"
		: plan->members_ready >= plan->members_total ? "AllMembersReady"
							     : "MembersJoining",
		plan->members_total == 0 ? "The revision has no replicas."
		: plan->members_ready >= plan->members_total
			? "Every replica opens messages for the active key."
			: "Some replicas do not open messages for the active key yet.");
	judge_ready(plan);
	if (!differs(v, plan) || controller_change_is_young(v, plan))
		return;
	const int64_t at = write_at(v, plan);
	if (v->boot_ns < at)
		wake(plan, at);
	else
		plan->write_status = true;
}

/* -- creation -- */

/* Any replica of the revision can say who owns it. */
static const struct crds_pod *some_replica(const struct controller_view *v)
{
	for (size_t i = 0; i < v->pods_len; i++)
		if (is_replica(v->pods[i]) && !v->pods[i]->deleting)
			return v->pods[i];
	return NULL;
}

void controller_revision_step(const struct controller_view *v, struct controller_plan *ret_plan)
{
	*ret_plan = (struct controller_plan){0};
	ret_plan->create_for = some_replica(v);
	controller_janitor(v, ret_plan->create_for, ret_plan);
	if (!v->opted_in) {
		/* Nobody supervises that address any more. */
		controller_endpoints(v, ret_plan);
		return;
	}
	ret_plan->create_record = !v->leader && ret_plan->create_for;
	ret_plan->create_lease = !v->lease && ret_plan->create_for;
	if (!v->leader || v->leader->deleting)
		return;
	controller_supervise(v, ret_plan);
	ret_plan->changing = is_changing(v, ret_plan);
	controller_status(v, ret_plan);
	controller_endpoints(v, ret_plan);
}
