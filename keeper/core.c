#include "keeper/state.h"

#include "pkg/base/alloc.h"

/* Each kind of cryptography once, with keys that are thrown away: what libraries fetch, open or
 * allocate at first use has happened before a sandbox closes. Also a self-test. */
static int rehearse(struct keeper *k, struct err *err)
{
	_cleanup_(base_secret_wipe) struct secret sk = {0}, derived = {0};
	_cleanup_(base_buf_done) struct buf sealed = base_buf(KMSG_SEALED_MAX);
	_cleanup_(base_buf_done) struct buf plain = base_buf(KMSG_SEALED_MAX);
	const struct envelope_header like = {
		.kind = ENVELOPE_KFRAG, .type = STR(KEEPER_KFRAG_TYPE), .has_context = true};
	struct envelope_target to = {.epoch = 1, .name = STR("a/b")};
	const struct envelope_targets targets = {.v = &to, .n = 1};
	struct pre_public_key pk;
	struct pre_signature signature;

	TRY(pre_keygen(k->pre, &sk, &to.key, err));
	TRY(envelope_seal(k->envelope, k->pre, &like, targets, STR("self-test"), &sealed, err));
	const struct pre_fingerprint fp = pre_fingerprint(&to.key);
	const struct envelope_opening with = {
		.secret = &sk, .fp = &fp, .kinds = ENVELOPE_KINDS(KFRAG)};
	TRY(envelope_open(k->envelope, k->pre, &with, base_buf_str(&sealed), &plain, NULL, err));
	TRY(pre_derive_key(k->pre, &sk, "self-test", &derived, &pk, err));
	TRY(pre_sign(k->pre, &derived, "self-test", base_buf_str(&plain), &signature, err));
	return pre_verify(k->pre, &pk, "self-test", STR("self-test"), &signature, err);
}

int keeper_new(const struct env *env, struct keeper **ret_keeper, struct err *err)
{
	_cleanup_(keeper_free) struct keeper *k = base_alloc(1, sizeof(*k));

	if (!k)
		return FAIL(err, ERR_NOMEM, "keeper");
	k->env = env;
	k->scratch = base_buf(KMSG_STATEMENT_MAX);
	TRY(base_locked_new(sizeof(*k->secrets), &k->memory, err));
	k->secrets = k->memory.p;
	k->stats.memory_locked = k->memory.locked;
	TRY(pre_context_new(env, &k->pre, err));
	TRY(envelope_context_new(env, &k->envelope, err));
	TRY(rehearse(k, err));
	*ret_keeper = STEAL(k);
	return 0;
}

struct keeper *keeper_free(struct keeper *k)
{
	if (!k)
		return NULL;
	base_locked_done(&k->memory);
	(void)envelope_context_free(k->envelope);
	(void)pre_context_free(k->pre);
	base_buf_done(&k->scratch);
	return base_free(k);
}

void keeper_set_sandboxed(struct keeper *k, bool sandboxed)
{
	k->stats.sandboxed = sandboxed;
}

static int op_erase(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	(void)ret;
	(void)err;
	keeper_epoch_erase(k, request->erase.epoch);
	return 0;
}

static int op_stats(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	(void)request;
	(void)err;
	ret->stats = k->stats;
	for (size_t i = 0; i < KMSG_EPOCHS_MAX; i++)
		if (k->epochs[i].epoch)
			ret->stats.epochs++;
	return 0;
}

static int op_held(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	struct kmsg_held_reply *held = &ret->held;

	(void)request;
	(void)err;
	held->incarnation = k->who.incarnation;
	held->keys = k->keys;
	held->has_next = k->has_next;
	if (k->has_next) {
		held->next_inbox = k->next.inbox;
		held->next_proof = k->next.proof;
	}
	held->term = k->term;
	held->verifying = k->leading.verifying;
	held->signature = k->leading.signature;
	keeper_epoch_list(k, held);
	return 0;
}

static const struct {
	keeper_op run;
	bool before_init;
} ops[KMSG_OP_COUNT] = {
	[KMSG_INIT] = {keeper_op_init, true},
	[KMSG_INBOX_NEXT] = {keeper_op_inbox_next, false},
	[KMSG_INBOX_COMMIT] = {keeper_op_inbox_commit, false},
	[KMSG_TERM] = {keeper_op_term, false},
	[KMSG_EPOCH] = {keeper_op_epoch, false},
	[KMSG_GRANT] = {keeper_op_grant, false},
	[KMSG_ACCEPT] = {keeper_op_accept, false},
	[KMSG_OPEN] = {keeper_op_open, false},
	[KMSG_ERASE] = {op_erase, false},
	[KMSG_RECORD] = {keeper_op_record, false},
	[KMSG_STATS] = {op_stats, true},
	[KMSG_HELD] = {op_held, true},
	[KMSG_CERTIFY] = {keeper_op_certify, false},
	[KMSG_SIGN] = {keeper_op_sign, false},
};

static int run(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret,
	struct err *err)
{
	if (request->op <= 0 || request->op >= KMSG_OP_COUNT)
		return FAIL(err, ERR_INVALID, "no operation %d", (int)request->op);
	if (!k->who.incarnation && !ops[request->op].before_init)
		return FAIL(err, ERR_NOT_READY, "INIT comes first");
	return ops[request->op].run(k, request, ret, err);
}

/* More than any operation uses of the stack (27 KiB were measured). */
#define STACK_USED 32768

/* Libraries leave scalars in frames that they have left: memory_test.c finds them without this. */
static __attribute__((noinline)) void wipe_stack(void)
{
	uint8_t left[STACK_USED] __attribute__((uninitialized));

	base_wipe(left, sizeof(left));
}

void keeper_handle(struct keeper *k, const struct kmsg_request *request, struct kmsg_reply *ret)
{
	const struct kmsg_reply blank = {.op = request->op, .seq = request->seq};
	struct err err = {0};

	*ret = blank;
	const int r = run(k, request, ret, &err);
	wipe_stack();
	if (r == 0)
		return;
	base_wipe(ret, sizeof(*ret));
	*ret = blank;
	ret->status = (enum err_class) - r;
	for (size_t i = 0; i < sizeof(ret->message) - 1 && err.msg[i]; i++) {
		const char c = err.msg[i];
		ret->message[i] = (char)(c >= ' ' && c <= '~' ? c : '?');
	}
}
