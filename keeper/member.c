/* What every replica's keeper does: its own keys, grants to it, opening. */
#include "keeper/state.h"

static bool same_name(const struct kmsg_name *a, const struct kmsg_name *b)
{
	return base_str_eq(kmsg_name_str(a), kmsg_name_str(b));
}

static bool same_pod(const struct kmsg_who *a, const struct kmsg_who *b)
{
	return same_name(&a->ns, &b->ns) && same_name(&a->revision, &b->revision) &&
	       same_name(&a->pod, &b->pod) && same_name(&a->pod_uid, &b->pod_uid);
}

static int make_keys(struct keeper *k, struct kmsg_keys *ret, struct err *err)
{
	struct keeper_secrets *s = k->secrets;
	const struct {
		struct secret *secret;
		struct kmsg_point *point;
	} rows[] = {
		{&s->receiving, &ret->receiving},
		{&s->inbox, &ret->inbox},
		{&s->identity, &ret->identity},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pre_public_key pk;
		TRY(pre_keygen(k->pre, rows[i].secret, &pk, err));
		*rows[i].point = keeper_point_of(&pk);
	}
	return keeper_prove(k, ret, err);
}

static bool is_blank(const struct keeper *k)
{
	for (size_t i = 0; i < KMSG_EPOCHS_MAX; i++)
		if (k->epochs[i].epoch)
			return false;
	return k->term == 0 && k->seen_term == 0 && !k->has_next;
}

/* Another number for the same keys. Whatever was signed or sealed names the number, so that this
 * goes only as long as nothing was. */
static int renumber(struct keeper *k, const struct kmsg_who *who, struct err *err)
{
	const struct kmsg_who before = k->who;
	struct kmsg_keys keys = k->keys;

	if (!same_pod(&k->who, who) || who->incarnation < k->who.incarnation || !is_blank(k))
		return FAIL(err, ERR_EXISTS, "this keeper belongs to another replica");
	k->who = *who;
	const int r = keeper_prove(k, &keys, err);
	if (r < 0)
		k->who = before;
	else
		k->keys = keys;
	return r;
}

int keeper_op_init(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	const struct kmsg_who *who = &request->init.who;

	if (k->who.incarnation) {
		if (!same_pod(&k->who, who) || k->who.incarnation != who->incarnation)
			TRY(renumber(k, who, err));
		ret->keys = k->keys;
		return 0;
	}
	if (who->ns.n > ENVELOPE_NS_MAX || who->revision.n > ENVELOPE_REVISION_MAX)
		return FAIL(err, ERR_INVALID, "namespace or revision is too long");
	k->who = *who;
	const int r = make_keys(k, &ret->keys, err);
	if (r < 0) {
		base_wipe(k->secrets, sizeof(*k->secrets));
		k->who = (struct kmsg_who){0};
		return r;
	}
	k->keys = ret->keys;
	return 0;
}

int keeper_op_inbox_next(struct keeper *k, const struct kmsg_request *request,
	struct kmsg_reply *ret, struct err *err)
{
	struct pre_public_key pk;

	(void)request;
	if (!k->has_next) {
		k->next = k->keys;
		TRY(pre_keygen(k->pre, &k->secrets->next_inbox, &pk, err));
		k->next.inbox = keeper_point_of(&pk);
		TRY(keeper_prove(k, &k->next, err));
		k->has_next = true;
	}
	ret->keys = k->next;
	return 0;
}

int keeper_op_inbox_commit(struct keeper *k, const struct kmsg_request *request,
	struct kmsg_reply *ret, struct err *err)
{
	(void)request;
	(void)ret;
	if (!k->has_next)
		return FAIL(err, ERR_NOT_FOUND, "there is no next inbox key");
	k->secrets->inbox = k->secrets->next_inbox;
	base_secret_wipe(&k->secrets->next_inbox);
	k->keys = k->next;
	k->has_next = false;
	return 0;
}

/* -- grants to us -- */

struct acceptance {
	const struct kmsg_accept_request *request;
	struct pre_public_key from, verifying, identity;
	struct kmsg_grant grant;    /* its inbox is the one that the signature names */
	const struct secret *inbox; /* secret half of that */
};

static int parse_acceptance(struct keeper *k, struct acceptance *a, struct err *err)
{
	const struct kmsg_accept_request *r = a->request;

	TRY(keeper_point_parse(k, &r->from, "key of the epoch", &a->from, err));
	TRY(keeper_point_parse(k, &r->verifying, "verifying key", &a->verifying, err));
	TRY(keeper_point_parse(k, &r->identity, "identity key", &a->identity, err));
	a->grant = (struct kmsg_grant){
		.member = keeper_replica(&k->who),
		.epoch = r->epoch,
		.term = r->term,
		.from = r->from.b,
		.receiving = k->keys.receiving.b,
		.verifying = r->verifying.b,
		.identity = r->identity.b,
	};
	return 0;
}

/* Finds the inbox key that the leader signed for: while a next one waits, it may be either. */
static int verify_acceptance(struct keeper *k, struct acceptance *a, struct err *err)
{
	const struct {
		bool there;
		const uint8_t *key;
		const struct secret *secret;
	} inboxes[] = {
		{true, k->keys.inbox.b, &k->secrets->inbox},
		{k->has_next, k->next.inbox.b, &k->secrets->next_inbox},
	};
	struct pre_signature signature;
	int r = -ERR_BUG;

	memcpy(signature.b, a->request->signature.b, sizeof(signature.b));
	for (size_t i = 0; i < ARRAY_LEN(inboxes) && inboxes[i].there && r < 0; i++) {
		a->grant.inbox = inboxes[i].key;
		a->inbox = inboxes[i].secret;
		TRY(keeper_grant_statement(
			k, &a->grant, base_str_n(a->request->sealed, a->request->sealed_len), err));
		r = pre_verify(k->pre, &a->identity, KMSG_CONTEXT_GRANT, base_buf_str(&k->scratch),
			&signature, err);
	}
	if (r < 0)
		base_err_wrap(err, "the leader's signature under the grant");
	return r;
}

/* Appends the kfrag. `plain` has room for it, so that no copy is left behind by growing. */
static int open_sealed(
	struct keeper *k, const struct acceptance *a, struct buf *plain, struct err *err)
{
	struct envelope_message m;
	struct keeper_name name;
	struct pre_public_key inbox;
	uint8_t hash[ENVELOPE_HASH_LEN];

	memcpy(inbox.b, a->grant.inbox, sizeof(inbox.b));
	const struct pre_fingerprint fp = pre_fingerprint(&inbox);
	const struct envelope_opening with = {
		.secret = a->inbox, .fp = &fp, .kinds = ENVELOPE_KINDS(KFRAG)};
	TRY(envelope_open(k->envelope, k->pre, &with,
		base_str_n(a->request->sealed, a->request->sealed_len), plain, &m, err));
	TRY(keeper_grant_hash(k, &a->grant, hash, err));
	const struct envelope_recipient *to = envelope_recipient_find(&m.header, &fp);
	if (!base_ct_equal(hash, m.header.context, sizeof(hash)) || !to ||
		to->epoch != (uint64_t)a->grant.epoch ||
		!base_str_eq(to->name, keeper_revision_name(k, &name)))
		return FAIL(err, ERR_TAMPERED, "the sealed kfrag belongs to another grant");
	return 0;
}

static int take_opening(
	struct keeper *k, const struct acceptance *a, struct secret *ret_opening, struct err *err)
{
	_cleanup_(base_buf_wipe) struct buf plain = base_buf(KMSG_SEALED_MAX);
	_cleanup_(pre_kfrag_wipe) struct pre_kfrag kfrag = {0};
	uint8_t *room = NULL;

	TRY(base_buf_room(&plain, a->request->sealed_len, &room, err));
	TRY(open_sealed(k, a, &plain, err));
	TRY(pre_kfrag_parse(k->pre, plain.data, plain.len, &kfrag, err));
	return pre_grant_open(
		k->pre, &k->secrets->receiving, &a->from, &a->verifying, &kfrag, ret_opening, err);
}

/* Whether the epoch is held already: 1 with this key, 0 not at all. */
static int is_held(struct keeper *k, const struct acceptance *a, struct err *err)
{
	const int i = keeper_epoch_find(k, a->request->epoch);

	if (i < 0)
		return 0;
	if (!pre_public_key_eq(&k->epochs[i].key, &a->from))
		return FAIL(err, ERR_TAMPERED, "the epoch is held with another key");
	return 1;
}

static int highest_term(const struct keeper *k, int64_t term, struct err *err)
{
	const int64_t highest = k->term > k->seen_term ? k->term : k->seen_term;

	if (term < highest)
		return FAIL(err, ERR_CONFLICT, "term %lld is over: %lld was seen", (long long)term,
			(long long)highest);
	return 0;
}

int keeper_op_accept(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret opening = {0};
	struct acceptance a = {.request = &request->accept};

	(void)ret;
	TRY(highest_term(k, a.request->term, err));
	TRY(parse_acceptance(k, &a, err));
	TRY(verify_acceptance(k, &a, err));
	const int held = is_held(k, &a, err);
	TRY(held);
	if (held == 0) {
		TRY(take_opening(k, &a, &opening, err));
		const struct keeper_epoch row = {
			.epoch = a.request->epoch, .key = a.from, .fp = pre_fingerprint(&a.from)};
		TRY(keeper_epoch_add(k, &row, &opening, err));
		k->stats.accepts++;
	}
	k->seen_term = a.request->term;
	return 0;
}

int keeper_op_open(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	const struct kmsg_open_request *o = &request->open;
	const struct secret *opening = keeper_epoch_opening(k, &o->fingerprint);
	struct pre_capsule capsule;

	k->stats.open_failures++;
	if (!opening)
		return FAIL(err, ERR_NO_KEY, "no key of that fingerprint is held");
	TRY(pre_capsule_parse(k->pre, o->capsule, sizeof(o->capsule), &capsule, err));
	TRY(pre_unwrap(k->pre, opening, &capsule, o->wrapped, &ret->open.k, err));
	k->stats.open_failures--;
	k->stats.opens++;
	return 0;
}
