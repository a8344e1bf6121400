/* The invariants of DESIGN 5.5. */
#include "sim/world.h"

#include "agent/records.h"
#include "agent/replica_internal.h"
#include "pkg/pre/send.h"

#define QUIET_NS  (60 * NS_PER_S)
#define LATEST_NS (90 * NS_PER_S)

/* -- at each write -- */

/* From now on messages to this key are on their way. */
static void seal(struct sim_world *w, const struct crds_key *key)
{
	struct sim_message *m = &w->messages[key->epoch];
	struct pre_public_key to;
	struct err err = {0};

	memcpy(to.b, key->key.b, sizeof(to.b));
	m->sealed = true;
	m->key = key->key;
	memcpy(m->open.fingerprint.b, key->fingerprint.b, sizeof(m->open.fingerprint.b));
	if (base_random(&w->env, m->k.b, sizeof(m->k.b), &err) < 0 ||
		pre_wrap(w->pre, &to, &m->k, m->open.capsule, m->open.wrapped, &err) < 0)
		sim_fail(w, "cannot seal to epoch %lld: %s", (long long)key->epoch, err.msg);
}

static void check_rows(
	struct sim_world *w, const struct crds_functionkey *old, const struct crds_functionkey *new)
{
	int active = 0;

	for (size_t i = 0; i < new->keys_len; i++) {
		const struct crds_key *k = &new->keys[i];
		const struct crds_key *o = crds_key_find(old, k->epoch);
		static const struct crds_point none;
		if (k->epoch >= SIM_EPOCHS_MAX) {
			sim_fail(w, "epoch %lld: more than a world has", (long long)k->epoch);
			return;
		}
		struct crds_point *known = &w->epoch_keys[k->epoch];
		active += k->state == CRDS_ACTIVE;
		if (memcmp(known, &none, sizeof(none)) == 0)
			*known = k->key;
		else if (memcmp(known, &k->key, sizeof(*known)) != 0)
			sim_fail(w, "epoch %lld has two keys", (long long)k->epoch);
		if (o && o->state != k->state && o->state != CRDS_PREPARED &&
			o->state != CRDS_ACTIVE &&
			!(o->state == CRDS_RETIRED && k->state == CRDS_REVOKED))
			sim_fail(w, "epoch %lld left a final state", (long long)k->epoch);
		if (k->state == CRDS_ACTIVE && !w->messages[k->epoch].sealed) {
			w->stats.epochs++;
			seal(w, k);
		}
	}
	if (active > 1)
		sim_fail(w, "%d keys are Active", active);
}

static bool keys_changed(const struct crds_functionkey *old, const struct crds_functionkey *new)
{
	if (old->keys_len != new->keys_len || old->epoch != new->epoch)
		return true;
	for (size_t i = 0; i < new->keys_len; i++)
		if (old->keys[i].epoch != new->keys[i].epoch ||
			old->keys[i].state != new->keys[i].state)
			return true;
	return false;
}

void sim_check_write(struct sim_world *w, const struct sim_replica *by,
	const struct crds_functionkey *old, const struct crds_functionkey *new)
{
	if (new->role != CRDS_LEADER || !old)
		return;
	if (new->epoch < old->epoch || new->active_epoch < old->active_epoch)
		sim_fail(w, "the epoch went from %lld to %lld", (long long)old->epoch,
			(long long)new->epoch);
	if (old->has_leader && new->leader.term < old->leader.term)
		sim_fail(w, "the term went from %lld to %lld", (long long)old->leader.term,
			(long long)new->leader.term);
	if (old->has_leader && new->leader.term == old->leader.term &&
		(!base_str_eq(new->leader.pod_uid, old->leader.pod_uid) ||
			new->leader.incarnation != old->leader.incarnation))
		sim_fail(w, "term %lld has two leaders", (long long)new->leader.term);
	w->stats.terms += new->has_leader &&new->leader.term > old->leader.term;
	/* In one's own term, which the same write may take. */
	if (by && keys_changed(old, new) &&
		(!base_str_eq(new->leader.pod_uid, base_str(by->uid)) ||
			(new->leader.term == old->leader.term &&
				!base_str_eq(old->leader.pod_uid, base_str(by->uid)))))
		sim_fail(
			w, "%s changed the keys of %.*s's term", by->pod, STR_FMT(new->leader.pod));
	check_rows(w, old, new);
}

/* -- at each answer of a keeper -- */

static void forget_one(struct sim_replica *r, int64_t epoch)
{
	const struct kmsg_request erase = {.op = KMSG_ERASE, .erase = {.epoch = epoch}};
	struct kmsg_reply reply = {0};

	keeper_handle(r->keeper, &erase, &reply);
}

void sim_check_keeper(
	struct sim_replica *r, const struct kmsg_request *request, const struct kmsg_reply *reply)
{
	struct sim_world *w = r->world;

	if (reply->status) {
		/* Records change while a request is on its way; forged things are another matter.
		 */
		if (!w->forging && (reply->status == ERR_TAMPERED || reply->status == ERR_BUG ||
					   reply->status == ERR_INVALID))
			sim_fail(w, "%s's keeper refuses %s: %s", r->pod, kmsg_op_name(request->op),
				reply->message);
		return;
	}
	if (request->op == KMSG_ACCEPT) {
		if (request->accept.term < r->accepted_term)
			sim_fail(w, "%s accepted a grant of term %lld after one of term %lld",
				r->pod, (long long)request->accept.term,
				(long long)r->accepted_term);
		r->accepted_term = request->accept.term;
		if (w->options.plant == SIM_FORGETFUL && sim_once_in(w, 4))
			forget_one(r, request->accept.epoch);
	}
	w->stats.grants += request->op == KMSG_GRANT;
	if (request->op == KMSG_ACCEPT && request->accept.epoch < SIM_EPOCHS_MAX)
		r->held[request->accept.epoch] = true;
	else if (request->op == KMSG_EPOCH && request->epoch.epoch < SIM_EPOCHS_MAX)
		r->held[request->epoch.epoch] = true;
	else if (request->op == KMSG_ERASE && request->erase.epoch < SIM_EPOCHS_MAX)
		r->held[request->erase.epoch] = false;
}

/* -- after each event -- */

static bool opens(struct sim_replica *r, int64_t epoch)
{
	const struct sim_message *m = &r->world->messages[epoch];
	const struct kmsg_request request = {.op = KMSG_OPEN, .open = m->open};
	_cleanup_(base_secret_wipe) struct secret k = {0};
	struct kmsg_reply reply = {0};

	keeper_handle(r->keeper, &request, &reply);
	k = reply.open.k;
	base_secret_wipe(&reply.open.k);
	return reply.status == ERR_OK && memcmp(k.b, m->k.b, sizeof(k.b)) == 0;
}

/* Who says Ready opens messages to the key that is Active as far as it knows. */
static void check_ready(struct sim_replica *r)
{
	const struct crds_functionkey *record =
		r->half && r->half->agent ? agent_replica_record(r->half->agent) : NULL;
	const struct crds_key *active = record ? crds_key_active(record) : NULL;

	if (!active || !agent_replica_readiness(r->half->agent).ready || r->half->agent->step_due ||
		active->epoch == r->checked_epoch)
		return;
	r->checked_epoch = active->epoch;
	if (!opens(r, active->epoch))
		sim_fail(r->world, "%s is ready and does not open a message to epoch %lld", r->pod,
			(long long)active->epoch);
}

static void check_leases(struct sim_world *w)
{
	const char *writer = NULL;

	for (size_t i = 0; i < w->replicas_len; i++) {
		const struct sim_replica *r = &w->replicas[i];
		if (!r->half || !r->half->agent || !kube_lease_may_write(r->half->agent->lease))
			continue;
		if (writer)
			sim_fail(w, "%s and %s may both write", writer, r->pod);
		writer = r->pod;
	}
}

void sim_check_step(struct sim_world *w)
{
	check_leases(w);
	for (size_t i = 0; i < w->replicas_len; i++)
		check_ready(&w->replicas[i]);
}

/* -- at the end -- */

static bool is_settled(struct sim_replica *r)
{
	if (!r->alive || r->revoked)
		return true;
	if (!r->half || !r->half->agent || r->draining)
		return false;
	return agent_replica_readiness(r->half->agent).ready &&
	       r->half->agent->plan.actions_len == 0 &&
	       agent_replica_stats(r->half->agent)->jobs == 0;
}

bool sim_converged(struct sim_world *w)
{
	bool leads = false;

	for (size_t i = 0; i < w->replicas_len; i++) {
		struct sim_replica *r = &w->replicas[i];
		if (!is_settled(r))
			return false;
		leads |= r->alive && r->half && r->half->agent &&
			 agent_replica_leading(r->half->agent);
	}
	return leads;
}

static struct sim_replica *leading(struct sim_world *w)
{
	for (size_t i = 0; i < w->replicas_len; i++) {
		struct sim_replica *r = &w->replicas[i];
		if (r->alive && r->half && r->half->agent && agent_replica_leading(r->half->agent))
			return r;
	}
	return NULL;
}

static void check_epoch(struct sim_world *w, const struct crds_key *key)
{
	struct sim_replica *leader = leading(w);
	const bool kept = leader && opens(leader, key->epoch);

	for (size_t i = 0; i < w->replicas_len; i++) {
		struct sim_replica *r = &w->replicas[i];
		if (!r->alive)
			continue;
		const bool can = opens(r, key->epoch);
		if (r->held[key->epoch] && !can)
			sim_fail(w, "%s held epoch %lld and does not open it", r->pod,
				(long long)key->epoch);
		if (kept && !can && !r->revoked)
			sim_fail(w, "%s leads and opens epoch %lld, %s does not", leader->pod,
				(long long)key->epoch, r->pod);
	}
}

/* What senders use now is closed to who was revoked. */
static void check_revoked(struct sim_world *w, const struct crds_functionkey *leader)
{
	const struct crds_key *active = crds_key_active(leader);

	for (size_t i = 0; active && i < w->replicas_len; i++) {
		struct sim_replica *r = &w->replicas[i];
		if (!r->alive || !r->revoked)
			continue;
		if (w->messages[active->epoch].sealed && opens(r, active->epoch))
			sim_fail(w, "%s is revoked and opens the active epoch %lld", r->pod,
				(long long)active->epoch);
		if (r->half && r->half->agent && kube_lease_may_write(r->half->agent->lease))
			sim_fail(w, "%s is revoked and holds the Lease", r->pod);
	}
}

/* What somebody asked the end of is gone: from the record, and from each keeper that has seen that.
 */
static void check_erased(struct sim_world *w, const struct crds_functionkey *leader)
{
	for (int64_t e = 1; e <= leader->erase_through && e < SIM_EPOCHS_MAX; e++) {
		const struct crds_key *key = crds_key_find(leader, e);
		if (key && key->state != CRDS_ABANDONED)
			sim_fail(w, "epoch %lld was to be erased and is listed", (long long)e);
		for (size_t i = 0; w->messages[e].sealed && i < w->replicas_len; i++)
			if (w->replicas[i].alive && !w->replicas[i].revoked &&
				opens(&w->replicas[i], e))
				sim_fail(w, "epoch %lld was to be erased, %s opens it",
					(long long)e, w->replicas[i].pod);
	}
}

/* Everybody who may could sign a message now: somebody whom the record knows vouches for its key.
 */
static void check_certified(struct sim_world *w, const struct crds_functionkey *leader)
{
	for (size_t i = 0; i < w->replicas_len; i++) {
		struct sim_replica *r = &w->replicas[i];
		if (!r->alive || r->revoked)
			continue;
		_cleanup_(crds_functionkey_free) struct crds_functionkey *own =
			sim_record(w, base_str(r->member));
		const struct protocol_keeper *k = &r->half->agent->keeper;
		const bool good =
			r == leading(w)
				? k->certified_ns > 0 &&
					  base_str_eq(base_str(k->certified_uid), leader->uid)
				: own && own->has_certificate &&
					  own->certificate.incarnation == own->incarnation &&
					  protocol_issuer_known(leader, &own->certificate.issuer);
		if (!good)
			sim_fail(w, "nobody vouches for %s", r->pod);
	}
}

static void tell_unsettled(struct sim_world *w)
{
	for (size_t i = 0; i < w->replicas_len; i++) {
		struct sim_replica *r = &w->replicas[i];
		if (is_settled(r))
			continue;
		const struct agent_replica *a = r->half ? r->half->agent : NULL;
		sim_fail(w,
			"faults are over, and %s is not at rest: %s, wants %s (%zu), trouble: %.*s",
			r->pod, a ? agent_replica_readiness(a).reason : "no half",
			a && a->plan.actions_len ? protocol_kind_name(a->plan.actions[0].kind)
						 : "-",
			a ? a->plan.actions_len : 0, STR_FMT(a ? base_str(a->trouble) : STR_NULL));
	}
	sim_fail(w, "faults are over, and nobody leads");
}

void sim_check_end(struct sim_world *w)
{
	if (!w->failure[0] && !sim_converged(w))
		tell_unsettled(w);
	/* Writes that left while there were faults and arrive now, the last counts of the
	 * controller, inbox keys that rest, rows whose time comes. */
	sim_run(w, w->now + LATEST_NS);
	const uint64_t writes = w->record_writes;
	sim_run(w, w->now + QUIET_NS);
	if (!w->failure[0] && w->record_writes != writes)
		sim_fail(w, "%llu writes in a quiet minute",
			(unsigned long long)(w->record_writes - writes));
	if (!w->failure[0] && !sim_converged(w))
		tell_unsettled(w);
	_cleanup_(crds_functionkey_free) struct crds_functionkey *leader =
		sim_record(w, STR(SIM_REVISION));
	for (size_t i = 0; leader && i < leader->keys_len && !w->failure[0]; i++)
		if (w->messages[leader->keys[i].epoch].sealed)
			check_epoch(w, &leader->keys[i]);
	if (leader && !w->failure[0])
		check_revoked(w, leader);
	if (leader && !w->failure[0])
		check_erased(w, leader);
	if (leader && !w->failure[0])
		check_certified(w, leader);
}
