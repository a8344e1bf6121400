/* Actions that the keeper does. Its answers change what the next view says the keeper holds. */
#include "agent/keeperlink.h"
#include "agent/patches.h"
#include "agent/replica_internal.h"

#include "pkg/base/log.h"
#include "pkg/base/text.h"

void agent_kmsg_name(struct str s, struct kmsg_name *name)
{
	/* Longer than any Kubernetes name: the keeper will refuse the empty one. */
	name->n = s.n <= sizeof(name->p) ? (uint16_t)s.n : 0;
	if (name->n)
		memcpy(name->p, s.p, name->n);
}

static void to_who(struct str ns, struct str revision, struct str pod, struct str pod_uid,
	int64_t incarnation, struct kmsg_who *who)
{
	agent_kmsg_name(ns, &who->ns);
	agent_kmsg_name(revision, &who->revision);
	agent_kmsg_name(pod, &who->pod);
	agent_kmsg_name(pod_uid, &who->pod_uid);
	who->incarnation = incarnation;
}

static void take_keys(const struct kmsg_keys *keys, struct crds_point *receiving,
	struct crds_point *inbox, struct crds_point *identity, struct crds_signature *proof)
{
	base_assert(inbox && proof);
	if (receiving)
		memcpy(receiving->b, keys->receiving.b, sizeof(receiving->b));
	memcpy(inbox->b, keys->inbox.b, sizeof(inbox->b));
	if (identity)
		memcpy(identity->b, keys->identity.b, sizeof(identity->b));
	memcpy(proof->b, keys->proof.b, sizeof(proof->b));
}

static void add_held(
	struct protocol_keeper *k, int64_t epoch, const uint8_t key[static 33], bool made)
{
	for (size_t i = 0; i < k->held_len; i++)
		if (k->held[i].epoch == epoch)
			return;
	if (k->held_len == PROTOCOL_HELD_MAX)
		return;
	k->held[k->held_len].epoch = epoch;
	k->held[k->held_len].made = made;
	memcpy(k->held[k->held_len++].key.b, key, 33);
}

static void drop_held(struct protocol_keeper *k, int64_t epoch)
{
	for (size_t i = 0; i < k->held_len; i++)
		if (k->held[i].epoch == epoch) {
			k->held[i] = k->held[--k->held_len];
			return;
		}
}

/* -- at the start: who are we, what is held already -- */

static void keys_known(void *ctx, const struct kmsg_reply *reply, const struct err *err)
{
	struct agent_replica *r = ctx;

	if (err) {
		log_write(r->core->log, LOG_ERROR, "the keeper refuses to start",
			LOG_ERR("error", err));
		return;
	}
	take_keys(&reply->keys, &r->keeper.receiving, &r->keeper.inbox, &r->keeper.identity,
		&r->keeper.proof);
	r->keeper_ready = true;
	agent_replica_wake(r);
}

static void take_held(struct protocol_keeper *k, const struct kmsg_held_reply *held)
{
	for (size_t i = 0; i < held->epochs_len; i++)
		add_held(
			k, held->epochs[i].epoch, held->epochs[i].key.b, held->epochs[i].made != 0);
	k->has_next_inbox = held->has_next != 0;
	memcpy(k->next_inbox.b, held->next_inbox.b, sizeof(k->next_inbox.b));
	memcpy(k->next_proof.b, held->next_proof.b, sizeof(k->next_proof.b));
	k->term = held->term;
	memcpy(k->verifying.b, held->verifying.b, sizeof(k->verifying.b));
	memcpy(k->term_signature.b, held->signature.b, sizeof(k->term_signature.b));
}

static void held_known(void *ctx, const struct kmsg_reply *reply, const struct err *err)
{
	struct agent_replica *r = ctx;
	const struct agent_self *self = &r->core->self;
	struct kmsg_request init = {.op = KMSG_INIT};
	struct err why = {0};

	if (err) {
		log_write(r->core->log, LOG_ERROR, "the keeper does not say what it holds",
			LOG_ERR("error", err));
		return;
	}
	take_held(&r->keeper, &reply->held);
	to_who(self->ns, self->revision, self->pod, self->pod_uid, self->incarnation,
		&init.init.who);
	if (agent_keeper_request(r->core->keeper, &init, keys_known, r, &why) < 0)
		log_write(r->core->log, LOG_ERROR, "cannot ask the keeper", LOG_ERR("error", &why));
}

int agent_replica_ask_keeper(struct agent_replica *r, struct err *err)
{
	const struct kmsg_request ask = {.op = KMSG_HELD};

	return agent_keeper_request(r->core->keeper, &ask, held_known, r, err);
}

/* -- answers of the actions, one function each -- */

static void term_made(struct agent_job *job, const struct kmsg_reply *reply)
{
	struct protocol_keeper *k = &job->r->keeper;

	k->term = job->action.term;
	memcpy(k->verifying.b, reply->term.verifying.b, sizeof(k->verifying.b));
	memcpy(k->term_signature.b, reply->term.signature.b, sizeof(k->term_signature.b));
}

static void epoch_made(struct agent_job *job, const struct kmsg_reply *reply)
{
	struct agent_replica *r = job->r;
	const struct kmsg_epoch_reply *e = &reply->epoch;
	struct crds_key *made = &r->keeper.made;
	struct pre_public_key key;

	*made = (struct crds_key){.epoch = job->action.epoch,
		.state = CRDS_PREPARED,
		.term = job->action.term,
		.has_link = e->has_link != 0,
		.previous = e->previous,
		.leader_pod = r->core->self.pod,
		.identity = r->keeper.identity};
	memcpy(made->key.b, e->key.b, sizeof(made->key.b));
	memcpy(made->continuity.b, e->continuity.b, sizeof(made->continuity.b));
	memcpy(made->signature.b, e->signature.b, sizeof(made->signature.b));
	memcpy(made->link.b, e->link.b, sizeof(made->link.b));
	memcpy(key.b, e->key.b, sizeof(key.b));
	const struct pre_fingerprint fp = pre_fingerprint(&key);
	memcpy(made->fingerprint.b, fp.b, sizeof(made->fingerprint.b));
	r->keeper.has_made = true;
	add_held(&r->keeper, job->action.epoch, e->key.b, true);
}

static void accepted(struct agent_job *job, const struct kmsg_reply *reply)
{
	struct agent_replica *r = job->r;

	(void)reply;
	add_held(&r->keeper, job->action.epoch, job->accepted_key.b, false);
	r->inbox_used_ns = base_boot_ns(&r->core->env);
	r->refusals = 0;
}

/* A grant that will never be good: it is not tried again, nor waited for. Its inbox key changes,
 * later each time, and then the leader grants anew. */
static void refused(struct agent_job *job, const struct err *err)
{
	struct agent_replica *r = job->r;
	const unsigned shift = r->refusals < 6 ? r->refusals : 6;

	r->refused[r->refused_next] = job->accepted_grant;
	r->refused_next = (r->refused_next + 1) % ARRAY_LEN(r->refused);
	if (r->refused_len < ARRAY_LEN(r->refused))
		r->refused_len++;
	r->refusals++;
	r->inbox_used_ns = base_boot_ns(&r->core->env) + (NS_PER_S << shift);
	agent_replica_tell(r, true, "GrantRefused", "Accept", base_str(err->msg));
}

/* The keeper has another number now. What we are in the election has it in its name. */
static void reincarnated(struct agent_job *job, const struct kmsg_reply *reply)
{
	struct agent_replica *r = job->r;
	struct agent_self *self = &r->core->self;
	struct err err = {0};

	take_keys(&reply->keys, &r->keeper.receiving, &r->keeper.inbox, &r->keeper.identity,
		&r->keeper.proof);
	self->incarnation = job->action.incarnation;
	(void)snprintf(r->identity, sizeof(r->identity), "%.*s_%.*s_%lld", STR_FMT(self->pod),
		STR_FMT(self->pod_uid), (long long)self->incarnation);
	self->identity = base_str(r->identity);
	log_write(r->core->log, LOG_WARN, "an earlier keeper of this pod took our incarnation",
		LOG_INT("incarnation", self->incarnation));
	if (agent_replica_run_lease(r, &err) < 0)
		log_write(r->core->log, LOG_ERROR, "cannot contend under the new incarnation",
			LOG_ERR("error", &err));
}

static void inbox_made(struct agent_job *job, const struct kmsg_reply *reply)
{
	struct protocol_keeper *k = &job->r->keeper;

	take_keys(&reply->keys, NULL, &k->next_inbox, NULL, &k->next_proof);
	k->has_next_inbox = true;
}

static void inbox_committed(struct agent_job *job, const struct kmsg_reply *reply)
{
	struct protocol_keeper *k = &job->r->keeper;

	(void)reply;
	k->inbox = k->next_inbox;
	k->proof = k->next_proof;
	k->has_next_inbox = false;
}

static void erased(struct agent_job *job, const struct kmsg_reply *reply)
{
	struct protocol_keeper *k = &job->r->keeper;

	(void)reply;
	drop_held(k, job->action.epoch);
	if (k->has_made && k->made.epoch == job->action.epoch)
		k->has_made = false;
}

static bool may_be_good_later(const struct err *err)
{
	return err->class == ERR_NOT_READY || err->class == ERR_NOMEM ||
	       err->class == ERR_TRANSIENT;
}

static void answered(void *ctx, const struct kmsg_reply *reply, const struct err *err)
{
	static void (*const take[PROTOCOL_KIND_COUNT])(
		struct agent_job *, const struct kmsg_reply *) = {
		[PROTOCOL_KEEPER_TERM] = term_made,
		[PROTOCOL_KEEPER_EPOCH] = epoch_made,
		[PROTOCOL_ACCEPT] = accepted,
		[PROTOCOL_REINCARNATE] = reincarnated,
		[PROTOCOL_INBOX_NEXT] = inbox_made,
		[PROTOCOL_INBOX_COMMIT] = inbox_committed,
		[PROTOCOL_ERASE] = erased,
	};
	struct agent_job *job = ctx;
	struct agent_replica *r = job->r;
	const bool final = err && job->kind == PROTOCOL_ACCEPT && !may_be_good_later(err);

	if (!err)
		take[job->kind](job, reply);
	if (final)
		refused(job, err);
	agent_job_end(job, err);
	/* The next grant need not rest for one that was forged. */
	if (final)
		r->rests[PROTOCOL_ACCEPT] = (struct agent_rest){0};
}

/* -- requests -- */

static int fill_accept(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct kmsg_accept_request *a, struct err *err)
{
	_cleanup_(base_buf_done) struct buf sealed = base_buf(KMSG_SEALED_MAX);

	TRY(base_unbase64_add(&sealed, action->grant->kfrag, err));
	a->epoch = action->epoch;
	a->term = action->term;
	memcpy(a->from.b, action->key->key.b, sizeof(a->from.b));
	memcpy(a->verifying.b, v->leader->leader.verifying.b, sizeof(a->verifying.b));
	memcpy(a->identity.b, v->leader->leader.identity.b, sizeof(a->identity.b));
	memcpy(a->signature.b, action->grant->signature.b, sizeof(a->signature.b));
	memcpy(a->sealed, sealed.data, sealed.len);
	a->sealed_len = (uint16_t)sealed.len;
	job->accepted_key = action->key->key;
	job->accepted_grant = action->grant->signature;
	return 0;
}

int agent_start_keeper(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err)
{
	static const enum kmsg_op ops[PROTOCOL_KIND_COUNT] = {
		[PROTOCOL_KEEPER_TERM] = KMSG_TERM,
		[PROTOCOL_KEEPER_EPOCH] = KMSG_EPOCH,
		[PROTOCOL_ACCEPT] = KMSG_ACCEPT,
		[PROTOCOL_REINCARNATE] = KMSG_INIT,
		[PROTOCOL_INBOX_NEXT] = KMSG_INBOX_NEXT,
		[PROTOCOL_INBOX_COMMIT] = KMSG_INBOX_COMMIT,
		[PROTOCOL_ERASE] = KMSG_ERASE,
	};
	struct kmsg_request request = {.op = ops[action->kind]};

	if (action->kind == PROTOCOL_KEEPER_TERM)
		request.term.term = action->term;
	else if (action->kind == PROTOCOL_KEEPER_EPOCH)
		request.epoch = (struct kmsg_epoch_request){
			.epoch = action->epoch, .term = action->term, .previous = action->previous};
	else if (action->kind == PROTOCOL_ACCEPT)
		TRY(fill_accept(job, action, v, &request.accept, err));
	else if (action->kind == PROTOCOL_REINCARNATE)
		to_who(v->ns, v->revision, v->pod, v->pod_uid, action->incarnation,
			&request.init.who);
	else if (action->kind == PROTOCOL_ERASE)
		request.erase.epoch = action->epoch;
	return agent_keeper_request(job->r->core->keeper, &request, answered, job, err);
}

/* -- grants: one kfrag after the other, then one write -- */

static int ask_next(struct agent_job *job, struct err *err);

const struct crds_functionkey *agent_job_member(struct agent_job *job)
{
	const struct crds_functionkey *const *list = NULL;
	size_t n = 0;

	if (agent_records_members(job->r->records, &list, &n, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (base_str_eq(list[i]->name, base_str(job->subject)))
			return list[i];
	return NULL;
}

static int write_grants(struct agent_job *job, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(128UL * 1024);
	const struct crds_functionkey *member = agent_job_member(job);
	const struct agent_self *self = &job->r->core->self;
	const struct crds_leader me = {.pod = self->pod,
		.pod_uid = self->pod_uid,
		.term = job->action.term,
		.incarnation = self->incarnation};

	if (!member)
		return FAIL(err, ERR_NOT_FOUND, "record %s is gone", job->subject);
	if (!kube_lease_may_write(job->r->lease))
		return FAIL(err, ERR_CANCELLED, "the lease is not ours any more");
	const struct agent_granting granting = {.me = &me,
		.grants = job->grants,
		.n = job->grants_len,
		.certificate = job->certificate.text.n ? &job->certificate : NULL};
	TRY(agent_patch_grants(member, &granting, &b, err));
	return agent_job_write(
		job, KUBE_PATCH_MERGE, member->name, STR("status"), base_buf_str(&b), err);
}

/* What the keeper made, as a row of the member's record. */
static int add_grant(struct agent_job *job, const struct kmsg_grant_reply *reply, struct err *err)
{
	const struct crds_functionkey *member = agent_job_member(job);
	const struct crds_functionkey *leader = agent_records_leader(job->r->records);
	const int64_t epoch = job->action.epochs[job->grants_len];
	const struct crds_key *key = leader ? crds_key_find(leader, epoch) : NULL;
	_cleanup_(base_buf_done) struct buf text = base_buf(CRDS_KFRAG_MAX);
	struct crds_grant *g = &job->grants[job->grants_len];
	struct pre_public_key to;
	struct pre_public_key inbox;

	if (!member || !key || member->incarnation != job->member_incarnation)
		return FAIL(err, ERR_CONFLICT, "the records changed meanwhile");
	TRY(base_base64_add(&text, reply->sealed, reply->sealed_len, err));
	*g = (struct crds_grant){.epoch = epoch,
		.term = job->action.term,
		.incarnation = member->incarnation,
		.leader = job->r->core->self.pod,
		.from = key->fingerprint};
	TRY(base_arena_str(job->arena, base_buf_str(&text), &g->kfrag, err));
	memcpy(to.b, job->member_keys.receiving.b, sizeof(to.b));
	memcpy(inbox.b, job->member_keys.inbox.b, sizeof(inbox.b));
	const struct pre_fingerprint to_fp = pre_fingerprint(&to);
	const struct pre_fingerprint inbox_fp = pre_fingerprint(&inbox);
	memcpy(g->to.b, to_fp.b, sizeof(g->to.b));
	memcpy(g->inbox.b, inbox_fp.b, sizeof(g->inbox.b));
	memcpy(g->signature.b, reply->signature.b, sizeof(g->signature.b));
	job->grants_len++;
	return 0;
}

static void granted(void *ctx, const struct kmsg_reply *reply, const struct err *err)
{
	struct agent_job *job = ctx;
	struct err why = {0};
	int r = 0;

	if (err) {
		agent_job_end(job, err);
		return;
	}
	r = add_grant(job, &reply->grant, &why);
	if (r == 0)
		r = ask_next(job, &why);
	if (r < 0)
		agent_job_end(job, &why);
}

static void all_made(struct agent_job *job)
{
	struct err why = {0};

	if (write_grants(job, &why) < 0)
		agent_job_end(job, &why);
}

static int ask_next(struct agent_job *job, struct err *err)
{
	struct kmsg_request request = {.op = KMSG_GRANT};

	if (job->grants_len == job->action.epochs_len)
		return agent_job_certify(job, all_made, err);
	request.grant.epoch = job->action.epochs[job->grants_len];
	request.grant.term = job->action.term;
	request.grant.member = job->member_who;
	request.grant.keys = job->member_keys;
	return agent_keeper_request(job->r->core->keeper, &request, granted, job, err);
}

int agent_start_grant(struct agent_job *job, const struct protocol_action *action,
	const struct protocol_view *v, struct err *err)
{
	const struct crds_functionkey *m = action->member;
	struct kmsg_keys *keys = &job->member_keys;

	to_who(v->ns, v->revision, m->pod, m->pod_uid, m->incarnation, &job->member_who);
	memcpy(keys->receiving.b, m->receiving.b, sizeof(keys->receiving.b));
	memcpy(keys->inbox.b, m->inbox.b, sizeof(keys->inbox.b));
	memcpy(keys->identity.b, m->identity.b, sizeof(keys->identity.b));
	memcpy(keys->proof.b, m->proof.b, sizeof(keys->proof.b));
	job->member_incarnation = m->incarnation;
	TRY(base_arena_new(AGENT_GRANT_MEMORY, &job->arena, err));
	return ask_next(job, err);
}
