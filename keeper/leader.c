/* What a leader's keeper does: the key of its term, keys of epochs, grants, records. */
#include "keeper/state.h"

#define CONTINUITY_LABEL "functionkey/v1/continuity"

int keeper_op_term(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret sk = {0};
	const int64_t term = request->term.term;
	struct pre_public_key pk;

	if (term == k->term) {
		ret->term = k->leading;
		return 0;
	}
	if (term < k->term || term <= k->seen_term)
		return FAIL(err, ERR_CONFLICT, "term %lld was led already", (long long)term);
	TRY(pre_keygen(k->pre, &sk, &pk, err));
	ret->term.verifying = keeper_point_of(&pk);
	const struct kmsg_term statement = {
		.replica = keeper_replica(&k->who),
		.term = term,
		.verifying = pk.b,
		.identity = k->keys.identity.b,
	};
	base_buf_clear(&k->scratch);
	TRY(kmsg_term_encode(&statement, &k->scratch, err));
	TRY(keeper_sign(k, KMSG_CONTEXT_TERM, &ret->term.signature, err));
	k->secrets->verifying = sk;
	k->term = term;
	k->leading = ret->term;
	keeper_shared_wipe(k);
	return 0;
}

int keeper_check_term(const struct keeper *k, int64_t term, struct err *err)
{
	if (term != k->term)
		return FAIL(err, ERR_CONFLICT, "this keeper leads in term %lld, not %lld",
			(long long)k->term, (long long)term);
	return 0;
}

/* -- epochs -- */

/* Signs the statement in scratch with the continuity key of an epoch that is held. */
static int link_to(struct keeper *k, int previous, struct kmsg_signature *ret, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret sk = {0};
	struct pre_public_key pk;
	struct pre_signature signature;

	TRY(pre_derive_key(
		k->pre, &k->secrets->opening[previous], CONTINUITY_LABEL, &sk, &pk, err));
	TRY(pre_sign(k->pre, &sk, KMSG_CONTEXT_LINK, base_buf_str(&k->scratch), &signature, err));
	memcpy(ret->b, signature.b, sizeof(ret->b));
	return 0;
}

static int sign_epoch(struct keeper *k, const struct kmsg_epoch_request *e,
	const struct secret *opening, struct kmsg_epoch_reply *ret, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret continuity_sk = {0};
	struct pre_public_key continuity;
	const int previous = keeper_epoch_find(k, e->previous);

	TRY(pre_derive_key(k->pre, opening, CONTINUITY_LABEL, &continuity_sk, &continuity, err));
	ret->continuity = keeper_point_of(&continuity);
	ret->previous = previous < 0 ? 0 : e->previous;
	const struct kmsg_key statement = {
		.ns = kmsg_name_str(&k->who.ns),
		.revision = kmsg_name_str(&k->who.revision),
		.epoch = e->epoch,
		.term = e->term,
		.previous = ret->previous,
		.key = ret->key.b,
		.continuity = ret->continuity.b,
		.identity = k->keys.identity.b,
	};
	base_buf_clear(&k->scratch);
	TRY(kmsg_key_encode(&statement, &k->scratch, err));
	TRY(keeper_sign(k, KMSG_CONTEXT_KEY, &ret->signature, err));
	if (previous < 0)
		return 0;
	ret->has_link = 1;
	return link_to(k, previous, &ret->link, err);
}

int keeper_op_epoch(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret sk = {0};
	const struct kmsg_epoch_request *e = &request->epoch;
	const int held = keeper_epoch_find(k, e->epoch);
	struct keeper_epoch row = {.epoch = e->epoch, .made = true};

	TRY(keeper_check_term(k, e->term, err));
	if (e->previous >= e->epoch)
		return FAIL(err, ERR_INVALID, "the epoch before must be lower");
	if (held >= 0 && !k->epochs[held].made)
		return FAIL(err, ERR_EXISTS, "the key of that epoch came from elsewhere");
	if (held >= 0) {
		ret->epoch.key = keeper_point_of(&k->epochs[held].key);
		return sign_epoch(k, e, &k->secrets->opening[held], &ret->epoch, err);
	}
	TRY(pre_keygen(k->pre, &sk, &row.key, err));
	row.fp = pre_fingerprint(&row.key);
	ret->epoch.key = keeper_point_of(&row.key);
	TRY(sign_epoch(k, e, &sk, &ret->epoch, err));
	return keeper_epoch_add(k, &row, &sk, err);
}

/* -- grants -- */

bool keeper_same_revision(const struct kmsg_who *a, const struct kmsg_who *b)
{
	return base_str_eq(kmsg_name_str(&a->ns), kmsg_name_str(&b->ns)) &&
	       base_str_eq(kmsg_name_str(&a->revision), kmsg_name_str(&b->revision));
}

struct granting {
	const struct kmsg_grant_request *request;
	int place; /* of the epoch */
	struct pre_public_key receiving, inbox;
	struct kmsg_grant statement;
};

static int check_granting(struct keeper *k, struct granting *g, struct err *err)
{
	const struct kmsg_grant_request *r = g->request;

	TRY(keeper_check_term(k, r->term, err));
	g->place = keeper_epoch_find(k, r->epoch);
	if (g->place < 0)
		return FAIL(err, ERR_NO_KEY, "the epoch is not held");
	if (!keeper_same_revision(&k->who, &r->member))
		return FAIL(err, ERR_DENIED, "the member is of another revision");
	/* That they are points is seen where they are multiplied: a parse takes a square root. */
	memcpy(g->receiving.b, r->keys.receiving.b, sizeof(g->receiving.b));
	memcpy(g->inbox.b, r->keys.inbox.b, sizeof(g->inbox.b));
	if (pre_public_key_eq(&g->receiving, &g->inbox))
		return FAIL(err, ERR_INVALID, "receiving and inbox key must differ");
	TRY(keeper_check_proof(k, &r->member, &r->keys, err));
	g->statement = (struct kmsg_grant){
		.member = keeper_replica(&r->member),
		.epoch = r->epoch,
		.term = r->term,
		.from = k->epochs[g->place].key.b,
		.receiving = g->receiving.b,
		.inbox = g->inbox.b,
		.verifying = k->leading.verifying.b,
		.identity = k->keys.identity.b,
	};
	return 0;
}

/* Precursor and ephemeral of the epoch's grants: its first one in a term makes them. */
static int share(struct keeper *k, int place, struct err *err)
{
	struct keeper_shared *s = &k->secrets->shared[place];

	if (k->epochs[place].shares)
		return 0;
	TRY(pre_precursor_new(k->pre, &s->precursor, err));
	TRY(pre_ephemeral_new(k->pre, &s->ephemeral, err));
	k->epochs[place].shares = true;
	return 0;
}

static int make_kfrag(
	struct keeper *k, const struct granting *g, struct pre_kfrag *ret, struct err *err)
{
	const struct pre_shares how = {
		.threshold = 1,
		.shares = 1,
		.flags = PRE_SIGN_BOTH,
		.delegating_pk = &k->epochs[g->place].key,
		.precursor = &k->secrets->shared[g->place].precursor,
	};
	const int r = pre_kfrags_generate(k->pre, &k->secrets->opening[g->place], &g->receiving,
		&k->secrets->verifying, &how, ret, err);

	if (r < 0)
		base_err_wrap(err, "the kfrag for the receiving key");
	return r;
}

static int seal_kfrag(struct keeper *k, const struct granting *g, const struct pre_kfrag *kfrag,
	struct kmsg_grant_reply *ret, struct err *err)
{
	_cleanup_(base_buf_done) struct buf sealed = base_buf(KMSG_SEALED_MAX);
	struct keeper_name name;
	struct envelope_header like = {
		.kind = ENVELOPE_KFRAG, .type = STR(KEEPER_KFRAG_TYPE), .has_context = true};
	const struct envelope_target to = {
		.key = g->inbox,
		.epoch = (uint64_t)g->request->epoch,
		.name = keeper_revision_name(k, &name),
		.ephemeral = &k->secrets->shared[g->place].ephemeral,
	};
	const struct envelope_targets targets = {.v = &to, .n = 1};

	TRY(keeper_grant_hash(k, &g->statement, like.context, err));
	const int r = envelope_seal(k->envelope, k->pre, &like, targets,
		base_str_n(kfrag->b, sizeof(kfrag->b)), &sealed, err);
	if (r < 0) {
		base_err_wrap(err, "sealing to the inbox key");
		return r;
	}
	memcpy(ret->sealed, sealed.data, sealed.len);
	ret->sealed_len = (uint16_t)sealed.len;
	TRY(keeper_grant_statement(k, &g->statement, base_buf_str(&sealed), err));
	return keeper_sign(k, KMSG_CONTEXT_GRANT, &ret->signature, err);
}

int keeper_op_grant(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	_cleanup_(pre_kfrag_wipe) struct pre_kfrag kfrag = {0};
	struct granting g = {.request = &request->grant};

	TRY(check_granting(k, &g, err));
	TRY(share(k, g.place, err));
	TRY(make_kfrag(k, &g, &kfrag, err));
	TRY(seal_kfrag(k, &g, &kfrag, &ret->grant, err));
	k->stats.grants++;
	return 0;
}

int keeper_op_record(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	const struct kmsg_record_request *r = &request->record;
	const int place = keeper_epoch_find(k, r->epoch);
	const struct kmsg_record statement = {
		.ns = kmsg_name_str(&k->who.ns),
		.revision = kmsg_name_str(&k->who.revision),
		.epoch = r->epoch,
		.term = r->term,
		.key = r->key.b,
		.identity = k->keys.identity.b,
	};

	TRY(keeper_check_term(k, r->term, err));
	if (place < 0 || memcmp(k->epochs[place].key.b, r->key.b, sizeof(r->key.b)) != 0)
		return FAIL(err, ERR_NO_KEY, "the epoch is not held with that key");
	base_buf_clear(&k->scratch);
	TRY(kmsg_record_encode(&statement, &k->scratch, err));
	return keeper_sign(k, KMSG_CONTEXT_RECORD, &ret->record.signature, err);
}
