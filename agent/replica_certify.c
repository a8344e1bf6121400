/* Sender certificates on the leader's side: for members, with their grants, and for ourselves. */
#include "agent/keeperlink.h"
#include "agent/replica_internal.h"

#include "pkg/base/log.h"
#include "pkg/base/text.h"

/* The times differ by member, so that a thousand are not renewed at once. They begin in the past:
 * the member may sign at once, and its clock may be behind ours. */
static int fill(struct agent_job *job, struct kmsg_certify_request *c, struct err *err)
{
	const struct agent_core *core = job->r->core;
	const struct crds_functionkey *leader = agent_records_leader(job->r->records);

	if (!leader)
		return FAIL(err, ERR_CONFLICT, "the Leader record is gone");
	c->epoch = leader->active_epoch;
	c->term = job->action.term;
	const int64_t now = base_wall_ns(&core->env) / NS_PER_S;
	c->nbf = now - PROTOCOL_CERT_BEFORE_S;
	c->exp = now + base_jitter(&core->env, PROTOCOL_CERT_S / 6 * 5, PROTOCOL_CERT_S);
	agent_kmsg_name(leader->uid, &c->cluster);
	agent_kmsg_name(leader->function, &c->function);
	job->expires_s = c->exp;
	return 0;
}

/* -- for a member -- */

static int take(struct agent_job *job, const struct kmsg_certify_reply *reply, struct err *err)
{
	_cleanup_(base_buf_done) struct buf text = base_buf(CRDS_CERT_MAX);
	const struct crds_functionkey *member = agent_job_member(job);

	if (!member || member->incarnation != job->member_incarnation)
		return FAIL(err, ERR_CONFLICT, "the records changed meanwhile");
	job->certificate = (struct crds_certificate){.issuer = job->r->keeper.identity,
		.leader = job->r->core->self.pod,
		.term = job->action.term,
		.incarnation = job->member_incarnation,
		.expires_ns = job->expires_s * NS_PER_S};
	TRY(base_base64_add(&text, reply->certificate, reply->certificate_len, err));
	return base_arena_str(job->arena, base_buf_str(&text), &job->certificate.text, err);
}

static void certified(void *ctx, const struct kmsg_reply *reply, const struct err *err)
{
	struct agent_job *job = ctx;
	struct err why = {0};

	if (!err && take(job, &reply->certify, &why) < 0)
		err = &why;
	/* Who can have keys does not wait for what vouches for it. */
	if (err && job->grants_len == 0) {
		agent_job_end(job, err);
		return;
	}
	if (err)
		log_write(job->r->core->log, LOG_WARN, "a member gets no certificate",
			LOG_STR("member", base_str(job->subject)), LOG_ERR("error", err));
	job->certified(job);
}

int agent_job_certify(struct agent_job *job, void (*next)(struct agent_job *job), struct err *err)
{
	struct kmsg_request request = {.op = KMSG_CERTIFY};

	job->certified = next;
	TRY(fill(job, &request.certify, err));
	request.certify.member = job->member_who;
	request.certify.keys = job->member_keys;
	return agent_keeper_request(job->r->core->keeper, &request, certified, job, err);
}

void agent_job_certified(struct agent_job *job)
{
	struct agent_replica *r = job->r;
	const struct crds_functionkey *member = agent_job_member(job);

	if (job->certificate.text.n == 0 || !member || member->has_certificate)
		return;
	r->certless_until_ns = base_boot_ns(&r->core->env) + AGENT_CERTLESS_NS;
	log_write(r->core->log, LOG_WARN,
		"the API server drops status.certificate: its definition of functionkeys is older "
		"than this agent");
}

/* -- for ourselves -- */

static void own_certified(void *ctx, const struct kmsg_reply *reply, const struct err *err)
{
	struct agent_job *job = ctx;
	struct agent_replica *r = job->r;

	if (!err) {
		memcpy(r->certificate, reply->certify.certificate, reply->certify.certificate_len);
		r->certificate_len = reply->certify.certificate_len;
		r->keeper.certified_ns = job->expires_s * NS_PER_S;
		memcpy(r->keeper.certified_uid, job->pod_uid, sizeof(job->pod_uid));
	}
	agent_job_end(job, err);
}

int agent_start_certify(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err)
{
	struct kmsg_request request = {.op = KMSG_CERTIFY};
	struct kmsg_certify_request *c = &request.certify;

	(void)action;
	TRY(fill(job, c, err));
	/* Not a pod's here: what the certificate is for. */
	TRY(base_str_copy(v->leader->uid, job->pod_uid, sizeof(job->pod_uid), "record's UID", err));
	agent_kmsg_name(v->ns, &c->member.ns);
	agent_kmsg_name(v->revision, &c->member.revision);
	agent_kmsg_name(v->pod, &c->member.pod);
	agent_kmsg_name(v->pod_uid, &c->member.pod_uid);
	c->member.incarnation = v->incarnation;
	memcpy(c->keys.receiving.b, v->keeper.receiving.b, sizeof(c->keys.receiving.b));
	memcpy(c->keys.inbox.b, v->keeper.inbox.b, sizeof(c->keys.inbox.b));
	memcpy(c->keys.identity.b, v->keeper.identity.b, sizeof(c->keys.identity.b));
	return agent_keeper_request(job->r->core->keeper, &request, own_certified, job, err);
}

struct str agent_replica_certificate(const struct agent_replica *r)
{
	return base_str_n(r->certificate, r->certificate_len);
}
