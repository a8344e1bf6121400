#include "keeper/state.h"

struct kmsg_replica keeper_replica(const struct kmsg_who *who)
{
	return (struct kmsg_replica){
		.ns = kmsg_name_str(&who->ns),
		.revision = kmsg_name_str(&who->revision),
		.pod = kmsg_name_str(&who->pod),
		.pod_uid = kmsg_name_str(&who->pod_uid),
		.incarnation = who->incarnation,
	};
}

int keeper_point_parse(struct keeper *k, const struct kmsg_point *point, const char *what,
	struct pre_public_key *ret, struct err *err)
{
	const int r = pre_public_key_parse(k->pre, point->b, sizeof(point->b), ret, err);

	if (r < 0)
		base_err_wrap(err, "%s", what);
	return r;
}

struct kmsg_point keeper_point_of(const struct pre_public_key *key)
{
	struct kmsg_point point;

	memcpy(point.b, key->b, sizeof(point.b));
	return point;
}

int keeper_sign(struct keeper *k, const char *context, struct kmsg_signature *ret, struct err *err)
{
	struct pre_signature signature;

	TRY(pre_sign(k->pre, &k->secrets->identity, context, base_buf_str(&k->scratch), &signature,
		err));
	memcpy(ret->b, signature.b, sizeof(ret->b));
	return 0;
}

static int member_statement(
	struct keeper *k, const struct kmsg_who *who, const struct kmsg_keys *keys, struct err *err)
{
	const struct kmsg_member statement = {
		.replica = keeper_replica(who),
		.receiving = keys->receiving.b,
		.inbox = keys->inbox.b,
		.identity = keys->identity.b,
	};

	base_buf_clear(&k->scratch);
	return kmsg_member_encode(&statement, &k->scratch, err);
}

int keeper_prove(struct keeper *k, struct kmsg_keys *keys, struct err *err)
{
	TRY(member_statement(k, &k->who, keys, err));
	return keeper_sign(k, KMSG_CONTEXT_MEMBER, &keys->proof, err);
}

/* What is wrong with a refused proof, where it is a key that is no point. A parse takes a square
 * root: what is accepted does without. */
static int explain(struct keeper *k, const struct kmsg_keys *keys, struct err *err)
{
	struct pre_public_key unused;

	TRY(keeper_point_parse(k, &keys->receiving, "receiving key", &unused, err));
	TRY(keeper_point_parse(k, &keys->inbox, "inbox key", &unused, err));
	return keeper_point_parse(k, &keys->identity, "identity key", &unused, err);
}

int keeper_check_proof(
	struct keeper *k, const struct kmsg_who *who, const struct kmsg_keys *keys, struct err *err)
{
	struct pre_public_key identity;
	struct pre_signature proof;

	memcpy(identity.b, keys->identity.b, sizeof(identity.b));
	memcpy(proof.b, keys->proof.b, sizeof(proof.b));
	TRY(member_statement(k, who, keys, err));
	const int r = pre_verify(
		k->pre, &identity, KMSG_CONTEXT_MEMBER, base_buf_str(&k->scratch), &proof, err);
	if (r == 0)
		return 0;
	TRY(explain(k, keys, err));
	base_err_wrap(err, "the member's proof");
	return r;
}

int keeper_grant_hash(struct keeper *k, const struct kmsg_grant *grant,
	uint8_t ret_hash[static ENVELOPE_HASH_LEN], struct err *err)
{
	base_buf_clear(&k->scratch);
	TRY(kmsg_grant_encode(grant, &k->scratch, err));
	return envelope_hash(k->envelope, base_buf_str(&k->scratch), ret_hash, err);
}

int keeper_grant_statement(
	struct keeper *k, const struct kmsg_grant *grant, struct str sealed, struct err *err)
{
	uint8_t hash[ENVELOPE_HASH_LEN];

	TRY(envelope_hash(k->envelope, sealed, hash, err));
	base_buf_clear(&k->scratch);
	return kmsg_grant_signed_encode(grant, hash, &k->scratch, err);
}

struct str keeper_revision_name(const struct keeper *k, struct keeper_name *name)
{
	const struct kmsg_name *ns = &k->who.ns, *revision = &k->who.revision;

	memcpy(name->p, ns->p, ns->n);
	name->p[ns->n] = '/';
	memcpy(name->p + ns->n + 1, revision->p, revision->n);
	return base_str_n(name->p, (size_t)ns->n + 1 + revision->n);
}
