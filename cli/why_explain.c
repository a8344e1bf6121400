/* The way of a replica to readiness, station by station. */
#include "cli/why.h"

#include "pkg/base/env.h"

/* 1: passed, go on; 0: told why not; below 0: an error. */
typedef int (*station)(const struct cli_case *c, struct cli_report *r, struct err *err);

/* What adding a line came to, as a station says it. */
#define PASSED(call)  then(1, (call))
#define STOPPED(call) then(0, (call))

static int then(int next, int added)
{
	return added < 0 ? added : next;
}

static bool is(struct str s, const char *word)
{
	return base_str_eq(s, base_str(word));
}

static int phase(const struct cli_case *c, struct cli_report *r, struct err *err)
{
	const struct crds_pod *p = c->pod;
	const struct cli_named *scheduled = cli_named_find(&c->more->conditions, "PodScheduled");

	if (p->deleting)
		return STOPPED(
			cli_report_add(r, CLI_WRONG, "pod", NULL, err, "it is being deleted"));
	if (p->phase == CRDS_POD_SUCCEEDED || p->phase == CRDS_POD_FAILED)
		return STOPPED(cli_report_add(r, CLI_WRONG, "pod", NULL, err, "it has ended (%.*s)",
			STR_FMT(c->more->phase)));
	if (!c->more->node.n)
		return STOPPED(cli_report_add(r, CLI_WRONG, "pod", "kubectl describe pod", err,
			"no node was found for it: %.*s",
			STR_FMT(scheduled ? scheduled->message : STR_NULL)));
	return PASSED(cli_report_add(r, CLI_GOOD, "pod", NULL, err, "%.*s on node %.*s",
		STR_FMT(c->more->phase), STR_FMT(c->more->node)));
}

static int injection(const struct cli_case *c, struct cli_report *r, struct err *err)
{
	static const char what[] = "injection";
	const struct str label = kube_pairs_get(&c->more->labels, CRDS_LABEL_INJECT);

	if (c->pod->injected)
		return PASSED(cli_report_add(r, CLI_GOOD, what, NULL, err,
			"the pod has its agent, for revision %.*s", STR_FMT(c->revision)));
	if (!is(label, "true"))
		return STOPPED(cli_report_add(r, CLI_WRONG, what,
			"put the label " CRDS_LABEL_INJECT ": \"true\" on its pod template", err,
			label.n ? "the pod opted out: label " CRDS_LABEL_INJECT " is '%.*s'"
				: "the pod did not opt in%.*s",
			STR_FMT(label)));
	if (!c->namespace_denied && !c->opted_in)
		return STOPPED(cli_report_add(r, CLI_WRONG, what,
			"label the namespace " CRDS_LABEL_INJECT
			"=enabled, then restart the workload",
			err, "the namespace did not opt in"));
	return STOPPED(cli_report_add(r, CLI_WRONG, what,
		"restart the workload; kubectl functionkey check", err,
		"the pod opted in but has no agent: it is older than the installation or its "
		"policies"));
}

static int container(const struct cli_case *c, struct cli_report *r, struct err *err)
{
	static const char what[] = "agent";
	const struct cli_named *a = cli_named_find(&c->more->init_statuses, CRDS_AGENT_NAME);

	if (!a)
		return STOPPED(cli_report_add(r, CLI_WRONG, what, "kubectl describe pod", err,
			"the kubelet has not started its container yet"));
	if (a->waiting_reason.n)
		return STOPPED(cli_report_add(r, CLI_WRONG, what,
			"kubectl logs POD -c " CRDS_AGENT_NAME " --previous", err,
			"its container waits: %.*s %.*s", STR_FMT(a->waiting_reason),
			STR_FMT(a->waiting_message)));
	if (!a->running)
		return STOPPED(
			cli_report_add(r, CLI_WRONG, what, "kubectl logs POD -c " CRDS_AGENT_NAME,
				err, "its container ended with exit code %lld (%.*s)",
				(long long)a->exit_code, STR_FMT(a->reason)));
	if (a->restarts)
		return PASSED(cli_report_add(r, CLI_DOUBT, what,
			"kubectl logs POD -c " CRDS_AGENT_NAME " --previous", err,
			"it runs, after %lld restarts (the last ended: %.*s)",
			(long long)a->restarts, STR_FMT(a->last_reason)));
	return PASSED(cli_report_add(r, CLI_GOOD, what, NULL, err, "it runs"));
}

static int own_record(const struct cli_case *c, struct cli_report *r, struct err *err)
{
	static const char what[] = "own record";

	if (!c->member)
		return STOPPED(cli_report_add(r, CLI_WRONG, what,
			"kubectl logs POD -c " CRDS_AGENT_NAME
			"; kubectl functionkey check (access, policies)",
			err, "the agent has not published its keys"));
	return PASSED(cli_report_add(r, CLI_GOOD, what, NULL, err, "%.*s, incarnation %lld",
		STR_FMT(c->member->name), (long long)c->member->incarnation));
}

static int revision_record(const struct cli_case *c, struct cli_report *r, struct err *err)
{
	static const char what[] = "revision";
	const struct crds_functionkey *l = c->leader;

	if (!l)
		return STOPPED(cli_report_add(r, CLI_WRONG, what,
			"the controller makes it: kubectl functionkey check (controller)", err,
			"there is no Leader record %.*s", STR_FMT(c->revision)));
	if (l->deleting)
		return STOPPED(cli_report_add(
			r, CLI_WRONG, what, NULL, err, "its Leader record is being deleted"));
	if (crds_revoked(l, c->pod->uid))
		return STOPPED(cli_report_add(r, CLI_WRONG, what,
			"delete the pod: its successor has another UID", err,
			"this pod was revoked and gets no key any more"));
	return PASSED(cli_report_add(r, CLI_GOOD, what, NULL, err,
		"%.*s of function %.*s has a Leader record", STR_FMT(l->revision),
		STR_FMT(l->function)));
}

static int election(const struct cli_case *c, struct cli_report *r, struct err *err)
{
	static const char what[] = "election";
	const struct cli_lease *l = c->lease;
	char age[CLI_AGE_LEN];

	if (c->lease_denied)
		return PASSED(cli_report_add(
			r, CLI_DOUBT, what, NULL, err, "you may not read the Lease"));
	if (!l)
		return STOPPED(cli_report_add(r, CLI_WRONG, what,
			"the controller makes it: kubectl functionkey check (controller)", err,
			"the Lease " CRDS_LEASE_PREFIX "%.*s is missing", STR_FMT(c->revision)));
	if (!l->holder.n)
		return STOPPED(cli_report_add(r, CLI_WRONG, what,
			"kubectl logs POD -c " CRDS_AGENT_NAME
			": a replica that can open the key contends at once, others after a minute",
			err, "no replica holds the Lease"));
	cli_age(c->now_wall_ns, l->renewed_ns, age);
	if (c->now_wall_ns - l->renewed_ns > 2 * l->duration_s * NS_PER_S)
		return PASSED(cli_report_add(r, CLI_DOUBT, what, NULL, err,
			"%.*s holds the Lease but renewed it %s ago", STR_FMT(l->holder), age));
	return PASSED(cli_report_add(
		r, CLI_GOOD, what, NULL, err, "%.*s holds the Lease", STR_FMT(l->holder)));
}

static int leadership(const struct cli_case *c, struct cli_report *r, struct err *err)
{
	static const char what[] = "leader";
	const struct crds_functionkey *l = c->leader;
	const struct crds_key *active = crds_key_active(l);
	const struct crds_condition *lost = crds_no_holder(l);

	if (!l->has_leader)
		return STOPPED(cli_report_add(r, CLI_WRONG, what,
			"look at the agent's logs of the pod that holds the Lease", err,
			"who holds the Lease has not taken its term yet"));
	if (lost)
		return STOPPED(cli_report_add(
			r, CLI_WRONG, what, NULL, err, "%.*s", STR_FMT(lost->message)));
	if (!active)
		return STOPPED(
			cli_report_add(r, CLI_WRONG, what, "look at the agent's logs of the leader",
				err, "%.*s leads term %lld but has activated no key yet",
				STR_FMT(l->leader.pod), (long long)l->leader.term));
	return PASSED(cli_report_add(r, CLI_GOOD, what, NULL, err,
		"%.*s leads term %lld; epoch %lld is active", STR_FMT(l->leader.pod),
		(long long)l->leader.term, (long long)active->epoch));
}

static int grant(const struct cli_case *c, struct cli_report *r, struct err *err)
{
	static const char what[] = "key";
	const struct crds_key *active = crds_key_active(c->leader);
	const struct crds_grant *g = crds_grant_find(c->member, active->epoch);
	const bool leads = base_str_eq(c->leader->leader.pod_uid, c->pod->uid);

	if (crds_opened(c->member, active->epoch) &&
		c->member->opened_incarnation == c->member->incarnation)
		return PASSED(cli_report_add(r, CLI_GOOD, what, NULL, err,
			"this replica opens messages of epoch %lld", (long long)active->epoch));
	if (leads)
		return STOPPED(
			cli_report_add(r, CLI_WRONG, what, "kubectl logs POD -c " CRDS_AGENT_NAME,
				err, "this replica leads but does not say that it opens epoch %lld",
				(long long)active->epoch));
	if (!g || g->incarnation < c->member->incarnation)
		return STOPPED(cli_report_add(r, CLI_WRONG, what,
			"look at the agent's logs of the leader: it tells why it refuses", err,
			"the leader %.*s has made no re-encryption key of epoch %lld for its "
			"incarnation %lld",
			STR_FMT(c->leader->leader.pod), (long long)active->epoch,
			(long long)c->member->incarnation));
	return STOPPED(cli_report_add(r, CLI_WRONG, what, "kubectl logs POD -c " CRDS_AGENT_NAME,
		err, "it was granted epoch %lld but does not say that it opens it",
		(long long)active->epoch));
}

static int readiness(const struct cli_case *c, struct cli_report *r, struct err *err)
{
	const struct cli_named *v = c->more->statuses.items;

	if (c->pod->ready)
		return STOPPED(cli_report_add(r, CLI_GOOD, "ready", NULL, err, "the pod is Ready"));
	if (!c->pod->agent_ready)
		return STOPPED(cli_report_add(r, CLI_WRONG, "ready", "kubectl describe pod", err,
			"the kubelet has not seen the agent's probe succeed yet"));
	for (size_t i = 0; i < c->more->statuses.n; i++)
		if (!v[i].ready)
			return STOPPED(cli_report_add(r, CLI_WRONG, "ready",
				"this is the function's own: kubectl describe pod", err,
				"container %.*s is not ready%s%.*s", STR_FMT(v[i].name),
				v[i].waiting_reason.n ? ": " : "", STR_FMT(v[i].waiting_reason)));
	return STOPPED(cli_report_add(r, CLI_WRONG, "ready", "kubectl describe pod", err,
		"the pod is not Ready though its containers are"));
}

int cli_why_explain(const struct cli_case *c, struct cli_report *report, struct err *err)
{
	static const station stations[] = {phase, injection, container, own_record, revision_record,
		election, leadership, grant, readiness};

	for (size_t i = 0; i < ARRAY_LEN(stations); i++) {
		const int r = stations[i](c, report, err);
		if (r <= 0)
			return r;
	}
	return 0;
}
