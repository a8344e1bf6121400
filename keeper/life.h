/* Keepers of a little world, asked in the words of kmsg. Tests and benchmarks only. */
#ifndef KEEPER_LIFE_H
#define KEEPER_LIFE_H

#include "keeper/core.h"
#include "pkg/base/test.h"
#include "pkg/pre/send.h"

#define LIFE_UID "3f9a1c07-1111-4222-8333-444455556666"

struct life {
	struct env_fake fake;
	struct env env;
	struct keeper *keeper;
	struct kmsg_who who;
	struct kmsg_keys keys;
};

static inline void life_done(struct life *l)
{
	l->keeper = keeper_free(l->keeper);
}
CLEANUP_DONE(struct life, life_done);

static inline void life_name(struct kmsg_name *name, const char *text)
{
	assert_ok(text, kmsg_name_set(name, base_str(text), err));
}

static inline struct kmsg_who life_who(const char *revision, const char *pod)
{
	struct kmsg_who who = {.incarnation = 1};

	life_name(&who.ns, "shop");
	life_name(&who.revision, revision);
	life_name(&who.pod, pod);
	life_name(&who.pod_uid, LIFE_UID);
	who.pod_uid.p[0] = (char)('a' + pod[0] % 6);
	return who;
}

static inline struct kmsg_reply life_ask(struct life *l, struct kmsg_request request)
{
	struct kmsg_reply reply;

	request.seq = 42;
	keeper_handle(l->keeper, &request, &reply);
	assert_int_equal(reply.seq, 42);
	assert_int_equal(reply.op, request.op);
	return reply;
}

/* Asks and expects success. */
static inline struct kmsg_reply life_get(struct life *l, struct kmsg_request request)
{
	const struct kmsg_reply reply = life_ask(l, request);

	if (reply.status)
		fail_msg("%s: %s: %s", kmsg_op_name(request.op), base_err_class_name(reply.status),
			reply.message);
	return reply;
}

static inline void life_refused(
	const char *row, struct life *l, struct kmsg_request request, enum err_class want)
{
	const struct kmsg_reply reply = life_ask(l, request);

	if (reply.status != want)
		fail_msg("%s: wanted %s, got %s: %s", row, base_err_class_name(want),
			base_err_class_name(reply.status), reply.message);
	assert_true(reply.message[0] != 0);
}

static inline struct kmsg_request life_plain(enum kmsg_op op)
{
	return (struct kmsg_request){.op = op};
}

/* A keeper that has made its keys; `l` must stay where it is. */
static inline void life_begin(struct life *l, uint64_t seed, const char *revision, const char *pod)
{
	l->fake = (struct env_fake){.wall_ns = 1700000000 * NS_PER_S, .seed = seed};
	l->env = base_env_fake(&l->fake);
	l->who = life_who(revision, pod);
	assert_ok("keeper_new", keeper_new(&l->env, &l->keeper, err));
	l->keys = life_get(l, (struct kmsg_request){.op = KMSG_INIT, .init.who = l->who}).keys;
}

static inline struct kmsg_term_reply life_term(struct life *l, int64_t term)
{
	return life_get(l, (struct kmsg_request){.op = KMSG_TERM, .term.term = term}).term;
}

static inline struct kmsg_request life_epoch_request(int64_t epoch, int64_t term, int64_t previous)
{
	return (struct kmsg_request){
		.op = KMSG_EPOCH, .epoch = {.epoch = epoch, .term = term, .previous = previous}};
}

static inline struct kmsg_epoch_reply life_epoch(
	struct life *l, int64_t epoch, int64_t term, int64_t previous)
{
	return life_get(l, life_epoch_request(epoch, term, previous)).epoch;
}

static inline struct kmsg_request life_grant_request(
	const struct life *to, int64_t epoch, int64_t term)
{
	return (struct kmsg_request){.op = KMSG_GRANT,
		.grant = {.epoch = epoch, .term = term, .member = to->who, .keys = to->keys}};
}

/* For a day from the world's time on. */
static inline struct kmsg_request life_certify_request(const struct life *of, int64_t term)
{
	struct kmsg_request r = {.op = KMSG_CERTIFY,
		.certify = {.epoch = 1,
			.term = term,
			.nbf = 1700000000,
			.exp = 1700086400,
			.member = of->who,
			.keys = of->keys}};

	life_name(&r.certify.cluster, "0a0b0c0d-0000-4000-8000-000000000000");
	life_name(&r.certify.function, "orders");
	return r;
}

/* What a member asks its keeper with what a leader granted. */
static inline struct kmsg_request life_accept_request(const struct life *leader, int64_t epoch,
	int64_t term, const struct kmsg_point *key, const struct kmsg_point *verifying,
	const struct kmsg_grant_reply *grant)
{
	struct kmsg_request r = {.op = KMSG_ACCEPT,
		.accept = {.epoch = epoch,
			.term = term,
			.from = *key,
			.verifying = *verifying,
			.identity = leader->keys.identity,
			.signature = grant->signature,
			.sealed_len = grant->sealed_len}};

	memcpy(r.accept.sealed, grant->sealed, grant->sealed_len);
	return r;
}

/* A content secret of its own for each seed, wrapped to a key. */
struct life_message {
	struct secret k;
	struct kmsg_request open;
};

static inline struct life_message life_wrap(const struct kmsg_point *key, uint8_t seed)
{
	const struct env env = base_env_system();
	_cleanup_(pre_context_free) struct pre_context *pre = NULL;
	struct pre_public_key to;
	struct life_message m = {.open.op = KMSG_OPEN};

	memset(m.k.b, seed, sizeof(m.k.b));
	assert_ok("context", pre_context_new(&env, &pre, err));
	assert_ok("key", pre_public_key_parse(pre, key->b, sizeof(key->b), &to, err));
	assert_ok("wrap", pre_wrap(pre, &to, &m.k, m.open.open.capsule, m.open.open.wrapped, err));
	const struct pre_fingerprint fp = pre_fingerprint(&to);
	memcpy(m.open.open.fingerprint.b, fp.b, sizeof(fp.b));
	return m;
}

static inline void life_opens(struct life *l, const struct life_message *m)
{
	const struct kmsg_reply reply = life_get(l, m->open);

	assert_memory_equal(reply.open.k.b, m->k.b, sizeof(m->k.b));
}

#endif
