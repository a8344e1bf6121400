#include "keeper/life.h"
#include "pkg/envelope/sender.h"
#include "pkg/kmsg/statement.h"

#define REVISION "orders-6c9f7d5b8"

/* Verifies as any reader of the records does. */
static int verify(const struct kmsg_point *key, const char *context, const struct buf *statement,
	const struct kmsg_signature *signature)
{
	const struct env env = base_env_system();
	_cleanup_(pre_context_free) struct pre_context *pre = NULL;
	struct pre_public_key pk;
	struct pre_signature s;

	assert_ok("context", pre_context_new(&env, &pre, err));
	assert_ok("key", pre_public_key_parse(pre, key->b, sizeof(key->b), &pk, err));
	memcpy(s.b, signature->b, sizeof(s.b));
	return pre_verify(pre, &pk, context, base_buf_str(statement), &s, NULL);
}

static struct kmsg_replica replica(const struct kmsg_who *who)
{
	return (struct kmsg_replica){kmsg_name_str(&who->ns), kmsg_name_str(&who->revision),
		kmsg_name_str(&who->pod), kmsg_name_str(&who->pod_uid), who->incarnation};
}

/* Grants an epoch to a member and has it accepted. */
static void grant(struct life *leader, struct life *member, int64_t epoch, int64_t term,
	const struct kmsg_point *key)
{
	const struct kmsg_term_reply leading = life_term(leader, term);
	const struct kmsg_grant_reply g =
		life_get(leader, life_grant_request(member, epoch, term)).grant;

	(void)life_get(
		member, life_accept_request(leader, epoch, term, key, &leading.verifying, &g));
}

static void check_term(const struct life *l, int64_t term, const struct kmsg_term_reply *t)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);
	const struct kmsg_term s = {replica(&l->who), term, t->verifying.b, l->keys.identity.b};

	assert_ok("term", kmsg_term_encode(&s, &b, err));
	assert_int_equal(verify(&l->keys.identity, KMSG_CONTEXT_TERM, &b, &t->signature), 0);
}

static void check_epoch(const struct life *l, const struct kmsg_epoch_request *e,
	const struct kmsg_epoch_reply *r, const struct kmsg_point *continuity)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);
	const struct kmsg_key s = {kmsg_name_str(&l->who.ns), kmsg_name_str(&l->who.revision),
		e->epoch, e->term, r->previous, r->key.b, r->continuity.b, l->keys.identity.b};

	assert_ok("key", kmsg_key_encode(&s, &b, err));
	assert_int_equal(verify(&l->keys.identity, KMSG_CONTEXT_KEY, &b, &r->signature), 0);
	assert_int_equal(r->has_link, continuity != NULL);
	if (!continuity)
		return;
	assert_int_equal(r->previous, e->previous);
	assert_int_equal(verify(continuity, KMSG_CONTEXT_LINK, &b, &r->link), 0);
}

static void test_proofs_and_terms_verify(void **state)
{
	_cleanup_(life_done) struct life a = {0};
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);

	(void)state;
	life_begin(&a, 1, REVISION, "a");
	const struct kmsg_member m = {
		replica(&a.who), a.keys.receiving.b, a.keys.inbox.b, a.keys.identity.b};
	assert_ok("member", kmsg_member_encode(&m, &b, err));
	assert_int_equal(verify(&a.keys.identity, KMSG_CONTEXT_MEMBER, &b, &a.keys.proof), 0);
	const struct kmsg_term_reply one = life_term(&a, 1), again = life_term(&a, 1);
	assert_memory_equal(&one, &again, sizeof(one));
	check_term(&a, 1, &one);
	const struct kmsg_term_reply two = life_term(&a, 2);
	check_term(&a, 2, &two);
	assert_memory_not_equal(&one.verifying, &two.verifying, sizeof(one.verifying));
	life_refused(
		"back", &a, (struct kmsg_request){.op = KMSG_TERM, .term.term = 1}, ERR_CONFLICT);
}

static void test_a_whole_life(void **state)
{
	_cleanup_(life_done) struct life a = {0}, b = {0}, c = {0};

	(void)state;
	life_begin(&a, 1, REVISION, "a");
	life_begin(&b, 2, REVISION, "b");
	life_begin(&c, 3, REVISION, "c");
	/* a leads, makes epoch 1, grants it to b */
	(void)life_term(&a, 1);
	const struct kmsg_epoch_reply e1 = life_epoch(&a, 1, 1, 0);
	check_epoch(&a, &(struct kmsg_epoch_request){1, 1, 0}, &e1, NULL);
	const struct life_message m1 = life_wrap(&e1.key, 11);
	life_opens(&a, &m1);
	life_refused("before the grant", &b, m1.open, ERR_NO_KEY);
	grant(&a, &b, 1, 1, &e1.key);
	life_opens(&b, &m1);
	/* b leads, inherits epoch 1: grants it to c, continues the chain with epoch 2 */
	(void)life_term(&b, 2);
	grant(&b, &c, 1, 2, &e1.key);
	life_opens(&c, &m1);
	const struct kmsg_epoch_reply e2 = life_epoch(&b, 2, 2, 1);
	check_epoch(&b, &(struct kmsg_epoch_request){2, 2, 1}, &e2, &e1.continuity);
	grant(&b, &c, 2, 2, &e2.key);
	const struct life_message m2 = life_wrap(&e2.key, 22);
	life_opens(&c, &m2);
	life_opens(&c, &m1);
	life_refused("a was not granted it", &a, m2.open, ERR_NO_KEY);
	/* c, which made neither, has the same continuity keys */
	(void)life_term(&c, 3);
	const struct kmsg_epoch_reply e3 = life_epoch(&c, 3, 3, 2);
	check_epoch(&c, &(struct kmsg_epoch_request){3, 3, 2}, &e3, &e2.continuity);
	const struct kmsg_stats_reply stats = life_get(&c, life_plain(KMSG_STATS)).stats;
	assert_int_equal(stats.accepts, 2);
	assert_int_equal(stats.opens, 3);
	assert_int_equal(stats.epochs, 3);
	(void)life_get(&c, (struct kmsg_request){.op = KMSG_ERASE, .erase.epoch = 1});
	life_refused("erased", &c, m1.open, ERR_NO_KEY);
	life_opens(&c, &m2);
}

/* The capsule of a sealed grant, which is in the clear. */
static struct str capsule_of(const struct kmsg_grant_reply *g)
{
	static const uint8_t head[] = {0x58, PRE_CAPSULE_LEN, 0x93, 0xc4, PRE_POINT_LEN};
	const uint8_t *p = memmem(g->sealed, g->sealed_len, head, sizeof(head));

	assert_non_null(p);
	assert_true(p + 2 + PRE_CAPSULE_LEN <= g->sealed + g->sealed_len);
	return base_str_n(p + 2, PRE_CAPSULE_LEN);
}

/* Grants of one epoch and term share a capsule; others never do. */
static void test_what_grants_share(void **state)
{
	_cleanup_(life_done) struct life a = {0}, b = {0}, c = {0};
	static const int batch[] = {0, 0, 1, 0, 2, 3}; /* by epoch, term, and erasure */
	struct kmsg_grant_reply g[ARRAY_LEN(batch)];
	struct kmsg_request r;

	(void)state;
	life_begin(&a, 1, REVISION, "a");
	life_begin(&b, 2, REVISION, "b");
	life_begin(&c, 3, REVISION, "c");
	(void)life_term(&a, 1);
	(void)life_epoch(&a, 1, 1, 0);
	(void)life_epoch(&a, 2, 1, 1);
	g[0] = life_get(&a, life_grant_request(&b, 1, 1)).grant;
	g[1] = life_get(&a, life_grant_request(&c, 1, 1)).grant;
	g[2] = life_get(&a, life_grant_request(&c, 2, 1)).grant;
	g[3] = life_get(&a, life_grant_request(&c, 1, 1)).grant;
	(void)life_term(&a, 2);
	g[4] = life_get(&a, life_grant_request(&c, 1, 2)).grant;
	r = life_epoch_request(3, 2, 2);
	(void)life_get(&a, r);
	(void)life_get(&a, life_grant_request(&c, 3, 2));
	(void)life_get(&a, (struct kmsg_request){.op = KMSG_ERASE, .erase.epoch = 3});
	(void)life_get(&a, r);
	g[5] = life_get(&a, life_grant_request(&c, 3, 2)).grant;
	for (size_t i = 0; i < ARRAY_LEN(g); i++)
		for (size_t j = 0; j < i; j++)
			if (base_str_eq(capsule_of(&g[i]), capsule_of(&g[j])) !=
				(batch[i] == batch[j]))
				fail_msg("grants %zu and %zu", i, j);
}

static void test_epochs_are_made_once(void **state)
{
	_cleanup_(life_done) struct life a = {0}, b = {0};

	(void)state;
	life_begin(&a, 1, REVISION, "a");
	life_begin(&b, 2, REVISION, "b");
	life_refused("no term", &a, life_epoch_request(1, 1, 0), ERR_CONFLICT);
	(void)life_term(&a, 1);
	const struct kmsg_epoch_reply one = life_epoch(&a, 1, 1, 0);
	life_refused("other term", &a, life_epoch_request(2, 2, 0), ERR_CONFLICT);
	life_refused("links to itself", &a, life_epoch_request(2, 1, 2), ERR_INVALID);
	const struct kmsg_epoch_reply unlinked = life_epoch(&a, 5, 1, 4);
	check_epoch(&a, &(struct kmsg_epoch_request){5, 1, 4}, &unlinked, NULL);
	assert_int_equal(unlinked.previous, 0);
	/* made, not written: made again in a later term, it is the same key */
	(void)life_term(&a, 3);
	const struct kmsg_epoch_reply again = life_epoch(&a, 1, 3, 0);
	assert_memory_equal(&one.key, &again.key, sizeof(one.key));
	assert_memory_equal(&one.continuity, &again.continuity, sizeof(one.key));
	check_epoch(&a, &(struct kmsg_epoch_request){1, 3, 0}, &again, NULL);
	grant(&a, &b, 1, 3, &one.key);
	(void)life_term(&b, 4);
	life_refused("of somebody else", &b, life_epoch_request(1, 4, 0), ERR_EXISTS);
}

static void test_the_table_has_an_end(void **state)
{
	_cleanup_(life_done) struct life a = {0};

	(void)state;
	life_begin(&a, 1, REVISION, "a");
	(void)life_term(&a, 1);
	for (int64_t e = KMSG_EPOCHS_MAX; e > 0; e--)
		(void)life_epoch(&a, e, 1, 0);
	life_refused("one more", &a, life_epoch_request(KMSG_EPOCHS_MAX + 1, 1, 0), ERR_TOO_LARGE);
	struct kmsg_held_reply held = life_get(&a, life_plain(KMSG_HELD)).held;
	assert_int_equal(held.epochs_len, KMSG_EPOCHS_MAX);
	for (int i = 0; i < KMSG_EPOCHS_MAX; i++)
		assert_int_equal(held.epochs[i].epoch, i + 1);
	(void)life_get(&a, (struct kmsg_request){.op = KMSG_ERASE, .erase.epoch = 7});
	(void)life_epoch(&a, KMSG_EPOCHS_MAX + 1, 1, 1);
}

static void test_a_new_network_half_finds_everything(void **state)
{
	_cleanup_(life_done) struct life a = {0};
	struct keeper *raw = NULL;
	const struct env env = base_env_system();

	(void)state;
	assert_ok("keeper_new", keeper_new(&env, &raw, err));
	struct life fresh = {.keeper = raw};
	struct kmsg_held_reply held = life_get(&fresh, life_plain(KMSG_HELD)).held;
	assert_int_equal(held.incarnation, 0);
	assert_int_equal(held.epochs_len, 0);
	raw = keeper_free(raw);
	life_begin(&a, 1, REVISION, "a");
	const struct kmsg_term_reply term = life_term(&a, 9);
	const struct kmsg_epoch_reply epoch = life_epoch(&a, 4, 9, 0);
	const struct kmsg_keys next = life_get(&a, life_plain(KMSG_INBOX_NEXT)).keys;
	held = life_get(&a, life_plain(KMSG_HELD)).held;
	assert_int_equal(held.incarnation, 1);
	assert_memory_equal(&held.keys, &a.keys, sizeof(a.keys));
	assert_int_equal(held.has_next, 1);
	assert_memory_equal(&held.next_inbox, &next.inbox, sizeof(next.inbox));
	assert_memory_equal(&held.next_proof, &next.proof, sizeof(next.proof));
	assert_int_equal(held.term, 9);
	assert_memory_equal(&held.verifying, &term.verifying, sizeof(term.verifying));
	assert_memory_equal(&held.signature, &term.signature, sizeof(term.signature));
	assert_int_equal(held.epochs_len, 1);
	assert_int_equal(held.epochs[0].epoch, 4);
	assert_int_equal(held.epochs[0].made, 1);
	assert_memory_equal(&held.epochs[0].key, &epoch.key, sizeof(epoch.key));
	/* the same INIT again is answered, another one is not */
	struct kmsg_request init = {.op = KMSG_INIT, .init.who = a.who};
	const struct kmsg_keys keys = life_get(&a, init).keys;
	assert_memory_equal(&keys, &a.keys, sizeof(keys));
	init.init.who.incarnation = 2;
	life_refused("other incarnation", &a, init, ERR_EXISTS);
	init.init.who = life_who(REVISION, "b");
	life_refused("other pod", &a, init, ERR_EXISTS);
}

/* An earlier keeper of the pod may have taken the number; until ours was used it can change. */
static void test_a_blank_keeper_takes_a_higher_incarnation(void **state)
{
	_cleanup_(life_done) struct life a = {0};

	(void)state;
	life_begin(&a, 1, REVISION, "a");
	struct kmsg_request init = {.op = KMSG_INIT, .init.who = a.who};
	init.init.who.incarnation = a.who.incarnation + 3;
	const struct kmsg_keys keys = life_get(&a, init).keys;
	assert_memory_equal(&keys.receiving, &a.keys.receiving, sizeof(keys.receiving));
	assert_memory_equal(&keys.identity, &a.keys.identity, sizeof(keys.identity));
	assert_memory_not_equal(&keys.proof, &a.keys.proof, sizeof(keys.proof));
	const struct kmsg_keys again = life_get(&a, init).keys;
	assert_memory_equal(&again, &keys, sizeof(keys));
	init.init.who = a.who;
	life_refused("a lower one", &a, init, ERR_EXISTS);
	init.init.who = life_who(REVISION, "b");
	init.init.who.incarnation = 9;
	life_refused("another pod's", &a, init, ERR_EXISTS);
	(void)life_get(&a, life_plain(KMSG_INBOX_NEXT));
	init.init.who = a.who;
	init.init.who.incarnation = 9;
	life_refused("once a key was used", &a, init, ERR_EXISTS);
}

static void test_nothing_before_init(void **state)
{
	static const enum kmsg_op ops[] = {KMSG_INBOX_NEXT, KMSG_INBOX_COMMIT, KMSG_TERM,
		KMSG_EPOCH, KMSG_GRANT, KMSG_ACCEPT, KMSG_OPEN, KMSG_ERASE, KMSG_RECORD,
		KMSG_CERTIFY, KMSG_SIGN};
	const struct env env = base_env_system();
	_cleanup_(keeper_free) struct keeper *k = NULL;

	(void)state;
	assert_ok("keeper_new", keeper_new(&env, &k, err));
	struct life l = {.keeper = k};
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		life_refused(kmsg_op_name(ops[i]), &l, life_plain(ops[i]), ERR_NOT_READY);
	life_refused("no such op", &l, life_plain((enum kmsg_op)99), ERR_INVALID);
	struct kmsg_request init = {.op = KMSG_INIT, .init.who = life_who(REVISION, "a")};
	memset(init.init.who.ns.p, 'n', 64);
	init.init.who.ns.n = 64;
	life_refused("long namespace", &l, init, ERR_INVALID);
}

static void test_inbox_keys_are_used_once(void **state)
{
	_cleanup_(life_done) struct life a = {0}, b = {0};

	(void)state;
	life_begin(&a, 1, REVISION, "a");
	life_begin(&b, 2, REVISION, "b");
	const struct kmsg_term_reply term = life_term(&a, 1);
	struct kmsg_epoch_reply e[4];
	struct kmsg_grant_reply g[4];
	for (int i = 0; i < 4; i++)
		e[i] = life_epoch(&a, i + 1, 1, i);
	life_refused("no next one", &b, life_plain(KMSG_INBOX_COMMIT), ERR_NOT_FOUND);
	g[0] = life_get(&a, life_grant_request(&b, 1, 1)).grant;
	g[1] = life_get(&a, life_grant_request(&b, 2, 1)).grant;
	b.keys = life_get(&b, life_plain(KMSG_INBOX_NEXT)).keys;
	const struct kmsg_keys again = life_get(&b, life_plain(KMSG_INBOX_NEXT)).keys;
	assert_memory_equal(&again, &b.keys, sizeof(again));
	g[2] = life_get(&a, life_grant_request(&b, 3, 1)).grant;
	/* until the commit both open */
	(void)life_get(&b, life_accept_request(&a, 1, 1, &e[0].key, &term.verifying, &g[0]));
	(void)life_get(&b, life_accept_request(&a, 3, 1, &e[2].key, &term.verifying, &g[2]));
	(void)life_get(&b, life_plain(KMSG_INBOX_COMMIT));
	life_refused("to the inbox of before", &b,
		life_accept_request(&a, 2, 1, &e[1].key, &term.verifying, &g[1]), ERR_TAMPERED);
	/* what is held already needs no inbox, but its signature is still looked at */
	(void)life_get(&b, life_accept_request(&a, 3, 1, &e[2].key, &term.verifying, &g[2]));
	g[3] = life_get(&a, life_grant_request(&b, 4, 1)).grant;
	(void)life_get(&b, life_accept_request(&a, 4, 1, &e[3].key, &term.verifying, &g[3]));
	const struct life_message m = life_wrap(&e[3].key, 5);
	life_opens(&b, &m);
}

static void test_records_are_signed_by_leaders(void **state)
{
	_cleanup_(life_done) struct life a = {0};
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);

	(void)state;
	life_begin(&a, 1, REVISION, "a");
	(void)life_term(&a, 1);
	const struct kmsg_epoch_reply e = life_epoch(&a, 1, 1, 0);
	struct kmsg_request r = {
		.op = KMSG_RECORD, .record = {.epoch = 1, .term = 1, .key = e.key}};
	const struct kmsg_signature signature = life_get(&a, r).record.signature;
	const struct kmsg_record s = {kmsg_name_str(&a.who.ns), kmsg_name_str(&a.who.revision), 1,
		1, e.key.b, a.keys.identity.b};
	assert_ok("record", kmsg_record_encode(&s, &b, err));
	assert_int_equal(verify(&a.keys.identity, KMSG_CONTEXT_RECORD, &b, &signature), 0);
	r.record.term = 2;
	life_refused("other term", &a, r, ERR_CONFLICT);
	r.record.term = 1;
	r.record.key = a.keys.receiving;
	life_refused("other key", &a, r, ERR_NO_KEY);
	r.record.key = e.key;
	r.record.epoch = 2;
	life_refused("other epoch", &a, r, ERR_NO_KEY);
}

static struct envelope_sender_cert parsed(const struct kmsg_certify_reply *reply)
{
	struct envelope_sender_cert cert;

	assert_ok("certificate",
		envelope_sender_cert_parse(
			base_str_n(reply->certificate, reply->certificate_len), &cert, err));
	return cert;
}

static void test_leaders_vouch_for_identity_keys(void **state)
{
	const struct env env = base_env_system();
	_cleanup_(pre_context_free) struct pre_context *pre = NULL;
	_cleanup_(life_done) struct life a = {0}, b = {0};

	(void)state;
	assert_ok("context", pre_context_new(&env, &pre, err));
	life_begin(&a, 1, REVISION, "a");
	life_begin(&b, 2, REVISION, "b");
	(void)life_term(&a, 5);
	const struct {
		const char *name;
		const struct life *of;
	} rows[] = {{"a member", &b}, {"itself", &a}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct kmsg_certify_reply reply =
			life_get(&a, life_certify_request(rows[i].of, 5)).certify;
		const struct envelope_sender_cert c = parsed(&reply);
		struct pre_public_key issuer;
		memcpy(issuer.b, a.keys.identity.b, sizeof(issuer.b));
		assert_ok(rows[i].name,
			envelope_sender_cert_verify(pre, &c, &issuer, 1700000000, err));
		assert_memory_equal(c.key.b, rows[i].of->keys.identity.b, sizeof(c.key.b));
		assert_true(base_str_eq(c.ns, STR("shop")));
		assert_true(base_str_eq(c.revision, STR(REVISION)));
		assert_true(base_str_eq(c.function, STR("orders")));
		assert_true(base_str_eq(c.pod, kmsg_name_str(&rows[i].of->who.pod)));
		assert_int_equal(c.uid[15], 0x66);
		assert_int_equal(c.epoch, 1);
		assert_int_equal(c.term, 5);
		assert_int_equal(c.exp, 1700086400);
	}
}

static void test_messages_are_signed_by_fixed_fields(void **state)
{
	const struct env env = base_env_system();
	_cleanup_(pre_context_free) struct pre_context *pre = NULL;
	_cleanup_(life_done) struct life a = {0};

	(void)state;
	assert_ok("context", pre_context_new(&env, &pre, err));
	life_begin(&a, 1, REVISION, "a");
	for (uint8_t level = 0; level < 2; level++) {
		struct kmsg_request r = {.op = KMSG_SIGN, .sign = {.message = level}};
		struct envelope_signing s = {
			.level = level ? ENVELOPE_SENDER_MESSAGE : ENVELOPE_SENDER_ORIGIN};
		struct pre_public_key key;
		struct pre_signature signature;
		memset(r.sign.bound, 1, sizeof(r.sign.bound));
		memset(s.bound, 1, sizeof(s.bound));
		memset(r.sign.certificate, 2, sizeof(r.sign.certificate));
		memset(s.cert, 2, sizeof(s.cert));
		memset(r.sign.payload, 3, sizeof(r.sign.payload));
		memset(s.payload, 3, sizeof(s.payload));
		const struct kmsg_signature made = life_get(&a, r).sign.signature;
		memcpy(signature.b, made.b, sizeof(signature.b));
		memcpy(key.b, a.keys.identity.b, sizeof(key.b));
		assert_ok("as signed", envelope_signing_verify(pre, &key, &s, &signature, err));
		s.level = level ? ENVELOPE_SENDER_ORIGIN : ENVELOPE_SENDER_MESSAGE;
		assert_class("another level", ERR_TAMPERED,
			envelope_signing_verify(pre, &key, &s, &signature, err));
	}
	assert_int_equal(life_get(&a, life_plain(KMSG_STATS)).stats.signatures, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proofs_and_terms_verify),
		cmocka_unit_test(test_a_whole_life),
		cmocka_unit_test(test_what_grants_share),
		cmocka_unit_test(test_epochs_are_made_once),
		cmocka_unit_test(test_the_table_has_an_end),
		cmocka_unit_test(test_a_new_network_half_finds_everything),
		cmocka_unit_test(test_a_blank_keeper_takes_a_higher_incarnation),
		cmocka_unit_test(test_nothing_before_init),
		cmocka_unit_test(test_inbox_keys_are_used_once),
		cmocka_unit_test(test_records_are_signed_by_leaders),
		cmocka_unit_test(test_leaders_vouch_for_identity_keys),
		cmocka_unit_test(test_messages_are_signed_by_fixed_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
