#include "pkg/protocol/chain.h"

#include "pkg/kmsg/statement.h"

static int check_signature(struct pre_context *ctx, const struct crds_point *key,
	const char *context, struct str message, const struct crds_signature *sig, struct err *err)
{
	struct pre_public_key parsed;
	struct pre_signature signature;

	if (pre_public_key_parse(ctx, key->b, sizeof(key->b), &parsed, err) < 0)
		return FAIL(err, ERR_TAMPERED, "the signer's key is not a point");
	memcpy(signature.b, sig->b, sizeof(signature.b));
	return pre_verify(ctx, &parsed, context, message, &signature, err);
}

int protocol_leader_verify(
	const struct crds_functionkey *leader, struct pre_context *ctx, struct err *err)
{
	const struct crds_leader *l = &leader->leader;
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);
	const struct kmsg_term statement = {
		.replica = {.ns = leader->ns,
			.revision = leader->revision,
			.pod = l->pod,
			.pod_uid = l->pod_uid,
			.incarnation = l->incarnation},
		.term = l->term,
		.verifying = l->verifying.b,
		.identity = l->identity.b,
	};

	if (!leader->has_leader)
		return FAIL(err, ERR_NOT_READY, "%.*s has no leader", STR_FMT(leader->revision));
	TRY(kmsg_term_encode(&statement, &b, err));
	TRY(check_signature(
		ctx, &l->identity, KMSG_CONTEXT_TERM, base_buf_str(&b), &l->signature, err));
	return 0;
}

static int key_statement(const struct crds_functionkey *leader, const struct crds_key *key,
	struct buf *b, struct err *err)
{
	const struct kmsg_key statement = {
		.ns = leader->ns,
		.revision = leader->revision,
		.epoch = key->epoch,
		.term = key->term,
		.previous = key->previous,
		.key = key->key.b,
		.continuity = key->continuity.b,
		.identity = key->identity.b,
	};

	return kmsg_key_encode(&statement, b, err);
}

int protocol_key_verify(const struct crds_functionkey *leader, const struct crds_key *key,
	struct pre_context *ctx, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);
	struct pre_public_key parsed;

	if (pre_public_key_parse(ctx, key->key.b, sizeof(key->key.b), &parsed, err) < 0)
		return FAIL(err, ERR_TAMPERED, "the key of epoch %lld is not a point",
			(long long)key->epoch);
	const struct pre_fingerprint fp = pre_fingerprint(&parsed);
	if (memcmp(fp.b, key->fingerprint.b, sizeof(fp.b)) != 0)
		return FAIL(err, ERR_TAMPERED, "the fingerprint of epoch %lld is not its key's",
			(long long)key->epoch);
	TRY(key_statement(leader, key, &b, err));
	return check_signature(
		ctx, &key->identity, KMSG_CONTEXT_KEY, base_buf_str(&b), &key->signature, err);
}

/* 1 if the link holds, 0 if not, NOMEM if that cannot be told. */
static int link_holds(const struct crds_functionkey *leader, const struct crds_key *key,
	const struct crds_point *continuity, struct pre_context *ctx, struct err *err)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);
	struct err why = {0};

	if (!key->has_link)
		return 0;
	int r = key_statement(leader, key, &b, &why);
	if (r == 0)
		r = check_signature(
			ctx, continuity, KMSG_CONTEXT_LINK, base_buf_str(&b), &key->link, &why);
	if (r == -ERR_NOMEM)
		return FAIL(err, ERR_NOMEM, "%s", why.msg);
	return r == 0;
}

/* Walks from the row to the pinned one. */
static int walk(const struct protocol_pin *pin, const struct crds_functionkey *leader,
	const struct crds_key *key, struct pre_context *ctx, struct err *err)
{
	/* Each step goes to a lower epoch, so the walk ends; every row may be used once. */
	for (size_t i = 0; i <= CRDS_KEYS_MAX; i++) {
		if (key->previous == pin->epoch)
			return link_holds(leader, key, &pin->continuity, ctx, err);
		const struct crds_key *before = crds_key_find(leader, key->previous);
		if (!before || before->epoch >= key->epoch || before->epoch < pin->epoch)
			return 0;
		const int held = link_holds(leader, key, &before->continuity, ctx, err);
		if (held <= 0)
			return held;
		key = before;
	}
	return 0;
}

int protocol_chain_judge(const struct protocol_pin *pin, const struct crds_functionkey *leader,
	const struct crds_key *key, struct pre_context *ctx, enum protocol_continuity *ret_verdict,
	struct err *err)
{
	enum protocol_continuity verdict = PROTOCOL_BROKEN;

	if (pin->epoch == 0) {
		verdict = PROTOCOL_FIRST_CONTACT;
	} else if (base_str_eq(base_str(pin->record_uid), leader->uid) &&
		   key->epoch == pin->epoch) {
		if (memcmp(key->key.b, pin->key.b, sizeof(key->key.b)) == 0)
			verdict = PROTOCOL_SAME;
	} else if (base_str_eq(base_str(pin->record_uid), leader->uid) && key->epoch > pin->epoch) {
		const int linked = walk(pin, leader, key, ctx, err);
		TRY(linked);
		if (linked)
			verdict = PROTOCOL_CONTINUED;
	}
	*ret_verdict = verdict;
	return 0;
}

struct protocol_pin protocol_pin_of(
	const struct crds_functionkey *leader, const struct crds_key *key)
{
	struct protocol_pin pin = {
		.epoch = key->epoch, .key = key->key, .continuity = key->continuity};

	if (base_str_copy(leader->uid, pin.record_uid, sizeof(pin.record_uid), "uid", NULL) < 0)
		return (struct protocol_pin){0};
	return pin;
}
