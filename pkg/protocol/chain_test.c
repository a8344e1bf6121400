/* Signatures, links and pins with real keys, and the steps that depend on them. */
#include "pkg/kmsg/statement.h"
#include "pkg/pre/hold.h"
#include "pkg/protocol/chain.h"
#include "pkg/protocol/test_scene.h"

#define EPOCHS 4

/* A record whose epochs 1 … 4 were made by one leader, each linked to the one before. */
struct signed_world {
	struct env_fake fake;
	struct env env;
	struct pre_context *pre;
	struct secret identity, opening[EPOCHS + 1], continuity[EPOCHS + 1];
	struct scene s;
};

static struct crds_point make_key(struct signed_world *w, struct secret *sk)
{
	struct pre_public_key pk;
	struct crds_point p;

	assert_ok("keygen", pre_keygen(w->pre, sk, &pk, err));
	memcpy(p.b, pk.b, sizeof(p.b));
	return p;
}

static void sign(struct signed_world *w, const struct secret *sk, const char *context,
	const struct buf *b, struct crds_signature *ret)
{
	struct pre_signature sig;

	assert_ok("sign", pre_sign(w->pre, sk, context, base_buf_str(b), &sig, err));
	memcpy(ret->b, sig.b, sizeof(ret->b));
}

static void sign_leader(struct signed_world *w)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);
	struct crds_leader *l = &w->s.leader.leader;
	const struct kmsg_term statement = {
		.replica = {.ns = w->s.leader.ns,
			.revision = w->s.leader.revision,
			.pod = l->pod,
			.pod_uid = l->pod_uid,
			.incarnation = l->incarnation},
		.term = l->term,
		.verifying = l->verifying.b,
		.identity = l->identity.b,
	};

	assert_ok("term", kmsg_term_encode(&statement, &b, err));
	sign(w, &w->identity, KMSG_CONTEXT_TERM, &b, &l->signature);
}

static void sign_key(struct signed_world *w, struct crds_key *k)
{
	_cleanup_(base_buf_done) struct buf b = base_buf(KMSG_STATEMENT_MAX);
	const struct kmsg_key statement = {.ns = w->s.leader.ns,
		.revision = w->s.leader.revision,
		.epoch = k->epoch,
		.term = k->term,
		.previous = k->previous,
		.key = k->key.b,
		.continuity = k->continuity.b,
		.identity = k->identity.b};

	assert_ok("key", kmsg_key_encode(&statement, &b, err));
	sign(w, &w->identity, KMSG_CONTEXT_KEY, &b, &k->signature);
	k->has_link = k->previous > 0;
	if (k->has_link)
		sign(w, &w->continuity[k->previous], KMSG_CONTEXT_LINK, &b, &k->link);
}

static void add_signed(struct signed_world *w, int64_t epoch)
{
	struct crds_key *k = &w->s.leader.keys[w->s.leader.keys_len++];

	*k = (struct crds_key){.epoch = epoch,
		.state = epoch == EPOCHS ? CRDS_ACTIVE : CRDS_RETIRED,
		.term = 3,
		.previous = epoch - 1,
		.identity = w->s.leader.leader.identity};
	k->key = make_key(w, &w->opening[epoch]);
	k->continuity = make_key(w, &w->continuity[epoch]);
	k->fingerprint = fingerprint(k->key);
	sign_key(w, k);
}

static void setup(struct signed_world *w)
{
	*w = (struct signed_world){.fake = {.seed = 5}};
	w->env = base_env_fake(&w->fake);
	assert_ok("context", pre_context_new(&w->env, &w->pre, err));
	settled(&w->s);
	w->s.leader.ns = STR("shop");
	w->s.leader.uid = STR("the record");
	w->s.leader.leader.identity = make_key(w, &w->identity);
	sign_leader(w);
	w->s.leader.keys_len = 0;
	for (int64_t e = 1; e <= EPOCHS; e++)
		add_signed(w, e);
	w->s.leader.epoch = w->s.leader.active_epoch = EPOCHS;
}

static void teardown(struct signed_world *w)
{
	w->pre = pre_context_free(w->pre);
}

/* -- who leads -- */

static void flip_leader_signature(struct signed_world *w)
{
	w->s.leader.leader.signature.b[5] ^= 1;
}

static void other_term(struct signed_world *w)
{
	w->s.leader.leader.term++;
}

static void other_incarnation(struct signed_world *w)
{
	w->s.leader.leader.incarnation++;
}

static void other_verifying(struct signed_world *w)
{
	w->s.leader.leader.verifying = w->s.leader.keys[0].key;
}

static void other_pod(struct signed_world *w)
{
	w->s.leader.leader.pod_uid = STR("another");
}

static void other_namespace(struct signed_world *w)
{
	w->s.leader.ns = STR("shop2");
}

static void identity_is_no_point(struct signed_world *w)
{
	memset(w->s.leader.leader.identity.b, 0xff, 33);
}

static void no_leader(struct signed_world *w)
{
	w->s.leader.has_leader = false;
}

static void as_it_is(struct signed_world *w)
{
	(void)w;
}

static const struct {
	const char *name;
	void (*change)(struct signed_world *);
	enum err_class want;
} leader_rows[] = {
	{"as signed", as_it_is, ERR_OK},
	{"a bit of the signature", flip_leader_signature, ERR_TAMPERED},
	{"another term", other_term, ERR_TAMPERED},
	{"another incarnation", other_incarnation, ERR_TAMPERED},
	{"another verifying key", other_verifying, ERR_TAMPERED},
	{"another pod", other_pod, ERR_TAMPERED},
	{"another namespace", other_namespace, ERR_TAMPERED},
	{"an identity that is no point", identity_is_no_point, ERR_TAMPERED},
	{"no leader", no_leader, ERR_NOT_READY},
};

static void test_leader(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(leader_rows); i++) {
		static struct signed_world w;
		struct err e = {0};
		setup(&w);
		leader_rows[i].change(&w);
		if (protocol_leader_verify(&w.s.leader, w.pre, &e) != -(int)leader_rows[i].want)
			fail_msg("%s: %s", leader_rows[i].name, e.msg);
		teardown(&w);
	}
}

/* -- keys -- */

static void flip_signature(struct crds_key *k)
{
	k->signature.b[40] ^= 0x80;
}

static void other_epoch(struct crds_key *k)
{
	k->epoch = 9;
}

static void other_key_term(struct crds_key *k)
{
	k->term = 4;
}

static void other_previous(struct crds_key *k)
{
	k->previous = 1;
}

static void other_fingerprint(struct crds_key *k)
{
	k->fingerprint.b[0] ^= 1;
}

static void other_key(struct crds_key *k)
{
	k->key = k->continuity;
	k->fingerprint = fingerprint(k->key);
}

static void other_continuity(struct crds_key *k)
{
	k->continuity = k->key;
}

static void not_a_point(struct crds_key *k)
{
	k->key.b[0] = 4;
}

static const struct {
	const char *name;
	void (*change)(struct crds_key *);
} key_rows[] = {
	{"a bit of the signature", flip_signature},
	{"another epoch", other_epoch},
	{"another term", other_key_term},
	{"another link", other_previous},
	{"another fingerprint", other_fingerprint},
	{"another key with its fingerprint", other_key},
	{"another continuity key", other_continuity},
	{"a key that is no point", not_a_point},
};

static void test_keys(void **state)
{
	static struct signed_world w;

	(void)state;
	setup(&w);
	for (size_t i = 0; i < EPOCHS; i++)
		assert_ok("as signed",
			protocol_key_verify(&w.s.leader, &w.s.leader.keys[i], w.pre, err));
	for (size_t i = 0; i < ARRAY_LEN(key_rows); i++) {
		struct crds_key k = w.s.leader.keys[2];
		key_rows[i].change(&k);
		assert_class(key_rows[i].name, ERR_TAMPERED,
			protocol_key_verify(&w.s.leader, &k, w.pre, err));
	}
	teardown(&w);
}

/* -- continuity -- */

static void row_gone(struct signed_world *w)
{
	w->s.leader.keys[1] = w->s.leader.keys[2];
	w->s.leader.keys[2] = w->s.leader.keys[3];
	w->s.leader.keys_len = 3;
}

static void link_gone(struct signed_world *w)
{
	w->s.leader.keys[2].has_link = false;
}

static void link_of_another(struct signed_world *w)
{
	w->s.leader.keys[2].link = w->s.leader.keys[3].link;
}

/* Who never held epoch 1 can sign as any leader, but not with its continuity key. */
static void forged(struct signed_world *w)
{
	struct crds_key *k = &w->s.leader.keys[1];

	w->continuity[1] = w->identity;
	sign_key(w, k);
}

static void another_record(struct signed_world *w)
{
	w->s.leader.uid = STR("made anew");
}

static void same_epoch_other_key(struct signed_world *w)
{
	w->s.leader.keys[3].key = w->s.leader.keys[0].key;
	w->s.leader.keys[3].epoch = 1;
}

/* A link that names itself, or a later one, would lead the walk in a circle. */
static void link_forward(struct signed_world *w)
{
	w->s.leader.keys[2].previous = 4;
	sign_key(w, &w->s.leader.keys[2]);
}

static void link_over_the_pin(struct signed_world *w)
{
	w->s.leader.keys[1].previous = 0;
	sign_key(w, &w->s.leader.keys[1]);
}

static const struct {
	const char *name;
	void (*change)(struct signed_world *);
	int64_t pinned; /* 0: nothing */
	size_t row;     /* judged */
	enum protocol_continuity want;
} chain_rows[] = {
	{"nothing was seen before", as_it_is, 0, 3, PROTOCOL_FIRST_CONTACT},
	{"the same key", as_it_is, 4, 3, PROTOCOL_SAME},
	{"the next one", as_it_is, 3, 3, PROTOCOL_CONTINUED},
	{"over rows in between", as_it_is, 1, 3, PROTOCOL_CONTINUED},
	{"an older epoch", as_it_is, 3, 1, PROTOCOL_BROKEN},
	{"a row in between is gone", row_gone, 1, 2, PROTOCOL_BROKEN},
	{"but not one before the pin", row_gone, 3, 2, PROTOCOL_CONTINUED},
	{"a link in between is gone", link_gone, 1, 3, PROTOCOL_BROKEN},
	{"a link of another row", link_of_another, 1, 3, PROTOCOL_BROKEN},
	{"a link by who never held the key", forged, 1, 3, PROTOCOL_BROKEN},
	{"another record of the same name", another_record, 3, 3, PROTOCOL_BROKEN},
	{"another key of the same epoch", same_epoch_other_key, 4, 3, PROTOCOL_BROKEN},
	{"a link forward", link_forward, 1, 3, PROTOCOL_BROKEN},
	{"a chain that begins after the pin", link_over_the_pin, 1, 3, PROTOCOL_BROKEN},
};

static void test_continuity(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(chain_rows); i++) {
		static struct signed_world w;
		struct protocol_pin pin = {0};
		setup(&w);
		if (chain_rows[i].pinned)
			pin = protocol_pin_of(
				&w.s.leader, &w.s.leader.keys[chain_rows[i].pinned - 1]);
		chain_rows[i].change(&w);
		enum protocol_continuity got = PROTOCOL_FIRST_CONTACT;
		assert_ok(chain_rows[i].name,
			protocol_chain_judge(&pin, &w.s.leader, &w.s.leader.keys[chain_rows[i].row],
				w.pre, &got, err));
		if (got != chain_rows[i].want)
			fail_msg("%s: %d, wanted %d", chain_rows[i].name, (int)got,
				(int)chain_rows[i].want);
		teardown(&w);
	}
}

static void test_pin(void **state)
{
	static struct signed_world w;
	char uid[CRDS_UID_LEN + 2];

	(void)state;
	setup(&w);
	const struct protocol_pin pin = protocol_pin_of(&w.s.leader, &w.s.leader.keys[2]);
	assert_int_equal(pin.epoch, 3);
	assert_string_equal(pin.record_uid, "the record");
	assert_memory_equal(pin.key.b, w.s.leader.keys[2].key.b, 33);
	assert_memory_equal(pin.continuity.b, w.s.leader.keys[2].continuity.b, 33);
	/* What does not fit is not pinned half. */
	memset(uid, 'u', sizeof(uid));
	w.s.leader.uid = base_str_n(uid, sizeof(uid));
	assert_int_equal(protocol_pin_of(&w.s.leader, &w.s.leader.keys[2]).epoch, 0);
	w.s.leader.uid = STR_NULL;
	teardown(&w);
}

/* -- steps of a member -- */

/* Epoch 4 was granted to us, who hold nothing yet. */
static void granted_now(struct signed_world *w)
{
	struct scene *s = &w->s;
	const struct crds_key *active = &s->leader.keys[EPOCHS - 1];

	s->v.holding = false;
	s->v.keeper.held_len = 0;
	s->v.leader_check = PROTOCOL_CHECKED;
	s->own.opened_len = 0;
	s->own.active_epoch = 0;
	s->own.conditions[0].status = CRDS_FALSE;
	s->own.conditions[0].reason = STR("WaitingForGrant");
	s->own.grants[0] = (struct crds_grant){.epoch = active->epoch,
		.term = 3,
		.incarnation = 1,
		.from = active->fingerprint,
		.to = fingerprint(s->v.keeper.receiving),
		.inbox = fingerprint(s->v.keeper.inbox)};
	s->own.grants_len = 1;
}

static void to_next_inbox(struct signed_world *w)
{
	w->s.v.keeper.has_next_inbox = true;
	w->s.v.keeper.next_inbox = w->s.own.inbox = point('i', 7);
	w->s.own.grants[0].inbox = fingerprint(point('i', 7));
}

static void to_wiped_inbox(struct signed_world *w)
{
	w->s.own.grants[0].inbox = fingerprint(point('i', 8));
}

static void to_other_receiver(struct signed_world *w)
{
	w->s.own.grants[0].to = fingerprint(point('r', 8));
}

static void of_older_term(struct signed_world *w)
{
	w->s.own.grants[0].term = 2;
}

static void for_older_incarnation(struct signed_world *w)
{
	w->s.own.grants[0].incarnation = 2;
}

static void number_taken(struct signed_world *w)
{
	hold(&w->s, EPOCHS);
	w->s.v.keeper.held[0].key = point('b', EPOCHS);
}

static void tampered_key(struct signed_world *w)
{
	flip_signature(&w->s.leader.keys[EPOCHS - 1]);
}

static void refused_leader(struct signed_world *w)
{
	w->s.v.leader_check = PROTOCOL_REFUSED;
}

static const struct {
	const char *name;
	void (*change)(struct signed_world *);
	bool accept, waits; /* waits: the inbox key does not change yet */
} accept_rows[] = {
	{"a grant", as_it_is, true, true},
	{"a grant to the inbox key that comes next", to_next_inbox, true, true},
	{"a grant to an inbox key that was wiped", to_wiped_inbox, false},
	{"a grant to another", to_other_receiver, false},
	{"a grant of an older term", of_older_term, false},
	{"a grant for another incarnation", for_older_incarnation, false},
	{"a grant where a key of ours has the number", number_taken, false, true},
	{"a grant for a key that is not signed", tampered_key, false},
	{"a grant in a term that is not signed", flip_leader_signature, false},
	{"a grant of a leader whose pod is not one of ours", refused_leader, false},
};

static void test_accept(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(accept_rows); i++) {
		static struct signed_world w;
		static struct protocol_plan plan;
		setup(&w);
		granted_now(&w);
		accept_rows[i].change(&w);
		protocol_step(&w.s.v, w.pre, &plan);
		const bool accept = plans(&plan, PROTOCOL_ACCEPT);
		if (accept != accept_rows[i].accept)
			fail_msg("%s: %s", accept_rows[i].name, accept ? "accepted" : "left");
		w.s.v.keeper.has_next_inbox = true;
		w.s.v.keeper.next_inbox = w.s.own.inbox = point('i', 7);
		protocol_step(&w.s.v, w.pre, &plan);
		const bool commits = plans(&plan, PROTOCOL_INBOX_COMMIT);
		if (commits == accept_rows[i].waits)
			fail_msg("%s: the inbox key %s", accept_rows[i].name,
				commits ? "is wiped" : "never changes");
		if (accept && plans(&plan, PROTOCOL_SAY_OPENED))
			fail_msg("%s: says what it opens before it opens all", accept_rows[i].name);
		teardown(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leader),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_continuity),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_accept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
