/* Verifying allocates for statements: each allocation failed in turn. */
#include "pkg/kmsg/statement.h"
#include "pkg/pre/hold.h"
#include "pkg/protocol/chain.h"
#include "pkg/protocol/test_scene.h"

static struct crds_point key_of(struct pre_context *pre, struct secret *sk)
{
	struct pre_public_key pk;
	struct crds_point p;

	assert_ok("keygen", pre_keygen(pre, sk, &pk, err));
	memcpy(p.b, pk.b, sizeof(p.b));
	return p;
}

struct torture {
	struct pre_context *pre;
	struct crds_functionkey *leader;
	struct crds_key *key;
};

static int verify_leader(void *ctx, struct err *err)
{
	struct torture *t = ctx;

	return protocol_leader_verify(t->leader, t->pre, err);
}

static int verify_key(void *ctx, struct err *err)
{
	struct torture *t = ctx;

	return protocol_key_verify(t->leader, t->key, t->pre, err);
}

static int judge(void *ctx, struct err *err)
{
	struct torture *t = ctx;
	const struct protocol_pin pin = {
		.record_uid = "u", .epoch = 1, .continuity = t->key->continuity};
	enum protocol_continuity verdict = PROTOCOL_BROKEN;

	TRY(protocol_chain_judge(&pin, t->leader, t->key, t->pre, &verdict, err));
	/* That there was no memory is not a broken chain. */
	assert_int_equal(verdict, PROTOCOL_CONTINUED);
	return 0;
}

static struct kmsg_key statement_of(const struct torture *t)
{
	return (struct kmsg_key){.ns = t->leader->ns,
		.revision = t->leader->revision,
		.epoch = t->key->epoch,
		.term = t->key->term,
		.previous = t->key->previous,
		.key = t->key->key.b,
		.continuity = t->key->continuity.b,
		.identity = t->key->identity.b};
}

/* Epoch 2 continues epoch 1, whose continuity key it has as well. */
static void link_to_itself(struct torture *t, const struct secret *continuity)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);
	struct pre_signature sig;

	t->leader->uid = STR("u");
	t->key->epoch = 2;
	t->key->previous = 1;
	t->key->has_link = true;
	const struct kmsg_key key = statement_of(t);
	assert_ok("key", kmsg_key_encode(&key, &b, err));
	assert_ok("link",
		pre_sign(t->pre, continuity, KMSG_CONTEXT_LINK, base_buf_str(&b), &sig, err));
	memcpy(t->key->link.b, sig.b, sizeof(sig.b));
}

static void sign_all(struct torture *t, const struct secret *identity)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);
	struct crds_leader *l = &t->leader->leader;
	const struct kmsg_term term = {.replica = {.ns = t->leader->ns,
					       .revision = t->leader->revision,
					       .pod = l->pod,
					       .pod_uid = l->pod_uid,
					       .incarnation = l->incarnation},
		.term = l->term,
		.verifying = l->verifying.b,
		.identity = l->identity.b};
	const struct kmsg_key key = statement_of(t);
	struct pre_signature sig;

	assert_ok("term", kmsg_term_encode(&term, &b, err));
	assert_ok(
		"term", pre_sign(t->pre, identity, KMSG_CONTEXT_TERM, base_buf_str(&b), &sig, err));
	memcpy(l->signature.b, sig.b, sizeof(sig.b));
	base_buf_clear(&b);
	assert_ok("key", kmsg_key_encode(&key, &b, err));
	assert_ok("key", pre_sign(t->pre, identity, KMSG_CONTEXT_KEY, base_buf_str(&b), &sig, err));
	memcpy(t->key->signature.b, sig.b, sizeof(sig.b));
}

static void test_verify(void **state)
{
	static struct scene s;
	struct env_fake fake = {.seed = 3};
	const struct env env = base_env_fake(&fake);
	struct secret identity, other;
	_cleanup_(pre_context_free) struct pre_context *pre = NULL;

	(void)state;
	assert_ok("context", pre_context_new(&env, &pre, err));
	settled(&s);
	struct torture t = {.pre = pre, .leader = &s.leader, .key = &s.leader.keys[0]};
	s.leader.ns = STR("shop");
	s.leader.leader.identity = t.key->identity = key_of(pre, &identity);
	t.key->key = key_of(pre, &other);
	t.key->continuity = key_of(pre, &other);
	t.key->fingerprint = fingerprint(t.key->key);
	sign_all(&t, &identity);
	assert_true(torture_run("leader", verify_leader, &t, 1) > 0);
	assert_true(torture_run("key", verify_key, &t, 1) > 0);
	link_to_itself(&t, &other);
	assert_true(torture_run("chain", judge, &t, 1) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_verify)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
