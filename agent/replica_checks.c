/* Actions that look: at a pod, before its keys are trusted; at all Member records, before an
 * empty-handed replica contends; at one record, after a kick. */
#include "agent/replica_internal.h"

#include "agent/kick.h"
#include "crds/pod.h"
#include "pkg/base/log.h"
#include "pkg/kube/frame.h"

static void judged(struct agent_job *job, enum protocol_check check, const struct err *why)
{
	struct agent_replica *r = job->r;
	struct agent_peer *peer = NULL;

	if (job->kind == PROTOCOL_CHECK_LEADER) {
		memcpy(r->leaders[r->leaders_next].uid, job->pod_uid, sizeof(job->pod_uid));
		r->leaders[r->leaders_next].check = check;
		r->leaders_next = (r->leaders_next + 1) % ARRAY_LEN(r->leaders);
	} else {
		peer = base_map_get(r->peers, base_str(job->pod_uid));
		if (peer)
			peer->check = check;
	}
	if (check != PROTOCOL_REFUSED)
		return;
	agent_replica_tell(r, true,
		job->kind == PROTOCOL_CHECK_LEADER ? "LeaderRefused" : "MemberRefused", "Check",
		base_str(why->msg));
}

static void got_pod(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct agent_job *job = ctx;
	struct agent_replica *r = job->r;
	_cleanup_(crds_pod_free) struct crds_pod *pod = NULL;
	const struct crds_functionkey *leader = agent_records_leader(r->records);
	struct err why = {0};

	if (err && err->class == ERR_NOT_FOUND) {
		(void)FAIL(&why, ERR_DENIED, "there is no pod for the record %s", job->subject);
		judged(job, PROTOCOL_REFUSED, &why);
		agent_job_end(job, NULL);
		return;
	}
	if (err || !leader) {
		agent_job_end(job, err);
		return;
	}
	if (crds_pod_decode(resp->body, &pod, &why) < 0) {
		agent_job_end(job, &why);
		return;
	}
	const bool good =
		crds_pod_is(pod, base_str(job->subject), base_str(job->pod_uid), &why) == 0 &&
		crds_pod_fits(pod, leader, &why) == 0;
	judged(job, good ? PROTOCOL_CHECKED : PROTOCOL_REFUSED, &why);
	agent_job_end(job, NULL);
}

int agent_start_check(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err)
{
	struct str pod;

	if (action->kind == PROTOCOL_CHECK_LEADER) {
		pod = action->pod;
		TRY(base_str_copy(
			action->pod_uid, job->pod_uid, sizeof(job->pod_uid), "pod UID", err));
	} else {
		pod = action->member->pod;
	}
	TRY(base_str_copy(pod, job->subject, sizeof(job->subject), "pod name", err));
	const struct kube_request request = {.verb = KUBE_GET,
		.resource = &crds_pods,
		.ns = v->ns,
		.name = pod,
		.class = KUBE_CLASS_API,
		.max_body = CRDS_POD_MAX};
	return kube_start(job->r->core->client, &request, got_pod, job, NULL, err);
}

/* -- who else could open the active key? -- */

struct count {
	const struct crds_functionkey *leader;
	struct str own_uid;
	int n;
};

static int count_one(struct count *count, struct str item, struct err *err)
{
	_cleanup_(crds_functionkey_free) struct crds_functionkey *fk = NULL;
	const struct crds_key *active = crds_key_active(count->leader);

	TRY(crds_functionkey_decode(item, &fk, err));
	if (active && fk->role == CRDS_MEMBER && !fk->deleting &&
		!crds_revoked(count->leader, fk->pod_uid) &&
		!base_str_eq(fk->pod_uid, count->own_uid) &&
		fk->opened_incarnation == fk->incarnation && crds_opened(fk, active->epoch))
		count->n++;
	return 0;
}

static int count_all(struct count *count, struct str list, struct err *err)
{
	_cleanup_(kube_frame_done) struct kube_frame frame;
	struct kube_frame_doc doc;

	kube_frame_init(&frame, KUBE_FRAME_LIST);
	kube_frame_feed(&frame, list.p, list.n);
	for (bool more = true; more;) {
		TRY(kube_frame_next(&frame, &doc, &more, err));
		if (more && doc.object.n)
			TRY(count_one(count, doc.object, err));
	}
	return kube_frame_end(&frame, err);
}

/* Longer each time: all who have no keys list the members while the Lease is free. */
static void believe_count(struct agent_replica *r)
{
	const int64_t longer = r->count_good_ns ? r->count_good_ns * 2 : AGENT_COUNT_FIRST_NS;

	r->count_good_ns = longer < AGENT_COUNT_MAX_NS ? longer : AGENT_COUNT_MAX_NS;
	r->count_again_ns = base_boot_ns(&r->core->env) + r->count_good_ns +
			    base_jitter(&r->core->env, 0, r->count_good_ns / 2);
}

static void got_members(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct agent_job *job = ctx;
	struct agent_replica *r = job->r;
	struct count count = {
		.leader = agent_records_leader(r->records), .own_uid = r->core->self.pod_uid};
	struct err why = {0};

	if (!err && count.leader) {
		if (count_all(&count, resp->body, &why) < 0) {
			agent_job_end(job, &why);
			return;
		}
		r->live_holders = count.n;
		believe_count(r);
		log_write(r->core->log, LOG_INFO, "counted replicas that can open the active key",
			LOG_INT("holders", count.n));
	}
	agent_job_end(job, err);
}

int agent_start_count(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err)
{
	char query[200];

	(void)action;
	(void)snprintf(query, sizeof(query), "labelSelector=%s%%3D%.*s%%2C%s%%3Dmember&limit=500",
		"functionkey.dev%2Frevision", STR_FMT(v->revision), "functionkey.dev%2Frole");
	const struct kube_request request = {.verb = KUBE_LIST,
		.resource = &crds_functionkeys,
		.ns = v->ns,
		.query = base_str(query),
		.class = KUBE_CLASS_API,
		.max_body = 32u << 20};
	return kube_start(job->r->core->client, &request, got_members, job, NULL, err);
}

/* -- a kick -- */

static void got_kicked(void *ctx, const struct kube_response *resp, const struct err *err)
{
	struct agent_replica *r = ctx;
	struct crds_functionkey *fk = NULL;

	r->kicked--;
	if (!err && crds_functionkey_decode(resp->body, &fk, NULL) == 0) {
		agent_records_put(r->records, fk);
		agent_replica_wake(r);
	}
}

void agent_replica_kicked(struct agent_replica *r, struct str member_name)
{
	const struct kube_request request = {.verb = KUBE_GET,
		.resource = &crds_functionkeys,
		.ns = r->core->self.ns,
		.name = member_name,
		.class = KUBE_CLASS_API};
	const int64_t now = base_boot_ns(&r->core->env);

	/* It answers only with what would be recorded anyway; the rate is bounded by the peer port
	 * and, for reads of the API server, here: what we grant waits in the same row as they. */
	if (r->kicked == AGENT_KICKED_MAX || !r->plan.leading || member_name.n == 0 ||
		member_name.n >= CRDS_NAME_MAX ||
		base_str_find(member_name, '.', 0) == member_name.n ||
		now - r->kicked_ns < 5 * NS_PER_MS)
		return;
	r->kicked_ns = now;
	/* A kick that is lost costs a little time: the watch will show the record too. */
	if (kube_start(r->core->client, &request, got_kicked, r, NULL, NULL) < 0)
		return;
	r->kicked++;
	r->stats.kicks++;
}

void agent_replica_kick_leader(struct agent_replica *r)
{
	const struct crds_functionkey *leader = agent_records_leader(r->records);
	const struct crds_functionkey *own = agent_records_own(r->records);

	if (leader && own && leader->has_leader && !r->plan.leading)
		agent_kick_send(r->core, leader->leader.endpoint, own->name, own->resource_version);
}
