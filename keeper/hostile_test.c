/* What a keeper must refuse, from a captured network half and from a captured leader. */
#include "keeper/life.h"
#include "pkg/envelope/open.h"
#include "pkg/envelope/seal.h"
#include "pkg/kmsg/statement.h"

#define REVISION "orders-6c9f7d5b8"

struct fixture {
	struct life a, b, c;
	struct kmsg_term_reply term;
	struct kmsg_epoch_reply epoch;
	struct kmsg_request accept; /* a good one, by a, for b */
};

static void fixture_done(struct fixture *f)
{
	life_done(&f->a);
	life_done(&f->b);
	life_done(&f->c);
}
CLEANUP_DONE(struct fixture, fixture_done);

static void fixture_begin(struct fixture *f)
{
	life_begin(&f->a, 1, REVISION, "a");
	life_begin(&f->b, 2, REVISION, "b");
	life_begin(&f->c, 3, REVISION, "c");
	f->term = life_term(&f->a, 5);
	f->epoch = life_epoch(&f->a, 1, 5, 0);
	const struct kmsg_grant_reply g = life_get(&f->a, life_grant_request(&f->b, 1, 5)).grant;
	f->accept = life_accept_request(&f->a, 1, 5, &f->epoch.key, &f->term.verifying, &g);
}

static void test_acceptances_that_were_changed(void **state)
{
	_cleanup_(fixture_done) struct fixture f = {0};

	(void)state;
	fixture_begin(&f);
	const struct {
		const char *name;
		size_t at; /* in the request */
		uint8_t flip;
	} rows[] = {
		{"other epoch", offsetof(struct kmsg_accept_request, epoch), 2},
		{"other term", offsetof(struct kmsg_accept_request, term), 2},
		{"other sign of the key", offsetof(struct kmsg_accept_request, from), 1},
		{"other sign of the verifying key", offsetof(struct kmsg_accept_request, verifying),
			1},
		{"other sign of the identity", offsetof(struct kmsg_accept_request, identity), 1},
		{"signature r", offsetof(struct kmsg_accept_request, signature) + 9, 1},
		{"signature s", offsetof(struct kmsg_accept_request, signature) + 63, 1},
		{"shorter sealed", offsetof(struct kmsg_accept_request, sealed_len), 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kmsg_request r = f.accept;
		((uint8_t *)&r.accept)[rows[i].at] ^= rows[i].flip;
		life_refused(rows[i].name, &f.b, r, ERR_TAMPERED);
	}
	for (size_t i = 0; i < f.accept.accept.sealed_len; i += 7) {
		struct kmsg_request r = f.accept;
		r.accept.sealed[i] ^= 0x40;
		life_refused("sealed byte", &f.b, r, ERR_TAMPERED);
	}
	struct kmsg_request r = f.accept;
	r.accept.from.b[0] = 4;
	life_refused("no point", &f.b, r, ERR_INVALID);
	r = f.accept;
	memset(r.accept.identity.b, 0, sizeof(r.accept.identity.b));
	life_refused("zero identity", &f.b, r, ERR_INVALID);
	assert_int_equal(life_get(&f.b, life_plain(KMSG_STATS)).stats.epochs, 0);
	(void)life_get(&f.b, f.accept);
}

static void test_acceptances_of_others(void **state)
{
	_cleanup_(fixture_done) struct fixture f = {0};

	(void)state;
	fixture_begin(&f);
	life_refused("for another member", &f.c, f.accept, ERR_TAMPERED);
	struct kmsg_request r = f.accept;
	r.accept.identity = f.c.keys.identity;
	life_refused("wrong signer", &f.b, r, ERR_TAMPERED);
	/* a leader of the same term, with the first one's sealed kfrag */
	const struct kmsg_term_reply other = life_term(&f.c, 5);
	r.accept.verifying = other.verifying;
	life_refused("wrong verifying key", &f.b, r, ERR_TAMPERED);
	(void)life_get(&f.b, f.accept);
	(void)life_get(&f.b, f.accept);
	assert_int_equal(life_get(&f.b, life_plain(KMSG_STATS)).stats.accepts, 1);
	/* the same epoch with another key */
	const struct kmsg_epoch_reply twin = life_epoch(&f.c, 1, 5, 0);
	const struct kmsg_grant_reply g = life_get(&f.c, life_grant_request(&f.b, 1, 5)).grant;
	r = life_accept_request(&f.c, 1, 5, &twin.key, &other.verifying, &g);
	life_refused("the epoch's other key", &f.b, r, ERR_TAMPERED);
	(void)life_get(&f.b, (struct kmsg_request){.op = KMSG_ERASE, .erase.epoch = 1});
	(void)life_get(&f.b, r);
}

static void test_terms_do_not_go_back(void **state)
{
	_cleanup_(fixture_done) struct fixture f = {0};

	(void)state;
	fixture_begin(&f);
	const struct kmsg_term_reply leading = life_term(&f.c, 6);
	const struct kmsg_epoch_reply two = life_epoch(&f.c, 2, 6, 0);
	const struct kmsg_grant_reply g = life_get(&f.c, life_grant_request(&f.b, 2, 6)).grant;
	(void)life_get(&f.b, life_accept_request(&f.c, 2, 6, &two.key, &leading.verifying, &g));
	life_refused("grant of an older term", &f.b, f.accept, ERR_CONFLICT);
	life_refused("to lead in a term that was led", &f.b,
		(struct kmsg_request){.op = KMSG_TERM, .term.term = 6}, ERR_CONFLICT);
	(void)life_term(&f.b, 7);
	life_refused("own term counts", &f.b, f.accept, ERR_CONFLICT);
}

static void test_grants_that_are_refused(void **state)
{
	_cleanup_(fixture_done) struct fixture f = {0};
	_cleanup_(life_done) struct life foreign = {0};

	(void)state;
	fixture_begin(&f);
	life_begin(&foreign, 4, "billing-1", "x");
	struct kmsg_request r = life_grant_request(&f.b, 1, 5);
	r.grant.term = 4;
	life_refused("other term", &f.a, r, ERR_CONFLICT);
	r = life_grant_request(&f.b, 2, 5);
	life_refused("epoch not held", &f.a, r, ERR_NO_KEY);
	life_refused("not a leader", &f.b, life_grant_request(&f.c, 1, 5), ERR_CONFLICT);
	r = life_grant_request(&foreign, 1, 5);
	life_refused("another revision", &f.a, r, ERR_DENIED);
	life_name(&r.grant.member.revision, REVISION);
	life_refused("... said to be ours", &f.a, r, ERR_TAMPERED);
	r = life_grant_request(&f.b, 1, 5);
	r.grant.member = f.c.who;
	life_refused("another pod's proof", &f.a, r, ERR_TAMPERED);
	r = life_grant_request(&f.b, 1, 5);
	r.grant.member.incarnation++;
	life_refused("another incarnation", &f.a, r, ERR_TAMPERED);
	r = life_grant_request(&f.b, 1, 5);
	r.grant.keys.receiving = f.c.keys.receiving;
	life_refused("another's receiving key", &f.a, r, ERR_TAMPERED);
	r = life_grant_request(&f.b, 1, 5);
	r.grant.keys.inbox = f.c.keys.inbox;
	life_refused("another's inbox", &f.a, r, ERR_TAMPERED);
	r.grant.keys.inbox = r.grant.keys.receiving;
	life_refused("inbox is receiving", &f.a, r, ERR_INVALID);
	r.grant.keys.inbox.b[0] = 7;
	life_refused("no point", &f.a, r, ERR_INVALID);
	r = life_grant_request(&f.b, 1, 5);
	r.grant.keys.proof.b[40] ^= 1;
	life_refused("broken proof", &f.a, r, ERR_TAMPERED);
	assert_int_equal(life_get(&f.a, life_plain(KMSG_STATS)).stats.grants, 1);
}

static void test_openings_that_are_refused(void **state)
{
	_cleanup_(fixture_done) struct fixture f = {0};

	(void)state;
	fixture_begin(&f);
	const struct life_message m = life_wrap(&f.epoch.key, 9);
	struct kmsg_request r = m.open;
	r.open.fingerprint.b[15] ^= 1;
	life_refused("other fingerprint", &f.a, r, ERR_NO_KEY);
	r = m.open;
	r.open.capsule[80] ^= 1;
	life_refused("capsule's proof", &f.a, r, ERR_TAMPERED);
	r = m.open;
	r.open.capsule[0] = 0;
	life_refused("capsule's form", &f.a, r, ERR_INVALID);
	r = m.open;
	r.open.wrapped[40] ^= 1;
	life_refused("wrapped", &f.a, r, ERR_TAMPERED);
	const struct kmsg_stats_reply stats = life_get(&f.a, life_plain(KMSG_STATS)).stats;
	assert_int_equal(stats.open_failures, 4);
	assert_int_equal(stats.opens, 0);
	life_opens(&f.a, &m);
}

static void set_name(struct kmsg_name *name, const char *text)
{
	life_name(name, text);
}

static void test_certificates_that_are_refused(void **state)
{
	_cleanup_(fixture_done) struct fixture f = {0};
	_cleanup_(life_done) struct life foreign = {0};

	(void)state;
	fixture_begin(&f);
	life_begin(&foreign, 4, "billing-1", "x");
	(void)life_get(&f.a, life_certify_request(&f.b, 5));
	life_refused("other term", &f.a, life_certify_request(&f.b, 4), ERR_CONFLICT);
	life_refused("not a leader", &f.b, life_certify_request(&f.c, 5), ERR_CONFLICT);
	life_refused("for itself, not a leader", &f.b, life_certify_request(&f.b, 5), ERR_CONFLICT);
	struct kmsg_request r = life_certify_request(&foreign, 5);
	life_refused("another revision", &f.a, r, ERR_DENIED);
	set_name(&r.certify.member.revision, REVISION);
	life_refused("... said to be ours", &f.a, r, ERR_TAMPERED);
	r = life_certify_request(&f.b, 5);
	r.certify.member = f.c.who;
	life_refused("b's keys as c", &f.a, r, ERR_TAMPERED);
	r = life_certify_request(&f.b, 5);
	r.certify.keys.identity = f.c.keys.identity;
	life_refused("c's identity key as b", &f.a, r, ERR_TAMPERED);
	r = life_certify_request(&f.a, 5);
	set_name(&r.certify.member.pod, "b");
	life_refused("our own key as another pod", &f.a, r, ERR_DENIED);
	r = life_certify_request(&f.a, 5);
	r.certify.keys.identity = f.c.keys.identity;
	life_refused("c's identity key as our own", &f.a, r, ERR_TAMPERED);
	r = life_certify_request(&f.b, 5);
	r.certify.exp = r.certify.nbf + KMSG_CERT_S + 1;
	life_refused("for too long", &f.a, r, ERR_INVALID);
	r.certify.exp = r.certify.nbf;
	life_refused("for no time", &f.a, r, ERR_INVALID);
	r = life_certify_request(&f.a, 5);
	set_name(&r.certify.function, "a:b");
	life_refused("a function that is none", &f.a, r, ERR_INVALID);
	r = life_certify_request(&f.a, 5);
	memset(r.certify.cluster.p, 'c', 64);
	r.certify.cluster.n = 64;
	life_refused("a cluster that is too long", &f.a, r, ERR_INVALID);
}

/* A pod's UID is checked where it is made into bytes. */
static void test_uids_that_are_none(void **state)
{
	static const char *const rows[] = {"a", "3f9a1c07-1111-4222-8333-44445555666",
		"3f9a1c07-1111-4222-8333-4444555566667", "3f9a1c0711114222833344445555666600-0",
		"3f9a1c07:1111-4222-8333-444455556666", "3f9a1c07-1111-4222-8333-44445555666g"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_(life_done) struct life l = {
			.fake = {.wall_ns = 1700000000 * NS_PER_S, .seed = i + 1}};
		l.env = base_env_fake(&l.fake);
		l.who = life_who(REVISION, "a");
		life_name(&l.who.pod_uid, rows[i]);
		assert_ok("keeper_new", keeper_new(&l.env, &l.keeper, err));
		l.keys = life_get(&l, (struct kmsg_request){.op = KMSG_INIT, .init.who = l.who})
				 .keys;
		(void)life_term(&l, 1);
		life_refused(rows[i], &l, life_certify_request(&l, 1), ERR_INVALID);
	}
}

/* -- a captured leader: everything signed as it must be, and still wrong -- */

struct evil {
	struct env env;
	struct pre_context *pre;
	struct envelope_context *envelope;
	struct secret identity_sk, sigma_sk, a_sk, other_sk;
	struct pre_public_key identity, sigma, a, other;
};

static void evil_begin(struct evil *e)
{
	const struct {
		struct secret *sk;
		struct pre_public_key *pk;
	} keys[] = {{&e->identity_sk, &e->identity}, {&e->sigma_sk, &e->sigma}, {&e->a_sk, &e->a},
		{&e->other_sk, &e->other}};

	e->env = base_env_system();
	assert_ok("pre", pre_context_new(&e->env, &e->pre, err));
	assert_ok("envelope", envelope_context_new(&e->env, &e->envelope, err));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_ok("key", pre_keygen(e->pre, keys[i].sk, keys[i].pk, err));
}

static void evil_done(struct evil *e)
{
	e->envelope = envelope_context_free(e->envelope);
	e->pre = pre_context_free(e->pre);
}
CLEANUP_DONE(struct evil, evil_done);

struct trick {
	const char *name;
	enum err_class want;
	bool other_scalar;  /* kfrag of another key's secret, under this key's name */
	bool other_sigma;   /* kfrag signed by another key than the one in the grant */
	bool other_from;    /* kfrag of another key, honestly */
	bool other_context; /* sealed for another grant */
	bool other_kind;    /* sealed as an event */
	bool other_epoch;   /* in the envelope */
	bool other_name;    /* in the envelope */
	bool unsigned_keys;
	size_t cut; /* bytes missing at the kfrag's end */
};

static const struct trick tricks[] = {
	{.name = "nothing wrong", .want = ERR_OK},
	{.name = "wrong scalar", .want = ERR_TAMPERED, .other_scalar = true},
	{.name = "signed by another key", .want = ERR_TAMPERED, .other_sigma = true},
	{.name = "kfrag of another key", .want = ERR_TAMPERED, .other_from = true},
	{.name = "sealed for another grant", .want = ERR_TAMPERED, .other_context = true},
	{.name = "sealed as an event", .want = ERR_INVALID, .other_kind = true},
	{.name = "another epoch in the envelope", .want = ERR_TAMPERED, .other_epoch = true},
	{.name = "another revision in the envelope", .want = ERR_TAMPERED, .other_name = true},
	{.name = "keys not signed", .want = ERR_INVALID, .unsigned_keys = true},
	{.name = "short kfrag", .want = ERR_INVALID, .cut = 1},
};

static void evil_kfrag(
	struct evil *e, const struct trick *t, const struct kmsg_keys *to, struct pre_kfrag *ret)
{
	struct pre_public_key receiving;
	const struct pre_shares how = {.threshold = 1,
		.shares = 1,
		.flags = t->unsigned_keys ? 0 : PRE_SIGN_BOTH,
		.delegating_pk = t->other_from ? &e->other : &e->a};

	assert_ok(t->name, pre_public_key_parse(e->pre, to->receiving.b, sizeof(to->receiving.b),
				   &receiving, err));
	assert_ok(t->name,
		pre_kfrags_generate(e->pre,
			t->other_scalar || t->other_from ? &e->other_sk : &e->a_sk, &receiving,
			t->other_sigma ? &e->identity_sk : &e->sigma_sk, &how, ret, err));
}

static void evil_seal(struct evil *e, const struct trick *t, const struct kmsg_grant *g,
	const struct pre_kfrag *kfrag, struct kmsg_accept_request *ret)
{
	_cleanup_(base_buf_done) struct buf sealed = base_buf(KMSG_SEALED_MAX);
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);
	struct envelope_header like = {.kind = t->other_kind ? ENVELOPE_EVENT : ENVELOPE_KFRAG,
		.type = STR("application/octet-stream"),
		.has_context = !t->other_kind};
	struct envelope_target to = {.epoch = t->other_epoch ? 2 : 1,
		.name = t->other_name ? STR("shop/billing") : STR("shop/" REVISION)};
	uint8_t hash[32];

	assert_ok(t->name, kmsg_grant_encode(g, &b, err));
	assert_ok(t->name, envelope_hash(e->envelope, base_buf_str(&b), like.context, err));
	if (t->other_kind)
		memset(like.context, 0, sizeof(like.context));
	if (t->other_context)
		like.context[31] ^= 1;
	assert_ok(t->name, pre_public_key_parse(e->pre, g->inbox, 33, &to.key, err));
	assert_ok(t->name, envelope_seal(e->envelope, e->pre, &like,
				   (struct envelope_targets){.v = &to, .n = 1},
				   base_str_n(kfrag->b, sizeof(kfrag->b) - t->cut), &sealed, err));
	memcpy(ret->sealed, sealed.data, sealed.len);
	ret->sealed_len = (uint16_t)sealed.len;
	assert_ok(t->name, envelope_hash(e->envelope, base_buf_str(&sealed), hash, err));
	base_buf_clear(&b);
	struct pre_signature s;
	assert_ok(t->name, kmsg_grant_signed_encode(g, hash, &b, err));
	assert_ok(t->name,
		pre_sign(e->pre, &e->identity_sk, KMSG_CONTEXT_GRANT, base_buf_str(&b), &s, err));
	memcpy(ret->signature.b, s.b, sizeof(s.b));
}

static struct kmsg_request evil_accept(struct evil *e, const struct trick *t, const struct life *to)
{
	struct kmsg_request r = {.op = KMSG_ACCEPT, .accept = {.epoch = 1, .term = 1}};
	struct pre_kfrag kfrag;
	const struct kmsg_grant g = {
		.member = {kmsg_name_str(&to->who.ns), kmsg_name_str(&to->who.revision),
			kmsg_name_str(&to->who.pod), kmsg_name_str(&to->who.pod_uid),
			to->who.incarnation},
		.epoch = 1,
		.term = 1,
		.from = e->a.b,
		.receiving = to->keys.receiving.b,
		.inbox = to->keys.inbox.b,
		.verifying = e->sigma.b,
		.identity = e->identity.b,
	};

	memcpy(r.accept.from.b, e->a.b, sizeof(e->a.b));
	memcpy(r.accept.verifying.b, e->sigma.b, sizeof(e->sigma.b));
	memcpy(r.accept.identity.b, e->identity.b, sizeof(e->identity.b));
	evil_kfrag(e, t, &to->keys, &kfrag);
	evil_seal(e, t, &g, &kfrag, &r.accept);
	return r;
}

static void test_tricks_of_a_leader(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tricks); i++) {
		_cleanup_(evil_done) struct evil e = {0};
		_cleanup_(life_done) struct life b = {0};
		evil_begin(&e);
		life_begin(&b, 7 + i, REVISION, "b");
		const struct kmsg_request r = evil_accept(&e, &tricks[i], &b);
		if (tricks[i].want) {
			life_refused(tricks[i].name, &b, r, tricks[i].want);
			assert_int_equal(life_get(&b, life_plain(KMSG_HELD)).held.epochs_len, 0);
			continue;
		}
		(void)life_get(&b, r);
		const struct life_message m = life_wrap(&r.accept.from, 3);
		life_opens(&b, &m);
	}
}

/* -- no randomness -- */

static void test_without_randomness_nothing_is_made(void **state)
{
	_cleanup_(fixture_done) struct fixture f = {0};

	(void)state;
	fixture_begin(&f);
	f.a.fake.fail_after = 1;
	life_refused(
		"term", &f.a, (struct kmsg_request){.op = KMSG_TERM, .term.term = 6}, ERR_TERMINAL);
	assert_int_equal(life_get(&f.a, life_plain(KMSG_HELD)).held.term, 5);
	for (int n = 1; n < 3; n++) {
		f.a.fake.fail_after = n;
		life_refused("epoch", &f.a, life_epoch_request(2, 5, 1), ERR_TERMINAL);
		assert_int_equal(life_get(&f.a, life_plain(KMSG_HELD)).held.epochs_len, 1);
		f.a.fake.fail_after = n;
		life_refused("grant", &f.a, life_grant_request(&f.c, 1, 5), ERR_TERMINAL);
		f.a.fake.fail_after = n;
		life_refused("inbox", &f.a, life_plain(KMSG_INBOX_NEXT), ERR_TERMINAL);
		assert_int_equal(life_get(&f.a, life_plain(KMSG_HELD)).held.has_next, 0);
	}
	f.a.fake.fail_after = 0;
	(void)life_get(&f.a, life_grant_request(&f.c, 1, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_acceptances_that_were_changed),
		cmocka_unit_test(test_acceptances_of_others),
		cmocka_unit_test(test_terms_do_not_go_back),
		cmocka_unit_test(test_grants_that_are_refused),
		cmocka_unit_test(test_openings_that_are_refused),
		cmocka_unit_test(test_certificates_that_are_refused),
		cmocka_unit_test(test_uids_that_are_none),
		cmocka_unit_test(test_tricks_of_a_leader),
		cmocka_unit_test(test_without_randomness_nothing_is_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
